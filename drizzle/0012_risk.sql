-- Limits that operators and users set, strategies that orders belong to, and balances over time that are pruned.
CREATE TYPE "public"."risk_limit_author_enum" AS ENUM('OPERATOR', 'USER');--> statement-breakpoint
CREATE TABLE "strategies" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"name" varchar(100) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "uk_strategies_id_user_id" UNIQUE("id","user_id"),
	CONSTRAINT "ck_strategies_name" CHECK (length(btrim("strategies"."name")) > 0)
);
--> statement-breakpoint
ALTER TABLE "orders" ADD COLUMN "strategy_id" uuid;--> statement-breakpoint
ALTER TABLE "risk_limits" ADD COLUMN "set_by" "risk_limit_author_enum" DEFAULT 'OPERATOR' NOT NULL;--> statement-breakpoint
ALTER TABLE "risk_violations" ADD COLUMN "strategy_id" uuid;--> statement-breakpoint
ALTER TABLE "strategies" ADD CONSTRAINT "fk_strategies_user_id" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "uk_strategies_user_id_name" ON "strategies" USING btree ("user_id","name") WHERE deleted_at is null;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "fk_orders_strategy_id_user_id" FOREIGN KEY ("strategy_id","user_id") REFERENCES "public"."strategies"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "risk_limits" ADD CONSTRAINT "fk_risk_limits_strategy_id_user_id" FOREIGN KEY ("strategy_id","user_id") REFERENCES "public"."strategies"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "risk_violations" ADD CONSTRAINT "fk_risk_violations_strategy_id_user_id" FOREIGN KEY ("strategy_id","user_id") REFERENCES "public"."strategies"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_balance_snapshots_taken_at" ON "balance_snapshots" USING brin ("taken_at");--> statement-breakpoint
CREATE INDEX "idx_orders_strategy_id" ON "orders" USING btree ("strategy_id","id") WHERE strategy_id is not null;--> statement-breakpoint
CREATE INDEX "idx_risk_violations_user_id" ON "risk_violations" USING btree ("user_id","id");--> statement-breakpoint
ALTER TABLE "risk_limits" ADD CONSTRAINT "ck_risk_limits_set_by" CHECK ("risk_limits"."set_by" = 'OPERATOR' or "risk_limits"."scope" <> 'GLOBAL');
--> statement-breakpoint
-- One living row per author and target; all that bind an order count.
drop index uk_risk_limits_target;
--> statement-breakpoint
create unique index uk_risk_limits_target on risk_limits (set_by, scope, user_id, account_id, strategy_id) nulls not distinct where deleted_at is null;
--> statement-breakpoint
create trigger set_updated_at before update on strategies for each row when (old.* is distinct from new.*) execute function set_updated_at();
--> statement-breakpoint
-- A strategy is its user's, as what it is called by.
alter table strategies enable row level security;
--> statement-breakpoint
alter table strategies force row level security;
--> statement-breakpoint
create policy own_strategies on strategies to tradegraph_app
  using (user_id = nullif(current_setting('app.user_id', true), '')::uuid) with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
--> statement-breakpoint
create policy owner_strategies on strategies to current_user
  using (nullif(current_setting('app.user_id', true), '') is null) with check (nullif(current_setting('app.user_id', true), '') is null);
--> statement-breakpoint
create policy admin_strategies on strategies to tradegraph_admin using (true) with check (true);
--> statement-breakpoint
grant select, insert on strategies to tradegraph_app;
--> statement-breakpoint
grant update (deleted_at) on strategies to tradegraph_app;
--> statement-breakpoint
grant select on strategies to tradegraph_admin;
--> statement-breakpoint
-- Users set limits for themselves; those of operators they see and cannot touch.
create policy own_set_risk_limits on risk_limits for insert to tradegraph_app
  with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid and set_by = 'USER');
--> statement-breakpoint
create policy own_change_risk_limits on risk_limits for update to tradegraph_app
  using (user_id = nullif(current_setting('app.user_id', true), '')::uuid and set_by = 'USER')
  with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid and set_by = 'USER');
--> statement-breakpoint
grant insert on risk_limits to tradegraph_app;
--> statement-breakpoint
grant update (max_order_size, max_position_size, max_leverage, max_daily_loss, max_daily_loss_percent, max_drawdown_percent, max_open_positions,
  is_enabled, deleted_at) on risk_limits to tradegraph_app;
--> statement-breakpoint
-- What an order belongs to never changes, like everything else that was asked for.
create or replace function keep_order() returns trigger language plpgsql as $$
begin
  if (new.id, new.user_id, new.account_id, new.symbol_id, new.client_order_id, new.side, new.position_side, new.order_type,
      new.time_in_force, new.leverage, new.margin_mode, new.reduce_only, new.post_only, new.parent_order_id, new.strategy_id, new.content_hash, new.created_at)
    is distinct from
     (old.id, old.user_id, old.account_id, old.symbol_id, old.client_order_id, old.side, old.position_side, old.order_type,
      old.time_in_force, old.leverage, old.margin_mode, old.reduce_only, old.post_only, old.parent_order_id, old.strategy_id, old.content_hash, old.created_at) then
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
-- With the limits that have stopped an order: they are written under the lock of its account, with the equity that they were measured by.
create or replace function write_ledger(change jsonb) returns void language plpgsql as $$
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
  if change ? 'violations' then
    insert into risk_violations select * from jsonb_populate_recordset(null::risk_violations, change -> 'violations');
  end if;
  if change ? 'entries' then
    insert into ledger_entries select * from jsonb_populate_recordset(null::ledger_entries, change -> 'entries');
  end if;
end
$$;
--> statement-breakpoint
-- Sets limits of one target, or changes those that are there: of the columns only those that are named. With the rights of whoever
-- calls it. Whose account or strategy it is, is looked up; nothing is returned when there is none.
create function write_risk_limit(given jsonb) returns setof risk_limits language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
  x risk_limits := jsonb_populate_record(null::risk_limits, given);
begin
  if x.scope = 'ACCOUNT' then
    x.user_id := (select a.user_id from accounts a where a.id = x.account_id and a.deleted_at is null);
  elsif x.scope = 'STRATEGY' then
    x.user_id := (select s.user_id from strategies s where s.id = x.strategy_id and s.deleted_at is null);
  elsif x.scope = 'USER' then
    x.user_id := (select u.id from users u where u.id = x.user_id and u.deleted_at is null);
  end if;
  if x.user_id is null and x.scope <> 'GLOBAL' then
    return;
  end if;
  return query
    insert into risk_limits as l (id, scope, set_by, user_id, account_id, strategy_id, max_order_size, max_position_size, max_leverage,
      max_daily_loss, max_daily_loss_percent, max_drawdown_percent, max_open_positions, is_enabled)
    values (x.id, x.scope, x.set_by, x.user_id, x.account_id, x.strategy_id, x.max_order_size, x.max_position_size, x.max_leverage,
      x.max_daily_loss, x.max_daily_loss_percent, x.max_drawdown_percent, x.max_open_positions, coalesce(x.is_enabled, true))
    on conflict (set_by, scope, user_id, account_id, strategy_id) where deleted_at is null do update set
      max_order_size = case when given ? 'max_order_size' then excluded.max_order_size else l.max_order_size end,
      max_position_size = case when given ? 'max_position_size' then excluded.max_position_size else l.max_position_size end,
      max_leverage = case when given ? 'max_leverage' then excluded.max_leverage else l.max_leverage end,
      max_daily_loss = case when given ? 'max_daily_loss' then excluded.max_daily_loss else l.max_daily_loss end,
      max_daily_loss_percent = case when given ? 'max_daily_loss_percent' then excluded.max_daily_loss_percent else l.max_daily_loss_percent end,
      max_drawdown_percent = case when given ? 'max_drawdown_percent' then excluded.max_drawdown_percent else l.max_drawdown_percent end,
      max_open_positions = case when given ? 'max_open_positions' then excluded.max_open_positions else l.max_open_positions end,
      is_enabled = case when given ? 'is_enabled' then excluded.is_enabled else l.is_enabled end
    returning l.*;
end
$$;
--> statement-breakpoint
-- The same for operators, who work for no user: of everybody.
create function set_operator_risk_limit(given jsonb) returns setof risk_limits
  language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
  select * from write_risk_limit(given || '{"set_by": "OPERATOR"}')
$$;
--> statement-breakpoint
create function remove_operator_risk_limit(limit_id uuid, at timestamptz) returns setof risk_limits
  language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
  update risk_limits l set deleted_at = at where l.id = limit_id and l.deleted_at is null returning l.*
$$;
--> statement-breakpoint
-- Everybody's, for operators, one page in the order of the ids, which is that of time; what is null does not count.
create function read_risk_limits(wanted_scope risk_scope_enum, wanted_user uuid, wanted_account uuid, wanted_strategy uuid, older_than uuid,
    newer_than uuid, oldest_first boolean, max_rows integer)
  returns setof risk_limits language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  return query execute format(
    'select l.* from risk_limits l where l.deleted_at is null
       and ($1 is null or l.scope = $1) and ($2 is null or l.user_id = $2) and ($3 is null or l.account_id = $3)
       and ($4 is null or l.strategy_id = $4) and ($5 is null or l.id < $5) and ($6 is null or l.id > $6)
     order by l.id %s limit $7', case when oldest_first then 'asc' else 'desc' end)
    using wanted_scope, wanted_user, wanted_account, wanted_strategy, older_than, newer_than, max_rows;
end
$$;
--> statement-breakpoint
create function read_risk_violations(wanted_user uuid, wanted_account uuid, wanted_strategy uuid, since timestamptz, until timestamptz,
    older_than uuid, newer_than uuid, oldest_first boolean, max_rows integer)
  returns setof risk_violations language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
  return query execute format(
    'select v.* from risk_violations v
     where ($1 is null or v.user_id = $1) and ($2 is null or v.account_id = $2) and ($3 is null or v.strategy_id = $3)
       and ($4 is null or v.occurred_at >= $4) and ($5 is null or v.occurred_at < $5) and ($6 is null or v.id < $6) and ($7 is null or v.id > $7)
     order by v.id %s limit $8', case when oldest_first then 'asc' else 'desc' end)
    using wanted_user, wanted_account, wanted_strategy, since, until, older_than, newer_than, max_rows;
end
$$;
--> statement-breakpoint
-- Accounts whose equity of the day is not known yet; with `under_drawdown` also those whose highest equity a limit asks about.
create function accounts_to_mark(day date, under_drawdown boolean, behind uuid, maximum integer) returns table (account_id uuid, user_id uuid)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select a.id, a.user_id from accounts a join account_sequences s on s.account_id = a.id
  where a.status = 'ACTIVE' and a.deleted_at is null and a.id > behind
    and (s.equity_day is distinct from day or (under_drawdown and exists (
      select from risk_limits l where l.max_drawdown_percent is not null and l.is_enabled and l.deleted_at is null
        and (l.user_id is null or l.user_id = a.user_id) and (l.account_id is null or l.account_id = a.id))))
  order by a.id limit maximum
$$;
--> statement-breakpoint
-- TimescaleDB drops whole chunks by its own policy; without it the program asks for this. What is not old is safe from it.
do $$
begin
  if exists (select from pg_extension where extname = 'timescaledb') and current_setting('timescaledb.license', true) = 'timescale' then
    create function drop_old_balance_snapshots(at timestamptz, batch integer) returns bigint language sql as 'select 0::bigint';
    return;
  end if;
  create function drop_old_balance_snapshots(at timestamptz, batch integer) returns bigint
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $body$
  declare
    dropped bigint;
  begin
    delete from balance_snapshots where ctid = any (array(
      select s.ctid from balance_snapshots s where s.taken_at < least(at, now()) - interval '2 years' limit batch));
    get diagnostics dropped = row_count;
    return dropped;
  end
  $body$;
end
$$;
--> statement-breakpoint
do $$
declare
  signature text;
begin
  foreach signature in array array['write_risk_limit(jsonb)', 'set_operator_risk_limit(jsonb)', 'remove_operator_risk_limit(uuid, timestamptz)',
    'read_risk_limits(risk_scope_enum, uuid, uuid, uuid, uuid, uuid, boolean, integer)',
    'read_risk_violations(uuid, uuid, uuid, timestamptz, timestamptz, uuid, uuid, boolean, integer)',
    'accounts_to_mark(date, boolean, uuid, integer)', 'drop_old_balance_snapshots(timestamptz, integer)'] loop
    execute format('revoke execute on function %s from public', signature);
    execute format('grant execute on function %s to tradegraph_app', signature);
  end loop;
end
$$;
--> statement-breakpoint
-- A liquidation costs a fee, and has no order: it could not be booked.
alter table ledger_entries drop constraint ck_ledger_entries_order_id;
--> statement-breakpoint
alter table ledger_entries add constraint ck_ledger_entries_order_id CHECK ("ledger_entries"."reason" <> 'TRADE' or "ledger_entries"."order_id" is not null);
