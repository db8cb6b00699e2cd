import { readFileSync } from "node:fs";
import { programFolder } from "./program-folder.js";

const manifest = JSON.parse(readFileSync(new URL("package.json", programFolder), "utf8")) as { version: string };

/** The version in package.json. */
export const programVersion = manifest.version;
