import { pino } from "pino";
import { startApp } from "../../src/app.js";
import { parseConfig } from "../../src/config.js";
import type { StartPeer } from "./peer.js";

/** This program, with its usual settings; clients that stop reading are not closed, which would be the easy way out. */
export const start: StartPeer = async ({ address, exchange, trades = false }) => {
  const roles = ["api", ...(exchange === null ? [] : ["feed"]), ...(trades ? ["worker"] : [])].join();
  const config = parseConfig({
    PORT: "0",
    ROLES: roles,
    KEEPALIVE_MS: "600000",
    // One address asks for everything: it is counted as ever, and never too much.
    RATE_LIMIT_COST_PER_ADDRESS: "1000000000",
    RATE_LIMIT_COST_PER_USER: "1000000000",
    RATE_LIMIT_CONNECTIONS_PER_ADDRESS: "1000000000",
    RATE_LIMIT_MUTATIONS_PER_ADDRESS: "1000000000",
    RATE_LIMIT_MUTATIONS_PER_USER: "1000000000",
    RATE_LIMIT_SIGN_INS_PER_ADDRESS: "1000",
  });
  const overrides = { database: address, ...(exchange === null ? {} : { exchange }) };
  const app = await startApp(config, pino({ level: "fatal" }), () => {}, overrides);
  const provider =
    app.catalogue.providers.find(({ code }) => code === "BINANCE_SPOT_SIMULATED") ?? app.catalogue.providers[0];
  return {
    url: `${app.url}/graphql`,
    apply: (change) => app.quotes.apply(change, provider?.id ?? 0),
  };
};
