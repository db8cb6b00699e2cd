import {
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLError,
  type GraphQLFormattedError,
} from "graphql";
import type { Stamp } from "../http/answers.js";
import { SharedPayload } from "./payload.js";

/** A value as one selection shows it. */
interface Rendered {
  readonly version: unknown;
  /** Of what else it is made of, when it was rendered; null when that is not known. */
  readonly stamp: Stamp | null;
  /** As JSON in UTF-8. */
  readonly bytes: Buffer;
  /** Paths begin below the value. */
  readonly errors: readonly GraphQLFormattedError[];
  /** Whether an error left nothing of the message's data. */
  readonly isNull: boolean;
  /** The message with nothing else in it, once it was asked for: different readers often get the same one thing. */
  alone?: readonly [SharedPayload];
}

export interface RenderingOptions {
  /** Of the first subscription of this shape, whose other variables make no difference. */
  readonly execution: ExecutionArgs;
  readonly responseName: string;
  readonly isList: boolean;
  readonly formatErrors: (errors: readonly GraphQLError[]) => readonly GraphQLFormattedError[];
  /** The versions of everything that the selection shows, now; null when they are not known. */
  readonly stampNow: () => Stamp | null;
}

/**
 * Executes one selection on values, each version of a value once, and puts messages together from the results. Who begins now
 * gets what is true now, also of things beside the value, whose changes no message tells. Bounded: it keeps the newest result
 * of every key that is followed in this shape.
 */
export class Rendering<K, V> {
  readonly #rendered = new Map<K, Rendered>();
  /** Of keys that are things of their own, such as trades: it is gone with its key. */
  readonly #renderedThings = new WeakMap<object, Rendered>();
  #head: Buffer | undefined;

  constructor(private readonly options: RenderingOptions) {}

  /** Makes sure that the given versions are there; for newcomers also that nothing else that shows has changed since. */
  async update(
    values: ReadonlyMap<K, V>,
    versionOf: (value: V) => unknown,
    forNewcomers: ReadonlySet<K>,
  ): Promise<void> {
    const stamp = this.options.stampNow();
    const stale: [K, V, unknown][] = [];
    for (const [key, value] of values) {
      const version = versionOf(value);
      const known = this.#find(key);
      // What has failed may work now.
      const isCurrent = known !== undefined && known.version === version && known.errors.length === 0;
      if (isCurrent && (!forNewcomers.has(key) || isSame(known.stamp, stamp))) continue;
      stale.push([key, value, version]);
    }
    if (stale.length === 0) return;
    if (!this.options.isList) {
      for (const entry of stale) await this.#renderAlone(entry, stamp);
      return;
    }
    const result = await this.#execute(stale.map(([, value]) => value));
    const items = (result.data as Record<string, unknown[]> | null)?.[this.options.responseName];
    if (result.errors !== undefined || items === undefined) {
      // Rare: each by itself, to see whose error it is.
      for (const entry of stale) await this.#renderAlone(entry, stamp);
      return;
    }
    stale.forEach(([key, , version], index) => {
      this.#keep(key, { version, stamp, bytes: bytesOf(JSON.stringify(items[index])), errors: [], isNull: false });
    });
  }

  /** One message with a list of these, in their order; or, where it is no list, one for each. */
  payloads(keys: readonly K[]): readonly SharedPayload[] {
    const rendered: Rendered[] = [];
    for (const key of keys) {
      const one = this.#find(key);
      if (one !== undefined) rendered.push(one);
    }
    const [first] = rendered;
    if (first !== undefined && rendered.length === 1) return this.#alone(first);
    return this.options.isList ? [this.#message(rendered)] : rendered.flatMap((one) => this.#alone(one));
  }

  /** Of what was rendered last. */
  versionOf(key: K): unknown {
    return this.#find(key)?.version;
  }

  #find(key: K): Rendered | undefined {
    return isThing(key) ? this.#renderedThings.get(key) : this.#rendered.get(key);
  }

  #keep(key: K, rendered: Rendered): void {
    if (isThing(key)) this.#renderedThings.set(key, rendered);
    else this.#rendered.set(key, rendered);
  }

  async #renderAlone([key, value, version]: [K, V, unknown], stamp: Stamp | null): Promise<void> {
    const { isList, responseName, formatErrors } = this.options;
    const { data, errors = [] } = await this.#execute(isList ? [value] : value);
    const shown = (data as Record<string, unknown> | null | undefined)?.[responseName];
    const pathStart = isList ? 2 : 1;
    this.#keep(key, {
      version,
      stamp,
      bytes: bytesOf(JSON.stringify(isList ? (shown as unknown[] | undefined)?.[0] : shown) ?? "null"),
      errors: formatErrors(errors).map(({ path, ...error }) =>
        path === undefined ? error : { ...error, path: path.slice(pathStart) },
      ),
      isNull: shown === undefined || shown === null,
    });
  }

  #alone(one: Rendered): readonly [SharedPayload] {
    one.alone ??= [this.#message([one])];
    return one.alone;
  }

  #message(rendered: readonly Rendered[]): SharedPayload {
    const { responseName, isList } = this.options;
    if (rendered.some(({ isNull, errors }) => isNull || errors.length > 0)) return this.#messageWithErrors(rendered);
    this.#head ??= Buffer.from(`{"data":{"${responseName}":${isList ? "[" : ""}`);
    const parts = [this.#head];
    for (const [index, { bytes }] of rendered.entries()) {
      if (index > 0) parts.push(comma);
      parts.push(bytes);
    }
    parts.push(isList ? endOfList : endOfOne);
    return new SharedPayload(parts);
  }

  #messageWithErrors(rendered: readonly Rendered[]): SharedPayload {
    const { responseName, isList } = this.options;
    const texts = rendered.map(({ bytes }) => bytes.toString("utf8")).join(",");
    const data = rendered.some(({ isNull }) => isNull)
      ? "null"
      : `{"${responseName}":${isList ? `[${texts}]` : texts}}`;
    const errors = rendered.flatMap((one, index) =>
      one.errors.map(({ path, ...error }) =>
        path === undefined ? error : { ...error, path: [responseName, ...(isList ? [index] : []), ...path] },
      ),
    );
    return SharedPayload.ofText(
      errors.length === 0 ? `{"data":${data}}` : `{"errors":${JSON.stringify(errors)},"data":${data}}`,
    );
  }

  async #execute(rootField: unknown): Promise<ExecutionResult> {
    return execute({ ...this.options.execution, rootValue: rootField });
  }
}

const comma = Buffer.from(",");
const endOfList = Buffer.from("]}}");
const endOfOne = Buffer.from("}}");

/** In memory of its own: it is kept, and would keep a whole block of the pool. */
function bytesOf(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text, "utf8"));
  bytes.write(text, "utf8");
  return bytes;
}

const isSame = (a: Stamp | null, b: Stamp | null): boolean =>
  a !== null && b !== null && a.every((version, index) => version === b[index]);

const isThing = (key: unknown): key is object => typeof key === "object" && key !== null;
