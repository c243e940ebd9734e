import { bn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import {
  g1ToJson,
  g2ToJson,
  type ProofJson,
  readJson,
  stringifyProof,
  stringifyPublic,
  stringifyVerifyingKey,
  type VerifyingKeyJson,
} from "../../../src/formats/json.js";
import type * as verifier from "../../../src/verifier/index.js";
import { closeSnarkjs, compileCircuit, snarkjs, snarkjsKey, snarkjsWitness } from "../../support/circuits.js";
import { expectFormatError } from "../../support/errors.js";

const CIRCUIT = `pragma circom 2.0.0;
template T() { signal input a; signal input b; signal output c; c <== a * b; }
component main { public [a] } = T();`;

afterAll(closeSnarkjs);

describe("layout", () => {
  // biome-ignore lint/suspicious/noExplicitAny: snarkjs has no types
  let made: { proof: any; publicSignals: string[] };
  // biome-ignore lint/suspicious/noExplicitAny: snarkjs has no types
  let vk: any;

  beforeAll(async () => {
    const { r1cs, wasm } = await compileCircuit("product", CIRCUIT);
    const zkey = await snarkjsKey(r1cs, 5);
    made = await snarkjs.groth16.prove(zkey, await snarkjsWitness(wasm, { a: 3, b: 4 }));
    vk = await snarkjs.zKey.exportVerificationKey(zkey);
  });

  test("is snarkjs' own, whatever the order of the properties", () => {
    const shuffled = (value: object) => Object.fromEntries(Object.entries(value).toReversed());
    const layout = (value: unknown) => JSON.stringify(value, null, 1);
    expect(stringifyProof(shuffled(made.proof) as never)).toBe(layout(made.proof));
    expect(stringifyVerifyingKey(shuffled(vk) as never)).toBe(layout(vk));
    expect(stringifyPublic(made.publicSignals)).toBe(layout(made.publicSignals));
    expect(stringifyPublic([12n, "3"])).toBe('[\n "12",\n "3"\n]');
    expect(stringifyPublic([])).toBe("[]");
  });

  test("of points is what snarkjs' curve makes of them", async () => {
    const curve = await snarkjs.curves.getCurveFromName("bn128");
    const text = (value: unknown) =>
      JSON.parse(JSON.stringify(value, (_, x) => (typeof x === "bigint" ? String(x) : x)));
    for (const k of [0n, 1n, 77n]) {
      const [p, q] = [bn254.G1.Point, bn254.G2.Point].map((Point) =>
        k === 0n ? Point.ZERO.toAffine() : Point.BASE.multiply(k).toAffine(),
      );
      const times = (G: typeof curve.G1) => text(G.toObject(G.toAffine(G.timesScalar(G.g, k))));
      expect(g1ToJson(p as never)).toEqual(times(curve.G1));
      expect(g2ToJson(q as never)).toEqual(times(curve.G2));
    }
  });
});

test("what is written has the types that the verifier reads", () => {
  expectTypeOf<ProofJson>().toExtend<verifier.ProofJson>();
  expectTypeOf<VerifyingKeyJson>().toExtend<verifier.VerifyingKeyJson>();
  expectTypeOf<typeof verifier.verify>().toBeCallableWith({} as VerifyingKeyJson, ["1"], {} as ProofJson);
});

describe("readJson", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  test("reads any JSON value back", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), async (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(await readJson(bytes(text), "thing")).toEqual(JSON.parse(text));
      }),
    );
    expect(await readJson(bytes("\ufeff[1]"), "thing")).toEqual([1]);
  });

  test.each([
    ["", "end of text at line 1, column 1"],
    [" \n", "end of text at line 2, column 1"],
    ["{", "end of text at line 1, column 2"],
    ['{"a"', "end of text at line 1, column 5"],
    ['{"a":', "end of text at line 1, column 6"],
    ['{"a":1', "end of text at line 1, column 7"],
    ['{"a":1,', "end of text at line 1, column 8"],
    ['{"a":1,}', '"}" at line 1, column 8'],
    ["{a:1}", '"a" at line 1, column 2'],
    ["[1,\n 2,\n x]", '"x" at line 3, column 2'],
    ["[1 2]", '"2" at line 1, column 4'],
    ["[1,]", '"]" at line 1, column 4'],
    ["[}", '"}" at line 1, column 2'],
    ['{"a" 1}', '"1" at line 1, column 6'],
    ["[1]]", '"]" at line 1, column 4'],
    ["[01]", '"1" at line 1, column 3'],
    ["[1.]", '"]" at line 1, column 4'],
    ["[1.e5]", '"e" at line 1, column 4'],
    ["[1e+]", '"]" at line 1, column 5'],
    ["-", "end of text at line 1, column 2"],
    ["[+1]", '"+" at line 1, column 2'],
    ["nul", "end of text at line 1, column 4"],
    ["nulx", '"x" at line 1, column 4'],
    ["undefined", '"u" at line 1, column 1'],
    ['["a\nb"]', '"\\n" at line 1, column 4'],
    ['["a\\x"]', '"x" at line 1, column 5'],
    ['["\\u12g4"]', '"g" at line 1, column 7'],
    ['["\\', "end of text at line 1, column 4"],
    ['["\\u1', "end of text at line 1, column 6"],
    ['["abc', "end of text at line 1, column 6"],
    ["['a']", `"'" at line 1, column 2`],
    ["<!DOCTYPE html>", '"<" at line 1, column 1'],
    ["💥", '"💥" at line 1, column 1'],
  ])("says where %j is wrong", async (text, got) => {
    const error = await expectFormatError(() => readJson(bytes(text), "proof"), "JSON_MALFORMED", "proof (in memory)");
    expect(error.got).toBe(got);
  });

  test("points where V8 points, if V8 says where", async () => {
    let compared = 0;
    const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value, null, 1));
    await fc.assert(
      fc.asyncProperty(json, fc.nat(), fc.constantFrom(...'{}[],:"\\x1-.tn \n'), async (text, seed, insert) => {
        const at = seed % (text.length + 1);
        const damaged = text.slice(0, at) + insert + text.slice(at);
        let message = "";
        try {
          JSON.parse(damaged);
          return;
        } catch (error) {
          message = (error as Error).message;
        }
        const error = await expectFormatError(() => readJson(bytes(damaged), "x"), "JSON_MALFORMED", "x");
        const [, line, column] = /line (\d+), column (\d+)$/.exec(error.got!)!.map(Number);
        const before = damaged.split("\n").slice(0, line! - 1);
        const offset = before.reduce((sum, { length }) => sum + length + 1, 0) + column! - 1;
        expect(offset).toBeLessThanOrEqual(damaged.length);
        // what stands before the damage is right
        expect(offset).toBeGreaterThanOrEqual(at);
        const position = /position (\d+)/.exec(message)?.[1];
        if (position === undefined) return;
        compared++;
        expect(offset).toBe(Number(position));
      }),
      { numRuns: 300 },
    );
    expect(compared).toBeGreaterThan(20);
  });

  test("refuses bytes that are not UTF-8", async () => {
    const error = await expectFormatError(
      () => readJson(Uint8Array.of(0x22, 0xff, 0x22), "vk"),
      "JSON_MALFORMED",
      "vk (in memory)",
    );
    expect(error.got).toBe("invalid UTF-8");
  });

  test("takes deep nesting without running out of stack", async () => {
    const deep = "[".repeat(1_000_000);
    const error = await expectFormatError(() => readJson(bytes(deep), "vk"), "JSON_MALFORMED", "vk (in memory)");
    expect(error.got).toBe("end of text at line 1, column 1000001");
  });

  test("refuses too much", async () => {
    await expectFormatError(
      () => readJson(bytes("[1, 2, 3]"), "vk", undefined, 8),
      "SOURCE_TOO_LARGE",
      "vk (in memory)",
    );
    expect(await readJson(bytes("[1, 2, 3]"), "vk", undefined, 9)).toEqual([1, 2, 3]);
  });

  test("says when there is no such file", () =>
    expectFormatError(() => readJson("/none/vk.json", "vk"), "FILE_NOT_FOUND", "/none/vk.json"));
});
