import type { Decimal } from "../core/decimal.js";
import type { Fill, NewOrder, ReplaceableTerms } from "./order.js";

/** What users and this program do to an order. */
export type OrderRequest =
  | { readonly kind: "placed"; readonly at: Date; readonly order: NewOrder }
  | { readonly kind: "cancelRequested"; readonly at: Date }
  | { readonly kind: "replaceRequested"; readonly at: Date; readonly terms: ReplaceableTerms }
  /** The venue gave no answer to the placing, the cancelling or the replacing: what happened is to be found out. */
  | { readonly kind: "unconfirmed"; readonly at: Date; readonly reason: string };

/** Why a venue refused an order: a code of the API, or VENUE_REJECTED with the venue's own words as reason. */
export type RejectCode =
  | "WOULD_TAKE"
  | "NO_QUOTE"
  | "MARKET_CLOSED"
  | "SYMBOL_NOT_TRADING"
  | "PRICE_OUT_OF_RANGE"
  | "QUANTITY_OUT_OF_RANGE"
  | "MIN_NOTIONAL"
  | "INSUFFICIENT_BALANCE"
  | "VENUE_REJECTED";

/** What a venue says about an order. */
export type OrderReport =
  | { readonly kind: "accepted"; readonly at: Date; readonly exchangeOrderId: string }
  | { readonly kind: "rejected"; readonly at: Date; readonly code: RejectCode; readonly reason: string }
  | { readonly kind: "triggered"; readonly at: Date; readonly price: Decimal }
  | { readonly kind: "filled"; readonly at: Date; readonly fill: Fill }
  | { readonly kind: "cancelled"; readonly at: Date; readonly reason: string }
  | { readonly kind: "expired"; readonly at: Date; readonly reason: string }
  | {
      readonly kind: "replaced";
      readonly at: Date;
      readonly terms: ReplaceableTerms;
      /** Where the venue replaces by a new order, its id; otherwise null. */
      readonly exchangeOrderId: string | null;
    }
  | { readonly kind: "cancelRefused"; readonly at: Date; readonly reason: string }
  | { readonly kind: "replaceRefused"; readonly at: Date; readonly reason: string };

/** An entry of an order's event stream. `at` is when it happened: by the venue's clock for reports, by ours for requests. */
export type OrderEvent = OrderRequest | OrderReport;
