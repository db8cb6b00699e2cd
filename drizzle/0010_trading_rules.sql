-- The rules of the ledger that are no plain constraint, and who may do what. In short: what happened is only ever added,
-- balances follow from the entries, numbers have no gaps, and nobody sees a row of somebody else's.

-- Narrow rows that are rewritten with every change: room on each page keeps the new version on it (HOT updates).
alter table account_sequences set (fillfactor = 50);
--> statement-breakpoint
alter table account_balances set (fillfactor = 70);
--> statement-breakpoint
alter table orders set (fillfactor = 80);
--> statement-breakpoint
alter table positions set (fillfactor = 80);
--> statement-breakpoint
-- At most three active accounts of a user at an exchange. The lock makes two that are added at once count one after the other.
create function limit_active_accounts() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(new.user_id::text || new.exchange_id, 6));
  if (select count(*) from accounts where user_id = new.user_id and exchange_id = new.exchange_id and status = 'ACTIVE') > 3 then
    raise exception 'a user has at most 3 active accounts at an exchange'
      using errcode = 'check_violation', constraint = 'ck_accounts_three_active', table = 'accounts';
  end if;
  return null;
end
$$;
--> statement-breakpoint
create trigger ck_accounts_three_active_insert after insert on accounts
  for each row when (new.status = 'ACTIVE') execute function limit_active_accounts();
--> statement-breakpoint
create trigger ck_accounts_three_active_update after update of status, exchange_id on accounts
  for each row when (new.status = 'ACTIVE' and (old.status <> 'ACTIVE' or old.exchange_id <> new.exchange_id)) execute function limit_active_accounts();
--> statement-breakpoint
-- Whose account it is, where, and of which kind, is settled when it is opened.
create function keep_account_identity() returns trigger language plpgsql as $$
begin
  if (new.id, new.user_id, new.exchange_id, new.environment) is distinct from (old.id, old.user_id, old.exchange_id, old.environment) then
    raise exception 'owner, exchange and environment of an account never change'
      using errcode = 'check_violation', constraint = 'ck_accounts_identity', table = 'accounts';
  end if;
  return new;
end
$$;
--> statement-breakpoint
create trigger ck_accounts_identity before update on accounts for each row execute function keep_account_identity();
--> statement-breakpoint
create trigger set_updated_at before update on accounts for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create trigger set_updated_at before update on risk_limits for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
create unique index uk_risk_limits_target on risk_limits (scope, user_id, account_id, strategy_id) nulls not distinct where deleted_at is null;
--> statement-breakpoint
-- Events are numbered without gaps: within their stream, and within their account. The row of account_sequences is locked by
-- who writes them, so nobody else can take a number meanwhile.
create function number_events() returns trigger language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  taken integer;
begin
  if exists (
    select from (select stream_id, min(version) as first, max(version) as last, count(*) as count from added group by stream_id) s
    where s.last - s.first + 1 <> s.count
      or (s.first > 1 and not exists (select from event_store e where e.stream_id = s.stream_id and e.version = s.first - 1))
  ) then
    raise exception 'the versions of a stream have no gaps'
      using errcode = 'check_violation', constraint = 'ck_event_store_gapless', table = 'event_store';
  end if;
  update account_sequences a set sequence = s.last
  from (select account_id, min(account_sequence) as first, max(account_sequence) as last, count(*) as count from added group by account_id) s
  where a.account_id = s.account_id and a.sequence = s.first - 1 and s.last - s.first + 1 = s.count;
  get diagnostics taken = row_count;
  if taken <> (select count(distinct account_id) from added) then
    raise exception 'the events of an account are numbered one after the other'
      using errcode = 'check_violation', constraint = 'ck_event_store_account_sequence', table = 'event_store';
  end if;
  return null;
end
$$;
--> statement-breakpoint
create trigger ck_event_store_gapless after insert on event_store referencing new table as added
  for each statement execute function number_events();
--> statement-breakpoint
-- A balance is the sum of its entries, because nothing but an entry can move it. Where there is too little, the entry fails.
create function move_balances() returns trigger language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
  insert into account_balances (account_id, user_id, asset, available, locked, sequence, updated_at)
    select account_id, user_id, asset, 0, 0, min(account_sequence), min(occurred_at) from added group by account_id, user_id, asset
    order by account_id, asset
  on conflict (account_id, asset) do nothing;
  update account_balances b set available = b.available + a.available, locked = b.locked + a.locked, sequence = a.sequence,
    updated_at = a.at
  from (
    select account_id, asset, sum(available_change) as available, sum(locked_change) as locked, max(account_sequence) as sequence,
      (array_agg(occurred_at order by account_sequence desc))[1] as at
    from added group by account_id, asset
  ) a where b.account_id = a.account_id and b.asset = a.asset;
  return null;
end
$$;
--> statement-breakpoint
create trigger move_balances after insert on ledger_entries referencing new table as added
  for each statement execute function move_balances();
--> statement-breakpoint
-- An order is what was asked for; only its terms that can be replaced, and what became of it, ever change.
create function keep_order() returns trigger language plpgsql as $$
begin
  if (new.id, new.user_id, new.account_id, new.symbol_id, new.client_order_id, new.side, new.position_side, new.order_type,
      new.time_in_force, new.leverage, new.margin_mode, new.reduce_only, new.post_only, new.parent_order_id, new.content_hash, new.created_at)
    is distinct from
     (old.id, old.user_id, old.account_id, old.symbol_id, old.client_order_id, old.side, old.position_side, old.order_type,
      old.time_in_force, old.leverage, old.margin_mode, old.reduce_only, old.post_only, old.parent_order_id, old.content_hash, old.created_at) then
    raise exception 'what an order is never changes'
      using errcode = 'check_violation', constraint = 'ck_orders_identity', table = 'orders';
  end if;
  if new.filled_quantity < old.filled_quantity then
    raise exception 'what was filled stays filled'
      using errcode = 'check_violation', constraint = 'ck_orders_filled_grows', table = 'orders';
  end if;
  if new.version < old.version or (new.version = old.version and new.status <> old.status) then
    raise exception 'an order changes by its events'
      using errcode = 'check_violation', constraint = 'ck_orders_version_grows', table = 'orders';
  end if;
  if old.status in ('FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED') and new.status in ('PENDING', 'NEW', 'PARTIALLY_FILLED') then
    raise exception 'an order that has ended stays ended'
      using errcode = 'check_violation', constraint = 'ck_orders_final', table = 'orders';
  end if;
  return new;
end
$$;
--> statement-breakpoint
create trigger ck_orders_kept before update on orders for each row execute function keep_order();
--> statement-breakpoint
create trigger ck_order_fills_no_change before update or delete on order_fills for each row execute function refuse_change();
--> statement-breakpoint
create trigger ck_order_fills_no_truncate before truncate on order_fills execute function refuse_truncate();
--> statement-breakpoint
create trigger ck_ledger_entries_no_change before update or delete on ledger_entries for each row execute function refuse_change();
--> statement-breakpoint
create trigger ck_ledger_entries_no_truncate before truncate on ledger_entries execute function refuse_truncate();
--> statement-breakpoint
create trigger ck_event_store_no_change before update or delete on event_store for each row execute function refuse_change();
--> statement-breakpoint
create trigger ck_event_store_no_truncate before truncate on event_store execute function refuse_truncate();
--> statement-breakpoint
create trigger ck_risk_violations_no_change before update or delete on risk_violations for each row execute function refuse_change();
--> statement-breakpoint
create trigger ck_risk_violations_no_truncate before truncate on risk_violations execute function refuse_truncate();
--> statement-breakpoint
-- Writes everything of one change of an account: one statement, whatever it holds. Numbers come as text, so that none is rounded.
create function write_ledger(change jsonb) returns void language plpgsql as $$
begin
  if change ? 'positions' then
    insert into positions as p select * from jsonb_populate_recordset(null::positions, change -> 'positions')
    on conflict (id) do update set status = excluded.status, quantity = excluded.quantity, entry_cost = excluded.entry_cost, entry_price = excluded.entry_price,
      liquidation_price = excluded.liquidation_price, leverage = excluded.leverage, margin_mode = excluded.margin_mode,
      margin_used = excluded.margin_used, realized_pnl = excluded.realized_pnl, stop_loss = excluded.stop_loss,
      take_profit = excluded.take_profit, version = excluded.version, sequence = excluded.sequence, closed_at = excluded.closed_at, updated_at = excluded.updated_at;
  end if;
  if change ? 'orders' then
    insert into orders as o select * from jsonb_populate_recordset(null::orders, change -> 'orders')
    on conflict (id) do update set position_id = excluded.position_id, exchange_order_id = excluded.exchange_order_id,
      status = excluded.status, quantity = excluded.quantity, price = excluded.price, stop_price = excluded.stop_price,
      is_unconfirmed = excluded.is_unconfirmed, triggered_at = excluded.triggered_at, cancel_requested_at = excluded.cancel_requested_at,
      pending_replacement = excluded.pending_replacement, filled_quantity = excluded.filled_quantity,
      filled_quote = excluded.filled_quote, avg_fill_price = excluded.avg_fill_price, commissions = excluded.commissions,
      replaced_at = excluded.replaced_at, last_fill_at = excluded.last_fill_at, reserve_price = excluded.reserve_price,
      reserved_asset = excluded.reserved_asset, reserved = excluded.reserved, reject_code = excluded.reject_code,
      reject_reason = excluded.reject_reason, venue_state = excluded.venue_state, version = excluded.version, sequence = excluded.sequence,
      updated_at = excluded.updated_at, filled_at = excluded.filled_at, cancelled_at = excluded.cancelled_at;
  end if;
  if change ? 'fills' then
    insert into order_fills select * from jsonb_populate_recordset(null::order_fills, change -> 'fills');
  end if;
  if change ? 'events' then
    insert into event_store (id, stream_type, stream_id, version, event_type, data, correlation_id, user_id, account_id, account_sequence, occurred_at, recorded_at)
    select id, stream_type, stream_id, version, event_type, data, correlation_id, user_id, account_id, account_sequence, occurred_at, recorded_at
    from jsonb_populate_recordset(null::event_store, change -> 'events');
    insert into event_queue (event_id, user_id, account_id, account_sequence, payload, created_at)
    select event_id, user_id, account_id, account_sequence, payload, created_at
    from jsonb_populate_recordset(null::event_queue, change -> 'queue');
  end if;
  if change ? 'equity' then
    update account_sequences s set equity_day = e.equity_day, equity_at_midnight = e.equity_at_midnight, highest_equity = e.highest_equity
    from jsonb_populate_recordset(null::account_sequences, change -> 'equity') e where s.account_id = e.account_id;
  end if;
  if change ? 'entries' then
    insert into ledger_entries select * from jsonb_populate_recordset(null::ledger_entries, change -> 'entries');
  end if;
end
$$;
--> statement-breakpoint
-- Private rows are read and written in a transaction that names its user, as those of people (0007).
do $$
declare
  name text;
  own constant text := $own$nullif(current_setting('app.user_id', true), '')::uuid$own$;
begin
  foreach name in array array['accounts', 'account_sequences', 'account_balances', 'ledger_entries', 'orders', 'order_fills', 'positions',
      'risk_violations', 'event_store', 'event_queue'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy %I on %I to tradegraph_app using (user_id = %s) with check (user_id = %3$s)', 'own_' || name, name, own);
    execute format('create policy %I on %I to current_user using (%s is null) with check (%3$s is null)', 'owner_' || name, name, own);
    execute format('create policy %I on %I to tradegraph_admin using (true) with check (true)', 'admin_' || name, name);
  end loop;
end
$$;
--> statement-breakpoint
-- Limits for all bind everybody, so everybody may read them; a user's own may be read by him alone, and written by operators.
alter table risk_limits enable row level security;
--> statement-breakpoint
alter table risk_limits force row level security;
--> statement-breakpoint
create policy own_risk_limits on risk_limits for select to tradegraph_app
  using (user_id is null or user_id = nullif(current_setting('app.user_id', true), '')::uuid);
--> statement-breakpoint
create policy owner_risk_limits on risk_limits to current_user
  using (nullif(current_setting('app.user_id', true), '') is null) with check (nullif(current_setting('app.user_id', true), '') is null);
--> statement-breakpoint
create policy admin_risk_limits on risk_limits to tradegraph_admin using (true) with check (true);
--> statement-breakpoint
-- Balances move by entries, and sequences by events; the program writes neither.
grant select on accounts, account_sequences, account_balances, ledger_entries, orders, order_fills, positions, risk_limits,
  risk_violations, event_store, event_queue, event_projections to tradegraph_app;
--> statement-breakpoint
grant insert on accounts, account_sequences, ledger_entries, orders, order_fills, positions, risk_violations, event_store, event_queue to tradegraph_app;
--> statement-breakpoint
grant update (equity_day, equity_at_midnight, highest_equity) on account_sequences to tradegraph_app;
--> statement-breakpoint
grant update (name, status, sync_status, last_sync_at, sync_error, permissions, sealed_api_key, sealed_api_secret, sealed_passphrase, api_key_hint, deleted_at)
  on accounts to tradegraph_app;
--> statement-breakpoint
grant update (position_id, exchange_order_id, status, quantity, price, stop_price, is_unconfirmed, triggered_at, cancel_requested_at,
  pending_replacement, filled_quantity, filled_quote, avg_fill_price, commissions, replaced_at, last_fill_at, reserve_price,
  reserved_asset, reserved, reject_code, reject_reason, venue_state, version, sequence, updated_at, filled_at, cancelled_at) on orders to tradegraph_app;
--> statement-breakpoint
grant update (status, quantity, entry_cost, entry_price, liquidation_price, leverage, margin_mode, margin_used, realized_pnl, stop_loss, take_profit,
  version, sequence, closed_at, updated_at) on positions to tradegraph_app;
--> statement-breakpoint
-- Who works on the database by hand sees everything but the sealed keys, and sets limits.
do $$
begin
  execute (
    select format('grant select (%s) on accounts to tradegraph_admin', string_agg(quote_ident(attname), ', '))
    from pg_attribute where attrelid = 'accounts'::regclass and attnum > 0 and not attisdropped and attname not like 'sealed\_%'
  );
end
$$;
--> statement-breakpoint
grant select on account_sequences, account_balances, ledger_entries, orders, order_fills, positions, risk_violations, event_store,
  event_queue, event_projections, balance_snapshots to tradegraph_admin;
--> statement-breakpoint
grant select, insert, update on risk_limits to tradegraph_admin;
--> statement-breakpoint
create function keep_row_owner() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % stay with their account', tg_table_name using errcode = 'check_violation';
end
$$;
--> statement-breakpoint
create trigger ck_account_sequences_owner before update on account_sequences for each row
  when (old.user_id is distinct from new.user_id or old.account_id is distinct from new.account_id) execute function keep_row_owner();
--> statement-breakpoint
create trigger ck_positions_owner before update on positions for each row
  when ((old.user_id, old.account_id, old.symbol_id, old.side) is distinct from (new.user_id, new.account_id, new.symbol_id, new.side))
  execute function keep_row_owner();
--> statement-breakpoint
-- Balances over time. TimescaleDB refuses policies together with compression, so the program has no right on the table: it
-- writes by the function and reads through the view.
do $$
begin
  if not exists (select from pg_extension where extname = 'timescaledb')
      or current_setting('timescaledb.license', true) is distinct from 'timescale' then
    return;
  end if;
  perform create_hypertable('balance_snapshots'::regclass, by_range('taken_at', interval '30 days'), create_default_indexes => false);
  alter table balance_snapshots set (timescaledb.compress, timescaledb.compress_segmentby = 'account_id', timescaledb.compress_orderby = 'taken_at desc, asset');
  perform add_compression_policy('balance_snapshots'::regclass, interval '30 days');
  perform add_retention_policy('balance_snapshots'::regclass, interval '2 years');
end
$$;
--> statement-breakpoint
create view own_balance_snapshots with (security_barrier) as
  select s.account_id, s.asset, s.taken_at, s.available, s.locked
  from balance_snapshots s join accounts a on a.id = s.account_id
  where a.user_id = nullif(current_setting('app.user_id', true), '')::uuid;
--> statement-breakpoint
grant select on own_balance_snapshots to tradegraph_app;
--> statement-breakpoint
-- The present balances as of one instant, unless it has been done already. Returns how many.
create function take_balance_snapshots(at timestamptz) returns bigint
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  taken bigint;
begin
  insert into balance_snapshots (account_id, asset, taken_at, available, locked)
    select b.account_id, b.asset, at, b.available, b.locked from account_balances b join accounts a on a.id = b.account_id
    where a.status = 'ACTIVE'
  on conflict do nothing;
  get diagnostics taken = row_count;
  return taken;
end
$$;
--> statement-breakpoint
-- The accounts that the paper venue works for; it then acts as each of their users.
create function paper_accounts() returns table (account_id uuid, user_id uuid)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select a.id, a.user_id from accounts a where a.environment = 'PAPER' and a.deleted_at is null
    and (exists (select from orders o where o.account_id = a.id and o.status in ('PENDING', 'NEW', 'PARTIALLY_FILLED'))
      or exists (select from positions p where p.account_id = a.id and p.status = 'OPEN'))
$$;
--> statement-breakpoint
-- Paper accounts with orders that wait for the venue: stored, to be replaced or to be cancelled.
create function waiting_paper_accounts() returns table (account_id uuid, user_id uuid)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select distinct a.id, a.user_id from orders o join accounts a on a.id = o.account_id and a.environment = 'PAPER' and a.deleted_at is null
  where o.status in ('PENDING', 'NEW', 'PARTIALLY_FILLED')
    and (o.status = 'PENDING' or o.cancel_requested_at is not null or o.pending_replacement is not null)
$$;
--> statement-breakpoint
-- The newest number of each account of these users: who follows them sees by it that there is something to read.
create function newest_account_sequences(of_users uuid[]) returns table (user_id uuid, account_id uuid, sequence bigint)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select s.user_id, s.account_id, s.sequence from account_sequences s where s.user_id = any (of_users)
$$;
--> statement-breakpoint
-- What waits for the bus, oldest first; within an account in the order of its numbers.
create function unpublished_events(maximum integer)
  returns table (event_id uuid, user_id uuid, account_id uuid, account_sequence bigint, payload jsonb)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select q.event_id, q.user_id, q.account_id, q.account_sequence, q.payload from event_queue q where q.published_at is null
  order by q.created_at, q.account_id, q.account_sequence limit maximum
$$;
--> statement-breakpoint
create function mark_events_published(published uuid[], at timestamptz) returns void
  language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
  update event_queue q set published_at = at where q.event_id = any (published) and q.published_at is null
$$;
--> statement-breakpoint
-- Drops what was published long ago: a client that was away for longer reads everything anew. Returns how many.
create function drop_published_events(published_before timestamptz, batch integer) returns bigint
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
  dropped bigint;
begin
  delete from event_queue where event_id in (
    select q.event_id from event_queue q where q.published_at < least(published_before, now() - interval '1 day')
    order by q.published_at limit batch);
  get diagnostics dropped = row_count;
  return dropped;
end
$$;
--> statement-breakpoint
do $$
declare
  signature text;
begin
  foreach signature in array array['take_balance_snapshots(timestamptz)', 'paper_accounts()', 'waiting_paper_accounts()', 'newest_account_sequences(uuid[])',
    'unpublished_events(integer)', 'mark_events_published(uuid[], timestamptz)', 'drop_published_events(timestamptz, integer)'] loop
    execute format('revoke execute on function %s from public', signature);
    execute format('grant execute on function %s to tradegraph_app', signature);
  end loop;
end
$$;
--> statement-breakpoint
-- Triggers run them without that right.
revoke execute on function number_events(), move_balances() from public;
