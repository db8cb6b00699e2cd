import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIP } from "node:net";
import { LRUCache } from "lru-cache";
import { networkOf } from "./address.js";

/** What is read of a request. */
interface Forwarded {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

const named: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1"],
  private: [
    "127.0.0.0/8",
    "::1",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
  ],
};
const maxHops = 10;
/** Nobody has more proxies in a row; what a stranger writes further to the left is not read. */
const maxEntries = 20;
const unknownAddress = "unknown";
/** Headers whose client is remembered; whoever sends ever other ones pushes out only these. */
const maxRead = 10_000;
const maxReadLength = 100;

/**
 * Which proxies in front of this node are believed about who is asking: so many, or those at some addresses. What strangers
 * write into the same headers is not read.
 */
export class TrustedProxies {
  static readonly none = new TrustedProxies(0, null);
  /** A connection's address does not change. */
  readonly #direct = new WeakMap<object, string>();
  readonly #read = new LRUCache<string, string>({ max: maxRead });

  private constructor(
    private readonly hops: number,
    private readonly list: BlockList | null,
  ) {}

  /**
   * @param text `false`, `true` (one proxy), how many there are, or their addresses with commas: IP addresses, networks such
   * as 10.0.0.0/8, `loopback` and `private`
   * @throws {Error} that says what is wrong
   */
  static parse(text: string): TrustedProxies {
    const lower = text.trim().toLowerCase();
    if (["", "false", "0"].includes(lower)) return TrustedProxies.none;
    if (lower === "true") return new TrustedProxies(1, null);
    if (/^\d+$/.test(lower)) {
      if (Number(lower) > maxHops) throw new Error(`at most ${maxHops} proxies in a row`);
      return new TrustedProxies(Number(lower), null);
    }
    const list = new BlockList();
    for (const part of lower.split(",").flatMap((entry) => named[entry.trim()] ?? [entry.trim()])) add(list, part);
    return new TrustedProxies(0, list);
  }

  /** The address that a request comes from, as far as it counts as one client; see {@link networkOf}. */
  clientOf(request: Forwarded): string {
    if (this.hops === 0 && this.list === null) return this.#directOf(request);
    if (this.hops > 0) return this.#behindHops(request);
    const entries = forwardedFor(request.headers);
    let client = request.socket.remoteAddress ?? "";
    // From our own proxy to the left, as long as who says it is one of ours.
    while (this.#isTrusted(client)) {
      const said = entries.pop();
      if (said === undefined || isIP(said) === 0) break;
      client = said;
    }
    return networkOf(client) ?? unknownAddress;
  }

  /** Whether the client speaks TLS, to a proxy that says so. */
  isHttps(request: Forwarded): boolean {
    return this.#believed(request, "x-forwarded-proto") === "https";
  }

  /** The host that the client asked, with its port where it named one. */
  hostOf(request: Forwarded): string | undefined {
    return this.#believed(request, "x-forwarded-host") ?? request.headers.host?.toLowerCase();
  }

  #behindHops(request: Forwarded): string {
    const text = [request.headers["x-forwarded-for"] ?? []].flat().join(",");
    const known = this.#read.get(text);
    if (known !== undefined) return known;
    const entries = forwardedFor(request.headers);
    const entry = entries[Math.max(0, entries.length - this.hops)];
    const client = entry === undefined ? null : networkOf(entry);
    if (client !== null && text.length <= maxReadLength) this.#read.set(text, client);
    return client ?? this.#directOf(request);
  }

  #believed(request: Forwarded, header: string): string | undefined {
    const given = request.headers[header];
    const value = typeof given === "string" ? given : given?.[0];
    if (value === undefined) return undefined;
    const isBelieved = this.hops > 0 || this.#isTrusted(request.socket.remoteAddress ?? "");
    return isBelieved ? value.split(",")[0]?.trim().toLowerCase() : undefined;
  }

  #isTrusted(address: string): boolean {
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
    const family = isIP(plain);
    return family !== 0 && (this.list?.check(plain, family === 4 ? "ipv4" : "ipv6") ?? false);
  }

  #directOf({ socket }: Forwarded): string {
    const known = this.#direct.get(socket);
    if (known !== undefined) return known;
    const address = networkOf(socket.remoteAddress ?? "") ?? unknownAddress;
    this.#direct.set(socket, address);
    return address;
  }
}

function add(list: BlockList, entry: string): void {
  const [address = "", bits, ...more] = entry.split("/");
  const family = isIP(address);
  const max = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? max : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (family === 0 || more.length > 0 || !(prefix >= 1 && prefix <= max))
    throw new Error(`"${entry.slice(0, 50)}" is no address, network, number or name of proxies`);
  list.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
}

/** The addresses in X-Forwarded-For, the nearest one last, without the ports that some proxies add. */
const forwardedFor = (headers: IncomingHttpHeaders): string[] =>
  [headers["x-forwarded-for"] ?? []]
    .flat()
    .join(",")
    .split(",")
    .slice(-maxEntries)
    .map((entry) => entry.trim().replace(/^\[([^\]]*)\](:\d+)?$/, "$1"))
    .map((entry) => (isIP(entry) === 0 ? entry.replace(/^(\d+(?:\.\d+){3}):\d+$/, "$1") : entry))
    .filter((entry) => entry !== "");
