import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { DatabaseAddress } from "../src/db/connect.js";
import { type CutOff, startCutOff } from "./support/cut-off.js";
import { createTestDatabase, type TestDatabase } from "./support/database.js";
import { until } from "./support/until.js";

interface Told {
  readonly event: "up" | "leads" | "stopped" | "ended" | "inside" | "refused";
  readonly atMs: number;
  readonly term?: number;
  readonly code?: string;
}
interface Node {
  readonly pid: number;
  readonly told: Told[];
  kill(signal: NodeJS.Signals): void;
  ended(): Promise<void>;
}

/** The promise of the program: somebody leads again before so much time has passed. */
const takeoverMs = 5_000;
const script = fileURLToPath(new URL("support/lead.mjs", import.meta.url));

let database: TestDatabase;
const children: ChildProcess[] = [];
const ways: CutOff[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  await database.owner
    .sql`create table written (id bigint generated always as identity, term bigint not null, pid integer not null)`;
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }
  for (const way of ways.splice(0)) await way.close();
  await database.owner.sql`truncate written, leases`;
});
afterAll(() => database.close());

function startNode(address: DatabaseAddress = database.address, holdAt = ""): Node {
  const child = spawn(process.execPath, [script, JSON.stringify(address), "feed TEST", holdAt], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const told: Told[] = [];
  let rest = "";
  child.stdout?.on("data", (data) => {
    const lines = `${rest}${data}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) told.push(JSON.parse(line));
  });
  const exit = once(child, "exit");
  return { pid: child.pid ?? 0, told, kill: (signal) => child.kill(signal), ended: async () => void (await exit) };
}

const leads = ({ told }: Node): boolean =>
  told.findLast(({ event }) => ["leads", "ended"].includes(event))?.event === "leads";
const leaderOf = async (nodes: readonly Node[]): Promise<Node> => {
  await until(() => nodes.some(leads), 20_000);
  return nodes.find(leads) as Node;
};
const isUp = ({ told }: Node): boolean => told.length > 0;
const writers = async () =>
  await database.owner.sql<{ term: string; pid: number }[]>`select term, pid from written order by id`;

/** Each term has one writer, and once a later one has written no earlier one does. */
async function expectOneAtATime(): Promise<void> {
  const rows = await writers();
  expect(rows.length).toBeGreaterThan(0);
  const pids = new Map<string, number>();
  let newest = 0;
  for (const { term, pid } of rows) {
    expect(pids.get(term) ?? pid).toBe(pid);
    pids.set(term, pid);
    expect(Number(term)).toBeGreaterThanOrEqual(newest);
    newest = Number(term);
  }
}

test("leaders are killed one after the other: each time another node leads within five seconds, and no two write at once", async () => {
  const nodes = [startNode(), startNode(), startNode(), startNode()];
  await until(() => nodes.every(isUp));
  let left = nodes;
  for (let round = 0; round < 3; round++) {
    const leader = await leaderOf(left);
    await until(async () => (await writers()).some(({ pid }) => pid === leader.pid));
    expect(left.filter(leads)).toEqual([leader]);
    const killedAtMs = Date.now();
    leader.kill("SIGKILL");
    await leader.ended();
    left = left.filter((node) => node !== leader);
    const next = await leaderOf(left);
    expect((next.told.findLast(({ event }) => event === "leads")?.atMs ?? 0) - killedAtMs).toBeLessThan(takeoverMs);
  }
  await expectOneAtATime();
}, 60_000);

test("a leader whose connections are cut ends by itself before another one begins, and does not come back as leader", async () => {
  const way = await startCutOff(database.address);
  ways.push(way);
  const first = startNode(way.address);
  await until(() => leads(first), 20_000);
  const second = startNode();
  await until(() => isUp(second));
  await until(async () => (await writers()).length > 0);
  const cutAtMs = Date.now();
  await way.cut();
  await until(() => leads(second), 20_000);
  const beganMs = second.told.find(({ event }) => event === "leads")?.atMs ?? 0;
  expect(beganMs - cutAtMs).toBeLessThan(takeoverMs);
  await until(() => !leads(first));
  expect(first.told.find(({ event }) => event === "stopped")?.atMs ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(
    beganMs,
  );
  await way.mend();
  // It asks again, and finds the other one leading.
  const asked = way.sentChunks();
  await until(() => way.sentChunks() > asked + 5);
  expect(leads(first)).toBe(false);
  await expectOneAtATime();
}, 60_000);

test("a leader that is paused between its look and its write: what it wanted to write under the old term is never committed", async () => {
  const paused = startNode(database.address, "inside");
  await until(() => paused.told.some(({ event }) => event === "inside"), 20_000);
  const second = startNode();
  await until(() => isUp(second));
  const pausedAtMs = Date.now();
  paused.kill("SIGSTOP");
  await until(() => leads(second), 20_000);
  expect((second.told.find(({ event }) => event === "leads")?.atMs ?? 0) - pausedAtMs).toBeLessThan(takeoverMs);
  await until(async () => (await writers()).some(({ pid }) => pid === second.pid));
  const byPaused = async () => (await writers()).filter(({ pid }) => pid === paused.pid);
  const before = await byPaused();
  paused.kill("SIGUSR2");
  paused.kill("SIGCONT");
  await until(() => paused.told.some(({ event }) => event === "refused"), 20_000);
  await until(() => !leads(paused));
  expect(await byPaused()).toEqual(before);
  await expectOneAtATime();
}, 60_000);

test("a leader that stops in order lets the next one lead at once", async () => {
  const first = startNode();
  await until(() => leads(first), 20_000);
  const second = startNode();
  await until(() => isUp(second));
  first.kill("SIGTERM");
  await first.ended();
  const endedAtMs = Date.now();
  await until(() => leads(second), 20_000);
  // One look later: the lease itself would have been good for three seconds.
  expect((second.told.find(({ event }) => event === "leads")?.atMs ?? 0) - endedAtMs).toBeLessThan(2_500);
}, 60_000);

test("a clock of the database that was set back keeps nobody from leading", async () => {
  await database.owner.sql`insert into leases (name, holder, term, acquired_at, renewed_at, expires_at)
    values ('feed TEST', gen_random_uuid(), 7, now() + interval '1 hour', now() + interval '1 hour', now() + interval '61 minutes')`;
  const node = startNode();
  await until(() => leads(node), 20_000);
  expect(node.told.find(({ event }) => event === "leads")?.term).toBe(8);
}, 60_000);
