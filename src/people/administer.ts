import { DomainError, notFound } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import type { UserRole } from "../core/viewer.js";
import type { Database } from "../db/connect.js";
import { auditEvent } from "./audit.js";
import { constraintOf } from "./constraints.js";
import { parseEmail } from "./email-address.js";
import { type Passwords, requireGoodPassword } from "./passwords.js";

// What the owner of the tables does to users: the running program has no right to.

/** Makes a user whose address an operator vouches for. @throws {DomainError} BAD_USER_INPUT, CONFLICT */
export async function createUser(
  { database, clock, passwords }: { readonly database: Database; readonly clock: Clock; readonly passwords: Passwords },
  input: { readonly email: string; readonly password: string; readonly role: UserRole },
): Promise<void> {
  const address = parseEmail(input.email);
  await requireGoodPassword(input.password, [address.shown, address.key], "password");
  const passwordHash = await passwords.hash(input.password);
  const nowMs = clock.nowMs();
  const [userId, now] = [uuidV7(nowMs), new Date(nowMs).toISOString()];
  await database.sql
    .begin(async (sql) => {
      await sql`
        insert into users (id, email, email_key, email_verified_at, password_hash, role, status, created_at)
        values (${userId}, ${address.shown}, ${address.key}, ${now}, ${passwordHash}, ${input.role}, 'ACTIVE', ${now})`;
      await auditEvent(sql, clock, { userId, actorId: null, action: "user.create", details: { role: input.role } });
    })
    .catch((error: unknown) => {
      if (constraintOf(error) === "uk_users_email_key")
        throw new DomainError("CONFLICT", "this address has an account");
      throw error;
    });
}

/** Access that was given before ends on every node. @throws {DomainError} NOT_FOUND */
export async function setUserRole(database: Database, clock: Clock, email: string, role: UserRole): Promise<void> {
  const { key } = parseEmail(email);
  await database.sql.begin(async (sql) => {
    const [user] = await sql<{ id: string }[]>`
      update users set role = ${role} where email_key = ${key} and deleted_at is null returning id`;
    if (user === undefined) throw notFound("user");
    await auditEvent(sql, clock, { userId: user.id, actorId: null, action: "user.set-role", details: { role } });
  });
}

/** Who is made ACTIVE has an address that an operator vouches for. @throws {DomainError} NOT_FOUND */
export async function setUserStatus(
  database: Database,
  clock: Clock,
  email: string,
  status: "ACTIVE" | "SUSPENDED",
): Promise<void> {
  const { key } = parseEmail(email);
  const now = new Date(clock.nowMs()).toISOString();
  await database.sql.begin(async (sql) => {
    const [user] = await sql<{ id: string }[]>`
      update users set status = ${status},
        email_verified_at = case when ${status} = 'ACTIVE' then coalesce(email_verified_at, ${now}) else email_verified_at end
      where email_key = ${key} and deleted_at is null returning id`;
    if (user === undefined) throw notFound("user");
    await auditEvent(sql, clock, { userId: user.id, actorId: null, action: "user.set-status", details: { status } });
  });
}
