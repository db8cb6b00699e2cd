import type { Random } from "./random.js";

/** Price in ticks, quantity in steps; a quantity of zero says that the level is gone. */
export type Level = readonly [price: number, quantity: number];

export interface Levels {
  /** Both best first in a whole book; in a change in any order. */
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

export const best = ({ bids, asks }: Levels, count: number): Levels => ({
  bids: bids.slice(0, count),
  asks: asks.slice(0, count),
});

/** Behind the best price, on each side. */
const levelsBehind = 24;

/**
 * The levels of a book. Behind the best prices, which can be anywhere, they stand at multiples of `gapTicks`, so that they
 * stay where they are while the price moves, and only some come and go at both ends.
 */
export class Depth {
  readonly #gapTicks: number;
  readonly #random: Random;
  readonly #newQuantity: () => number;
  #bids: ReadonlyMap<number, number> = new Map();
  #asks: ReadonlyMap<number, number> = new Map();
  readonly #changedBids = new Map<number, number>();
  readonly #changedAsks = new Map<number, number>();

  constructor(gapTicks: number, random: Random, newQuantity: () => number) {
    this.#gapTicks = gapTicks;
    this.#random = random;
    this.#newQuantity = newQuantity;
  }

  get levels(): Levels {
    return { bids: [...this.#bids], asks: [...this.#asks] };
  }

  quote([bid, bidQuantity]: Level, [ask, askQuantity]: Level): void {
    const gap = this.#gapTicks;
    this.#bids = this.#follow(this.#bids, bid, bidQuantity, Math.ceil(bid / gap - 1) * gap, -gap, this.#changedBids);
    this.#asks = this.#follow(this.#asks, ask, askQuantity, Math.floor(ask / gap + 1) * gap, gap, this.#changedAsks);
  }

  /** What has changed since the last time; null when nothing has. */
  takeChanges(): Levels | null {
    if (this.#changedBids.size + this.#changedAsks.size === 0) return null;
    const changes = { bids: [...this.#changedBids], asks: [...this.#changedAsks] };
    this.forgetChanges();
    return changes;
  }

  forgetChanges(): void {
    this.#changedBids.clear();
    this.#changedAsks.clear();
  }

  #follow(
    old: ReadonlyMap<number, number>,
    best: number,
    bestQuantity: number,
    firstBehind: number,
    step: number,
    changed: Map<number, number>,
  ): ReadonlyMap<number, number> {
    const levels = new Map([[best, bestQuantity]]);
    // Somebody changes an order somewhere.
    const touched = this.#random.integer(2 * levelsBehind);
    let price = firstBehind;
    for (let i = 0; i < levelsBehind && price > 0; i++, price += step) {
      levels.set(price, (i === touched ? undefined : old.get(price)) ?? this.#newQuantity());
    }
    for (const [at, quantity] of levels) if (old.get(at) !== quantity) changed.set(at, quantity);
    for (const at of old.keys()) if (!levels.has(at)) changed.set(at, 0);
    return levels;
  }
}
