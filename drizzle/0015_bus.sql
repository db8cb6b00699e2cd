-- Who leads what: one row for each thing that one node does at a time. By the clock of the database, so clocks of nodes do not
-- count, and without the state of a session, so it also works through a pooler of transactions.
create table leases (
  name varchar(100) primary key,
  holder uuid not null,
  -- Grows with every change of the holder: a write under an older one is refused.
  term bigint not null,
  acquired_at timestamptz not null,
  renewed_at timestamptz not null,
  expires_at timestamptz not null,
  constraint ck_leases_term check (term > 0)
);
--> statement-breakpoint
create function lease_key(lease text) returns bigint language sql immutable set search_path = pg_catalog, public, pg_temp
as $$ select hashtextextended('tradegraph.lease.' || lease, 0) $$;
--> statement-breakpoint
-- Renews what is held, also when its time is over and nobody else has taken it, and takes what is free. Returns what is held now.
create function take_leases(node uuid, wanted text[], life interval) returns table (lease text, lease_term bigint)
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  -- In one order, so that two nodes wait for each other in turn.
  for lease in select distinct unnest(wanted) order by 1 loop
    update leases l set renewed_at = clock_timestamp(), expires_at = clock_timestamp() + life
    where l.name = lease and l.holder = node
    returning l.term into lease_term;
    if found then
      return next;
      continue;
    end if;
    -- Renewed in the future: the clock was set back, and the row's time says nothing.
    continue when exists (select from leases l where l.name = lease
      and l.expires_at > clock_timestamp() and l.renewed_at <= clock_timestamp() + life);
    -- Somebody is still writing under the old term.
    continue when not pg_try_advisory_xact_lock(lease_key(lease));
    insert into leases as l (name, holder, term, acquired_at, renewed_at, expires_at)
    values (lease, node, 1, clock_timestamp(), clock_timestamp(), clock_timestamp() + life)
    on conflict (name) do update set holder = excluded.holder, term = l.term + 1, acquired_at = excluded.acquired_at,
      renewed_at = excluded.renewed_at, expires_at = excluded.expires_at
      where l.expires_at <= clock_timestamp() or l.renewed_at > clock_timestamp() + life
    returning l.term into lease_term;
    if found then
      return next;
    end if;
  end loop;
end
$$;
--> statement-breakpoint
create function release_leases(node uuid, held text[]) returns void
  language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
  update leases l set expires_at = least(l.expires_at, clock_timestamp()) where l.holder = node and l.name = any (held)
$$;
--> statement-breakpoint
-- For a transaction that only the leader may make: until it ends, nobody else can take the lease. One that stands still is ended
-- by the server, so that a successor need not wait for a process that was paused.
create function require_lease(lease text, lease_term bigint) returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  perform pg_advisory_xact_lock_shared(lease_key(lease));
  perform set_config('idle_in_transaction_session_timeout', '2s', true);
  if not exists (select from leases l where l.name = lease and l.term = lease_term) then
    raise exception 'the lease % is somebody else''s now', lease using errcode = 'TG001';
  end if;
end
$$;
--> statement-breakpoint
grant select on leases to tradegraph_app, tradegraph_admin, tradegraph_readonly, tradegraph_monitor;
--> statement-breakpoint
revoke execute on function lease_key(text), take_leases(uuid, text[], interval), release_leases(uuid, text[]), require_lease(text, bigint) from public;
--> statement-breakpoint
grant execute on function take_leases(uuid, text[], interval), release_leases(uuid, text[]), require_lease(text, bigint) to tradegraph_app;
--> statement-breakpoint
-- Who an event on the bus comes from: another installation's are none of ours.
create table installation (
  id uuid primary key default gen_random_uuid(),
  created_at timestamptz not null default now(),
  is_only boolean not null default true constraint installation_is_only_unique unique,
  constraint ck_installation_is_only check (is_only)
);
--> statement-breakpoint
insert into installation default values;
--> statement-breakpoint
grant select on installation to tradegraph_app, tradegraph_admin, tradegraph_readonly, tradegraph_monitor;
--> statement-breakpoint
-- What the bus has refused is tried again later and later.
alter table event_queue add column attempts integer not null default 0;
--> statement-breakpoint
alter table event_queue add column next_attempt_at timestamptz;
--> statement-breakpoint
alter table event_queue add constraint ck_event_queue_attempts check (attempts >= 0);
--> statement-breakpoint
-- Events that somebody could not take in, after all attempts. Without their content, which is in the event store.
create table dead_letters (
  id uuid primary key,
  consumer varchar(100) not null,
  event_id uuid not null,
  account_id uuid not null,
  account_sequence bigint not null,
  attempts integer not null,
  error text not null,
  failed_at timestamptz not null default now(),
  replayed_at timestamptz,
  constraint uk_dead_letters_consumer_event_id unique (consumer, event_id),
  constraint ck_dead_letters_attempts check (attempts > 0)
);
--> statement-breakpoint
create index idx_dead_letters_failed_at on dead_letters (failed_at);
--> statement-breakpoint
alter table event_projections add column error_count bigint not null default 0;
--> statement-breakpoint
alter table event_projections add column rebuilt_at timestamptz;
--> statement-breakpoint
-- How far each projection has come with each account: the events of an account have no gaps, so nothing can be passed over.
create table projection_cursors (
  projection varchar(100) not null,
  account_id uuid not null,
  sequence bigint not null default 0,
  attempts integer not null default 0,
  next_attempt_at timestamptz,
  constraint pk_projection_cursors primary key (projection, account_id),
  constraint fk_projection_cursors_projection foreign key (projection) references event_projections (name),
  constraint ck_projection_cursors_counts check (sequence >= 0 and attempts >= 0)
);
--> statement-breakpoint
-- What happened on an account on each day (UTC), by kind of event.
create table account_activity (
  account_id uuid not null,
  user_id uuid not null,
  day date not null,
  event_type varchar(60) not null,
  event_count bigint not null,
  last_sequence bigint not null,
  constraint pk_account_activity primary key (account_id, day, event_type),
  constraint ck_account_activity_counts check (event_count > 0 and last_sequence > 0)
);
--> statement-breakpoint
create index idx_account_activity_user_id on account_activity (user_id);
--> statement-breakpoint
alter table account_activity enable row level security;
--> statement-breakpoint
alter table account_activity force row level security;
--> statement-breakpoint
create policy own_account_activity on account_activity to tradegraph_app
  using (user_id = nullif(current_setting('app.user_id', true), '')::uuid) with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
--> statement-breakpoint
create policy owner_account_activity on account_activity to current_user
  using (nullif(current_setting('app.user_id', true), '')::uuid is null) with check (nullif(current_setting('app.user_id', true), '')::uuid is null);
--> statement-breakpoint
create policy admin_account_activity on account_activity to tradegraph_admin using (true) with check (true);
--> statement-breakpoint
grant select on account_activity to tradegraph_app, tradegraph_admin;
--> statement-breakpoint
grant insert, update (event_count, last_sequence) on account_activity to tradegraph_app;
--> statement-breakpoint
grant select, insert, update on event_projections, projection_cursors to tradegraph_app;
--> statement-breakpoint
grant select on dead_letters, projection_cursors to tradegraph_admin;
--> statement-breakpoint
create or replace function unpublished_events(maximum integer)
  returns table (event_id uuid, user_id uuid, account_id uuid, account_sequence bigint, payload jsonb)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select q.event_id, q.user_id, q.account_id, q.account_sequence, q.payload from event_queue q
  where q.published_at is null and (q.next_attempt_at is null or q.next_attempt_at <= now())
  order by q.created_at, q.account_id, q.account_sequence limit maximum
$$;
--> statement-breakpoint
-- The bus has refused an event: it is tried again later, and after `maximum` attempts it is a dead letter. Returns whether it is.
create function event_refused(event uuid, reason text, maximum integer) returns boolean
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  row event_queue;
begin
  update event_queue q set attempts = q.attempts + 1,
    next_attempt_at = now() + least(interval '1 second' * power(2, q.attempts), interval '5 minutes')
  where q.event_id = event and q.published_at is null returning * into row;
  if not found or row.attempts < maximum then
    return false;
  end if;
  update event_queue q set published_at = now() where q.event_id = event;
  insert into dead_letters (id, consumer, event_id, account_id, account_sequence, attempts, error)
  values (gen_random_uuid(), 'bus', event, row.account_id, row.account_sequence, row.attempts, left(reason, 1000))
  on conflict (consumer, event_id) do update set attempts = excluded.attempts, error = excluded.error, failed_at = now(), replayed_at = null;
  return true;
end
$$;
--> statement-breakpoint
-- Accounts with events that a projection has not taken in and that are due.
create function projection_backlog(of_projection text, maximum integer)
  returns table (account_id uuid, user_id uuid, sequence bigint, attempts integer)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select s.account_id, s.user_id, coalesce(c.sequence, 0), coalesce(c.attempts, 0)
  from account_sequences s left join projection_cursors c on c.projection = of_projection and c.account_id = s.account_id
  where s.sequence > coalesce(c.sequence, 0) and (c.next_attempt_at is null or c.next_attempt_at <= now())
  limit maximum
$$;
--> statement-breakpoint
-- All projections, with the number of events that each has still to take in, and the age of the oldest of them in seconds.
create function projection_states()
  returns table (name text, status text, last_position bigint, event_count bigint, error_count bigint, error text, updated_at timestamptz,
    rebuilt_at timestamptz, behind bigint, behind_seconds double precision, dead_letters bigint)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select p.name::text, p.status::text, p.last_position, p.event_count, p.error_count, p.error, p.updated_at, p.rebuilt_at,
    coalesce(l.behind, 0)::bigint, coalesce(extract(epoch from now() - l.oldest), 0)::double precision,
    (select count(*) from dead_letters d where d.consumer = p.name and d.replayed_at is null)
  from event_projections p
  left join lateral (
    select sum(s.sequence - coalesce(c.sequence, 0)) as behind,
      min((select e.recorded_at from event_store e where e.account_id = s.account_id and e.account_sequence = coalesce(c.sequence, 0) + 1)) as oldest
    from account_sequences s left join projection_cursors c on c.projection = p.name and c.account_id = s.account_id
    where s.sequence > coalesce(c.sequence, 0)
  ) l on true
  order by p.name
$$;
--> statement-breakpoint
-- Forgets what a projection has made, so that it makes it again from the first event on.
create function reset_projection(of_projection text) returns boolean
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  -- Whoever applies events holds this row too.
  perform from event_projections p where p.name = of_projection for update;
  if not found then
    return false;
  end if;
  if of_projection = 'account-activity' then
    delete from account_activity;
  end if;
  delete from projection_cursors c where c.projection = of_projection;
  delete from dead_letters d where d.consumer = of_projection;
  update event_projections p set status = 'REBUILDING', last_position = 0, event_count = 0, error = null, rebuilt_at = null, updated_at = now()
  where p.name = of_projection;
  return true;
end
$$;
--> statement-breakpoint
create function add_dead_letter(of_consumer text, event uuid, of_account uuid, at_sequence bigint, tries integer, reason text) returns void
  language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
  insert into dead_letters (id, consumer, event_id, account_id, account_sequence, attempts, error)
  values (gen_random_uuid(), of_consumer, event, of_account, at_sequence, tries, left(reason, 1000))
  on conflict (consumer, event_id) do update set attempts = excluded.attempts, error = excluded.error, failed_at = now(), replayed_at = null
$$;
--> statement-breakpoint
-- The newest first; those that were replayed only when they are asked for.
create function list_dead_letters(of_consumer text, with_replayed boolean, before_id uuid, maximum integer)
  returns table (id uuid, consumer text, event_id uuid, event_type text, account_id uuid, account_sequence bigint, attempts integer,
    error text, failed_at timestamptz, replayed_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select d.id, d.consumer::text, d.event_id, e.event_type::text, d.account_id, d.account_sequence, d.attempts, d.error, d.failed_at, d.replayed_at
  from dead_letters d left join event_store e on e.id = d.event_id
  where (of_consumer is null or d.consumer = of_consumer) and (with_replayed or d.replayed_at is null)
    and (before_id is null or (d.failed_at, d.id) < (select b.failed_at, b.id from dead_letters b where b.id = before_id))
  order by d.failed_at desc, d.id desc limit maximum
$$;
--> statement-breakpoint
create function find_dead_letter(letter uuid)
  returns table (id uuid, consumer text, event_id uuid, user_id uuid, account_id uuid, account_sequence bigint, replayed_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select d.id, d.consumer::text, d.event_id, s.user_id, d.account_id, d.account_sequence, d.replayed_at
  from dead_letters d join account_sequences s on s.account_id = d.account_id where d.id = letter
$$;
--> statement-breakpoint
-- Takes a dead letter for replaying: nobody else can replay it meanwhile. Returns whether it was still dead.
create function take_dead_letter(letter uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  update dead_letters d set replayed_at = now() where d.id = letter and d.replayed_at is null;
  return found;
end
$$;
--> statement-breakpoint
-- Gives an event that the bus has refused back to the outbox. Returns whether it is still there.
create function publish_again(event uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  update event_queue q set published_at = null, attempts = 0, next_attempt_at = null where q.event_id = event;
  return found;
end
$$;
--> statement-breakpoint
create function dead_letter_failed(letter uuid, reason text) returns void
  language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
  update dead_letters d set attempts = d.attempts + 1, error = left(reason, 1000), failed_at = now() where d.id = letter and d.replayed_at is null
$$;
--> statement-breakpoint
-- Dead letters expire: what was replayed after a week, the others after ninety days.
create function drop_dead_letters() returns bigint
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  dropped bigint;
begin
  delete from dead_letters d where d.replayed_at < now() - interval '7 days' or d.failed_at < now() - interval '90 days';
  get diagnostics dropped = row_count;
  return dropped;
end
$$;
--> statement-breakpoint
-- Whether an event that the bus has told is also here. It is not where an older state of the database was restored.
create function has_event(event uuid) returns boolean language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$ select exists (select from event_store e where e.id = event) $$;
--> statement-breakpoint
do $$
declare
  signature text;
begin
  foreach signature in array array['event_refused(uuid, text, integer)', 'projection_backlog(text, integer)', 'projection_states()', 'reset_projection(text)',
    'add_dead_letter(text, uuid, uuid, bigint, integer, text)', 'list_dead_letters(text, boolean, uuid, integer)', 'find_dead_letter(uuid)',
    'take_dead_letter(uuid)', 'publish_again(uuid)', 'dead_letter_failed(uuid, text)', 'drop_dead_letters()', 'has_event(uuid)'] loop
    execute format('revoke execute on function %s from public', signature);
    execute format('grant execute on function %s to tradegraph_app', signature);
  end loop;
end
$$;
--> statement-breakpoint
-- The nodes that run, by their heartbeats: what they are, and how far their clocks are from the database's.
create table nodes (
  id uuid primary key,
  version varchar(40) not null,
  roles varchar(60) not null,
  schema_version integer not null,
  -- Of each setting that should be the same everywhere, a short hash.
  settings jsonb not null,
  clock_skew_ms integer not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null
);
--> statement-breakpoint
grant select on nodes to tradegraph_app, tradegraph_admin, tradegraph_readonly, tradegraph_monitor;
--> statement-breakpoint
-- Says that a node is there, and returns the nodes that were there within the last quarter of a minute.
create function beat(node uuid, node_version text, node_roles text, node_schema integer, node_settings jsonb, skew_ms integer) returns setof nodes
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  insert into nodes as n (id, version, roles, schema_version, settings, clock_skew_ms, seen_at)
  values (node, node_version, node_roles, node_schema, node_settings, skew_ms, clock_timestamp())
  on conflict (id) do update set clock_skew_ms = excluded.clock_skew_ms, seen_at = excluded.seen_at;
  delete from nodes n where n.seen_at < clock_timestamp() - interval '1 hour';
  return query select * from nodes n where n.seen_at > clock_timestamp() - interval '15 seconds' order by n.started_at, n.id;
end
$$;
--> statement-breakpoint
create function forget_node(node uuid) returns void language sql security definer set search_path = pg_catalog, public, pg_temp
as $$ delete from nodes n where n.id = node $$;
--> statement-breakpoint
revoke execute on function beat(uuid, text, text, integer, jsonb, integer), forget_node(uuid) from public;
--> statement-breakpoint
grant execute on function beat(uuid, text, text, integer, jsonb, integer), forget_node(uuid) to tradegraph_app;
--> statement-breakpoint
select let_monitor_read(name::regclass) from unnest('{dead_letters,projection_cursors,account_activity,event_queue}'::text[]) as name;
