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

/** By hand: what stands in the way of what is not reached. Figures are shares of one profile, and hold where the table's do not. */
const reasons = `## What stands in the way
- **fan-out, against peers.** The limit itself is what the figures say above: bytes that were made before, one write of the system for
  each client and interval. With different watchlists hardly two clients get the same message, and at 16 ms a message holds 1.2
  quotes, so there is a write for nearly each quote, and a write is more than half of our CPU time (54 % of a profile; Node's streams
  around it 10 %, finding out who gets what and making frames 20 %, executing the selection 5 %). No server that writes to sockets
  from Node can be twenty times as good as the peer there.
- **private query, against pgbench.** One statement and one round trip answer it, as with pgbench, but pgbench throws the rows away.
  Of the CPU time of the server's process (8 connections, a dashboard of 20 items) executing the query and making its ids and times
  took 20 %, writing the answer to the socket 18 %, reading 20 rows of 11 columns from the driver 12 %, JSON 7 %, sending the
  statement 7 %, collecting garbage 5 %, and knowing the credential 4 %, of which none is a second look at the database; what is left
  is Node's HTTP and its event loop, spread over calls that take less than 2 % each. One process of Node answers on one core,
  while the clients of pgbench have a server process each. The note to the case says what a Node server costs that does nothing but
  send that statement and write its rows as JSON.
- **orders, against pgbench.** A change is two round trips, because what is written depends on what is read: the first takes the lock
  and loads the account by one function of the database, the second writes and commits. For an order, 8 clients and the machine's
  two cores, the server's process takes 2.4 ms of CPU time and Postgres 3.5, where pgbench and Postgres take 2.3 together. Of
  Postgres's part, writing is 3.1 ms for us and 1.7 for pgbench: the same triggers, constraints and rows, but rows that come as JSON,
  and caches that another program has just used. Of ours no part stands out: the driver 16 %, garbage 7 %, the ledger's arithmetic
  and rows 17 %, GraphQL and HTTP 12 %, waiting in the system's write while the server runs on the same core 20 %.
  Tried and kept: one function instead of seven statements (20 to 40 % more orders), one write to a socket per turn instead of one
  per kilobyte, events taken in by the batch, random bits for many ids at once. Tried without effect: using the connection again
  that was used last, a larger young generation. Both processes want both cores, so the ratio moves by half between runs.
- **candles, against psql.** Reading 500 rows of 12 columns is what stands beside the statement itself: making text of what came (a
  third of our time), objects of the text, and canonical numbers (a quarter; a loop in place of the expression was no quicker).
  psql throws the rows away. The ratio moves between 1.25 and 1.75 with what else the machine does.
- **start.** Of a start of 1.5 s npm itself takes 0.22, Node 0.05, reading and compiling the program's modules 0.2, evaluating them 0.18,
  waiting for Postgres 0.12, making statements and reading their answers 0.2, building the schema 0.08, and collecting garbage 0.06.
  The simulated exchange had taken 0.35 of it and has a thread of its own now. Tried without effect: a larger young generation.
  Shorter names in the packed program would save 0.06. On a machine that is a third slower by its neighbours all of it takes a
  third longer: npm alone is between 0.22 and 0.38 there.`;

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

${reasons}

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
- **private query**: the \`dashboard\` of a signed-in user, with quotes, and \`orders(first: 20)\`, under row-level security, by 8
  connections. The peer names the user and reads his rows in a plain transaction, and symbols and quotes through dataloader; the
  limit is pgbench with the one statement that the program sends, prepared, over the same unix socket, by as many clients. It
  reads no symbols or quotes, checks no credential and speaks no HTTP.
- **orders**: each connection places orders over HTTP, one after the other, for an account of its own on paper: one that waits far
  below the price, and one that is filled at once. The limit is pgbench, by as many clients, with a plain transaction that names the
  user, takes the account's lock and next numbers, and gives each table one INSERT of rows like those that the program has written;
  it checks no rule and tells nobody. Before it is measured, the server has placed orders for 10 s. The program's time includes
  that of its outbox, which takes the events to the other nodes.
- **symbol**: look-ups in random order among 100,000 symbols.
- **ingest, candles**: against COPY, and against a small table and the same statement in psql, by psql's own timing.
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
