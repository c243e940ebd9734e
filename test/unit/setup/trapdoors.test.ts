import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SetupError } from "../../../src/errors.js";
import { FR_MODULUS as R } from "../../../src/formats/bn254.js";
import { rootOfUnity } from "../../../src/prover/wasm/constants.js";
import { chooseTrapdoors, type Trapdoors } from "../../../src/setup/trapdoors.js";
import { TRAPDOORS, trapdoors } from "./reference.js";

function refusal(power: number, given: unknown): { code: string; where: string | undefined } {
  try {
    chooseTrapdoors(power, given as Trapdoors);
  } catch (error) {
    expect(error).toBeInstanceOf(SetupError);
    const { code, where } = error as SetupError;
    return { code, where };
  }
  throw new Error("accepted");
}

describe("chooseTrapdoors", () => {
  test("draws new secrets every time, all of them below r and different", () => {
    const drawn = Array.from({ length: 20 }, () => chooseTrapdoors(10)).flatMap((t) => [
      t.tau,
      t.alpha,
      t.beta,
      t.delta,
    ]);
    expect(new Set(drawn).size).toBe(80);
    for (const value of drawn) {
      expect(value).toBeGreaterThan(0n);
      expect(value).toBeLessThan(R);
    }
    // no bit of 254 is always the same
    for (let bit = 0n; bit < 253n; bit++) expect(new Set(drawn.map((value) => (value >> bit) & 1n)).size).toBe(2);
  });

  test("takes given ones as they are", () => {
    fc.assert(
      fc.property(trapdoors(), (given) => {
        expect(chooseTrapdoors(4, given)).toEqual(given);
      }),
    );
  });

  test.each(["tau", "alpha", "beta", "delta"])("refuses a bad %s", (name) => {
    for (const value of [0n, R, R + 5n, -1n, 5, "5", undefined, null]) {
      expect(refusal(4, { ...TRAPDOORS, [name]: value })).toEqual({ code: "SETUP_TRAPDOOR", where: name });
    }
  });

  test("refuses delta = ±gamma, for which anybody can forge proofs", () => {
    for (const delta of [1n, R - 1n]) {
      expect(refusal(4, { ...TRAPDOORS, delta })).toEqual({ code: "SETUP_TRAPDOOR", where: "delta" });
    }
    expect(chooseTrapdoors(4, { ...TRAPDOORS, delta: 2n }).delta).toBe(2n);
  });

  test("refuses tau on the domain and on its double, and no further", () => {
    const power = 5;
    for (let bits = 0; bits <= power + 1; bits++) {
      expect(refusal(power, { ...TRAPDOORS, tau: rootOfUnity(bits) })).toEqual({
        code: "SETUP_TRAPDOOR",
        where: "tau",
      });
    }
    const tau = rootOfUnity(power + 2);
    expect(chooseTrapdoors(power, { ...TRAPDOORS, tau }).tau).toBe(tau);
  });
});
