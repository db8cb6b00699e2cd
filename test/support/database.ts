import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { inject } from "vitest";
import { connect, type Database, type DatabaseAddress } from "../../src/db/connect.js";
import { templateDatabase } from "./postgres-cluster.js";

export interface TestDatabase {
  readonly address: Extract<DatabaseAddress, { database: string }>;
  /** As the owner of the tables. */
  readonly owner: Database;
  /** As the role that the running program has. */
  readonly app: Database;
  close(): Promise<void>;
}

/** A database of this test's own: a copy of the migrated and seeded one, or an empty one. */
export async function createTestDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const server = inject("cluster");
  const name = `test_${randomBytes(6).toString("hex")}`;
  const admin = postgres({ ...server, database: "postgres", max: 1, onnotice: () => {} });
  if (empty) await admin`create database ${admin(name)} template template0`;
  else await admin`create database ${admin(name)} template ${admin(templateDatabase)}`;
  const address = { ...server, database: name };
  const owner = connect({ address, role: null, poolSize: 4, applicationName: "test owner" });
  const app = connect({ address, role: "tradegraph_app", poolSize: 4, applicationName: "test app" });
  return {
    address,
    owner,
    app,
    close: async () => {
      await Promise.all([owner.close(), app.close()]);
      await admin`drop database ${admin(name)} with (force)`;
      await admin.end();
    },
  };
}
