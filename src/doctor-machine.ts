import { access, constants, readFile, stat, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { getHeapStatistics } from "node:v8";
import type { Config } from "./config.js";
import { errorMessage } from "./core/errors.js";
import { bytesText, type Finding, fail, gib, mib, ok, warn } from "./doctor-finding.js";

const oldestNode = [20, 19] as const;
const enoughDiskBytes = 2 * gib;
const leastMemoryBytes = 512 * mib;

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const isNewEnough = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  return isNewEnough ? ok("node", version) : fail("node", version, `install Node.js ${oldestNode.join(".")} or newer`);
}

/** What of the machine's memory this process may use: all of it, or less in a container. */
export async function memoryOf(): Promise<number> {
  const limit = Number(await readFile("/sys/fs/cgroup/memory.max", "utf8").catch(() => Number.NaN));
  return Number.isFinite(limit) && limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

export function checkMemory(memoryBytes: number, heapBytes: number = getHeapStatistics().heap_size_limit): Finding {
  const detail = `${bytesText(memoryBytes)}, ${availableParallelism()} CPUs, of which Node takes up to ${bytesText(heapBytes)}`;
  if (memoryBytes < leastMemoryBytes) return warn("memory", detail, `give it ${bytesText(leastMemoryBytes)} or more`);
  if (heapBytes > memoryBytes)
    return warn(
      "memory",
      detail,
      `NODE_OPTIONS=--max-old-space-size=${Math.floor((memoryBytes * 0.75) / mib)}, or the kernel ends the process before Node frees memory`,
    );
  return ok("memory", detail);
}

/** @param limits the text of /proc/self/limits; null where there is none */
export function checkOpenFiles(limits: string | null, { maxConnections, databasePoolSize, roles }: Config): Finding {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? "") ?? [];
  if (soft === undefined) return ok("open files", "this system does not say how many");
  const needed = (roles.has("api") ? maxConnections : 0) + databasePoolSize + 200;
  const detail = `${soft} may be open, ${needed} may be needed`;
  return soft === "unlimited" || Number(soft) >= needed
    ? ok("open files", detail)
    : warn("open files", detail, `raise the limit (ulimit -n ${needed}, or nofile), or lower MAX_CONNECTIONS`);
}

export async function checkPort({ host, port, roles }: Config): Promise<Finding> {
  if (!roles.has("api")) return ok("port", "not needed without the role api");
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen({ host, port }, resolve);
    });
    return ok("port", `${host}:${port} is free`);
  } catch (error) {
    return warn("port", errorMessage(error), "tradegraph may be running already, else choose another with PORT");
  } finally {
    await new Promise<void>((resolve) => probe.close(() => resolve()));
  }
}

export async function checkDisk({ databaseUrl, dataDirectory }: Config): Promise<Finding> {
  if (databaseUrl !== null) return ok("disk", "the database is elsewhere");
  let folder = dataDirectory;
  while (!(await isThere(folder))) folder = dirname(folder);
  try {
    await access(folder, constants.W_OK);
  } catch {
    return fail("disk", `${folder} is not writable`, "choose another with TRADEGRAPH_DATA_DIR");
  }
  const { bavail, bsize } = await statfs(folder);
  return checkFreeSpace("disk", folder, bavail * bsize);
}

export function checkFreeSpace(name: string, folder: string, freeBytes: number): Finding {
  const detail = `${bytesText(freeBytes)} free in ${folder}`;
  return freeBytes > enoughDiskBytes ? ok(name, detail) : warn(name, detail, "make room, or move it to a larger disk");
}

/** Files with secrets are for their owner alone. */
export async function checkSecretFiles(folders: {
  readonly dataDirectory: string;
  readonly workingDirectory: string;
}): Promise<Finding[]> {
  const files = [join(folders.dataDirectory, "encryption-keys"), join(folders.workingDirectory, ".env")];
  const findings: Finding[] = [];
  for (const path of files) {
    const found = await stat(path).catch(() => null);
    if (found === null) continue;
    const mode = (found.mode & 0o777).toString(8);
    findings.push(
      (found.mode & 0o077) === 0
        ? ok("secrets", `${path} is for its owner alone`)
        : fail(
            "secrets",
            `${path} can be read by others (mode ${mode})`,
            `chmod 600 ${path}, and change what is in it`,
          ),
    );
  }
  return findings;
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
