import { describe, expect, test } from "vitest";
import { anonymousNetwork, networkOf } from "./address.js";
import { TrustedProxies } from "./trusted-proxies.js";

const request = (remoteAddress: string, forwarded?: string, more: Record<string, string> = {}) => ({
  headers: { ...(forwarded === undefined ? {} : { "x-forwarded-for": forwarded }), ...more },
  socket: { remoteAddress },
});

test.each([
  ["203.0.113.7", "203.0.113.7", "203.0.113.0/24"],
  ["::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"],
  ["::ffff:cb00:7107", "203.0.113.7", "203.0.113.0/24"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"],
  ["2001:DB8:1:2::9", "2001:db8:1:2::/64", "2001:db8:1::/48"],
  ["2001:db8::1", "2001:db8:0:0::/64", "2001:db8:0::/48"],
  ["fe80::1%eth0", "fe80:0:0:0::/64", "fe80:0:0::/48"],
  ["::1", "0:0:0:0::/64", "0:0:0::/48"],
  ["64:ff9b::192.0.2.33", "64:ff9b:0:0::/64", "64:ff9b:0::/48"],
])("%s counts as %s and is written down as %s", (address, network, anonymous) => {
  expect(networkOf(address)).toBe(network);
  expect(anonymousNetwork(network)).toBe(anonymous);
});

test.each(["", "unknown", "203.0.113", "203.0.113.7:80", "2001:db8::/64", "<script>"])("%j is no address", (text) => {
  expect(networkOf(text)).toBeNull();
});

describe("who is asking", () => {
  test.each<[string, string, string | undefined, string]>([
    ["false", "10.0.0.1", "1.1.1.1", "10.0.0.1"],
    ["true", "10.0.0.1", "1.1.1.1", "1.1.1.1"],
    // What the client wrote itself counts for nothing.
    ["true", "10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1"],
    ["1", "10.0.0.1", undefined, "10.0.0.1"],
    ["1", "10.0.0.1", "nonsense", "10.0.0.1"],
    ["2", "10.0.0.1", "9.9.9.9, 1.1.1.1, 10.0.0.2", "1.1.1.1"],
    ["2", "10.0.0.1", "1.1.1.1", "1.1.1.1"],
    ["private", "10.0.0.1", "9.9.9.9, 1.1.1.1, 192.168.3.4", "1.1.1.1"],
    ["private", "::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"],
    ["private", "8.8.8.8", "1.1.1.1", "8.8.8.8"],
    ["192.0.2.0/24, loopback", "192.0.2.9", "1.1.1.1,127.0.0.1", "1.1.1.1"],
    ["192.0.2.9", "192.0.2.8", "1.1.1.1", "192.0.2.8"],
    ["2001:db8::/32", "2001:db8::5", "[2001:db9::1]:443", "2001:db9:0:0::/64"],
    ["loopback", "127.0.0.1", "1.1.1.1:5555", "1.1.1.1"],
    // Only proxies: then it is the one that is furthest away.
    ["private", "10.0.0.1", "10.0.0.9", "10.0.0.9"],
    ["loopback", "127.0.0.1", "x, 127.0.0.1", "127.0.0.1"],
    ["loopback", "127.0.0.1", `1.1.1.1, ${"127.0.0.1, ".repeat(100)}127.0.0.1`, "127.0.0.1"],
  ])("TRUST_PROXY=%s, %s says %s: %s", (trusted, remote, forwarded, client) => {
    expect(TrustedProxies.parse(trusted).clientOf(request(remote, forwarded))).toBe(client);
  });

  test.each(["maybe", "11", "10.0.0.0/33", "10.0.0.0/0", "10.0.0.1,", "10.0.0.0/8/8", "example.com", "-1"])(
    "TRUST_PROXY=%s is refused",
    (text) => {
      expect(() => TrustedProxies.parse(text)).toThrow();
    },
  );

  test("only our own proxies are believed about TLS and the host", () => {
    const said = { "x-forwarded-proto": "https", "x-forwarded-host": "app.example.com", host: "inner:4000" };
    const trusted = TrustedProxies.parse("private");
    expect(trusted.isHttps(request("10.0.0.1", undefined, said))).toBe(true);
    expect(trusted.hostOf(request("10.0.0.1", undefined, said))).toBe("app.example.com");
    expect(trusted.isHttps(request("8.8.8.8", undefined, said))).toBe(false);
    expect(trusted.hostOf(request("8.8.8.8", undefined, said))).toBe("inner:4000");
    expect(TrustedProxies.none.isHttps(request("10.0.0.1", undefined, said))).toBe(false);
  });
});
