import { uuidV7 } from "../../src/core/uuid.js";
import type { Database } from "../../src/db/connect.js";

/** Puts users into the table, who can not sign in. @returns their ids */
export async function insertUsers({ sql }: Database, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidV7(Date.now()));
  await sql`
    insert into users (id, email, email_key, password_hash)
    select id, id || '@example.com', id || '@example.com', '$argon2id$none' from unnest(${ids}::text[]::uuid[]) as id`;
  return ids;
}
