import type { Decimal } from "../core/decimal.js";
import { DomainError } from "../core/errors.js";

/** From the widest to the narrowest. All that apply count, so the most restrictive one decides. */
export const riskScopes = ["GLOBAL", "USER", "ACCOUNT", "STRATEGY"] as const;
export type RiskScope = (typeof riskScopes)[number];

/** Null: no such limit. Zero allows nothing. Values in quote currency. */
export interface RiskLimits {
  readonly scope: RiskScope;
  /** Worth of one order. */
  readonly maxOrderSize: Decimal | null;
  /** Worth of what is held of one symbol. */
  readonly maxPositionSize: Decimal | null;
  readonly maxLeverage: number | null;
  /** Since midnight UTC, realised and not. */
  readonly maxDailyLoss: Decimal | null;
  /** The same in per cent of the equity at midnight. */
  readonly maxDailyLossPercent: Decimal | null;
  /** From the highest equity, in per cent of it. */
  readonly maxDrawdownPercent: Decimal | null;
  readonly maxOpenPositions: number | null;
}

/** What an order would do, and where its account stands. Values in quote currency. */
export interface RiskExposure {
  /** It can open nothing, also when all open orders like it are filled before. */
  readonly onlyReduces: boolean;
  /** Of an order that turns a position round, of the part that opens. */
  readonly orderValue: Decimal;
  readonly leverage: number;
  /** What is held of the symbol, long or short, before the order and with all of it filled. */
  readonly positionValueBefore: Decimal;
  readonly positionValueAfter: Decimal;
  /** With this one, if it opens a position. */
  readonly openPositionsAfter: number;
  readonly equity: Decimal;
  readonly equityAtMidnight: Decimal;
  readonly highestEquity: Decimal;
}

export type RiskLimitName = Exclude<keyof RiskLimits, "scope">;

export interface RiskViolation {
  readonly scope: RiskScope;
  readonly limit: RiskLimitName;
  /** What it would be, and what is allowed. */
  readonly value: Decimal;
  readonly allowed: Decimal;
}

/**
 * Every limit that an order would exceed, the widest scope first. What only makes a position smaller is never refused: it
 * must be possible to get out.
 */
export function riskViolations(exposure: RiskExposure, limits: readonly RiskLimits[]): RiskViolation[] {
  if (exposure.onlyReduces) return [];
  return [...limits]
    .sort((a, b) => riskScopes.indexOf(a.scope) - riskScopes.indexOf(b.scope))
    .flatMap((limit) => violationsOf(exposure, limit));
}

/** What of an order a limit is about. */
const fields: Readonly<Record<RiskLimitName, string>> = {
  maxOrderSize: "quantity",
  maxPositionSize: "quantity",
  maxLeverage: "leverage",
  maxOpenPositions: "symbolId",
  maxDailyLoss: "accountId",
  maxDailyLossPercent: "accountId",
  maxDrawdownPercent: "accountId",
};

/** RISK_LIMIT_EXCEEDED with the first limit, its scope, the value, what is allowed, and the field that it is about. */
export function refusalOf([first]: readonly RiskViolation[]): DomainError {
  if (first === undefined) throw new Error("nothing is exceeded");
  const { limit, scope, value, allowed } = first;
  return new DomainError("RISK_LIMIT_EXCEEDED", `${limit} (${scope}) is ${allowed.toFixed()}: ${value.toFixed()}`, {
    field: fields[limit],
    limit,
    scope,
    value: value.toFixed(),
    allowed: allowed.toFixed(),
  });
}

function violationsOf(exposure: RiskExposure, limits: RiskLimits): RiskViolation[] {
  const zero = exposure.equity.minus(exposure.equity);
  const violations: RiskViolation[] = [];
  const check = (limit: RiskLimitName, value: Decimal, exceeds: (allowed: Decimal) => boolean): void => {
    const allowed = limits[limit];
    if (allowed === null) return;
    const most = zero.plus(allowed);
    if (exceeds(most)) violations.push({ scope: limits.scope, limit, value, allowed: most });
  };
  /** More than is allowed would be reached. */
  const atMost = (limit: RiskLimitName, value: Decimal) => check(limit, value, (allowed) => value.gt(allowed));
  /** As much as is allowed is lost already, so nothing more is risked. */
  const below = (limit: RiskLimitName, loss: Decimal) => check(limit, loss, (allowed) => loss.gte(allowed));

  atMost("maxOrderSize", exposure.orderValue);
  atMost("maxPositionSize", exposure.positionValueAfter);
  atMost("maxLeverage", zero.plus(exposure.leverage));
  // Adding to an open one opens none.
  if (exposure.positionValueBefore.isZero()) atMost("maxOpenPositions", zero.plus(exposure.openPositionsAfter));
  const lost = exposure.equityAtMidnight.minus(exposure.equity);
  below("maxDailyLoss", lost);
  below("maxDailyLossPercent", inPercent(lost, exposure.equityAtMidnight));
  below("maxDrawdownPercent", inPercent(exposure.highestEquity.minus(exposure.equity), exposure.highestEquity));
  return violations;
}

/** Of nothing, a loss is all of it. */
function inPercent(part: Decimal, whole: Decimal): Decimal {
  if (whole.gt(0)) return part.div(whole).times(100).toDecimalPlaces(6);
  return part.gt(0) ? part.minus(part).plus(100) : part.minus(part);
}
