import type { Catalogue, Market } from "../catalogue/catalogue.js";
import { type InstrumentList, storeInstruments } from "../catalogue/sync-symbols.js";
import { DomainError, errorCode, errorMessage, notFound } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";
import { adapterOf } from "../feeds/adapters.js";
import { endpointOf, type ProviderAccess } from "../feeds/supervisor.js";
import { type Job, JobError } from "./job.js";

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
  requirePlausible: (market: Market, list: InstrumentList) => void = () => {},
): Promise<number> {
  const market = catalogue.marketByCode(marketCode);
  if (market === undefined) throw notFound("market");
  const provider = catalogue.primaryProviderOf(market.id);
  const endpoint = provider === undefined ? null : endpointOf(provider, access);
  const adapter = provider === undefined ? undefined : adapterOf(provider, marketCode);
  if (endpoint === null || adapter === undefined) {
    throw new DomainError("PROVIDER_UNAVAILABLE", `${marketCode} has no provider that lists its instruments`);
  }
  const list = await adapter.fetchInstruments(endpoint, log);
  requirePlausible(market, list);
  return storeInstruments(database, market, list);
}

/** An exchange whose list has lost more than this share of what trades is not believed, unless an operator asks. */
const maxVanished = 0.2;

/**
 * Keeps the trading rules of all markets that are followed as their exchanges have them. A market that fails holds up no other.
 * @param onChanged told when symbols were added or changed
 */
export const syncAllInstruments = (
  database: Database,
  catalogue: Catalogue,
  log: Logger,
  access: ProviderAccess,
  onChanged: () => Promise<void>,
): Job => ({
  name: "sync-instruments",
  everyMs: 24 * 3_600_000,
  first: "later",
  work: async ({ mayGoOn }) => {
    const failures: string[] = [];
    let [markets, changed] = [0, 0];
    const requirePlausible = (market: Market, { instruments, brokenTickers }: InstrumentList) => {
      const listed = new Set([...instruments.map(({ ticker }) => ticker), ...brokenTickers]);
      const trading = catalogue.symbols.filter(
        ({ marketId, status }) => marketId === market.id && status === "TRADING",
      );
      const vanished = trading.filter(({ ticker }) => !listed.has(ticker)).length;
      if (vanished > Math.max(1, trading.length * maxVanished))
        throw new JobError(`${vanished} of ${trading.length} symbols are missing in its list`);
    };
    for (const { id, code } of catalogue.markets) {
      if (!mayGoOn() || !isListed(catalogue, id, code, access)) continue;
      try {
        changed += await syncInstruments(database, catalogue, code, log, access, requirePlausible);
        markets++;
      } catch (error) {
        const isMeant = error instanceof DomainError || error instanceof JobError;
        failures.push(`${code}: ${isMeant ? error.message : errorCode(error)}`);
        log.warn({ market: code, error: errorMessage(error) }, "instruments.not-synced");
      }
    }
    if (changed > 0) await onChanged();
    if (failures.length > 0) throw new JobError(failures.join("; "));
    return { markets, changed };
  },
});

/** Whether anything of the market is followed, and its primary provider tells what there is. */
function isListed(catalogue: Catalogue, marketId: number, code: string, access: ProviderAccess): boolean {
  const provider = catalogue.primaryProviderOf(marketId);
  if (provider === undefined || catalogue.trackedSymbolsOf(provider.id).length === 0) return false;
  return endpointOf(provider, access) !== null && (adapterOf(provider, code)?.listsInstruments ?? true);
}
