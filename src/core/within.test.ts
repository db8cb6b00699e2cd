import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { within } from "./within.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

let silent: Server;
let url: string;
beforeAll(async () => {
  silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
});
afterAll(() => {
  silent.closeAllConnections();
  silent.close();
});

test("requests that nobody answers end in time, however often garbage is collected meanwhile", async () => {
  const closing = new AbortController();
  const collecting = setInterval(collectGarbage, 20);
  try {
    const requests = Array.from({ length: 10 }, () =>
      within(400, closing.signal, (signal) => fetch(url, { method: "POST", body: "{}", signal })),
    );
    const outcomes = await Promise.allSettled(requests);
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { name: "TimeoutError" } });
  } finally {
    clearInterval(collecting);
  }
}, 10_000);

test("the end of whoever asks ends the request, also before it began", async () => {
  const closing = new AbortController();
  const asked = within(60_000, closing.signal, (signal) => fetch(url, { signal }));
  const reason = new Error("closing");
  closing.abort(reason);
  await expect(asked).rejects.toBe(reason);
  await expect(within(60_000, closing.signal, (signal) => fetch(url, { signal }))).rejects.toBe(reason);
});

test("what is done in time is answered, and nothing is left that could end it", async () => {
  const closing = new AbortController();
  let signal: AbortSignal | undefined;
  const answer = within(30, closing.signal, async (stop) => {
    signal = stop;
    return 7;
  });
  expect(await answer).toBe(7);
  closing.abort();
  expect(signal?.aborted).toBe(false);
});
