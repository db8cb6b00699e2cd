import type { Catalogue, DataProvider } from "./catalogue/catalogue.js";
import { openCredentials, type ProviderCredentials } from "./catalogue/provider-credentials.js";
import { UsageMeter } from "./catalogue/provider-usage.js";
import { errorMessage } from "./core/errors.js";
import type { KeyRing } from "./core/key-ring.js";
import type { Logger } from "./core/logger.js";
import type { Clock } from "./core/time.js";
import type { Database } from "./db/connect.js";
import type { ProviderAccess } from "./feeds/supervisor.js";

interface Opened {
  readonly credentials: ProviderCredentials | null;
  readonly problem: string | null;
}

/** How far the providers may be used, by their rows: their credentials, and what is left of the month's requests. */
export function openProviderAccess(
  database: Database,
  catalogue: Catalogue,
  keyRing: KeyRing | null,
  clock: Clock,
  log: Logger,
): ProviderAccess & { close(): Promise<void> } {
  const meter = new UsageMeter(database, catalogue, clock, log);
  /** By row, which is another object after every change. */
  const known = new WeakMap<DataProvider, Opened>();
  const open = (provider: DataProvider): Opened => {
    const opened = known.get(provider) ?? tryToOpen(keyRing, provider);
    known.set(provider, opened);
    return opened;
  };
  return {
    refusal: (provider) => open(provider).problem ?? meter.refusal(provider),
    budgetOf: ({ id }) => ({ take: () => meter.take(id) }),
    credentialsOf: (provider) => open(provider).credentials,
    close: () => meter.close(),
  };
}

function tryToOpen(keyRing: KeyRing | null, provider: DataProvider): Opened {
  try {
    return { credentials: openCredentials(keyRing, provider), problem: null };
  } catch (error) {
    return { credentials: null, problem: `its credentials cannot be opened: ${errorMessage(error)}` };
  }
}
