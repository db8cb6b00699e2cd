import fc from "fast-check";
import { expect, test } from "vitest";
import type { QueuedEvent } from "./dispatch-events.js";
import { EventStream } from "./event-stream.js";
import type { EventWatch, UserEvents } from "./follow-users.js";

/** A database that has everything, and messages that may come late, twice, in another order, or never. */
class Unreliable {
  readonly stored: QueuedEvent[] = [];
  watch: EventWatch | undefined;
  isStopped = false;

  store(accountId: string): QueuedEvent {
    const sequence = this.stored.filter((event) => event.accountId === accountId).length + 1;
    const event = { eventId: `${accountId}${sequence}`, userId: "u", accountId, sequence, payload: {} };
    this.stored.push(event);
    return event;
  }

  newestOf(accountId: string): number {
    return this.stored.filter((event) => event.accountId === accountId).length;
  }

  get events(): UserEvents {
    const events: Pick<UserEvents, "watch" | "newest" | "read"> = {
      watch: (_userId, watch) => {
        this.watch = watch;
        return () => {
          this.isStopped = true;
        };
      },
      newest: async () =>
        new Map([...new Set(this.stored.map(({ accountId }) => accountId))].map((id) => [id, this.newestOf(id)])),
      read: async (_userId, accountId, after) =>
        this.stored.filter((event) => event.accountId === accountId && event.sequence > after).slice(0, 3),
    };
    return events as UserEvents;
  }
}

test("whatever becomes of the messages, each account's events come once, in order and without a gap", async () => {
  const fate = fc.record({
    account: fc.constantFrom("a", "b", "c"),
    delivery: fc.constantFrom("at once", "late", "twice", "never"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 40 }), fc.nat(3), async (fates, known) => {
      const source = new Unreliable();
      for (let n = 0; n < known; n++) source.store("a");
      const stream = new EventStream({ events: source.events, userId: "u", accountId: null, after: null });
      await stream.start();
      const late: QueuedEvent[] = [];
      for (const { account, delivery } of fates) {
        const event = source.store(account);
        if (delivery === "late") late.unshift(event);
        else if (delivery !== "never") source.watch?.onEvent(event);
        if (delivery === "twice") source.watch?.onEvent(event);
      }
      for (const event of late) source.watch?.onEvent(event);
      for (const account of ["a", "b", "c"]) source.watch?.onNewest(account, source.newestOf(account));
      const told: string[] = [];
      for (let n = 0; n < fates.length; n++) told.push((await stream.next()).value.eventId);
      for (const account of ["a", "b", "c"])
        expect(told.filter((id) => id.startsWith(account))).toEqual(
          source.stored
            .filter((event) => event.accountId === account)
            .slice(account === "a" ? known : 0)
            .map(({ eventId }) => eventId),
        );
      const waiting = stream.next();
      await stream.return();
      expect(await waiting).toEqual({ done: true, value: undefined });
      expect(source.isStopped).toBe(true);
    }),
  );
});

test("what is no longer kept ends the stream, with where to go on from", async () => {
  const source = new Unreliable();
  for (let n = 0; n < 5; n++) source.store("a");
  const forgotten = Object.assign(source.events, { read: async () => source.stored.slice(3) });
  const stream = new EventStream({ events: forgotten, userId: "u", accountId: "a", after: 1 });
  await expect(stream.next()).rejects.toMatchObject({ code: "STREAM_OVERFLOW", details: { resumeFrom: "5" } });
});

test("an account of somebody else is not there, and nobody resumes from the future", async () => {
  const source = new Unreliable();
  source.store("a");
  const of = (accountId: string, after: number | null) =>
    new EventStream({ events: source.events, userId: "u", accountId, after }).start();
  await expect(of("z", null)).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(of("a", 2)).rejects.toMatchObject({ code: "BAD_USER_INPUT" });
});
