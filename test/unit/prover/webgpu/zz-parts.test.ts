import { test } from "vitest";
import { Device } from "../../../../src/prover/webgpu/device.js";
import { curveSource, readElements, readPoints, writePoints } from "../../../../src/prover/webgpu/wgsl/curve.js";
import { kernelSource } from "../../../../src/prover/webgpu/wgsl/kernel.js";
import { skipWithoutGpu } from "../../../support/gpu.js";
await skipWithoutGpu();
test("compile", async () => {
  const device = await Device.open();
  const unroll = process.env.UNROLL === "1";
  const source = curveSource("g1", { bits: 13, unroll, grouped: !unroll }) + readPoints("g1", "a") + writePoints("g1", "b");
  const full = curveSource("g1", { bits: 13, unroll, grouped: true });
  const access = readPoints("g1", "a") + writePoints("g1", "b");
  const rareA = full.indexOf("var rare = maybe_zero(dx)");
  const rareB = full.indexOf("let d = pick_point(first, same, twice)");
  const noRare = full.slice(0, rareA) + full.slice(rareB);
  const noPick = noRare.replace("return pick_point(pick_point(sum, p, is_infinity(q)), q, is_infinity(p));", "return sum;").replace("let d = pick_point(first, same, twice)", "let d = first");
  const flat = (x: string) => curveSource("g1", { bits: 13, unroll, grouped: false }).includes("x") ? x : x;
  const straightFull = curveSource("g1", { bits: 13, unroll, grouped: false });
  const sA = straightFull.indexOf("var rare = maybe_zero(dx)");
  const sB = straightFull.indexOf("let d = pick_point(first, same, twice)");
  const straight = (straightFull.slice(0, sA) + straightFull.slice(sB)).replace("return pick_point(pick_point(sum, p, is_infinity(q)), q, is_infinity(p));", "return sum;").replace("let d = pick_point(first, same, twice)", "let d = first").replace("var p = dx;\nvar r = dy;\nvar twice", "let p = dx;\nlet r = dy;\nlet twice");
  const stub = (x: string) => x.replace(/fn fq_mul\(([^{]*)\{[\s\S]*?\n}\n/, "fn fq_mul($1{ return fq_add(a_in, b_in); }\n");
  const body = "b_set(t, add_points(a_point(t), a_point(t + 1)));";
  const variants: Record<string, string> = { full, noRare, noPick, straight, "full, mul is add": stub(full), "straight, mul is add": stub(straight) };
  for (const [name, text] of Object.entries(variants)) {
    const source = text + access;
    const c = process.cpuUsage();
    await device.kernel(name, kernelSource({ workgroup: 64, buffers: [{ name: "a", of: "vec4u" }, { name: "b", of: "vec4u", write: true }], parameters: [], source, body }));
    const { user, system } = process.cpuUsage(c);
    console.log(name, "cpu", ((user + system) / 1000).toFixed(0));
  }
  device.close();
}, 110000);
