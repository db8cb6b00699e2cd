import { Worker } from "node:worker_threads";
import type { Config } from "./config.js";
import { StartError } from "./core/errors.js";
import type { Logger } from "./core/logger.js";
import { programFolder } from "./core/program-folder.js";
import type { SimulatedAddress } from "./feeds/simulator/simulator.js";

/** The simulated exchange of the program, wherever it runs. */
export interface SimulatedExchange {
  readonly url: string;
  readonly addresses: ReadonlyMap<string, SimulatedAddress>;
  close(): Promise<void>;
}

const settings = [
  "simulatorPort",
  "simulatorSeed",
  "simulatorUpdatesPerSecond",
  "simulatorReplay",
  "simulatorReplaySpeed",
  "logLevel",
] as const;
export type SimulatedExchangeConfig = Pick<Config, (typeof settings)[number]>;

export const hasSimulatedExchange = ({ mode, roles }: Config): boolean => mode === "simulated" && roles.has("feed");

/** What the thread says, once. */
export type ThreadStarted =
  | { readonly kind: "listening"; readonly url: string; readonly addresses: ReadonlyMap<string, SimulatedAddress> }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Starts it in a thread of its own, as an exchange is elsewhere, which alone loads what it is made of: inventing the markets of
 * eight exchanges takes no time from whoever follows them, least of all while the program starts. Ends with the program.
 * @throws {StartError} when its port is taken, or the recording cannot be read
 */
export async function startSimulatorThread(config: SimulatedExchangeConfig, log: Logger): Promise<SimulatedExchange> {
  // Not all settings of the program can be handed to a thread.
  const workerData = Object.fromEntries(settings.map((name) => [name, config[name]]));
  const thread = new Worker(new URL("dist/simulator-thread.js", programFolder), { workerData });
  const ended = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
  const started = await new Promise<ThreadStarted>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error("the simulated exchange has ended while it started")));
  });
  if (started.kind === "refused") throw new StartError(started.reason);
  let isClosing = false;
  thread.on("error", (err) => log.error({ err }, "simulator.failed"));
  thread.once("exit", () => {
    if (!isClosing) log.error({}, "simulator.ended: no prices will come any more");
  });
  // Whoever does not close it, because the start has failed, is not kept from ending.
  thread.unref();
  return {
    url: started.url,
    addresses: started.addresses,
    close: () => {
      isClosing = true;
      thread.ref();
      thread.postMessage("close");
      return ended;
    },
  };
}
