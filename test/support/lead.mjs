// A process that stands for a leadership and, while it leads, writes under its term: `node lead.mjs <address as JSON> <name>`.
import { pino } from "pino";
import { uuidV7 } from "../../dist/core/uuid.js";
import { connect } from "../../dist/db/connect.js";
import { Leaderships } from "../../dist/db/leadership.js";

const [address, name, holdAt] = [JSON.parse(process.argv[2]), process.argv[3], process.argv[4]];
const open = () => connect({ address, role: "tradegraph_app", poolSize: 1, applicationName: "tradegraph leases" });
const tell = (event, more = {}) => process.stdout.write(`${JSON.stringify({ event, atMs: Date.now(), ...more })}\n`);
const leaderships = new Leaderships({ open, nodeId: uuidV7(Date.now()), log: pino({ level: "silent" }) });
const leadership = leaderships.campaign(name, {
  onChange: (isLeading) => {
    tell(isLeading ? "leads" : "ended", { term: leadership.term });
    if (isLeading) void work();
  },
});
const database = connect({ address, role: null, poolSize: 2, applicationName: "writer" });
let isHeld = false;

async function work() {
  while (leadership.isLeading) {
    try {
      await database.sql.begin(async (sql) => {
        const { term } = leadership;
        await leadership.fence(sql);
        // The test stops the process here, between the fence and the write.
        if (holdAt === "inside" && !isHeld) {
          isHeld = true;
          tell("inside", { term });
          await new Promise((resolve) => process.once("SIGUSR2", resolve));
        }
        await sql`insert into written (term, pid) values (${term}, ${process.pid})`;
      });
    } catch (error) {
      tell("refused", { code: error.code ?? error.name });
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  tell("stopped");
}

process.once("SIGTERM", async () => {
  await leaderships.close();
  await database.close();
});
tell("up");
