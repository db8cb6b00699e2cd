import { expect } from "vitest";
import type { Decimal } from "../../src/core/decimal.js";
import { type Balances, balanceOf, type Movement, moved } from "../../src/trading/balances.js";
import { settleFunding, settleFutures, settleLiquidation } from "../../src/trading/futures-settlement.js";
import { sumOf, zero } from "../../src/trading/money.js";
import type { Fill, NewOrder, Order } from "../../src/trading/order.js";
import type { OrderEvent } from "../../src/trading/order-event.js";
import { orderFrom, transition } from "../../src/trading/order-life.js";
import type { Position } from "../../src/trading/position.js";
import { protectionOrders } from "../../src/trading/protection.js";
import {
  type Booking,
  needOfGroup,
  release,
  reservationOwner,
  reserve,
  settleSpot,
} from "../../src/trading/reservation.js";
import { isFutures, type TradingSymbol } from "../../src/trading/trading-symbol.js";
import type { VenueEvent } from "../../src/trading/venue.js";
import { at } from "./orders.js";

/** One account kept in memory by the rules alone, step by step as the ledger does it. */
export class TestLedger {
  readonly orders = new Map<string, Order>();
  readonly streams = new Map<string, OrderEvent[]>();
  readonly held = new Map<string, Decimal>();
  readonly movements: Movement[] = [];
  readonly fills: { readonly order: Order; readonly fill: Fill }[] = [];
  readonly ended: Position[] = [];
  positions: Position[] = [];
  balances: Balances;
  hasShortfall = false;
  readonly #opening: Balances;

  /** @param onProtection told of each order that protects another; it is reserved already */
  constructor(
    readonly symbolOf: (symbolId: number) => TradingSymbol,
    opening: Readonly<Record<string, Decimal>>,
    private readonly onProtection: (order: Order) => void = () => {},
  ) {
    this.#opening = new Map(Object.entries(opening).map(([asset, available]) => [asset, { available, locked: zero }]));
    this.balances = this.#opening;
  }

  /** Null when there is not enough money. */
  place(asked: NewOrder): Order | null {
    const order = orderFrom([{ kind: "placed", at: at(0), order: asked }]);
    const reserving = reserve(this.#need(order), this.#heldFor(order), this.balances);
    if (reserving.kind === "insufficient") return null;
    this.orders.set(order.clientOrderId, order);
    this.streams.set(order.clientOrderId, [{ kind: "placed", at: at(0), order: asked }]);
    this.#book(order, reserving.booking);
    return order;
  }

  /** Whether it changed anything. */
  apply(clientOrderId: string, event: OrderEvent): boolean {
    const before = this.orders.get(clientOrderId);
    if (before === undefined) throw new Error(`no order ${clientOrderId}`);
    const next = transition(before, event);
    if (next.kind === "refused") throw new Error(`${next.code}: ${next.message}`);
    if (next.kind === "unchanged") return false;
    const { order } = next;
    if (next.effects.some(({ kind }) => kind === "reserve")) {
      const reserving = reserve(this.#need(order), this.#heldFor(order), this.balances);
      if (reserving.kind === "insufficient") return false;
      this.#book(order, reserving.booking);
    }
    this.orders.set(clientOrderId, order);
    this.streams.get(clientOrderId)?.push(event);
    for (const effect of next.effects) {
      if (effect.kind === "settle") this.#settle(order, effect.fill);
      if (effect.kind === "release") {
        this.#book(order, release(this.#need(order), this.#heldFor(order), this.balances));
      }
      if (effect.kind === "protect") this.#protect(order, effect.quantity);
    }
    return true;
  }

  handle(event: VenueEvent): void {
    if (event.kind === "order") this.apply(event.clientOrderId, event.report);
    else if (event.kind !== "gap") {
      const position = this.positions.find((one) => one.symbolId === event.symbolId && one.side === event.side);
      if (position === undefined) throw new Error(`${event.kind} of a position that is not there`);
      const booked =
        event.kind === "funding"
          ? settleFunding(event.amount, position, event.asset, this.balances)
          : settleLiquidation(event, position, this.symbolOf(event.symbolId), this.balances);
      this.#move(booked);
      this.#keep(booked.positions);
    }
  }

  /** What must hold after every step. */
  check(): void {
    const assets = new Set([...this.balances.keys(), ...this.#opening.keys()]);
    for (const asset of assets) {
      const { available, locked } = balanceOf(this.balances, asset);
      const own = this.movements.filter((movement) => movement.asset === asset);
      expect(available.gte(0) && locked.gte(0)).toBe(true);
      const opening = balanceOf(this.#opening, asset).available;
      expect(available).toEqual(sumOf([opening, ...own.map((movement) => movement.availableChange)]));
      expect(locked).toEqual(sumOf(own.map((movement) => movement.lockedChange)));
      const held = [...this.held].flatMap(([owner, amount]) => (this.#assetOf(owner) === asset ? [amount] : []));
      const margins = this.positions.flatMap((one) =>
        this.symbolOf(one.symbolId).quoteAsset === asset ? [one.marginUsed] : [],
      );
      expect(locked).toEqual(sumOf([...held, ...margins]));
    }
  }

  #need(order: Order) {
    const owner = reservationOwner(order);
    const group = [...this.orders.values()].filter(
      (other) => reservationOwner(other) === owner && other.id !== order.id,
    );
    // A parent holds for its children, and needs nothing itself when they come.
    return needOfGroup([order, ...group.filter(({ side }) => side === order.side)], this.symbolOf(order.symbolId));
  }

  #heldFor(order: Order): Decimal {
    return this.held.get(reservationOwner(order)) ?? zero;
  }

  #assetOf(owner: string): string | null {
    const order =
      [...this.orders.values()].find((one) => reservationOwner(one) === owner && one.id !== owner) ??
      [...this.orders.values()].find(({ id }) => id === owner);
    return order === undefined ? null : this.#need(order).asset;
  }

  #settle(order: Order, fill: Fill): void {
    this.fills.push({ order, fill });
    const symbol = this.symbolOf(order.symbolId);
    const held = this.#heldFor(order);
    if (!isFutures(symbol)) {
      this.#book(order, settleSpot(order, fill, symbol, held, this.balances));
      return;
    }
    const positions = this.positions.filter(({ symbolId }) => symbolId === order.symbolId);
    const booked = settleFutures(order, fill, positions, symbol, held, this.balances);
    this.#book(order, booked);
    this.#keep(booked.positions);
  }

  #protect(parent: Order, quantity: Decimal): void {
    let count = 0;
    const identity = () => {
      const id = `${parent.id}-${parent.version}-${count++}`;
      return { id, clientOrderId: id };
    };
    const symbol = this.symbolOf(parent.symbolId);
    const { available } = balanceOf(this.balances, symbol.baseAsset);
    for (const asked of protectionOrders(parent, quantity, symbol, available, identity)) {
      const order = this.place(asked);
      if (order === null) throw new Error("there is not enough for what protects an order");
      this.onProtection(order);
    }
  }

  #keep(changed: readonly Position[]): void {
    for (const position of changed) {
      this.positions = this.positions.filter((one) => one.symbolId !== position.symbolId || one.side !== position.side);
      if (position.status === "OPEN") this.positions.push(position);
      else this.ended.push(position);
    }
  }

  #book(order: Order, booking: Booking): void {
    this.#move(booking);
    this.held.set(reservationOwner(order), booking.held);
  }

  #move(booking: Booking): void {
    this.balances = moved(this.balances, booking.movements);
    this.movements.push(...booking.movements);
    this.hasShortfall ||= booking.shortfalls.size > 0;
  }
}
