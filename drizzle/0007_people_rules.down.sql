drop function drop_expired_credentials(timestamptz, integer);
drop function publish_signing_key(uuid, text, timestamptz, timestamptz);
drop function recent_access_changes(timestamptz, interval);
drop function close_account(timestamptz);
drop function reset_password(text, text, timestamptz);
drop function verify_email(text, timestamptz);
drop function use_api_key(text, text, timestamptz);
drop function rotate_refresh_token(text, uuid, text, timestamptz, timestamptz);
drop function find_telegram_login(bigint);
drop function find_login(text);
drop trigger notify_access on refresh_tokens;
drop trigger notify_access on api_keys;
drop trigger notify_access on users;
drop function notify_access_change();
drop trigger count_access_version on users;
drop function count_access_version();
drop trigger notify_delete on user_dashboard_preferences;
drop trigger notify_update on user_dashboard_preferences;
drop trigger notify_insert on user_dashboard_preferences;
drop function notify_dashboard_change();
drop trigger count_version on user_dashboard_preferences;
drop function count_version();
drop trigger ck_api_keys_maximum on api_keys;
drop function enforce_maximum_api_keys();
drop trigger ck_user_dashboard_preferences_maximum on user_dashboard_preferences;
drop function enforce_maximum_dashboard();
drop trigger ck_audit_events_no_truncate on audit_events;
drop trigger ck_audit_events_no_delete on audit_events;
drop trigger ck_audit_events_no_update on audit_events;
drop trigger ck_api_keys_revoked_at on api_keys;
drop trigger ck_refresh_tokens_revoked_at on refresh_tokens;
drop function keep_revoked();
drop trigger ck_user_dashboard_preferences_user_id on user_dashboard_preferences;
drop trigger ck_one_time_tokens_user_id on one_time_tokens;
drop trigger ck_api_keys_user_id on api_keys;
drop trigger ck_refresh_tokens_user_id on refresh_tokens;
drop function keep_user();
drop trigger set_updated_at on users;
drop policy nobody_audit_events on audit_events;
drop policy readonly_users on users;
do $$
declare
  name text;
begin
  foreach name in array array['users', 'refresh_tokens', 'api_keys', 'one_time_tokens', 'user_dashboard_preferences', 'audit_events'] loop
    execute format('drop policy %I on %I', 'own_' || name, name);
    execute format('drop policy %I on %I', 'owner_' || name, name);
    execute format('drop policy %I on %I', 'admin_' || name, name);
    execute format('alter table %I no force row level security', name);
    execute format('alter table %I disable row level security', name);
  end loop;
end
$$;
-- Also takes back the rights on single columns.
revoke all on users, refresh_tokens, api_keys, one_time_tokens, user_dashboard_preferences, audit_events, signing_keys
  from tradegraph_app, tradegraph_admin, tradegraph_readonly;
