import { WebSocket } from "ws";
import { errorMessage } from "../core/errors.js";

/** Why a connection ended without being asked to; `detail` is for people. */
export interface ConnectionEnd {
  readonly reason: "connect-failed" | "silent" | "lost" | "oversized-frame" | "protocol-error";
  readonly detail: string;
}

export interface ConnectionOptions {
  readonly url: string;
  /** From the first packet to the upgraded socket, name lookup included. */
  readonly connectTimeoutMs: number;
  /** Neither a frame nor a ping for this long (up to a quarter longer) ends the connection as "silent". */
  readonly staleAfterMs: number;
  readonly maxFrameBytes: number;
  /** How long the exchange has to answer our close frame before the socket is cut. */
  readonly closeGraceMs: number;
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  readonly onBinary: (frame: Uint8Array) => void;
  /** The exchange pinged; the answering pong has been sent and counts against its message limit. */
  readonly onPing: () => void;
  /** At most once, and never after {@link Connection.close}. */
  readonly onEnd: (end: ConnectionEnd) => void;
}

const livenessTicks = 4;

/**
 * One WebSocket to an exchange, from connecting to its end; it does not reconnect. Silence is measured by counting
 * timer ticks in which nothing arrived, not by comparing clocks: a corrected clock or a suspended machine is no silence.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: WebSocket;
  /** Settled when the socket is gone for good, whoever ended it. */
  readonly closed: Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #alive = true;
  #silentTicks = 0;
  #wasOpen = false;
  #ended = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const socket = new WebSocket(options.url, { perMessageDeflate: false, maxPayload: options.maxFrameBytes });
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        clearTimeout(this.#timer);
        resolve();
      });
    });
    this.#timer = setTimeout(
      () => this.#end("connect-failed", `no connection within ${options.connectTimeoutMs} ms`),
      options.connectTimeoutMs,
    );
    socket.on("open", () => this.#opened());
    socket.on("message", (data: Buffer, isBinary) => {
      this.#alive = true;
      if (this.#ended) return;
      if (isBinary) options.onBinary(data);
      else options.onText(data.toString());
    });
    socket.on("ping", () => {
      this.#alive = true;
      if (!this.#ended) options.onPing();
    });
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", (code, reason) => this.#end(this.#wasOpen ? "lost" : "connect-failed", closeText(code, reason)));
  }

  /** Sends a text frame; silently dropped when the socket is not open, because then `onEnd` is on its way. */
  send(text: string): void {
    if (!this.#ended && this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  /** Says goodbye and cuts the socket after the grace time. No callback runs afterwards. */
  close(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true;
      clearTimeout(this.#timer);
      if (this.#socket.readyState === WebSocket.OPEN) {
        this.#socket.close(1000);
        this.#timer = setTimeout(() => this.#socket.terminate(), this.#options.closeGraceMs);
      } else {
        this.#socket.terminate();
      }
    }
    return this.closed;
  }

  #opened(): void {
    if (this.#ended) return;
    this.#wasOpen = true;
    clearTimeout(this.#timer);
    this.#watch();
    this.#options.onOpen();
  }

  #watch(): void {
    this.#timer = setTimeout(() => {
      this.#silentTicks = this.#alive ? 0 : this.#silentTicks + 1;
      this.#alive = false;
      if (this.#silentTicks >= livenessTicks) this.#end("silent", `silent for ${this.#options.staleAfterMs} ms`);
      else this.#watch();
    }, this.#options.staleAfterMs / livenessTicks);
  }

  #failed(error: Error): void {
    const code = "code" in error ? String(error.code) : "";
    if (!this.#wasOpen) this.#end("connect-failed", connectText(code, error));
    else if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") this.#end("oversized-frame", errorMessage(error));
    else if (code.startsWith("WS_ERR_")) this.#end("protocol-error", errorMessage(error));
    else this.#end("lost", connectText(code, error));
  }

  #end(reason: ConnectionEnd["reason"], detail: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket.terminate();
    this.#options.onEnd({ reason, detail });
  }
}

const systemErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENOTFOUND: "host name not found",
  EAI_AGAIN: "host name lookup failed",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "connection timed out",
};

const connectText = (code: string, error: Error): string => systemErrors[code] ?? (errorMessage(error) || code);

const closeText = (code: number, reason: Buffer): string => {
  const text = reason.toString().slice(0, 120);
  return `closed by the exchange (${code}${text === "" ? "" : `, ${text}`})`;
};
