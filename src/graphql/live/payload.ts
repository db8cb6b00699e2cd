/**
 * The result of an operation as JSON text, shared by everyone who gets the same. What a transport makes of it, it may keep
 * here, so that it is made once.
 */
export class SharedPayload {
  /** WebSocket frames by the length of the operation id in them; see `frames.ts`. */
  readonly frames = new Map<number, Buffer>();
  #event: string | undefined;

  constructor(readonly text: string) {}

  /** As a server-sent event. */
  get event(): string {
    this.#event ??= `event: next\ndata: ${this.text}\n\n`;
    return this.#event;
  }
}
