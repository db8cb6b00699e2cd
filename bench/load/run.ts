import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { parseArgs, promisify } from "node:util";
import { figure, percentile } from "../case.js";
import { Helper, sleep } from "../helper.js";
import { brokenPromises, untold } from "./proof.js";
import { type Part, startSystem } from "./system.js";
import type { TraderReport } from "./trader.js";
import { makeTraders } from "./traders.js";
import { until } from "./waiting.js";

/**
 * `npm run load` puts users on several nodes of the whole system on this machine, and reports how long they waited;
 * `npm run load -- --chaos` kills every part of it in turn meanwhile. In the end it proves that no acknowledged order or fill
 * was lost or doubled, that the streams went on, and that the data is sound. Exits with 1 when anything is not so.
 */
const { values } = parseArgs({
  options: {
    users: { type: "string", default: "1000" },
    seconds: { type: "string", default: "60" },
    think: { type: "string", default: "10000" },
    apis: { type: "string", default: "2" },
    chaos: { type: "boolean", default: false },
  },
});
const [userCount, seconds, thinkMs] = [Number(values.users), Number(values.seconds), Number(values.think)];
const traderProcesses = 2;
const main = "dist/main.js";
/** Until everything that is killed has come back and the others have noticed. */
const betweenKillsMs = 10_000;

async function findNatsServer(): Promise<string> {
  const paths = [process.env.NATS_SERVER_PATH, "/usr/sbin/nats-server", "/usr/local/bin/nats-server"];
  for (const path of paths)
    if (path !== undefined && (await promisify(execFile)(path, ["--version"]).then(Boolean, () => false))) return path;
  throw new Error("nats-server is missing: install it, or set NATS_SERVER_PATH");
}

if (!(await readdir("dist")).includes("main.js")) throw new Error("please run npm run build first");
const system = await startSystem({
  apis: Number(values.apis),
  feeds: 2,
  workers: 2,
  main,
  natsServer: await findNatsServer(),
});
const helpers: Helper[] = [];
const broken: string[] = [];
try {
  console.log(`${userCount} users, ${values.apis} API nodes, 2 feed nodes, 2 workers, NATS and Postgres`);
  const inputs = await makeTraders(system.owner, system.urls, userCount, thinkMs);
  const share = Math.ceil(inputs.length / traderProcesses);
  for (let at = 0; at < inputs.length; at += share) {
    const helper = Helper.start("clients", "load/traders-process.js");
    helpers.push(helper);
    await helper.ask("begin", inputs.slice(at, at + share));
  }
  const reports = async () =>
    (await Promise.all(helpers.map((helper) => helper.ask<TraderReport[]>("reports")))).flat();
  await until(async () => (await reports()).every(({ quotes }) => quotes > 0), 60_000);

  if (values.chaos) {
    for (const part of system.parts) {
      await sleep(betweenKillsMs);
      const { backMs, quotesMs } = await killAndWait(part);
      console.log(
        `killed ${part.name}: back after ${figure(backMs / 1000)} s, quotes everywhere after ${figure(quotesMs / 1000)} s`,
      );
    }
    await sleep(betweenKillsMs);
  } else await sleep(seconds * 1000);

  await Promise.all(helpers.map((helper) => helper.ask("stop")));
  await until(async () => (await untold(system.owner, await reports())) === 0, 30_000).catch(() =>
    broken.push("streams have not told every change"),
  );
  const all = await reports();
  broken.push(...(await brokenPromises(system.owner, all)));
  const validated = await promisify(execFile)(process.execPath, [main, "validate"], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, DATABASE_URL: system.databaseUrl },
  }).then(
    () => "",
    (error: { stdout: string }) => error.stdout,
  );
  if (validated !== "") broken.push(`validate found something:\n${validated}`);
  printReport(all);

  async function killAndWait(part: Part): Promise<{ backMs: number; quotesMs: number }> {
    const startMs = performance.now();
    await part.kill();
    await part.start();
    const backMs = performance.now() - startMs;
    await until(async () => {
      const ages = (await reports()).map(({ quoteAgeMs }) => quoteAgeMs);
      return Math.max(...ages) < 2_000;
    }, 60_000).catch(() => broken.push(`after ${part.name} was killed, not every stream of quotes went on`));
    return { backMs, quotesMs: performance.now() - startMs };
  }
} finally {
  await Promise.all(helpers.map((helper) => helper.ask("close").catch(() => {})));
  await Promise.all(helpers.map((helper) => helper.stop()));
  await system.close();
}
for (const what of broken.slice(0, 20)) console.log(`BROKEN: ${what}`);
console.log(broken.length === 0 ? "Every promise was kept." : `${broken.length} promises were broken.`);
process.exitCode = broken.length === 0 ? 0 : 1;

function printReport(all: readonly TraderReport[]): void {
  const names = new Set(all.flatMap(({ latencies }) => Object.keys(latencies)));
  console.table(
    [...names].map((name) => {
      const times = all.flatMap(({ latencies }) => latencies[name] ?? []);
      const at = (part: number) => `${figure(percentile(times, part))} ms`;
      return { operation: name, count: times.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
    }),
  );
  const errors = new Map<string, number>();
  for (const { errors: found } of all)
    for (const [code, count] of Object.entries(found)) errors.set(code, (errors.get(code) ?? 0) + count);
  const sum = (of: (report: TraderReport) => number) => all.reduce((total, report) => total + of(report), 0);
  console.log(
    `orders acknowledged ${sum(({ acknowledged }) => acknowledged.length)}, quotes delivered ${sum(({ quotes }) => quotes)}`,
  );
  console.log(
    `errors ${errors.size === 0 ? "none" : [...errors].map(([code, count]) => `${code} ${count}`).join(", ")}`,
  );
}
