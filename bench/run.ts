import { cp, readFile, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { advantage, type BenchCase, type BenchResult, bestPeer, figure, shortfalls } from "./case.js";
import { fanOutCases } from "./fan-out.js";
import { latencyCases } from "./latency.js";
import { ordersCase } from "./orders.js";
import { privateQuery } from "./private-query.js";
import { queryCases } from "./queries.js";
import { seriesCases } from "./series.js";
import { startCases } from "./start.js";
import { machine, resultsPath, type StoredResults, writeReadme } from "./write-readme.js";

/** `npm run bench` runs all cases, `npm run bench -- ingest candles` some. One after the other: they share two cores. */
const cases: readonly BenchCase[] = [
  ...fanOutCases,
  ...latencyCases,
  ...queryCases,
  privateQuery,
  ordersCase,
  ...seriesCases,
  ...startCases,
];
const names = process.argv.slice(2);
const unknown = names.filter((name) => !cases.some((known) => known.name === name));
if (unknown.length > 0)
  throw new Error(`no case ${unknown.join(", ")}; there are ${cases.map((c) => c.name).join(", ")}`);

// Where the compiled program looks for them.
for (const path of ["drizzle", "package.json"]) await cp(path, `dist/bench/${path}`, { recursive: true });

const stored: StoredResults = JSON.parse(await readFile(resultsPath, "utf8").catch(() => "{}"));

const results: BenchResult[] = [];
for (const one of cases) {
  if (names.length > 0 && !names.includes(one.name)) continue;
  const startMs = performance.now();
  const [load = 0] = loadavg();
  console.log(`${one.name} …`);
  const found = await one.run();
  results.push(...found);
  console.log(`  ${Math.round((performance.now() - startMs) / 1000)} s`);
  stored[one.name] = { at: new Date().toISOString(), node: process.version, machine, load, results: found };
  await writeFile(resultsPath, `${JSON.stringify(stored, null, 2)}\n`);
}
await writeReadme(stored);

const against = (result: BenchResult, other: number | undefined): string =>
  other === undefined ? "–" : `${figure(advantage(result, other))}×`;
const orNothing = (value: number | undefined): string => (value === undefined ? "–" : figure(value));
console.table(
  results.map((r) => ({
    case: r.case,
    unit: r.unit,
    ours: figure(r.ours),
    peer: bestPeer(r)?.[0] ?? "–",
    "its figure": orNothing(bestPeer(r)?.[1]),
    limit: orNothing(r.limit),
    "against peer": against(r, bestPeer(r)?.[1]),
    "against limit": against(r, r.limit),
  })),
);
for (const r of results) {
  if (r.note !== undefined) console.log(`${r.case}: ${r.note}`);
  for (const shortfall of shortfalls(r)) console.log(`${r.case}: NOT REACHED ${shortfall}`);
}
