/**
 * What `chunkproof doctor` says, and what is seen of its measurements.
 *
 * @module
 */

import type { BackendInfo } from "../prover/backend.js";
import type { Calibration, CalibrationKey, Measurement } from "../prover/calibration.js";
import type { Examined } from "../prover/examine.js";
import { type CalibrationProgress, median } from "../prover/select.js";
import type { Check } from "./doctor-checks.js";
import { type Canvas, countOf, duration, paint, spinner } from "./screen.js";

/** What was found. */
export interface Diagnosis {
  readonly version: string;
  readonly node: string;
  /** Operating system and architecture. */
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
  readonly backends: readonly Examined[];
  /** Folder of generated artefacts. */
  readonly cache: string;
  /** Where calibrations are kept, and why what lies there was not read. */
  readonly store: { readonly place: string; readonly fault?: string | undefined };
  readonly calibrations: readonly (Calibration & {
    /** What is different now; nothing: it is in use. */
    readonly stale: readonly (keyof CalibrationKey)[];
  })[];
}

/** Milliseconds as people say them: `0.8 ms`, `210 ms`, then as `duration`. */
export function time(ms: number): string {
  return ms < 9.95 ? `${ms.toFixed(1)} ms` : ms < 999.5 ? `${ms.toFixed(0)} ms` : duration(ms);
}

/** Bytes as people say them. */
export function bytes(n: number): string {
  const [unit, size] = n >= 2 ** 30 ? ["GiB", 2 ** 30] : ["MiB", 2 ** 20];
  return `${Number((n / size).toFixed(1))} ${unit}`;
}

/** Names of details that are sizes in bytes. */
const BYTES = /buffer|memory|bytes/i;

function describeInfo({ backend, device, native, details }: BackendInfo): string[] {
  if (backend === "wasm") {
    const { arithmetic, sharedMemory } = details;
    return [
      arithmetic === "fma"
        ? "SIMD, arithmetic fma"
        : "SIMD, arithmetic int: slower, as there is no relaxed SIMD or no fused multiply-add",
      sharedMemory === false ? "one thread: memory cannot be shared" : `${device}, shared memory`,
    ];
  }
  const tuned = Object.entries(details).map(
    ([name, value]) =>
      `${name} ${BYTES.test(name) && typeof value === "number" && value >= 2 ** 20 ? bytes(value) : value}`,
  );
  return [device, `computes ${native.join(", ")}`, ...(tuned.length === 0 ? [] : [tuned.join(", ")])];
}

/** What helps when a backend is not available and its error does not say. */
const ADVICE: Readonly<Record<string, string>> = {
  WEBGPU_UNAVAILABLE:
    "install the GPU's driver (Linux: with Vulkan, `vulkaninfo --summary` must list the GPU); without a GPU nothing is missing",
  GPUJS_UNAVAILABLE: "npm install gpu.js; without it nothing is missing",
};

function describeBackend({ info, fault }: Examined): string[] {
  if (info !== undefined) return describeInfo(info);
  if (fault === undefined) return [];
  const advice = fault.expected ?? ADVICE[fault.code];
  return [
    `not available: ${fault.message} [${fault.code}]`,
    ...(advice === undefined ? [] : [`what to do: ${advice}`]),
  ];
}

const STALE = { machine: "another machine", device: "other devices", version: "another version" } as const;

/** What was measured of a candidate, in a few words. */
export function describeMeasurement({ name, ms, outcome, endedAfter, error }: Measurement): string {
  if (outcome === "failed") return `${name} failed [${error?.code ?? "UNKNOWN"}]`;
  if (outcome === "slower")
    return `${name} slower${endedAfter === undefined ? "" : ` (ended after ${time(endedAfter)})`}`;
  return ms.length === 0 ? `${name} not measured` : `${name} ${time(median(ms))}`;
}

/** What was measured for a size, and what was chosen. */
export function describeCalibration({ key, measurements, choice }: Calibration): string {
  const found = measurements.map(describeMeasurement).join(", ");
  return `2^${key.power}, ${countOf(key.threads, "thread")}: ${choice} (${found})`;
}

/** Lines under a name. */
const sectionOf = (name: string, content: readonly string[], width = 12): string[] =>
  content.map((line, i) => `  ${(i === 0 ? name : "").padEnd(width)} ${line}`);

/** What was found of memory, threads and the network. */
export function describeChecks(checks: readonly Check[]): string {
  const width = Math.max(12, ...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, level, message, advice }) => {
    const text = level === "ok" ? message : `${level === "fail" ? "FAILS" : "warning"}: ${message}`;
    return sectionOf(name, [text, ...(advice === undefined ? [] : [`what to do: ${advice}`])], width);
  });
  return lines.join("\n");
}

/** The whole report. */
export function describeDiagnosis(diagnosis: Diagnosis): string {
  const { version, node, platform, processor, cores, backends, cache, store, calibrations } = diagnosis;
  const lines = [`chunkproof ${version}, Node ${node}, ${platform}`];
  const section = (name: string, content: readonly string[]) => void lines.push(...sectionOf(name, content));
  section("machine", [`${processor}, ${countOf(cores, "core")}`]);
  for (const examined of backends) section(examined.backend, describeBackend(examined));
  section("cache", [cache]);
  const kept = [...calibrations]
    .sort((a, b) => Number(a.stale.length > 0) - Number(b.stale.length > 0) || a.key.power - b.key.power)
    .map((calibration) => {
      const why = calibration.stale.map((field) => STALE[field as keyof typeof STALE]).join(", ");
      return `${describeCalibration(calibration)}, ${calibration.at.slice(0, 10)}${why === "" ? "" : `; stale: ${why}`}`;
    });
  section("measured", [
    ...(store.fault === undefined ? [] : [`${store.place} is ignored: ${store.fault}`]),
    ...(kept.length > 0 ? kept : ["nothing yet: --backend auto measures when it is first used, doctor --refresh now"]),
  ]);
  return lines.join("\n");
}

/** What happens to a size that is measured. */
export type RefreshProgress =
  | { readonly power: number; readonly state: "making" }
  | { readonly power: number; readonly state: "measuring"; readonly progress: CalibrationProgress }
  | { readonly power: number; readonly state: "measured"; readonly calibration: Calibration };

/** Follows the measurements of `doctor --refresh`: a line for each size. */
export class RefreshView {
  readonly #lines: Map<number, RefreshProgress | undefined>;

  /** @param sizes log2 of the domains, in their order. */
  constructor(sizes: readonly number[]) {
    this.#lines = new Map(sizes.map((power) => [power, undefined]));
  }

  /** @returns a line for those who have no terminal; undefined: nothing worth one. */
  progress(progress: RefreshProgress): string | undefined {
    const { power, state } = progress;
    const before = this.#lines.get(power);
    this.#lines.set(power, progress);
    if (state === "making") return `2^${power}: making a circuit and a key`;
    if (state === "measured") return describeCalibration(progress.calibration);
    return before?.state === "measuring" ? undefined : `2^${power}: measuring`;
  }

  /** The picture: see `Screen`. */
  draw(canvas: Canvas): string[] {
    return [...this.#lines].map(([power, at]) => {
      const name = `2^${power}`.padEnd(5);
      if (at === undefined) return `${paint(canvas, "dim", "·")} ${name} ${paint(canvas, "dim", "waiting")}`;
      if (at.state === "measured") return `${paint(canvas, "green", "●")} ${describeCalibration(at.calibration)}`;
      const mark = paint(canvas, "yellow", spinner(canvas));
      if (at.state === "making") return `${mark} ${name} making a circuit and a key`;
      const { name: split, round, rounds, done, total } = at.progress;
      const which = round === 0 ? "first proof" : `round ${round} of ${rounds}`;
      return `${mark} ${name} ${split}, ${which}  ${Math.floor((100 * done) / total)} %`;
    });
  }
}
