import { divideFixedPoint, type FixedPoint, multiplyFixedPoint } from "../core/fixed-point.js";

/** Imbalance is cut into this many equal parts. */
const imbalanceStates = 10;
/** Spreads of 1 … this many ticks are told apart; wider ones count as the widest. */
const spreadStates = 2;
const stateCount = imbalanceStates * spreadStates;
/** Moves of the mid price, in half ticks; larger ones count as the largest. */
const moves = [-2, -1, 1, 2] as const;
/** The adjustment is calculated anew after this many observations. */
const relearnEvery = 2_000;
/** Terms of the series; further ones are below a thousandth of a tick in practice. */
const terms = 6;
/** A state that was never seen to change would have no way out, and the equations no solution. */
const mayLeave = 1 - 1e-6;
/** Counts are halved at this many observations, so that the model follows the market and the counts stay bounded. */
const halveAt = 200_000;

/**
 * The micro-price: the limit of the expected mid price, given the imbalance and the spread now. Bid and ask states form a
 * Markov chain whose transitions are counted as they happen: Q where the mid price stays, T where it moves, R how far.
 * With G₁ = (I − Q)⁻¹ R k and B = (I − Q)⁻¹ T, the adjustment to the mid price is G₁ + B G₁ + B² G₁ + …
 * Each observation is counted together with its mirror image (bid and ask exchanged), which makes the series converge.
 * Until enough was seen, the mid price weighted with the quantities stands in for it.
 *
 * The adjustment is an estimate, so it is calculated in floating point; it is added to the exact mid price.
 * @see S. Stoikov: The micro-price: a high-frequency estimator of future prices, Quantitative Finance 18(12), 2018
 */
export class MicropriceModel {
  readonly #tick: FixedPoint;
  readonly #stays = new Float64Array(stateCount * stateCount);
  readonly #moves = new Float64Array(stateCount * stateCount);
  readonly #steps = new Float64Array(stateCount * moves.length);
  #observed = 0;
  #adjustments: Float64Array | null = null;
  #last: { readonly state: number; readonly mid2: FixedPoint } | null = null;

  constructor(tick: FixedPoint) {
    this.#tick = tick > 0n ? tick : 1n;
  }

  observe(bid: FixedPoint, bidQuantity: FixedPoint, ask: FixedPoint, askQuantity: FixedPoint): void {
    const state = this.#stateOf(bid, bidQuantity, ask, askQuantity);
    const mid2 = bid + ask;
    const last = this.#last;
    this.#last = { state, mid2 };
    if (last === null) return;
    const halfTicks = Number((mid2 - last.mid2) / this.#tick);
    this.#count(last.state, state, halfTicks);
    this.#count(mirrored(last.state), mirrored(state), -halfTicks);
    if (++this.#observed % relearnEvery === 0) this.#learn();
    if (this.#observed >= halveAt) this.#forgetHalf();
  }

  /** What comes next does not follow from what was last seen. */
  interrupt(): void {
    this.#last = null;
  }

  price(bid: FixedPoint, bidQuantity: FixedPoint, ask: FixedPoint, askQuantity: FixedPoint): FixedPoint {
    if (this.#adjustments === null) {
      return bid + multiplyFixedPoint(ask - bid, divideFixedPoint(bidQuantity, bidQuantity + askQuantity));
    }
    const ticks = this.#adjustments[this.#stateOf(bid, bidQuantity, ask, askQuantity)] ?? 0;
    const price = (bid + ask) / 2n + (this.#tick * BigInt(Math.round(ticks * 1e6))) / 1_000_000n;
    // Whatever was learned, the next price is not expected beyond the best prices.
    return price < bid ? bid : price > ask ? ask : price;
  }

  #stateOf(bid: FixedPoint, bidQuantity: FixedPoint, ask: FixedPoint, askQuantity: FixedPoint): number {
    const spread = Math.min(spreadStates, Math.max(1, Number((ask - bid) / this.#tick)));
    const imbalance = Number((bidQuantity * 1_000_000n) / (bidQuantity + askQuantity)) / 1_000_000;
    return (spread - 1) * imbalanceStates + Math.min(imbalanceStates - 1, Math.floor(imbalance * imbalanceStates));
  }

  #count(from: number, to: number, halfTicks: number): void {
    if (halfTicks === 0) {
      increase(this.#stays, from * stateCount + to);
      return;
    }
    increase(this.#moves, from * stateCount + to);
    const move = Math.max(-2, Math.min(2, halfTicks));
    increase(this.#steps, from * moves.length + moves.indexOf(move as (typeof moves)[number]));
  }

  #learn(): void {
    const q = new Float64Array(stateCount * stateCount);
    const t = new Float64Array(stateCount * stateCount);
    const expectedMove = new Float64Array(stateCount);
    for (let from = 0; from < stateCount; from++) {
      let total = 0;
      for (let to = 0; to < stateCount; to++) {
        const place = from * stateCount + to;
        total += (this.#stays[place] ?? 0) + (this.#moves[place] ?? 0);
      }
      if (total === 0) continue;
      for (let to = 0; to < stateCount; to++) {
        const place = from * stateCount + to;
        q[place] = ((this.#stays[place] ?? 0) / total) * mayLeave;
        t[place] = (this.#moves[place] ?? 0) / total;
      }
      // Half a tick per step.
      for (const [n, move] of moves.entries()) {
        expectedMove[from] =
          (expectedMove[from] ?? 0) + ((this.#steps[from * moves.length + n] ?? 0) / total) * (move / 2);
      }
    }
    const first = solve(q, expectedMove);
    if (first === null) return;
    const sum = Float64Array.from(first);
    let term = first;
    for (let n = 1; n < terms; n++) {
      const next = solve(q, multiply(t, term));
      if (next === null) return;
      term = next;
      for (let state = 0; state < stateCount; state++) sum[state] = (sum[state] ?? 0) + (term[state] ?? 0);
    }
    if (sum.every(Number.isFinite)) this.#adjustments = sum;
  }

  #forgetHalf(): void {
    for (const counts of [this.#stays, this.#moves, this.#steps]) {
      for (let n = 0; n < counts.length; n++) counts[n] = (counts[n] ?? 0) / 2;
    }
    this.#observed /= 2;
  }
}

const increase = (counts: Float64Array, place: number): void => {
  counts[place] = (counts[place] ?? 0) + 1;
};

const mirrored = (state: number): number => {
  const spread = Math.floor(state / imbalanceStates);
  return spread * imbalanceStates + (imbalanceStates - 1 - (state % imbalanceStates));
};

function multiply(matrix: Float64Array, vector: Float64Array): Float64Array {
  const result = new Float64Array(stateCount);
  for (let row = 0; row < stateCount; row++) {
    let sum = 0;
    for (let column = 0; column < stateCount; column++) {
      sum += (matrix[row * stateCount + column] ?? 0) * (vector[column] ?? 0);
    }
    result[row] = sum;
  }
  return result;
}

/** x with (I − q) x = b, by elimination with pivots; null when there is no solution. */
function solve(q: Float64Array, b: Float64Array): Float64Array | null {
  const n = stateCount;
  const rows = Array.from({ length: n }, (_, row) => {
    const values = new Float64Array(n + 1);
    for (let column = 0; column < n; column++) values[column] = (row === column ? 1 : 0) - (q[row * n + column] ?? 0);
    values[n] = b[row] ?? 0;
    return values;
  });
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++) {
      if (Math.abs(rows[row]?.[column] ?? 0) > Math.abs(rows[pivot]?.[column] ?? 0)) pivot = row;
    }
    const pivotRow = rows[pivot];
    const columnRow = rows[column];
    if (pivotRow === undefined || columnRow === undefined || Math.abs(pivotRow[column] ?? 0) < 1e-12) return null;
    rows[pivot] = columnRow;
    rows[column] = pivotRow;
    for (let row = 0; row < n; row++) {
      const values = rows[row];
      if (row === column || values === undefined) continue;
      const factor = (values[column] ?? 0) / (pivotRow[column] ?? 1);
      if (factor === 0) continue;
      for (let k = column; k <= n; k++) values[k] = (values[k] ?? 0) - factor * (pivotRow[k] ?? 0);
    }
  }
  return Float64Array.from(rows, (values, row) => (values[n] ?? 0) / (values[row] ?? 1));
}
