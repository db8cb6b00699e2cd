// One process of an installation, whose database and simulated exchange outlive it. It prints its address when it is up.
import { pino } from "pino";
import { startApp } from "../../dist/app.js";
import { parseConfig } from "../../dist/config.js";

const { environment, rateLimits, overrides } = JSON.parse(process.env.VENUE_NODE ?? "{}");
const config = { ...parseConfig(environment), rateLimits };
const app = await startApp(config, pino({ level: "silent" }), () => {}, overrides);
console.log(`ready ${app.url}`);
