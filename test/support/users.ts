import { randomUUID } from "node:crypto";
import { uuidV7 } from "../../src/core/uuid.js";
import type { Database } from "../../src/db/connect.js";
import { query } from "./app.js";

/** Puts users into the table, who can not sign in. @returns their ids */
export async function insertUsers({ sql }: Database, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidV7(Date.now()));
  await sql`
    insert into users (id, email, email_key, password_hash)
    select id, id || '@example.com', id || '@example.com', '$argon2id$none' from unnest(${ids}::text[]::uuid[]) as id`;
  return ids;
}

export interface SignedIn {
  readonly id: string;
  readonly headers: { readonly authorization: string };
}

let registered = 0;

/** A new user, signed in as clients do it. */
export async function register(url: string): Promise<SignedIn> {
  const { data, errors } = await query(
    url,
    "mutation ($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }",
    {
      input: { email: `user-${++registered}-${randomUUID()}@example.com`, password: "correct horse battery staple 7" },
    },
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return { id: data.register.user.id, headers: { authorization: `Bearer ${data.register.accessToken}` } };
}
