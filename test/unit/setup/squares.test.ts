import { describe, expect, test } from "vitest";
import { FIELD_SIZE, FR_MODULUS, readBigintLE } from "../../../src/formats/bn254.js";
import { readR1cs, type SparseMatrix } from "../../../src/formats/r1cs.js";
import { readWtns } from "../../../src/formats/wtns.js";
import { domainPower } from "../../../src/setup/plan.js";
import { squares } from "../../../src/setup/squares.js";

describe("the chain of squares", () => {
  test.each([2, 3, 6, 15])(
    "of size 2^%i fills its domain, and its witness satisfies every constraint",
    async (power) => {
      const { r1cs, wtns } = await squares(power);
      const { header, a, b, c } = await readR1cs(r1cs);
      const { nWitness, values } = await readWtns(wtns);
      expect(nWitness).toBe(header.nWires);
      expect(domainPower(header.nConstraints, header.nOutputs + header.nPubInputs)).toBe(power);
      expect(domainPower(header.nConstraints + 1, 1)).toBe(power + 1);
      const at = (bytes: Uint8Array, i: number) => readBigintLE(bytes, i * FIELD_SIZE, FIELD_SIZE);
      const row = ({ rowOffsets, wires, coefficients }: SparseMatrix, i: number) => {
        let sum = 0n;
        for (let t = rowOffsets[i]!; t < rowOffsets[i + 1]!; t++) sum += at(coefficients, t) * at(values, wires[t]!);
        return sum % FR_MODULUS;
      };
      for (let i = 0; i < header.nConstraints; i++) {
        if ((row(a, i) * row(b, i)) % FR_MODULUS !== row(c, i)) throw new Error(`constraint ${i} does not hold`);
      }
      expect(at(values, 0)).toBe(1n);
      // every wire but the constant is used, and the public one is the end of the chain
      expect(new Set([...a.wires, ...c.wires]).size).toBe(header.nWires - 1);
      expect(c.wires[header.nConstraints - 1]).toBe(1);
      // no chain that comes back to where it was
      expect(new Set(Array.from({ length: nWitness }, (_, i) => at(values, i))).size).toBe(nWitness);
    },
  );

  test("an abort ends it", async () => {
    await expect(squares(10, AbortSignal.abort("enough"))).rejects.toBe("enough");
  });
});
