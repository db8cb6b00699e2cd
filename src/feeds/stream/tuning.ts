/** An exchange's limits and our own patience. Tests shrink them; nothing else should. */
export interface StreamTuning {
  /** Limit of the exchange, or how much we trust to one connection. */
  readonly maxStreamsPerConnection: number;
  readonly maxNamesPerRequest: number;
  /** Between two messages to the exchange, pings and pongs counted; evenly spaced, because the exchange's second is not ours. */
  readonly requestGapMs: number;
  /** Between two renewals of order books on a connection; what is asked for meanwhile goes into one. */
  readonly bookRenewalGapMs: number;
  /** Limit of the exchange per address. */
  readonly attemptLimit: number;
  readonly attemptWindowMs: number;
  /** Before the exchange cuts a connection for its age, its replacement is opened. */
  readonly maxConnectionAgeMs: number;
  /** How long a replaced connection goes on beside its replacement, for frames that are still on the way. */
  readonly overlapMs: number;
  readonly maxRetryDelayMs: number;
  readonly closeGraceMs: number;
  readonly maxFrameBytes: number;
  /** See {@link import("../sequence-gate.js").SequenceGate}. */
  readonly lateForMs: number;
}

/** What is the same for all exchanges; a connection is replaced half an hour before it is a day old. */
export const commonTuning = {
  maxConnectionAgeMs: 23.5 * 60 * 60_000,
  overlapMs: 2_000,
  bookRenewalGapMs: 500,
  maxRetryDelayMs: 30_000,
  closeGraceMs: 1_000,
  maxFrameBytes: 1024 * 1024,
  lateForMs: 5_000,
} as const;
