import { connect, createServer, type Socket } from "node:net";

/** A way to a server on loopback that can be cut in the middle, so that neither side can say goodbye. */
export interface Passage {
  readonly port: number;
  /** Destroys every connection, and lets none through any more. */
  cut(): void;
  close(): Promise<void>;
}

export async function openPassage(toPort: number): Promise<Passage> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server = createServer((near) => {
    const far = connect(toPort, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
    if (!isOpen) near.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    isOpen = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    cut,
    close: () => {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
