import { sql } from "drizzle-orm";
import { bigint, check, pgTable, uuid, varchar } from "drizzle-orm/pg-core";
import { instant } from "./columns.js";

/** Who leads what. Times are of the database's clock. */
export const leases = pgTable(
  "leases",
  {
    name: varchar("name", { length: 100 }).primaryKey(),
    holder: uuid("holder").notNull(),
    /** Grows with every change of the holder. */
    term: bigint("term", { mode: "number" }).notNull(),
    acquiredAt: instant("acquired_at").notNull(),
    renewedAt: instant("renewed_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
  },
  (t) => [check("ck_leases_term", sql`${t.term} > 0`)],
);
