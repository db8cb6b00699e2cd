import type { Database } from "../db/connect.js";
import type { Leadership, Leaderships } from "../db/leadership.js";

const lookEveryMs = 1_000;

/** Under which leadership a change is made: it is refused when another process has the lease by then. */
export interface VenueTerm {
  readonly name: string;
  readonly term: number;
}

/** Which process of an installation runs a venue: the one that leads it. */
export class VenueLease {
  #leadership: Leadership | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;

  constructor(
    private readonly leaderships: Leaderships,
    /** Of what is held, e.g. "paper". */
    private readonly name: string,
    /** Told every second while it is held, and once when it is lost. */
    private readonly onLook: (isHeld: boolean) => void,
  ) {}

  get isHeld(): boolean {
    return this.#leadership?.isLeading === true;
  }

  /** Null while it is not held. */
  get term(): VenueTerm | null {
    const { name = "", term = null } = this.#leadership ?? {};
    return term === null ? null : { name, term };
  }

  /**
   * Asks the database whether it is held, for who is about to do what must not be done twice: the holder may have lost it, and
   * another have it, since the last look.
   */
  async confirm({ sql }: Database): Promise<boolean> {
    return (
      this.#leadership?.fence(sql).then(
        () => true,
        () => false,
      ) ?? false
    );
  }

  /** Fulfilled after the first look. */
  start(): Promise<void> {
    this.#leadership = this.leaderships.campaign(`venue ${this.name}`, {
      onChange: (isLeading) => this.#changed(isLeading),
    });
    this.#timer = setInterval(() => {
      if (this.isHeld) this.onLook(true);
    }, lookEveryMs);
    return this.leaderships.look();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#leadership?.resign();
  }

  #changed(isHeld: boolean): void {
    if (!isHeld && !this.#isHeld) return;
    this.#isHeld = isHeld;
    this.onLook(isHeld);
  }
}
