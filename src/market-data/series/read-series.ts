import { type DecimalText, decimalText } from "../../core/decimal.js";
import { groupBy } from "../../core/group-by.js";
import type { Database } from "../../db/connect.js";
import type { ArbitrageOpportunity } from "../arbitrage-watch.js";
import { type CandleInterval, candleIntervalMs } from "../candle-intervals.js";
import { type StoredCandle, seedRanges } from "../candles.js";
import type { FundingRateEvent, TradeEvent } from "../events.js";
import { instantText } from "./insert.js";

/*
 * Each function is one statement for any number of symbols: an index range per symbol, so that it costs what it returns,
 * however large the tables are.
 */

export type StoredTrade = Omit<TradeEvent, "kind">;
export type StoredFundingRate = Omit<FundingRateEvent, "kind">;

const candleTables: Record<CandleInterval, string> = {
  M1: "candles",
  M5: "candles_5m",
  M15: "candles_15m",
  M30: "candles_30m",
  H1: "candles_1h",
  H4: "candles_4h",
  D1: "candles_1d",
  W1: "candles_1w",
};

/** Open times from `fromMs` up to, and without, `toMs`; null for no bound. */
export interface CandleRange {
  readonly interval: CandleInterval;
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** Per symbol: the newest of the range. */
  readonly limit: number;
}

interface CandleRow {
  symbol_id: number;
  open_time_ms: number;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  quote_volume: string;
  trade_count: string;
  taker_buy_volume: string;
  taker_buy_quote_volume: string;
  through_sequence: string | null;
}

/** The candles of each symbol that has some, oldest first. */
export async function readCandles(
  { sql }: Database,
  symbolIds: readonly number[],
  { interval, fromMs, toMs, limit }: CandleRange,
): Promise<Map<number, StoredCandle[]>> {
  const table = sql(candleTables[interval]);
  const from = sql`${boundText(fromMs, "-infinity")}::timestamptz`;
  const to = sql`${boundText(toMs, "infinity")}::timestamptz`;
  // A continuous aggregate reads and sorts all that is in the range before it takes the newest: so first the time in which
  // they all are unless half of the intervals have no trade, and only if they are not, the time before it. Minutes are none.
  const recentSeconds = (2 * limit * candleIntervalMs[interval]) / 1000;
  const recentFrom = interval === "M1" ? from : sql`(least(${to}, now()) - make_interval(secs => ${recentSeconds}))`;
  const rows = await sql<CandleRow[]>`
    select c.symbol_id, (extract(epoch from c.open_time) * 1000)::float8 as open_time_ms, c.open, c.high, c.low, c.close, c.volume,
      c.quote_volume, c.trade_count, c.taker_buy_volume, c.taker_buy_quote_volume,
      ${interval === "M1" ? sql`c.through_sequence` : sql`null::bigint`} as through_sequence
    from unnest(${[...symbolIds]}::int[]) as wanted (symbol_id)
    cross join lateral (
      with recent as materialized (
        select * from ${table} t
        where t.symbol_id = wanted.symbol_id and t.open_time >= greatest(${from}, ${recentFrom}) and t.open_time < ${to}
        order by t.open_time desc limit ${limit}
      )
      select * from recent
      union all (
        select * from ${table} t
        where t.symbol_id = wanted.symbol_id and t.open_time >= ${from} and t.open_time < least(${to}, ${recentFrom})
        order by t.open_time desc limit ${limit} - (select count(*) from recent)
      )
    ) c
    order by c.symbol_id, c.open_time`;
  return groupBy(
    rows.map((row) => ({
      symbolId: row.symbol_id,
      interval,
      openTimeMs: row.open_time_ms,
      open: decimalText(row.open),
      high: decimalText(row.high),
      low: decimalText(row.low),
      close: decimalText(row.close),
      volume: decimalText(row.volume),
      quoteVolume: decimalText(row.quote_volume),
      tradeCount: Number(row.trade_count),
      takerBuyVolume: decimalText(row.taker_buy_volume),
      takerBuyQuoteVolume: decimalText(row.taker_buy_quote_volume),
      throughSequence: numberOrNull(row.through_sequence),
    })),
    (candle) => candle.symbolId,
  );
}

/** What a candle builder continues from; one statement for each interval. */
export async function readSeedCandles(
  database: Database,
  symbolIds: readonly number[],
  nowMs: number,
): Promise<Map<number, StoredCandle[]>> {
  const seeds = new Map<number, StoredCandle[]>(symbolIds.map((symbolId) => [symbolId, []]));
  for (const { interval, fromMs, toMs } of seedRanges(nowMs)) {
    const found = await readCandles(database, symbolIds, {
      interval,
      fromMs,
      toMs: Number.isFinite(toMs) ? toMs : null,
      limit: maxSeedCandles,
    });
    for (const [symbolId, candles] of found) seeds.get(symbolId)?.push(...candles);
  }
  return seeds;
}

/** More than any of the ranges holds, unless the exchange's clock is hours ahead. */
const maxSeedCandles = 1_000;

/** A place in the trades of a symbol; those of one millisecond are ordered by sequence and id. */
export type TradePosition = Pick<StoredTrade, "exchangeTimeMs" | "exchangeSequence" | "tradeId">;

interface TradeRow {
  symbol_id: number;
  traded_at_ms: number;
  received_at_ms: number;
  sequence: string;
  trade_id: string;
  trade_count: number;
  side: "BUY" | "SELL";
  price: string;
  quantity: string;
}

/** The newest trades of each symbol that has some, newest first; with `before`, those that come before that place. */
export async function readTrades(
  { sql }: Database,
  symbolIds: readonly number[],
  { limit, before = null }: { readonly limit: number; readonly before?: TradePosition | null },
): Promise<Map<number, StoredTrade[]>> {
  const isBefore =
    before === null
      ? sql``
      : // The first condition follows from the second, but only from the first TimescaleDB sees which chunks it needs not open.
        sql`and t.traded_at <= ${instantText(before.exchangeTimeMs)}::timestamptz
          and (t.traded_at, t.sequence, t.trade_id) <
          (${instantText(before.exchangeTimeMs)}::timestamptz, ${before.exchangeSequence}, ${before.tradeId})`;
  const rows = await sql<TradeRow[]>`
    select m.symbol_id, (extract(epoch from m.traded_at) * 1000)::float8 as traded_at_ms,
      (extract(epoch from m.received_at) * 1000)::float8 as received_at_ms, m.sequence, m.trade_id, m.trade_count, m.side, m.price,
      m.quantity
    from unnest(${[...symbolIds]}::int[]) as wanted (symbol_id)
    cross join lateral (
      select * from market_trades t where t.symbol_id = wanted.symbol_id ${isBefore}
      order by t.traded_at desc, t.sequence desc, t.trade_id desc limit ${limit}
    ) m
    order by m.symbol_id, m.traded_at desc, m.sequence desc, m.trade_id desc`;
  return groupBy(
    rows.map((row) => ({
      symbolId: row.symbol_id,
      price: decimalText(row.price),
      quantity: decimalText(row.quantity),
      side: row.side,
      tradeId: row.trade_id,
      tradeCount: row.trade_count,
      exchangeSequence: Number(row.sequence),
      exchangeTimeMs: row.traded_at_ms,
      receivedAtMs: row.received_at_ms,
    })),
    (trade) => trade.symbolId,
  );
}

interface FundingRow {
  symbol_id: number;
  funding_time_ms: number;
  next_funding_time_ms: number | null;
  rate: string;
  mark_price: string | null;
  index_price: string | null;
  exchange_time_ms: number;
  received_at_ms: number;
}

/** The newest funding rates of each symbol that has some, newest first. */
export async function readFundingRates(
  { sql }: Database,
  symbolIds: readonly number[],
  { limit }: { readonly limit: number },
): Promise<Map<number, StoredFundingRate[]>> {
  const rows = await sql<FundingRow[]>`
    select f.symbol_id, (extract(epoch from f.funding_time) * 1000)::float8 as funding_time_ms,
      (extract(epoch from f.next_funding_time) * 1000)::float8 as next_funding_time_ms, f.rate, f.mark_price, f.index_price,
      (extract(epoch from f.exchange_time) * 1000)::float8 as exchange_time_ms,
      (extract(epoch from f.received_at) * 1000)::float8 as received_at_ms
    from unnest(${[...symbolIds]}::int[]) as wanted (symbol_id)
    cross join lateral (
      select * from funding_rates t where t.symbol_id = wanted.symbol_id order by t.funding_time desc limit ${limit}
    ) f
    order by f.symbol_id, f.funding_time desc`;
  return groupBy(
    rows.map((row) => ({
      symbolId: row.symbol_id,
      rate: decimalText(row.rate),
      fundingTimeMs: row.funding_time_ms,
      nextFundingTimeMs: row.next_funding_time_ms,
      markPrice: decimalOrNull(row.mark_price),
      indexPrice: decimalOrNull(row.index_price),
      exchangeTimeMs: row.exchange_time_ms,
      receivedAtMs: row.received_at_ms,
    })),
    (rate) => rate.symbolId,
  );
}

interface OpportunityRow {
  id: string;
  detected_at_ms: number;
  closed_at_ms: number | null;
  buy_symbol_id: number;
  sell_symbol_id: number;
  buy_price: string;
  sell_price: string;
  spread_bps: string;
  net_spread_bps: string;
  max_quantity: string;
}

const opportunityColumns = `id, (extract(epoch from detected_at) * 1000)::float8 as detected_at_ms,
  (extract(epoch from closed_at) * 1000)::float8 as closed_at_ms, buy_symbol_id, sell_symbol_id, buy_price, sell_price, spread_bps,
  net_spread_bps, max_quantity`;

const toOpportunity = (row: OpportunityRow): ArbitrageOpportunity => ({
  id: row.id,
  detectedAtMs: row.detected_at_ms,
  closedAtMs: row.closed_at_ms,
  buySymbolId: row.buy_symbol_id,
  sellSymbolId: row.sell_symbol_id,
  buyPrice: decimalText(row.buy_price),
  sellPrice: decimalText(row.sell_price),
  spreadBps: decimalText(row.spread_bps),
  netSpreadBps: decimalText(row.net_spread_bps),
  maxQuantity: decimalText(row.max_quantity),
});

/** The newest that leave at least so much, newest first. */
export async function readOpportunities(
  { sql }: Database,
  { minNetSpreadBps, limit }: { readonly minNetSpreadBps: DecimalText | null; readonly limit: number },
): Promise<ArbitrageOpportunity[]> {
  const rows = await sql<OpportunityRow[]>`
    select ${sql.unsafe(opportunityColumns)} from arbitrage_opportunities
    where net_spread_bps >= ${minNetSpreadBps ?? "0"}::numeric order by detected_at desc, id desc limit ${limit}`;
  return rows.map(toOpportunity);
}

/** Those that nobody has closed, in any order. */
export async function readOpenOpportunities({ sql }: Database): Promise<ArbitrageOpportunity[]> {
  const rows = await sql<OpportunityRow[]>`
    select ${sql.unsafe(opportunityColumns)} from arbitrage_opportunities where closed_at is null`;
  return rows.map(toOpportunity);
}

/** @param id a UUID */
export async function readOpportunity({ sql }: Database, id: string): Promise<ArbitrageOpportunity | null> {
  const [row] = await sql<OpportunityRow[]>`
    select ${sql.unsafe(opportunityColumns)} from arbitrage_opportunities where id = ${id}`;
  return row === undefined ? null : toOpportunity(row);
}

const boundText = (ms: number | null, unbounded: "infinity" | "-infinity"): string =>
  ms === null ? unbounded : instantText(ms);
const numberOrNull = (text: string | null): number | null => (text === null ? null : Number(text));
const decimalOrNull = (text: string | null): DecimalText | null => (text === null ? null : decimalText(text));
