import { answer } from "../helper.js";
import type { Peer, PeerInput, StartPeer } from "../peers/peer.js";
import { atRate, changeOf } from "./traffic.js";

/** The process of one server, which is measured alone: `server.js <name of a file in peers/>`. */
const [name] = process.argv.slice(2);
const { start } = (await import(`../peers/${name}.js`)) as { start: StartPeer };
let peer: Peer | undefined;
let stopTraffic = () => {};
let cpu = process.cpuUsage();
let changes = 0;
/** Goes on from one measurement to the next: a change with an earlier number is one that every honest server leaves out. */
let changeNumber = 0;

export interface ServerUsage {
  readonly cpuMs: number;
  /** Quote changes that were made. */
  readonly changes: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

answer({
  async start(input: PeerInput): Promise<string> {
    peer = await start(input);
    return peer.url;
  },
  traffic({ perSecond, symbolIds }: { perSecond: number; symbolIds: number[] }) {
    stopTraffic();
    if (perSecond === 0) return;
    stopTraffic = atRate(perSecond, () => {
      const n = changeNumber++;
      changes++;
      peer?.apply(changeOf(symbolIds[n % symbolIds.length] ?? 0, n));
    });
  },
  /** From now on. */
  measure() {
    cpu = process.cpuUsage();
    changes = 0;
  },
  usage(): ServerUsage {
    const { user, system } = process.cpuUsage(cpu);
    const { rss, heapUsed } = process.memoryUsage();
    return { cpuMs: (user + system) / 1000, changes, rssBytes: rss, heapBytes: heapUsed };
  },
});
