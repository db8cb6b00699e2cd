/**
 * Keeps a connection below the exchange's limit of client messages: turns are at least `gapMs` apart. A pong, which goes
 * out by itself and counts as a message, uses up the turn that follows it, but never two in a row: pings cannot starve us.
 */
export class Pacer {
  readonly #gapMs: number;
  /** Sends one message and returns whether it did. */
  readonly #turn: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  #pongOwed = false;

  constructor(gapMs: number, turn: () => boolean) {
    this.#gapMs = gapMs;
    this.#turn = turn;
  }

  /** There is something to send: takes a turn now if the last one is long enough ago, otherwise when it is. */
  wake(): void {
    if (this.#timer === undefined) this.#take();
  }

  pongSent(): void {
    if (this.#timer === undefined) this.#rest();
    else this.#pongOwed = true;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #take(): void {
    if (this.#turn()) this.#rest();
  }

  #rest(): void {
    this.#timer = setTimeout(() => {
      if (this.#pongOwed) {
        this.#pongOwed = false;
        this.#timer = setTimeout(() => this.#next(), this.#gapMs);
      } else {
        this.#next();
      }
    }, this.#gapMs);
  }

  #next(): void {
    this.#timer = undefined;
    this.#pongOwed = false;
    this.#take();
  }
}
