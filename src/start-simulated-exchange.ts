import { readFile } from "node:fs/promises";
import { errorMessage, StartError } from "./core/errors.js";
import type { Logger } from "./core/logger.js";
import type { Clock } from "./core/time.js";
import { parseRecording, type RecordedEntry } from "./feeds/simulator/recording.js";
import { startSimulator } from "./feeds/simulator/simulator.js";
import type { SimulatedExchange, SimulatedExchangeConfig } from "./simulated-exchange.js";

/** In this thread. @throws {StartError} when its port is taken, or the recording cannot be read */
export async function startSimulatedExchange(
  config: SimulatedExchangeConfig,
  log: Logger,
  clock: Clock,
): Promise<SimulatedExchange> {
  const { simulatorPort: port, simulatorSeed: seed, simulatorReplay: file, simulatorReplaySpeed: speed } = config;
  const replay = file === null ? {} : { replay: { recording: await readRecording(file), speed } };
  const { simulatorUpdatesPerSecond: updatesPerSecond } = config;
  return startSimulator({ port, seed, updatesPerSecond, clock, log: log.child({ room: "simulator" }), ...replay });
}

async function readRecording(path: string): Promise<RecordedEntry[]> {
  try {
    return parseRecording(await readFile(path, "utf8"));
  } catch (error) {
    throw new StartError(`SIMULATOR_REPLAY cannot be read: ${errorMessage(error)}`);
  }
}
