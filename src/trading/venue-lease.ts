import type postgres from "postgres";
import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "../db/connect.js";

const tryEveryMs = 1_000;

/**
 * Which process of an installation runs a venue: the one whose connection holds the lock. The lock ends with the
 * connection, so a successor has it soon after its holder has died.
 */
export class VenueLease {
  #connection: postgres.ReservedSql | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isHeld = false;
  /** The server's process of the connection that has the lock: another one has not. */
  #backend = 0;
  #closed = false;

  constructor(
    private readonly database: Database,
    private readonly log: Logger,
    /** Of what is held, e.g. "paper". */
    private readonly name: string,
    /** Told with every look while it is held, and once when it is lost. */
    private readonly onLook: (isHeld: boolean) => void,
  ) {}

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /**
   * Asks the database whether it is held, for who is about to do what must not be done twice: the holder may have lost it, and
   * another have it, since the last look.
   */
  async confirm(): Promise<boolean> {
    const connection = this.#connection;
    if (!this.#isHeld || connection === undefined || this.#closed) return false;
    try {
      return await this.#isOurs(connection);
    } catch {
      return false;
    }
  }

  /** Fulfilled after the first look. */
  start(): Promise<void> {
    this.#timer = setInterval(() => void this.#look(), tryEveryMs);
    return this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#looking;
    if (this.#connection === undefined) return;
    await this.#connection`select pg_advisory_unlock_all()`.catch(() => {});
    this.#connection.release();
    this.#isHeld = false;
  }

  #look(): Promise<void> {
    this.#looking ??= this.#try().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #try(): Promise<void> {
    if (this.#closed) return;
    const wasHeld = this.#isHeld;
    try {
      this.#connection ??= await this.database.sql.reserve();
      if (wasHeld) {
        if (!(await this.#isOurs(this.#connection))) throw new Error("the connection is another one");
      } else {
        const [row] = await this.#connection<{ held: boolean; backend: number }[]>`
          select pg_try_advisory_lock(hashtext(${`tradegraph.${this.name}`})) as held, pg_backend_pid() as backend`;
        this.#isHeld = row?.held === true;
        this.#backend = row?.backend ?? 0;
        // Who waits for the lock keeps no connection from others.
        if (!this.#isHeld) {
          this.#connection.release();
          this.#connection = undefined;
        }
      }
    } catch (error) {
      if (wasHeld) this.log.warn({ venue: this.name, error: errorMessage(error) }, "venue.lease-lost");
      this.#isHeld = false;
      this.#connection?.release();
      this.#connection = undefined;
    }
    if (this.#isHeld || wasHeld) this.onLook(this.#isHeld);
  }

  async #isOurs(connection: postgres.ReservedSql): Promise<boolean> {
    const [row] = await connection<{ backend: number }[]>`select pg_backend_pid() as backend`;
    return row?.backend === this.#backend;
  }
}
