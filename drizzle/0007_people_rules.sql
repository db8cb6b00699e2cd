-- Who may see and change what of people, the rules that are no plain constraint, and what is told to the running nodes.

-- Private rows are read and written in a transaction that names its user in app.user_id (src/db/as-user.ts). A statement that
-- forgets to filter gets that user's rows, and one outside of such a transaction gets none. The setting is '' and not null on a
-- connection that has had it before.
--
-- What must be found before a user is known (a login by its e-mail address, a refresh token, an API key or a mailed token by its
-- hash) goes through the functions below. Each takes the whole secret or key and gives one row, so that nothing can be listed.
-- They run as the owner of the tables. FORCE puts the owner under policies as well: it has a policy of its own, which, as those
-- of the other roles, holds only where no user is named: a transaction that names one shows that user's rows whoever runs it.
-- (A superuser and a role with BYPASSRLS stand above all policies.)
do $$
declare
  name text;
  own constant text := $own$nullif(current_setting('app.user_id', true), '')::uuid$own$;
begin
  foreach name in array array['users', 'refresh_tokens', 'api_keys', 'one_time_tokens', 'user_dashboard_preferences', 'audit_events'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy %I on %I to tradegraph_app using (%I = %s) with check (%3$I = %4$s)',
      'own_' || name, name, case name when 'users' then 'id' else 'user_id' end, own);
    execute format('create policy %I on %I to current_user using (%s is null) with check (%3$s is null)', 'owner_' || name, name, own);
    execute format('create policy %I on %I to tradegraph_admin using (%s is null) with check (%3$s is null)', 'admin_' || name, name, own);
  end loop;
end
$$;
--> statement-breakpoint
create policy readonly_users on users for select to tradegraph_readonly using (nullif(current_setting('app.user_id', true), '') is null);
--> statement-breakpoint
-- An operator's work on the catalogue is about nobody's account.
create policy nobody_audit_events on audit_events for insert to tradegraph_app with check (user_id is null);
--> statement-breakpoint
-- The running program cannot write what makes an operator: role, status and what proves an address.
grant select on users, refresh_tokens, api_keys, one_time_tokens, user_dashboard_preferences, audit_events, signing_keys to tradegraph_app;
--> statement-breakpoint
grant insert (id, email, email_key, password_hash, username, first_name, last_name, timezone, locale, created_at) on users to tradegraph_app;
--> statement-breakpoint
grant update (password_hash, username, first_name, last_name, phone, telegram_id, timezone, locale, risk_profile, preferences, last_login_at)
  on users to tradegraph_app;
--> statement-breakpoint
grant insert, update (used_at, revoked_at) on refresh_tokens to tradegraph_app;
--> statement-breakpoint
grant insert, update (name, revoked_at) on api_keys to tradegraph_app;
--> statement-breakpoint
grant insert, update (id, token_hash, email_key, created_at, expires_at, used_at) on one_time_tokens to tradegraph_app;
--> statement-breakpoint
grant insert, delete, update (display_order, is_visible, is_pinned, custom_alias, notes, widget_type, widget_config, category)
  on user_dashboard_preferences to tradegraph_app;
--> statement-breakpoint
grant insert on audit_events to tradegraph_app;
--> statement-breakpoint
grant select (id, role, status, risk_profile, plan, timezone, locale, created_at, last_login_at, deleted_at) on users to tradegraph_readonly;
--> statement-breakpoint
-- Who works on the database by hand sees everything but what secrets could be guessed from.
do $$
declare
  name text;
begin
  foreach name in array array['users', 'refresh_tokens', 'api_keys', 'one_time_tokens'] loop
    execute (
      select format('grant select (%s) on %I to tradegraph_admin', string_agg(quote_ident(attname), ', '), name)
      from pg_attribute
      where attrelid = name::regclass and attnum > 0 and not attisdropped and attname not like '%\_hash'
    );
  end loop;
end
$$;
--> statement-breakpoint
grant select on user_dashboard_preferences, audit_events, signing_keys to tradegraph_admin;
--> statement-breakpoint
grant update (role, status, plan, risk_profile, email_verified_at) on users to tradegraph_admin;
--> statement-breakpoint
grant update (revoked_at) on refresh_tokens, api_keys to tradegraph_admin;
--> statement-breakpoint
grant insert on audit_events to tradegraph_admin;
--> statement-breakpoint
create trigger set_updated_at before update on users for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create function keep_user() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % stay with their user', tg_table_name using errcode = 'check_violation';
end
$$;
--> statement-breakpoint
create trigger ck_refresh_tokens_user_id before update of user_id on refresh_tokens for each row
  when (old.user_id is distinct from new.user_id) execute function keep_user();
--> statement-breakpoint
create trigger ck_api_keys_user_id before update of user_id on api_keys for each row
  when (old.user_id is distinct from new.user_id) execute function keep_user();
--> statement-breakpoint
create trigger ck_one_time_tokens_user_id before update of user_id on one_time_tokens for each row
  when (old.user_id is distinct from new.user_id) execute function keep_user();
--> statement-breakpoint
create trigger ck_user_dashboard_preferences_user_id before update of user_id on user_dashboard_preferences for each row
  when (old.user_id is distinct from new.user_id) execute function keep_user();
--> statement-breakpoint
create function keep_revoked() returns trigger language plpgsql as $$
begin
  raise exception 'what is revoked stays revoked' using errcode = 'check_violation';
end
$$;
--> statement-breakpoint
create trigger ck_refresh_tokens_revoked_at before update of revoked_at on refresh_tokens for each row
  when (old.revoked_at is not null and old.revoked_at is distinct from new.revoked_at) execute function keep_revoked();
--> statement-breakpoint
create trigger ck_api_keys_revoked_at before update of revoked_at on api_keys for each row
  when (old.revoked_at is not null and old.revoked_at is distinct from new.revoked_at) execute function keep_revoked();
--> statement-breakpoint
create trigger ck_audit_events_no_update before update on audit_events for each row execute function refuse_change();
--> statement-breakpoint
create trigger ck_audit_events_no_delete before delete on audit_events for each row execute function refuse_change();
--> statement-breakpoint
create trigger ck_audit_events_no_truncate before truncate on audit_events execute function refuse_truncate();
--> statement-breakpoint
-- At most 200 symbols on a dashboard and 50 living API keys. The users' rows are locked, in one order, so that two transactions
-- that each add one count one after the other. Not by advisory locks: a large load would run out of them.
create function enforce_maximum_dashboard() returns trigger language plpgsql as $$
begin
  perform from users where id in (select user_id from added) order by id for no key update;
  if exists (
    select from (select distinct user_id from added) touched
    where (select count(*) from user_dashboard_preferences p where p.user_id = touched.user_id) > 200
  ) then
    raise exception 'a dashboard holds at most 200 symbols'
      using errcode = 'check_violation', constraint = 'ck_user_dashboard_preferences_maximum', table = 'user_dashboard_preferences';
  end if;
  return null;
end
$$;
--> statement-breakpoint
create trigger ck_user_dashboard_preferences_maximum after insert on user_dashboard_preferences
  referencing new table as added for each statement execute function enforce_maximum_dashboard();
--> statement-breakpoint
create function enforce_maximum_api_keys() returns trigger language plpgsql as $$
begin
  perform from users where id in (select user_id from added) order by id for no key update;
  if exists (
    select from (select distinct user_id from added) touched
    where (select count(*) from api_keys k where k.user_id = touched.user_id and k.revoked_at is null) > 50
  ) then
    raise exception 'a user has at most 50 API keys that are not revoked'
      using errcode = 'check_violation', constraint = 'ck_api_keys_maximum', table = 'api_keys';
  end if;
  return null;
end
$$;
--> statement-breakpoint
create trigger ck_api_keys_maximum after insert on api_keys
  referencing new table as added for each statement execute function enforce_maximum_api_keys();
--> statement-breakpoint
create function count_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  new.updated_at := now();
  return new;
end
$$;
--> statement-breakpoint
create trigger count_version before update on user_dashboard_preferences for each row
  when (old.* is distinct from new.*) execute function count_version();
--> statement-breakpoint
-- Tells every node whose dashboards changed; more than 100 at once name nobody, which means: any may have.
create function notify_dashboard_change() returns trigger language plpgsql as $$
declare
  ids uuid[];
begin
  select array_agg(user_id) into ids from (select distinct user_id from changed limit 101) sample;
  if ids is not null then
    perform pg_notify('tradegraph_dashboards',
      json_build_object('users', case when cardinality(ids) <= 100 then to_json(ids) end)::text);
  end if;
  return null;
end
$$;
--> statement-breakpoint
create trigger notify_insert after insert on user_dashboard_preferences referencing new table as changed for each statement execute function notify_dashboard_change();
--> statement-breakpoint
create trigger notify_update after update on user_dashboard_preferences referencing new table as changed for each statement execute function notify_dashboard_change();
--> statement-breakpoint
create trigger notify_delete after delete on user_dashboard_preferences referencing old table as changed for each statement execute function notify_dashboard_change();
--> statement-breakpoint
-- Whoever changes role or status, and however: access that was given before ends on every node at once.
create function count_access_version() returns trigger language plpgsql as $$
begin
  new.access_version := old.access_version + 1;
  new.access_changed_at := now();
  return new;
end
$$;
--> statement-breakpoint
create trigger count_access_version before update on users for each row
  when (old.role is distinct from new.role or old.status is distinct from new.status) execute function count_access_version();
--> statement-breakpoint
create function notify_access_change() returns trigger language plpgsql as $$
begin
  perform pg_notify('tradegraph_access', case tg_table_name
    when 'users' then json_build_object('user', new.id, 'version', to_jsonb(new) -> 'access_version')
    when 'api_keys' then json_build_object('key', new.id)
    else json_build_object('session', to_jsonb(new) ->> 'family_id')
  end::text);
  return null;
end
$$;
--> statement-breakpoint
create trigger notify_access after update on users for each row
  when (old.access_version is distinct from new.access_version) execute function notify_access_change();
--> statement-breakpoint
create trigger notify_access after update on api_keys for each row
  when (old.revoked_at is distinct from new.revoked_at) execute function notify_access_change();
--> statement-breakpoint
create trigger notify_access after update on refresh_tokens for each row
  when (old.revoked_at is distinct from new.revoked_at) execute function notify_access_change();
--> statement-breakpoint
create function find_login(wanted_email_key text)
  returns table (id uuid, password_hash varchar, role user_role_enum, status user_status_enum, access_version integer)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select u.id, u.password_hash, u.role, u.status, u.access_version
  from users u where u.email_key = wanted_email_key and u.deleted_at is null
$$;
--> statement-breakpoint
create function find_telegram_login(wanted_telegram_id bigint)
  returns table (id uuid, role user_role_enum, status user_status_enum, access_version integer)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select u.id, u.role, u.status, u.access_version
  from users u where u.telegram_id = wanted_telegram_id and u.deleted_at is null
$$;
--> statement-breakpoint
-- Puts a new refresh token in the place of a living one. A dead one revokes what is left of its family, as nobody knows who of
-- the two that have it is the thief. The user's row is locked first, so that a suspension and a refresh come one after the other.
create function rotate_refresh_token(old_hash text, new_id uuid, new_hash text, at timestamptz, new_expires_at timestamptz)
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
  insert into refresh_tokens (id, user_id, family_id, token_hash, started_at, created_at, expires_at)
    values (new_id, old.user_id, old.family_id, new_hash, old.started_at, at, new_expires_at);
  -- The last 200 of a family are remembered; an older one is refused as one that was never given out.
  delete from refresh_tokens t where t.id in (
    select spent.id from refresh_tokens spent where spent.family_id = old.family_id and spent.used_at is not null
    order by spent.created_at desc offset 200);
  return query select 'rotated', old.user_id, old.family_id, holder.role, holder.status, holder.access_version;
end
$$;
--> statement-breakpoint
create function use_api_key(wanted_prefix text, wanted_hash text, at timestamptz)
  returns table (id uuid, user_id uuid, scopes api_key_scope_enum[], expires_at timestamptz, role user_role_enum, access_version integer)
  language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
  update api_keys k set last_used_at = greatest(k.last_used_at, at)
  from users u
  where k.prefix = wanted_prefix and k.secret_hash = wanted_hash and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > at)
    and u.id = k.user_id and u.status in ('ACTIVE', 'PENDING_VERIFICATION')
  returning k.id, k.user_id, k.scopes, k.expires_at, u.role, u.access_version
$$;
--> statement-breakpoint
-- Both give the user's id, or null for a token that is unknown, used, too old, or was sent to an address that is no longer the
-- user's. A password that is reset by mail also proves the address, and ends every session.
create function verify_email(wanted_hash text, at timestamptz) returns uuid
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  found_id uuid;
begin
  update one_time_tokens t set used_at = at from users u
    where t.token_hash = wanted_hash and t.purpose = 'EMAIL_VERIFICATION' and t.used_at is null and t.expires_at > at
      and u.id = t.user_id and u.email_key = t.email_key and u.status in ('PENDING_VERIFICATION', 'ACTIVE')
    returning t.user_id into found_id;
  update users u set email_verified_at = coalesce(u.email_verified_at, at), status = 'ACTIVE' where u.id = found_id;
  return found_id;
end
$$;
--> statement-breakpoint
create function reset_password(wanted_hash text, new_password_hash text, at timestamptz) returns uuid
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
  return found_id;
end
$$;
--> statement-breakpoint
-- Closes the account of the transaction's own user: it keeps its id for the books, and nothing that says who it was.
create function close_account(at timestamptz) returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  own constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
begin
  update refresh_tokens t set revoked_at = at where t.user_id = own and t.revoked_at is null;
  update api_keys k set revoked_at = at where k.user_id = own and k.revoked_at is null;
  delete from one_time_tokens t where t.user_id = own;
  delete from user_dashboard_preferences p where p.user_id = own;
  update users u set status = 'CLOSED', deleted_at = at, email = null, email_key = null, password_hash = null, username = null,
      first_name = null, last_name = null, phone = null, telegram_id = null, preferences = '{}'
    where u.id = own and u.deleted_at is null;
end
$$;
--> statement-breakpoint
-- What a node has missed that was not listening: access that ended within the life of an access token.
create function recent_access_changes(sessions_since timestamptz, users_within interval)
  returns table (session uuid, "user" uuid, version integer)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select distinct t.family_id, null::uuid, null::integer from refresh_tokens t where t.revoked_at >= sessions_since
  union all
  select null, u.id, u.access_version from users u where u.access_changed_at >= now() - users_within and u.access_version > 1
$$;
--> statement-breakpoint
-- Deletes what nobody can use any more: at most so many rows of each kind. A session stays as long as any of its tokens is good.
create function drop_expired_credentials(at timestamptz, batch integer) returns bigint
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  tokens bigint;
  mailed bigint;
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
  return tokens + mailed;
end
$$;
--> statement-breakpoint
create function publish_signing_key(new_id uuid, new_public_key text, at timestamptz, new_expires_at timestamptz) returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  delete from signing_keys k where k.expires_at < at;
  insert into signing_keys (id, public_key, created_at, expires_at) values (new_id, new_public_key, at, new_expires_at);
end
$$;
--> statement-breakpoint
do $$
declare
  signature text;
begin
  foreach signature in array array['find_login(text)', 'find_telegram_login(bigint)',
    'rotate_refresh_token(text, uuid, text, timestamptz, timestamptz)', 'use_api_key(text, text, timestamptz)',
    'verify_email(text, timestamptz)', 'reset_password(text, text, timestamptz)', 'close_account(timestamptz)',
    'recent_access_changes(timestamptz, interval)', 'publish_signing_key(uuid, text, timestamptz, timestamptz)',
    'drop_expired_credentials(timestamptz, integer)'] loop
    execute format('revoke execute on function %s from public', signature);
    execute format('grant execute on function %s to tradegraph_app', signature);
  end loop;
end
$$;
