-- What the checks of the data found, and the role that they run as: it reads everything but secrets, and writes nothing.
create type severity_enum as enum ('CRITICAL', 'HIGH', 'MEDIUM', 'LOW');
--> statement-breakpoint
create table data_quality_results (
  name varchar(60) primary key,
  severity severity_enum not null,
  -- Rows that break the rule, at most as many as were counted; null: the check could not be run.
  count integer,
  has_more boolean not null,
  sample_ids text[] not null,
  advice text not null,
  -- Why it could not be run, or why there is nothing to check here.
  error text,
  skipped text,
  duration_ms integer not null,
  checked_at timestamptz not null,
  constraint ck_data_quality_results_name check (name ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  constraint ck_data_quality_results_count check (count >= 0 and duration_ms >= 0),
  constraint ck_data_quality_results_error check ((count is null) = (error is not null)),
  constraint ck_data_quality_results_sample_ids check (cardinality(sample_ids) <= 20)
);
--> statement-breakpoint
create index idx_audit_events_actor_id on audit_events (actor_id, occurred_at desc) where actor_id is not null;
--> statement-breakpoint
-- Which key seals each stored secret, and whether it is sealed at all; never the secret. By the names of the columns, so that it
-- also knows those of later migrations.
create function sealed_secrets() returns table (table_name text, row_id text, column_name text, key_id text, is_sealed boolean)
  language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  c record;
begin
  for c in
    select t.relname, a.attname from pg_class t join pg_attribute a on a.attrelid = t.oid
    where t.relnamespace = 'public'::regnamespace and t.relkind = 'r' and a.attnum > 0 and not a.attisdropped and a.attname like 'sealed\_%'
      and exists (select from pg_attribute i where i.attrelid = t.oid and i.attname = 'id' and not i.attisdropped)
    order by 1, 2
  loop
    return query execute format(
      'select %L::text, t.id::text, %L::text, split_part(t.%I, ''.'', 2), t.%3$I ~ ''^v1[.][a-z0-9_-]{1,32}[.][A-Za-z0-9_-]+$''
       from %I t where t.%3$I is not null', c.relname, c.attname, c.attname, c.relname);
  end loop;
end
$$;
--> statement-breakpoint
revoke execute on function sealed_secrets() from public;
--> statement-breakpoint
grant execute on function sealed_secrets() to tradegraph_monitor;
--> statement-breakpoint
-- Users whose rows break a rule of what says who they are, which the monitor may not read.
create function unsound_users(since uuid) returns table (user_id uuid, fault text)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select u.id, 'not-erased' from users u where u.deleted_at is not null and u.id >= since
    and num_nonnulls(u.email, u.email_key, u.password_hash, u.username, u.first_name, u.last_name, u.phone, u.telegram_id) > 0
  union all
  select u.id, 'duplicate' from users u where u.deleted_at is null and u.id >= since
    and exists (select from users o where o.deleted_at is null and o.id < u.id and (o.email_key = u.email_key or o.telegram_id = u.telegram_id))
$$;
--> statement-breakpoint
revoke execute on function unsound_users(uuid) from public;
--> statement-breakpoint
grant execute on function unsound_users(uuid) to tradegraph_monitor;
--> statement-breakpoint
-- Lets the monitor read a table: all rows while no user is named, and all columns but secrets, their hashes, and in tables of users
-- whatever people wrote. A migration that makes a table calls it; the check "unwatched-tables" finds those that did not.
create function let_monitor_read(watched regclass) returns void language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
  relation record;
  readable text;
  is_whole boolean;
begin
  select c.relname, c.relkind, c.relrowsecurity, c.relname = 'users' or exists (
      select from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped) as is_private
    into relation from pg_class c where c.oid = watched;
  if relation.relkind = 'S' then
    execute format('grant select on sequence %s to tradegraph_monitor', watched);
    return;
  end if;
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) filter (where c.is_readable), bool_and(c.is_readable) into readable, is_whole
  from pg_attribute a cross join lateral (
    select a.attname not like 'sealed\_%' and a.attname not like '%\_hash' and a.attname <> 'telegram_id' and (
      not relation.is_private or a.atttypid not in ('text'::regtype, 'varchar'::regtype, 'jsonb'::regtype)
      or a.attname in ('asset', 'reserved_asset', 'commission_asset', 'commissions', 'pending_replacement', 'stream_type', 'event_type', 'data', 'action', 'details')
    ) as is_readable) c
  where a.attrelid = watched and a.attnum > 0 and not a.attisdropped;
  -- What compresses its rows knows rights on whole tables only.
  if is_whole then
    execute format('grant select on %s to tradegraph_monitor', watched);
  else
    execute format('grant select (%s) on %s to tradegraph_monitor', readable, watched);
  end if;
  if relation.relrowsecurity and not exists (select from pg_policy where polrelid = watched and polname = 'monitor_' || relation.relname) then
    execute format('create policy %I on %s for select to tradegraph_monitor using (nullif(current_setting(''app.user_id'', true), '''') is null)',
      'monitor_' || relation.relname, watched);
  end if;
end
$$;
--> statement-breakpoint
revoke execute on function let_monitor_read(regclass) from public;
--> statement-breakpoint
select let_monitor_read(c.oid::regclass) from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')
  -- Hashes of few enough things that somebody could try them all.
  and c.relname not in ('sign_in_counters', 'sign_in_places')
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e');
--> statement-breakpoint
grant select, insert, update, delete on data_quality_results to tradegraph_app;
--> statement-breakpoint
grant select on data_quality_results to tradegraph_admin, tradegraph_readonly;
