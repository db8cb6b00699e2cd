import type { DecimalText } from "../../core/decimal.js";
import type { Database } from "../../db/connect.js";
import type { ArbitrageOpportunity } from "../arbitrage-watch.js";
import type { Candle } from "../candles.js";
import {
  type CandleRange,
  readCandles,
  readFundingRates,
  readOpportunities,
  readOpportunity,
  readTrades,
  type StoredFundingRate,
  type StoredTrade,
} from "./read-series.js";

type OfSymbol<T> = T & { readonly symbolId: number };
type ReadMany<Query, Row> = (symbolIds: readonly number[], query: Query) => Promise<Map<number, Row[]>>;

/**
 * What the API reads. Requests that differ only in the symbol and come in the same turn of the event loop, as those of a list
 * of symbols do, are one statement.
 */
export class SeriesReader {
  readonly candles: (request: OfSymbol<CandleRange>) => Promise<readonly Candle[]>;
  readonly trades: (request: OfSymbol<{ readonly limit: number }>) => Promise<readonly StoredTrade[]>;
  readonly fundingRates: (request: OfSymbol<{ readonly limit: number }>) => Promise<readonly StoredFundingRate[]>;

  constructor(private readonly database: Database) {
    this.candles = together((ids, range: CandleRange) => readCandles(database, ids, range));
    this.trades = together((ids, query: { readonly limit: number }) => readTrades(database, ids, query));
    this.fundingRates = together((ids, query: { readonly limit: number }) => readFundingRates(database, ids, query));
  }

  arbitrageOpportunities(query: { readonly minNetSpreadBps: DecimalText | null; readonly limit: number }) {
    return readOpportunities(this.database, query);
  }

  async arbitrageOpportunity(id: string): Promise<ArbitrageOpportunity | null> {
    return uuid.test(id) ? readOpportunity(this.database, id) : null;
  }
}

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Symbols of one statement. */
const maxSymbols = 500;

/** Collects the requests of one turn by all that is not the symbol, and reads each collection at once. */
function together<Query, Row>(read: ReadMany<Query, Row>): (request: OfSymbol<Query>) => Promise<readonly Row[]> {
  const waiting = new Map<string, { readonly ids: Set<number>; readonly rows: Promise<Map<number, Row[]>> }>();
  return async ({ symbolId, ...rest }) => {
    const query = rest as unknown as Query;
    const key = JSON.stringify(query);
    let group = waiting.get(key);
    if (group === undefined || group.ids.size >= maxSymbols) {
      const ids = new Set<number>();
      const rows = nextTurn().then(() => {
        if (waiting.get(key)?.ids === ids) waiting.delete(key);
        return read([...ids], query);
      });
      group = { ids, rows };
      waiting.set(key, group);
    }
    group.ids.add(symbolId);
    return (await group.rows).get(symbolId) ?? [];
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
