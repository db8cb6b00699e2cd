import type { Config } from "./config.js";
import { commandLine } from "./core/actor.js";
import { StartError } from "./core/errors.js";
import type { KeyRing } from "./core/key-ring.js";
import type { Logger } from "./core/logger.js";
import { systemClock } from "./core/time.js";
import { withOwner } from "./database-commands.js";
import type { Database } from "./db/connect.js";
import { countSealed, reseal } from "./db/sealed-columns.js";
import { addKey, openKeyRing } from "./encryption-keys.js";
import { recordOperation } from "./people/audit.js";

const usage = "usage: tradegraph keys status|rotate";
/** Failures that are shown one by one. */
const maxShown = 20;

/** What seals the stored secrets, and sealing them anew by the newest key. Returns the exit status. */
export async function runKeyCommand(
  args: readonly string[],
  config: Config,
  log: Logger,
  print: (line: string) => void,
): Promise<number> {
  const [action, ...rest] = args;
  if ((action !== "status" && action !== "rotate") || rest.length > 0) throw new StartError(usage);
  return withOwner(config, log, (database) =>
    action === "status" ? showStatus(database, config, print) : rotate(database, config, print),
  );
}

async function showStatus(database: Database, config: Config, print: (line: string) => void): Promise<number> {
  const keyRing = await openKeyRing(config);
  const counts = await countSealed(database);
  const ids = new Set([...(keyRing?.ids ?? []), ...counts.map(({ keyId }) => keyId)]);
  if (ids.size === 0) print("there are no keys, and nothing is sealed");
  let isMissing = false;
  for (const id of ids) {
    const own = counts.filter(({ keyId }) => keyId === id);
    const sum = own.reduce((total, { secrets }) => total + secrets, 0);
    const isHere = keyRing?.ids.includes(id) ?? false;
    isMissing ||= !isHere;
    const role = isHere ? (id === keyRing?.newestId ? "newest" : sum === 0 ? "may be taken away" : "older") : "MISSING";
    const where = own.map(({ table, secrets }) => `${table} ${secrets}`).join(", ");
    print(
      `${id.padEnd(32)} ${role.padEnd(18)} ${String(sum).padStart(8)} secrets${where === "" ? "" : `  (${where})`}`,
    );
  }
  return isMissing ? 1 : 0;
}

async function rotate(database: Database, config: Config, print: (line: string) => void): Promise<number> {
  const keyRing = await newestKeys(database, config, print);
  const results = await reseal(database, keyRing, (table, rows) => print(`${table}: ${rows} rows …`));
  const rows = results.reduce((sum, result) => sum + result.rows, 0);
  const failed = results.flatMap(({ table, failed: ofTable }) => ofTable.map((one) => ({ table, ...one })));
  for (const { table, id, reason } of failed.slice(0, maxShown)) print(`${table} ${id}: left as it is: ${reason}`);
  if (failed.length > maxShown) print(`… and ${failed.length - maxShown} more`);
  await recordOperation(database.db, systemClock, {
    action: "keys.rotate",
    actor: commandLine,
    target: keyRing.newestId,
    details: { rows, failed: failed.length },
  });
  print(`${rows} rows are sealed by "${keyRing.newestId}" now, ${failed.length} could not be opened`);
  return failed.length === 0 ? 0 : 1;
}

/** With a key file, a new key comes in front, unless the one before has not sealed everything yet. */
async function newestKeys(database: Database, config: Config, print: (line: string) => void): Promise<KeyRing> {
  const before = await openKeyRing(config);
  const keyRing = before ?? (await openKeyRing(config, { create: true }));
  if (keyRing === null)
    throw new StartError("there are no keys: set ENCRYPTION_KEYS, for example to main:$(openssl rand -base64 32)");
  if (config.encryptionKeys !== null || before === null) return keyRing;
  const counts = await countSealed(database);
  if (counts.some(({ keyId }) => keyId !== keyRing.newestId)) {
    print(`going on with "${keyRing.newestId}", which does not seal everything yet`);
    return keyRing;
  }
  return addKey(config, systemClock);
}
