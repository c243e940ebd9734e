/** `chunkproof doctor` and `--backend`, as processes, on a machine without a GPU: gpu.js is a device, WebGPU is missing. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { squares } from "../../src/setup/squares.js";
import { startNode } from "../support/built.js";
import { ROOT } from "../support/circuits.js";

const BIN = join(ROOT, createRequire(import.meta.url)("../../package.json").bin.chunkproof);
const POWER = 7;

let folder: string;
let cache: string;
let counter = 0;
const here = (name: string) => join(folder, name);

/** The command in the test's own cache. Dawn finds no driver by the name of a file that is none. */
const start = (...args: string[]) =>
  startNode([BIN, ...args], {
    cwd: folder,
    env: { CHUNKPROOF_CACHE: cache, VK_ICD_FILENAMES: "/dev/null", VK_DRIVER_FILES: "/dev/null" },
  });
const run = (...args: string[]) => start(...args).done;
const json = async (...args: string[]) => {
  const { code, stdout } = await run(...args, "--json");
  return { code, ...JSON.parse(stdout) };
};
const prove = ["groth16", "prove", "k.zkey", "w.wtns", "p.json", "s.json"];
const kept = async () => JSON.parse(await readFile(join(cache, "calibrations.json"), "utf8")).calibrations;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chunkproof-doctor-"));
  cache = here("cache");
  const { r1cs, wtns } = await squares(POWER);
  await writeFile(here("c.r1cs"), r1cs);
  await writeFile(here("w.wtns"), wtns);
  expect((await run("groth16", "setup", "c.r1cs", "k.zkey")).code).toBe(0);
  expect((await run("groth16", "vkey", "k.zkey", "v.json")).code).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => {
  cache = here(`cache-${counter++}`);
});

describe("doctor", () => {
  test("says what there is on stderr, nothing on stdout, and measures nothing by itself", async () => {
    const { code, stdout, stderr } = await run("doctor", "-t", "1");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toMatch(/^chunkproof \d+\.\d+\.\d+, Node \d/m);
    expect(stderr).toMatch(/^ {2}wasm +SIMD, arithmetic (fma|int)/m);
    expect(stderr).toMatch(/^ +1 thread, shared memory$/m);
    expect(stderr).toMatch(/^ {2}webgpu +not available: .*\[WEBGPU_UNAVAILABLE\]\n +what to do: /m);
    expect(stderr).toMatch(/^ {2}gpujs +gpu\.js/m);
    expect(stderr).toContain(`cache        ${cache}\n`);
    expect(stderr).toMatch(/measured +nothing yet/);
    await expect(kept()).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("--refresh measures, keeps, and measures the same sizes again; other commands go by it", async () => {
    const first = await json("doctor", "--refresh", "--sizes", String(POWER));
    expect(first).toMatchObject({ code: 0, ok: true, command: "doctor" });
    expect(first.calibrations).toEqual([{ ...(await kept())[0], stale: [] }]);
    const [calibration] = first.calibrations;
    expect(calibration).toMatchObject({ key: { power: POWER }, choice: expect.stringMatching(/^(wasm|gpujs)$/) });
    const names = calibration.measurements.map(({ name }: { name: string }) => name);
    expect(names).toEqual(["wasm", "gpujs"]);
    expect(calibration.measurements[0].ms.length).toBe(3);
    expect(calibration.measurements.every(({ outcome }: { outcome: string }) => outcome !== "failed")).toBe(true);

    const again = await run("doctor", "--refresh");
    expect(again.stderr).toMatch(new RegExp(`^2\\^${POWER}: making .*\n2\\^${POWER}: measuring\n`, "m"));
    const [newer, ...rest] = await kept();
    expect(rest).toEqual([]);
    expect(newer.key).toEqual(calibration.key);
    expect(newer.at > calibration.at).toBe(true);

    // the key that was measured is that of a proof of this size
    expect(await json(...prove, "--backend", "auto")).toMatchObject({ code: 0, backend: "auto" });
    expect(await kept()).toEqual([newer]);
  });

  test("a damaged file is said, and replaced when something is measured", async () => {
    const path = join(cache, "calibrations.json");
    await json("doctor", "--refresh", "--sizes", "4");
    await writeFile(path, "{ damaged");
    expect((await json("doctor")).store).toEqual({ place: path, fault: expect.stringMatching(/not JSON/) });
    const mended = await json("doctor", "--refresh", "--sizes", "4");
    expect(mended.store).toEqual({ place: path });
    expect(mended.calibrations.length).toBe(1);
  });

  test("a cache that cannot be written is a warning", async () => {
    cache = here("c.r1cs");
    const { code, stderr } = await run("doctor", "--refresh", "--sizes", "4");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: what was measured is not kept: /m);
    expect(await json("doctor", "--refresh", "--sizes", "4")).toMatchObject({
      notes: [expect.stringMatching(/not kept/)],
    });
  });

  test.each(["SIGINT", "SIGTERM"] as const)("%s ends a measurement, of which nothing is kept", async (signal) => {
    const child = start("doctor", "--refresh", "--sizes", "4,17");
    // the smaller size is whole by then
    while (!(await kept().catch(() => [])).length) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const at = performance.now();
    child.kill(signal);
    const { code, stdout, stderr } = await child.done;
    expect({ code, stdout }).toEqual({ code: signal === "SIGINT" ? 130 : 143, stdout: "" });
    expect(stderr).toMatch(/\nerror: interrupted\n$/);
    expect(performance.now() - at).toBeLessThan(5000);
    expect((await kept()).map(({ key }: { key: { power: number } }) => key.power)).toEqual([4]);
  });

  test.each([
    ["--sizes", "12"],
    ["--refresh", "--sizes", "3"],
    ["--refresh", "--sizes", "12;14"],
    ["-t", "0"],
  ])("bad usage is 2: %s %s %s", async (...args) => {
    const { code, stderr } = await run("doctor", ...args.filter((arg) => arg !== undefined));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: /);
  });
});

describe("--backend", () => {
  test.each(["auto", "wasm", "gpujs"])("%s makes a proof that is valid, and says what computed it", async (backend) => {
    const result = await json(...prove, "--backend", backend);
    expect(result).toMatchObject({ code: 0, ok: true, backend, selfChecked: true });
    expect(Object.keys(result.split).sort()).toEqual(["a", "b2", "c", "h", "quotient"]);
    if (backend !== "auto") expect(result.split).toMatchObject({ a: "wasm", quotient: backend });
    expect(result).not.toHaveProperty("fallback");
    expect((await run("groth16", "verify", "v.json", "s.json", "p.json")).code).toBe(0);
    // measured only where it was left to measurement
    expect(
      await kept().then(
        (list) => list.length,
        () => 0,
      ),
    ).toBe(backend === "auto" ? 1 : 0);
  });

  test("auto measures once", async () => {
    const first = await json(...prove, "--backend", "auto");
    const [calibration] = await kept();
    expect(calibration.key.power).toBe(POWER);
    const second = await json(...prove, "--backend", "auto");
    expect(second.split).toEqual(first.split);
    expect(await kept()).toEqual([calibration]);
    // another number of threads is another measurement
    await json(...prove, "--backend", "auto", "-t", "1");
    expect((await kept()).length).toBe(2);
  });

  test("a bad witness is its own error, and nothing is kept of it", async () => {
    const wtns = new Uint8Array(await readFile(here("w.wtns")));
    wtns[wtns.length - 32]! ^= 1;
    await writeFile(here("bad.wtns"), wtns);
    const args = ["groth16", "prove", "k.zkey", "bad.wtns", "p.json", "s.json", "--backend", "auto"];
    expect(await json(...args)).toMatchObject({ code: 2, error: { code: "WITNESS_UNSATISFIED" } });
    // what a device has a part in is checked in any case, and it is not its fault
    expect(await json(...args, "--no-self-check")).toMatchObject({ code: 2, error: { code: "WITNESS_UNSATISFIED" } });
    await expect(kept()).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("what this machine lacks is no fault of the input, what nobody has is", async () => {
    expect(await json(...prove, "--backend", "webgpu")).toMatchObject({
      code: 70,
      error: { code: "WEBGPU_UNAVAILABLE" },
    });
    const { code, stderr } = await run(...prove, "--backend", "cuda");
    expect(code).toBe(2);
    expect(stderr).toMatch(/Allowed choices are auto, wasm, webgpu, gpujs/);
  });
});
