import { connect } from "node:net";
import { answer } from "./helper.js";

/** What a connection asks, over and over. */
export interface Ask {
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The process that asks: some connections, each with one request at a time. */
export interface LoadInput {
  readonly url: string;
  /** The connections take them in turn. */
  readonly asks: readonly Ask[];
  readonly connections: number;
  readonly forMs: number;
}

export interface Load {
  readonly answers: number;
  /** Of one answer's body. */
  readonly bytes: number;
  readonly p99Ms: number;
  readonly body: string;
}

function run({ url, asks, connections, forMs }: LoadInput): Promise<Load> {
  const { hostname, port, pathname } = new URL(url);
  const requests = asks.map(({ body, headers = {} }) => {
    const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return Buffer.from(
      `POST ${pathname} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n${more.join("")}content-type: application/json\r\ncontent-length: ` +
        `${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  });
  const times: number[] = [];
  let sample = "";
  const endMs = performance.now() + forMs;
  const one = (request: Buffer) =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      let unread: Buffer = Buffer.alloc(0);
      let startMs = 0;
      const ask = () => {
        startMs = performance.now();
        if (startMs < endMs) socket.write(request);
        else {
          socket.destroy();
          resolve();
        }
      };
      socket.setNoDelay(true);
      socket.on("connect", ask);
      socket.on("error", reject);
      socket.on("data", (chunk) => {
        unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
        const headEnd = unread.indexOf("\r\n\r\n");
        if (headEnd === -1) return;
        const head = unread.toString("latin1", 0, headEnd);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
        if (!head.startsWith("HTTP/1.1 200") || Number.isNaN(length)) return reject(new Error(head));
        if (unread.length < headEnd + 4 + length) return;
        sample = unread.toString("utf8", headEnd + 4);
        unread = Buffer.alloc(0);
        times.push(performance.now() - startMs);
        ask();
      });
    });
  return Promise.all(Array.from({ length: connections }, (_, n) => one(requests[n % requests.length] as Buffer))).then(
    () => {
      const p99Ms = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;
      return { answers: times.length, bytes: Buffer.byteLength(sample), p99Ms, body: sample };
    },
  );
}

answer({ run });
