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
-- Renews what is held and takes what is free. Returns what is held now. Who loses one by time gets another term with it.
create function take_leases(node uuid, wanted text[], life interval) returns table (lease text, lease_term bigint)
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  -- In one order, so that two nodes wait for each other in turn.
  for lease in select distinct unnest(wanted) order by 1 loop
    update leases l set renewed_at = clock_timestamp(), expires_at = clock_timestamp() + life
    where l.name = lease and l.holder = node and l.expires_at > clock_timestamp()
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
