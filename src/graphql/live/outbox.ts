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
  /** Null when there is nothing to write. A list of one is made with its one message: an empty one that grows takes ten times the memory. */
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
    this.#add({ payload, id });
  }

  send(message: object): void {
    this.#add({ frame: frameOfText(JSON.stringify(message)) });
  }

  /** Writes now what is waiting, e.g. before the connection is closed. */
  flush(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    if (!this.socket.writable) return;
    const [first] = waiting;
    if (waiting.length === 1 && first !== undefined) this.#write(first);
    else this.#writeAll(waiting);
    this.#isBehind = this.socket.writableLength > 0;
  }

  #add(waiting: Waiting): void {
    if (this.#waiting !== null) {
      this.#waiting.push(waiting);
      return;
    }
    this.#waiting = [waiting];
    if (due.push(this) === 1) queueMicrotask(flushDue);
  }

  #write(waiting: Waiting): void {
    if ("frame" in waiting) {
      this.socket.write(waiting.frame, this.#onWritten);
      return;
    }
    const { payload, id } = waiting;
    this.socket.write(nextFrame(payload, id), this.#onWritten);
    // What the system did not take at once is still read from the frame: the next one may not write its id into it.
    if (this.socket.writableLength > 0) payload.frames.delete(id.length);
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
