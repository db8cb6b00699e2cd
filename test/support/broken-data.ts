import { Decimal } from "../../src/core/decimal.js";
import { uuidV7 } from "../../src/core/uuid.js";
import { newUser, setQuote, startPaper, startTestLedger, type TestLedger } from "./trading.js";
import { until } from "./until.js";

/** A database in which somebody has traded, and nothing is wrong. */
export interface SoundData {
  readonly on: TestLedger;
  readonly user: string;
  readonly account: string;
  /** A limit order that waits, and one that was filled. */
  readonly open: string;
  readonly filled: string;
  readonly fill: string;
  /** An open one, of the futures symbol. */
  readonly position: string;
  readonly spot: number;
  readonly futures: number;
  close(): Promise<void>;
}

export async function makeSoundData(): Promise<SoundData> {
  const on = await startTestLedger();
  const paper = await startPaper(on);
  const { sql } = on.database.owner;
  const user = await newUser(on.database);
  const { id: account } = await on.account(user, { USDT: "10000", BTC: "10" });
  const spot = on.symbol.id;
  const futures = on.catalogue.symbolByTicker("BINANCE_FUTURES", "BTCUSDT")?.id ?? 0;
  for (const symbolId of [spot, futures]) setQuote(on.quotes, symbolId, "100", on.clock);
  const place = (symbolId: number, more: object) =>
    paper.desk.place(user, {
      accountId: account,
      symbolId,
      side: "BUY",
      orderType: "MARKET",
      quantity: new Decimal(1),
      ...more,
    });
  const { order: filled } = await place(spot, {});
  const { order: open } = await place(spot, { orderType: "LIMIT", price: new Decimal(90) });
  await place(futures, { leverage: 5 });
  await until(async () => (await sql`select from positions where status = 'OPEN'`).count === 1);
  await until(async () => (await sql`select from orders where status = 'FILLED'`).count === 2);
  await paper.close();
  // As the dispatcher would have done.
  await sql`select mark_events_published(array(select event_id from event_queue), now())`;
  const [found] = await sql<{ fill: string; position: string }[]>`
    select (select id from order_fills where order_id = ${filled.id}) as fill, (select id from positions) as position`;
  if (found === undefined) throw new Error("nothing was filled");
  return {
    on,
    user,
    account,
    open: open.id,
    filled: filled.id,
    ...found,
    spot,
    futures,
    close: () => on.close(),
  };
}

export interface Breakage {
  /** The check that must see it. */
  readonly check: string;
  /** Run by the owner of the tables, with triggers and foreign keys off. */
  readonly sql: string;
  /** Checks of the same fault from another side. */
  readonly also?: readonly string[];
}

const newId = () => uuidV7(Date.now());
const hash = () => newId().replaceAll("-", "").repeat(2);

/** One for each rule of the data, and how to break it. */
export function breakages(data: SoundData): Breakage[] {
  return [
    ...catalogue(),
    ...marketData(data),
    ...people(data),
    ...trading(data),
    ...events(data),
    ...schema(),
    ...rights(),
  ];
}

const anyMarket = "(select id from markets order by id limit 1)";
const anySymbol = "(select id from symbols where is_default order by id limit 1)";
const drop = (table: string, ...constraints: string[]) =>
  constraints.map((name) => `alter table ${table} drop constraint ${name};`).join(" ");

const catalogue = (): Breakage[] => [
  {
    check: "nine-defaults",
    sql: "update symbols set is_default = false where id in (select id from symbols where is_default order by id offset 8)",
  },
  {
    check: "inactive-defaults",
    sql: `${drop("symbols", "ck_symbols_default_active")} update symbols set is_active = false where id = ${anySymbol}`,
  },
  {
    check: "defaults-on-inactive-markets",
    sql: `update markets set is_active = false where id = (select market_id from symbols where id = ${anySymbol})`,
  },
  { check: "untracked-defaults", sql: `update symbols set is_tracked = false where id = ${anySymbol}` },
  {
    check: "symbols-without-market",
    sql: `update symbols set market_id = 9999, is_tracked = false, data_provider_id = null where id = (select max(id) from symbols where not is_default)`,
  },
  { check: "symbols-without-asset-class", sql: `update symbols set asset_class_id = 9999 where id = ${anySymbol}` },
  { check: "markets-without-exchange", sql: `update markets set exchange_id = 9999 where id = ${anyMarket}` },
  {
    check: "providers-without-market",
    sql: `insert into data_providers (market_id, code, name, provider_type, feed_type) values (9999, 'NOWHERE', 'x', 'SIMULATED', 'REST')`,
  },
  {
    check: "hours-without-market",
    sql: `insert into trading_sessions (market_id, name, session_type, day_of_week, start_time, end_time) values (9999, 'x', 'OPEN', 1, '09:00', '17:00')`,
  },
  {
    check: "tracked-without-provider",
    sql: "update data_providers set is_primary = false where is_primary and market_id = (select market_id from symbols where is_tracked and data_provider_id is null order by id limit 1)",
  },
  {
    check: "inactive-own-provider",
    sql: `with p as (insert into data_providers (market_id, code, name, provider_type, feed_type, is_active)
      select market_id, 'SPARE', 'x', 'SIMULATED', 'REST', false from symbols where id = ${anySymbol} returning id)
      update symbols set data_provider_id = p.id from p where symbols.id = ${anySymbol}`,
  },
  {
    check: "provider-of-another-market",
    sql: `update symbols s set data_provider_id = (select p.id from data_providers p where p.market_id <> s.market_id and p.is_active order by p.id limit 1) where s.id = ${anySymbol}`,
  },
  {
    check: "duplicate-primaries",
    sql: `drop index uk_data_providers_primary; insert into data_providers (market_id, code, name, provider_type, feed_type, is_primary)
      select market_id, 'SECOND', 'x', 'SIMULATED', 'REST', true from data_providers where is_primary limit 1`,
    also: ["missing-indexes"],
  },
  {
    check: "inactive-primaries",
    sql: "update data_providers set is_active = false where id = (select id from data_providers where is_primary order by id limit 1)",
    also: ["tracked-without-provider"],
  },
  {
    check: "duplicate-tickers",
    sql: "alter table symbols drop constraint ck_symbols_ticker; update symbols set ticker = (select lower(b.ticker) from symbols b where b.market_id = symbols.market_id order by b.id limit 1) where id = (select max(id) from symbols s where market_id = (select market_id from symbols where is_default order by id limit 1))",
  },
  {
    check: "priority-range",
    sql: `${drop("symbols", "ck_symbols_broadcast_priority")} update symbols set broadcast_priority = 101 where id = ${anySymbol}`,
  },
  {
    check: "unusable-sizes",
    sql: `${drop("symbols", "ck_symbols_tick_size")} update symbols set tick_size = 0 where id = ${anySymbol}`,
  },
  {
    check: "market-code",
    sql: `${drop("markets", "ck_markets_code_market_type")} update markets set code = 'WRONG_SPOT' where id = ${anyMarket}`,
  },
  {
    check: "markets-without-hours",
    sql: "delete from trading_sessions where market_id = (select id from markets where is_active and not is_24x7 order by id limit 1)",
  },
  {
    check: "overlapping-hours",
    sql: `insert into trading_sessions (market_id, name, session_type, day_of_week, start_time, end_time)
      select market_id, 'x', 'OPEN', day_of_week, start_time + interval '1 minute', end_time from trading_sessions where session_type = 'OPEN' and start_time < end_time
      and not exists (select from trading_sessions o where o.market_id = trading_sessions.market_id and o.day_of_week = trading_sessions.day_of_week and o.id <> trading_sessions.id and o.session_type = 'OPEN') order by id limit 1`,
  },
  {
    check: "holidays-run-out",
    sql: "delete from market_holidays where date >= now()::date and market_id = (select id from markets where is_active and not is_24x7 order by id limit 1)",
  },
  { check: "traded-but-delisted", sql: `update symbols set status = 'DELISTED' where id = ${anySymbol}` },
  {
    check: "silent-providers",
    sql: "update data_providers set connection_status = 'CONNECTED', last_message_at = now() - interval '1 day' where id = (select id from data_providers where is_active order by id limit 1)",
  },
  {
    check: "providers-over-limit",
    sql: "update data_providers set monthly_limit = 10, monthly_usage = 10, usage_month = date_trunc('month', now() at time zone 'UTC')::date where id = (select id from data_providers where is_active order by id limit 1)",
  },
  {
    check: "unencrypted-endpoints",
    sql: "update data_providers set is_active = true, provider_type = 'REALTIME', websocket_url = 'ws://prices.example.org' where id = (select id from data_providers where not is_primary order by id limit 1)",
  },
];

const quote = (more: Record<string, string> = {}, symbol = anySymbol) => {
  const row: Record<string, string> = {
    symbol_id: symbol,
    price: "100",
    sequence: "1",
    provider_id: `(select p.id from data_providers p join symbols s on s.market_id = p.market_id where s.id = ${symbol} and p.is_primary)`,
    exchange_time: "now()",
    received_at: "now()",
    ...more,
  };
  return `insert into symbol_quotes (${Object.keys(row).join()}) values (${Object.values(row).join()})`;
};

const candle = (at: string, more: Record<string, string> = {}, symbol = anySymbol) => {
  const row: Record<string, string> = {
    symbol_id: symbol,
    open_time: at,
    open: "100",
    high: "100",
    low: "100",
    close: "100",
    volume: "1",
    quote_volume: "100",
    trade_count: "1",
    taker_buy_volume: "0",
    taker_buy_quote_volume: "0",
    ...more,
  };
  return `insert into candles (${Object.keys(row).join()}) values (${Object.values(row).join()})`;
};

const marketData = ({ spot, futures }: SoundData): Breakage[] => [
  {
    check: "impossible-quotes",
    sql: `${drop("symbol_quotes", "ck_symbol_quotes_price")} ${quote({ price: "-1" })}`,
  },
  { check: "crossed-quotes", sql: quote({ bid: "101", bid_quantity: "1", ask: "100", ask_quantity: "1" }) },
  {
    check: "quotes-without-symbol",
    sql: quote({ symbol_id: "99999", provider_id: "(select id from data_providers where is_primary limit 1)" }),
  },
  {
    check: "quotes-of-another-market",
    sql: quote(
      {
        provider_id: `(select p.id from data_providers p join symbols s on s.id = ${futures} and p.market_id = s.market_id where p.is_primary)`,
      },
      String(spot),
    ),
  },
  {
    check: "mixed-price-sources",
    sql: `update data_providers set provider_type = 'REALTIME', websocket_url = 'wss://prices.example.org', is_primary = true where id = (
      select p.id from data_providers p join symbols s on s.market_id = p.market_id where s.id = ${futures} and p.is_primary); ${quote({}, String(futures))}`,
  },
  {
    check: "stale-quotes",
    sql: `update data_providers set connection_status = 'CONNECTED', last_message_at = now() where is_primary; ${quote({ received_at: "now() - interval '1 day'" })}`,
  },
  {
    check: "impossible-candles",
    sql: `${drop("candles", "ck_candles_low")} ${candle("date_trunc('minute', now() - interval '1 minute')", { low: "101" })}`,
  },
  {
    check: "candle-gaps",
    sql: `insert into candle_coverage (symbol_id, complete) values (${spot}, tstzmultirange(
      tstzrange(date_trunc('minute', now() - interval '9 hours'), date_trunc('minute', now() - interval '5 hours')),
      tstzrange(date_trunc('minute', now() - interval '4 hours'), date_trunc('minute', now()))))`,
  },
  {
    // The trigger that keeps the longer candles is off.
    check: "candle-roll-ups",
    sql: candle("date_trunc('hour', now()) - interval '90 minutes'"),
  },
  {
    check: "candles-without-symbol",
    sql: candle("date_trunc('minute', now() - interval '1 minute')", {}, "99999"),
  },
  {
    check: "series-in-the-future",
    sql: `insert into market_trades (symbol_id, traded_at, received_at, sequence, trade_id, trade_count, side, price, quantity)
      values (${spot}, now() + interval '1 hour', now(), 1, 'x', 1, 'BUY', 1, 1)`,
  },
  {
    check: "series-past-retention",
    sql: `insert into market_trades (symbol_id, traded_at, received_at, sequence, trade_id, trade_count, side, price, quantity)
      values (${spot}, now() - interval '20 days', now(), 1, 'x', 1, 'BUY', 1, 1)`,
  },
  {
    check: "arbitrage-left-open",
    sql: `insert into arbitrage_opportunities (id, detected_at, buy_symbol_id, sell_symbol_id, buy_price, sell_price, spread_bps, net_spread_bps, max_quantity)
      values ('${newId()}', now() - interval '2 days', ${spot}, ${futures}, 100, 101, 100, 50, 1)`,
  },
];

const token = (user: string, more: Record<string, string> = {}) => {
  const row: Record<string, string> = {
    id: `'${newId()}'`,
    user_id: `'${user}'`,
    family_id: `'${newId()}'`,
    token_hash: `'${hash()}'`,
    // Not the first of its family, which would be a sign-in.
    started_at: "now() - interval '1 hour'",
    created_at: "now()",
    expires_at: "now() + interval '1 day'",
    ...more,
  };
  return `insert into refresh_tokens (${Object.keys(row).join()}) values (${Object.values(row).join()})`;
};

const people = ({ user }: SoundData): Breakage[] => [
  { check: "rows-without-user", sql: token(newId()) },
  {
    check: "dashboards-without-symbol",
    sql: `insert into user_dashboard_preferences (id, user_id, symbol_id) values ('${newId()}', '${user}', 99999)`,
  },
  {
    check: "dashboards-too-large",
    // The rule is about the number of rows, and there are not 201 symbols.
    sql: `alter table user_dashboard_preferences drop constraint uk_user_dashboard_preferences_user_id_symbol_id;
      insert into user_dashboard_preferences (id, user_id, symbol_id)
      select ('${newId().slice(0, 24)}' || lpad(to_hex(n), 12, '0'))::uuid, '${user}', ${anySymbol} from generate_series(1, 201) n`,
    also: ["missing-indexes"],
  },
  {
    check: "too-many-api-keys",
    sql: `with keys as (insert into api_keys (id, user_id, name, prefix, secret_hash, scopes, created_at)
        select ('${newId().slice(0, 24)}' || lpad(to_hex(n), 12, '0'))::uuid, '${user}', 'x', lpad(n::text, 12, '0'), '${hash()}', '{READ}', now()
        from generate_series(1, 51) n returning *)
      insert into audit_events (id, occurred_at, user_id, action, details)
      select gen_random_uuid(), created_at, user_id, 'api-key.create', jsonb_build_object('apiKey', id) from keys`,
  },
  {
    check: "closed-users-not-erased",
    sql: `${drop("users", "ck_users_erased")} insert into users (id, email, email_key, status, created_at, deleted_at)
      values ('${newId()}', 'a@b.example', 'a@b.example', 'CLOSED', now(), now())`,
  },
  {
    check: "duplicate-users",
    sql: `drop index uk_users_email_key; insert into users (id, email, email_key, password_hash)
      select '${newId()}', email, email_key, password_hash from users where id = '${user}'`,
    also: ["missing-indexes"],
  },
  {
    check: "credentials-of-closed-users",
    sql: `with u as (insert into users (id, status, created_at, deleted_at) values ('${newId()}', 'CLOSED', now(), now()) returning id)
      insert into refresh_tokens (id, user_id, family_id, token_hash, started_at, created_at, expires_at)
      select '${newId()}', id, '${newId()}', '${hash()}', now() - interval '1 hour', now(), now() + interval '1 day' from u`,
  },
  {
    check: "expired-credentials-kept",
    sql: token(user, {
      started_at: "now() - interval '6 days'",
      created_at: "now() - interval '5 days'",
      expires_at: "now() - interval '2 days'",
    }),
  },
  {
    check: "living-tokens-of-one-session",
    sql: `drop index uk_refresh_tokens_family_id_living; ${token(user, { family_id: `'${user}'` })}; ${token(user, { family_id: `'${user}'` })}`,
    also: ["missing-indexes"],
  },
  {
    check: "admins-without-verified-address",
    sql: `insert into users (id, email, email_key, password_hash, role) values ('${newId()}', 'b@b.example', 'b@b.example', '$argon2id$x', 'ADMIN')`,
  },
  {
    check: "api-keys-without-audit",
    sql: `insert into api_keys (id, user_id, name, prefix, secret_hash, scopes, created_at)
      values ('${newId()}', '${user}', 'x', 'abcabcabcabc', '${hash()}', '{READ}', now())`,
  },
  { check: "sessions-without-audit", sql: token(user, { started_at: "now()", created_at: "now()" }) },
];

/** Puts a row in again with other values. */
const copyOf = (table: string, id: string, changes: Readonly<Record<string, unknown>>) =>
  `insert into ${table} overriding system value select (jsonb_populate_record(t, '${JSON.stringify(changes)}'::jsonb)).* from ${table} t where id = '${id}'`;

const trading = ({ user, account, open, filled, fill, position, spot, futures }: SoundData): Breakage[] => [
  {
    check: "orders-without-account",
    sql: `update orders set user_id = '${newId()}' where id = '${open}'`,
  },
  { check: "orders-without-symbol", sql: `update orders set symbol_id = 99999 where id = '${open}'` },
  { check: "order-events", sql: `update orders set version = version + 1 where id = '${open}'` },
  {
    check: "events-without-order",
    sql: `update event_store set stream_id = '${newId()}' where stream_id = '${open}'`,
    also: ["order-events"],
  },
  {
    check: "order-fills",
    sql: `update orders set filled_quantity = 0.5, filled_quote = 50, avg_fill_price = 100, status = 'PARTIALLY_FILLED' where id = '${open}'`,
  },
  { check: "order-averages", sql: `update orders set avg_fill_price = avg_fill_price + 1 where id = '${filled}'` },
  {
    check: "order-commissions",
    sql: `update orders set commissions = '[{"asset": "BTC", "amount": "3"}]' where id = '${filled}'`,
  },
  {
    check: "impossible-orders",
    sql: `${drop("orders", "ck_orders_filled_at")} update orders set filled_at = null where id = '${filled}'`,
  },
  {
    check: "stuck-orders",
    sql: `update orders set cancel_requested_at = now() - interval '1 hour', updated_at = now() - interval '1 hour' where id = '${open}'`,
  },
  {
    check: "open-orders-of-closed-accounts",
    sql: `update accounts set status = 'INACTIVE', deleted_at = now() where id = '${account}'`,
  },
  {
    check: "fills-without-order",
    sql: `${copyOf("order_fills", fill, { id: newId(), order_id: newId(), exchange_fill_id: "x" })};
      insert into ledger_entries (id, user_id, account_id, account_sequence, ordinal, asset, reason, available_change, locked_change, order_id, fill_id, occurred_at)
      select '${newId()}', user_id, account_id, 900, 0, 'X', 'ADJUSTMENT', 1, 0, order_id, id, now() from order_fills where exchange_fill_id = 'x';
      insert into account_balances (account_id, user_id, asset, available, locked, sequence) values ('${account}', '${user}', 'X', 1, 0, 1)`,
  },
  {
    check: "fills-without-entries",
    sql: `update ledger_entries set fill_id = null where fill_id = '${fill}'`,
  },
  {
    check: "ledger-balances",
    sql: `update account_balances set available = available + 5 where account_id = '${account}' and asset = 'USDT'`,
  },
  {
    check: "entries-without-balance",
    sql: `insert into ledger_entries (id, user_id, account_id, account_sequence, ordinal, asset, reason, available_change, locked_change, occurred_at)
      values ('${newId()}', '${user}', '${account}', 1, 90, 'XRP', 'DEPOSIT', 1, 0, now())`,
  },
  {
    check: "entries-without-account",
    sql: `insert into ledger_entries (id, user_id, account_id, account_sequence, ordinal, asset, reason, available_change, locked_change, occurred_at)
      select '${newId()}', user_id, account_id, 1, 0, 'X', 'DEPOSIT', 1, 0, now() from (values ('${newId()}'::uuid, '${newId()}'::uuid)) gone (account_id, user_id);
      insert into account_balances (account_id, user_id, asset, available, locked, sequence)
      select account_id, user_id, asset, 1, 0, 1 from ledger_entries where asset = 'X'`,
  },
  {
    check: "negative-balances",
    sql: `${drop("account_balances", "ck_account_balances_available")}
      insert into ledger_entries (id, user_id, account_id, account_sequence, ordinal, asset, reason, available_change, locked_change, occurred_at)
      values ('${newId()}', '${user}', '${account}', 1, 90, 'XRP', 'WITHDRAWAL', -1, 0, now());
      insert into account_balances (account_id, user_id, asset, available, locked, sequence) values ('${account}', '${user}', 'XRP', -1, 0, 1)`,
  },
  {
    check: "locked-balances",
    sql: `update orders set reserved = reserved + 1 where id = '${open}'`,
  },
  {
    check: "rows-ahead-of-events",
    sql: `update orders set sequence = sequence + 1000 where id = '${open}'`,
  },
  {
    check: "old-balance-snapshots",
    sql: `update account_balances set updated_at = now() - interval '5 hours' where account_id = '${account}' and asset = 'USDT'`,
  },
  {
    check: "accounts-without-user",
    sql: copyOf("accounts", account, { id: user, user_id: newId(), name: "x" }).concat(
      `; insert into account_sequences (account_id, user_id) select id, user_id from accounts where id = '${user}'`,
    ),
  },
  {
    check: "accounts-without-sequence",
    sql: copyOf("accounts", account, { id: newId(), name: "without sequence" }),
  },
  {
    check: "too-many-active-accounts",
    sql: [1, 2, 3]
      .map((n) => copyOf("accounts", account, { id: newId(), name: `another ${n}` }))
      .join("; ")
      .concat(
        `; insert into account_sequences (account_id, user_id) select id, user_id from accounts where name like 'another%'`,
      ),
  },
  {
    check: "accounts-that-may-withdraw",
    sql: `${drop("accounts", "ck_accounts_permissions")} update accounts set permissions = '{READ,WITHDRAW}' where id = '${account}'`,
  },
  {
    check: "unsynced-accounts",
    sql: `${drop("accounts", "ck_accounts_credentials")}
      ${copyOf("accounts", account, { id: newId(), name: "real", environment: "TESTNET", created_at: "2026-01-01T00:00:00Z", last_sync_at: "2026-01-01T00:00:00Z" })};
      insert into account_sequences (account_id, user_id) select id, user_id from accounts where name = 'real'`,
  },
  {
    check: "positions-without-account",
    sql: copyOf("positions", position, {
      id: newId(),
      user_id: newId(),
      account_id: newId(),
      quantity: "0",
      status: "CLOSED",
      entry_cost: "0",
      margin_used: "0",
      closed_at: "2100-01-01T00:00:00Z",
    }),
  },
  {
    check: "duplicate-positions",
    sql: `insert into positions select (jsonb_populate_record(p, '{"id": "${newId()}", "side": "SHORT", "margin_used": "0"}')).* from positions p where id = '${position}';
      update positions set quantity = 2 * quantity where id = '${position}'`,
  },
  {
    check: "impossible-positions",
    sql: `${drop("positions", "ck_positions_status")} update positions set closed_at = now() where id = '${position}'`,
  },
  {
    check: "position-fills",
    sql: `update positions set quantity = quantity + 1 where id = '${position}' and symbol_id = ${futures} and ${spot} > 0`,
  },
];

const event = (more: Readonly<Record<string, string>>) => {
  const row: Record<string, string> = {
    id: `'${newId()}'`,
    stream_type: "'test'",
    stream_id: `'${newId()}'`,
    version: "1",
    event_type: "'happened'",
    data: "'{}'",
    occurred_at: "now()",
    ...more,
  };
  return `insert into event_store (${Object.keys(row).join()}) values (${Object.values(row).join()})`;
};

const events = ({ user, account }: SoundData): Breakage[] => {
  const own = { user_id: `'${user}'`, account_id: `'${account}'` };
  const next = (n: number) => `(select sequence + ${n} from account_sequences where account_id = '${account}')`;
  const counted = (n: number) =>
    `update account_sequences set sequence = sequence + ${n} where account_id = '${account}'`;
  const stream = newId();
  return [
    {
      check: "event-gaps",
      sql: `${event({ ...own, stream_id: `'${stream}'`, account_sequence: next(1) })};
        ${event({ ...own, stream_id: `'${stream}'`, version: "3", account_sequence: next(2) })}; ${counted(2)}`,
    },
    { check: "account-sequences", sql: counted(1) },
    {
      check: "events-without-account",
      sql: event({ user_id: `'${user}'`, account_id: `'${newId()}'`, account_sequence: "1" }),
    },
    {
      check: "events-in-the-future",
      sql: `${event({ ...own, account_sequence: next(1), occurred_at: "now() + interval '1 hour'", recorded_at: "now() + interval '1 hour'" })}; ${counted(1)}`,
    },
    {
      check: "outbox-stands",
      sql: "update event_queue set published_at = null, created_at = now() - interval '1 hour' where event_id = (select max(event_id::text)::uuid from event_queue)",
    },
    {
      check: "outbox-without-event",
      sql: `insert into event_queue (event_id, user_id, account_id, account_sequence, payload, published_at) values ('${newId()}', '${user}', '${account}', 9999, '{}', now())`,
    },
    {
      check: "outbox-kept-too-long",
      sql: "update event_queue set published_at = now() - interval '10 days' where event_id = (select max(event_id::text)::uuid from event_queue)",
    },
    {
      check: "projection-lag",
      sql: `insert into event_projections (name, status, last_position) values ('positions', 'RUNNING', 0);
        update event_store set recorded_at = now() - interval '10 minutes', occurred_at = now() - interval '10 minutes'`,
    },
    {
      check: "failed-projections",
      sql: "insert into event_projections (name, status, error) values ('positions', 'FAILED', 'x')",
    },
  ];
};

const schema = (): Breakage[] => [
  { check: "missing-indexes", sql: "drop index idx_orders_open" },
  {
    check: "invalid-indexes",
    sql: "update pg_index set indisvalid = false where indexrelid = 'idx_symbols_asset_class_id'::regclass",
  },
  {
    check: "foreign-keys-without-index",
    sql: "drop index idx_accounts_user_id_exchange_id; drop index uk_accounts_user_id_name; alter table accounts drop constraint fk_accounts_exchange_id",
  },
  { check: "duplicate-indexes", sql: "create index twice on symbols (asset_class_id)" },
  { check: "missing-triggers", sql: "drop trigger ck_api_keys_maximum on api_keys" },
  { check: "disabled-triggers", sql: "alter table symbols disable trigger notify_update" },
  {
    check: "invalid-constraints",
    sql: "alter table symbols add constraint ck_symbols_new check (id > 0) not valid",
  },
  {
    check: "sequences-near-end",
    sql: "do $$ begin execute format('alter sequence symbols_id_seq maxvalue %s', (select last_value + 1 from symbols_id_seq)); end $$",
  },
  { check: "extension-pg-trgm", sql: "drop extension pg_trgm cascade", also: ["missing-indexes"] },
  {
    check: "outdated-extensions",
    sql: "update pg_extension set extversion = '0.9' where extname = 'pg_trgm'",
  },
  { check: "migrations-in-order", sql: "delete from schema_migrations where id = 3" },
  {
    check: "autovacuum-off",
    sql: "alter table orders set (autovacuum_enabled = false)",
  },
  { check: "unlogged-tables", sql: "alter table sign_in_places set unlogged" },
  {
    check: "transaction-age",
    sql: "update pg_class set relfrozenxid = ((txid_current() % 4294967296 - 1500000000 + 4294967296) % 4294967296)::text::xid where oid = 'symbols'::regclass",
  },
  {
    check: "backup-age",
    sql: `drop table if exists backups; create table backups (id int primary key, status text, finished_at timestamptz);
      select let_monitor_read('backups'); insert into backups values (1, 'COMPLETED', now() - interval '3 days'), (2, 'FAILED', now());
      update schema_migrations set applied_at = applied_at - interval '4 days'`,
  },
];

const rights = (): Breakage[] => [
  { check: "row-security-forced", sql: "alter table orders no force row level security" },
  { check: "missing-policies", sql: "drop policy own_orders on orders" },
  {
    check: "application-owns-tables",
    sql: "grant create on schema public to tradegraph_app; alter table sign_in_places owner to tradegraph_app",
    also: ["mixed-owners"],
  },
  {
    check: "mixed-owners",
    sql: "create role health_other_owner; grant create on schema public to health_other_owner; alter table sign_in_places owner to health_other_owner",
  },
  { check: "role-rights", sql: "alter role tradegraph_readonly createdb" },
  { check: "append-only-rights", sql: "grant delete on audit_events to tradegraph_app" },
  { check: "public-rights", sql: "grant select on symbols to public" },
  { check: "definer-functions", sql: "alter function sealed_secrets() reset search_path" },
  {
    check: "open-views",
    sql: "create view all_orders as select * from orders; grant select on all_orders to tradegraph_app",
  },
  { check: "readable-secrets", sql: "grant select on users to tradegraph_readonly" },
  { check: "unwatched-tables", sql: "create table unwatched (id int primary key)" },
  {
    check: "unsealed-secrets",
    sql: `${drop("data_providers", "ck_data_providers_sealed_api_key")} update data_providers set sealed_api_key = 'plain' where id = (select min(id) from data_providers)`,
  },
  {
    check: "missing-encryption-keys",
    sql: "update data_providers set sealed_api_key = 'v1.gone.abc' where id = (select min(id) from data_providers)",
  },
  {
    check: "old-encryption-keys",
    sql: "update data_providers set sealed_api_key = 'v1.older.abc' where id = (select min(id) from data_providers)",
  },
];
