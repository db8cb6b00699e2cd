import { Decimal, type DecimalText, decimalText } from "../core/decimal.js";
import { DomainError } from "../core/errors.js";
import { type Balances, balanceOf, type Movement, moved } from "./balances.js";
import {
  type PositionBooking,
  settleFunding,
  settleFutures,
  settleLiquidation,
  settleTold,
} from "./futures-settlement.js";
import type { EntryRow, EventRow, FillRow, LedgerChange, PositionRow, QueueRow, ViolationRow } from "./ledger-rows.js";
import { zero } from "./money.js";
import type { Fill, NewOrder, Order, OrderSide, PositionMode, PositionSide } from "./order.js";
import type { OrderEvent } from "./order-event.js";
import { dataOfOrderEvent, dataOfVenueEvent, type EventData } from "./order-event-data.js";
import { type OrderEffect, type OrderRefusal, transition } from "./order-life.js";
import { type KeptOrder, rowOfOrder } from "./order-row.js";
import { entryPriceOf, liquidationPrice, type Position } from "./position.js";
import { type KeptPosition, rowOfPosition } from "./position-row.js";
import { protectionOrders } from "./protection.js";
import { type Booking, needOfGroup, release, reservationOwner, reserve, settleSpot } from "./reservation.js";
import type { RiskLimits } from "./risk-rules.js";
import { isFutures, type TradingSymbol } from "./trading-symbol.js";
import type { FundingEvent, LiquidationEvent, PositionTold, VenueEvent } from "./venue.js";
import type { VenueTerm } from "./venue-lease.js";

export interface LedgerAccount {
  readonly id: string;
  readonly userId: string;
  readonly exchangeId: number;
  readonly environment: "PAPER" | "TESTNET" | "PRODUCTION";
  readonly status: "ACTIVE" | "INACTIVE" | "ERROR" | "EXPIRED";
  readonly positionMode: PositionMode;
}

/** An account as it is while its lock is held. */
export interface LedgerState {
  readonly account: LedgerAccount;
  /** Of the account's newest event. */
  readonly sequence: number;
  /** Of the newest event that is the account's own. */
  readonly accountVersion: number;
  readonly balances: Balances;
  /** Those that were asked for, each with all that share a reservation with it. */
  readonly orders: readonly KeptOrder[];
  /** All that are open. */
  readonly positions: readonly KeptPosition[];
  /** Those that apply to the account and the strategy; empty where nobody asked. */
  readonly limits: readonly RiskLimits[];
  /** What open orders may still add to positions, where a limit asks about it. */
  readonly waiting: readonly WaitingOrders[];
  /** The strategy that was asked about; null where the user has no such one. */
  readonly strategyId: string | null;
  readonly equity: EquityMarks;
}

/** What is not filled yet of the open orders of one symbol and direction. */
export interface WaitingOrders {
  readonly symbolId: number;
  readonly side: OrderSide;
  readonly positionSide: PositionSide;
  readonly quantity: Decimal;
}

/** What an account was worth when it was first asked about on a day (UTC), and the most that it ever was. */
export interface EquityMarks {
  /** As YYYY-MM-DD. */
  readonly day: string | null;
  readonly atMidnight: Decimal | null;
  readonly highest: Decimal | null;
}

export interface DraftTools {
  readonly now: Date;
  readonly newId: () => string;
  readonly symbolOf: (id: number) => TradingSymbol;
}

export type Applied =
  | { readonly kind: "changed"; readonly order: Order }
  | { readonly kind: "unchanged"; readonly order: Order }
  | { readonly kind: "refused"; readonly code: OrderRefusal; readonly message: string };

export interface VenueCommand {
  readonly command: "place" | "cancel" | "replace";
  readonly order: Order;
}

/**
 * One change of an account, in memory until it is written as a whole: what events do to orders, balances and positions, and
 * every entry, event and message that says so.
 */
export class LedgerDraft {
  readonly account: LedgerAccount;
  /** What a venue is to be told after the change is written. */
  commands: VenueCommand[] = [];
  /** Set by who decides as the leader of a venue: then the change counts only while it leads. */
  term: VenueTerm | null = null;
  readonly #orders = new Map<string, KeptOrder>();
  readonly #changedOrders = new Set<string>();
  readonly #positions = new Map<string, KeptPosition>();
  readonly #changedPositions = new Set<string>();
  readonly #fills: FillRow[] = [];
  readonly #events: EventRow[] = [];
  readonly #queue: QueueRow[] = [];
  readonly #entries: EntryRow[] = [];
  readonly limits: readonly RiskLimits[];
  readonly waiting: readonly WaitingOrders[];
  readonly strategyId: string | null;
  #violations: readonly ViolationRow[] = [];
  readonly #lost: ((error: unknown) => void)[] = [];
  #equity: EquityMarks;
  #isEquityChanged = false;
  #balances: Balances;
  #sequence: number;
  #accountVersion: number;

  constructor(
    state: LedgerState,
    private readonly tools: DraftTools,
  ) {
    this.account = state.account;
    this.#balances = state.balances;
    this.#sequence = state.sequence;
    this.#accountVersion = state.accountVersion;
    this.limits = state.limits;
    this.waiting = state.waiting;
    this.strategyId = state.strategyId;
    this.#equity = state.equity;
    for (const kept of state.orders) this.#orders.set(kept.order.id, kept);
    for (const kept of state.positions) this.#positions.set(kept.id, kept);
  }

  /** Calls back when nothing comes of this draft, for who has gone on from it already. */
  whenLost(listener: (error: unknown) => void): void {
    this.#lost.push(listener);
  }

  tellLost(error: unknown): void {
    for (const listener of this.#lost.splice(0)) listener(error);
  }

  get now(): Date {
    return this.tools.now;
  }
  newId(): string {
    return this.tools.newId();
  }
  get equity(): EquityMarks {
    return this.#equity;
  }
  set equity(marks: EquityMarks) {
    this.#equity = marks;
    this.#isEquityChanged = true;
  }
  get balances(): Balances {
    return this.#balances;
  }
  get isChanged(): boolean {
    return this.#events.length > 0 || this.#violations.length > 0 || this.#isEquityChanged;
  }

  /** Writes down which limits have stopped an order, of which nothing else is written then. */
  refuse(violations: readonly ViolationRow[]): void {
    if (this.#events.length > 0) throw new Error("an order is refused before anything of it happens");
    this.#violations = violations;
  }

  order(id: string): KeptOrder | undefined {
    return this.#orders.get(id);
  }

  orders(): Iterable<KeptOrder> {
    return this.#orders.values();
  }

  positions(): Iterable<KeptPosition> {
    return this.#positions.values();
  }

  orderByClientId(clientOrderId: string): KeptOrder | undefined {
    for (const kept of this.#orders.values()) if (kept.order.clientOrderId === clientOrderId) return kept;
    return undefined;
  }

  /**
   * Does what the event means for the order and everything that hangs on it.
   * @param contentHash of what was asked for; with the first event only
   * @throws {DomainError} INSUFFICIENT_BALANCE; the draft is then to be thrown away
   */
  apply(orderId: string, event: OrderEvent, contentHash?: string): Applied {
    const known = this.#orders.get(orderId);
    const next = transition(known?.order ?? null, event);
    if (next.kind === "refused") return next;
    if (next.kind === "unchanged") {
      if (known === undefined) throw new Error("an order that is not there cannot stay as it is");
      return { kind: "unchanged", order: known.order };
    }
    const { order, effects } = next;
    this.#keep({
      userId: this.account.userId,
      contentHash: contentHash ?? "",
      positionId: null,
      reservedAsset: null,
      reserved: zero,
      venueState: {},
      ...known,
      order,
      sequence: this.#sequence + 1,
    });
    const symbol = this.tools.symbolOf(order.symbolId);
    const step = new Step(orderId);
    for (const effect of effects) this.#perform(effect, order, symbol, step);
    this.#store(
      "order",
      orderId,
      order.version,
      event.kind,
      event.at,
      {
        ...dataOfOrderEvent(event),
        ...(contentHash === undefined ? {} : { contentHash }),
        ...step.facts(),
      },
      step,
    );
    for (const leg of step.protection)
      this.apply(leg.id, { kind: "placed", at: this.now, order: leg }, `protects ${orderId}`);
    return { kind: "changed", order };
  }

  /** Does what a venue tells. Null: it is not about an order or a position of this account that is known here. */
  applyVenueEvent(event: VenueEvent): Applied | null {
    switch (event.kind) {
      case "order": {
        const known = this.orderByClientId(event.clientOrderId);
        return known === undefined ? null : this.apply(known.order.id, event.report);
      }
      case "funding":
      case "liquidation":
        this.#applyToPosition(event);
        return null;
      case "gap":
        return null;
    }
  }

  #applyToPosition(event: FundingEvent | LiquidationEvent): void {
    const symbol = this.tools.symbolOf(event.symbolId);
    const isPaper = this.account.environment === "PAPER";
    // An exchange may tell of it late, when another position is open.
    const open = this.#openPositions(event.symbolId).filter(({ openedAt }) => isPaper || openedAt <= event.at);
    const position = event.side === null ? onlyOf(open) : open.find(({ side }) => side === event.side);
    if (position === undefined && isPaper) return;
    const step = new Step(null);
    const booking =
      event.kind === "funding"
        ? settleFunding(event.amount, position ?? null, event.asset, this.#balances)
        : position === undefined
          ? nothing
          : settleLiquidation(event, position, symbol, this.#balances);
    this.#move(booking.movements, step);
    for (const changed of booking.positions) this.#keepPosition(changed, symbol, null, step);
    this.#accountVersion++;
    const venueId = event.kind === "funding" ? event.exchangePaymentId : event.exchangeFillId;
    // What an exchange tells is booked once; the database sees to it.
    const source = isPaper ? {} : { source: "exchange" };
    const data = { ...dataOfVenueEvent(event), venueId, ...source, ...step.facts() };
    this.#store("account", this.account.id, this.#accountVersion, event.kind, event.at, data, step);
  }

  /** Makes a position what an exchange says that it is. */
  takePosition(told: PositionTold): void {
    const symbol = this.tools.symbolOf(told.symbolId);
    const known = this.#openPositions(told.symbolId).find(({ side }) => side === told.side) ?? null;
    if (known === null && told.quantity.isZero()) return;
    const step = new Step(null);
    const booking = settleTold(told, this.account.id, known, symbol.quoteAsset, this.#balances);
    this.#move(booking.movements, step);
    for (const changed of booking.positions) this.#keepPosition(changed, symbol, null, step);
    this.#accountVersion++;
    const data = { symbolId: told.symbolId, side: told.side, source: "exchange", ...step.facts() };
    this.#store("account", this.account.id, this.#accountVersion, "positionTaken", told.at, data, step);
  }

  /** The first event of an account, with what is paid in. */
  open(data: EventData, deposits: readonly { readonly asset: string; readonly amount: DecimalText }[]): void {
    this.record(
      "opened",
      this.now,
      data,
      deposits.map(({ asset, amount }) => ({
        asset,
        reason: "DEPOSIT",
        availableChange: new Decimal(amount),
        lockedChange: zero,
      })),
    );
  }

  /** An event of the account itself, e.g. a deposit. */
  record(kind: string, at: Date, data: EventData, movements: readonly Movement[]): void {
    const step = new Step(null);
    this.#move(movements, step);
    this.#accountVersion++;
    this.#store("account", this.account.id, this.#accountVersion, kind, at, { ...data, ...step.facts() }, step);
  }

  /** Everything that is to be written. */
  change(): LedgerChange {
    return {
      ...(this.#isEquityChanged ? { equity: [equityRow(this.account.id, this.#equity)] } : {}),
      positions: [...this.#changedPositions].map((id) => rowOfPosition(this.#positions.get(id) as KeptPosition)),
      orders: [...this.#changedOrders].map((id) => rowOfOrder(this.#orders.get(id) as KeptOrder)),
      fills: this.#fills,
      events: this.#events,
      queue: this.#queue,
      entries: this.#entries,
      ...(this.#violations.length === 0 ? {} : { violations: this.#violations }),
    };
  }

  #keep(kept: KeptOrder): void {
    this.#orders.set(kept.order.id, kept);
    this.#changedOrders.add(kept.order.id);
  }

  #perform(effect: OrderEffect, order: Order, symbol: TradingSymbol, step: Step): void {
    switch (effect.kind) {
      case "reserve": {
        const need = needOfGroup(this.#groupOf(order), symbol);
        const reserving = reserve(need, this.#held(order, need.asset), this.#balances);
        if (reserving.kind === "insufficient") throw insufficientBalance(reserving);
        this.#book(reserving.booking, need.asset, order, step);
        return;
      }
      case "release": {
        const need = needOfGroup(this.#groupOf(order), symbol);
        this.#book(release(need, this.#held(order, need.asset), this.#balances), need.asset, order, step);
        return;
      }
      case "settle":
        this.#settle(effect.fill, order, symbol, step);
        return;
      case "send":
        this.commands.push({ command: effect.command, order });
        return;
      case "protect": {
        // It trades no more: what it has bought stays.
        if (this.account.status === "INACTIVE") return;
        const { available } = balanceOf(this.#balances, symbol.baseAsset);
        step.protection.push(
          ...protectionOrders(order, effect.quantity, symbol, available, () => {
            const id = this.tools.newId();
            return { id, clientOrderId: id };
          }),
        );
        return;
      }
    }
  }

  #settle(fill: Fill, order: Order, symbol: TradingSymbol, step: Step): void {
    const isSale = order.side === "SELL" && !isFutures(symbol);
    const asset = isSale ? symbol.baseAsset : symbol.quoteAsset;
    const held = this.#held(order, asset);
    let realizedPnl = zero;
    let positionId: string | null = null;
    if (isFutures(symbol)) {
      const open = this.#openPositions(order.symbolId);
      const isExact = this.account.environment === "PAPER";
      const booking = settleFutures(order, fill, open, symbol, held, this.#balances, isExact);
      ({ realizedPnl } = booking);
      this.#book(booking, asset, order, step);
      for (const position of booking.positions) positionId = this.#keepPosition(position, symbol, order, step).id;
      const kept = this.#orders.get(order.id) as KeptOrder;
      if (positionId !== kept.positionId) this.#keep({ ...kept, positionId });
    } else {
      this.#book(settleSpot(order, fill, symbol, held, this.#balances), asset, order, step);
    }
    step.fill = {
      id: this.tools.newId(),
      user_id: this.account.userId,
      account_id: this.account.id,
      order_id: order.id,
      symbol_id: order.symbolId,
      position_id: positionId,
      exchange_fill_id: fill.exchangeFillId,
      price: decimalText(fill.price),
      quantity: decimalText(fill.quantity),
      commission: decimalText(fill.commission),
      commission_asset: fill.commissionAsset,
      realized_pnl: decimalText(realizedPnl),
      is_maker: fill.isMaker,
      filled_at: fill.filledAt.toISOString(),
      created_at: this.now.toISOString(),
    };
    this.#fills.push(step.fill);
  }

  #openPositions(symbolId: number): Position[] {
    const found: Position[] = [];
    for (const { position } of this.#positions.values())
      if (position.symbolId === symbolId && position.status === "OPEN") found.push(position);
    return found;
  }

  /** The position as it is now; one that was not open before is a new one. */
  #keepPosition(position: Position, symbol: TradingSymbol, order: Order | null, step: Step): KeptPosition {
    let known: KeptPosition | undefined;
    for (const kept of this.#positions.values()) {
      const { symbolId, side, status } = kept.position;
      if (symbolId === position.symbolId && side === position.side && status === "OPEN") known = kept;
    }
    const kept: KeptPosition = {
      id: known?.id ?? this.tools.newId(),
      userId: this.account.userId,
      version: (known?.version ?? 0) + 1,
      sequence: this.#sequence + 1,
      position,
      entryPrice: entryPriceOf(position) ?? known?.entryPrice ?? zero,
      liquidationPrice: this.#liquidationPrice(position, symbol),
      stopLoss: order?.stopLoss ?? known?.stopLoss ?? null,
      takeProfit: order?.takeProfit ?? known?.takeProfit ?? null,
    };
    this.#positions.set(kept.id, kept);
    this.#changedPositions.add(kept.id);
    step.positions.push(rowOfPosition(kept));
    return kept;
  }

  /** As far as it can be told without the prices of other symbols. */
  #liquidationPrice(position: Position, symbol: TradingSymbol): Decimal | null {
    if (position.status !== "OPEN") return null;
    const rate = symbol.maintenanceMarginRate;
    if (position.marginMode === "ISOLATED") return liquidationPrice([position], position.marginUsed, rate);
    const { available, locked } = balanceOf(this.#balances, symbol.quoteAsset);
    let wallet = available.plus(locked);
    for (const { position: other } of this.#positions.values())
      if (other.status === "OPEN" && other.marginMode === "ISOLATED") wallet = wallet.minus(other.marginUsed);
    return liquidationPrice([position], wallet, rate);
  }

  /** All whose reservation is one with the order's: those that protect the same fills. */
  #groupOf(order: Order): Order[] {
    const { parentOrderId } = order;
    if (parentOrderId === null) return [order];
    const group: Order[] = [];
    for (const kept of this.#orders.values()) if (kept.order.parentOrderId === parentOrderId) group.push(kept.order);
    return group;
  }

  /** What is held of the asset for the order. After its end, its place may hold what protects its fills. */
  #held(order: Order, asset: string): Decimal {
    const owner = this.#orders.get(reservationOwner(order));
    return owner === undefined || owner.reservedAsset !== asset ? zero : owner.reserved;
  }

  #book({ movements, held, shortfalls }: Booking, asset: string, order: Order, step: Step): void {
    this.#move(movements, step);
    for (const [missing, amount] of shortfalls) step.shortfalls.set(missing, amount);
    const owner = this.#orders.get(reservationOwner(order));
    if (owner === undefined) throw new Error("an order was loaded without the one that holds its reservation");
    if (this.#held(order, asset).eq(held)) return;
    this.#keep({ ...owner, reserved: held, reservedAsset: asset, sequence: this.#sequence + 1 });
    step.held = { orderId: owner.order.id, asset, amount: held };
  }

  #move(movements: readonly Movement[], step: Step): void {
    this.#balances = moved(this.#balances, movements);
    step.movements.push(...movements);
  }

  #store(
    streamType: string,
    streamId: string,
    version: number,
    kind: string,
    at: Date,
    data: EventData,
    step: Step,
  ): void {
    this.#sequence++;
    const sequence = this.#sequence;
    const id = this.tools.newId();
    const own = { user_id: this.account.userId, account_id: this.account.id, account_sequence: sequence };
    const occurredAt = at.toISOString();
    const createdAt = this.now.toISOString();
    this.#events.push({
      id,
      ...own,
      stream_type: streamType,
      stream_id: streamId,
      version,
      event_type: kind,
      data,
      occurred_at: occurredAt,
      recorded_at: createdAt,
    });
    step.movements.forEach((movement, ordinal) => {
      this.#entries.push({
        id: this.tools.newId(),
        ...own,
        ordinal,
        asset: movement.asset,
        reason: movement.reason,
        available_change: decimalText(movement.availableChange),
        locked_change: decimalText(movement.lockedChange),
        order_id: step.orderId,
        fill_id: step.fill?.id ?? null,
        occurred_at: occurredAt,
      });
    });
    const kept = step.orderId === null ? undefined : this.#orders.get(step.orderId);
    this.#queue.push({
      event_id: id,
      ...own,
      created_at: createdAt,
      payload: {
        kind,
        order: kept === undefined ? null : rowOfOrder(kept),
        fill: step.fill,
        positions: step.positions,
        balances: [...new Set(step.movements.map(({ asset }) => asset))].map((asset) => {
          const { available, locked } = balanceOf(this.#balances, asset);
          return {
            asset,
            available: decimalText(available),
            locked: decimalText(locked),
            sequence,
            updated_at: occurredAt,
          };
        }),
      },
    });
  }
}

const equityRow = (accountId: string, { day, atMidnight, highest }: EquityMarks) => ({
  account_id: accountId,
  equity_day: day,
  equity_at_midnight: atMidnight === null ? null : decimalText(atMidnight),
  highest_equity: highest === null ? null : decimalText(highest),
});

/** Of a liquidation that positions and balances show already. */
const nothing: Pick<PositionBooking, "movements" | "positions"> = { movements: [], positions: [] };

const onlyOf = <T>(values: readonly T[]): T | undefined => (values.length === 1 ? values[0] : undefined);

/** What one event does, on the way to its entry in the store. */
class Step {
  readonly movements: Movement[] = [];
  readonly shortfalls = new Map<string, Decimal>();
  held: { readonly orderId: string; readonly asset: string; readonly amount: Decimal } | null = null;
  readonly positions: PositionRow[] = [];
  readonly protection: NewOrder[] = [];
  fill: FillRow | null = null;

  constructor(readonly orderId: string | null) {}

  /** What a replay could not tell from the event alone. */
  facts(): EventData {
    const { movements, held, fill, positions } = this;
    return {
      ...(fill === null ? {} : { fillId: fill.id, positionId: fill.position_id, realizedPnl: fill.realized_pnl }),
      ...(positions.length === 0 ? {} : { positions }),
      ...(held === null ? {} : { held: { ...held, amount: decimalText(held.amount) } }),
      movements: movements.map(({ asset, reason, availableChange, lockedChange }) => ({
        asset,
        reason,
        available: decimalText(availableChange),
        locked: decimalText(lockedChange),
      })),
    };
  }
}

const insufficientBalance = (missing: {
  readonly asset: string;
  readonly required: Decimal;
  readonly available: Decimal;
}): DomainError =>
  new DomainError(
    "INSUFFICIENT_BALANCE",
    `${missing.required.toFixed()} ${missing.asset} needed, ${missing.available.toFixed()} available`,
    { asset: missing.asset, required: decimalText(missing.required), available: decimalText(missing.available) },
  );
