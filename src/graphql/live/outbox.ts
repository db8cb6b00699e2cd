import type { Socket } from "node:net";
import { frameOfText, nextFrame } from "./frames.js";
import type { SharedPayload } from "./payload.js";

/** A `next` message with the bytes of its operation id, or the frame of any other message. */
type Waiting = { readonly payload: SharedPayload; readonly id: Buffer } | { readonly frame: Buffer };

const nothing = Buffer.alloc(0);

/** Those with something to write in this turn of the event loop. One task at its end serves all: a task for each costs more than its message. */
let due: Outbox[] = [];

function flushDue(): void {
  const outboxes = due;
  due = [];
  for (const outbox of outboxes) outbox.flush();
}

/**
 * The writing side of one WebSocket. What is sent in one turn of the event loop leaves in one write. Bounded by its users:
 * they look at `isWritable` before each message, so that at most one message of each subscription waits for the network.
 *
 * It writes frames to the socket beside the WebSocket library, which reads and answers control frames: both write whole
 * frames only, and the library has no extension that would keep state between them.
 */
export class Outbox {
  /** Mostly there is one message to write, which then needs nothing around it. */
  #payload: SharedPayload | null = null;
  #id: Buffer = nothing;
  /** All there is to write, where it is more or something else. */
  #waiting: Waiting[] | null = null;
  #isBehind = false;

  constructor(
    private readonly socket: Socket,
    private readonly onWritable: () => void,
  ) {}

  get isWritable(): boolean {
    return !this.#isBehind && this.socket.writable;
  }

  /** Bytes that the network has not taken. */
  get waitingBytes(): number {
    return this.socket.writableLength;
  }

  next(payload: SharedPayload, id: Buffer): void {
    if (this.#payload !== null || this.#waiting !== null) {
      this.#add({ payload, id });
      return;
    }
    this.#payload = payload;
    this.#id = id;
    this.#isDue();
  }

  send(message: object): void {
    this.#add({ frame: frameOfText(JSON.stringify(message)) });
  }

  /** Writes now what is waiting, e.g. before the connection is closed. */
  flush(): void {
    const payload = this.#payload;
    const waiting = this.#waiting;
    this.#payload = this.#waiting = null;
    if ((payload === null && waiting === null) || !this.socket.writable) return;
    if (waiting !== null) this.#writeAll(waiting);
    else if (payload !== null) this.#write(payload);
    this.#isBehind = this.socket.writableLength > 0;
  }

  #add(waiting: Waiting): void {
    if (this.#waiting !== null) {
      this.#waiting.push(waiting);
    } else if (this.#payload !== null) {
      this.#waiting = [{ payload: this.#payload, id: this.#id }, waiting];
      this.#payload = null;
    } else {
      this.#waiting = [waiting];
      this.#isDue();
    }
  }

  #isDue(): void {
    if (due.push(this) === 1) queueMicrotask(flushDue);
  }

  #write(payload: SharedPayload): void {
    this.socket.write(nextFrame(payload, this.#id), this.#onWritten);
    // What the system did not take at once is still read from the frame: the next one may not write its id into it.
    if (this.socket.writableLength > 0) payload.frames?.delete(this.#id.length);
  }

  #writeAll(waiting: readonly Waiting[]): void {
    // A shared frame is copied before the next message writes its id into it.
    const frames = waiting.map((message) =>
      "frame" in message ? message.frame : Buffer.from(nextFrame(message.payload, message.id)),
    );
    this.socket.write(Buffer.concat(frames), this.#onWritten);
  }

  readonly #onWritten = (): void => {
    if (!this.#isBehind) return;
    if (this.socket.writableLength > 0) {
      // The library has written a control frame meanwhile, whose end it does not tell us.
      this.socket.write(nothing, this.#onWritten);
      return;
    }
    this.#isBehind = false;
    this.onWritable();
  };
}
