drop function missed_access(uuid[], uuid[], integer[], timestamptz);
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
