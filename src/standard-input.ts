import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { StartError } from "./core/errors.js";

const maxInputBytes = 16_384;

/** Secrets, one a line: from a terminal by these questions, with nothing shown of the answers. */
export async function readSecretLines(input: NodeJS.ReadStream, questions: readonly string[]): Promise<string[]> {
  if (input.isTTY) return askHidden(input, questions);
  return (await readInput(input, maxInputBytes)).split("\n");
}

/** All that there is. @throws {StartError} when it is longer than `maxBytes` */
export async function readInput(input: NodeJS.ReadStream, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new StartError(`standard input is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A terminal echoes what is typed into the output of the dialogue, which here leads nowhere. */
async function askHidden(input: NodeJS.ReadStream, questions: readonly string[]): Promise<string[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const dialogue = createInterface({ input, output: nowhere, terminal: true });
  const answers: string[] = [];
  try {
    for (const question of questions) {
      process.stderr.write(`${question}: `);
      answers.push(await dialogue.question(""));
      process.stderr.write("\n");
    }
    return answers;
  } finally {
    dialogue.close();
  }
}
