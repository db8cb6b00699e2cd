import type { Catalogue } from "../catalogue/catalogue.js";
import { storeInstruments } from "../catalogue/sync-symbols.js";
import { DomainError, notFound } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";
import { adapterOf } from "../feeds/adapters.js";
import { endpointOf, type ProviderAccess } from "../feeds/supervisor.js";

/**
 * Reads the instruments of a market from its exchange and stores their trading rules. Returns how many symbols were added
 * or changed.
 * @throws {DomainError} NOT_FOUND for an unknown market, PROVIDER_UNAVAILABLE when the exchange does not answer
 */
export async function syncInstruments(
  database: Database,
  catalogue: Catalogue,
  marketCode: string,
  log: Logger,
  access?: ProviderAccess,
): Promise<number> {
  const market = catalogue.marketByCode(marketCode);
  if (market === undefined) throw notFound("market");
  const provider = catalogue.primaryProviderOf(market.id);
  const endpoint = provider === undefined ? null : endpointOf(provider, access);
  const adapter = provider === undefined ? undefined : adapterOf(provider, marketCode);
  if (endpoint === null || adapter === undefined) {
    throw new DomainError("PROVIDER_UNAVAILABLE", `${marketCode} has no provider that lists its instruments`);
  }
  return storeInstruments(database, market, await adapter.fetchInstruments(endpoint, log));
}
