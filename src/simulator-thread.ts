import { parentPort, workerData } from "node:worker_threads";
import { StartError } from "./core/errors.js";
import { createLogger } from "./core/logger.js";
import { systemClock } from "./core/time.js";
import type { SimulatedExchangeConfig, ThreadStarted } from "./simulated-exchange.js";
import { startSimulatedExchange } from "./start-simulated-exchange.js";

// The thread that `startSimulatorThread` starts.
const config = workerData as SimulatedExchangeConfig;
const tell = (started: ThreadStarted): void => parentPort?.postMessage(started);
try {
  const exchange = await startSimulatedExchange(config, createLogger(config.logLevel), systemClock);
  parentPort?.once("message", () => {
    void exchange.close();
  });
  tell({ kind: "listening", url: exchange.url, addresses: exchange.addresses });
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  tell({ kind: "refused", reason: error.message });
}
