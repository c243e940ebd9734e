/**
 * `chunkproof doctor`: what this machine can prove with, and what was measured of it.
 *
 * @module
 */

import { arch, cpus, platform } from "node:os";
import { type Command, InvalidArgumentError } from "commander";
import { cacheFolder, hardwareThreads } from "#platform";
import type { BackendInfo } from "../prover/backend.js";
import type { Calibration, Calibrations } from "../prover/calibration.js";
import type { ExamineOptions } from "../prover/examine.js";
import type { ThreadCount } from "../prover/index.js";
import { isChoosable } from "../prover/select.js";
import { VERSION } from "../version.js";
import { command, runCommand, type ThreadOptions, withThreads } from "./command.js";
import type { Check } from "./doctor-checks.js";
import type { Diagnosis, RefreshProgress } from "./doctor-view.js";
import { EXIT, type Output } from "./output.js";
import { countOf } from "./screen.js";

interface DoctorOptions extends ThreadOptions {
  readonly refresh?: boolean;
  readonly sizes?: readonly number[];
}

/** Options of what is checked of a network; text, see `DOCTOR_OPTIONS`: its module is not loaded for other commands. */
const NETWORK_OPTIONS: readonly (readonly [flags: string, help: string])[] = [
  ["--redis <url>", "check this queue"],
  ["--coordinator <url>", "check this coordinator"],
  ["--store <folder or url>", "check this store"],
  ["--keys <dir>", "check this folder of keys, and whether they are those of the network"],
  ["--redis-prefix <text>", "begins all names in Redis (default: chunkproof)"],
  ["--token <token>", "token of the network; better in CHUNKPROOF_TOKEN or a file"],
  ["--token-file <file>", "file with the token"],
  ["--cache <dir>", "where circuits and keys are kept"],
];

/** Measured when nothing was before: log2 of the domains. */
const SIZES: readonly number[] = [12, 14, 16];
const MIN_SIZE = 4;
const MAX_SIZE = 22;

/** Parses `--sizes`. */
export function parseSizes(text: string): number[] {
  const sizes = text.split(",").map((part) => (/^\s*\d{1,2}\s*$/.test(part) ? Number(part) : Number.NaN));
  if (!sizes.every((size) => size >= MIN_SIZE && size <= MAX_SIZE)) {
    throw new InvalidArgumentError(`expected numbers from ${MIN_SIZE} to ${MAX_SIZE}, log2 of the domain: 12,14,16.`);
  }
  return [...new Set(sizes)].sort((a, b) => a - b);
}

/** How a size is measured. */
export interface MeasureOptions {
  readonly threads: ThreadCount;
  /** Devices that may be chosen. */
  readonly devices: readonly BackendInfo[];
  readonly calibrations: Calibrations;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RefreshProgress) => void;
}

/**
 * Measures a size anew, with proofs of a chain of squares.
 *
 * @returns the calibration, and why it lasts no longer than this process, if so.
 */
export async function measureSize(
  power: number,
  { threads, devices, calibrations, signal, onProgress }: MeasureOptions,
): Promise<{ readonly calibration: Calibration; readonly unkept: string | undefined }> {
  const [
    { squares },
    { setup },
    { loadProvingKey, prove },
    { calibrationKey, sameKey },
    { calibrate, candidateOf, splitsOn },
  ] = await Promise.all([
    import("../setup/squares.js"),
    import("../setup/index.js"),
    import("../prover/index.js"),
    import("../prover/calibration.js"),
    import("../prover/select.js"),
  ]);
  onProgress({ power, state: "making" });
  const { r1cs, wtns } = await squares(power, signal);
  const { zkey } = await setup(r1cs, { threads, signal });
  await using key = await loadProvingKey(new Blob(zkey as BlobPart[]), { threads, signal });
  const calibrated = calibrationKey(power, key.info(), devices);
  // whoever asks for a new one no longer believes the old one
  await calibrations.forget((old) => sameKey(old.key, calibrated));
  const candidates = splitsOn(devices.map(({ backend }) => backend)).map((split) =>
    candidateOf(split, (ending) => prove(key, wtns, { split, signal: ending })),
  );
  const calibration = await calibrate(calibrated, candidates, {
    signal,
    onProgress: (progress) => onProgress({ power, state: "measuring", progress }),
  });
  const unkept = await calibrations.put(calibration);
  onProgress({ power, state: "measured", calibration });
  return { calibration, unkept };
}

/** Everything but measurements. */
export async function diagnose(calibrations: Calibrations, options: ExamineOptions): Promise<Diagnosis> {
  const [{ examineBackends }, { calibrationKey, staleness }] = await Promise.all([
    import("../prover/examine.js"),
    import("../prover/calibration.js"),
  ]);
  const backends = await examineBackends(options);
  const wasm = backends.find(({ backend }) => backend === "wasm")?.info?.details;
  const arithmetic = String(wasm?.arithmetic ?? "none");
  const now = calibrationKey(1, { threads: 1, arithmetic }, devicesOf({ backends }));
  const kept = await calibrations.list();
  return {
    version: VERSION,
    node: process.versions.node,
    platform: `${platform()} ${arch()}`,
    processor: cpus()[0]?.model.trim() || "unknown processor",
    cores: hardwareThreads(),
    backends,
    cache: cacheFolder(),
    store: { place: calibrations.place, fault: kept.fault },
    calibrations: kept.calibrations.map((calibration) => ({
      ...calibration,
      stale: staleness(calibration.key, now),
    })),
  };
}

/** Devices beside WebAssembly that `auto` may choose. */
const devicesOf = ({ backends }: Pick<Diagnosis, "backends">): BackendInfo[] =>
  backends.flatMap(({ backend, info }) =>
    backend === "wasm" || info === undefined || !isChoosable(info) ? [] : [info],
  );

/** Measures what `--refresh` asks for; says why nothing is measured, or lasts. */
async function refresh(
  diagnosis: Diagnosis,
  calibrations: Calibrations,
  { sizes, threads }: DoctorOptions,
  out: Output,
  signal: AbortSignal,
): Promise<string[]> {
  const devices = devicesOf(diagnosis);
  if (devices.length === 0) return ["nothing was measured: there is no device to compare WebAssembly with"];
  const own = diagnosis.calibrations.filter(({ stale }) => !stale.includes("machine")).map(({ key }) => key.power);
  const powers = sizes ?? (own.length > 0 ? [...new Set(own)].sort((a, b) => a - b) : SIZES);
  out.note(
    `measuring ${countOf(powers.length, "size")} with ${devices.map(({ device }) => device).join(", ")}: proofs with each candidate, which may take minutes`,
  );
  const { RefreshView } = await import("./doctor-view.js");
  const onProgress = out.view(new RefreshView(powers));
  const notes = new Set<string>();
  for (const power of powers) {
    const { unkept } = await measureSize(power, { threads, devices, calibrations, signal, onProgress });
    if (unkept !== undefined) notes.add(`what was measured is not kept: ${unkept}`);
  }
  return [...notes];
}

/** Memory, threads, and the network of the options and variables. */
async function checksOf(options: DoctorOptions, signal: AbortSignal): Promise<Check[]> {
  const [{ loadConfig, tokenOf }, { DOCTOR_OPTIONS }, { runChecks }] = await Promise.all([
    import("../service/config.js"),
    import("../service/options.js"),
    import("./doctor-checks.js"),
  ]);
  const { threads } = options;
  // options of other kinds than these are no business of the table
  const flags = Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(DOCTOR_OPTIONS, name)));
  const loaded = await loadConfig(DOCTOR_OPTIONS, flags, { ignoreFile: true });
  return runChecks({ ...loaded.config, threads, token: await tokenOf(loaded) }, signal);
}

async function doctor(options: DoctorOptions, out: Output, signal: AbortSignal): Promise<number> {
  const [{ ownCalibrations }, { describeChecks, describeDiagnosis }] = await Promise.all([
    import("../prover/calibration.js"),
    import("./doctor-view.js"),
  ]);
  const calibrations = ownCalibrations();
  const { threads } = options;
  // options that are none are told of before anything that takes long
  const checks = await checksOf(options, signal);
  let diagnosis = await diagnose(calibrations, { threads, signal });
  let notes: string[] = [];
  const usable = diagnosis.backends.some(({ backend, info }) => backend === "wasm" && info !== undefined);
  if (options.refresh && usable) {
    notes = await refresh(diagnosis, calibrations, options, out, signal);
    diagnosis = await diagnose(calibrations, { threads, signal });
  }
  for (const note of notes) out.warn(note);
  const works = !checks.some(({ level }) => level === "fail");
  const details = { ...diagnosis, checks, ...(notes.length === 0 ? {} : { notes }) };
  out.result(`${describeDiagnosis(diagnosis)}\n${describeChecks(checks)}`, details, usable && works);
  // nothing can be proved without WebAssembly
  if (!usable) return EXIT.internal;
  return works ? EXIT.ok : EXIT.invalid;
}

/** The command `doctor`. */
export function doctorCommand(): Command {
  const c = withThreads(
    command(
      "doctor",
      `show what this machine can prove with, what was measured of it, and whether it fits a network; exit code ${EXIT.invalid} if something must be done`,
    ),
  );
  for (const [flags, help] of NETWORK_OPTIONS) c.option(flags, help);
  return c
    .option("--refresh", "measure again, with proofs of a circuit made for it, what `--backend auto` chooses by")
    .option(
      "--sizes <list>",
      "with --refresh: log2 of the domains (default: those measured before on this machine, else 12,14,16)",
      parseSizes,
    )
    .action((options: DoctorOptions, self: Command) => {
      if (options.sizes !== undefined && !options.refresh) self.error("error: --sizes needs --refresh");
      return runCommand("doctor", options, (out, signal) => doctor(options, out, signal));
    });
}
