/** One line of recorded traffic. Bodies are as they were on the wire. */
export interface RecordedEntry {
  /** A connection was opened, the client sent a frame, the exchange sent a frame, or it answered an HTTP request. */
  readonly kind: "open" | "sent" | "received" | "response";
  /** Null for received frames: they belong to the connection opened before. */
  readonly url: string | null;
  /** Unix time in milliseconds with a fraction. */
  readonly timeMs: number;
  readonly body: string;
}

const seconds = String.raw`(\d+(?:\.\d+)?)`;
const patterns = [
  ["received", new RegExp(`^()${seconds}: (.*)$`)],
  ["open", new RegExp(`^(\\S+) <-> ${seconds}()$`)],
  ["sent", new RegExp(`^(\\S+) <- ${seconds}: (.*)$`)],
  ["response", new RegExp(`^(\\S+) -> ${seconds}: (.*)$`)],
] as const;

/** The recorder's note of what it was asked to record; it is no traffic. */
const note = "configuration: ";

/**
 * Reads lines `URL <-> T`, `URL <- T: BODY`, `T: BODY` and `URL -> T: BODY`, with T in seconds since 1970, in their order.
 * Empty lines and the recorder's note are left out.
 * @throws an error that names the line which is none of these
 */
export function parseRecording(text: string): RecordedEntry[] {
  const entries: RecordedEntry[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "" || line.startsWith(note)) continue;
    const entry = parseLine(line);
    if (entry === null) throw new Error(`line ${index + 1} of the recording is malformed: ${line.slice(0, 80)}`);
    entries.push(entry);
  }
  return entries;
}

function parseLine(line: string): RecordedEntry | null {
  for (const [kind, pattern] of patterns) {
    const match = pattern.exec(line);
    if (match === null) continue;
    const [, url, time, body] = match;
    return { kind, url: url || null, timeMs: Number(time) * 1000, body: body ?? "" };
  }
  return null;
}
