import { test } from "vitest";
import { Device } from "../../../../src/prover/webgpu/device.js";
import { convertKernel, foldKernel, joinKernel, mergeKernel, runKernel } from "../../../../src/prover/webgpu/wgsl/sums.js";
import { skipWithoutGpu } from "../../../support/gpu.js";
await skipWithoutGpu();
test("compile", async () => {
  const device = await Device.open();
  const kernels = { runKernel, joinKernel, foldKernel, mergeKernel, convertKernel };
  for (const group of (process.env.GROUP ?? "g1,g2").split(",") as ("g1" | "g2")[])
    for (const unroll of process.env.UNROLL ? [process.env.UNROLL === "1"] : [false, true])
      for (const [name, make] of Object.entries(kernels)) {
        const c = process.cpuUsage();
        const t = performance.now();
        await device.kernel(name, make(group, { limbBits: 13, unroll, workgroup: 64 }));
        const { user, system } = process.cpuUsage(c);
        console.log(group, unroll ? "unrolled" : "looped", name, "wall", (performance.now() - t).toFixed(0), "cpu", ((user + system) / 1000).toFixed(0));
      }
  device.close();
}, 110000);
