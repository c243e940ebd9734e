import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  parseProof,
  parsePublicSignals,
  parseVerifyingKey,
  VerifierError,
  verify,
  verifyBatch,
} from "../../../src/verifier/index.js";
import { makeInstance, Q, R } from "../../support/groth16.js";

const instance = makeInstance(2, "fuzz");
const vk = parseVerifyingKey(instance.vk);
const signals = instance.signals();
const proof = instance.prove(signals);

type Path = (string | number)[];

/** All paths of a JSON value, the root included. */
function paths(value: unknown, prefix: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [prefix];
  const keys: Path = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return [prefix, ...keys.flatMap((key) => paths((value as never)[key], [...prefix, key]))];
}

function replaced(root: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const copy = (Array.isArray(root) ? [...root] : { ...(root as object) }) as never;
  copy[key] = replaced(copy[key], rest, value) as never;
  return copy;
}

const number = fc.oneof(
  fc.constantFrom("0", "1", "-1", "", `${Q}`, `${Q - 1n}`, `${R}`, `${R - 1n}`, "00", "0x0", "1e1", "__proto__"),
  fc.bigInt(0n, 2n ** 256n).map(String),
  fc.string(),
);
const anyJson = fc.oneof(
  number,
  fc.array(number, { maxLength: 4 }),
  fc.array(fc.array(number, { maxLength: 3 }), { maxLength: 4 }),
  fc.jsonValue(),
  fc.anything({ withBigInt: true, withSparseArray: true, withNullPrototype: true, withTypedArray: true }),
);
const same = (a: unknown, b: unknown) => {
  try {
    return JSON.stringify(a) === JSON.stringify(b);
  } catch {
    return false;
  }
};

describe("any node of the JSON replaced by anything", () => {
  it("proof: verify is false and never throws, parseProof throws VerifierError or parses", () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths(proof)), anyJson, (path, value) => {
        const bad = replaced(proof, path, value);
        // an absent `curve` is legal
        fc.pre(!same(bad, proof) && !(path[0] === "curve" && value === undefined));
        expect(verify(vk, signals, bad)).toBe(false);
        try {
          parseProof(bad);
        } catch (error) {
          expect(error).toBeInstanceOf(VerifierError);
          expect((error as VerifierError).code).toMatch(/^PROOF_/);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it("public signals: verify is false and never throws, parsePublicSignals throws VerifierError or parses", () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths(signals)), anyJson, (path, value) => {
        const bad = replaced(signals, path, value);
        fc.pre(!same(bad, signals));
        expect(verify(vk, bad, proof)).toBe(false);
        try {
          const values = parsePublicSignals(bad, vk);
          expect(values.map(String)).toEqual(bad);
        } catch (error) {
          expect(error).toBeInstanceOf(VerifierError);
          expect((error as VerifierError).code).toMatch(/^SIGNALS_/);
        }
      }),
      { numRuns: 700 },
    );
  });

  it("verifying key: VerifierError and nothing else, or a key that the proof doesn't fit", () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths(instance.vk)), anyJson, (path, value) => {
        const bad = replaced(instance.vk, path, value);
        fc.pre(!same(bad, instance.vk));
        try {
          const key = parseVerifyingKey(bad);
          expect(verify(key, signals, proof)).toBe(false);
        } catch (error) {
          expect(error).toBeInstanceOf(VerifierError);
          expect((error as VerifierError).code).toMatch(/^VK_/);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("batch: the tampered item is named and its neighbours are not", () => {
    const good = { vk, publicSignals: signals, proof };
    fc.assert(
      fc.property(fc.constantFrom(...paths(proof)), anyJson, fc.nat(2), (path, value, at) => {
        const bad = replaced(proof, path, value);
        fc.pre(!same(bad, proof) && !(path[0] === "curve" && value === undefined));
        const items = [good, good, good].map((item, i) => (i === at ? { ...item, proof: bad } : item));
        const { valid, invalid } = verifyBatch(items);
        expect(valid).toBe(false);
        expect(invalid.map(({ index }) => index)).toEqual([at]);
      }),
      { numRuns: 40 },
    );
  });
});
