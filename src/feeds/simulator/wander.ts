import { createHash } from "node:crypto";

export interface WanderOptions {
  /** Standard deviation of the change in a day, for as long as a day is shorter than `longestMs`. */
  readonly perDay: number;
  /** Below this it goes in straight lines. */
  readonly shortestMs: number;
  /** Beyond this it does not get further away from zero. */
  readonly longestMs: number;
}

interface Octave {
  readonly periodMs: number;
  readonly amplitude: number;
  /** Between which whole numbers of periods we are, and the values at both. */
  index: number;
  from: number;
  to: number;
}

const dayMs = 24 * 60 * 60_000;
/** How much variance the octaves together make of a day, in units of their own; measured by the test. */
const varianceOfADay = 3.8;

/**
 * A repeatable walk around zero that is a function of time alone: whoever asks, how often and in what order, gets the same
 * value for the same moment. So markets that are looked at at different times share one price. It is a sum of lines between
 * random points at distances that double, which looks like Brownian motion between the shortest and the longest distance.
 */
export class Wander {
  readonly #seed: number;
  readonly #octaves: Octave[] = [];

  constructor(name: string, { perDay, shortestMs, longestMs }: WanderOptions) {
    this.#seed = createHash("sha256").update(name).digest().readInt32LE(0);
    for (let periodMs = shortestMs; periodMs <= longestMs; periodMs *= 2) {
      const amplitude = perDay * Math.sqrt(periodMs / dayMs / varianceOfADay);
      this.#octaves.push({ periodMs, amplitude, index: Number.NaN, from: 0, to: 0 });
    }
  }

  at(timeMs: number): number {
    let sum = 0;
    for (const octave of this.#octaves) {
      const place = timeMs / octave.periodMs;
      const index = Math.floor(place);
      if (index !== octave.index) {
        // Mostly time goes on by one point.
        octave.from = index === octave.index + 1 ? octave.to : this.#point(octave.periodMs, index);
        octave.to = this.#point(octave.periodMs, index + 1);
        octave.index = index;
      }
      sum += octave.amplitude * (octave.from + (octave.to - octave.from) * (place - index));
    }
    return sum;
  }

  /** Of mean 0 and variance 1: the sum of two even numbers. */
  #point(periodMs: number, index: number): number {
    const low = mixed(this.#seed ^ mixed(periodMs) ^ mixed(index % 2 ** 32) ^ Math.floor(index / 2 ** 32));
    const first = (low >>> 0) / 2 ** 32;
    const second = (mixed(low ^ 0x9e3779b9) >>> 0) / 2 ** 32;
    return (first + second - 1) * Math.sqrt(6);
  }
}

/** Finalizer of MurmurHash3: each bit of the input changes half of the output. */
function mixed(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
