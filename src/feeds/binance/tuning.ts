/** The exchange's limits and our own patience. Tests shrink them; nothing else should. */
export interface SpotTuning {
  /** Limit of the exchange. */
  readonly maxStreamsPerConnection: number;
  readonly maxNamesPerRequest: number;
  /**
   * The exchange allows 5 messages per second and connection, pongs included, and bans who repeatedly exceeds it. With
   * 350 ms there are at most 3 requests and a pong in any second; evenly spaced, because the exchange's second is not ours.
   */
  readonly requestGapMs: number;
  /** Limit of the exchange per address. */
  readonly attemptLimit: number;
  readonly attemptWindowMs: number;
  /** The exchange cuts a connection after 24 hours; half an hour before, its replacement is opened. */
  readonly maxConnectionAgeMs: number;
  /** How long a replaced connection goes on beside its replacement, for frames that are still on the way. */
  readonly overlapMs: number;
  readonly maxRetryDelayMs: number;
  readonly closeGraceMs: number;
  readonly maxFrameBytes: number;
  /** See {@link import("../sequence-gate.js").SequenceGate}. */
  readonly lateForMs: number;
}

export const spotTuning: SpotTuning = {
  maxStreamsPerConnection: 1024,
  maxNamesPerRequest: 200,
  requestGapMs: 350,
  attemptLimit: 300,
  attemptWindowMs: 5 * 60_000,
  maxConnectionAgeMs: 23.5 * 60 * 60_000,
  overlapMs: 2_000,
  maxRetryDelayMs: 30_000,
  closeGraceMs: 1_000,
  maxFrameBytes: 1024 * 1024,
  lateForMs: 5_000,
};

/** The streams of one symbol, as channel names after the `@`. */
export const channels = ["bookTicker", "aggTrade", "ticker"] as const;
