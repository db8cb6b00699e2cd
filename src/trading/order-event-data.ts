import { Decimal, decimalText } from "../core/decimal.js";
import { type Fill, type NewOrder, orderAmounts, type ReplaceableTerms } from "./order.js";
import type { OrderEvent } from "./order-event.js";
import type { FundingEvent, LiquidationEvent } from "./venue.js";

/** An event as it is stored: numbers and times as text. */
export type EventData = Readonly<Record<string, unknown>>;

/** The event without its kind and time, which have columns of their own. */
export function dataOfOrderEvent({ kind: _kind, at: _at, ...rest }: OrderEvent): EventData {
  return plain(rest) as EventData;
}

/** The same for what a venue tells of a position. */
export function dataOfVenueEvent(event: FundingEvent | LiquidationEvent): EventData {
  const { kind: _kind, at: _at, accountId: _account, ...rest } = event;
  return plain(rest) as EventData;
}

function plain(value: unknown): unknown {
  if (Decimal.isDecimal(value)) return decimalText(value as Decimal);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
  return value;
}

const decimalFields = [...orderAmounts, "commission", "reservePrice"] as const;

function revived(data: EventData): Record<string, unknown> {
  const values: Record<string, unknown> = { ...data };
  for (const field of decimalFields) {
    if (typeof values[field] === "string") values[field] = new Decimal(values[field]);
  }
  return values;
}

/** @throws when the kind is none of an order's */
export function orderEventOfData(kind: string, at: Date, data: EventData): OrderEvent {
  const inner = (name: string) => revived(data[name] as EventData);
  switch (kind as OrderEvent["kind"]) {
    case "placed":
      // Events that are older than strategies name none.
      return { kind: "placed", at, order: { strategyId: null, ...inner("order") } as unknown as NewOrder };
    case "replaceRequested":
      return { kind: "replaceRequested", at, terms: inner("terms") as unknown as ReplaceableTerms };
    case "replaced":
      return {
        kind: "replaced",
        at,
        terms: inner("terms") as unknown as ReplaceableTerms,
        exchangeOrderId: data.exchangeOrderId as string | null,
      };
    case "filled": {
      const fill = inner("fill");
      return { kind: "filled", at, fill: { ...fill, filledAt: new Date(fill.filledAt as string) } as unknown as Fill };
    }
    case "triggered":
    case "cancelRequested":
    case "unconfirmed":
    case "accepted":
    case "rejected":
    case "cancelled":
    case "expired":
    case "cancelRefused":
    case "replaceRefused":
      return { ...revived(data), kind, at } as unknown as OrderEvent;
    default:
      throw new Error(`an order has no event "${kind}"`);
  }
}
