import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What starts programs takes longest, and begins first: else the last of them runs alone at the end. */
class ProgramsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isOfProgram = ({ moduleId }: TestSpecification) => !moduleId.includes("/src/");
    const sorted = await super.sort(files);
    return [...sorted.filter(isOfProgram), ...sorted.filter((file) => !isOfProgram(file))];
  }
}

export default defineConfig({
  // The dependencies load graphql as CommonJS; without this the test files would load a second copy as ESM,
  // and a type of one copy is unknown to the other.
  resolve: { alias: [{ find: /^graphql$/, replacement: "graphql/index.js" }] },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/support/postgres-cluster.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most of the time goes by waiting for sockets and processes.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // Loading the program anew for every file takes longer than most of them.
    isolate: false,
    sequence: { sequencer: ProgramsFirst },
  },
});
