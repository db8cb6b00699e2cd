import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DatabaseAddress } from "../src/db/connect.js";

const run = promisify(execFile);

export interface PgbenchScript {
  readonly text: string;
  readonly clients: number;
  readonly seconds: number;
  readonly variables?: Readonly<Record<string, string>>;
}

/** The one on the path, or of an installed Postgres; null without any. */
export async function findProgram(name: "pgbench" | "psql"): Promise<string | null> {
  const versions = await readdir("/usr/lib/postgresql").catch(() => []);
  const paths = [name, ...versions.map((version) => `/usr/lib/postgresql/${version}/bin/${name}`)];
  for (const path of paths) if (await run(path, ["--version"]).then(Boolean, () => false)) return path;
  return null;
}

/** What the program prints that runs the script, as the role that this program has. */
async function runScript(
  path: string,
  address: DatabaseAddress,
  script: string,
  options: readonly string[],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tradegraph-script-"));
  try {
    const file = join(folder, "script.sql");
    await writeFile(file, script);
    const database =
      "url" in address
        ? [address.url]
        : ["-h", address.host, "-p", String(address.port), "-U", address.user, address.database];
    const { stdout } = await run(path, [...options, "-f", file, ...database], {
      env: { ...process.env, PGOPTIONS: "-c role=tradegraph_app" },
      maxBuffer: 10_000_000,
    });
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** How long psql itself says that each execution of a prepared statement took, in milliseconds; its rows are thrown away. */
export async function psqlTimes(
  path: string,
  address: DatabaseAddress,
  { text, values }: { readonly text: string; readonly values: readonly unknown[] },
  times: number,
): Promise<number[]> {
  const literals = values.map((value) => `'${String(value).replaceAll("'", "''")}'`).join();
  const lines = [`prepare statement as ${text};`, "\\o /dev/null", "\\timing on"];
  const script = [...lines, ...Array<string>(times).fill(`execute statement(${literals});`), ""].join("\n");
  const said = await runScript(path, address, script, ["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
  const found = [...said.matchAll(/^Time: ([\d.]+) ms/gm)].map(([, ms]) => Number(ms));
  if (found.length !== times) throw new Error(`psql says\n${said.slice(0, 2_000)}`);
  return found;
}

/**
 * Runs of the script a second, its statements prepared, as the role that the program has, over the socket that the program uses;
 * each client one after the other.
 */
export async function pgbench(path: string, address: DatabaseAddress, script: PgbenchScript): Promise<number> {
  const options = ["-n", "-M", "prepared", "-c", script.clients, "-j", 1, "-T", script.seconds].map(String);
  const variables = Object.entries(script.variables ?? {}).flatMap(([name, value]) => ["-D", `${name}=${value}`]);
  const said = await runScript(path, address, script.text, [...options, ...variables]);
  const [, tps] = /^tps = ([\d.]+) \(without/m.exec(said) ?? [];
  if (tps === undefined) throw new Error(`pgbench says\n${said}`);
  return Number(tps);
}
