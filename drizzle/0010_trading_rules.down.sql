drop function drop_published_events(timestamptz, integer);
drop function mark_events_published(uuid[], timestamptz);
drop function unpublished_events(integer);
drop function newest_account_sequences(uuid[]);
drop function waiting_paper_accounts();
drop function paper_accounts();
drop function take_balance_snapshots(timestamptz);
drop view own_balance_snapshots;
drop trigger ck_positions_owner on positions;
drop trigger ck_account_sequences_owner on account_sequences;
drop function keep_row_owner();
do $$
declare
  name text;
begin
  foreach name in array array['accounts', 'account_sequences', 'account_balances', 'ledger_entries', 'orders', 'order_fills', 'positions',
      'risk_violations', 'event_store', 'event_queue', 'risk_limits'] loop
    execute format('drop policy %I on %I', 'own_' || name, name);
    execute format('drop policy %I on %I', 'owner_' || name, name);
    execute format('drop policy %I on %I', 'admin_' || name, name);
    execute format('alter table %I no force row level security', name);
    execute format('alter table %I disable row level security', name);
  end loop;
  execute (
    select format('revoke select (%s) on accounts from tradegraph_admin', string_agg(quote_ident(attname), ', '))
    from pg_attribute where attrelid = 'accounts'::regclass and attnum > 0 and not attisdropped and attname not like 'sealed\_%'
  );
end
$$;
revoke all on accounts, account_sequences, account_balances, ledger_entries, orders, order_fills, positions, risk_limits, risk_violations,
  event_store, event_queue, event_projections, balance_snapshots from tradegraph_app, tradegraph_admin;
drop function write_ledger(jsonb);
drop trigger ck_risk_violations_no_truncate on risk_violations;
drop trigger ck_risk_violations_no_change on risk_violations;
drop trigger ck_event_store_no_truncate on event_store;
drop trigger ck_event_store_no_change on event_store;
drop trigger ck_ledger_entries_no_truncate on ledger_entries;
drop trigger ck_ledger_entries_no_change on ledger_entries;
drop trigger ck_order_fills_no_truncate on order_fills;
drop trigger ck_order_fills_no_change on order_fills;
drop trigger ck_orders_kept on orders;
drop function keep_order();
drop trigger move_balances on ledger_entries;
drop function move_balances();
drop trigger ck_event_store_gapless on event_store;
drop function number_events();
drop index uk_risk_limits_target;
drop trigger set_updated_at on risk_limits;
drop trigger set_updated_at on accounts;
drop trigger ck_accounts_identity on accounts;
drop function keep_account_identity();
drop trigger ck_accounts_three_active_update on accounts;
drop trigger ck_accounts_three_active_insert on accounts;
drop function limit_active_accounts();
alter table positions reset (fillfactor);
alter table orders reset (fillfactor);
alter table account_balances reset (fillfactor);
alter table account_sequences reset (fillfactor);
