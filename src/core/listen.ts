import { createServer } from "node:net";
import { StartError } from "./errors.js";

interface Place {
  readonly host: string;
  readonly port: number;
}

/** @throws what `explainListenError` makes of it when nobody can listen there now */
export async function requireFreePort({ host, port }: Place): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (error) {
    throw explainListenError(error, { host, port });
  } finally {
    await new Promise<void>((resolve) => probe.close(() => resolve()));
  }
}

/** What to do about it, for the reasons that there usually are; any other error as it is. */
export function explainListenError(error: unknown, { host, port }: Place): unknown {
  const code = (error as { code?: string }).code;
  if (code === "EADDRINUSE")
    return new StartError(
      `port ${port} is in use. Stop the program that uses it, or choose another: PORT=${port + 1} npm start`,
    );
  if (code === "EACCES")
    return new StartError(`port ${port} may not be opened by this user; choose one above 1023 with PORT`);
  if (code === "EADDRNOTAVAIL") return new StartError(`this machine has no address ${host}; check HOST`);
  return error;
}
