import { pino } from "pino";
import { describeError } from "./describe-error.js";

/** Structured log: object first (ids, not payloads; no secrets, no personal data), event name second. */
export type Logger = pino.Logger;

const redactedPaths = [
  "password",
  "secret",
  "token",
  "authorization",
  "apiKey",
  "apiSecret",
  "*.password",
  "*.token",
  "*.authorization",
];

export function createLogger(level: string, destination: NodeJS.WritableStream = process.stderr): Logger {
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: (error: unknown) => describeError(error) },
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths, censor: "[redacted]" },
    },
    destination,
  );
}
