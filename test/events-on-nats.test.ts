import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Bus } from "../src/bus/bus.js";
import { BusAwayError, type DurableBus, MessageRefusedError } from "../src/bus/durable.js";
import { joinNats } from "../src/bus/nats.js";
import { findNats, type NatsServer, startNats } from "./support/nats.js";
import { until } from "./support/until.js";

const natsPath = findNats();
const silent = pino({ level: "silent" });
const installationId = randomUUID();

describe.skipIf(natsPath === null)("events that the broker keeps", () => {
  let nats: NatsServer;
  const buses: Bus[] = [];
  let known: (text: string) => boolean = () => true;

  function join(url = nats.url, installation = installationId): { bus: Bus; durable: DurableBus } {
    const bus = joinNats(url, silent);
    buses.push(bus);
    const durable = bus.durable({ installationId: installation, isKnown: async (text) => known(text) });
    if (durable === null) throw new Error("NATS has durable messages");
    return { bus, durable };
  }
  const ready = async (durable: DurableBus) => await until(() => durable.state.kind === "ready", 20_000);

  beforeAll(async () => {
    nats = await startNats(natsPath ?? "", { jetStream: true });
  });
  afterEach(async () => {
    known = () => true;
    for (const bus of buses.splice(0)) await bus.close();
  });
  afterAll(() => nats?.remove());

  test("one that is published twice is stored once, and is told to who listens now as well", async () => {
    const { bus, durable } = join();
    await ready(durable);
    const heard: string[] = [];
    bus.subscribe("ledger.once", (text) => heard.push(text));
    const consumed: string[] = [];
    const stop = durable.consume("once", async (text) => void consumed.push(text));
    const id = randomUUID();
    await durable.publish("ledger.once", "a", id);
    await durable.publish("ledger.once", "a", id);
    await durable.publish("ledger.once", "b", randomUUID());
    await until(() => consumed.includes("b"));
    expect(consumed.filter((text) => text === "a")).toEqual(["a"]);
    await until(() => heard.includes("b"));
    await stop();
  });

  test("race: the broker is killed while a consumer works; what was published before and after comes, and each purpose has all", async () => {
    const { durable } = join();
    await ready(durable);
    const [first, second]: [string[], string[]] = [[], []];
    const stopFirst = durable.consume("first", async (text) => void first.push(text));
    await durable.publish("ledger.x", "before", randomUUID());
    await until(() => first.includes("before"));
    await nats.kill();
    await until(() => durable.state.kind === "away");
    await expect(durable.publish("ledger.x", "meanwhile", randomUUID())).rejects.toThrow(BusAwayError);
    await nats.start();
    await ready(durable);
    await durable.publish("ledger.x", "after", randomUUID());
    await until(() => first.includes("after"), 30_000);
    // Another purpose begins later, and has what came before.
    const stopSecond = durable.consume("second", async (text) => void second.push(text));
    await until(() => second.includes("before") && second.includes("after"), 30_000);
    expect(first).not.toContain("meanwhile");
    await stopFirst();
    await stopSecond();
  });

  test("one that a consumer cannot take in comes again, to another process of the same purpose when the first is gone", async () => {
    const [a, b] = [join(), join()];
    await ready(a.durable);
    await ready(b.durable);
    let attempts = 0;
    const stopA = a.durable.consume("again", async (text) => {
      if (text !== "hard") return;
      attempts++;
      throw new Error("not now");
    });
    await a.durable.publish("ledger.y", "hard", randomUUID());
    await until(() => attempts >= 2, 20_000);
    await stopA();
    const taken: string[] = [];
    const stopB = b.durable.consume("again", async (text) => void taken.push(text));
    await until(() => taken.includes("hard"), 40_000);
    await stopB();
  });

  test("one that is larger than the broker takes is refused for good", async () => {
    const { durable } = join();
    await ready(durable);
    await expect(durable.publish("ledger.z", "x".repeat(2_000_000), randomUUID())).rejects.toThrow(MessageRefusedError);
    expect(durable.state.kind).toBe("ready");
  });

  test("an older database was restored: the stream that tells of what never happened is emptied, and goes on", async () => {
    const before = join();
    await ready(before.durable);
    await before.durable.publish("ledger.future", "from the future", randomUUID());
    await before.bus.close();
    known = (text) => text !== "from the future";
    const { durable } = join();
    await ready(durable);
    expect(durable.realignments).toBe(1);
    const taken: string[] = [];
    const stop = durable.consume("restored", async (text) => void taken.push(text));
    await durable.publish("ledger.future", "new", randomUUID());
    await until(() => taken.includes("new"));
    expect(taken).toEqual(["new"]);
    await stop();
  });

  test("a stream of another installation is not touched", async () => {
    const mine = join();
    await ready(mine.durable);
    await mine.durable.publish("ledger.mine", "mine", randomUUID());
    known = () => false;
    const { durable } = join(nats.url, randomUUID());
    await until(() => durable.state.kind === "unsupported");
    expect(durable.state).toMatchObject({ reason: expect.stringContaining("another installation") });
    const taken: string[] = [];
    const stop = mine.durable.consume("untouched", async (text) => void taken.push(text));
    await until(() => taken.includes("mine"));
    await stop();
  });

  test("a server without JetStream is said so, and plain messages go on", async () => {
    const plain = await startNats(natsPath ?? "");
    try {
      const { bus, durable } = join(plain.url);
      await until(() => durable.state.kind === "unsupported", 20_000);
      expect(durable.state).toMatchObject({ reason: expect.stringContaining("--jetstream") });
      const heard: string[] = [];
      bus.subscribe("ledger.u", (text) => heard.push(text));
      await until(() => {
        bus.publish("ledger.u", "plain");
        return heard.length > 0;
      });
    } finally {
      await plain.remove();
    }
  });
});
