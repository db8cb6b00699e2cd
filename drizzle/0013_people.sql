CREATE TYPE "public"."job_result_enum" AS ENUM('OK', 'FAILED');--> statement-breakpoint
CREATE TABLE "jobs" (
	"name" varchar(40) PRIMARY KEY NOT NULL,
	"every_ms" bigint NOT NULL,
	"next_run_at" timestamp with time zone NOT NULL,
	"last_started_at" timestamp with time zone,
	"last_finished_at" timestamp with time zone,
	"last_duration_ms" integer,
	"last_result" "job_result_enum",
	"last_counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"last_error" varchar(200),
	"last_error_id" uuid,
	"last_succeeded_at" timestamp with time zone,
	"node" varchar(80),
	"runs" bigint DEFAULT 0 NOT NULL,
	"failures" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "ck_jobs_name" CHECK ("jobs"."name" ~ '^[a-z][a-z-]*$'),
	CONSTRAINT "ck_jobs_every_ms" CHECK ("jobs"."every_ms" > 0),
	CONSTRAINT "ck_jobs_last_duration_ms" CHECK ("jobs"."last_duration_ms" >= 0),
	CONSTRAINT "ck_jobs_last_counts" CHECK (jsonb_typeof("jobs"."last_counts") = 'object' and octet_length("jobs"."last_counts"::text) <= 1024),
	CONSTRAINT "ck_jobs_last_error" CHECK (("jobs"."last_error" is not null) = ("jobs"."last_result" is not distinct from 'FAILED')),
	CONSTRAINT "ck_jobs_failures" CHECK ("jobs"."failures" between 0 and "jobs"."runs")
);
--> statement-breakpoint
CREATE TABLE "email_changes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"new_email" varchar(320) NOT NULL,
	"new_email_key" varchar(320) NOT NULL,
	"token_hash" varchar(64) NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "uk_email_changes_user_id" UNIQUE("user_id"),
	CONSTRAINT "uk_email_changes_token_hash" UNIQUE("token_hash"),
	CONSTRAINT "ck_email_changes_token_hash" CHECK ("email_changes"."token_hash" ~ '^[0-9a-f]{64}$'),
	CONSTRAINT "ck_email_changes_expires_at" CHECK ("email_changes"."expires_at" > "email_changes"."created_at")
);
--> statement-breakpoint
ALTER TABLE "accounts" DROP CONSTRAINT "ck_accounts_credentials";--> statement-breakpoint
ALTER TABLE "refresh_tokens" ADD COLUMN "device_name" varchar(60);--> statement-breakpoint
ALTER TABLE "refresh_tokens" ADD COLUMN "last_seen_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "purged_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "email_changes" ADD CONSTRAINT "fk_email_changes_user_id" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_email_changes_expires_at" ON "email_changes" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "idx_users_deleted_at" ON "users" USING btree ("deleted_at") WHERE deleted_at is not null and purged_at is null;--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "ck_accounts_credentials" CHECK (case when "accounts"."environment" = 'PAPER' or ("accounts"."status" = 'INACTIVE' and "accounts"."sealed_api_key" is null) then num_nonnulls("accounts"."sealed_api_key", "accounts"."sealed_api_secret", "accounts"."sealed_passphrase", "accounts"."api_key_hint") = 0 else num_nonnulls("accounts"."sealed_api_key", "accounts"."sealed_api_secret", "accounts"."api_key_hint") = 3 end);--> statement-breakpoint
ALTER TABLE "refresh_tokens" ADD CONSTRAINT "ck_refresh_tokens_device_name" CHECK ("refresh_tokens"."device_name" ~ '[^[:space:]]' and "refresh_tokens"."device_name" !~ '[\x01-\x1f\x7f]');--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "ck_users_purged_at" CHECK ("users"."purged_at" is null or "users"."purged_at" >= "users"."deleted_at");--> statement-breakpoint
alter table email_changes enable row level security;
--> statement-breakpoint
alter table email_changes force row level security;
--> statement-breakpoint
do $$
declare
  own constant text := 'nullif(current_setting(''app.user_id'', true), '''')::uuid';
begin
  execute format('create policy own_email_changes on email_changes to tradegraph_app using (user_id = %s) with check (user_id = %1$s)', own);
  execute format('create policy owner_email_changes on email_changes to current_user using (%s is null) with check (%1$s is null)', own);
  execute format('create policy admin_email_changes on email_changes to tradegraph_admin using (%s is null) with check (%1$s is null)', own);
end
$$;
--> statement-breakpoint
grant select, insert, delete, update (id, new_email, new_email_key, token_hash, created_at, expires_at) on email_changes to tradegraph_app;
--> statement-breakpoint
grant select (id, user_id, new_email, new_email_key, created_at, expires_at) on email_changes to tradegraph_admin;
--> statement-breakpoint
create trigger ck_email_changes_user_id before update of user_id on email_changes for each row
  when (old.user_id is distinct from new.user_id) execute function keep_user();
--> statement-breakpoint
grant select (device_name, last_seen_at) on refresh_tokens to tradegraph_admin;
--> statement-breakpoint
grant select (purged_at) on users to tradegraph_admin, tradegraph_readonly;
--> statement-breakpoint
-- Whose turn it is and how it went; no personal data.
grant select, insert, update on jobs to tradegraph_app;
--> statement-breakpoint
grant select on jobs to tradegraph_admin, tradegraph_readonly;
--> statement-breakpoint
create or replace function rotate_refresh_token(old_hash text, new_id uuid, new_hash text, at timestamptz, new_expires_at timestamptz)
  returns table (outcome text, user_id uuid, family_id uuid, role user_role_enum, status user_status_enum, access_version integer)
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
  old refresh_tokens;
  holder users;
begin
  select t.* into old from refresh_tokens t where t.token_hash = old_hash;
  if not found then
    return;
  end if;
  select u.* into holder from users u where u.id = old.user_id for no key update;
  -- Again, as it is now that nobody else can change it.
  select t.* into old from refresh_tokens t where t.id = old.id;
  if old.revoked_at is not null or (old.used_at is null and old.expires_at <= at) then
    return query select 'dead', old.user_id, old.family_id, holder.role, holder.status, holder.access_version;
    return;
  end if;
  if old.used_at is not null then
    update refresh_tokens t set revoked_at = at where t.family_id = old.family_id and t.revoked_at is null;
    return query select 'reused', old.user_id, old.family_id, holder.role, holder.status, holder.access_version;
    return;
  end if;
  if holder.status not in ('ACTIVE', 'PENDING_VERIFICATION') then
    return query select 'refused', old.user_id, old.family_id, holder.role, holder.status, holder.access_version;
    return;
  end if;
  update refresh_tokens t set used_at = at where t.id = old.id;
  insert into refresh_tokens (id, user_id, family_id, token_hash, started_at, created_at, expires_at, device_name, last_seen_at)
    values (new_id, old.user_id, old.family_id, new_hash, old.started_at, at, new_expires_at, old.device_name, at);
  -- The last 200 of a family are remembered; an older one is refused as one that was never given out.
  delete from refresh_tokens t where t.id in (
    select spent.id from refresh_tokens spent where spent.family_id = old.family_id and spent.used_at is not null
    order by spent.created_at desc offset 200);
  return query select 'rotated', old.user_id, old.family_id, holder.role, holder.status, holder.access_version;
end
$$;
--> statement-breakpoint
create or replace function reset_password(wanted_hash text, new_password_hash text, at timestamptz) returns uuid
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  found_id uuid;
begin
  update one_time_tokens t set used_at = at from users u
    where t.token_hash = wanted_hash and t.purpose = 'PASSWORD_RESET' and t.used_at is null and t.expires_at > at
      and u.id = t.user_id and u.email_key = t.email_key and u.status in ('PENDING_VERIFICATION', 'ACTIVE')
    returning t.user_id into found_id;
  update users u set password_hash = new_password_hash, email_verified_at = coalesce(u.email_verified_at, at), status = 'ACTIVE'
    where u.id = found_id;
  update refresh_tokens t set revoked_at = at where t.user_id = found_id and t.revoked_at is null;
  -- Whoever asked for another address may be who the account is taken back from.
  delete from email_changes c where c.user_id = found_id;
  return found_id;
end
$$;
--> statement-breakpoint
create or replace function close_account(at timestamptz) returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  own constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
begin
  update refresh_tokens t set revoked_at = at where t.user_id = own and t.revoked_at is null;
  update refresh_tokens t set device_name = null where t.user_id = own and t.device_name is not null;
  update api_keys k set revoked_at = at where k.user_id = own and k.revoked_at is null;
  delete from one_time_tokens t where t.user_id = own;
  delete from email_changes c where c.user_id = own;
  delete from user_dashboard_preferences p where p.user_id = own;
  update users u set status = 'CLOSED', deleted_at = at, email = null, email_key = null, password_hash = null, username = null,
      first_name = null, last_name = null, phone = null, telegram_id = null, preferences = '{}'
    where u.id = own and u.deleted_at is null;
end
$$;
--> statement-breakpoint
create or replace function drop_expired_credentials(at timestamptz, batch integer) returns bigint
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  tokens bigint;
  mailed bigint;
  changes bigint;
begin
  delete from refresh_tokens t where t.id in (
    select old.id from refresh_tokens old
    where old.expires_at < at and not exists (
      select from refresh_tokens good where good.family_id = old.family_id and good.expires_at >= at)
    order by old.expires_at limit batch);
  get diagnostics tokens = row_count;
  delete from one_time_tokens t where t.id in (
    select old.id from one_time_tokens old where old.expires_at < at order by old.expires_at limit batch);
  get diagnostics mailed = row_count;
  delete from email_changes c where c.id in (
    select old.id from email_changes old where old.expires_at < at order by old.expires_at limit batch);
  get diagnostics changes = row_count;
  return tokens + mailed + changes;
end
$$;
--> statement-breakpoint
-- Puts the new address in the place of the old one: both or neither, and once. Nothing comes back for a token that is unknown,
-- used or too old; an address that somebody else has meanwhile breaks its unique index. What was mailed to the old address is
-- worth nothing from then on.
create function confirm_email_change(wanted_hash text, at timestamptz) returns table (user_id uuid, old_email varchar)
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
  wanted email_changes;
  was varchar;
begin
  delete from email_changes c using users u
    where c.token_hash = wanted_hash and c.expires_at > at and u.id = c.user_id and u.status in ('PENDING_VERIFICATION', 'ACTIVE')
    returning c.* into wanted;
  if not found then
    return;
  end if;
  select u.email into was from users u where u.id = wanted.user_id for no key update;
  update one_time_tokens t set used_at = at where t.user_id = wanted.user_id and t.used_at is null;
  update users u set email = wanted.new_email, email_key = wanted.new_email_key, email_verified_at = at, status = 'ACTIVE'
    where u.id = wanted.user_id;
  return query select wanted.user_id, was;
end
$$;
--> statement-breakpoint
-- When the living sessions of these ids were last used: an object of instants by id.
create function note_sessions_seen(seen jsonb) returns void
  language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
  update refresh_tokens t set last_seen_at = s.value::timestamptz
  from jsonb_each_text(seen) s
  where t.family_id = s.key::uuid and t.used_at is null and t.revoked_at is null
    and (t.last_seen_at is null or t.last_seen_at < s.value::timestamptz)
$$;
--> statement-breakpoint
-- Audit events stay as they are for everybody, until they are old: and then they go by the function below alone. However short
-- somebody would like to have it, thirty days are kept.
create function keep_audit_events() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.occurred_at < now() - interval '30 days'
     and current_setting('tradegraph.drops_audit_events', true) = 'on' then
    return old;
  end if;
  raise exception 'rows of % are never changed', tg_table_name using errcode = 'check_violation';
end
$$;
--> statement-breakpoint
drop trigger ck_audit_events_no_delete on audit_events;
--> statement-breakpoint
create trigger ck_audit_events_no_delete before delete on audit_events for each row execute function keep_audit_events();
--> statement-breakpoint
create function drop_expired_audit_events(before timestamptz, batch integer) returns bigint
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  dropped bigint;
begin
  if before is null or before > now() - interval '30 days' then
    raise exception 'audit events are kept for thirty days at least' using errcode = 'check_violation';
  end if;
  perform set_config('tradegraph.drops_audit_events', 'on', true);
  delete from audit_events e where e.id in (
    select old.id from audit_events old where old.occurred_at < before order by old.occurred_at limit batch);
  get diagnostics dropped = row_count;
  perform set_config('tradegraph.drops_audit_events', '', true);
  return dropped;
end
$$;
--> statement-breakpoint
-- Takes away what is left of accounts that were closed before then: at most so many of them. The row of the user stays, without
-- anything that says whose it was, because the books name it.
create function purge_closed_users(closed_before timestamptz, at timestamptz, batch integer) returns bigint
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  closed uuid[];
begin
  select array_agg(due.id) into closed from (
    select u.id from users u where u.deleted_at < closed_before and u.purged_at is null
    order by u.deleted_at limit batch for no key update skip locked) due;
  if closed is null then
    return 0;
  end if;
  delete from refresh_tokens t where t.user_id = any (closed);
  delete from api_keys k where k.user_id = any (closed);
  delete from one_time_tokens t where t.user_id = any (closed);
  delete from email_changes c where c.user_id = any (closed);
  delete from user_dashboard_preferences p where p.user_id = any (closed);
  update accounts a set name = a.id::text, status = 'INACTIVE', sync_status = 'DISABLED', sync_error = null, permissions = '{}',
      sealed_api_key = null, sealed_api_secret = null, sealed_passphrase = null, api_key_hint = null,
      deleted_at = coalesce(a.deleted_at, at)
    where a.user_id = any (closed);
  update strategies y set name = y.id::text, deleted_at = coalesce(y.deleted_at, at) where y.user_id = any (closed);
  update users u set timezone = 'UTC', locale = 'en', risk_profile = 'MEDIUM', plan = 'FREE', preferences = '{}', last_login_at = null,
      purged_at = greatest(at, u.deleted_at)
    where u.id = any (closed);
  return cardinality(closed);
end
$$;
--> statement-breakpoint
-- API keys that have let nobody in since then, and the keys of accounts at exchanges that ended before then and have nothing open.
create function drop_dead_keys(dead_before timestamptz, batch integer) returns bigint
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  api bigint;
  sealed bigint;
begin
  delete from api_keys k where k.id in (
    select dead.id from api_keys dead where least(dead.revoked_at, dead.expires_at) < dead_before limit batch);
  get diagnostics api = row_count;
  update accounts a set sealed_api_key = null, sealed_api_secret = null, sealed_passphrase = null, api_key_hint = null
    where a.id in (
      select ended.id from accounts ended
      where ended.status = 'INACTIVE' and ended.sealed_api_key is not null and ended.updated_at < dead_before
        and not exists (select from orders o where o.account_id = ended.id and o.status in ('PENDING', 'NEW', 'PARTIALLY_FILLED'))
      limit batch);
  get diagnostics sealed = row_count;
  return api + sealed;
end
$$;
--> statement-breakpoint
-- Accounts that still trade though their user has closed his own.
create function accounts_of_closed_users() returns table (account_id uuid, user_id uuid)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select a.id, a.user_id from users u join accounts a on a.user_id = u.id
  where u.deleted_at is not null and u.purged_at is null and a.status <> 'INACTIVE' and a.deleted_at is null
$$;
--> statement-breakpoint
-- Accounts whose keys at exchanges another key than the newest one seals; the program then acts as each of their users.
create function outdated_account_keys(newest_key text, after_account uuid, batch integer) returns table (account_id uuid, user_id uuid)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select a.id, a.user_id from accounts a
  where (after_account is null or a.id > after_account)
    and (split_part(a.sealed_api_key, '.', 2) <> newest_key or split_part(a.sealed_api_secret, '.', 2) <> newest_key
      or split_part(a.sealed_passphrase, '.', 2) <> newest_key)
  order by a.id limit batch
$$;
--> statement-breakpoint
do $$
declare
  signature text;
begin
  foreach signature in array array['confirm_email_change(text, timestamptz)', 'note_sessions_seen(jsonb)',
    'drop_expired_audit_events(timestamptz, integer)', 'purge_closed_users(timestamptz, timestamptz, integer)',
    'drop_dead_keys(timestamptz, integer)', 'accounts_of_closed_users()', 'outdated_account_keys(text, uuid, integer)'] loop
    execute format('revoke execute on function %s from public', signature);
    execute format('grant execute on function %s to tradegraph_app', signature);
  end loop;
end
$$;
