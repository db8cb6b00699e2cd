ALTER TABLE "data_providers" ADD COLUMN "messages_per_second" real;--> statement-breakpoint
ALTER TABLE "data_providers" ADD COLUMN "usage_month" date;--> statement-breakpoint
ALTER TABLE "data_providers" ADD COLUMN "sealed_api_key" text;--> statement-breakpoint
ALTER TABLE "data_providers" ADD COLUMN "sealed_api_secret" text;--> statement-breakpoint
ALTER TABLE "data_providers" ADD COLUMN "sealed_passphrase" text;--> statement-breakpoint
ALTER TABLE "data_providers" ADD CONSTRAINT "ck_data_providers_messages_per_second" CHECK ("data_providers"."messages_per_second" >= 0);--> statement-breakpoint
ALTER TABLE "data_providers" ADD CONSTRAINT "ck_data_providers_usage_month" CHECK (extract(day from "data_providers"."usage_month") = 1);--> statement-breakpoint
ALTER TABLE "data_providers" ADD CONSTRAINT "ck_data_providers_sealed_api_key" CHECK ("data_providers"."sealed_api_key" ~ '^v1[.][a-z0-9_-]{1,32}[.][A-Za-z0-9_-]+$');--> statement-breakpoint
ALTER TABLE "data_providers" ADD CONSTRAINT "ck_data_providers_sealed_api_secret" CHECK ("data_providers"."sealed_api_secret" ~ '^v1[.][a-z0-9_-]{1,32}[.][A-Za-z0-9_-]+$');--> statement-breakpoint
ALTER TABLE "data_providers" ADD CONSTRAINT "ck_data_providers_sealed_passphrase" CHECK ("data_providers"."sealed_passphrase" ~ '^v1[.][a-z0-9_-]{1,32}[.][A-Za-z0-9_-]+$');--> statement-breakpoint
ALTER TABLE "data_providers" ADD CONSTRAINT "ck_data_providers_sealed_set" CHECK ("data_providers"."sealed_api_key" is not null or ("data_providers"."sealed_api_secret" is null and "data_providers"."sealed_passphrase" is null));--> statement-breakpoint
-- Who only reads sees everything of a provider but its sealed secrets.
revoke select on data_providers from tradegraph_readonly;
--> statement-breakpoint
do $$
begin
  execute (
    select format('grant select (%s) on data_providers to tradegraph_readonly', string_agg(quote_ident(attname), ', '))
    from pg_attribute
    where attrelid = 'data_providers'::regclass and attnum > 0 and not attisdropped and attname not like 'sealed\_%'
  );
end
$$;
