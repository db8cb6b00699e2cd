import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

interface Wanted {
  /** For people, e.g. "Chromium". */
  readonly name: string;
  /** Environment variable that names the file, in place of a search. */
  readonly variable: string;
  readonly commands: readonly string[];
  /** Looked at before the folders of PATH. */
  readonly paths: readonly string[];
}

/**
 * The path of a program that some tests need and a user's machine need not have; null where there is none, so that those
 * tests can be skipped. @throws when the variable names nothing, and with CI=true instead of null: there a skipped test
 * would hide a fault
 */
export function findInstalled({ name, variable, commands, paths }: Wanted, env = process.env): string | null {
  const given = env[variable];
  if (given) {
    if (existsSync(given)) return given;
    throw new Error(`${variable} is ${given}, and no such file exists`);
  }
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const onPath = folders.flatMap((folder) => commands.map((command) => join(folder, command)));
  const found = [...paths, ...onPath].find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (env.CI === "true") throw new Error(`no ${name} found: install it, or set ${variable}`);
  console.warn(`SKIPPED: the tests with ${name}, because none was found. Install it, or set ${variable}.`);
  return null;
}
