import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataChecks } from "../src/jobs/checks.js";
import { type CheckScope, everything, findBroken, validate } from "../src/jobs/validate.js";
import { type Breakage, breakages, makeSoundData, type SoundData } from "./support/broken-data.js";

const keyIds = ["newest", "older"];
const all: CheckScope = { ...everything, keyIds };
const lately = (): CheckScope => ({ ...all, since: new Date(Date.now() - 6 * 3_600_000) });

let data: SoundData;
let cases: ReadonlyMap<string, Breakage>;

beforeAll(async () => {
  data = await makeSoundData();
  cases = new Map(breakages(data).map((one) => [one.check, one]));
});
afterAll(() => data.close());

class RolledBack extends Error {}

/** Breaks the data in a transaction that is taken back, and looks at it with every check. */
async function seenAfter(statements: string, scope: CheckScope): Promise<string[]> {
  const seen: string[] = [];
  const work = async (sql: postgres.TransactionSql) => {
    await sql.unsafe(`set local session_replication_role = replica; set local search_path = public; ${statements}`);
    for (const check of dataChecks) {
      const { passed, count, sampleIds } = await findBroken(sql, check, scope);
      if (passed) continue;
      seen.push(check.name);
      expect(count).toBeGreaterThan(0);
      expect(sampleIds.length).toBeGreaterThan(0);
    }
    throw new RolledBack();
  };
  await data.on.database.owner.sql.begin(work).catch((error: unknown) => {
    if (!(error instanceof RolledBack)) throw error;
  });
  return seen.sort();
}

/** These look at the statistics of what is committed, and have tests of their own. */
const byStatistics = ["unused-indexes", "dead-rows", "without-statistics"];
const onTimescale = [
  "missing-hypertables",
  "missing-aggregates",
  "roll-up-job",
  "failing-series-jobs",
  "missing-compression",
  "missing-retention",
];

describe("the checks of the data", () => {
  test("are named once, and say what to do", () => {
    const names = dataChecks.map(({ name }) => name);
    expect(names.length).toBeGreaterThanOrEqual(100);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, advice } of dataChecks) {
      expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      expect(advice.length).toBeGreaterThan(20);
      expect(advice).toMatch(/[.?]$/);
    }
  });

  test("find nothing where nothing is wrong, as the owner and as the monitor", async () => {
    const { sql } = data.on.database.owner;
    for (const scope of [all, lately()]) {
      const results = await validate(data.on.database.owner, scope);
      expect(results.filter(({ passed }) => !passed)).toEqual([]);
    }
    // It sees what the owner sees, or its findings would be worth nothing.
    const count = (role: string) =>
      sql.begin(async (tx) => {
        await tx.unsafe(`set local role ${role}`);
        const [row] = await tx`
          select (select count(*) from orders) + (select count(*) from ledger_entries) + (select count(*) from event_store) as rows`;
        return Number(row?.rows);
      });
    expect(await count("tradegraph_monitor")).toBeGreaterThan(5);
    const asMonitor = await sql.begin(async (tx) => {
      await tx.unsafe("set local role tradegraph_monitor");
      const seen: unknown[] = [];
      for (const check of dataChecks) {
        const found = await findBroken(tx, check, all);
        if (!found.passed) seen.push({ name: check.name, ...found });
      }
      return seen;
    });
    expect(asMonitor).toEqual([]);
  });

  test("each has a test that breaks its rule", () => {
    const untested = dataChecks.map(({ name }) => name).filter((name) => !cases.has(name));
    expect(untested.sort()).toEqual([...byStatistics, ...onTimescale].sort());
    expect([...cases.keys()].filter((name) => !dataChecks.some((check) => check.name === name))).toEqual([]);
  });

  test.each(dataChecks.map(({ name }) => name).filter((name) => ![...byStatistics, ...onTimescale].includes(name)))(
    "%s sees what breaks it, and no other does",
    async (name) => {
      const breakage = cases.get(name);
      if (breakage === undefined) throw new Error(`nothing breaks ${name}`);
      expect(await seenAfter(breakage.sql, all)).toEqual([name, ...(breakage.also ?? [])].sort());
      expect(await seenAfter(breakage.sql, lately())).toContain(name);
    },
  );
});
