import { readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { advantage, type BenchResult, bestPeer, figure, shortfalls } from "./case.js";

/** What was measured, by the name of the case. What is not run again keeps the results it had. */
export interface StoredResults {
  [name: string]: {
    readonly at: string;
    readonly node: string;
    readonly machine: string;
    /** What else there was to do on the machine: the load average before the case. */
    readonly load: number;
    readonly results: readonly BenchResult[];
  };
}

export const resultsPath = "bench/results.json";
export const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? "CPU"}`;

/** Makes `bench/README.md` and its chart from the stored results: `node dist/bench/bench/write-readme.js`. */
export async function writeReadme(stored: StoredResults): Promise<void> {
  const results = Object.values(stored).flatMap((run) => run.results);
  await writeFile("bench/chart.svg", chartOf(results));
  await writeFile("bench/README.md", readmeOf(stored, results));
}

const ratio = (result: BenchResult, other: number | undefined, wanted: number | undefined): string => {
  if (other === undefined) return "–";
  const text = `${figure(advantage(result, other))}×`;
  return wanted === undefined ? text : `${text} (wanted ${figure(wanted)}×)`;
};

function row(result: BenchResult): string {
  const peer = bestPeer(result);
  const cells = [
    result.case,
    result.unit,
    figure(result.ours) + (result.reach.figure === undefined ? "" : ` (wanted ${figure(result.reach.figure)})`),
    peer === undefined ? "–" : `${figure(peer[1])} (${peer[0]})`,
    result.limit === undefined ? "–" : figure(result.limit),
    ratio(result, peer?.[1], result.reach.peer),
    ratio(result, result.limit, result.reach.limit),
    result.growsWith ?? "",
  ];
  return `| ${cells.join(" | ")} |`;
}

function readmeOf(stored: StoredResults, results: readonly BenchResult[]): string {
  const missing = results.flatMap((result) => shortfalls(result).map((text) => `- ${result.case}, ${text}`));
  const notes = results.flatMap((result) => (result.note === undefined ? [] : [`- ${result.case}: ${result.note}`]));
  const runs = Object.entries(stored).map(
    ([name, run]) => `${name} ${run.at.slice(0, 16)}Z (${figure(run.load ?? Number.NaN)})`,
  );
  const [first] = Object.values(stored);
  return `# Measured against peers

This page is written by \`npm run bench\` from \`results.json\`; do not edit it. \`npm run bench -- fan-out-same latency\` runs some cases, and
each takes less than two minutes.

Everything is a ratio against peers and limits that were measured in the same run on the same machine, in turns where it matters: absolute numbers say more
about the machine (here ${first?.machine ?? "?"}, Node ${first?.node ?? "?"}, shared with other work) than about the program. The server, its clients and the
exchange are processes of their own. The cost of a server is the CPU time of its process divided by the work done, so that the load
on the other core does not blur it. A peer that cannot keep up is offered less, and its cost is that of what it delivered. A ratio
above 1 means that we are better; against a limit, which nobody can pass, 1 is all there is.

![CPU time per quote or answer](chart.svg)

| case | unit | ours | best peer | limit | against the peer | against the limit | grows with |
| --- | --- | --- | --- | --- | --- | --- | --- |
${results.map(row).join("\n")}

## What is not reached
${missing.length === 0 ? "Nothing is missing." : missing.join("\n")}

## Notes
${notes.join("\n")}

## What is compared
- **fan-out**: 500 WebSocket clients, 540 changes of quotes a second, all on the nine default symbols or each on 20 random ones of
  500. The peers serve the same fields from the same catalogue and quotes in memory and send each change as a message, as they
  do by themselves; the notes say what one of them costs when its user gathers the changes of each client by hand. The limit
  writes bytes that were made before, one write per client and interval.
- **latency**: from the exchange's frame to the client's, with nothing held back (\`intervalMs: 0\`). The limit is a relay that
  writes what it reads to every client.
- **slow reader**: 10 of 500 clients stop reading and are not closed.
- **cached query**: \`defaultSymbols\` with market, asset class and quote over HTTP. The peers read Postgres through dataloader and
  postgres.js; the limit answers a constant string of that size.
- **private query**: the \`dashboard\` of a signed-in user, with quotes, under row-level security, by 8 connections. The peer names
  the user and reads his rows in a plain transaction, and symbols and quotes through dataloader; the limit is pgbench with that
  transaction and as many clients, which reads no symbols or quotes and speaks no HTTP.
- **symbol**: look-ups in random order among 100,000 symbols.
- **ingest, candles**: against COPY, and against a small table.
- **start, memory**: \`npm start\` on a database that is there already; and the heap while simulated prices come in, after collections.

Measured, with the load average of other work before it; on two cores, figures in milliseconds of a run above 2 say little:
${runs.join(", ")}.
`;
}

const width = 860;
const labelWidth = 210;
const barHeight = 15;

/** Bars of what the servers cost, on a logarithmic scale. */
function chartOf(results: readonly BenchResult[]): string {
  const shown = results.filter(({ unit, peers }) => unit.startsWith("CPU") && peers !== undefined);
  const barsOf = (result: BenchResult): (readonly [name: string, value: number, colour: string])[] => [
    ["tradegraph", result.ours, "#0b7285"],
    ...(result.limit === undefined ? [] : [["limit", result.limit, "#adb5bd"] as const]),
    ...Object.entries(result.peers ?? {}).map(([name, value]) => [name, value, "#f08c00"] as const),
  ];
  const values = shown.flatMap((result) => barsOf(result).map(([, value]) => value));
  const [least, most] = [Math.min(...values) / 2, Math.max(...values)];
  const lengthOf = (value: number) => (Math.log(value / least) / Math.log(most / least)) * (width - labelWidth - 70);
  const parts: string[] = [];
  let y = 20;
  for (const result of shown) {
    parts.push(`<text x="8" y="${y}" font-weight="bold">${result.case} (${result.unit})</text>`);
    y += 8;
    for (const [name, value, colour] of barsOf(result)) {
      const length = lengthOf(value).toFixed(0);
      parts.push(
        `<text x="${labelWidth - 8}" y="${y + 11}" text-anchor="end">${name}</text>`,
        `<rect x="${labelWidth}" y="${y}" width="${length}" height="${barHeight - 3}" fill="${colour}"/>`,
        `<text x="${labelWidth + Number(length) + 6}" y="${y + 11}">${figure(value)}</text>`,
      );
      y += barHeight;
    }
    y += 24;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" font-family="sans-serif" font-size="12">
<title>What the servers cost</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${parts.join("\n")}
<text x="8" y="${y - 6}" fill="#868e96">logarithmic scale; shorter is better</text>
</svg>
`;
}

if (import.meta.url === `file://${process.argv[1]}`)
  await writeReadme(JSON.parse(await readFile(resultsPath, "utf8")) as StoredResults);
