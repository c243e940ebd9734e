import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SetupError } from "../../../src/errors.js";
import type { R1cs, SparseMatrix } from "../../../src/formats/r1cs.js";
import { allocate, domainPower, planSetup } from "../../../src/setup/plan.js";

const empty: SparseMatrix = {
  rowOffsets: new Uint32Array(1),
  wires: new Uint32Array(0),
  coefficients: new Uint8Array(0),
};

/** Only what a plan reads. */
function circuit(nWires: number, nConstraints: number, nPublic = 0): R1cs {
  const header = { nWires, nOutputs: nPublic, nPubInputs: 0, nPrvInputs: 0, nLabels: nWires, nConstraints };
  return { name: "big.r1cs", header, a: empty, b: empty, c: empty, wireToLabel: undefined };
}

function refusal(action: () => unknown): SetupError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(SetupError);
    return error as SetupError;
  }
  throw new Error("accepted");
}

describe("domainPower", () => {
  test("is the least power of two with room for constraints, public signals and the constant, from 2 on", () => {
    expect([0, 1, 2, 3, 4, 7, 8].map((n) => domainPower(n, 0))).toEqual([1, 1, 2, 2, 3, 3, 4]);
    const counts = fc.tuple(fc.integer({ min: 0, max: 2 ** 27 }), fc.integer({ min: 0, max: 2 ** 20 }));
    fc.assert(
      fc.property(counts, ([nConstraints, nPublic]) => {
        const power = domainPower(nConstraints, nPublic);
        expect(2 ** power).toBeGreaterThan(nConstraints + nPublic);
        if (power > 1) expect(2 ** (power - 1)).toBeLessThanOrEqual(nConstraints + nPublic);
      }),
    );
  });

  test("steps exactly at powers of two", () => {
    for (let k = 1; k < 27; k++) {
      expect(domainPower(2 ** k - 1, 0)).toBe(k);
      expect(domainPower(2 ** k - 2, 1)).toBe(k);
      expect(domainPower(2 ** k, 0)).toBe(k + 1);
    }
  });
});

describe("planSetup", () => {
  test("refuses a domain without an odd coset", () => {
    expect(planSetup(circuit(10, 2 ** 26 - 1), 2, Number.POSITIVE_INFINITY).power).toBe(26);
    const error = refusal(() => planSetup(circuit(10, 2 ** 27), 2, Number.POSITIVE_INFINITY));
    expect(error).toMatchObject({ code: "SETUP_TOO_LARGE", where: "big.r1cs", got: "2^28" });
  });

  test("refuses what no WebAssembly memory holds, with numbers", () => {
    const error = refusal(() => planSetup(circuit(2 ** 30, 100), 2, Number.POSITIVE_INFINITY));
    expect(error.code).toBe("SETUP_TOO_LARGE");
    expect(error.expected).toBe("at most 4096 MiB of WebAssembly memory");
    const sizes = /^(\d+) MiB: key (\d+) MiB, WebAssembly (\d+) MiB, circuit (\d+) MiB$/
      .exec(error.got!)!
      .slice(1)
      .map(Number);
    // 320 bytes of points and 108 of sums for each signal
    expect(sizes[1]).toBe(320 * 1024 + 1);
    expect(sizes[2]).toBeGreaterThan(108 * 1024);
    expect(Math.abs(sizes[1]! + sizes[2]! + sizes[3]! - sizes[0]!)).toBeLessThan(3);
  });

  test("keeps to maxMemory", () => {
    const plan = planSetup(circuit(1000, 900), 2, Number.POSITIVE_INFINITY);
    expect(plan.totalBytes).toBeGreaterThan(plan.keyBytes + plan.wasmBytes);
    expect(planSetup(circuit(1000, 900), 2, plan.totalBytes)).toEqual(plan);
    const error = refusal(() => planSetup(circuit(1000, 900), 2, plan.totalBytes - 1));
    expect(error).toMatchObject({ code: "SETUP_TOO_LARGE", where: "big.r1cs" });
    expect(error.expected).toMatch(/^at most \d+ MiB \(maxMemory\)$/);
  });

  test("names a buffer that the host refuses", () => {
    const plan = planSetup(circuit(1000, 900), 2, Number.POSITIVE_INFINITY);
    const error = refusal(() => allocate("big.r1cs", plan, 2 ** 52));
    expect(error).toMatchObject({ code: "SETUP_TOO_LARGE", where: "big.r1cs" });
    expect(error.cause).toBeInstanceOf(RangeError);
    expect(allocate("big.r1cs", plan, 10)).toEqual(new Uint8Array(10));
  });
});
