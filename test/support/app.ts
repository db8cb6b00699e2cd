import { pino } from "pino";
import { type App, type Overrides, startApp } from "../../src/app.js";
import { type Config, parseConfig } from "../../src/config.js";
import type { Logger } from "../../src/core/logger.js";
import type { Clock } from "../../src/core/time.js";
import { createTestDatabase, type TestDatabase } from "./database.js";
import { fewPrices } from "./few-prices.js";

export const operatorToken = "test-operator-token-0123456789";
/** Tests ask for more than any client may. */
export const noRateLimits: Config["rateLimits"] = {
  costPerAddress: 0,
  costPerUser: 0,
  costPerKey: 0,
  mutationsPerAddress: 0,
  mutationsPerUser: 0,
  mutationsPerKey: 0,
  connectionsPerAddress: 0,
  badCredentialsPerAddress: 0,
  signInsPerAddress: 0,
  signInsPerAccount: 0,
};
export const operatorHeaders = { authorization: `Bearer ${operatorToken}` };

export interface TestApp {
  readonly url: string;
  readonly websocketUrl: string;
  readonly app: App;
  readonly database: TestDatabase;
  close(): Promise<void>;
}

export interface TestAppOptions {
  readonly config?: Partial<Omit<Config, "rateLimits">>;
  /** Those that are left out are off. */
  readonly rateLimits?: Partial<Config["rateLimits"]>;
  readonly clock?: Clock;
  readonly overrides?: Overrides;
  readonly log?: Logger;
}

/** The whole program on a free port, with a database of its own and the simulated exchange. */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const database = await createTestDatabase();
  const config: Config = {
    ...parseConfig({ ...fewPrices, PORT: "0", OPERATOR_TOKEN: operatorToken, QUOTE_FLUSH_MS: "20" }),
    ...options.config,
    rateLimits: { ...noRateLimits, ...options.rateLimits },
  };
  const log = options.log ?? pino({ level: process.env.TEST_LOG_LEVEL ?? "silent" });
  const overrides: Overrides = {
    database: database.address,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...options.overrides,
  };
  try {
    const app = await startApp(config, log, () => {}, overrides);
    if (app.url === null) throw new Error("the test app needs the api role");
    return {
      url: app.url,
      websocketUrl: `${app.url.replace("http", "ws")}/graphql`,
      app,
      database,
      close: async () => {
        await app.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

export interface GraphQLAnswer<T> {
  readonly status: number;
  readonly data: T;
  readonly errors?: { message: string; path?: string[]; extensions: { code: string; field?: string; id?: string } }[];
}

/** One operation over HTTP. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is the test's to know
export async function query<T = any>(
  url: string,
  text: string,
  variables: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<GraphQLAnswer<T>> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query: text, variables }),
  });
  return { status: response.status, ...((await response.json()) as Omit<GraphQLAnswer<T>, "status">) };
}
