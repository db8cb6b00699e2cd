import type { IncomingMessage } from "node:http";
import type { TrustedProxies } from "../core/trusted-proxies.js";

const maxAgeSeconds = 7_200;
const allowedHeaders = [
  "accept",
  "authorization",
  "content-type",
  "if-none-match",
  "apollo-require-preflight",
  "x-apollo-operation-name",
  "apollographql-client-name",
  "apollographql-client-version",
  "traceparent",
  "tracestate",
].join(", ");
const exposedHeaders = "etag, ratelimit, ratelimit-policy, retry-after";

/** Web pages of which other sites may use the API from a browser. Programs that are no browsers name no origin, and may always. */
export class AllowedOrigins {
  private constructor(private readonly origins: ReadonlySet<string> | "all") {}

  /** Any page of any site. */
  get allowsAll(): boolean {
    return this.origins === "all";
  }

  /**
   * @param text origins with commas, e.g. https://app.example.com, or `*`; empty: none
   * @throws {Error} that says what is wrong
   */
  static parse(text: string): AllowedOrigins {
    if (text.trim() === "*") return new AllowedOrigins("all");
    const origins = new Set<string>();
    for (const part of text.split(",").map((entry) => entry.trim())) {
      if (part === "") continue;
      // A path or a slash at the end would never match what browsers send.
      if (
        !URL.canParse(part) ||
        !/^https?:$/.test(new URL(part).protocol) ||
        new URL(part).origin !== part.toLowerCase()
      )
        throw new Error(`"${part.slice(0, 100)}" is no origin such as https://app.example.com`);
      origins.add(part.toLowerCase());
    }
    return new AllowedOrigins(origins);
  }

  /** What caches must tell answers apart by, beside what the answer itself depends on. */
  get varies(): boolean {
    return this.origins !== "all" && this.origins.size > 0;
  }

  /** Names and values in turn, for an answer to a page of this origin; none when it may not read it. */
  headersFor(origin: string | undefined): readonly string[] {
    if (origin === undefined || !this.#has(origin)) return [];
    return [
      "access-control-allow-origin",
      this.origins === "all" ? "*" : origin,
      "access-control-expose-headers",
      exposedHeaders,
    ];
  }

  /** The answer to a browser that asks before it sends a request; null when it must not send it. */
  preflightHeadersFor(origin: string): Readonly<Record<string, string>> | null {
    const [name, value] = this.headersFor(origin);
    if (name === undefined || value === undefined) return null;
    return {
      [name]: value,
      "access-control-allow-methods": "GET, POST",
      "access-control-allow-headers": allowedHeaders,
      "access-control-max-age": String(maxAgeSeconds),
    };
  }

  /** Whether a socket or a stream may be opened: browsers let any page do that, and say which one it is. */
  admits(request: IncomingMessage, proxies: TrustedProxies): boolean {
    const { origin } = request.headers;
    if (origin === undefined || this.#has(origin)) return true;
    return URL.canParse(origin) && new URL(origin).host === proxies.hostOf(request);
  }

  #has(origin: string): boolean {
    return this.origins === "all" || this.origins.has(origin.toLowerCase());
  }
}
