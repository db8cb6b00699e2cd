import { afterEach, describe, expect, test } from "vitest";
import { VenueBench } from "../../../test/support/venue-bench.js";
import { Decimal } from "../../core/decimal.js";

const benches: VenueBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) {
    bench.expectNoSecrets();
    await bench.close();
  }
});
async function start(...tuning: Parameters<typeof VenueBench.start>): Promise<VenueBench> {
  const bench = await VenueBench.start(...tuning);
  benches.push(bench);
  return bench;
}

describe("orders", () => {
  test("rest, are filled in parts and cancelled, at the market and by streams", async () => {
    const bench = await start({ pollMs: 60_000 });
    await bench.watch();
    const resting = await bench.placed();
    expect(resting).toMatchObject({ status: "NEW" });
    const market = await bench.placed({ orderType: "MARKET", quantity: "0.02" });
    expect(market.status).toBe("FILLED");
    bench.fill(resting, "0.004");
    await expect.poll(() => resting.status).toBe("PARTIALLY_FILLED");
    expect(await bench.ask(resting, "cancel")).toBe("answered");
    expect(resting).toMatchObject({ status: "CANCELLED" });
    expect([...resting.fills.values()]).toMatchObject([{ isMaker: true, commissionAsset: "BTC" }]);
    await bench.expectSame();
  });
});
