import { Histogram, latencyBoundsMs } from "../core/histogram.js";
import type { Tracer } from "../core/tracer.js";
import type { Sql } from "./connect.js";

/** What the pool has done since start. */
export class DatabaseStats {
  statements = 0;
  failures = 0;
  /** Statements and transactions that hold a connection or wait for one. */
  underWay = 0;
  /** From the call to the answer, with the wait for a connection. */
  readonly latency = new Histogram(latencyBoundsMs);
}

type AnyFunction = (...args: unknown[]) => unknown;

/** A statement of the driver: it is sent when somebody waits for it, by `handle`. Part of another one it is never sent. */
interface Statement extends Promise<unknown> {
  handle(): Promise<void>;
  readonly strings: readonly string[];
}

const maxTextLength = 2_000;
/** The text as it is prepared: values are numbered, and never in it. */
const textOf = ({ strings }: Statement): string =>
  strings
    .map((part, index) => (index === 0 ? part : `$${index}${part}`))
    .join("")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, maxTextLength);

/**
 * The same pool, whose statements are counted and traced. The driver tells neither, so this looks at what it returns.
 * @param listener who listens in place of the pool
 */
export function observed(sql: Sql, stats: DatabaseStats, tracer: Tracer, listener: Sql | null = null): Sql {
  return wrap(sql as unknown as AnyFunction, true) as unknown as Sql;

  /** @param takesConnection whether each statement takes one of its own from the pool, and not the transaction's */
  function wrap(target: AnyFunction, takesConnection: boolean): AnyFunction {
    const watch = (made: unknown): unknown =>
      made instanceof Promise && "handle" in made ? watched(made as Statement, takesConnection) : made;
    const unsafe: AnyFunction = (...args) => watch((target as unknown as Sql).unsafe(...(args as [string])));
    const begin: AnyFunction = async (...args) => {
      const work = args.pop() as AnyFunction;
      stats.underWay++;
      try {
        const scope = (transaction: unknown) => work(wrap(transaction as AnyFunction, false));
        return await ((target as unknown as Sql).begin as unknown as AnyFunction)(...args, scope);
      } finally {
        stats.underWay--;
      }
    };
    const reserve: AnyFunction = async () => {
      stats.underWay++;
      try {
        const reserved = await (target as unknown as Sql).reserve();
        const release = reserved.release.bind(reserved);
        let isHeld = true;
        reserved.release = () => {
          if (isHeld) stats.underWay--;
          isHeld = false;
          release();
        };
        return wrap(reserved as unknown as AnyFunction, false);
      } catch (error) {
        stats.underWay--;
        throw error;
      }
    };
    return new Proxy(target, {
      apply: (_target, self, args) => watch(Reflect.apply(target, self, args)),
      get(_target, name) {
        if (name === "unsafe") return unsafe;
        if (name === "listen" && listener !== null)
          return (...args: Parameters<Sql["listen"]>) => listener.listen(...args);
        if (name === "reserve" && takesConnection) return reserve;
        return name === "begin" && takesConnection ? begin : (target as unknown as Record<PropertyKey, unknown>)[name];
      },
    });
  }

  function watched(statement: Statement, takesConnection: boolean): Statement {
    const handle = statement.handle.bind(statement);
    let isSent = false;
    statement.handle = () => {
      if (!isSent) {
        isSent = true;
        begin(statement, takesConnection);
      }
      return handle();
    };
    return statement;
  }

  function begin(statement: Statement, takesConnection: boolean): void {
    const startMs = performance.now();
    const span = tracer.isOn
      ? tracer.start("postgres", "client", { "db.system.name": "postgresql", "db.query.text": textOf(statement) })
      : null;
    stats.statements++;
    if (takesConnection) stats.underWay++;
    const end = (error: string | null) => {
      if (takesConnection) stats.underWay--;
      stats.latency.observe(performance.now() - startMs);
      span?.end(error);
    };
    // The method of the plain promise, which does not send the statement once more.
    void Promise.prototype.then.call(
      statement,
      () => end(null),
      (error: { code?: string }) => {
        stats.failures++;
        // The code alone: a message may hold values.
        end(error.code ?? "failed");
      },
    );
  }
}
