-- Also takes back the rights on single columns.
revoke select on data_providers from tradegraph_readonly;
alter table data_providers drop column messages_per_second, drop column usage_month, drop column sealed_api_key,
  drop column sealed_api_secret, drop column sealed_passphrase;
grant select on data_providers to tradegraph_readonly;
