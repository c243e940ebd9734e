import { interleavedMSMUnsafe, pippenger } from "@noble/curves/abstract/curve.js";
import { expect, it, vi } from "vitest";
import { parseVerifyingKey, verify, verifyBatch } from "../../../src/verifier/index.js";
import { makeInstance } from "../../support/groth16.js";

vi.mock("@noble/curves/abstract/curve.js", { spy: true });

/** Points that got tables. noble refuses more than 2^20 - 1 of them, with a plain Error. */
const tables = () => Math.max(0, ...vi.mocked(interleavedMSMUnsafe).mock.calls.map(([, points]) => points.length));

it.each([
  ["tables", 699, 0],
  ["buckets", 700, 3],
])("sums the IC points by %s for %i signals", (_, nPublic, sumsByBuckets) => {
  vi.clearAllMocks();
  // small, for speed; two of them equal and two opposite, which the sums must cope with
  const ic = Array.from({ length: nPublic + 1 }, (_, i) => BigInt(i + 1));
  ic[5] = ic[6]!;
  ic[7] = -ic[8]!;
  const instance = makeInstance(nPublic, "many signals", { ic });
  const signals = instance.signals();
  signals[0] = "0";
  const proof = instance.prove(signals);
  const vk = parseVerifyingKey(instance.vk);
  expect(verify(vk, signals, proof)).toBe(true);
  expect(verify(vk, signals.with(nPublic - 1, "1"), proof)).toBe(false);
  expect(verifyBatch([{ vk, publicSignals: signals, proof }])).toEqual({ valid: true, invalid: [] });
  expect(pippenger).toHaveBeenCalledTimes(sumsByBuckets);
  expect(tables()).toBeLessThanOrEqual(700);
});
