import type { Config } from "./config.js";
import { type Finding, fail, ok, warn } from "./doctor-finding.js";

/** What the settings say together, and what they leave out. */
export function checkConfig(config: Config): Finding[] {
  const { roles, mode, databaseUrl, migrationDatabaseUrl, natsUrl } = config;
  const hints: Finding[] = [];
  const hint = (detail: string, change: string) => hints.push(warn("settings", detail, change));
  if (!roles.has("feed") && natsUrl === null)
    hints.push(fail("settings", "this node has no feed and no NATS_URL", "set NATS_URL, or its prices stay as stored"));
  if (databaseUrl !== null && config.encryptionKeys === null)
    hint(
      "there is no ENCRYPTION_KEYS",
      "set it to main:$(openssl rand -base64 32); until then no credentials can be stored",
    );
  if (databaseUrl !== null && config.smtpUrl === null)
    hint("there is no SMTP_URL", "set it: nobody can confirm an address or reset a password");
  if (databaseUrl !== null && databaseUrl === migrationDatabaseUrl && !config.autoMigrate)
    hint(
      "the running program signs in as the owner of the tables",
      "give it a login of its own that may only act as DATABASE_ROLE, and the owner's to MIGRATION_DATABASE_URL",
    );
  if (mode === "live" && databaseUrl === null)
    hint(
      "live prices are stored in the embedded database",
      "set DATABASE_URL: the embedded one is made for development",
    );
  if (config.corsOrigins.allowsAll)
    hint("CORS_ORIGINS is *", "name the sites: any page may use the API from its visitors' browsers");
  if (!isLoopback(config.host) && config.metricsToken === null)
    hint("/metrics answers only this machine", "set METRICS_TOKEN, and give it to Prometheus");
  if (!isLoopback(config.host) && databaseUrl !== null && config.introspection)
    hint("INTROSPECTION is on", "set it to false where clients are known, or NODE_ENV to production");
  for (const [name, value] of [
    ["OPERATOR_TOKEN", config.operatorToken],
    ["METRICS_TOKEN", config.metricsToken],
  ] as const)
    if (value !== null && new Set(value).size < 10)
      hints.push(fail("settings", `${name} can be guessed`, "make one with openssl rand -hex 32"));
  return hints.length === 0 ? [ok("settings", `${mode} prices, roles ${[...roles].join(", ")}`)] : hints;
}

const isLoopback = (host: string): boolean => /^(127\.|localhost$|::1$)/.test(host);
