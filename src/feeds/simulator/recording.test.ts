import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { recordingsFolder } from "../../../test/support/recordings.js";
import { parseRecording } from "./recording.js";

describe("parsing", () => {
  test("every kind of line, in order, with its body unchanged", () => {
    const text = [
      "wss://host/stream?streams=a@b <-> 1600000000.5",
      'wss://host/stream <- 1600000000.75: {"method": "SUBSCRIBE"}',
      '1600000001: {"stream":"a@b","data":{"x": "1: 2 -> 3"}} ',
      "",
      'https://host/api?x=1 -> 1600000002.25: {"a":1}',
      "configuration: {}",
      "",
    ].join("\n");
    expect(parseRecording(text)).toEqual([
      { kind: "open", url: "wss://host/stream?streams=a@b", timeMs: 1600000000500, body: "" },
      { kind: "sent", url: "wss://host/stream", timeMs: 1600000000750, body: '{"method": "SUBSCRIBE"}' },
      { kind: "received", url: null, timeMs: 1600000001000, body: '{"stream":"a@b","data":{"x": "1: 2 -> 3"}} ' },
      { kind: "response", url: "https://host/api?x=1", timeMs: 1600000002250, body: '{"a":1}' },
    ]);
  });

  test.each(["garbage", "1600000000.5", "wss://host <-> soon", "wss://host <- : {}", ': {"a":1}', "-5: {}"])(
    "a malformed line is named: %s",
    (line) => {
      expect(() => parseRecording(`1: {}\n\n${line}\n`)).toThrow(/line 3 /);
    },
  );

  test("nothing is no recording with entries", () => {
    expect(parseRecording("")).toEqual([]);
  });
});

const folder = recordingsFolder();
describe.skipIf(folder === null)("the recordings", () => {
  test("are all readable", () => {
    const names = readdirSync(folder as string);
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) {
      const bytes = readFileSync(join(folder as string, name));
      const entries = parseRecording((name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8"));
      const kinds = new Set(entries.map(({ kind }) => kind));
      expect(kinds.has(name.includes(".http.") ? "response" : "received"), name).toBe(true);
    }
  });
});
