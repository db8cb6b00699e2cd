import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const source = fileURLToPath(new URL("../src", import.meta.url));

/**
 * Rooms from the ground up. A room knows those below it and nothing above, so that each can be read, tested and replaced
 * without what stands on it. `feeds` stands aside: exchange protocols know the catalogue and the events they produce, and
 * never the database, so that a feed can run, and be tested, without one.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  core: [],
  telemetry: ["core"],
  db: ["core"],
  bus: ["core"],
  catalogue: ["core", "db", "bus"],
  "market-data": ["core", "db", "bus", "catalogue"],
  feeds: ["core", "catalogue", "market-data"],
  people: ["core", "db", "bus", "catalogue", "market-data"],
  events: ["core", "db", "bus"],
  trading: ["core", "db", "bus", "catalogue", "market-data", "people", "events"],
  jobs: ["core", "db", "bus", "catalogue", "market-data", "feeds", "people", "events", "trading"],
  graphql: ["core", "telemetry", "catalogue", "market-data", "people", "events", "trading", "jobs"],
};

/** What the GraphQL files of every room build on, though the room that assembles them is above them all. */
const graphqlFoundation = ["context", "node", "scalars", "selected-fields", "shared"].map(
  (name) => `graphql/${name}.ts`,
);

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isTypeOnly: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return entry.name.endsWith(".ts") && !entry.name.endsWith(".test.ts") ? [path] : [];
  });
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8");
  const found = text.matchAll(
    /^(import|export)\s+(type\s)?[^;]*?from\s+"(\.[^"]+)"|^import\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/gm,
  );
  return [...found].map((match) => {
    const target = resolve(dirname(file), (match[3] ?? match[4] ?? match[5] ?? "").replace(/\.js$/, ".ts"));
    return { from: relative(source, file), to: relative(source, target), isTypeOnly: match[2] !== undefined };
  });
}

const imports = sourceFiles(source).flatMap(importsOf);
const roomOf = (path: string): string | null => (path.includes("/") ? (path.split("/")[0] ?? null) : null);

describe("imports point down", () => {
  test("every room is in the table", () => {
    const found = new Set(sourceFiles(source).flatMap((file) => roomOf(relative(source, file)) ?? []));
    expect([...found].filter((room) => !(room in rooms))).toEqual([]);
    expect(imports.length).toBeGreaterThan(100);
  });

  test("no room imports from one above it", () => {
    const wrong = imports.filter(({ from, to }) => {
      const [own, other] = [roomOf(from), roomOf(to)];
      // Files beside the rooms (app, main, config …) wire them together and may know all; no room may know those.
      if (own === null || own === other) return false;
      if (other === null) return true;
      if (/\/graphql(-[a-z]+)*\.ts$/.test(from) && graphqlFoundation.includes(to)) return false;
      return !rooms[own]?.includes(other);
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  test("only a room's GraphQL files know GraphQL", () => {
    const wrong = sourceFiles(source)
      .filter((file) => !/graphql/.test(relative(source, file)))
      .filter((file) => /from "(graphql|type-graphql)/.test(readFileSync(file, "utf8")));
    expect(wrong).toEqual([]);
  });

  test("feeds never reach the database, not even through the rooms they may know", () => {
    const reached = new Set<string>();
    const walk = (path: string): void => {
      for (const { to, isTypeOnly } of imports.filter(({ from }) => from === path)) {
        if (isTypeOnly || reached.has(to)) continue;
        reached.add(to);
        walk(to);
      }
    };
    for (const file of sourceFiles(join(source, "feeds"))) walk(relative(source, file));
    expect([...reached].filter((path) => path.startsWith("db/"))).toEqual([]);
  });

  test("what only some need is loaded when it is needed", () => {
    const importing = (name: string) =>
      sourceFiles(source)
        .filter((file) => new RegExp(`^import (?!type)[^;]*from "${name}`, "m").test(readFileSync(file, "utf8")))
        .map((file) => relative(source, file));
    for (const name of ["prom-client", "nodemailer", "ccxt", "yahoo-finance2"]) expect(importing(name)).toEqual([]);
    expect(importing("@opentelemetry/")).toEqual(["telemetry/open-telemetry.ts"]);
    expect(importing("@nats-io/").toSorted()).toEqual(["bus/jetstream.ts", "bus/nats.ts"]);
    expect(importing('[^"]*/jetstream.js')).toEqual(["bus/nats.ts"]);
    const text = readFileSync(join(source, "app.ts"), "utf8");
    for (const module of ["telemetry/open-telemetry", "bus/nats"]) {
      expect(text).toContain(`await import("./${module}.js")`);
      expect(text).not.toContain(`from "./${module}.js"`);
    }
  });

  test("only config.ts and main.ts read the environment", () => {
    const readers = sourceFiles(source)
      .filter((file) => readFileSync(file, "utf8").includes("process.env"))
      .map((file) => relative(source, file));
    expect(readers.sort()).toEqual(["main.ts"]);
  });
});
