import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const knownPaths = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const knownCommands = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/**
 * The browser's path, or null where there is none, so that a test can be skipped.
 * @throws when CHROMIUM_PATH names nothing, and with CI=true instead of null: there a skipped test would hide a fault
 */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | null {
  if (env.CHROMIUM_PATH) {
    if (existsSync(env.CHROMIUM_PATH)) return env.CHROMIUM_PATH;
    throw new Error(`CHROMIUM_PATH is ${env.CHROMIUM_PATH}, and no such file exists`);
  }
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const onPath = folders.flatMap((folder) => knownCommands.map((command) => join(folder, command)));
  const found = [...knownPaths, ...onPath].find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (env.CI === "true") throw new Error("no Chromium found: install it, or set CHROMIUM_PATH");
  console.warn("SKIPPED: the browser tests, because no Chromium was found. Install it, or set CHROMIUM_PATH.");
  return null;
}

/** A headless browser with an empty profile, which `close()` removes; it asks nothing of the network on its own account. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    // The sandbox needs user namespaces that root does not get.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
