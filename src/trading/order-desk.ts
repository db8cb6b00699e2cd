import { createHash } from "node:crypto";
import { type Decimal, decimalText } from "../core/decimal.js";
import { badInput, DomainError, notFound } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { uuidV7 } from "../core/uuid.js";
import type { Database } from "../db/connect.js";
import { type Account, setInactive } from "./accounts.js";
import { estimateOf, type OrderEstimate } from "./estimate-order.js";
import type { Ledger, Written } from "./ledger.js";
import type { LedgerAccount, LedgerDraft, VenueCommand } from "./ledger-draft.js";
import { newOrderOf, type PlaceOrder } from "./new-order.js";
import { isOpen, type NewOrder, type Order, type ReplaceableTerms } from "./order.js";
import { exposureOf, RiskRefusal, violationRows } from "./order-risk.js";
import type { KeptOrder } from "./order-row.js";
import { brokenReplacementRules, brokenRules, requireNone } from "./order-rules.js";
import type { Position } from "./position.js";
import { type RiskViolation, refusalOf, riskViolations } from "./risk-rules.js";
import { strategyOfOrder } from "./strategies.js";
import type { TradingMarkets } from "./trading-markets.js";
import type { TradingSymbol } from "./trading-symbol.js";

export interface AskedOrder extends PlaceOrder {
  /** Null: one is made up. */
  readonly clientOrderId?: string | null;
}

/** What executes the orders of an account. */
export interface OrderVenue {
  /** Whether it executes orders of such an account. */
  takes(account: LedgerAccount): boolean;
  /** Why it can not execute such an order of the account, in words for its owner; null when it can. */
  refusal?(account: LedgerAccount, order: NewOrder, symbol: TradingSymbol): string | null;
  /** Does within the same change what the venue does at once; the paper venue is such a one. */
  react(draft: LedgerDraft): void;
  /** Hands over what was committed and needs an answer from elsewhere. */
  send(userId: string, accountId: string, commands: readonly VenueCommand[]): void;
}

export interface OrderDeskOptions {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly markets: TradingMarkets;
  readonly venue: OrderVenue;
  readonly clock: Clock;
}

const clientOrderIdPattern = /^[A-Za-z0-9._:/-]{1,64}$/;

/** Takes what users ask of their orders: all of it happens, or nothing does. */
export class OrderDesk {
  constructor(private readonly options: OrderDeskOptions) {}

  /**
   * Places an order, once: the same client order id with the same content gives the order that was placed first.
   * @throws {DomainError} with the code of the rule that it breaks
   */
  async place(userId: string, asked: AskedOrder): Promise<KeptOrder> {
    const { clock, markets, venue } = this.options;
    const id = uuidV7(clock.nowMs());
    const clientOrderId = asked.clientOrderId ?? id;
    if (!clientOrderIdPattern.test(clientOrderId))
      throw badInput("clientOrderId", "clientOrderId must have 1 to 64 letters, digits or . _ : / -");
    const symbol = markets.symbol(asked.symbolId);
    const strategyId = asked.strategyId ?? null;
    const scope = {
      accountId: asked.accountId,
      // One that is made up is new.
      ...(asked.clientOrderId == null ? {} : { newClientOrderId: clientOrderId }),
      withRisk: true,
      strategyId,
    };
    const written = await this.#change(userId, scope, (draft) => {
      const order = newOrderOf(asked, { id, clientOrderId }, symbol, markets.view(symbol.id));
      const contentHash = hashOf(order);
      const known = draft.orderByClientId(clientOrderId);
      if (known !== undefined) {
        if (known.contentHash === contentHash) return known.order.id;
        throw new DomainError("IDEMPOTENCY_CONFLICT", "another order has this clientOrderId", {
          field: "clientOrderId",
        });
      }
      this.#admit(draft, order, symbol);
      draft.apply(id, { kind: "placed", at: draft.now, order }, contentHash);
      venue.react(draft);
      return id;
    });
    return written.result;
  }

  /**
   * What an order would cost and do, without placing it.
   * @throws {DomainError} NOT_FOUND; what {@link place} throws where the account or its venue takes no such order
   */
  async estimate(userId: string, asked: AskedOrder): Promise<OrderEstimate> {
    const { clock, markets, ledger } = this.options;
    const id = uuidV7(clock.nowMs());
    const symbol = markets.symbol(asked.symbolId);
    const scope = { accountId: asked.accountId, withRisk: true, strategyId: asked.strategyId ?? null };
    return ledger.preview(userId, scope, (draft) => {
      const view = markets.view(symbol.id);
      const order = newOrderOf(asked, { id, clientOrderId: id }, symbol, view);
      this.#requireTaken(draft, order, symbol);
      const broken = brokenRules(order, this.#conditions(draft, symbol)).map(({ code }) => code);
      if (broken.length === 0 && this.#violations(draft, order, symbol).length > 0) broken.push("RISK_LIMIT_EXCEEDED");
      return estimateOf(order, symbol, view, draft, broken);
    });
  }

  /** @throws {DomainError} NOT_FOUND, ORDER_NOT_OPEN, or the code of the rule that the new terms break */
  async replace(
    userId: string,
    accountId: string,
    orderId: string,
    terms: { readonly quantity?: Decimal | null; readonly price?: Decimal | null; readonly stopPrice?: Decimal | null },
  ): Promise<KeptOrder> {
    const { markets, venue } = this.options;
    // Its strategy never changes, so it can be asked for before the lock is had.
    const strategyId = await strategyOfOrder(this.options.database, userId, orderId);
    const scope = { accountId, orderIds: [orderId], withRisk: true, strategyId, replacing: orderId };
    const written = await this.#change(userId, scope, (draft) => {
      const known = draft.order(orderId);
      if (known === undefined) throw notFound("order");
      const { order } = known;
      if (!isOpen(order)) throw new DomainError("ORDER_NOT_OPEN", `the order is ${order.status}`);
      const replaced: ReplaceableTerms = {
        quantity: terms.quantity ?? order.quantity,
        price: terms.price ?? order.price,
        stopPrice: terms.stopPrice ?? order.stopPrice,
      };
      if (terms.quantity == null && terms.price == null && terms.stopPrice == null)
        throw badInput("input", "nothing to change");
      const symbol = markets.symbol(order.symbolId);
      requireNone(brokenReplacementRules(order, replaced, this.#conditions(draft, symbol)));
      const violations = this.#violations(draft, { ...order, ...replaced }, symbol, order);
      if (violations.length > 0) throw new RiskRefusal(order, violations);
      requireApplied(draft.apply(orderId, { kind: "replaceRequested", at: draft.now, terms: replaced }));
      venue.react(draft);
      return orderId;
    });
    return written.result;
  }

  /** @throws {DomainError} NOT_FOUND, ORDER_NOT_OPEN */
  async cancel(userId: string, accountId: string, orderId: string): Promise<KeptOrder> {
    const { venue } = this.options;
    const written = await this.#change(userId, { accountId, orderIds: [orderId] }, (draft) => {
      if (draft.order(orderId) === undefined) throw notFound("order");
      requireApplied(draft.apply(orderId, { kind: "cancelRequested", at: draft.now }));
      venue.react(draft);
      return orderId;
    });
    return written.result;
  }

  /** Cancels the open orders of an account, or of one symbol of it. Returns those. */
  async cancelAll(userId: string, accountId: string, symbolId: number | null): Promise<KeptOrder[]> {
    const { venue, ledger } = this.options;
    const scope = { accountId, openOrdersOf: symbolId ?? ("all" as const) };
    const written = await ledger.change(userId, scope, (draft) => {
      const open = [...draft.orders()].map(({ order }) => order).filter(isOpen);
      for (const order of open) draft.apply(order.id, { kind: "cancelRequested", at: draft.now });
      venue.react(draft);
      return open.flatMap(({ id }) => draft.order(id) ?? []);
    });
    this.#send(userId, accountId, written);
    return written.result;
  }

  /**
   * The account trades no more: first it takes no orders, nor protection for what it has filled; then all that is open is
   * cancelled. Its history stays. May be called again where only the first was done. @throws {DomainError} NOT_FOUND
   */
  async endAccount(userId: string, accountId: string): Promise<Account> {
    const account = await setInactive(this.options.database, userId, accountId);
    await this.cancelAll(userId, accountId, null);
    return account;
  }

  /** Closes a position at the market, all of it. @throws {DomainError} NOT_FOUND; CONFLICT when it is not open */
  async closePosition(userId: string, accountId: string, positionId: string): Promise<KeptOrder> {
    const { clock, markets, venue } = this.options;
    const id = uuidV7(clock.nowMs());
    const written = await this.#change(userId, { accountId }, (draft) => {
      const kept = [...draft.positions()].find((position) => position.id === positionId);
      if (kept === undefined) throw new DomainError("CONFLICT", "the position is not open");
      const { symbolId, side, quantity, leverage, marginMode } = kept.position;
      const symbol = markets.symbol(symbolId);
      const order = newOrderOf(
        {
          accountId,
          symbolId,
          side: side === "LONG" ? "SELL" : "BUY",
          orderType: "MARKET",
          quantity,
          positionSide: draft.account.positionMode === "HEDGE" ? side : "BOTH",
          leverage,
          marginMode,
          reduceOnly: true,
        },
        { id, clientOrderId: id },
        symbol,
        markets.view(symbolId),
      );
      this.#admit(draft, order, symbol);
      draft.apply(id, { kind: "placed", at: draft.now, order }, hashOf(order));
      venue.react(draft);
      return id;
    });
    return written.result;
  }

  /** @throws {DomainError} the first rule that the order breaks */
  #admit(draft: LedgerDraft, order: NewOrder, symbol: TradingSymbol): void {
    this.#requireTaken(draft, order, symbol);
    requireNone(brokenRules(order, this.#conditions(draft, symbol)));
    const violations = this.#violations(draft, order, symbol);
    if (violations.length > 0) throw new RiskRefusal(order, violations);
  }

  /** @throws {DomainError} where the account, or the venue that it is at, takes no such order at all */
  #requireTaken(draft: LedgerDraft, order: NewOrder, symbol: TradingSymbol): void {
    if (draft.account.status !== "ACTIVE")
      throw new DomainError("CONFLICT", `the account is ${draft.account.status}`, { field: "accountId" });
    if (!this.options.venue.takes(draft.account))
      throw new DomainError(
        "PROVIDER_UNAVAILABLE",
        `orders of ${draft.account.environment} accounts are not executed here`,
      );
    requireStrategy(draft, order);
    if (this.options.markets.exchangeIdOf(symbol) !== draft.account.exchangeId)
      throw badInput("symbolId", "the symbol is of another exchange than the account");
    const refusal = this.options.venue.refusal?.(draft.account, order, symbol) ?? null;
    if (refusal !== null) throw badInput("input", refusal);
  }

  /** The limits that an order would exceed, or an open one with its new terms. */
  #violations(draft: LedgerDraft, order: NewOrder, symbol: TradingSymbol, replaced?: Order): RiskViolation[] {
    if (draft.limits.length === 0) return [];
    if (replaced !== undefined && isNoLarger(order, replaced)) return [];
    const exposure = exposureOf(draft, order, symbol, this.options.markets, replaced?.filledQuantity);
    return riskViolations(exposure, draft.limits);
  }

  #conditions(draft: LedgerDraft, symbol: TradingSymbol) {
    const { markets } = this.options;
    return {
      symbol,
      ...markets.status(symbol),
      view: markets.view(symbol.id),
      account: { positionMode: draft.account.positionMode, positions: openPositionsOf(draft, symbol.id) },
    };
  }

  async #change(
    userId: string,
    scope: Parameters<Ledger["change"]>[1],
    decide: (draft: LedgerDraft) => string,
  ): Promise<Written<KeptOrder>> {
    const written = await this.options.ledger.change(userId, scope, (draft) => {
      try {
        return draft.order(decide(draft)) as KeptOrder;
      } catch (error) {
        // That it was stopped is written down under the same lock; of the order itself nothing is.
        if (!(error instanceof RiskRefusal)) throw error;
        draft.refuse(violationRows(draft, error));
        return error;
      }
    });
    const { result } = written;
    if (result instanceof RiskRefusal) throw refusalOf(result.violations);
    this.#send(userId, scope.accountId, written);
    return { ...written, result };
  }

  #send(userId: string, accountId: string, { commands }: Written<unknown>): void {
    if (commands.length > 0) this.options.venue.send(userId, accountId, commands);
  }
}

/** @throws {DomainError} NOT_FOUND for a strategy that the user does not have */
function requireStrategy(draft: LedgerDraft, { strategyId }: NewOrder): void {
  if (strategyId !== null && draft.strategyId !== strategyId)
    throw new DomainError("NOT_FOUND", "there is no such strategy", { field: "strategyId" });
}

/** Neither more nor dearer than it is: then nothing more is risked. */
function isNoLarger(order: NewOrder, replaced: Order): boolean {
  const isDearer = (name: "price" | "stopPrice") => {
    const [now, before] = [order[name], replaced[name]];
    return now !== null && (before === null || now.gt(before));
  };
  return order.quantity.lte(replaced.quantity) && !isDearer("price") && !isDearer("stopPrice");
}

function openPositionsOf(draft: LedgerDraft, symbolId: number): Position[] {
  const found: Position[] = [];
  for (const { position } of draft.positions())
    if (position.symbolId === symbolId && position.status === "OPEN") found.push(position);
  return found;
}

function requireApplied(applied: ReturnType<LedgerDraft["apply"]>): void {
  if (applied.kind !== "refused") return;
  const { code, message } = applied;
  if (code === "OVERFILL" || code === "INVALID_FILL" || code === "OUT_OF_ORDER") throw new Error(message);
  throw new DomainError(code, message, code === "QUANTITY_OUT_OF_RANGE" ? { field: "quantity" } : {});
}

/** What was asked for, in one spelling: an idempotency key that comes again is compared by it. */
function hashOf(order: NewOrder): string {
  const {
    id: _id,
    clientOrderId: _client,
    reservePrice: _reserve,
    parentOrderId: _parent,
    strategyId,
    ...others
  } = order;
  // Without a strategy it is spelled as it was before there were any: a repetition may come after an upgrade.
  const terms = strategyId === null ? others : { ...others, strategyId };
  const spelled = Object.entries(terms)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [
      name,
      typeof value === "object" && value !== null ? decimalText(value as Decimal) : value,
    ]);
  return createHash("sha256").update(JSON.stringify(spelled)).digest("hex");
}
