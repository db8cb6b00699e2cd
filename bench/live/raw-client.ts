import { connect, type Socket } from "node:net";

/**
 * A WebSocket client that does as little as possible, so that many of them fit on one core: it reads unmasked frames without
 * extensions, and masks its own with zeros.
 */
export class RawClient {
  readonly #socket: Socket;
  #unread: Buffer = Buffer.alloc(0);
  #isOpen = false;

  constructor(
    url: URL,
    private readonly onOpen: () => void,
    private readonly onText: (payload: Buffer) => void,
  ) {
    this.#socket = connect(Number(url.port), url.hostname);
    this.#socket.setNoDelay(true);
    this.#socket.write(
      `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n",
    );
    this.#socket.on("data", (chunk) => this.#read(chunk));
    this.#socket.on("error", () => {});
  }

  get isConnected(): boolean {
    return !this.#socket.destroyed;
  }

  send(message: object): void {
    this.#write(0x81, Buffer.from(JSON.stringify(message)));
  }

  pause(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  #write(opcode: number, payload: Buffer): void {
    const header = payload.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8);
    header[0] = opcode;
    header[1] = 0x80 | Math.min(payload.length, 126);
    if (payload.length >= 126) header.writeUInt16BE(payload.length, 2);
    this.#socket.write(Buffer.concat([header, payload]));
  }

  #read(chunk: Buffer): void {
    let unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    if (!this.#isOpen) {
      const end = unread.indexOf("\r\n\r\n");
      if (end === -1) {
        this.#unread = unread;
        return;
      }
      if (!unread.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101"))) throw new Error(unread.toString("latin1"));
      this.#isOpen = true;
      unread = unread.subarray(end + 4);
      this.onOpen();
    }
    let at = 0;
    for (;;) {
      const length = unread[at + 1] ?? 0;
      const headerLength = length < 126 ? 2 : length === 126 ? 4 : 10;
      if (unread.length < at + headerLength) break;
      const payloadLength =
        length < 126 ? length : length === 126 ? unread.readUInt16BE(at + 2) : unread.readUInt32BE(at + 6);
      const end = at + headerLength + payloadLength;
      if (unread.length < end) break;
      const payload = unread.subarray(at + headerLength, end);
      const opcode = (unread[at] ?? 0) & 0x0f;
      if (opcode === 1) this.onText(payload);
      else if (opcode === 9) this.#write(0x8a, payload);
      at = end;
    }
    this.#unread = at === 0 ? unread : unread.subarray(at);
  }
}
