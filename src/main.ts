#!/usr/bin/env node
import { parseArgs } from "node:util";
import { type Config, parseConfig } from "./config.js";
import { errorMessage, StartError } from "./core/errors.js";
import { createLogger, type Logger } from "./core/logger.js";
import { programVersion } from "./core/version.js";

const help = `tradegraph ${programVersion}: a GraphQL backend for markets and trading

usage: tradegraph <command> [options]

commands:
  serve       run the program (api, feed and worker in one process by default)
                --live           the exchanges' public streams instead of the simulated exchange
                --port N         instead of PORT (4000)
                --roles LIST     instead of ROLES (api,feed,worker)
  migrate     bring the database to this program's schema
  rollback    take the newest migration back
                --steps N        several of them
                --all            all of them
                --force          also drop tables that hold rows
  seed        add missing reference data
                --sync MARKET    also read the market's instruments from its exchange, e.g. BINANCE_SPOT
  validate    check the data; exit status 1 when a check fails
                --json           print JSON
                --days N         of large tables only what was changed in the last N days
                --severity LEVEL critical, high, medium or low: only checks that are at least as grave
  rebuild     make orders, positions and balances anew from the events alone, and compare; exit status 1 when they differ
                --write          put in what the events say; nobody may trade meanwhile
  backup      copy the embedded database while it runs, and keep its WAL from then on
                --to DIR         where the copy goes, by default the data folder's backups/
                --keep N         how many copies stay there (3)
                --record         instead take over what \`pgbackrest info --output=json\` says, from standard input
  restore     make the embedded database anew from a copy, in a data folder that has none
                --from DIR       the copy
                --at TIME        as it was then, e.g. 2026-03-01T14:30:00Z; without it, all that there is
                --to DIR         the data folder, by default TRADEGRAPH_DATA_DIR
                --wal DIR        in place of the WAL archive that the copy names
  providers   what signs us in at a source of prices; secrets are read from standard input, one a line
                set-credentials CODE     API key, API secret, passphrase; the last two may be missing
                clear-credentials CODE   take them away
  keys        what seals the stored secrets
                status                   how many secrets each key seals
                rotate                   seal everything by the newest key; makes one where the keys are in a file
  users       who may do what here; a password is read from standard input, one line
                create EMAIL [ROLE]      make a user, by default an ADMIN, whose address counts as confirmed
                set-role EMAIL ROLE      USER, READONLY or ADMIN
                set-status EMAIL STATUS  ACTIVE or SUSPENDED
  doctor      check this machine, the configuration and the database, and say what to change
                --nodes N        how many nodes share the database
                --json           print JSON
  schema      print the GraphQL schema

options:
  --live      with every command: the database of the live prices
  --help      this text
  --version   the version

Without DATABASE_URL the embedded Postgres in .tradegraph/ is used. The README has a table of all settings.`;

const options = {
  live: { type: "boolean" },
  port: { type: "string" },
  roles: { type: "string" },
  steps: { type: "string" },
  all: { type: "boolean" },
  force: { type: "boolean" },
  sync: { type: "string" },
  json: { type: "boolean" },
  write: { type: "boolean" },
  days: { type: "string" },
  nodes: { type: "string" },
  severity: { type: "string" },
  to: { type: "string" },
  keep: { type: "string" },
  record: { type: "boolean" },
  from: { type: "string" },
  at: { type: "string" },
  wal: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

async function main(): Promise<void> {
  // What is loaded from here on tells in its stack traces where it comes from.
  process.setSourceMapsEnabled(true);
  const { values, positionals } = readArguments();
  if (values.version) return print(programVersion);
  const [command, ...rest] = positionals;
  if (values.help || command === undefined || command === "help") return print(help);
  const takesMore = ["providers", "keys", "users"];
  if (rest.length > 0 && !takesMore.includes(command))
    throw new StartError(`unexpected argument "${rest[0]}"; see --help`);
  if (command === "schema") {
    const { printApi } = await import("./graphql/schema.js");
    return write(printApi());
  }

  const environment = {
    ...process.env,
    ...(values.live ? { MODE: "live" } : {}),
    ...(values.port === undefined ? {} : { PORT: values.port }),
    ...(values.roles === undefined ? {} : { ROLES: values.roles }),
  };
  // A person at a terminal reads the lines below; a log collector wants everything.
  const config = parseConfig(environment, { logLevel: process.stderr.isTTY || command !== "serve" ? "warn" : "info" });
  const log = createLogger(config.logLevel);
  // Each command loads what it needs, so that the database of `serve` starts while the rest is still being loaded.
  switch (command) {
    case "serve":
      return serve(config, log);
    case "migrate":
    case "rollback":
    case "seed":
    case "validate":
    case "rebuild": {
      const { runDatabaseCommand } = await import("./database-commands.js");
      process.exitCode = await runDatabaseCommand(command, values, config, log, print);
      return;
    }
    case "backup": {
      const { runBackup } = await import("./backup-commands.js");
      return runBackup(values, config, log, process.stdin, print);
    }
    case "restore": {
      const { runRestore } = await import("./backup-commands.js");
      return runRestore(values, config, log, print);
    }
    case "providers": {
      const { runProviderCommand } = await import("./provider-commands.js");
      return runProviderCommand(rest, config, log, process.stdin, print);
    }
    case "keys": {
      const { runKeyCommand } = await import("./key-commands.js");
      process.exitCode = await runKeyCommand(rest, config, log, print);
      return;
    }
    case "users": {
      const { runUserCommand } = await import("./user-commands.js");
      return runUserCommand(rest, config, log, process.stdin, print);
    }
    case "doctor": {
      const { runDoctor } = await import("./doctor.js");
      process.exitCode = await runDoctor(config, doctorOptions(values), log, print);
      return;
    }
    default:
      throw new StartError(`there is no command "${command}"; see --help`);
  }
}

function doctorOptions({ json, nodes }: { json?: boolean | undefined; nodes?: string | undefined }) {
  const count = Number(nodes ?? "1");
  if (!Number.isInteger(count) || count < 1) throw new StartError("--nodes must be a whole number from 1");
  return { json: json ?? false, nodes: count };
}

function readArguments() {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new StartError(`${errorMessage(error)}; see --help`);
  }
}

async function serve(config: Config, log: Logger): Promise<void> {
  // What is announced while the program starts is told below, after where it runs; what is announced while it stops is not.
  const early: string[] = [];
  let announce = (line: string): void => void early.push(line);
  const { openDatabase } = await import("./open-database.js");
  const opening = openDatabase(config, log);
  // Where it fails, whoever waits for it says so.
  opening.catch(() => {});
  const { hasSimulatedExchange, startSimulatorThread } = await import("./simulated-exchange.js");
  const simulator = hasSimulatedExchange(config) ? startSimulatorThread(config, log) : undefined;
  simulator?.catch(() => {});
  const { startApp } = await import("./app.js");
  const app = await startApp(config, log, (line) => announce(line), {
    opening,
    ...(simulator === undefined ? {} : { simulator }),
  });
  const stop = stopOnSignal(config, log, {
    close: () => {
      announce = () => {};
      return app.close();
    },
    waitsFor: () => app.closing,
  });
  print(`tradegraph ${programVersion} is running (${config.mode} prices, roles ${[...config.roles].join(", ")})`);
  if (app.url !== null) {
    print(`  GraphiQL       ${app.url}/graphiql`);
    print(`  GraphQL        ${app.url}/graphql   (HTTP and WebSocket; SSE at /graphql/stream)`);
    print(`  health         ${app.url}/healthz, /readyz`);
  }
  print(`  database       ${config.databaseUrl === null ? "embedded Postgres, " : ""}${app.database}`);
  if (app.simulator !== null)
    print(`  simulator      ${app.simulator}   every price is invented; npm start -- --live uses the real exchanges`);
  print("  Ctrl-C stops it.");
  announce = (line) => print(`  ${line}`);
  for (const line of early) announce(line);
  await stop;
}

/** Resolves when the program has stopped. A second signal, or a drain that takes too long, ends it at once. */
function stopOnSignal(
  config: Config,
  log: Logger,
  app: { close(): Promise<void>; waitsFor(): string | null },
): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (signal: NodeJS.Signals) => {
      if (stopping) process.exit(130);
      stopping = true;
      print(`\n${signal}: stopping …`);
      const deadline = setTimeout(() => {
        log.error({ afterMs: config.shutdownTimeoutMs, closing: app.waitsFor() }, "stop.timed-out");
        process.exit(1);
      }, config.shutdownTimeoutMs);
      app
        .close()
        .catch((error: unknown) => {
          log.error({ err: error }, "stop.failed");
          process.exitCode = 1;
        })
        .finally(() => {
          clearTimeout(deadline);
          print("stopped");
          resolve();
        });
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  });
}

const write = (text: string): void => void process.stdout.write(text);
const print = (line: string): void => write(`${line}\n`);

main().catch((error: unknown) => {
  if (error instanceof StartError) process.stderr.write(`tradegraph: ${error.message}\n`);
  else
    process.stderr.write(
      `tradegraph: unexpected error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  process.exitCode = 1;
});
