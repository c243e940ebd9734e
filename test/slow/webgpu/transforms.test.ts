/**
 * Transforms and the quotient on a software GPU, made in every way that tuning allows, against BigInt; and larger ones against
 * WebAssembly.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Transform } from "../../../src/prover/backend.js";
import { Device } from "../../../src/prover/webgpu/device.js";
import { Ntt } from "../../../src/prover/webgpu/ntt.js";
import { Quotient } from "../../../src/prover/webgpu/quotient.js";
import { resolveTuning, type Tuning } from "../../../src/prover/webgpu/tuning.js";
import { prover } from "../../support/built.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { R } from "../../support/kernel.js";
import {
  bytesOf,
  constraintsOf,
  quotientOf,
  quotientsOn,
  randomRows,
  randomScalars,
  randomWitness,
  shortRows,
  transformed,
  transformOn,
} from "../../support/transforms.js";

const skip = await skipWithoutGpu();
const TRANSFORMS: readonly Transform[] = ["forward", "inverse", "coset"];

describe.skipIf(skip)("on a device", () => {
  let device: Device;
  beforeAll(async () => {
    device = await Device.open();
  });
  afterAll(() => device.close());

  const make = (tuning: Partial<Tuning>) => {
    const ntt = new Ntt(device, resolveTuning(tuning));
    return { ntt, quotient: new Quotient(device, ntt) };
  };

  // passes cut in different places, and products made in different ways
  test.each<[Partial<Tuning>, number[]]>([
    [{ layers: 1, limbBits: 14, unroll: false }, [1, 2, 5]],
    [{ layers: 2, limbBits: 12, workgroup: 32 }, [2, 3, 8]],
    [{ layers: 6, limbBits: 15, unroll: false, workgroup: 256 }, [4, 9]],
  ])("tuned to %o", async (tuning, powers) => {
    const { ntt, quotient } = make(tuning);
    for (const power of powers) {
      const n = 2 ** power;
      const values = randomScalars(n, power);
      values[0] = R - 1n;
      for (const transform of TRANSFORMS) {
        const got = await transformOn(device, ntt, values, transform);
        expect(got, `2^${power}, ${transform}`).toEqual(transformed(values, transform));
      }
      const lengths = shortRows(n, power);
      lengths[n >> 1] = 300;
      const [a, b] = [randomRows(lengths, 50, 7), randomRows(lengths.toReversed(), 50, 8)];
      const witness = randomWitness(50, 7);
      const got = await quotientsOn(device, quotient, constraintsOf(a, b, 50), [witness]);
      expect(got, `2^${power}, quotient`).toEqual([quotientOf(a, b, witness)]);
    }
  });

  test("what WebAssembly computes", async () => {
    const n = 2 ** 12;
    const nVars = 5000;
    const lengths = shortRows(n, 5);
    lengths[77] = 3000;
    const [a, b] = [randomRows(lengths, nVars, 1), randomRows(shortRows(n, 6), nVars, 2)];
    const source = constraintsOf(a, b, nVars);
    const witness = randomWitness(nVars, 4);
    const { ntt, quotient } = make({});
    const wasm = await prover.openBackend("wasm", { threads: 2 });
    try {
      const scalars = await wasm.putScalars(bytesOf(witness));
      const expected = await wasm.quotient(await wasm.putConstraints(source), scalars);
      const [got] = await quotientsOn(device, quotient, source, [witness]);
      expect(bytesOf(got!)).toEqual(await wasm.readScalars(expected));
      for (const transform of TRANSFORMS) {
        const values = witness.slice(0, n);
        const set = await wasm.ntt(await wasm.putScalars(bytesOf(values)), transform);
        const bytes = bytesOf(await transformOn(device, ntt, values, transform));
        expect(bytes, transform).toEqual(await wasm.readScalars(set));
      }
    } finally {
      await wasm.close();
    }
  });
});
