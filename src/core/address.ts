import { isIP } from "node:net";

/**
 * What counts as one client: an IPv4 address as it is, of an IPv6 address the /64 that a provider gives to one household.
 * @returns e.g. "203.0.113.7" or "2001:db8:1:2::/64"; null when it is no address
 */
export function networkOf(address: string): string | null {
  const family = isIP(address);
  if (family === 4) return address;
  if (family !== 6) return null;
  const groups = groupsOf(address);
  return mappedIPv4(groups) ?? prefixOf(groups, 64);
}

/**
 * A network that is told apart no further than a town's: what is written down of who was there.
 * @param network as {@link networkOf} gives it
 */
export function anonymousNetwork(network: string): string | null {
  const bare = network.split("/")[0] ?? "";
  const family = isIP(bare);
  if (family === 4) return `${bare.split(".").slice(0, 3).join(".")}.0/24`;
  return family === 6 ? prefixOf(groupsOf(bare), 48) : null;
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  const [bare = ""] = address.split("%");
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(bare);
  const [a = 0, b = 0, c = 0, d = 0] = dotted?.slice(1).map(Number) ?? [];
  const text = dotted === null ? bare : bare.replace(dotted[0], `${hex(a * 256 + b)}:${hex(c * 256 + d)}`);
  const [head = "", tail] = text.split("::");
  const read = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [read(head), read(tail ?? "")];
  return tail === undefined
    ? before
    : [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** An IPv4 client on a socket that speaks both shows as ::ffff:a.b.c.d. */
function mappedIPv4(groups: readonly number[]): string | null {
  if (groups[5] !== 0xffff || groups.slice(0, 5).some((group) => group !== 0)) return null;
  return [groups[6] ?? 0, groups[7] ?? 0].flatMap((group) => [group >> 8, group & 255]).join(".");
}

const prefixOf = (groups: readonly number[], bits: 48 | 64): string =>
  `${groups
    .slice(0, bits / 16)
    .map(hex)
    .join(":")}::/${bits}`;

const hex = (group: number): string => group.toString(16);
