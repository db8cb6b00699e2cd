import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A process of its own that answers each message with one, in order, so that its CPU time is its own too. */
export class Helper {
  private constructor(private readonly child: ChildProcess) {}

  /** `script` is relative to the compiled `bench/`. Options of Node for all helpers of one kind come from `BENCH_NODE_OPTIONS_<KIND>`. */
  static start(kind: "server" | "clients", script: string, ...args: string[]): Helper {
    const nodeOptions = process.env[`BENCH_NODE_OPTIONS_${kind.toUpperCase()}`]?.split(" ") ?? [];
    return new Helper(
      fork(new URL(script, import.meta.url), args, {
        execArgv: [...nodeOptions, "--enable-source-maps"],
        env: { ...process.env, NODE_ENV: "production" },
        serialization: "advanced",
      }),
    );
  }

  async ask<T>(name: string, input: unknown = null): Promise<T> {
    const answered = once(this.child, "message");
    const ended = new AbortController();
    const failed = once(this.child, "exit", { signal: ended.signal }).then(([code]) => {
      throw new Error(`the helper ended with ${code} instead of answering "${name}"`);
    });
    this.child.send({ name, input });
    try {
      const [answer] = await Promise.race([answered, failed]);
      const { error, value } = answer as { error?: string; value: T };
      if (error !== undefined) throw new Error(`"${name}" failed: ${error}`);
      return value;
    } finally {
      ended.abort();
      failed.catch(() => {});
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.send({ name: "exit" });
    // One that has more work than it can do does not hear it.
    const kill = setTimeout(() => this.child.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(kill);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: both ends are in this folder
type Answers = Record<string, (input: any) => unknown>;

/** The helper's side. */
export function answer(answers: Answers): void {
  // Whoever started it has gone.
  process.on("disconnect", () => process.exit(1));
  process.on("message", async ({ name, input }: { name: string; input: unknown }) => {
    if (name === "exit") process.exit(0);
    try {
      process.send?.({ value: await answers[name]?.(input) });
    } catch (error) {
      process.send?.({ error: (error as Error).stack ?? String(error) });
    }
  });
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
