import { sql as text } from "drizzle-orm";
import type { Actor, AuditDetails } from "../core/actor.js";
import { Decimal, type DecimalText, decimalText, fitsNumeric38 } from "../core/decimal.js";
import { badInput, notFound } from "../core/errors.js";
import { keysetOf, keysetPage, uuidPattern } from "../core/keyset-page.js";
import type { Page, PageArguments } from "../core/pagination.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import { asUser, asUserAtOnce } from "../db/as-user.js";
import type { Database } from "../db/connect.js";
import { recordOperation } from "../people/audit.js";
import type { LimitRow } from "./ledger-rows.js";
import { conditionsOf } from "./read-orders.js";
import type { RiskLimitName, RiskScope } from "./risk-rules.js";

/** Whom limits bind; of the ids those that the scope needs. */
export type RiskTarget =
  | { readonly scope: "GLOBAL" }
  | { readonly scope: "USER"; readonly userId: string }
  | { readonly scope: "ACCOUNT"; readonly accountId: string }
  | { readonly scope: "STRATEGY"; readonly strategyId: string };

type AmountName = Exclude<RiskLimitName, "maxLeverage" | "maxOpenPositions">;

/** What is left out stays as it is; null takes the limit away. Amounts in quote currency. */
export type RiskLimitChange = { readonly [name in AmountName]?: DecimalText | null | undefined } & {
  readonly maxLeverage?: number | null | undefined;
  readonly maxOpenPositions?: number | null | undefined;
  readonly isEnabled?: boolean | null | undefined;
};

export interface RiskLimitRow extends LimitRow {
  readonly id: string;
  readonly set_by: "OPERATOR" | "USER";
  readonly user_id: string | null;
  readonly account_id: string | null;
  readonly strategy_id: string | null;
  readonly is_enabled: boolean;
  readonly created_at: string;
  readonly updated_at: string;
}

const columnOf = {
  maxOrderSize: "max_order_size",
  maxPositionSize: "max_position_size",
  maxLeverage: "max_leverage",
  maxDailyLoss: "max_daily_loss",
  maxDailyLossPercent: "max_daily_loss_percent",
  maxDrawdownPercent: "max_drawdown_percent",
  maxOpenPositions: "max_open_positions",
} as const satisfies Record<RiskLimitName, keyof RiskLimitRow>;
const names = Object.keys(columnOf) as RiskLimitName[];

interface Services {
  readonly database: Database;
  readonly clock: Clock;
}

/**
 * Sets limits as an operator. They bind every order that is placed or replaced after this has returned, on every node: they
 * are read in the transaction that places it.
 * @throws {DomainError} BAD_USER_INPUT with the field, NOT_FOUND
 */
export async function setOperatorLimit(
  { database, clock }: Services,
  by: Actor,
  target: RiskTarget,
  change: RiskLimitChange,
): Promise<RiskLimitRow> {
  const given = givenOf(clock, target, change);
  return database.db.transaction(async (tx) => {
    const rows = await tx.execute(text`select * from set_operator_risk_limit(${JSON.stringify(given)}::text::jsonb)`);
    const [row] = rows as unknown as RiskLimitRow[];
    if (row === undefined) throw notFoundTarget(target);
    await recordOperation(tx, clock, {
      actor: by,
      action: "risk-limit.set",
      target: nameOf(row),
      details: auditDetails(change),
    });
    return row;
  });
}

/** Takes away limits that an operator or a user has set. @throws {DomainError} NOT_FOUND */
export async function removeOperatorLimit({ database, clock }: Services, by: Actor, id: string): Promise<void> {
  await database.db.transaction(async (tx) => {
    const at = new Date(clock.nowMs()).toISOString();
    const rows = await tx.execute(text`select * from remove_operator_risk_limit(${id}::uuid, ${at}::timestamptz)`);
    const [row] = rows as unknown as RiskLimitRow[];
    if (row === undefined) throw notFound("risk limit");
    await recordOperation(tx, clock, { actor: by, action: "risk-limit.remove", target: nameOf(row) });
  });
}

/**
 * Sets limits of a user's own, beside those of operators.
 * @throws {DomainError} BAD_USER_INPUT with the field, also for one that is looser than an operator's; NOT_FOUND
 */
export async function setOwnLimit(
  { database, clock }: Services,
  userId: string,
  target: Exclude<RiskTarget, { scope: "GLOBAL" }>,
  change: RiskLimitChange,
): Promise<RiskLimitRow> {
  const given = { ...givenOf(clock, target, change), set_by: "USER" };
  const accountId = target.scope === "ACCOUNT" ? target.accountId : null;
  const strategyId = target.scope === "STRATEGY" ? target.strategyId : null;
  return asUser(database, userId, async ({ sql }) => {
    const operators = await sql<RiskLimitRow[]>`
      select * from risk_limits where set_by = 'OPERATOR' and is_enabled and deleted_at is null
        and (account_id is null or account_id = ${accountId}::uuid) and (strategy_id is null or strategy_id = ${strategyId}::uuid)`;
    requireNoLooser(change, operators);
    const [row] = await sql<RiskLimitRow[]>`
      select * from write_risk_limit(${JSON.stringify(given)}::text::jsonb)`;
    if (row === undefined) throw notFoundTarget(target);
    return row;
  });
}

/** @throws {DomainError} NOT_FOUND for limits that the user has not set */
export async function removeOwnLimit({ database, clock }: Services, userId: string, id: string): Promise<void> {
  const at = new Date(clock.nowMs()).toISOString();
  const [rows] = await asUserAtOnce(database, userId, (sql) => [
    sql`
      update risk_limits set deleted_at = ${at} where id = ${id} and set_by = 'USER' and deleted_at is null returning id`,
  ]);
  if (rows.length === 0) throw notFound("risk limit");
}

export interface RiskLimitSearch {
  readonly scope?: RiskScope | null | undefined;
  readonly userId?: string | null | undefined;
  readonly accountId?: string | null | undefined;
  readonly strategyId?: string | null | undefined;
}

const list = "riskLimits";

/** Everybody's limits, newest first. For operators alone: whoever calls this has made sure of it. */
export async function listAllLimits(
  { sql }: Database,
  search: RiskLimitSearch,
  args: PageArguments,
): Promise<Page<RiskLimitRow>> {
  const keyset = keysetOf(args, list, uuidPattern);
  const { scope = null, userId = null, accountId = null, strategyId = null } = search;
  const rows = await sql<RiskLimitRow[]>`
    select * from read_risk_limits(${scope}::text::risk_scope_enum, ${userId}, ${accountId}, ${strategyId}, ${keyset.after}, ${keyset.before},
      ${keyset.isBackwards}, ${keyset.limit + 1})`;
  return keysetPage(rows, keyset, list, ({ id }) => id);
}

/** The limits that bind a user, newest first: those for everybody, and those of him, his accounts and his strategies. */
export async function listOwnLimits(
  database: Database,
  userId: string,
  { scope, accountId, strategyId }: RiskLimitSearch,
  args: PageArguments,
): Promise<Page<RiskLimitRow>> {
  const keyset = keysetOf(args, list, uuidPattern);
  const [rows] = await asUserAtOnce(database, userId, (sql) => {
    const where = conditionsOf(sql, [
      sql`deleted_at is null`,
      scope == null ? null : sql`scope = ${scope}::text::risk_scope_enum`,
      accountId == null ? null : sql`account_id = ${accountId}`,
      strategyId == null ? null : sql`strategy_id = ${strategyId}`,
      keyset.after === null ? null : sql`id < ${keyset.after}`,
      keyset.before === null ? null : sql`id > ${keyset.before}`,
    ]);
    return [
      sql<RiskLimitRow[]>`
        select * from risk_limits where ${where} order by id ${keyset.isBackwards ? sql`asc` : sql`desc`} limit ${keyset.limit + 1}`,
    ];
  });
  return keysetPage(rows, keyset, list, ({ id }) => id);
}

/** The row as the database takes it: only what was given. */
function givenOf(clock: Clock, target: RiskTarget, change: RiskLimitChange): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const name of names) {
    const value = change[name];
    if (value === undefined) continue;
    if (value !== null) requireInRange(name, new Decimal(value));
    given[columnOf[name]] = value;
  }
  if (change.isEnabled != null) given.is_enabled = change.isEnabled;
  if (Object.keys(given).length === 0) throw badInput("input", "nothing to change");
  return {
    ...given,
    id: uuidV7(clock.nowMs()),
    scope: target.scope,
    user_id: target.scope === "USER" ? target.userId : null,
    account_id: target.scope === "ACCOUNT" ? target.accountId : null,
    strategy_id: target.scope === "STRATEGY" ? target.strategyId : null,
  };
}

const maxPositions = 1_000_000;

function requireInRange(name: RiskLimitName, value: Decimal): void {
  switch (name) {
    case "maxLeverage":
      if (!value.isInteger() || value.lt(1) || value.gt(125))
        throw badInput(name, "maxLeverage must be a whole number from 1 to 125");
      return;
    case "maxOpenPositions":
      if (!value.isInteger() || value.lt(0) || value.gt(maxPositions))
        throw badInput(name, `maxOpenPositions must be a whole number from 0 to ${maxPositions}`);
      return;
    case "maxDailyLossPercent":
    case "maxDrawdownPercent":
      if (value.lt(0) || value.gt(100) || value.decimalPlaces() > 6)
        throw badInput(name, `${name} must be from 0 to 100, with at most 6 decimals`);
      return;
    case "maxOrderSize":
    case "maxPositionSize":
    case "maxDailyLoss":
      if (value.lt(0)) throw badInput(name, `${name} must not be less than zero`);
      if (!fitsNumeric38(decimalText(value)))
        throw badInput(name, `${name} has more than 20 digits before the point or 18 after it`);
  }
}

function requireNoLooser(change: RiskLimitChange, operators: readonly RiskLimitRow[]): void {
  for (const name of names) {
    const own = change[name];
    if (own == null) continue;
    for (const row of operators) {
      const most = row[columnOf[name]];
      if (most !== null && new Decimal(own).gt(most))
        throw badInput(name, `${name} must be at most ${new Decimal(most).toFixed()}, which an operator has set`);
    }
  }
}

function notFoundTarget({ scope }: RiskTarget) {
  return notFound(scope === "USER" ? "user" : scope === "ACCOUNT" ? "account" : "strategy");
}

const nameOf = ({ scope, user_id, account_id, strategy_id }: RiskLimitRow): string =>
  [scope, account_id ?? strategy_id ?? user_id].filter((part) => part !== null).join(" ");

const auditDetails = (change: RiskLimitChange): AuditDetails =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as AuditDetails;
