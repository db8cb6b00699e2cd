import type { Config } from "./config.js";
import { DomainError, StartError } from "./core/errors.js";
import type { Logger } from "./core/logger.js";
import { systemClock } from "./core/time.js";
import type { UserRole } from "./core/viewer.js";
import { withOwner } from "./database-commands.js";
import { createUser, setUserRole, setUserStatus } from "./people/administer.js";
import { Passwords } from "./people/passwords.js";
import { readSecretLines } from "./standard-input.js";

const usage = "usage: tradegraph users create EMAIL [ROLE] | set-role EMAIL ROLE | set-status EMAIL ACTIVE|SUSPENDED";
const roles: readonly UserRole[] = ["USER", "READONLY", "ADMIN"];
const statuses = ["ACTIVE", "SUSPENDED"] as const;

/** Makes and changes users as the owner of the tables, which is how the first operator comes in. */
export async function runUserCommand(
  args: readonly string[],
  config: Config,
  log: Logger,
  input: NodeJS.ReadStream,
  print: (line: string) => void,
): Promise<void> {
  const [action, email, value, ...rest] = args;
  if (email === undefined || rest.length > 0) throw new StartError(usage);
  const role = roles.find((known) => known === (value ?? "ADMIN").toUpperCase());
  const status = statuses.find((known) => known === value?.toUpperCase());
  if (action === "create" && role !== undefined) {
    const password = passwordIn(await readSecretLines(input, ["password"]));
    await asOwner(config, log, (database) =>
      createUser({ database, clock: systemClock, passwords: new Passwords() }, { email, password, role }),
    );
    print(`${email} may sign in now, as ${role}`);
  } else if (action === "set-role" && value !== undefined && role !== undefined) {
    await asOwner(config, log, (database) => setUserRole(database, systemClock, email, role));
    print(`${email} is ${role} now`);
  } else if (action === "set-status" && status !== undefined) {
    await asOwner(config, log, (database) => setUserStatus(database, systemClock, email, status));
    print(`${email} is ${status} now`);
  } else throw new StartError(usage);
}

const asOwner: typeof withOwner<void> = (config, log, work) =>
  withOwner(config, log, work).catch((error: unknown) => {
    throw error instanceof DomainError ? new StartError(error.message) : error;
  });

/** @throws {StartError} that never holds what was read */
function passwordIn([password = "", ...more]: readonly string[]): string {
  if (password === "") throw new StartError("the first line of standard input must be the password");
  if (more.some((line) => line.trim() !== "")) throw new StartError("standard input has more than one line");
  return password.replace(/\r$/, "");
}
