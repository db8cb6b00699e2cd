import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

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
  },
});
