import { expect, test } from "vitest";
import { FR_MODULUS } from "../../../../src/formats/bn254.js";
import { Device } from "../../../../src/prover/webgpu/device.js";
import { Pace } from "../../../../src/prover/webgpu/msm-pace.js";
import { Msm } from "../../../../src/prover/webgpu/msm.js";
import { resolveTuning } from "../../../../src/prover/webgpu/tuning.js";
import { expectedSum, progression, sourceOf } from "../../../support/bases.js";
import { skipWithoutGpu } from "../../../support/gpu.js";
import { randomNumbers, toWords } from "../../../support/kernels.js";
await skipWithoutGpu();
const group = (process.env.GROUP ?? "g1") as "g1" | "g2";
test("time", async () => {
  const device = await Device.open();
  const unroll = process.env.UNROLL !== "0";
  const tuning = resolveTuning({ unroll, ...JSON.parse(process.env.TUNING ?? "{}") });
  const msm = new Msm(device, tuning);
  const kernel = device.kernel.bind(device);
  device.kernel = async (label: string, code: string) => {
    const t = performance.now();
    const k = await kernel(label, code);
    const e = performance.now() - t;
    if (e > 50) console.log("compile", label, e.toFixed(0), code.length);
    return k;
  };
  const random = randomNumbers(1);
  const times = new Map<string, [number, number]>();
  if (process.env.PROFILE) {
    const proto = Pace.prototype as any;
    for (const name of ["add", "addGroups"]) {
      const original = proto[name];
      proto[name] = async function (job: any, signal: any) {
        const t = performance.now();
        await original.call(this, job, signal);
        this.submit();
        await device.done();
        const [a, b] = times.get(job.kernel.label) ?? [0, 0];
        times.set(job.kernel.label, [a + performance.now() - t, b + 1]);
      };
    }
  }
  for (const log of (process.env.LOGS ?? "6,10,12").split(",").map(Number)) {
    const n = 2 ** log;
    const { bytes, logs } = progression(group, n, 12345n, 678910111213n);
    const scalars = Array.from({ length: n }, () => random(FR_MODULUS));
    await device.exclusive(async () => {
      let t = performance.now();
      const set = await msm.putBases(sourceOf(group, bytes));
      console.log(group, log, "put", (performance.now() - t).toFixed(0), JSON.stringify(set.plan));
      t = performance.now();
      const set2 = await msm.putBases(sourceOf(group, bytes));
      console.log("put again", (performance.now() - t).toFixed(0));
      set2.free();
      const words = toWords(scalars, 8);
      const buffer = device.buffer(words.byteLength, "scalars");
      device.upload(buffer, 0, new Uint8Array(words.buffer));
      for (let i = 0; i < 3; i++) {
        t = performance.now();
        const sum = await msm.sum(set, buffer, n);
        console.log("sum", (performance.now() - t).toFixed(0));
        if (times.size) console.log([...times].map(([k, [a, b]]) => `${k} ${a.toFixed(0)} (${b})`).join(", "));
        times.clear();
        expect(sum).toEqual(expectedSum(group, logs, scalars));
      }
      device.free(buffer);
      set.free();
    });
  }
  device.close();
}, 110000);
