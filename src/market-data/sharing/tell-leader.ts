import type { Bus } from "../../bus/bus.js";
import type { Leadership } from "../../db/leadership.js";
import { leaderSubject, parseJson } from "./messages.js";
import type { RejectedMessages } from "./rejected-messages.js";

const tellEveryMs = 500;

/**
 * On the node that leads the feeds: says so, and hears whether another one does. The feeds go on while the database cannot be
 * reached from here; when another node reaches it and leads, this is how the one that led before learns of it. Returns what
 * ends it.
 */
export function tellLeader(bus: Bus, leadership: Leadership, rejected: RejectedMessages): () => void {
  const tell = (): void => {
    const { term } = leadership;
    if (term !== null) bus.publish(leaderSubject, JSON.stringify({ term }));
  };
  const stopListening = bus.subscribe(leaderSubject, (text) => {
    const term = (parseJson(text) as { term?: unknown } | null | undefined)?.term;
    if (typeof term === "number" && Number.isSafeInteger(term)) leadership.anotherLeads(term);
    else rejected.add(leaderSubject, text);
  });
  const telling = setInterval(tell, tellEveryMs);
  tell();
  return () => {
    clearInterval(telling);
    stopListening();
  };
}
