import { afterEach, expect, it, vi } from "vitest";
import { parseVerifyingKey, VerifierError, verifyBatch } from "../../../src/verifier/index.js";
import { isNeutral } from "../../../src/verifier/pairing.js";
import { makeInstance } from "../../support/groth16.js";

vi.mock("../../../src/verifier/pairing.js", { spy: true });

const instance = makeInstance(1, "inconsistent");
const vk = parseVerifyingKey(instance.vk);
const items = Array.from({ length: 9 }, (_, i) => ({ vk, publicSignals: [`${i}`], proof: instance.prove([`${i}`]) }));

afterEach(() => {
  vi.mocked(isNeutral).mockReset();
});

// no input is known to lead here: the equation of every item holds, but an outcome of their product is false
it.each([
  ["one item", 1, [false], "items[0] to items[0]"],
  ["as many as are checked one by one", 4, [false], "items[0] to items[3]"],
  ["more", 9, [false], "items[6] to items[8]"],
  ["more, with a half said to be wrong", 9, [false, false], "items[0] to items[3]"],
] as const)("a batch that fails without a culprit is not reported valid: %s", (_, size, outcomes, where) => {
  for (const outcome of outcomes) vi.mocked(isNeutral).mockReturnValueOnce(outcome);
  let thrown: unknown;
  try {
    verifyBatch(items.slice(0, size));
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(VerifierError);
  expect(thrown).toMatchObject({ code: "BATCH_INCONSISTENT", where });
});

it("does not stand in the way of naming the culprits", () => {
  expect(verifyBatch(items).valid).toBe(true);
  const bad = items.map((item, i) => (i === 8 ? { ...item, publicSignals: ["9"] } : item));
  expect(verifyBatch(bad).invalid.map(({ index }) => index)).toEqual([8]);
});
