import { readFile } from "node:fs/promises";
import { errorMessage, StartError } from "./core/errors.js";
import { sha256 } from "./graphql/persisted.js";

/**
 * The operations of a file as clients' build tools write it, `{"<sha256>": "<text>"}`, by their hash.
 * @throws {StartError}
 */
export async function readPersistedOperations(path: string): Promise<ReadonlyMap<string, string>> {
  const refuse = (why: string): never => {
    throw new StartError(`PERSISTED_OPERATIONS, ${path}: ${why}`);
  };
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    refuse(errorMessage(error));
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    return refuse('it must hold a JSON object {"<sha256>": "<text of the operation>"}');
  }
  const operations = new Map<string, string>();
  for (const [hash, text] of Object.entries(content)) {
    if (typeof text !== "string" || sha256(text) !== hash.toLowerCase()) {
      refuse(`the key "${hash.slice(0, 64)}" is not the SHA-256 of its text`);
    }
    operations.set(hash.toLowerCase(), text as string);
  }
  return operations;
}
