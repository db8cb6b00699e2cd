import { expect, test } from "vitest";
import { ConflatedStream } from "./conflated-stream.js";

function start(maxKeys = 10) {
  let push: (key: string, value: number) => void = () => {};
  let stopped = 0;
  const stream = new ConflatedStream<string, number>((tell) => {
    push = tell;
    return () => stopped++;
  }, maxKeys);
  return { stream, push: (key: string, value: number) => push(key, value), stopped: () => stopped };
}
const taken = async (stream: AsyncIterator<number>, count: number) => {
  const values: number[] = [];
  while (values.length < count) values.push((await stream.next()).value as number);
  return values;
};

test("gives the newest value of each key, in the order in which the keys changed first", async () => {
  const { stream, push } = start();
  push("a", 1);
  push("b", 2);
  push("a", 3);
  expect(await taken(stream, 2)).toEqual([3, 2]);
  const waiting = stream.next();
  push("c", 4);
  push("c", 5);
  expect(await waiting).toEqual({ done: false, value: 4 });
  expect(await taken(stream, 1)).toEqual([5]);
});

test("drops the oldest of more than it holds", async () => {
  const { stream, push } = start(2);
  push("a", 1);
  push("b", 2);
  push("c", 3);
  expect(await taken(stream, 2)).toEqual([2, 3]);
});

test("ends at once when it is told to, and stops listening", async () => {
  const { stream, push, stopped } = start();
  const waiting = stream.next();
  await stream.return();
  expect(await waiting).toEqual({ done: true, value: undefined });
  push("a", 1);
  expect(await stream.next()).toEqual({ done: true, value: undefined });
  expect(stopped()).toBe(1);
});
