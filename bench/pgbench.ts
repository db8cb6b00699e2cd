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
export async function findPgbench(): Promise<string | null> {
  const versions = await readdir("/usr/lib/postgresql").catch(() => []);
  const paths = ["pgbench", ...versions.map((version) => `/usr/lib/postgresql/${version}/bin/pgbench`)];
  for (const path of paths) if (await run(path, ["--version"]).then(Boolean, () => false)) return path;
  return null;
}

/**
 * Runs of the script a second, its statements prepared, as the role that the program has, over the socket that the program uses;
 * each client one after the other.
 */
export async function pgbench(path: string, address: DatabaseAddress, script: PgbenchScript): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "tradegraph-pgbench-"));
  try {
    const file = join(folder, "script.sql");
    await writeFile(file, script.text);
    const database =
      "url" in address
        ? [address.url]
        : ["-h", address.host, "-p", String(address.port), "-U", address.user, address.database];
    const options = ["-n", "-M", "prepared", "-c", script.clients, "-j", 1, "-T", script.seconds].map(String);
    const variables = Object.entries(script.variables ?? {}).flatMap(([name, value]) => ["-D", `${name}=${value}`]);
    const { stdout } = await run(path, [...options, ...variables, "-f", file, ...database], {
      env: { ...process.env, PGOPTIONS: "-c role=tradegraph_app" },
    });
    const [, tps] = /^tps = ([\d.]+) \(without/m.exec(stdout) ?? [];
    if (tps === undefined) throw new Error(`pgbench says\n${stdout}`);
    return Number(tps);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
