import { ProviderCredentials, storeCredentials } from "./catalogue/provider-credentials.js";
import type { Config } from "./config.js";
import { commandLine } from "./core/actor.js";
import { DomainError, StartError } from "./core/errors.js";
import type { Logger } from "./core/logger.js";
import { systemClock } from "./core/time.js";
import { withOwner } from "./database-commands.js";
import type { Db } from "./db/connect.js";
import { openKeyRing } from "./encryption-keys.js";
import { recordOperation } from "./people/audit.js";
import { readSecretLines } from "./standard-input.js";

const usage = "usage: tradegraph providers set-credentials|clear-credentials CODE";
const questions = ["API key", "API secret (empty: none)", "passphrase (empty: none)"] as const;
const maxSecretLength = 4_096;

/** Sets or takes away what signs us in at a provider. Secrets come from standard input, one a line: arguments show in `ps`. */
export async function runProviderCommand(
  args: readonly string[],
  config: Config,
  log: Logger,
  input: NodeJS.ReadStream,
  print: (line: string) => void,
): Promise<void> {
  const [action, code, ...rest] = args;
  if ((action !== "set-credentials" && action !== "clear-credentials") || code === undefined || rest.length > 0)
    throw new StartError(usage);
  const isSet = action === "set-credentials";
  const credentials = isSet ? credentialsIn(await readSecretLines(input, questions)) : null;
  await withOwner(config, log, async (database) => {
    const keyRing = await openKeyRing(config, { create: isSet });
    if (isSet && keyRing === null) {
      throw new StartError(
        "credentials are stored sealed, and there is no key: set ENCRYPTION_KEYS, for example to main:$(openssl rand -base64 32), here and for the running program",
      );
    }
    const action = isSet ? "provider.set-credentials" : "provider.clear-credentials";
    const record = (tx: Pick<Db, "insert">) =>
      recordOperation(tx, systemClock, { action, actor: commandLine, target: code });
    await storeCredentials(database, keyRing, code, credentials, record).catch((error: unknown) => {
      throw error instanceof DomainError ? new StartError(error.message) : error;
    });
  });
  print(isSet ? `${code} has credentials now` : `${code} has no credentials now`);
}

/** @throws {StartError} that never holds what was read */
function credentialsIn(lines: readonly string[]): ProviderCredentials {
  const [apiKey = "", apiSecret = "", passphrase = "", ...more] = lines.map((line) => line.trim());
  if (apiKey === "") throw new StartError("the first line of standard input must be the API key");
  if (more.some((line) => line !== "")) throw new StartError("standard input has more than three lines");
  for (const [n, secret] of [apiKey, apiSecret, passphrase].entries()) {
    if (secret.length > maxSecretLength || /[^\x20-\x7e]/.test(secret))
      throw new StartError(
        `line ${n + 1} of standard input is not plain text of at most ${maxSecretLength} characters`,
      );
  }
  if (passphrase !== "" && apiSecret === "") throw new StartError("a passphrase needs an API secret");
  return new ProviderCredentials(apiKey, apiSecret === "" ? null : apiSecret, passphrase === "" ? null : passphrase);
}
