import type { Projection } from "../events/projection.js";

/** What happens on each account on each day, by kind of event. Counting needs no order, so a dead letter may be added later. */
export const accountActivity: Projection = {
  name: "account-activity",
  async apply(sql, events) {
    const counts = new Map<
      string,
      { userId: string; accountId: string; day: string; type: string; count: number; last: number }
    >();
    for (const { userId, accountId, type, sequence, occurredAt } of events) {
      const day = occurredAt.toISOString().slice(0, 10);
      const key = `${day} ${type}`;
      const known = counts.get(key) ?? { userId, accountId, day, type, count: 0, last: 0 };
      counts.set(key, { ...known, count: known.count + 1, last: Math.max(known.last, sequence) });
    }
    for (const { userId, accountId, day, type, count, last } of counts.values())
      await sql`
        insert into account_activity as a (account_id, user_id, day, event_type, event_count, last_sequence)
        values (${accountId}, ${userId}, ${day}, ${type}, ${count}, ${last})
        on conflict (account_id, day, event_type) do update set event_count = a.event_count + excluded.event_count,
          last_sequence = greatest(a.last_sequence, excluded.last_sequence)`;
  },
};
