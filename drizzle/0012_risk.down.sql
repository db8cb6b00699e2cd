alter table ledger_entries drop constraint ck_ledger_entries_order_id;
alter table ledger_entries add constraint ck_ledger_entries_order_id CHECK ("ledger_entries"."reason" not in ('TRADE', 'FEE') or "ledger_entries"."order_id" is not null);
drop function drop_old_balance_snapshots(timestamptz, integer);
drop function accounts_to_mark(date, boolean, uuid, integer);
drop function read_risk_violations(uuid, uuid, uuid, timestamptz, timestamptz, uuid, uuid, boolean, integer);
drop function read_risk_limits(risk_scope_enum, uuid, uuid, uuid, uuid, uuid, boolean, integer);
drop function remove_operator_risk_limit(uuid, timestamptz);
drop function set_operator_risk_limit(jsonb);
drop function write_risk_limit(jsonb);
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
  if change ? 'entries' then
    insert into ledger_entries select * from jsonb_populate_recordset(null::ledger_entries, change -> 'entries');
  end if;
end
$$;
create or replace function keep_order() returns trigger language plpgsql as $$
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
revoke insert on risk_limits from tradegraph_app;
revoke update (max_order_size, max_position_size, max_leverage, max_daily_loss, max_daily_loss_percent, max_drawdown_percent, max_open_positions,
  is_enabled, deleted_at) on risk_limits from tradegraph_app;
drop policy own_change_risk_limits on risk_limits;
drop policy own_set_risk_limits on risk_limits;
drop index uk_risk_limits_target;
-- Before, there was one row per target: what users have set, and what was of strategies that are no more, goes.
delete from risk_limits where set_by = 'USER';
create unique index uk_risk_limits_target on risk_limits (scope, user_id, account_id, strategy_id) nulls not distinct where deleted_at is null;
drop index idx_risk_violations_user_id;
drop index idx_orders_strategy_id;
drop index idx_balance_snapshots_taken_at;
alter table risk_violations drop column strategy_id;
alter table risk_limits drop constraint fk_risk_limits_strategy_id_user_id;
alter table risk_limits drop column set_by;
alter table orders drop column strategy_id;
drop table strategies;
drop type risk_limit_author_enum;
