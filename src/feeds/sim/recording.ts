/** One line of recorded exchange traffic. */
export interface RecordedLine {
  /** `open`: a connection was made; `sent`: by the client; `received`: from the exchange; `response`: an HTTP answer. */
  readonly kind: "open" | "sent" | "received" | "response";
  /** Null for received frames: they belong to the connection of the first line. */
  readonly url: string | null;
  readonly timeMs: number;
  readonly body: string;
}

const withUrl = /^(\S+) (<->|<-|->) ?(\d+(?:\.\d+)?)(?:: (.*))?$/;
const received = /^(\d+(?:\.\d+)?): (.*)$/;
const kinds = { "<->": "open", "<-": "sent", "->": "response" } as const;

/**
 * Reads recorded traffic: `URL <-> T` opens a connection, `URL <- T: BODY` is a frame that the client sent, `T: BODY` one
 * that the exchange sent, `URL -> T: BODY` an HTTP response; T is Unix time in seconds with a fraction.
 * @throws {Error} that names the line which is none of these
 */
export function parseRecording(text: string): RecordedLine[] {
  const lines: RecordedLine[] = [];
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    const frame = received.exec(line);
    if (frame !== null) {
      lines.push({ kind: "received", url: null, timeMs: Number(frame[1]) * 1_000, body: frame[2] ?? "" });
      return;
    }
    const [, url, arrow, time, body] = withUrl.exec(line) ?? [];
    if (url === undefined || arrow === undefined) throw new Error(`line ${index + 1} is no recorded traffic`);
    lines.push({ kind: kinds[arrow as keyof typeof kinds], url, timeMs: Number(time) * 1_000, body: body ?? "" });
  });
  return lines;
}
