import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Device } from "../../../src/prover/webgpu/device.js";
import { Msm } from "../../../src/prover/webgpu/msm.js";
import { resolveTuning, type Tuning } from "../../../src/prover/webgpu/tuning.js";
import { expectedSum, progression, sourceOf } from "../../support/bases.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { describeSums, randomScalars, sumOnDevice } from "../../support/sums.js";

const skip = await skipWithoutGpu();

// compiling takes a software device most of the time
describe.skipIf(skip)("sums on a GPU", () => {
  let device: Device;
  beforeAll(async () => {
    device = await Device.open();
  });
  afterAll(() => device?.close());

  const tuned = (tuning: Partial<Tuning> = {}) =>
    new Msm(device, resolveTuning({ unroll: false, spell: "none", ...tuning }));

  describeSums("g2", 40, (tuning) => [device, tuned(tuning)]);

  test.each([
    { limbBits: 12, workgroup: 32, windowBits: 5, run: 4 },
    { limbBits: 14, workgroup: 128, windowBits: 11, run: 7, spell: "all" },
  ] as Partial<Tuning>[])("tuned to %o", async (tuning) => {
    const { bytes, logs } = progression("g1", 333, 1n, 1n);
    const scalars = randomScalars(333);
    expect(await sumOnDevice(device, tuned(tuning), sourceOf("g1", bytes), scalars)).toEqual(
      expectedSum("g1", logs, scalars),
    );
  });
});
