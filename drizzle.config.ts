import { defineConfig } from "drizzle-kit";

// Reads the compiled tables, because drizzle-kit's own loader does not resolve the `.js` names of ESM imports to `.ts` files.
export default defineConfig({ dialect: "postgresql", schema: "./dist/*/tables.js", out: "./drizzle" });
