/** Transforms on a software GPU against their definitions by BigInt. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Transform } from "../../../src/prover/backend.js";
import { rootOfUnity } from "../../../src/prover/wasm/constants.js";
import { Device } from "../../../src/prover/webgpu/device.js";
import { Ntt, type Pass, passesOf } from "../../../src/prover/webgpu/ntt.js";
import { Pace } from "../../../src/prover/webgpu/pace.js";
import { resolveTuning, type Tuning } from "../../../src/prover/webgpu/tuning.js";
import { fieldEdges } from "../../support/arbitraries.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { FR, fromBytes, R } from "../../support/kernel.js";
import { naivelyTransformed, randomScalars, transformed, transformOn } from "../../support/transforms.js";

const skip = await skipWithoutGpu();
const TRANSFORMS: readonly Transform[] = ["forward", "inverse", "coset"];

const random = randomScalars;

describe("passes", () => {
  test.each([1, 2, 3, 4, 9, 10, 12])("of tiles of 2^%i take every layer once", (tileBits) => {
    for (let power = 1; power <= 27; power++) {
      const passes = passesOf(power, tileBits);
      const [inner, ...outer] = passes as [Pass, ...Pass[]];
      expect(inner).toEqual({ at: 0, rows: Math.min(power, tileBits), columns: 0 });
      let at = inner.rows;
      for (const pass of outer) {
        expect(pass.at).toBe(at);
        expect(pass.rows).toBeGreaterThan(0);
        expect(pass.columns).toBeGreaterThanOrEqual(Math.min(2, tileBits - 1));
        expect(pass.columns).toBeLessThanOrEqual(at);
        expect(pass.rows + pass.columns).toBe(tileBits);
        at += pass.rows;
      }
      expect(at).toBe(power);
    }
  });

  test("of 2^22 values in tiles of 2^9 are three", () => {
    expect(passesOf(22, 9).map(({ rows }) => rows)).toEqual([9, 6, 7]);
  });
});

test("the pace grows with a fast device and falls with a slow one", () => {
  const pace = new Pace();
  const first = pace.budget;
  pace.learn(first - 1, 0);
  expect(pace.budget).toBe(first);
  pace.learn(first, 100);
  expect(pace.budget).toBe(first);
  pace.learn(first, 1);
  expect(pace.budget).toBe(4 * first);
  for (let i = 0; i < 40; i++) pace.learn(pace.budget, 1000);
  expect(pace.budget).toBe(2 ** 14);
  for (let i = 0; i < 40; i++) pace.learn(pace.budget, 0);
  expect(pace.budget).toBe(2 ** 40);
});

test("the oracle: halves are what sums over all pairs are", () => {
  for (const n of [2, 8, 16]) {
    for (const transform of TRANSFORMS) {
      expect(transformed(random(n), transform)).toEqual(naivelyTransformed(random(n), transform));
    }
  }
});

describe.skipIf(skip)("on a device", () => {
  let device: Device;
  beforeAll(async () => {
    device = await Device.open();
  });
  afterAll(() => device.close());

  const run = (ntt: Ntt, values: readonly bigint[], transform: Transform, signal?: AbortSignal) =>
    transformOn(device, ntt, values, transform, signal);

  const make = (tuning: Partial<Tuning> = {}) => new Ntt(device, resolveTuning(tuning));

  // what a software device compiles soon; test/slow/backends has the rest
  describe("tiles of 2^6", () => {
    let ntt: Ntt;
    beforeAll(() => {
      ntt = make({ layers: 6, unroll: false });
    });

    test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 11])("2^%i random values", async (power) => {
      const values = random(2 ** power);
      for (const transform of TRANSFORMS) {
        expect(await run(ntt, values, transform), transform).toEqual(transformed(values, transform));
      }
    });

    test.each([1, 5, 8])("2^%i values at the edges", async (power) => {
      const n = 2 ** power;
      const edges = fieldEdges(FR);
      const families: Record<string, bigint[]> = {
        zeros: Array.from({ length: n }, () => 0n),
        "all the largest": Array.from({ length: n }, () => R - 1n),
        "zero and the largest by turns": Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 0n : R - 1n)),
        "a single one in the middle": Array.from({ length: n }, (_, i) => (i === n / 2 ? 1n : 0n)),
        "a single largest at the end": Array.from({ length: n }, (_, i) => (i === n - 1 ? R - 1n : 0n)),
        edges: Array.from({ length: n }, (_, i) => edges[i % edges.length]!),
      };
      for (const [name, values] of Object.entries(families)) {
        for (const transform of TRANSFORMS) {
          expect(await run(ntt, values, transform), `${name}, ${transform}`).toEqual(transformed(values, transform));
        }
      }
    });

    test("forward and inverse undo each other", async () => {
      const values = random(1 << 11, 5);
      expect(await run(ntt, await run(ntt, values, "forward"), "inverse")).toEqual(values);
    });

    test("the table of a domain", async () => {
      for (const power of [1, 2, 6, 7, 10]) {
        const n = 2 ** power;
        const memory = device.memory;
        await device.exclusive(async () => {
          const domain = await ntt.domain(power);
          const bytes = await device.read(domain.table, 0, 32 * n);
          const inverse = (x: bigint) => x * ntt.toMont(1n);
          let g = 1n;
          for (let e = 0; e < n; e++, g = (g * rootOfUnity(power + 1)) % R) {
            expect(fromBytes(bytes.subarray(32 * e, 32 * e + 32))).toBe(inverse(g) % R);
          }
          domain.free();
        });
        expect(device.memory).toBe(memory);
      }
    });

    test("a domain is shared, and freed when nobody has it", async () => {
      const memory = device.memory;
      await device.exclusive(async () => {
        const [first, second, other] = [await ntt.domain(6), await ntt.domain(6), await ntt.domain(7)];
        expect(second.table).toBe(first.table);
        expect(other.table).not.toBe(first.table);
        expect(second.work()).toBe(first.work());
        const held = device.memory;
        first.free();
        first.free();
        expect(device.memory).toBe(held);
        second.free();
        expect(device.memory).toBe(held - 4 * 32 * 64);
        other.free();
        expect(device.memory).toBe(memory);
      });
    });

    test("an abort leaves nothing", async () => {
      const values = random(1 << 10);
      const aborted = AbortSignal.abort(new Error("enough"));
      await expect(run(ntt, values, "forward", aborted)).rejects.toThrow("enough");
      // while the table is made
      const controller = new AbortController();
      const running = run(ntt, values, "coset", controller.signal);
      controller.abort(new Error("enough of it"));
      await expect(running).rejects.toThrow("enough of it");
      expect(await run(ntt, values, "coset")).toEqual(transformed(values, "coset"));
    });

    test("what is too large for the device is refused, and nothing is left", async () => {
      const small = await Device.open({ maxBufferSize: 1024 });
      try {
        const other = new Ntt(small, resolveTuning());
        const input = small.buffer(1024, "input");
        const large = small.exclusive(() => other.transform(input, 6, "forward"));
        await expect(large).rejects.toMatchObject({ code: "BUFFER_TOO_LARGE" });
        expect(small.memory).toBe(1024);
      } finally {
        small.close();
      }
    });
  });

  test("tiles as large as wanted, or as fit", () => {
    const fit = Math.log2(device.limits.workgroupStorage / 32);
    expect(make().tileBits).toBe(9);
    expect(make({ layers: 4 }).tileBits).toBe(4);
    expect(make({ layers: 12 }).tileBits).toBe(Math.min(12, Math.floor(fit)));
  });

  test("in pieces of a few workgroups", async () => {
    const ntt = make({ layers: 6, unroll: false });
    Object.defineProperty(ntt.pace, "budget", { value: 500 });
    const values = random(1 << 9, 3);
    for (const transform of TRANSFORMS) {
      expect(await run(ntt, values, transform), transform).toEqual(transformed(values, transform));
    }
  });

  test("an abort is heard between pieces", async () => {
    const ntt = make({ layers: 6, unroll: false });
    Object.defineProperty(ntt.pace, "budget", { value: 500 });
    const controller = new AbortController();
    let pieces = 0;
    ntt.pace.learn = () => {
      if (++pieces === 4) controller.abort(new Error("enough of it"));
    };
    await expect(run(ntt, random(1 << 9), "coset", controller.signal)).rejects.toThrow("enough of it");
    // the one that was under way, and no other
    expect(pieces).toBe(4);
    expect(await run(ntt, random(1 << 9), "coset")).toEqual(transformed(random(1 << 9), "coset"));
  });
});
