import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { link, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "./config.js";
import { errorMessage, StartError } from "./core/errors.js";
import { KeyRing } from "./core/key-ring.js";
import type { Clock } from "./core/time.js";

const fileName = "encryption-keys";

type KeySettings = Pick<Config, "encryptionKeys" | "databaseUrl" | "dataDirectory">;

/**
 * The keys that seal credentials: those of the configuration, or else, beside the embedded database, those of a file that
 * only its owner may read.
 * @param create make that file where it is missing
 */
export async function openKeyRing(settings: KeySettings, { create = false } = {}): Promise<KeyRing | null> {
  const { encryptionKeys, databaseUrl, dataDirectory } = settings;
  if (encryptionKeys !== null || databaseUrl !== null) return encryptionKeys;
  const path = join(dataDirectory, fileName);
  const text = await readKeyFile(path);
  if (text === null && !create) return null;
  if (text === null) await createKeyFile(dataDirectory, path);
  try {
    return KeyRing.parse((text ?? (await readKeyFile(path)) ?? "").trim(), () => readAgain(path));
  } catch (error) {
    throw new StartError(`the keys in ${path} cannot be used: ${errorMessage(error)}`);
  }
}

/** Puts a new key in front of those in the key file, which must be there. Whole or not at all. */
export async function addKey({ dataDirectory }: KeySettings, clock: Clock): Promise<KeyRing> {
  const path = join(dataDirectory, fileName);
  const known = ((await readKeyFile(path)) ?? "").trim();
  const day = new Date(clock.nowMs()).toISOString().slice(0, 10);
  const text = `${newKey(`local-${day}-${randomBytes(3).toString("hex")}`)},${known}`;
  const keyRing = KeyRing.parse(text, () => readAgain(path));
  const draft = await writeDraft(path, text);
  await rename(draft, path);
  return keyRing;
}

const newKey = (id: string): string => `${id}:${randomBytes(32).toString("base64")}`;

function readAgain(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}

async function readKeyFile(path: string): Promise<string | null> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) throw new StartError(`${path} can be read by others: chmod 600 it, and make new keys`);
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Whole or not at all, and never over one that another process has made meanwhile. */
async function createKeyFile(folder: string, path: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const draft = await writeDraft(path, newKey("local"));
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeDraft(path: string, text: string): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return draft;
}
