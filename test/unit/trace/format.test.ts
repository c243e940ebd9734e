import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  decodeSnapshot,
  decodeTrace,
  encodeSnapshot,
  encodeTrace,
  loadScenario,
  mnemonic,
  opcodeByte,
  runScenario,
  SCENARIO_NAMES,
  type Snapshot,
  type Trace,
  TraceError,
  type TraceErrorCode,
} from "../../../src/trace/index.js";
import { EVERYTHING, traceOf } from "../../support/contracts.js";
import { expectTraceError } from "../../support/trace-errors.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
// biome-ignore lint/suspicious/noExplicitAny: JSON that is broken in every way
type Json = any;

let demo: Trace;
let before: Snapshot;
let file: Uint8Array;
let json: Json;
beforeAll(async () => {
  ({ trace: demo, before } = await runScenario(loadScenario("demo")));
  file = encodeTrace(demo);
  json = JSON.parse(decoder.decode(file));
});

/** The file with a change. */
function changed(change: (json: Json) => void): Uint8Array {
  const copy = structuredClone(json);
  change(copy);
  return encoder.encode(JSON.stringify(copy));
}

describe("round trips", () => {
  it.each(SCENARIO_NAMES)("%s", async (name) => {
    const { trace } = await runScenario(loadScenario(name));
    const bytes = encodeTrace(trace);
    expect(decodeTrace(bytes)).toEqual(trace);
    expect(encodeTrace(decodeTrace(bytes))).toEqual(bytes);
  });

  it("every supported opcode", async () => {
    const trace = await traceOf({ code: EVERYTHING, storage: [[7n, 9n]] });
    expect(decodeTrace(encodeTrace(trace))).toEqual(trace);
  });

  it("halts and opcodes that cannot be proved", async () => {
    const trace = await traceOf({ code: "1 .0x0c" });
    expect(decodeTrace(encodeTrace(trace))).toEqual(trace);
  });

  it("version 1, which had no block hashes, is read", () => {
    const bytes = changed((t) => {
      t.version = 1;
      delete t.blockHashes;
    });
    expect(decodeTrace(bytes)).toEqual(demo);
  });

  it("hashes of blocks before", () => {
    const hash = `0x${"a5".repeat(32)}` as const;
    const trace: Trace = { ...demo, blockHashes: [[0n, hash], [255n, hash]] }; // biome-ignore format: one line
    expect(decodeTrace(encodeTrace(trace))).toEqual(trace);
  });

  it("white space doesn't matter", () => {
    expect(decodeTrace(encoder.encode(JSON.stringify(json, null, 2)))).toEqual(demo);
  });

  it("one step a line", () => {
    const lines = decoder.decode(file).split("\n");
    const steps = demo.executions.reduce((sum, execution) => sum + execution.steps.length, 0);
    expect(lines.length).toBeGreaterThan(steps);
    expect(lines.find((line) => line.startsWith("[14,"))).toBe('[14,"ADD","0x133e8",0,"0x0",3,["0x1"]],');
  });

  it("names of all bytes", () => {
    const names = Array.from({ length: 256 }, (_, op) => mnemonic(op));
    expect(new Set(names).size).toBe(256);
    names.forEach((name, op) => {
      expect(opcodeByte(name)).toBe(op);
    });
    for (const name of ["0x01", "add", "DIFFICULTY", "0xF0", "PUSH33", "toString", ""]) {
      expect(opcodeByte(name), name).toBeUndefined();
    }
  });
});

describe("what is no trace", () => {
  const step = "executions[0].steps[7]";
  const cases: [string, (json: Json) => void, TraceErrorCode, string | undefined][] = [
    ["version 3", (t) => (t.version = 3), "TRACE_VERSION", "version"],
    ["version 2 as text", (t) => (t.version = "2"), "TRACE_VERSION", "version"],
    ["version 1 with what it did not have", (t) => (t.version = 1), "TRACE_FIELD", "blockHashes"],
    ["no block hashes", (t) => delete t.blockHashes, "TRACE_FIELD", "blockHashes"],
    ["a block without hash", (t) => (t.blockHashes = [["0x0"]]), "TRACE_FIELD", "blockHashes[0]"],
    ["a short block hash", (t) => (t.blockHashes = [["0x0", "0x12"]]), "TRACE_FIELD", "blockHashes[0][1]"],
    [
      "a block of 2^64",
      (t) => (t.blockHashes = [[`0x1${"0".repeat(16)}`, `0x${"00".repeat(32)}`]]),
      "TRACE_FIELD",
      "blockHashes[0][0]",
    ],
    ["no version", (t) => delete t.version, "TRACE_FIELD", "version"],
    ["no header", (t) => delete t.header, "TRACE_FIELD", "header"],
    ["an unknown field", (t) => (t.comment = "hi"), "TRACE_FIELD", "comment"],
    ["an unknown field of the header", (t) => (t.header.ommers = "0x"), "TRACE_FIELD", "header.ommers"],
    ["an unknown field of an account", (t) => (t.preState.accounts[1].x = 1), "TRACE_FIELD", "preState.accounts[1].x"],
    [
      "__proto__",
      (t) => Object.defineProperty(t.header, "__proto__", { value: 1, enumerable: true }),
      "TRACE_FIELD",
      "header.__proto__",
    ],
    ["chain id as a number", (t) => (t.chainId = 1337), "TRACE_FIELD", "chainId"],
    ["a chain id too large", (t) => (t.chainId = "0x8000000000000"), "TRACE_FIELD", "chainId"],
    ["leading zeros", (t) => (t.chainId = "0x0539"), "TRACE_FIELD", "chainId"],
    ["upper case", (t) => (t.header.number = "0xA"), "TRACE_FIELD", "header.number"],
    ["empty quantity", (t) => (t.header.number = "0x"), "TRACE_FIELD", "header.number"],
    ["negative quantity", (t) => (t.header.number = "-0x1"), "TRACE_FIELD", "header.number"],
    ["2^64", (t) => (t.header.gasUsed = "0x10000000000000000"), "TRACE_FIELD", "header.gasUsed"],
    ["a hash too short", (t) => (t.header.stateRoot = "0x12"), "TRACE_FIELD", "header.stateRoot"],
    ["a bloom too long", (t) => (t.header.logsBloom += "00"), "TRACE_FIELD", "header.logsBloom"],
    ["33 bytes of extra data", (t) => (t.header.extraData = `0x${"11".repeat(33)}`), "TRACE_FIELD", "header.extraData"],
    [
      "an address in upper case",
      (t) => (t.header.coinbase = t.header.coinbase.toUpperCase()),
      "TRACE_FIELD",
      "header.coinbase",
    ],
    ["transactions as an object", (t) => (t.transactions = {}), "TRACE_FIELD", "transactions"],
    ["half a byte", (t) => (t.transactions[0] += "a"), "TRACE_FIELD", "transactions[0]"],
    ["accounts missing", (t) => delete t.preState.accounts, "TRACE_FIELD", "preState.accounts"],
    ["a null account", (t) => (t.preState.accounts[0] = null), "TRACE_FIELD", "preState.accounts[0]"],
    ["code null", (t) => (t.preState.accounts[0].code = null), "TRACE_FIELD", "preState.accounts[0].code"],
    [
      "a slot without value",
      (t) => (t.preState.accounts[0].storage = [["0x0"]]),
      "TRACE_FIELD",
      "preState.accounts[0].storage[0]",
    ],
    [
      "a value of 2^256",
      (t) => (t.preState.accounts[0].storage = [["0x0", `0x1${"00".repeat(32)}`]]),
      "TRACE_FIELD",
      "preState.accounts[0].storage[0][1]",
    ],
    ["status 2", (t) => (t.executions[2].status = 2), "TRACE_FIELD", "executions[2].status"],
    ["status true", (t) => (t.executions[2].status = true), "TRACE_FIELD", "executions[2].status"],
    ["gas used missing", (t) => delete t.executions[2].gasUsed, "TRACE_FIELD", "executions[2].gasUsed"],
    ["six fields", (t) => t.executions[0].steps[7].pop(), "TRACE_FIELD", step],
    ["eight fields", (t) => t.executions[0].steps[7].push(1), "TRACE_FIELD", step],
    ["pc -1", (t) => (t.executions[0].steps[7][0] = -1), "TRACE_FIELD", `${step}.pc`],
    ["pc 1.5", (t) => (t.executions[0].steps[7][0] = 1.5), "TRACE_FIELD", `${step}.pc`],
    ["pc 2^53", (t) => (t.executions[0].steps[7][0] = 2 ** 53), "TRACE_FIELD", `${step}.pc`],
    ["opcode as a number", (t) => (t.executions[0].steps[7][1] = 1), "TRACE_FIELD", `${step}.op`],
    ["an opcode unknown", (t) => (t.executions[0].steps[7][1] = "ADDD"), "TRACE_FIELD", `${step}.op`],
    ["gas as a number", (t) => (t.executions[0].steps[7][2] = 5), "TRACE_FIELD", `${step}.gas`],
    [
      "memory of 2^20 + 1 words",
      (t) => (t.executions[0].steps[7][3] = 2 ** 20 + 1),
      "TRACE_FIELD",
      `${step}.memorySize`,
    ],
    ["a negative refund", (t) => (t.executions[0].steps[7][4] = "-0x1"), "TRACE_FIELD", `${step}.refund`],
    ["more kept than there are", (t) => (t.executions[0].steps[7][5] = 99), "TRACE_FIELD", `${step}.stack.keep`],
    [
      "fewer kept than stay",
      (t) => {
        t.executions[0].steps[7][5] = 0;
        t.executions[0].steps[7][6] = ["0x0"];
      },
      "TRACE_FIELD",
      `${step}.stack.keep`,
    ],
    [
      "something kept at first",
      (t) => (t.executions[0].steps[0][5] = 1),
      "TRACE_FIELD",
      "executions[0].steps[0].stack.keep",
    ],
    [
      "a word of 2^256",
      (t) => (t.executions[0].steps[7][6] = [`0x1${"00".repeat(32)}`]),
      "TRACE_FIELD",
      `${step}.stack[3]`,
    ],
    ["1025 words", (t) => (t.executions[0].steps[7][6] = Array(1025).fill("0x1")), "TRACE_FIELD", `${step}.stack`],
  ];

  it.each(cases)("%s", async (_, change, code, where) => {
    await expectTraceError(() => decodeTrace(changed(change)), code, where);
  });

  it("not JSON", async () => {
    const text = decoder.decode(file);
    const twice = text.replace('"version":2', '"version":2,"version":2');
    const escaped = text.replace('"header"', '"\\u0068eader"');
    const decimal = text.replace('"version":2', '"version":2.0');
    const minusZero = text.replace("[0,", "[-0,");
    const broken = ["", " ", "nul", "{", `${text}x`, twice, escaped, decimal, `\ufeff${text}`];
    for (const bad of broken) await expectTraceError(() => decodeTrace(encoder.encode(bad)), "TRACE_JSON", undefined);
    await expectTraceError(() => decodeTrace(encoder.encode(minusZero)), "TRACE_FIELD", "executions[0].steps[0].pc");
    await expectTraceError(() => decodeTrace(Uint8Array.of(...file.subarray(0, -1), 0xff)), "TRACE_JSON", undefined);
    for (const value of ["null", "[]", "1", '"x"', "true"]) {
      await expectTraceError(() => decodeTrace(encoder.encode(value)), "TRACE_FIELD", undefined);
    }
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    await expectTraceError(() => decodeTrace(encoder.encode(deep)), "TRACE_FIELD", undefined);
    await expectTraceError(() => decodeTrace(encoder.encode(deep.slice(9))), "TRACE_JSON", undefined);
  });

  it("stacks that would fill the machine", async () => {
    const words = Array.from({ length: 1024 }, () => "0x1");
    const bytes = changed((t) => {
      t.executions[0].steps = [
        [0, "POP", "0x0", 0, "0x0", 0, words],
        // 1023 and 1024 items in turns, at 30 bytes a step
        ...Array.from({ length: 300 }, (_, i) => [0, "POP", "0x0", 0, "0x0", 1023, i % 2 === 0 ? [] : ["0x2"]]),
      ];
    });
    await expectTraceError(
      () => decodeTrace(bytes, { maxStackItems: 100 * 1024 }),
      "TRACE_LIMIT",
      "executions[0].steps[100]",
    );
    expect(decodeTrace(bytes).executions[0]!.steps).toHaveLength(301);
  });

  it("truncated anywhere", () => {
    const small = encoder.encode(JSON.stringify({ ...json, executions: json.executions.slice(2) }));
    for (let length = 0; length < small.length; length += length % 97 === 0 ? 1 : 7) {
      expect(codeOf(() => decodeTrace(small.subarray(0, length)))).toBe("TRACE_JSON");
    }
  });

  it("fuzzed: nothing but TraceErrors, and what is read is written back", () => {
    const text = decoder.decode(encodeTrace({ ...demo, executions: demo.executions.slice(2) }));
    const piece = fc.constantFrom(
      "",
      "0",
      "1",
      "f",
      "x",
      '"',
      ",",
      "[",
      "]",
      "{",
      "}",
      ":",
      "-",
      "e",
      " ",
      "null",
      "\\",
      "é",
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(text.length), fc.nat(3), piece), { minLength: 1, maxLength: 3 }),
        (edits) => {
          let fuzzed = text;
          for (const [at, drop, insert] of edits) fuzzed = fuzzed.slice(0, at) + insert + fuzzed.slice(at + drop);
          let trace: Trace;
          try {
            trace = decodeTrace(encoder.encode(fuzzed));
          } catch (error) {
            expect(error, String((error as Error).stack)).toBeInstanceOf(TraceError);
            return;
          }
          const squeeze = (json: string) => json.replace(/\s/g, "");
          expect(squeeze(decoder.decode(encodeTrace(trace)))).toBe(squeeze(fuzzed));
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });

  it("in memory: what the format cannot hold is not written", async () => {
    const check = async (trace: unknown, where: string) =>
      expectTraceError(() => encodeTrace(trace as Trace), "TRACE_FIELD", where);
    const first = demo.executions[0]!.steps[0]!;
    const withStep = (fields: object) => ({
      ...demo,
      executions: [{ ...demo.executions[0]!, steps: [{ ...first, ...fields }] }],
    });
    await check({ ...demo, chainId: 5 }, "chainId");
    await check({ ...demo, header: { ...demo.header, number: -1n } }, "header.number");
    await check({ ...demo, header: { ...demo.header, coinbase: "0x12" } }, "header.coinbase");
    await check({ ...demo, transactions: ["0x12"] }, "transactions[0]");
    await check({ ...demo, blockHashes: [[0n, "0x12"]] }, "blockHashes[0][1]");
    await check({ ...demo, blockHashes: [[0, demo.preState.root]] }, "blockHashes[0][0]");
    await check(withStep({ stack: [1n, 1n << 256n] }), "executions[0].steps[0].stack[1]");
    await check(withStep({ stack: [1] }), "executions[0].steps[0].stack[0]");
    await check(withStep({ gas: -1n }), "executions[0].steps[0].gas");
    await check(withStep({ pc: 0.5 }), "executions[0].steps[0].pc");
    await check(withStep({ op: 256 }), "executions[0].steps[0].op");
    await expectTraceError(() => encodeTrace({ ...demo, version: 1 as 2 }), "TRACE_VERSION", "version");
  });
});

describe("snapshots", () => {
  const broken = (change: (json: Json) => void) => {
    const copy = JSON.parse(decoder.decode(encodeSnapshot(before)));
    change(copy);
    return encoder.encode(JSON.stringify(copy));
  };

  it("round trip", () => {
    expect(decodeSnapshot(encodeSnapshot(before))).toEqual(before);
  });

  it("refuse what is no snapshot", async () => {
    const check = (change: (json: Json) => void, code: TraceErrorCode, where: string) =>
      expectTraceError(() => decodeSnapshot(broken(change)), code, where);
    await check((s) => (s.version = 7), "TRACE_VERSION", "version");
    await check((s) => (s.extra = 7), "TRACE_FIELD", "extra");
    await check((s) => delete s.stateRoot, "TRACE_FIELD", "stateRoot");
    await check((s) => s.accounts.reverse(), "TRACE_ORDER", "accounts[1].address");
    await check((s) => s.accounts.splice(1, 0, s.accounts[0]), "TRACE_ORDER", "accounts[1].address");
    await check(
      (s) => (s.accounts[0] = { ...s.accounts[0], nonce: "0x0", balance: "0x0", code: "0x" }),
      "TRACE_FIELD",
      "accounts[0]",
    );
    await check((s) => (s.accounts[0].storage = [["0x1", "0x0"]]), "TRACE_FIELD", "accounts[0].storage[0][1]");
    await check(
      (s) =>
        (s.accounts[0].storage = [
          ["0x1", "0x1"],
          ["0x1", "0x2"],
        ]),
      "TRACE_ORDER",
      "accounts[0].storage[1]",
    );
    const bytes = encodeSnapshot(before);
    for (let length = 0; length < bytes.length - 1; length += 13) {
      expect(codeOf(() => decodeSnapshot(bytes.subarray(0, length)))).toBe("TRACE_JSON");
    }
    const twice = decoder.decode(bytes).replace('"version":1', '"version":1,"version":1');
    await expectTraceError(() => decodeSnapshot(encoder.encode(twice)), "TRACE_JSON", undefined);
  });
});

/** The code of the TraceError, `undefined` without an error; anything else fails the test. */
function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    expect(error, String((error as Error).stack)).toBeInstanceOf(TraceError);
    return (error as TraceError).code;
  }
}
