import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brokenPromises, untold } from "../bench/load/proof.js";
import { type System, startSystem } from "../bench/load/system.js";
import type { TraderReport } from "../bench/load/trader.js";
import { makeTraders, Traders } from "../bench/load/traders.js";
import { errorMessage } from "../src/core/errors.js";
import { findNats } from "./support/nats.js";
import { runToEnd } from "./support/program.js";
import { until } from "./support/until.js";

const natsServer = findNats();
const main = join(fileURLToPath(new URL("..", import.meta.url)), "dist", "main.js");
const traderCount = 8;

describe.skipIf(natsServer === null)("while people trade on two API nodes", () => {
  let system: System;
  let traders: Traders;
  const reports = (): TraderReport[] => traders.reports();
  const acknowledged = () => reports().reduce((sum, report) => sum + report.acknowledged.length, 0);

  beforeAll(async () => {
    system = await startSystem({ apis: 2, feeds: 1, workers: 1, main, natsServer: natsServer ?? "" });
    traders = new Traders(await makeTraders(system.owner, system.urls, traderCount, 300));
    await until(() => reports().every(({ quotes }) => quotes > 0) && acknowledged() > 0, 60_000);
  }, 240_000);
  afterAll(async () => {
    await traders?.close();
    await system?.close();
  }, 60_000);

  test("every part is killed in turn, and nothing that was acknowledged is lost or doubled", async () => {
    for (const part of system.parts) {
      const [quotes, orders] = [reports().map((report) => report.quotes), acknowledged()];
      await part.kill();
      await part.start();
      // Streams and orders go on, for everybody.
      await until(
        () =>
          reports().every((report, index) => report.quotes > (quotes[index] ?? 0) + 2) && acknowledged() > orders + 2,
        60_000,
      ).catch((error: unknown) => {
        throw new Error(`after ${part.name} was killed: ${errorMessage(error)}\n${system.log()}`);
      });
    }
    await traders.stop();
    await until(async () => (await untold(system.owner, reports())) === 0, 30_000);
    expect(await brokenPromises(system.owner, reports())).toEqual([]);
    const { status, output, errors } = await runToEnd(["validate", "--json"], { DATABASE_URL: system.databaseUrl });
    expect(errors).toBe("");
    expect(JSON.parse(output).filter(({ passed }: { passed: boolean }) => !passed)).toEqual([]);
    expect(status).toBe(0);
  }, 420_000);
});
