/**
 * The result of an operation as JSON, shared by everyone who gets the same. What a transport makes of it, it may keep here,
 * so that it is made once.
 */
export class SharedPayload {
  /** WebSocket frames by the length of the operation id in them; see `frames.ts`. Made when there is one: most have one reader. */
  frames: Map<number, Buffer> | null = null;
  readonly byteLength: number;
  #event: string | undefined;

  /** @param parts the JSON text in pieces, as UTF-8 */
  constructor(readonly parts: readonly Buffer[]) {
    let byteLength = 0;
    for (const part of parts) byteLength += part.length;
    this.byteLength = byteLength;
  }

  static ofText(text: string): SharedPayload {
    return new SharedPayload([Buffer.from(text, "utf8")]);
  }

  get text(): string {
    return Buffer.concat(this.parts).toString("utf8");
  }

  /** As a server-sent event. */
  get event(): string {
    this.#event ??= `event: next\ndata: ${this.text}\n\n`;
    return this.#event;
  }
}
