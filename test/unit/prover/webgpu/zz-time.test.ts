import { test } from "vitest";
import { FR_MODULUS } from "../../../../src/formats/bn254.js";
import { Device } from "../../../../src/prover/webgpu/device.js";
import { makeField } from "../../../../src/prover/webgpu/wgsl/field.js";
import * as New from "../../../../src/prover/webgpu/wgsl/ntt.js";
import * as Q from "../../../../src/prover/webgpu/wgsl/qap.js";
import { skipWithoutGpu } from "../../../support/gpu.js";
await skipWithoutGpu();
test("time", async () => {
  const device = await Device.open();
  const field = makeField("fr", FR_MODULUS, 13);
  const o = { field, unroll: true, workgroup: 64 };
  const n = 4096;
  const b = [0, 1, 2, 3].map(() => device.buffer(32 * n, "x"));
  const code = New.passSource(o, 64);
  const main = code.indexOf("var<workgroup>");
  const sub = (from: RegExp, to: string) => code.slice(0, main) + code.slice(main).replace(from, to);

  for (const wg of [64, 32]) for (const tile of [64, 256]) {
    const c = New.passSource({ ...o, workgroup: wg }, tile);
    const bits = Math.log2(tile);
    await device.exclusive(async () => {
      const kernel = await device.kernel("x", c);
      for (const [what, kind, rows] of [["nothing", 0, bits], ["nothing rows2", 0, 2], ["dif", 1, bits], ["coset", 8, bits], ["dit", 2, bits], ["all", 11, bits]] as const) {
        const out: string[] = [];
        const groups = (3 * n) / 2 ** rows;
        for (let k = 0; k < 3; k++) {
          const [t, c0] = [performance.now(), process.cpuUsage()];
          device.batch().dispatch(kernel, b, groups, [0, groups, 12, kind, 0, rows, 0, 0]).submit();
          await device.done();
          const u = process.cpuUsage(c0);
          out.push(`${(performance.now() - t).toFixed(0)}/${((u.user + u.system) / 1000).toFixed(0)}`);
        }
        console.log("T", "wg", wg, "tile", tile, what, "wall/cpu", out.join(" "), "groups", groups);
      }
    });
  }
  for (const [name, c] of Object.entries({ product: Q.productSource(o) })) {
    await device.exclusive(async () => {
      const kernel = await device.kernel(name, c);
      const out: string[] = [];
      for (let k = 0; k < 3; k++) {
        const [t, c0] = [performance.now(), process.cpuUsage()];
        for (let i = 0; i < 8; i++) device.batch().dispatch(kernel, b.slice(0, 3), n / 64, [0, n / 64, 0, 0, n, 0, 0, 0]).submit();
        await device.done();
        const u = process.cpuUsage(c0);
        out.push(`${(performance.now() - t).toFixed(0)}/${((u.user + u.system) / 1000).toFixed(0)}`);
      }
      console.log("T", name, "wall/cpu", out.join(" "), "products", 8 * n);
    });
  }
  device.close();
}, 110000);
