import { afterEach, describe, expect, test, vi } from "vitest";
import { FR_MODULUS, readBigintLE } from "../../../src/formats/bn254.js";
import { randomScalar } from "../../../src/prover/random.js";

afterEach(() => vi.unstubAllGlobals());

/** A source of randomness that fills buffers with these bytes, one after the other. */
function stub(...fills: number[]): void {
  let calls = 0;
  vi.stubGlobal("crypto", {
    getRandomValues: (bytes: Uint8Array) => bytes.fill(fills[Math.min(calls++, fills.length - 1)]!),
  });
}

describe("randomScalar", () => {
  test("is 64 bytes modulo r", () => {
    stub(0xff);
    const bytes = new Uint8Array(64).fill(0xff);
    expect(randomScalar()).toBe(readBigintLE(bytes, 0, 64) % FR_MODULUS);
  });

  test("is never 0: tries again", () => {
    stub(0, 1);
    expect(randomScalar()).toBe(readBigintLE(new Uint8Array(64).fill(1), 0, 64) % FR_MODULUS);
  });

  test("spreads over the field", () => {
    const values = Array.from({ length: 200 }, randomScalar);
    expect(new Set(values).size).toBe(200);
    expect(values.every((k) => k > 0n && k < FR_MODULUS)).toBe(true);
    for (const bound of [FR_MODULUS / 4n, (3n * FR_MODULUS) / 4n]) {
      expect(values.filter((k) => k < bound).length).toBeGreaterThan(5);
      expect(values.filter((k) => k >= bound).length).toBeGreaterThan(5);
    }
  });

  test("a host without randomness, or with a broken one, is NO_RANDOMNESS", () => {
    stub(0);
    expect(randomScalar).toThrow(expect.objectContaining({ code: "NO_RANDOMNESS" }));
    for (const crypto of [undefined, {}]) {
      vi.stubGlobal("crypto", crypto);
      expect(randomScalar).toThrow(expect.objectContaining({ code: "NO_RANDOMNESS" }));
    }
  });
});
