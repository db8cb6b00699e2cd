import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.js";
import { until } from "../../test/support/until.js";
import { uuidV7 } from "../core/uuid.js";
import { connect, type Database } from "../db/connect.js";
import { Leaderships } from "../db/leadership.js";
import { VenueLease } from "./venue-lease.js";

const log = pino({ level: "silent" });
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

let name = 0;
beforeEach(() => {
  name++;
});

/** A process of its own, as far as the database can tell. */
async function contender() {
  const open = (): Database =>
    connect({ address: database.address, role: "tradegraph_app", poolSize: 1, applicationName: "contender" });
  const own = open();
  const leaderships = new Leaderships({ open, nodeId: uuidV7(Date.now()), log });
  const told: boolean[] = [];
  const lease = new VenueLease(leaderships, `test ${name}`, (isHeld) => told.push(isHeld));
  await lease.start();
  return {
    lease,
    told,
    confirms: () => lease.confirm(own),
    close: async () => {
      await lease.close();
      await leaderships.close();
      await own.close();
    },
  };
}

/** Somebody else has it, as after a pause of the holder that was longer than its lease. */
const takeAway = async (): Promise<void> => {
  const taken = await database.owner.sql`
    update leases set holder = gen_random_uuid(), term = term + 1, expires_at = clock_timestamp() + interval '1 second'
    where name = ${`venue test ${name}`}`;
  expect(taken.count).toBe(1);
};

describe("the lease", () => {
  test("a race: of processes that begin together one has it, and it confirms that it has", async () => {
    const all = await Promise.all([contender(), contender(), contender()]);
    expect(all.filter(({ lease }) => lease.isHeld)).toHaveLength(1);
    expect(await Promise.all(all.map(({ confirms }) => confirms()))).toEqual(all.map(({ lease }) => lease.isHeld));
    await Promise.all(all.map(({ close }) => close()));
  });

  test("a race: its holder has lost it and does not know yet, and confirms nothing", async () => {
    const [first, second] = [await contender(), await contender()];
    expect([first.lease.isHeld, second.lease.isHeld]).toEqual([true, false]);
    await takeAway();
    // Before any look of the holder, or soon after.
    expect(await first.confirms()).toBe(false);
    expect(await second.confirms()).toBe(false);
    // Whoever took it is silent, and one of the two has it again.
    await until(() => first.lease.isHeld !== second.lease.isHeld && first.told.includes(false));
    const [holder, other] = first.lease.isHeld ? [first, second] : [second, first];
    expect([await holder.confirms(), await other.confirms()]).toEqual([true, false]);
    await Promise.all([first.close(), second.close()]);
  });
});
