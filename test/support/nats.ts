import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findInstalled } from "./installed.js";
import { freePort } from "./program.js";
import { until } from "./until.js";

export const findNats = (): string | null =>
  findInstalled({
    name: "NATS",
    variable: "NATS_SERVER_PATH",
    commands: ["nats-server"],
    paths: ["/usr/sbin/nats-server"],
  });

export interface NatsServer {
  readonly url: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Ends it, and forgets its streams. */
  remove(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

/** A NATS server on a loopback port of its own, started. With JetStream it keeps its streams when it is killed. */
export async function startNats(path: string, { jetStream = false } = {}): Promise<NatsServer> {
  const port = await freePort();
  const store = jetStream ? await mkdtemp(join(tmpdir(), "tradegraph-nats-")) : null;
  let process: ChildProcess | undefined;
  const server: NatsServer = {
    url: `nats://127.0.0.1:${port}`,
    start: async () => {
      process = spawn(
        path,
        [
          "--addr",
          "127.0.0.1",
          "--port",
          String(port),
          ...(store === null ? [] : ["--jetstream", "--store_dir", store]),
        ],
        { stdio: "ignore" },
      );
      await until(() => answers(port));
    },
    remove: async () => {
      await server.kill();
      if (store !== null) await rm(store, { recursive: true, force: true });
    },
    kill: async () => {
      if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
      const exit = once(process, "exit");
      process.kill("SIGKILL");
      await exit;
    },
  };
  await server.start();
  return server;
}

/** The server greets whoever connects. */
const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("data", () => settle(true)).once("error", () => settle(false));
    const settle = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
  });
