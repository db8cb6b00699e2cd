import { decimalPlaces, decimalText } from "../core/decimal.js";
import type { Database } from "../db/connect.js";
import type { Market } from "./catalogue.js";

/** What an exchange says about one of its instruments. Sizes are decimal text in base units, order values in quote units. */
export interface Instrument {
  readonly ticker: string;
  readonly baseCurrency: string;
  readonly quoteCurrency: string;
  readonly status: "TRADING" | "HALT" | "DELISTED";
  readonly tickSize: string;
  readonly stepSize: string;
  readonly minQuantity: string | null;
  readonly maxQuantity: string | null;
  readonly minOrderValue: string | null;
  readonly maxOrderValue: string | null;
}

/** A market's list as its exchange sent it. */
export interface InstrumentList {
  readonly instruments: readonly Instrument[];
  /** Listed as well, but with rules that make no sense: their symbols stay as they are. */
  readonly brokenTickers: readonly string[];
}

/**
 * Writes the exchange's trading rules to the market's symbols. New instruments become active symbols that nobody tracks
 * yet; what operators decided (active, tracked, default, names …) stays as it is; symbols that the exchange no longer
 * lists become DELISTED. Returns how many symbols were added or changed.
 */
export async function storeInstruments(
  database: Database,
  market: Market,
  { instruments, brokenTickers }: InstrumentList,
): Promise<number> {
  // An empty answer is a fault of the exchange, not the end of all its symbols.
  if (instruments.length === 0) return 0;
  const column = <T>(of: (instrument: Instrument) => T): T[] => instruments.map(of);
  const places = (of: (instrument: Instrument) => string) =>
    column((i) => Math.min(18, decimalPlaces(decimalText(of(i)))));
  return database.sql.begin(async (tx) => {
    const written = await tx`
      insert into symbols as stored (market_id, asset_class_id, ticker, display_name, base_currency, quote_currency, status,
        tick_size, step_size, min_quantity, max_quantity, min_order_value, max_order_value, price_precision, quantity_precision, display_order)
      select ${market.id}::int, ${market.assetClassId}::int, ticker, base || '/' || quote, base, quote, status::symbol_status_enum,
        tick, step, min_quantity, max_quantity, min_value, max_value, price_places, quantity_places, 1000
      from unnest(
        ${column((i) => i.ticker)}::text[], ${column((i) => i.baseCurrency)}::text[], ${column((i) => i.quoteCurrency)}::text[],
        ${column((i) => i.status)}::text[], ${column((i) => i.tickSize)}::text[]::numeric[], ${column((i) => i.stepSize)}::text[]::numeric[],
        ${column((i) => i.minQuantity)}::text[]::numeric[], ${column((i) => i.maxQuantity)}::text[]::numeric[],
        ${column((i) => i.minOrderValue)}::text[]::numeric[], ${column((i) => i.maxOrderValue)}::text[]::numeric[],
        ${places((i) => i.tickSize)}::smallint[], ${places((i) => i.stepSize)}::smallint[])
        as listed (ticker, base, quote, status, tick, step, min_quantity, max_quantity, min_value, max_value, price_places, quantity_places)
      on conflict (market_id, ticker) do update set status = excluded.status, tick_size = excluded.tick_size,
        step_size = excluded.step_size, min_quantity = excluded.min_quantity, max_quantity = excluded.max_quantity,
        min_order_value = excluded.min_order_value, max_order_value = excluded.max_order_value,
        price_precision = excluded.price_precision, quantity_precision = excluded.quantity_precision
      where (stored.status, stored.tick_size, stored.step_size, stored.min_quantity, stored.max_quantity, stored.min_order_value,
          stored.max_order_value)
        is distinct from (excluded.status, excluded.tick_size, excluded.step_size, excluded.min_quantity, excluded.max_quantity,
          excluded.min_order_value, excluded.max_order_value)`;
    const delisted = await tx`
      update symbols set status = 'DELISTED'
      where market_id = ${market.id} and status <> 'DELISTED' and ticker <> all(${[...column((i) => i.ticker), ...brokenTickers]}::text[])`;
    return written.count + delisted.count;
  });
}
