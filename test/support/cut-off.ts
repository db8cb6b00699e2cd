import { once } from "node:events";
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from "node:net";
import type { DatabaseAddress } from "../../src/db/connect.js";

/** A way to a database that can be cut and mended. */
export interface CutOff<Address extends DatabaseAddress = DatabaseAddress> {
  readonly address: Address;
  /** Breaks what is connected and refuses whoever comes. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** From now on nothing comes through, and nobody is told: whoever is connected, and whoever connects, waits. */
  silence(): void;
  /** Whoever connects from now on comes through; whoever has been connected waits for ever, as after a server was replaced. */
  endSilence(): void;
  /** How often something has come for the database: one for each time that somebody sends. */
  sentChunks(): number;
  close(): Promise<void>;
}

export async function startCutOff<Address extends DatabaseAddress>(address: Address): Promise<CutOff<Address>> {
  const sockets = new Set<Socket>();
  let chunks = 0;
  let isSilent = false;
  const server = createServer((near) => {
    if (isSilent) {
      sockets.add(near);
      near.on("error", () => {}).on("close", () => sockets.delete(near));
      return;
    }
    near.on("data", () => chunks++);
    const far = connect(targetOf(address));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const cut = async () => {
    if (!server.listening) return;
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  };
  const silence = () => {
    isSilent = true;
    for (const socket of sockets) socket.unpipe().pause();
  };
  return {
    address: through(address, port) as Address,
    cut,
    mend: () => listen(port),
    silence,
    endSilence: () => {
      isSilent = false;
    },
    sentChunks: () => chunks,
    close: cut,
  };
}

function targetOf(address: DatabaseAddress): NetConnectOpts {
  if (!("url" in address)) return { path: `${address.host}/.s.PGSQL.${address.port}` };
  const url = new URL(address.url);
  return { host: url.hostname, port: Number(url.port || "5432") };
}

function through(address: DatabaseAddress, port: number): DatabaseAddress {
  if (!("url" in address)) return { ...address, host: "127.0.0.1", port };
  const url = new URL(address.url);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  return { url: url.href };
}
