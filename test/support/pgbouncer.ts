import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findInstalled } from "./installed.js";
import { freePort } from "./program.js";
import { until } from "./until.js";

export const findPgBouncer = (): string | null =>
  findInstalled({
    name: "PgBouncer",
    variable: "TEST_PGBOUNCER",
    commands: ["pgbouncer"],
    paths: ["/usr/sbin/pgbouncer"],
  });

export interface PgBouncer {
  readonly url: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** A PgBouncer in transaction mode before a database of the test's server, with few connections that everybody shares. */
export async function startPgBouncer(
  path: string,
  server: { readonly host: string; readonly port: number; readonly database: string },
  login: string,
): Promise<PgBouncer> {
  const folder = await mkdtemp(join(tmpdir(), "tradegraph-pgbouncer-"));
  await chmod(folder, 0o755);
  const port = await freePort();
  const settings = join(folder, "pgbouncer.ini");
  await writeFile(
    settings,
    `[databases]
${server.database} = host=${server.host} port=${server.port} dbname=${server.database} user=${login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
server_round_robin = 1
`,
  );
  // Who may enter the folder of the server's socket; root is refused by PgBouncer.
  const { uid, gid } = await stat(server.host);
  let process: ChildProcess | undefined;
  const pooler: PgBouncer = {
    url: `postgres://${login}@127.0.0.1:${port}/${server.database}`,
    start: async () => {
      process = spawn(path, ["--quiet", settings], { stdio: "ignore", uid, gid });
      await until(() => answers(port));
    },
    kill: async () => {
      if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
      const exit = once(process, "exit");
      process.kill("SIGKILL");
      await exit;
    },
    remove: async () => {
      await pooler.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await pooler.start();
  return pooler;
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const settle = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => settle(true)).once("error", () => settle(false));
  });
