import { writeFile } from "node:fs/promises";
import type { BenchResult } from "./case.js";
import { seriesCases } from "./series.js";

/** `npm run bench` runs all cases, `npm run bench -- ingest candles` some. One after the other: they share two cores. */
const cases = [...seriesCases];
const names = process.argv.slice(2);
const unknown = names.filter((name) => !cases.some((known) => known.name === name));
if (unknown.length > 0)
  throw new Error(`no case ${unknown.join(", ")}; there are ${cases.map((c) => c.name).join(", ")}`);

const results: BenchResult[] = [];
for (const one of cases) {
  if (names.length > 0 && !names.includes(one.name)) continue;
  console.log(`${one.name} …`);
  results.push(...(await one.run()));
}

const ratio = (ours: number, other: number | null): string => (other === null ? "–" : `${(ours / other).toFixed(2)}×`);
const rounded = (value: number | null): string =>
  value === null ? "–" : value.toLocaleString("en", { maximumFractionDigits: 0 });
console.table(
  results.map((r) => ({
    case: r.case,
    unit: r.unit,
    ours: rounded(r.ours),
    peer: rounded(r.peer),
    limit: rounded(r.limit),
    "ours/peer": ratio(r.ours, r.peer),
    "ours/limit": ratio(r.ours, r.limit),
    target: r.target,
  })),
);
await writeFile(
  "bench/results.json",
  `${JSON.stringify({ at: new Date(), node: process.version, results }, null, 2)}\n`,
);
