import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BaseSource } from "../../../src/prover/backend.js";
import type { Group } from "../../../src/prover/wasm/field.js";
import { Device } from "../../../src/prover/webgpu/device.js";
import { Msm } from "../../../src/prover/webgpu/msm.js";
import { planMsm } from "../../../src/prover/webgpu/msm-plan.js";
import { resolveTuning, type Tuning } from "../../../src/prover/webgpu/tuning.js";
import { baseSize } from "../../../src/prover/webgpu/wgsl/curve.js";
import { expectedSum, progression, sourceOf } from "../../support/bases.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { toWords } from "../../support/kernels.js";
import { describeSums, randomScalars, sumOnDevice } from "../../support/sums.js";

const skip = await skipWithoutGpu();
describe.skipIf(skip)("sums on a GPU", () => {
  let device: Device;
  beforeAll(async () => {
    device = await Device.open();
  });
  afterAll(() => device?.close());

  const tuned = (tuning: Partial<Tuning> = {}) => new Msm(device, resolveTuning({ unroll: false, ...tuning }));

  describeSums("g1", 100, (tuning) => [device, tuned(tuning)]);

  test("one bucket with everything, by a tree of many levels", async () => {
    const n = 3000;
    const { bytes, logs } = progression("g1", n, 1n, 1n);
    const ones = new Array(n).fill(1n);
    const msm = tuned({ windowBits: 4, run: 4 });
    expect(await sumOnDevice(device, msm, sourceOf("g1", bytes), ones)).toEqual(expectedSum("g1", logs, ones));
  });

  test("results of many slices do not fit a buffer", async () => {
    const small = await Device.open({ maxBufferSize: 2 ** 15 });
    try {
      const msm = new Msm(small, resolveTuning({ unroll: false, spell: "none", windowBits: 4, slice: 1, run: 4 }));
      const { bytes, logs } = progression("g1", 9, 3n, 5n);
      const scalars = randomScalars(9);
      expect(await sumOnDevice(small, msm, sourceOf("g1", bytes), scalars)).toEqual(expectedSum("g1", logs, scalars));
    } finally {
      small.close();
    }
  });

  describe("resources", () => {
    const { bytes, logs } = progression("g1", 64, 1n, 1n);
    const source = sourceOf("g1", bytes);

    test("sets share work, sums can be repeated, everything is given back", async () => {
      const msm = tuned();
      const before = device.memory;
      await device.exclusive(async () => {
        const scalars = randomScalars(64);
        const buffer = device.buffer(64 * 32, "scalars");
        device.upload(buffer, 0, new Uint8Array(toWords(scalars, 8).buffer));
        const bases = await msm.putBases(source);
        const fewer = await msm.putBases(sourceOf("g1", bytes.slice(0, 64 * 40)));
        const wanted = expectedSum("g1", logs, scalars);
        expect(await msm.sum(bases, buffer, 64)).toEqual(wanted);
        const held = device.memory;
        expect(await msm.sum(fewer, buffer, 64)).toEqual(expectedSum("g1", logs.slice(0, 40), scalars));
        expect(await msm.sum(bases, buffer, 64)).toEqual(wanted);
        expect(device.memory - held).toBeLessThan(2 ** 16);
        bases.free();
        bases.free();
        await expect(msm.sum(bases, buffer, 64)).rejects.toThrow(TypeError);
        await expect(msm.sum(fewer, buffer, 39)).rejects.toThrow(RangeError);
        fewer.free();
        device.free(buffer);
      });
      expect(device.memory).toBe(before);
    });

    test("a source that fails, and an abort, leave nothing", async () => {
      const msm = tuned({ slice: 16 });
      const before = device.memory;
      const fault = new Error("cannot be read");
      const failing: BaseSource = {
        ...source,
        read: (from, to) => (from < 32 ? source.read(from, to) : Promise.reject(fault)),
      };
      await expect(device.exclusive(() => msm.putBases(failing))).rejects.toBe(fault);
      const controller = new AbortController();
      const aborting: BaseSource = {
        ...source,
        read: (from, to) => {
          if (from === 32) controller.abort(fault);
          return source.read(from, to);
        },
      };
      await expect(device.exclusive(() => msm.putBases(aborting, controller.signal))).rejects.toBe(fault);
      expect(device.memory).toBe(before);
      await device.exclusive(async () => {
        const bases = await msm.putBases(source);
        const buffer = device.buffer(64 * 32, "scalars");
        await expect(msm.sum(bases, buffer, 64, AbortSignal.abort(fault))).rejects.toBe(fault);
        device.free(buffer);
        bases.free();
      });
      expect(device.memory).toBe(before);
    });

    test("coordinates that are on no curve are DEVICE_WRONG_RESULT", async () => {
      const off = bytes.slice();
      off[0]! ^= 1;
      const scalars = randomScalars(64);
      await expect(sumOnDevice(device, tuned(), sourceOf("g1", off), scalars)).rejects.toMatchObject({
        code: "DEVICE_WRONG_RESULT",
      });
    });
  });
});

describe("the layout of a sum", () => {
  const GROUPS: readonly Group[] = ["g1", "g2"];

  test("has larger digits for more bases", () => {
    const bits = [6, 10, 14, 18, 20].map((log) => planMsm("g1", 2 ** log, resolveTuning(), 2 ** 31).bits);
    expect(bits).toEqual([...bits].sort((a, b) => a - b));
    expect(bits[0]).toBeLessThan(7);
    expect(bits.at(-1)).toBe(16);
  });

  test("has no buffer that is larger than the limit", () => {
    for (const group of GROUPS) {
      for (const limit of [2 ** 18, 2 ** 22, 2 ** 27]) {
        for (const count of [1, 1000, 2 ** 16, 2 ** 22]) {
          for (const tuning of [{}, { run: 4 }, { windowBits: 4 }, { slice: 1000 }]) {
            const { slice, sizes } = planMsm(group, count, resolveTuning(tuning), limit);
            expect(Math.max(...Object.values(sizes), slice * baseSize(group))).toBeLessThanOrEqual(limit);
            expect(slice).toBeGreaterThanOrEqual(1);
            expect(slice).toBeLessThanOrEqual(Math.min(count, tuning.slice ?? count));
          }
        }
      }
    }
  });

  test("that does not fit is BUFFER_TOO_LARGE", () => {
    const plan = () => planMsm("g2", 5, resolveTuning({ windowBits: 16 }), 2 ** 20);
    expect(plan).toThrow(expect.objectContaining({ code: "BUFFER_TOO_LARGE" }));
  });
});
