import type { Clock } from "../core/time.js";
import type { ConnectionStatus } from "./feed.js";

/** A provider that was cut for a moment reconnects faster than another one takes over. */
const outAfterMs = 5_000;
/** How long a provider has to be connected again before its symbols go back to it. */
const backAfterMs = 10_000;
/** How long a stand-in that was out is left alone; it doubles each time that it is out again. */
const firstRestMs = 30_000;
const maxRestMs = 5 * 60_000;

interface Health {
  status: ConnectionStatus;
  sinceMs: number;
  isOut: boolean;
  /** Until when it counts as out without being tried; null while it is tried. */
  restsUntilMs: number | null;
  /** How long it rested last; 0 when it never did since it was well. */
  restMs: number;
}

/**
 * Judges which providers are out. STALE is out at once, because the feed has already waited; any other state than CONNECTED
 * after {@link outAfterMs}; and what was out is back when it has been connected for {@link backAfterMs}, so that a provider
 * that comes and goes does not drag its symbols along.
 */
export class ProviderHealth {
  readonly #health = new Map<number, Health>();

  constructor(private readonly clock: Clock) {}

  statusChanged(providerId: number, status: ConnectionStatus): void {
    const known = this.#health.get(providerId);
    if (known === undefined || known.restsUntilMs !== null) {
      const begun = { status, sinceMs: this.clock.nowMs(), isOut: status === "STALE", restsUntilMs: null };
      this.#health.set(providerId, { ...begun, restMs: known?.restMs ?? 0 });
      return;
    }
    // Remembered here: a new connection is tried at once, and the next state with it.
    if (status === "STALE") known.isOut = true;
    // From one state of trouble to the next it has been in trouble all along.
    if ((known.status === "CONNECTED") !== (status === "CONNECTED")) known.sinceMs = this.clock.nowMs();
    known.status = status;
  }

  /**
   * Nothing is left for it. When it was out, it goes on to be so for a while: otherwise it would come before a healthy one
   * of lower priority again at once.
   */
  rest(providerId: number): void {
    const health = this.#health.get(providerId);
    if (health === undefined || !this.isOut(providerId)) {
      this.forget(providerId);
      return;
    }
    health.restMs = Math.min(health.restMs * 2 || firstRestMs, maxRestMs);
    health.restsUntilMs = this.clock.nowMs() + health.restMs;
  }

  /** It is not used any more; when it is again, it starts with a clean record. */
  forget(providerId: number): void {
    this.#health.delete(providerId);
  }

  isOut(providerId: number): boolean {
    const health = this.#health.get(providerId);
    if (health === undefined) return false;
    if (health.restsUntilMs !== null) return this.clock.nowMs() < health.restsUntilMs;
    const forMs = this.clock.nowMs() - health.sinceMs;
    if (health.status === "CONNECTED") {
      if (forMs >= backAfterMs) health.isOut = false;
    } else if (forMs >= outAfterMs) {
      health.isOut = true;
    }
    return health.isOut;
  }
}

/** The first of the candidates that is not out; when all are, the provider itself, which goes on trying. */
export function servingProvider<P extends { readonly id: number }>(
  provider: P,
  candidates: readonly P[],
  health: Pick<ProviderHealth, "isOut">,
): P {
  if (!health.isOut(provider.id)) return provider;
  return candidates.find((candidate) => candidate.id !== provider.id && !health.isOut(candidate.id)) ?? provider;
}
