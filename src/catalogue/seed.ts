import { and, eq, inArray, sql } from "drizzle-orm";
import { type DecimalText, decimalText } from "../core/decimal.js";
import { StartError } from "../core/errors.js";
import type { Database, Db } from "../db/connect.js";
import * as reference from "./reference-data.js";
import { assetClasses, dataProviders, exchanges, marketHolidays, markets, symbols, tradingSessions } from "./tables.js";

export type PriceSource = "simulated" | "live";

/**
 * Adds what is missing of the reference data, in one transaction; what is there already, and may have been changed by
 * operators, stays as it is. A database belongs to one source of prices for good: real and invented ones never mix.
 * @throws {StartError} when the database belongs to the other source
 */
export async function seedReferenceData(database: Database, source: PriceSource): Promise<void> {
  await database.db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtext('tradegraph.seed'))`);
    await requirePriceSource(tx, source);
    await tx
      .insert(assetClasses)
      .values([...reference.assetClasses])
      .onConflictDoNothing({ target: assetClasses.code });
    const assetClassIds = await idsByCode(tx, assetClasses);
    await tx
      .insert(exchanges)
      .values([...reference.exchanges])
      .onConflictDoNothing({ target: exchanges.code });
    const exchangeIds = await idsByCode(tx, exchanges);
    await tx
      .insert(markets)
      .values(
        reference.markets.map(({ exchange, assetClass, ...market }) => ({
          ...decimals(market),
          exchangeId: required(exchangeIds, exchange),
          assetClassId: required(assetClassIds, assetClass),
        })),
      )
      .onConflictDoNothing({ target: markets.code });
    const marketIds = await idsByCode(tx, markets);
    const ofMarket = <T extends { market: string }>({ market, ...row }: T) => ({
      ...row,
      marketId: required(marketIds, market),
    });
    await tx.insert(tradingSessions).values(reference.tradingSessions.map(ofMarket)).onConflictDoNothing();
    await tx.insert(marketHolidays).values(reference.marketHolidays.map(ofMarket)).onConflictDoNothing();
    const providers = providersFor(source);
    await tx.insert(dataProviders).values(providers.map(ofMarket)).onConflictDoNothing({ target: dataProviders.code });
    // Where nobody delivers from this source, nothing is tracked: the simulated exchange does not play every market.
    const fedMarketIds = new Set(
      providers.filter(({ isPrimary }) => isPrimary).map(({ market }) => required(marketIds, market)),
    );
    // Mostly none: making a statement of hundreds of rows that are there already would take longer than asking.
    const missing = await missingOf(tx, reference.symbols.map(ofMarket));
    if (missing.length === 0) return;
    await tx
      .insert(symbols)
      .values(
        missing.map(({ assetClass, ...symbol }) => ({
          ...decimals(symbol),
          isTracked: symbol.isTracked && fedMarketIds.has(symbol.marketId),
          assetClassId: required(assetClassIds, assetClass),
        })),
      )
      .onConflictDoNothing({ target: [symbols.marketId, symbols.ticker] });
  });
}

/** Of listed symbols those that are not there. */
async function missingOf<T extends { readonly marketId: number; readonly ticker: string }>(
  tx: Pick<Db, "execute">,
  listed: readonly T[],
): Promise<T[]> {
  const keys = JSON.stringify(listed.map(({ marketId, ticker }) => [marketId, ticker]));
  const rows = await tx.execute<{ place: number }>(sql`
    select (place - 1)::int as place from jsonb_array_elements(${keys}::text::jsonb) with ordinality as listed (key, place)
    where not exists (
      select from symbols where market_id = (key ->> 0)::int and ticker = key ->> 1
    )
    order by place`);
  return rows.flatMap(({ place }) => listed[place] ?? []);
}

/** In a simulated database the simulated exchange is the primary provider; a live one does not know it. */
function providersFor(source: PriceSource) {
  return reference.dataProviders
    .filter((provider) => source === "simulated" || provider.providerType !== "SIMULATED")
    .map((provider) => ({
      ...provider,
      isPrimary: (provider.providerType === "SIMULATED") === (source === "simulated"),
    }));
}

async function requirePriceSource(db: Pick<Db, "select">, source: PriceSource): Promise<void> {
  const providers = await db.select({ type: dataProviders.providerType }).from(dataProviders);
  if (providers.length === 0) return;
  const found: PriceSource = providers.some(({ type }) => type === "SIMULATED") ? "simulated" : "live";
  if (found !== source) {
    throw new StartError(
      `this database holds ${found} prices and the program was started for ${source} ones; they never mix. Use another database, or ${
        found === "live" ? "start with --live" : "leave out --live"
      }.`,
    );
  }
}

/** @throws {StartError} when the database belongs to the other source of prices, or has no reference data */
export async function requireSeeded(database: Database, source: PriceSource): Promise<void> {
  const [row] = await database.db.select({ id: dataProviders.id }).from(dataProviders).limit(1);
  if (row === undefined) throw new StartError('the database has no reference data: run "tradegraph seed"');
  await requirePriceSource(database.db, source);
}

/**
 * Where the simulated exchange of this run listens for each market, by the market's code; it stands in the provider's row like
 * any other endpoint. A market that it does not have now gets none, so that nobody connects to where it was.
 */
export async function setSimulatorEndpoints(
  database: Database,
  addresses: ReadonlyMap<string, { readonly url: string; readonly websocketUrl: string }>,
): Promise<void> {
  const isSimulated = and(eq(dataProviders.providerType, "SIMULATED"), inArray(dataProviders.feedType, ["WEBSOCKET"]));
  await database.db.transaction(async (tx) => {
    const rows = await tx
      .select({ id: dataProviders.id, market: markets.code })
      .from(dataProviders)
      .innerJoin(markets, eq(markets.id, dataProviders.marketId))
      .where(isSimulated);
    for (const { id, market } of rows) {
      const address = addresses.get(market);
      await tx
        .update(dataProviders)
        .set({ endpointUrl: address?.url ?? null, websocketUrl: address?.websocketUrl ?? null })
        .where(eq(dataProviders.id, id));
    }
  });
}

type CodedTable = typeof assetClasses | typeof exchanges | typeof markets;

async function idsByCode(tx: Pick<Db, "select">, table: CodedTable): Promise<Map<string, number>> {
  const source = table as typeof exchanges;
  const rows = await tx.select({ id: source.id, code: source.code }).from(source);
  return new Map(rows.map((row) => [row.code, row.id]));
}

function required(ids: ReadonlyMap<string, number>, code: string): number {
  const id = ids.get(code);
  if (id === undefined) throw new Error(`the reference data names ${code}, which it does not contain`);
  return id;
}

const decimalColumns = ["defaultCommissionRate", "tickSize", "stepSize", "minOrderValue"] as const;
type DecimalColumn = (typeof decimalColumns)[number];
type WithDecimals<T> = { [K in keyof T]: K extends DecimalColumn ? DecimalText : T[K] };

/** The reference data has plain strings; the tables take canonical decimal text. */
function decimals<T extends object>(row: T): WithDecimals<T> {
  const copy = { ...row } as Record<string, unknown>;
  for (const column of decimalColumns) if (typeof copy[column] === "string") copy[column] = decimalText(copy[column]);
  return copy as WithDecimals<T>;
}
