import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const folder = fileURLToPath(new URL("../../../shared/data/recordings", import.meta.url));

/**
 * The folder of recorded exchange traffic, which lies beside the repository and is no part of it. Null, with a warning,
 * when it is missing: the tests that need it are skipped then. @throws on CI, where it must not be missing.
 */
export function recordingsFolder(): string | null {
  if (existsSync(folder)) return folder;
  if (process.env.CI === "true") throw new Error(`the recordings are missing: ${folder}`);
  console.warn(`SKIPPED: no recordings at ${folder}`);
  return null;
}

/** What the exchange sent, in order: lines `T: BODY` with T in seconds. */
export function recordedFrames(name: string): { timeMs: number; body: string }[] {
  const frames: { timeMs: number; body: string }[] = [];
  for (const line of readRecording(name).split("\n")) {
    const [, seconds, body] = /^(\d+(?:\.\d+)?): (.*)$/.exec(line) ?? [];
    if (seconds !== undefined && body !== undefined) frames.push({ timeMs: Number(seconds) * 1000, body });
  }
  return frames;
}

/** The body of the first response in an http recording, `URL -> T: BODY`, whose URL ends as asked. */
export function recordedResponse(name: string, urlEnd = ""): string {
  for (const line of readRecording(name).split("\n")) {
    const [, url, body] = /^(\S+) -> \d+(?:\.\d+)?: (.*)$/.exec(line) ?? [];
    if (body !== undefined && url?.endsWith(urlEnd) === true) return body;
  }
  throw new Error(`no response in ${name}`);
}

function readRecording(name: string): string {
  const bytes = readFileSync(join(folder, name));
  return (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}
