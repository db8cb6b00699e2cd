/** How one request fails. What it asks for is done, or not, or later; and what the client hears of it is another thing. */
export type RequestFault =
  /** The connection ends before the exchange has read the request. */
  | { readonly kind: "lostRequest" }
  /** The exchange has done it, and the connection ends without an answer. */
  | { readonly kind: "lostAnswer" }
  /** No answer, and the connection stays: the client's patience ends it. */
  | { readonly kind: "silence"; readonly isDone: boolean }
  /** It arrives only when {@link RequestFaults.release} is called, when the client has given up. */
  | { readonly kind: "delayed" }
  /** Somebody on the way sends it twice; the client hears the second answer. */
  | { readonly kind: "doubled" }
  /** Done, and the answer says that nobody knows (-1007). */
  | { readonly kind: "unknownStatus" }
  | { readonly kind: "limited"; readonly status: 418 | 429; readonly retryAfterSeconds: number }
  /** HTTP 200 with something that is no answer. */
  | { readonly kind: "garbled"; readonly isDone: boolean };

interface PendingFault {
  readonly method: string;
  readonly path: string;
  readonly fault: RequestFault;
}

/** Faults that wait for their requests. Each happens once. */
export class RequestFaults {
  readonly #pending: PendingFault[] = [];
  readonly #delayed: (() => void)[] = [];

  /** The next request that matches fails; of several faults for the same request the first one comes first. */
  add(method: string, path: string, fault: RequestFault): void {
    this.#pending.push({ method, path, fault });
  }

  take(method: string, path: string): RequestFault | null {
    const at = this.#pending.findIndex((pending) => pending.method === method && pending.path === path);
    return at === -1 ? null : (this.#pending.splice(at, 1)[0]?.fault ?? null);
  }

  delay(arrive: () => void): void {
    this.#delayed.push(arrive);
  }

  /** Delayed requests arrive now. @returns how many */
  release(): number {
    const arriving = this.#delayed.splice(0);
    for (const arrive of arriving) arrive();
    return arriving.length;
  }

  /** How many faults have not happened yet, and how many requests are under way. */
  get waiting(): number {
    return this.#pending.length + this.#delayed.length;
  }

  clear(): void {
    this.#pending.length = this.#delayed.length = 0;
  }
}

/** How the user-data streams misbehave. */
export interface StreamFaults {
  /** Every event comes twice. */
  doubled: boolean;
  /** Two events at a time change places; the last one waits for a partner until this is switched off. */
  swapped: boolean;
  /** How many of the next events are not sent. */
  lost: number;
}

/** Events on their way to one client. */
export class FaultyStream {
  readonly #faults: Readonly<StreamFaults>;
  readonly #send: (frame: string) => void;
  #held: string | null = null;

  constructor(faults: Readonly<StreamFaults>, send: (frame: string) => void) {
    this.#faults = faults;
    this.#send = send;
  }

  push(frame: string): void {
    if (this.#faults.swapped && this.#held === null) {
      this.#held = frame;
      return;
    }
    this.#out(frame);
    this.flush();
  }

  flush(): void {
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#out(held);
  }

  #out(frame: string): void {
    this.#send(frame);
    if (this.#faults.doubled) this.#send(frame);
  }
}
