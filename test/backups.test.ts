import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { seedReferenceData } from "../src/catalogue/seed.js";
import { systemClock } from "../src/core/time.js";
import { uuidV7 } from "../src/core/uuid.js";
import { backUp, type MadeBackup } from "../src/db/back-up.js";
import { newestBackupAgeMs, recordPgBackRest } from "../src/db/backups.js";
import { connect, type Database } from "../src/db/connect.js";
import { startEmbeddedPostgres } from "../src/db/embedded.js";
import { type EmbeddedDatabase, openEmbeddedDatabase } from "../src/db/embedded-database.js";
import { migrate, readMigrations } from "../src/db/migrations.js";
import { type Restore, restore } from "../src/db/restore.js";
import { archiveSettings, liftLimit } from "../src/db/wal-archive.js";
import { validate } from "../src/jobs/validate.js";
import { createDataFolder, type DataFolder, runToEnd } from "./support/program.js";
import { until } from "./support/until.js";

const log = pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" });
let folder: DataFolder;
let data: string;
let embedded: EmbeddedDatabase;
let database: Database;

const openOwner = ({ address }: EmbeddedDatabase): Database =>
  connect({ address, role: null, poolSize: 2, applicationName: "test" });
const backUpNow = (
  kept = 3,
  into = join(folder.path, "backups"),
  of = { database, dataDirectory: data },
): Promise<MadeBackup> => backUp({ ...of, folder: into, kept, programVersion: "1.2.3", clock: systemClock });
const restoreTo = async (name: string, options: Partial<Restore> & { readonly backup: string }) => {
  const dataDirectory = join(folder.path, name);
  const knownMigrations = (await readMigrations()).length;
  const given = { dataDirectory, at: null, walArchive: null, knownMigrations, log, nowMs: Date.now(), ...options };
  return restore(given).then(() => dataDirectory);
};
const note = (text: string) => database.sql`insert into notes values (${text})`;
/** The database's own clock, which is what its commits are marked with. */
const nowOf = async (): Promise<Date> => {
  const [row] = await database.sql<{ ms: string }[]>`select (extract(epoch from clock_timestamp()) * 1000)::text as ms`;
  // Up to the next millisecond, so that what was committed before is in.
  return new Date(Math.ceil(Number(row?.ms)));
};
const pastMillisecond = (at: Date) =>
  expect.poll(async () => (await nowOf()).getTime()).toBeGreaterThan(at.getTime() + 1);

async function inspect<T>(dataDirectory: string, look: (database: Database) => Promise<T>): Promise<T> {
  const opened = await openEmbeddedDatabase(dataDirectory, "simulated", log);
  const owner = openOwner(opened);
  try {
    return await look(owner);
  } finally {
    await owner.close();
    await opened.close();
  }
}
const notesOf = async ({ sql }: Database): Promise<string[]> =>
  (await sql<{ text: string }[]>`select text from notes order by text`).map(({ text }) => text);

beforeAll(async () => {
  folder = await createDataFolder();
  data = join(folder.path, "data");
  embedded = await openEmbeddedDatabase(data, "simulated", log);
  database = openOwner(embedded);
  await migrate(database.sql, log);
  await seedReferenceData(database, "simulated");
  await database.sql`create table notes (text text primary key)`;
  await database.sql`select let_monitor_read('notes')`;
});
afterAll(async () => {
  await database.close();
  await embedded.close();
  await folder.remove();
});

describe("backups of the embedded Postgres", () => {
  let backup: MadeBackup;
  let between: Date;

  test("a backup of a running database can be restored to any later time, with exactly the rows of that time", async () => {
    await note("1 before");
    backup = await backUpNow();
    await note("2 after");
    between = await nowOf();
    await pastMillisecond(between);
    await note("3 later");
    // Brings what was written into the archive, as a minute would.
    await database.sql`select pg_switch_wal()`;
    await expect
      .poll(async () => {
        const [row] = await database.sql<{ done: boolean }[]>`
          select last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 16777216) as done from pg_stat_archiver`;
        return row?.done;
      })
      .toBe(true);

    const restored = await restoreTo("restored", { backup: backup.location, at: between });
    await inspect(restored, async (copy) => {
      expect(await notesOf(copy)).toEqual(["1 before", "2 after"]);
      expect((await validate(copy)).filter(({ passed }) => !passed)).toEqual([]);
      const rows = await copy.sql`select id::text as id, status::text as status from backups`;
      expect([...rows]).toEqual([{ id: backup.id, status: "SUCCEEDED" }]);
      // It goes on from there.
      await copy.sql`insert into notes values ('4 in the copy')`;
    });
    const whole = await restoreTo("whole", { backup: backup.location });
    expect(await inspect(whole, notesOf)).toEqual(["1 before", "2 after", "3 later"]);
  });

  test("a copy on its own holds what was there when it ended, also where the archive is lost", async () => {
    const moved = join(folder.path, "moved");
    cpSync(backup.location, moved, { recursive: true });
    const manifest = JSON.parse(readFileSync(join(moved, "backup.json"), "utf8"));
    writeFileSync(join(moved, "backup.json"), JSON.stringify({ ...manifest, walArchive: join(folder.path, "none") }));
    const alone = await restoreTo("alone", { backup: moved });
    expect(await inspect(alone, notesOf)).toContain("1 before");
  });

  test("a full archive takes the WAL of each backup, and no more when that is done", async () => {
    const dataDirectory = join(folder.path, "alone");
    const settings = archiveSettings(join(dataDirectory, "postgres"), 0);
    const server = await startEmbeddedPostgres({ dataDirectory, log, settings });
    const copy = connect({
      address: { ...server, database: "tradegraph_simulated" },
      role: null,
      poolSize: 2,
      applicationName: "test",
    });
    try {
      const into = join(folder.path, "of the full");
      await backUpNow(1, into, { database: copy, dataDirectory });
      const second = await backUpNow(1, into, { database: copy, dataDirectory });
      expect(second.dropped).toHaveLength(1);
      const held = () => readdirSync(second.walArchive).toSorted();
      const wanted = held();
      expect(wanted.map((file) => file.slice(0, 24))).toContain(second.firstSegment);
      expect(wanted.filter((file) => file < second.firstSegment)).toEqual([]);
      const [later] = await copy.sql<{ segment: string }[]>`select pg_walfile_name(pg_switch_wal()) as segment`;
      const lastArchived = async () => {
        const [row] = await copy.sql<{ segment: string }[]>`select last_archived_wal as segment from pg_stat_archiver`;
        return row?.segment;
      };
      await until(async () => (await lastArchived()) === later?.segment);
      expect(held()).toEqual(wanted);
    } finally {
      await copy.close();
      await server.close();
    }
  });

  test("the same backup is restored again into the same folder, and the new life's own backup is of that life", async () => {
    const dataDirectory = join(folder.path, "again");
    const live = async (text: string) => {
      await restoreTo("again", { backup: backup.location });
      const made = await inspect(dataDirectory, async (copy) => {
        const done = await backUpNow(3, join(folder.path, "of the copies"), { database: copy, dataDirectory });
        await copy.sql`insert into notes values (${text})`;
        return done;
      });
      renameSync(join(dataDirectory, "postgres"), join(dataDirectory, text));
      return made;
    };
    await live("5 in the first life");
    const second = await live("5 in the second life");
    const notes = await inspect(await restoreTo("from the second life", { backup: second.location }), notesOf);
    expect(notes).toEqual(["1 before", "2 after", "3 later", "5 in the second life"]);
  });

  test("what cannot be restored is refused with the reason, and leaves nothing behind", async () => {
    const { location } = backup;
    const refused = async (name: string, options: Partial<Restore>, reason: RegExp) => {
      await expect(restoreTo(name, { backup: location, ...options })).rejects.toThrow(reason);
    };
    await refused("data", {}, /is running on/);
    await refused("restored", {}, /has a database already/);
    await refused("a", { backup: folder.path }, /is no whole backup/);
    await refused("a", { knownMigrations: 3 }, /of tradegraph 1\.2\.3, which is newer/);
    await refused("a", { at: new Date(Date.parse(backup.restorableFrom) - 1) }, /can be restored to .* or later/);
    await refused("a", { at: new Date(Date.now() + 60_000) }, /in the future/);
    await refused("a", { walArchive: join(folder.path, "none") }, /there is no folder/);
    await refused("a", { at: new Date(), nowMs: Date.now() + 1 }, /the kept WAL ends before/);
    const torn = join(folder.path, "torn");
    cpSync(location, torn, { recursive: true });
    rmSync(join(torn, "cluster", "global", "pg_control"));
    await refused("a", { backup: torn }, /is not whole/);
    expect(readdirSync(join(folder.path, "a")).filter((name) => /^(postgres|restore)/.test(name))).toEqual([]);
  });

  test("a backup that fails says so in its row and leaves no folder; the age is that of the newest good one", async () => {
    const ageMs = await newestBackupAgeMs(database.sql, Date.now());
    expect(ageMs).toBeGreaterThan(0);
    const file = join(folder.path, "file");
    mkdirSync(file);
    writeFileSync(join(file, "backups"), "");
    await expect(backUpNow(3, join(file, "backups"))).rejects.toThrow(/EEXIST|ENOTDIR/);
    const rows = await database.sql<
      { status: string; error: string | null }[]
    >`select status::text as status, error from backups order by started_at`;
    expect(rows.map(({ status }) => status)).toEqual(["SUCCEEDED", "FAILED"]);
    expect(rows[1]?.error).toMatch(/EEXIST|ENOTDIR/);
    expect(await newestBackupAgeMs(database.sql, Date.now())).toBeGreaterThanOrEqual(ageMs ?? 0);
  });

  test("one that was killed is told as failed by the next, and two at once are refused", async () => {
    await database.sql`insert into backups (id, kind, status, location, started_at, program_version)
      values (${uuidV7(Date.now())}, 'FULL', 'RUNNING', 'nowhere', now(), '1.2.3')`;
    const both = await Promise.allSettled([backUpNow(), backUpNow()]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(String(both.find((one) => one.status === "rejected")?.reason)).toContain("another backup is being made");
    const [row] = await database.sql`select status::text as status, error from backups where location = 'nowhere'`;
    expect(row).toEqual({ status: "FAILED", error: "the program ended before the backup was finished" });
  });

  test("older backups go, and with them the WAL that only they needed", async () => {
    await note("5 for the last one");
    const made = await backUpNow(1);
    expect(made.dropped).toHaveLength(2);
    expect(readdirSync(join(folder.path, "backups"))).toEqual([made.location.split("/").at(-1)]);
    const kept = readdirSync(made.walArchive).filter((name) => /^[0-9A-F]{24}\.gz$/.test(name));
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.filter((name) => name.slice(0, 24) < made.firstSegment)).toEqual([]);
    expect(await inspect(await restoreTo("last", { backup: made.location }), notesOf)).toContain("5 for the last one");
  });

  test("a night without the disk of the backups takes no WAL from those that are on it", async () => {
    const disk = join(folder.path, "backups");
    const known = await backUpNow(1);
    renameSync(disk, `${disk} elsewhere`);
    const made = await backUpNow(2);
    expect(made.firstSegment > known.lastSegment).toBe(true);
    const kept = readdirSync(made.walArchive).filter((name) => /^[0-9A-F]{24}\.gz$/.test(name));
    expect(kept).toContain(`${known.firstSegment}.gz`);
    rmSync(disk, { recursive: true });
    renameSync(`${disk} elsewhere`, disk);
  });
});

describe("the command that archives a segment", () => {
  const segment = "000000010000000000000007";
  let place: string;
  /** Throws when the server would be told that the segment is not archived. */
  const archive = (content: string, maxKilobytes = 1_000) => {
    writeFileSync(join(place, "segment"), content);
    const command = archiveSettings(join(place, "postgres"), maxKilobytes).archive_command ?? "";
    const asked = command.replaceAll("%p", join(place, "segment")).replaceAll("%f", segment);
    execFileSync("/bin/sh", ["-c", asked], { stdio: "pipe" });
  };
  const archived = () => gunzipSync(readFileSync(join(place, "wal-archive", `${segment}.gz`))).toString();
  beforeEach(() => {
    place = mkdtempSync(join(folder.path, "archive-"));
    mkdirSync(join(place, "wal-archive"));
  });

  test("takes the same segment twice, but no other one of the same name", () => {
    archive("of this life");
    archive("of this life");
    expect(() => archive("of another life")).toThrow(`\nthe WAL archive has another ${segment}`);
    expect(archived()).toBe("of this life");
  });

  test("takes no more where the archive is full, also where a backup has died", () => {
    const restoreLimit = liftLimit(join(place, "wal-archive"));
    const [underWay = ""] = readdirSync(join(place, "wal-archive"));
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(join(place, "wal-archive", underWay), hourAgo, hourAgo);
    archive("of no backup", 0);
    expect(readdirSync(join(place, "wal-archive"))).toEqual([underWay]);
    restoreLimit();
    archive("of no backup", 0);
    expect(readdirSync(join(place, "wal-archive"))).toEqual([]);
  });

  test("writes a file anew that a crash has torn", () => {
    writeFileSync(join(place, "wal-archive", `${segment}.gz`), "");
    archive("whole");
    expect(archived()).toBe("whole");
  });
});

test("in production WAL goes to pgBackRest once that has an archive, and until then none is kept", () => {
  const place = mkdtempSync(join(folder.path, "pgbackrest-"));
  writeFileSync(join(place, "pgbackrest"), '#!/bin/sh\necho "$@"\nexit 9\n', { mode: 0o755 });
  const compose = readFileSync(new URL("../docker-compose.yml", import.meta.url), "utf8");
  const command = /^ +- -carchive_command=(.+)$/m.exec(compose)?.[1] ?? "";
  const asked = command.replaceAll("/var/lib/pgbackrest", place).replaceAll("%p", "pg_wal/segment");
  const archive = () =>
    spawnSync("/bin/sh", ["-c", asked], { env: { PATH: `${place}:${process.env.PATH}` }, encoding: "utf8" });
  expect(archive()).toMatchObject({ status: 0, stdout: "" });
  mkdirSync(join(place, "archive", "tradegraph"), { recursive: true });
  writeFileSync(join(place, "archive", "tradegraph", "archive.info"), "");
  expect(archive()).toMatchObject({ status: 9, stdout: "--stanza=tradegraph archive-push pg_wal/segment\n" });
});

test("what pgBackRest says is taken over, and what it has expired goes", async () => {
  const options = { newId: () => uuidV7(Date.now()), programVersion: "1.2.3" };
  const one = (label: string, type: string) => ({
    label,
    type,
    error: false,
    timestamp: { start: 1_790_000_000, stop: 1_790_000_060 },
    info: { size: 41_000_000, delta: 41_000_000, repository: { size: 5_000_000, delta: 5_000_000_000 } },
  });
  const info = (...backup: unknown[]) => JSON.stringify([{ name: "tradegraph", status: { code: 0 }, backup }]);
  const full = one("20260921-131320F", "full");
  const differential = one("20260921-131320F_20260922-131320D", "diff");
  expect(await recordPgBackRest(database.sql, info(full, differential), options)).toBe(2);
  expect(await recordPgBackRest(database.sql, info(differential), options)).toBe(1);
  const rows = await database.sql`
    select location, kind::text as kind, size_bytes::text as size from backups where starts_with(location, 'pgbackrest:')`;
  expect([...rows]).toEqual([
    { location: "pgbackrest:tradegraph/20260921-131320F_20260922-131320D", kind: "DIFFERENTIAL", size: "5000000000" },
  ]);
  await expect(recordPgBackRest(database.sql, "{}", options)).rejects.toThrow(/is not what/);
});

test("the commands say what is wrong, and what was done", async () => {
  const env = { TRADEGRAPH_DATA_DIR: data };
  const done = await runToEnd(["backup", "--keep", "2", "--to", join(folder.path, "by command")], env);
  expect(done.output).toMatch(/backed up .* MiB into .*by command\/\w+\n/);
  const made = /into (.*)\n/.exec(done.output)?.[1] ?? "";
  const target = join(folder.path, "restored by command");
  expect((await runToEnd(["restore", "--from", made, "--to", target], env)).output).toContain("restored the backup of");
  expect(await inspect(target, notesOf)).toContain("3 later");
  for (const [args, reason] of [
    [["restore"], "--from DIR must say which backup"],
    [["restore", "--from", made], "stop it, and move its data away"],
    [["restore", "--from", made, "--to", target, "--at", "yesterday"], "--at must be an instant with its zone"],
    [["backup", "--keep", "0"], "--keep must be a whole number from 1"],
  ] as const) {
    const { status, errors } = await runToEnd([...args], env);
    expect(errors).toContain(reason);
    expect(status).toBe(1);
  }
  const elsewhere = await runToEnd(["backup"], { ...env, DATABASE_URL: "postgres://localhost/x" });
  expect(elsewhere.errors).toContain("pgBackRest");
});
