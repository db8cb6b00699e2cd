import { existsSync } from "node:fs";

/** Where package.json lies, and what else comes with the program; ends with a slash. Found from wherever the build has put this module. */
export const programFolder: URL = find(new URL(".", import.meta.url));

function find(folder: URL): URL {
  if (existsSync(new URL("package.json", folder))) return folder;
  const parent = new URL("..", folder);
  if (parent.href === folder.href) throw new Error(`no package.json above ${import.meta.url}`);
  return find(parent);
}
