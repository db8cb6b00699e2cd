import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import type { Client } from "./client.js";
import type { RecordedEntry } from "./recording.js";
import type { StreamIndex } from "./streams.js";

export interface ReplayOptions {
  readonly recording: readonly RecordedEntry[];
  /** 1 is as recorded, 2 twice as fast; 0 or Infinity as fast as the clients read, and then nothing is dropped. */
  readonly speed: number;
  /** Begin again at the end, for ever. Numbers in the frames begin again too. */
  readonly loop?: boolean;
  /** Wait for {@link Replay.start} and not only for the first subscription. */
  readonly manualStart?: boolean;
}

export interface Replay {
  /** Begins now, whoever is subscribed. Further calls do nothing. */
  start(): void;
  /** Settled when the last frame was sent, or the simulator is closed; with `loop` only by the latter. */
  readonly ended: Promise<void>;
}

interface RecordedFrame {
  readonly stream: string;
  readonly timeMs: number;
  /** As recorded, byte for byte. */
  readonly combined: string;
  readonly payload: string;
}

/** At full speed, others get a turn after this many frames. */
const framesPerTurn = 200;
/** Before a loop in which nobody got anything begins again. */
const idleLoopMs = 1_000;

/** Sends the recorded frames of a combined stream to whoever is subscribed to their streams when it is their turn. */
export class Player implements Replay {
  readonly ended: Promise<void>;
  readonly #frames: readonly RecordedFrame[];
  readonly #streams: StreamIndex;
  readonly #options: ReplayOptions;
  readonly #stop = new AbortController();
  #start: () => void = () => {};
  readonly #started: Promise<void>;

  constructor(options: ReplayOptions, streams: StreamIndex) {
    this.#options = options;
    this.#streams = streams;
    this.#frames = options.recording.flatMap(readFrame);
    this.#started = new Promise((resolve) => {
      this.#start = resolve;
    });
    this.ended = this.#run();
  }

  start(): void {
    this.#start();
  }

  /** Somebody is subscribed to something. */
  subscribed(): void {
    if (!this.#options.manualStart) this.#start();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#start();
    await this.ended;
  }

  async #run(): Promise<void> {
    await this.#started;
    const { signal } = this.#stop;
    try {
      do {
        const sent = await this.#playOnce();
        if (sent === 0 && this.#options.loop) await pause(idleLoopMs, undefined, { signal });
      } while (this.#options.loop);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Returns how many frames were sent. */
  async #playOnce(): Promise<number> {
    const { speed } = this.#options;
    const { signal } = this.#stop;
    const isTimed = speed > 0 && Number.isFinite(speed);
    const startMs = performance.now();
    const firstMs = this.#frames[0]?.timeMs ?? 0;
    let sent = 0;
    for (const [index, frame] of this.#frames.entries()) {
      if (isTimed) {
        const waitMs = startMs + (frame.timeMs - firstMs) / speed - performance.now();
        if (waitMs > 0) await pause(waitMs, undefined, { signal });
      } else if (index % framesPerTurn === 0) {
        await nextTurn(undefined, { signal });
      }
      signal.throwIfAborted();
      for (const client of this.#streams.find(frame.stream)?.clients ?? []) {
        if (isTimed) client.sendUpdate(textFor(client, frame));
        else await client.sendAtReadersPace(textFor(client, frame));
        sent++;
      }
    }
    return sent;
  }
}

const textFor = (client: Client, frame: RecordedFrame): string => (client.combined ? frame.combined : frame.payload);

/** Answers to requests, and frames that do not say which stream they belong to, are not replayed. */
function readFrame({ kind, timeMs, body }: RecordedEntry): RecordedFrame[] {
  const [prefix, stream] = /^\{"stream":"([^"]+)","data":/.exec(body) ?? [];
  if (kind !== "received" || prefix === undefined || stream === undefined) return [];
  return [{ stream, timeMs, combined: body, payload: body.slice(prefix.length, -1) }];
}

/** Recorded HTTP responses by path and query, in order; the last one of each is given again and again. */
export class RecordedResponses {
  readonly #bodies = new Map<string, string[]>();

  constructor(recording: readonly RecordedEntry[]) {
    for (const { kind, url, body } of recording) {
      if (kind !== "response" || url === null) continue;
      const { pathname, search } = new URL(url);
      const bodies = this.#bodies.get(pathname + search);
      if (bodies === undefined) this.#bodies.set(pathname + search, [body]);
      else bodies.push(body);
    }
  }

  take(pathAndQuery: string): string | undefined {
    const bodies = this.#bodies.get(pathAndQuery);
    return bodies !== undefined && bodies.length > 1 ? bodies.shift() : bodies?.[0];
  }
}
