import type { DataCheck } from "../db/checks/data-check.js";

/** Orders with events since; before the beginning of time there is no need to look. */
const touchedOrders = `(:since = '-infinity' or o.id in (select stream_id from event_store where id >= :since_id and stream_type = 'order'))`;

const orderChecks: readonly DataCheck[] = [
  {
    name: "orders-without-account",
    severity: "CRITICAL",
    query: `select o.id from orders o where o.id >= :since_id and not exists (
      select from accounts a where a.id = o.account_id and a.user_id = o.user_id)`,
    advice: "Orders of an account that is gone, or is somebody else's: restore it from a backup.",
  },
  {
    name: "orders-without-symbol",
    severity: "HIGH",
    query:
      "select o.id from orders o where o.id >= :since_id and not exists (select from symbols s where s.id = o.symbol_id)",
    advice: "Restore the symbol from a backup; a foreign key was dropped by hand.",
  },
  {
    name: "order-events",
    severity: "CRITICAL",
    query: `select o.id from orders o cross join lateral (
        select count(*) as events, max(e.version) as version from event_store e where e.stream_id = o.id and e.stream_type = 'order') e
      where ${touchedOrders} and (o.version is distinct from e.version or e.events <> e.version)
      union all select o.id from orders o where o.id >= :since_id and not exists (select from event_store e where e.stream_id = o.id)`,
    advice: "An order does not have the events that its version counts. Run tradegraph rebuild.",
  },
  {
    name: "events-without-order",
    severity: "CRITICAL",
    query: `select distinct e.stream_id as id from event_store e where e.id >= :since_id and e.stream_type = 'order'
      and not exists (select from orders o where o.id = e.stream_id)`,
    advice: "Orders are missing that the events tell of. Run tradegraph rebuild.",
  },
  {
    name: "order-fills",
    severity: "CRITICAL",
    query: `select o.id from orders o cross join lateral (
        select coalesce(sum(f.quantity), 0) as quantity, coalesce(sum(f.price * f.quantity), 0) as quote from order_fills f where f.order_id = o.id) f
      where ${touchedOrders} and (o.filled_quantity <> f.quantity or o.filled_quote <> f.quote)`,
    advice: "What an order says is filled is not the sum of its fills. Run tradegraph rebuild.",
  },
  {
    name: "order-averages",
    severity: "HIGH",
    // Rounded to 18 places.
    query: `select o.id from orders o where ${touchedOrders} and o.filled_quantity > 0
      and (o.avg_fill_price is null or abs(o.avg_fill_price * o.filled_quantity - o.filled_quote) > o.filled_quantity * 0.000000000000000001)`,
    advice: "An average price is not what the fills say. Run tradegraph rebuild.",
  },
  {
    name: "order-commissions",
    severity: "HIGH",
    query: `select o.id from orders o where ${touchedOrders}
      and (select coalesce(sum((c ->> 'amount')::numeric), 0) from jsonb_array_elements(o.commissions) c)
        <> (select coalesce(sum(f.commission), 0) from order_fills f where f.order_id = o.id)`,
    advice: "The commissions of an order are not those of its fills. Run tradegraph rebuild.",
  },
  {
    name: "impossible-orders",
    severity: "CRITICAL",
    query: `select o.id from orders o where ${touchedOrders} and (o.quantity <= 0 or o.filled_quantity < 0 or o.filled_quantity > o.quantity
      or o.reserved < 0 or (o.status = 'FILLED') <> (o.filled_at is not null) or (o.status = 'CANCELLED') <> (o.cancelled_at is not null)
      or (o.status = 'FILLED' and o.filled_quantity <> o.quantity))`,
    advice: "An order breaks its own rules: a constraint was dropped by hand. Run tradegraph rebuild.",
  },
  {
    name: "stuck-orders",
    severity: "HIGH",
    query: `select id from orders where status in ('PENDING', 'NEW', 'PARTIALLY_FILLED')
      and (status = 'PENDING' or cancel_requested_at is not null or pending_replacement is not null) and updated_at < now() - interval '10 minutes'`,
    advice:
      "The venue has not answered for ten minutes: is a node with the role worker running, and the exchange reachable?",
  },
  {
    name: "open-orders-of-closed-accounts",
    severity: "HIGH",
    query: `select o.id from orders o join accounts a on a.id = o.account_id
      where o.status in ('PENDING', 'NEW', 'PARTIALLY_FILLED') and a.deleted_at is not null`,
    advice: "Nobody works for these orders any more: cancel them at the exchange by hand.",
  },
  {
    name: "fills-without-order",
    severity: "CRITICAL",
    query: `select f.id from order_fills f where f.id >= :since_id and not exists (
      select from orders o where o.id = f.order_id and o.account_id = f.account_id and o.symbol_id = f.symbol_id)`,
    advice: "Fills of an order that is gone, or is another one: run tradegraph rebuild, or restore from a backup.",
  },
  {
    name: "fills-without-entries",
    severity: "CRITICAL",
    query: `select f.id from order_fills f where f.id >= :since_id and not exists (
      select from ledger_entries l where l.order_id = f.order_id and l.fill_id = f.id)`,
    advice: "A fill moved no money: restore the ledger from a backup.",
  },
];

const balanceChecks: readonly DataCheck[] = [
  {
    name: "ledger-balances",
    severity: "CRITICAL",
    query: `select b.account_id || ' ' || b.asset as id from account_balances b cross join lateral (
        select coalesce(sum(e.available_change), 0) as available, coalesce(sum(e.locked_change), 0) as locked
        from ledger_entries e where e.account_id = b.account_id and e.asset = b.asset) e
      where b.updated_at >= :since and (b.available <> e.available or b.locked <> e.locked)`,
    advice: "A balance is not the sum of its entries: somebody changed it by hand. Run tradegraph rebuild.",
  },
  {
    name: "entries-without-balance",
    severity: "CRITICAL",
    query: `select distinct e.account_id || ' ' || e.asset as id from ledger_entries e where e.id >= :since_id
      and not exists (select from account_balances b where b.account_id = e.account_id and b.asset = e.asset)`,
    advice: "Money was moved that no balance shows. Run tradegraph rebuild.",
  },
  {
    name: "entries-without-account",
    severity: "CRITICAL",
    query: `select e.id from ledger_entries e where e.id >= :since_id and not exists (
      select from accounts a where a.id = e.account_id and a.user_id = e.user_id)`,
    advice: "Entries of an account that is gone, or is somebody else's: restore it from a backup.",
  },
  {
    name: "negative-balances",
    severity: "CRITICAL",
    query: "select account_id || ' ' || asset as id from account_balances where available < 0 or locked < 0",
    advice: "More was spent than was there: a constraint was dropped by hand. Run tradegraph rebuild.",
  },
  {
    name: "locked-balances",
    severity: "CRITICAL",
    query: `select b.account_id || ' ' || b.asset as id from account_balances b
      left join (
        select account_id, asset, sum(amount) as amount from (
          select o.account_id, o.reserved_asset as asset, o.reserved as amount from orders o where o.reserved > 0
            and (:since = '-infinity' or o.account_id in (select account_id from account_balances where updated_at >= :since))
          union all
          select p.account_id, s.quote_currency, p.margin_used from positions p join symbols s on s.id = p.symbol_id where p.margin_used > 0
        ) held group by account_id, asset) h using (account_id, asset)
      where b.updated_at >= :since and b.locked <> coalesce(h.amount, 0)`,
    advice: "What is locked is not what orders and positions hold. Run tradegraph rebuild.",
  },
  {
    name: "rows-ahead-of-events",
    severity: "CRITICAL",
    query: `select 'balance ' || b.account_id || ' ' || b.asset as id from account_balances b join account_sequences s using (account_id)
        where b.updated_at >= :since and b.sequence > s.sequence
      union all select 'order ' || o.id from orders o join account_sequences s using (account_id) where ${touchedOrders} and o.sequence > s.sequence
      union all select 'position ' || p.id from positions p join account_sequences s using (account_id)
        where p.updated_at >= :since and p.sequence > s.sequence`,
    advice: "Rows are newer than the events that made them. Run tradegraph rebuild.",
  },
  {
    name: "old-balance-snapshots",
    severity: "LOW",
    query: `select b.account_id || ' ' || b.asset as id from account_balances b join accounts a on a.id = b.account_id
      where a.status = 'ACTIVE' and b.updated_at < now() - interval '3 hours' and not exists (select from balance_snapshots s
        where s.account_id = b.account_id and s.asset = b.asset and s.taken_at >= now() - interval '3 hours')`,
    advice: "Nobody takes the hourly snapshots of balances: run a node with the role worker.",
  },
];

const accountChecks: readonly DataCheck[] = [
  {
    name: "accounts-without-user",
    severity: "CRITICAL",
    query: "select a.id from accounts a left join users u on u.id = a.user_id where u.id is null",
    advice: "Accounts of users that are gone: restore them from a backup.",
  },
  {
    name: "accounts-without-sequence",
    severity: "CRITICAL",
    query: `select a.id from accounts a left join account_sequences s on s.account_id = a.id and s.user_id = a.user_id where s.account_id is null`,
    advice: "Nothing can be done with an account without its row in account_sequences: restore it from a backup.",
  },
  {
    name: "too-many-active-accounts",
    severity: "MEDIUM",
    query: `select user_id || ' ' || exchange_id as id from accounts where status = 'ACTIVE' group by user_id, exchange_id having count(*) > 3`,
    advice: "A user has at most three active accounts at an exchange: the trigger that counts them was disabled.",
  },
  {
    name: "accounts-that-may-withdraw",
    severity: "CRITICAL",
    query: "select id from accounts where deleted_at is null and 'WITHDRAW' = any (permissions)",
    advice: "A stored key can take money away: its user must make another one without that right.",
  },
  {
    name: "unsynced-accounts",
    severity: "HIGH",
    query: `select id from accounts where environment <> 'PAPER' and status = 'ACTIVE' and deleted_at is null
      and coalesce(last_sync_at, created_at) < now() - interval '1 hour'`,
    advice:
      "Accounts at exchanges were not compared for an hour: is a node with the role worker running? See syncError.",
  },
  {
    name: "positions-without-account",
    severity: "CRITICAL",
    query: `select p.id from positions p where p.id >= :since_id and not exists (
      select from accounts a where a.id = p.account_id and a.user_id = p.user_id)`,
    advice: "Positions of an account that is gone, or is somebody else's: restore it from a backup.",
  },
  {
    name: "duplicate-positions",
    severity: "CRITICAL",
    query: `select p.account_id || ' ' || p.symbol_id as id from positions p join accounts a on a.id = p.account_id where p.status = 'OPEN'
      group by p.account_id, p.symbol_id, a.position_mode
      having count(*) > count(distinct p.side) or (a.position_mode = 'ONE_WAY' and count(*) > 1)`,
    advice: "An account has more open positions of a symbol than its mode allows. Run tradegraph rebuild.",
  },
  {
    name: "impossible-positions",
    severity: "CRITICAL",
    query: `select id from positions where updated_at >= :since and (margin_used < 0 or entry_cost < 0 or case when status = 'OPEN'
      then quantity <= 0 or entry_price is null or closed_at is not null else quantity <> 0 or margin_used <> 0 or closed_at is null end)`,
    advice: "A position breaks its own rules: a constraint was dropped by hand. Run tradegraph rebuild.",
  },
  {
    name: "position-fills",
    severity: "CRITICAL",
    // What an exchange liquidates or moves by hand is not among our fills; on paper everything is.
    query: `select t.account_id || ' ' || t.symbol_id as id from (
        select p.account_id, p.symbol_id, sum(case p.side when 'LONG' then p.quantity else -p.quantity end) as quantity
        from positions p join accounts a on a.id = p.account_id and a.environment = 'PAPER'
        where p.account_id in (select account_id from positions where updated_at >= :since) group by p.account_id, p.symbol_id) t
      where t.quantity <> (
          select coalesce(sum(case o.side when 'BUY' then f.quantity else -f.quantity end), 0) from orders o join order_fills f on f.order_id = o.id
          where o.account_id = t.account_id and o.symbol_id = t.symbol_id)
        + (select coalesce(sum(case e.data ->> 'side' when 'LONG' then -(e.data ->> 'quantity')::numeric else (e.data ->> 'quantity')::numeric end), 0)
          from event_store e where e.account_id = t.account_id and e.event_type = 'liquidation' and (e.data -> 'positions' -> 0 ->> 'symbol_id')::int = t.symbol_id)`,
    advice: "Positions are not the sum of the fills. Run tradegraph rebuild.",
  },
];

export const tradingChecks: readonly DataCheck[] = [...orderChecks, ...balanceChecks, ...accountChecks];
