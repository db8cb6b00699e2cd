import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { until } from "../../test/support/until.js";
import { connect } from "../db/connect.js";
import { VenueLease } from "./venue-lease.js";

const log = pino({ level: "silent" });
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
});
afterAll(() => database.close());

let name = 0;
beforeEach(() => {
  name++;
});

/** A process of its own, as far as the database can tell. */
async function contender() {
  const own = connect({ address: database.address, role: null, poolSize: 3, applicationName: "contender" });
  const told: boolean[] = [];
  const lease = new VenueLease(own, log, `test ${name}`, (isHeld) => told.push(isHeld));
  await lease.start();
  return {
    lease,
    told,
    close: async () => {
      await lease.close();
      await own.close();
    },
  };
}

const backendOf = async (): Promise<number> => {
  const [row] = await database.owner.sql<{ pid: number }[]>`
    select pid from pg_locks where locktype = 'advisory' and granted
      and objid = (hashtext(${`tradegraph.test ${name}`})::bigint & 4294967295)::oid`;
  return row?.pid ?? 0;
};
const cut = async (): Promise<void> => {
  await database.owner.sql`select pg_terminate_backend(${await backendOf()})`;
};

describe("the lease", () => {
  test("a race: of processes that begin together one has it, and it confirms that it has", async () => {
    const all = await Promise.all([contender(), contender(), contender()]);
    const holders = all.filter(({ lease }) => lease.isHeld);
    expect(holders).toHaveLength(1);
    expect(await Promise.all(all.map(({ lease }) => lease.confirm()))).toEqual(all.map(({ lease }) => lease.isHeld));
    await Promise.all(all.map(({ close }) => close()));
  });

  test("a race: its holder has lost it and does not know yet, and confirms nothing", async () => {
    const [first, second] = [await contender(), await contender()];
    expect([first.lease.isHeld, second.lease.isHeld]).toEqual([true, false]);
    await cut();
    // Before any look of the holder.
    expect(await first.lease.confirm()).toBe(false);
    await until(() => second.lease.isHeld, 5_000);
    expect(await first.lease.confirm()).toBe(false);
    expect(await second.lease.confirm()).toBe(true);
    await Promise.all([first.close(), second.close()]);
  });

  test("whoever loses it is told, and never are two told that they have it", async () => {
    const [first, second] = [await contender(), await contender()];
    for (let round = 0; round < 4; round++) {
      const [holder, other] = first.lease.isHeld ? [first, second] : [second, first];
      const before = await backendOf();
      await cut();
      await until(async () => [0, before].includes(await backendOf()) === false, 5_000);
      await until(() => holder.lease.isHeld !== other.lease.isHeld, 5_000);
      const confirmed = await Promise.all([holder.lease.confirm(), other.lease.confirm()]);
      expect(confirmed.filter(Boolean)).toHaveLength(1);
    }
    expect([...first.told, ...second.told]).toContain(false);
    await Promise.all([first.close(), second.close()]);
  });
});
