import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { warnFallback } from "../../../src/cli/command.js";
import { diagnose, doctorCommand, parseSizes } from "../../../src/cli/doctor.js";
import {
  type Diagnosis,
  describeCalibration,
  describeDiagnosis,
  describeMeasurement,
  RefreshView,
  time,
} from "../../../src/cli/doctor-view.js";
import { Output } from "../../../src/cli/output.js";
import type { Canvas } from "../../../src/cli/screen.js";
import { ProverError } from "../../../src/errors.js";
import { storedText } from "../../../src/platform/node.js";
import type { Backend, BackendInfo, BackendName } from "../../../src/prover/backend.js";
import { type Calibration, Calibrations, calibrationKey } from "../../../src/prover/calibration.js";
import { examineBackends } from "../../../src/prover/examine.js";
import { SPLITS } from "../../../src/prover/split.js";
import { VERSION } from "../../../src/version.js";

const wasm: BackendInfo = {
  backend: "wasm",
  device: "2 threads",
  native: ["msm", "ntt", "quotient"],
  memory: 1,
  details: { arithmetic: "fma", threads: 2, sharedMemory: true },
};
const gpu: BackendInfo = {
  backend: "webgpu",
  device: "nvidia hopper NVIDIA H100",
  native: ["msm", "ntt", "quotient"],
  memory: 0,
  details: { limbBits: 13, unroll: true, buffer: 2 ** 31 },
};
const noGpuJs = new ProverError("the package gpu.js is not installed", {
  code: "GPUJS_UNAVAILABLE",
  where: "gpu.js",
  expected: "npm install gpu.js",
});

/** Opens backends from a list: what they are, or why they are not there. */
function openFrom(found: Partial<Record<BackendName, BackendInfo | Error>>) {
  const closed: BackendName[] = [];
  const open = vi.fn(async (name: BackendName, _options?: object) => {
    const info = found[name];
    if (info === undefined || info instanceof Error) throw info ?? new Error("nothing");
    return { name, info: () => info, close: async () => void closed.push(name) } as unknown as Backend;
  });
  return { open, closed };
}

let folder: string;
let calibrations: Calibrations;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "chunkproof-doctor-"));
  vi.stubEnv("CHUNKPROOF_CACHE", folder);
  calibrations = new Calibrations(storedText("calibrations.json"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const on = { threads: 2, arithmetic: "fma" };
const measuredOn = (devices: BackendInfo[], power: number, change: Partial<Calibration["key"]> = {}): Calibration => ({
  key: { ...calibrationKey(power, on, devices), ...change },
  measurements: [
    { name: "wasm", ms: [210, 200, 220], outcome: "measured" },
    { name: "webgpu", ms: [100, 101, 99], outcome: "measured" },
  ],
  choice: "webgpu",
  at: "2026-11-21T20:00:00.000Z",
});

describe("what is examined", () => {
  test("each backend is opened as proofs open it, asked and closed; errors are kept with what helps", async () => {
    const { open, closed } = openFrom({ wasm, webgpu: gpu, gpujs: noGpuJs });
    expect(await examineBackends({ threads: 3, open })).toEqual([
      { backend: "wasm", info: wasm },
      { backend: "webgpu", info: gpu },
      {
        backend: "gpujs",
        fault: { code: "GPUJS_UNAVAILABLE", message: noGpuJs.message, expected: "npm install gpu.js" },
      },
    ]);
    expect(closed).toEqual(["wasm", "webgpu"]);
    // a device is the same whatever the number of threads, and so is the key of what was measured with it
    expect(open.mock.calls).toEqual([
      ["wasm", { threads: 3 }],
      ["webgpu", {}],
      ["gpujs", {}],
    ]);
  });

  test("an abort ends it", async () => {
    const { open } = openFrom({ wasm });
    await expect(examineBackends({ open, signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
    expect(open).not.toHaveBeenCalled();
  });

  test("calibrations of another machine, version or other devices are stale, those of other sizes are not", async () => {
    await calibrations.put(measuredOn([gpu], 14));
    await calibrations.put(measuredOn([gpu], 16));
    await calibrations.put(measuredOn([gpu], 14, { version: "0.0.1" }));
    await calibrations.put(measuredOn([], 14));
    await calibrations.put(measuredOn([gpu], 14, { machine: "another", version: "0.0.1" }));
    const found = await diagnose(calibrations, openFrom({ wasm, webgpu: gpu, gpujs: noGpuJs }));
    const stale = found.calibrations.map(({ key, stale }) => [key.power, ...stale].join(" ")).sort();
    expect(stale).toEqual(["14", "14 device", "14 machine version", "14 version", "16"]);
    expect(found).toMatchObject({
      version: VERSION,
      node: process.versions.node,
      cache: folder,
      store: { place: join(folder, "calibrations.json"), fault: undefined },
    });
    expect(found.cores).toBeGreaterThan(0);
    expect(found.processor).not.toBe("");
  });

  test("a damaged file is said", async () => {
    await writeFile(calibrations.place, "{");
    const found = await diagnose(calibrations, openFrom({ wasm }));
    expect(found.calibrations).toEqual([]);
    expect(found.store.fault).toMatch(/not JSON/);
    expect(describeDiagnosis(found)).toContain(`measured     ${calibrations.place} is ignored: it is not JSON`);
  });
});

describe("what doctor says", () => {
  const diagnosis: Diagnosis = {
    version: "1.2.3",
    node: "20.20.2",
    platform: "linux x64",
    processor: "AMD EPYC",
    cores: 2,
    backends: [
      { backend: "wasm", info: wasm },
      { backend: "webgpu", info: gpu },
      {
        backend: "gpujs",
        fault: { code: "GPUJS_UNAVAILABLE", message: noGpuJs.message, expected: "npm install gpu.js" },
      },
    ],
    cache: "/cache",
    store: { place: "/cache/calibrations.json" },
    calibrations: [
      { ...measuredOn([gpu], 16), stale: [] },
      { ...measuredOn([gpu], 12), stale: ["version", "device"] },
      { ...measuredOn([gpu], 14), stale: [] },
    ],
  };

  test("everything in lines, current calibrations before stale ones", () => {
    const found = "webgpu (wasm 210 ms, webgpu 100 ms), 2026-11-21";
    expect(describeDiagnosis(diagnosis).split("\n")).toEqual([
      "chunkproof 1.2.3, Node 20.20.2, linux x64",
      "  machine      AMD EPYC, 2 cores",
      "  wasm         SIMD, arithmetic fma",
      "               2 threads, shared memory",
      "  webgpu       nvidia hopper NVIDIA H100",
      "               computes msm, ntt, quotient",
      "               limbBits 13, unroll true, buffer 2 GiB",
      "  gpujs        not available: gpu.js: the package gpu.js is not installed (expected npm install gpu.js) [GPUJS_UNAVAILABLE]",
      "               what to do: npm install gpu.js",
      "  cache        /cache",
      `  measured     2^14, 2 threads: ${found}`,
      `               2^16, 2 threads: ${found}`,
      `               2^12, 2 threads: ${found}; stale: another version, other devices`,
    ]);
  });

  test("what is missing is said with what to do, an adapter too", () => {
    const none = { code: "WEBGPU_UNAVAILABLE", message: "webgpu: WebGPU finds no adapter" };
    const text = describeDiagnosis({
      ...diagnosis,
      backends: [
        { backend: "wasm", info: { ...wasm, details: { arithmetic: "int", sharedMemory: false } } },
        { backend: "webgpu", fault: none },
      ],
      calibrations: [],
    });
    expect(text).toMatch(/arithmetic int: slower/);
    expect(text).toMatch(/one thread: memory cannot be shared/);
    expect(text).toMatch(
      /not available: webgpu: WebGPU finds no adapter \[WEBGPU_UNAVAILABLE\]\n +what to do: .*vulkaninfo/,
    );
    expect(text).toMatch(/measured +nothing yet: .*doctor --refresh/);
  });

  test("measurements in words", () => {
    expect([0.44, 9.94, 9.96, 210.4, 999.4, 999.6, 12_340, 125_000].map(time)).toEqual([
      "0.4 ms",
      "9.9 ms",
      "10 ms",
      "210 ms",
      "999 ms",
      "1.0 s",
      "12.3 s",
      "2:05 min",
    ]);
    const failed = { name: "webgpu", ms: [], outcome: "failed", error: { code: "DEVICE_LOST", message: "x" } } as const;
    expect(describeMeasurement(failed)).toBe("webgpu failed [DEVICE_LOST]");
    expect(describeMeasurement({ name: "gpujs", ms: [], outcome: "slower", endedAfter: 1500 })).toBe(
      "gpujs slower (ended after 1.5 s)",
    );
    expect(describeMeasurement({ name: "wasm", ms: [], outcome: "measured" })).toBe("wasm not measured");
    expect(describeCalibration({ ...measuredOn([], 14, { threads: 1 }), choice: "wasm" })).toMatch(
      /^2\^14, 1 thread: wasm \(/,
    );
  });

  test("sizes", () => {
    expect(parseSizes("16,12, 14,12")).toEqual([12, 14, 16]);
    expect([parseSizes("4"), parseSizes("22")]).toEqual([[4], [22]]);
    for (const bad of ["", "3", "23", "12,", "a", "12.5", "-4", "1e1"]) {
      expect(() => parseSizes(bad), bad).toThrow(InvalidArgumentError);
    }
  });

  test("measurements are followed: lines for logs, a picture for terminals", () => {
    const canvas: Canvas = { columns: 80, rows: 24, color: false, elapsed: 0 };
    const view = new RefreshView([12, 14]);
    const calibration = measuredOn([gpu], 12);
    const step = (round: number) =>
      ({ stage: "calibrate", name: "webgpu", round, rounds: 3, done: 2, total: 8 }) as const;
    expect(view.draw(canvas)).toEqual(["· 2^12  waiting", "· 2^14  waiting"]);
    expect(view.progress({ power: 12, state: "making" })).toBe("2^12: making a circuit and a key");
    expect(view.draw(canvas)[0]).toMatch(/^. 2\^12 {2}making a circuit and a key$/);
    expect(view.progress({ power: 12, state: "measuring", progress: step(0) })).toBe("2^12: measuring");
    expect(view.draw(canvas)[0]).toMatch(/^. 2\^12 {2}webgpu, first proof {2}25 %$/);
    expect(view.progress({ power: 12, state: "measuring", progress: step(2) })).toBeUndefined();
    expect(view.draw(canvas)[0]).toMatch(/webgpu, round 2 of 3/);
    expect(view.progress({ power: 12, state: "measured", calibration })).toBe(describeCalibration(calibration));
    expect(view.draw(canvas)).toEqual([`● ${describeCalibration(calibration)}`, "· 2^14  waiting"]);
  });
});

describe("the command line", () => {
  const written = (stream: "stdout" | "stderr") => {
    let text = "";
    vi.spyOn(process[stream], "write").mockImplementation((chunk) => {
      text += chunk;
      return true;
    });
    return () => text;
  };
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test("--sizes without --refresh is refused", async () => {
    const stderr = written("stderr");
    const refused = doctorCommand().exitOverride().parseAsync(["--sizes", "12"], { from: "user" });
    await expect(refused).rejects.toMatchObject({ exitCode: 1 });
    expect(stderr()).toMatch(/--sizes needs --refresh/);
    await expect(
      doctorCommand().exitOverride().parseAsync(["--refresh", "--sizes", "2"], { from: "user" }),
    ).rejects.toMatchObject({ code: "commander.invalidArgument" });
  });

  test("a device that failed is a warning; none, none", () => {
    const stderr = written("stderr");
    const out = new Output("x", {});
    const well = { split: SPLITS.webgpu };
    const fallback = { from: "webgpu", code: "DEVICE_LOST", message: "the GPU was lost" } as const;
    warnFallback(out, []);
    warnFallback(out, [well]);
    expect(stderr()).toBe("");
    warnFallback(out, [{ split: SPLITS.wasm, fallback }]);
    warnFallback(out, [well, { split: SPLITS.wasm, fallback }, well]);
    expect(stderr()).toBe(
      "warning: webgpu failed and the proof was finished by WebAssembly: the GPU was lost [DEVICE_LOST]\n" +
        "warning: webgpu failed and 1 of 3 proofs were finished by WebAssembly: the GPU was lost [DEVICE_LOST]\n",
    );
  });
});

test("the file of calibrations is one that people can read", async () => {
  await calibrations.put(measuredOn([gpu], 14));
  const text = await readFile(calibrations.place, "utf8");
  expect(text.split("\n").length).toBeGreaterThan(10);
  expect(text).toContain('"choice": "webgpu"');
});
