import { eq } from "drizzle-orm";
import type { Actor, AuditDetails } from "../core/actor.js";
import { badInput, DomainError, notFound } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import type { Database, Db } from "../db/connect.js";
import type { Catalogue, Market, MarketSymbol } from "./catalogue.js";
import type { CatalogueFollower } from "./follow.js";
import { markets, symbols } from "./tables.js";

export interface SymbolChange {
  readonly isActive?: boolean | null;
  readonly isTracked?: boolean | null;
  readonly isPopular?: boolean | null;
  readonly isDefault?: boolean | null;
  readonly broadcastPriority?: number | null;
  readonly displayOrder?: number | null;
  /** Null: the market's primary provider. */
  readonly dataProviderCode?: string | null | undefined;
  readonly status?: MarketSymbol["status"] | null;
}

/** What operators change of the catalogue. Each change is visible in this process when it returns, and in the others within a second. */
export interface CatalogueOperations {
  updateSymbol(by: Actor, symbol: MarketSymbol, change: SymbolChange): Promise<MarketSymbol>;
  /** HALTED and MAINTENANCE hold until null gives the market back to its sessions. */
  setMarketStatus(by: Actor, marketCode: string, status: string | null): Promise<Market>;
  /** Reads the instruments of the market's exchange; returns how many symbols were added or changed. */
  syncSymbols(by: Actor, marketCode: string): Promise<number>;
}

/** Writes down, in the same transaction, who has done what to what. */
export type RecordOperation = (
  tx: Pick<Db, "insert">,
  by: Actor,
  action: "symbol.update" | "market.set-status",
  target: string,
  details: AuditDetails,
) => Promise<void>;

interface Dependencies {
  readonly database: Database;
  readonly catalogue: Catalogue;
  readonly follower: CatalogueFollower;
  readonly clock: Clock;
  readonly record: RecordOperation;
}

export async function updateSymbol(
  on: Dependencies,
  by: Actor,
  symbol: MarketSymbol,
  change: SymbolChange,
): Promise<MarketSymbol> {
  const { catalogue } = on;
  const { dataProviderCode, ...flags } = change;
  const values: Partial<typeof symbols.$inferInsert> = Object.fromEntries(
    Object.entries(flags).filter(([, value]) => value !== null && value !== undefined),
  );
  if (dataProviderCode !== undefined) {
    values.dataProviderId = dataProviderCode === null ? null : providerIdOf(catalogue, symbol, dataProviderCode);
  }
  if (Object.keys(values).length === 0) throw badInput("input", "nothing to change");
  try {
    await on.database.db.transaction(async (tx) => {
      await tx.update(symbols).set(values).where(eq(symbols.id, symbol.id));
      await on.record(tx, by, "symbol.update", `${catalogue.market(symbol.marketId).code} ${symbol.ticker}`, {
        ...(values as AuditDetails),
        ...(dataProviderCode === undefined ? {} : { dataProviderCode }),
      });
    });
  } catch (error) {
    throw explainRefusal(error) ?? error;
  }
  await on.follower.refresh("symbols", [symbol.id]);
  return catalogue.findSymbol(symbol.id) ?? symbol;
}

function providerIdOf(catalogue: Catalogue, symbol: MarketSymbol, code: string): number {
  const provider = catalogue.providerByCode(code);
  if (provider === undefined || provider.marketId !== symbol.marketId) {
    throw badInput("dataProviderCode", `${code.slice(0, 50)} is not a provider of the symbol's market`);
  }
  return provider.id;
}

/** The rules of the table, in the words of the API. */
const refusals: Readonly<Record<string, DomainError>> = {
  ck_symbols_minimum_defaults: new DomainError(
    "CONFLICT",
    "at least nine symbols must be default; make another one a default first",
    { field: "isDefault" },
  ),
  ck_symbols_default_active: new DomainError(
    "CONFLICT",
    "a default symbol must be active; take it from the defaults first",
    { field: "isActive" },
  ),
  ck_symbols_broadcast_priority: badInput("broadcastPriority", "broadcastPriority must be from 0 to 100"),
};

function explainRefusal(error: unknown): DomainError | null {
  // A rule that is checked at the end of the transaction is told by the driver itself.
  const { constraint_name: own, cause } = error as { constraint_name?: string; cause?: { constraint_name?: string } };
  return refusals[own ?? cause?.constraint_name ?? ""] ?? null;
}

export async function setMarketStatus(
  on: Dependencies,
  by: Actor,
  marketCode: string,
  status: string | null,
): Promise<Market> {
  const market = on.catalogue.marketByCode(marketCode);
  if (market === undefined) throw notFound("market");
  if (status !== null && status !== "HALTED" && status !== "MAINTENANCE") {
    throw badInput(
      "status",
      "an operator sets HALTED or MAINTENANCE, or null; every other status follows from the sessions",
    );
  }
  await on.database.db.transaction(async (tx) => {
    await tx
      .update(markets)
      .set({ operatorStatus: status, statusUpdatedAt: new Date(on.clock.nowMs()) })
      .where(eq(markets.id, market.id));
    await on.record(tx, by, "market.set-status", market.code, { status });
  });
  await on.follower.refresh("markets", [market.id]);
  return on.catalogue.market(market.id);
}
