-- Takes the lock of an account and reads what a change of it is decided by, in one round trip and by one statement of the driver.
-- Each statement in here sees what was committed until the lock was had. With the rights of whoever calls it: a transaction that goes
-- on as this user, and that the server ends when nothing is said in it for so long. All null when the user has no such account.
-- Amounts come as text, so that none is rounded.
create function load_account(of_user uuid, of_account uuid, silence text, with_version boolean, with_limits boolean, of_strategy uuid,
    replacing uuid, new_client_order_id text,
    out sequence bigint, out equity_day text, out equity_at_midnight text, out highest_equity text, out exchange_id integer,
    out environment account_environment_enum, out status account_status_enum, out position_mode position_mode_enum, out version integer,
    out balances jsonb, out limits jsonb, out waiting jsonb, out strategy_id uuid, out known_order_id uuid)
  language plpgsql as $$
declare
  -- Whether what may still be filled counts as if it were: where there is a limit of what is held.
  counts_waiting boolean;
begin
  -- Making a plan anew each time would take longer than looking things up by their keys.
  perform set_config('app.user_id', of_user::text, true), set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('idle_in_transaction_session_timeout', silence, true);
  select s.sequence, s.equity_day::text, s.equity_at_midnight::text, s.highest_equity::text
    into sequence, equity_day, equity_at_midnight, highest_equity
    from account_sequences s where s.account_id = of_account for no key update;
  select a.exchange_id, a.environment, a.status, a.position_mode into exchange_id, environment, status, position_mode
    from accounts a where a.id = of_account and a.deleted_at is null;
  if sequence is null or exchange_id is null then
    exchange_id := null;
    return;
  end if;
  select jsonb_agg(jsonb_build_array(b.asset, b.available::text, b.locked::text)) into balances
    from account_balances b where b.account_id = of_account;
  if with_version then
    select e.version into version from event_store e where e.stream_id = of_account order by e.version desc limit 1;
  end if;
  if of_strategy is not null then
    select s.id into strategy_id from strategies s where s.id = of_strategy and s.deleted_at is null;
  end if;
  if new_client_order_id is not null then
    select o.id into known_order_id from orders o where o.account_id = of_account and o.client_order_id = new_client_order_id;
  end if;
  if with_limits then
    select jsonb_agg(jsonb_build_object('scope', l.scope, 'max_order_size', l.max_order_size::text,
        'max_position_size', l.max_position_size::text, 'max_leverage', l.max_leverage, 'max_daily_loss', l.max_daily_loss::text,
        'max_daily_loss_percent', l.max_daily_loss_percent::text, 'max_drawdown_percent', l.max_drawdown_percent::text,
        'max_open_positions', l.max_open_positions)), bool_or(l.max_position_size is not null or l.max_open_positions is not null)
      into limits, counts_waiting
      from risk_limits l
      where l.is_enabled and l.deleted_at is null and (l.account_id is null or l.account_id = of_account)
        and (l.strategy_id is null or l.strategy_id = of_strategy);
    if counts_waiting then
      select jsonb_agg(jsonb_build_object('symbol_id', w.symbol_id, 'side', w.side, 'position_side', w.position_side, 'quantity', w.quantity::text))
        into waiting
        from (
          select o.symbol_id, o.side, o.position_side, sum(o.quantity - o.filled_quantity) as quantity from orders o
          where o.account_id = of_account and o.status in ('PENDING', 'NEW', 'PARTIALLY_FILLED') and not o.reduce_only
            and o.parent_order_id is null and o.id is distinct from replacing
          group by o.symbol_id, o.side, o.position_side
        ) w;
    end if;
  end if;
end
$$;
--> statement-breakpoint
-- Writes a change that only the leader of a venue may make. The lease is looked at here, so that it is locked for no longer than the
-- writing takes.
create function write_ledger(change jsonb, lease text, lease_term bigint) returns void language plpgsql as $$
begin
  perform require_lease(lease, lease_term);
  perform write_ledger(change);
end
$$;
