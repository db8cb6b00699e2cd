import type { Clock } from "../core/time.js";
import type { RequestLimits } from "./request-limits.js";

/** Between the nodes of one installation, at most once. */
export interface LimitChannel {
  publish(text: string): void;
  /** Returns what ends it. */
  subscribe(onText: (text: string) => void): () => void;
}

interface Told {
  readonly node: string;
  /** The limit's name, the client's key, and how much it took. */
  readonly taken: readonly (readonly [limit: string, key: string, amount: number])[];
}

const intervalMs = 1_000;
/** Who takes less than this part of a limit in a second is not worth a word. */
const worthTelling = 1 / 100;
/** In one message; what is left waits for the next one. */
const maxTaken = 2_000;
const maxKeyLength = 100;

/**
 * Tells the other nodes once a second what clients took here, and counts what they took there. Not exact: before the second is
 * over, a client that asks every node at once may take its share on each. What it took that way is counted afterwards, so that
 * over minutes it has no more than one share; less than 1 % of the limit per node remains untold at a time. Without the channel
 * each node counts by itself.
 * @returns what ends it
 */
export function shareLimits(limits: RequestLimits, channel: LimitChannel, node: string, clock: Clock): () => void {
  const byName = new Map(limits.limiters.filter(({ isOn }) => isOn).map((limiter) => [limiter.policy.name, limiter]));
  const tell = () => {
    const taken: Told["taken"][number][] = [];
    for (const limiter of byName.values()) {
      if (taken.length >= maxTaken) break;
      for (const [key, amount] of limiter.share(limiter.policy.limit * worthTelling)) {
        taken.push([limiter.policy.name, key, amount]);
        if (taken.length >= maxTaken) break;
      }
    }
    if (taken.length > 0) channel.publish(JSON.stringify({ node, taken } satisfies Told));
  };
  const hear = (text: string) => {
    const told = read(text);
    if (told === null || told.node === node) return;
    const nowMs = clock.nowMs();
    for (const [name, key, amount] of told.taken) byName.get(name)?.bucketOf(key).takenElsewhere(amount, nowMs);
  };
  const timer = setInterval(tell, intervalMs);
  const stopHearing = channel.subscribe(hear);
  return () => {
    clearInterval(timer);
    stopHearing();
  };
}

/** Null for what no node of this kind can have said. */
function read(text: string): Told | null {
  try {
    const told = JSON.parse(text) as Told;
    const isWell =
      typeof told.node === "string" &&
      told.taken.length <= maxTaken &&
      told.taken.every(
        ([name, key, amount]) =>
          typeof name === "string" && typeof key === "string" && key.length <= maxKeyLength && amount > 0,
      );
    return isWell ? told : null;
  } catch {
    return null;
  }
}
