/**
 * Which split of a proof is the fastest here: measured once for a machine and size, by proofs of the caller's own.
 *
 * Every candidate makes one proof that is not counted, because it compiles kernels and uploads the key. Then rounds: each
 * candidate makes a proof, WebAssembly the last of each round, so that what breaks proofs of any kind ends the measurement
 * instead of counting against a device. A candidate that takes far longer than the best is ended and out.
 *
 * WebAssembly is what everything else has to beat: by {@link MARGIN}, and by more than what the runs of both differ by
 * themselves. So a choice never is something that measured slower, and never noise. A few per cent that are missed that way
 * cost less than a device that is in the way of other programs and may fail.
 *
 * @module
 */

import { ProverError } from "../errors.js";
import { BACKENDS, type BackendInfo, type BackendName } from "./backend.js";
import {
  type Calibration,
  type CalibrationKey,
  type Calibrations,
  faultOf,
  type Measurement,
  ownCalibrations,
} from "./calibration.js";
import { unlessAborted } from "./concurrency.js";
import type { Progress } from "./progress.js";
import { type BackendReport, devicesOf, SPLITS, type SplitName } from "./split.js";

/** A way to make a proof. */
export interface Candidate {
  readonly name: SplitName;
  /** Makes one proof, this way and no other; rejects otherwise. Ends soon when the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** What is being measured. */
export interface CalibrationProgress extends Progress {
  readonly stage: "calibrate";
  readonly name: SplitName;
  /** From 1; 0: the proof that is not counted. */
  readonly round: number;
  readonly rounds: number;
}

/** Options of {@link calibrate}. */
export interface CalibrateOptions {
  /** Ends the measurement; what is thrown then is `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Proofs of each candidate that count; default 3, fewer when they take long. */
  readonly rounds?: number | undefined;
  readonly onProgress?: ((progress: CalibrationProgress) => void) | undefined;
}

/** Share of WebAssembly's time that has to be saved at least. */
export const MARGIN = 0.05;

const ROUNDS = 3;
/** A proof is ended when it takes this many times as long as the best candidate's usually do … */
const TOO_LONG = 1.5;
/** … and this many ms longer: a pause of the host is no reason. */
const PAUSE = 100;
/** The first proof of a device may take this many times as long as WebAssembly's … */
const FIRST_TOO_LONG = 10;
/** … or this many ms: compilers take their time. */
const FIRST = 120_000;
/** No further round begins after so many ms. */
const LONG = 60_000;
/** Codes of errors about the proof that was asked for and not about who makes it. */
const OF_THE_PROOF = /^(WITNESS_|KEY_CLOSED$)/;
/** The longest wait that timers know. */
const MAX_TIMER = 2 ** 31 - 1;

/** The splits that these devices allow, WebAssembly first. */
export function splitsOn(devices: readonly BackendName[]): SplitName[] {
  const names = Object.keys(SPLITS) as SplitName[];
  const rank = (name: SplitName) => Math.max(...devicesOf(SPLITS[name]).map((device) => BACKENDS.indexOf(device)), 0);
  return names
    .filter((name) => devicesOf(SPLITS[name]).every((device) => devices.includes(device)))
    .sort((a, b) => rank(a) - rank(b));
}

/** A candidate from a function that proves. A proof that another backend had to finish is a failure of this one. */
export function candidateOf(
  name: SplitName,
  prove: (signal: AbortSignal) => Promise<{ readonly backend: BackendReport }>,
): Candidate {
  return {
    name,
    async run(signal) {
      const { fallback } = (await prove(signal)).backend;
      if (fallback !== undefined) throw new ProverError(fallback.message, { code: fallback.code });
    },
  };
}

/** Whether a device can be chosen: one that is a program has the same cores as the threads, and takes far longer. */
export const isChoosable = ({ details }: BackendInfo): boolean => details.software !== true;

/** The value in the middle, or between the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** How far the middle is from the best, as a share of it: a single bad run is no noise. */
const spread = (values: readonly number[]): number => {
  const middle = median(values);
  return middle === 0 ? 0 : (middle - Math.min(...values)) / middle;
};

/**
 * The split with the smallest median; another than WebAssembly only where it beats that by more than the noise.
 *
 * @param share proofs that are made at once, each on threads of its own, and take turns on the device.
 */
export function choose(measurements: readonly Measurement[], share = 1): SplitName {
  const wasm = measurements.find(({ name }) => name === "wasm");
  if (wasm === undefined || wasm.ms.length === 0) return "wasm";
  let best: { readonly name: SplitName; readonly time: number } = { name: "wasm", time: Number.POSITIVE_INFINITY };
  for (const { name, ms, outcome } of measurements) {
    if (name === "wasm" || outcome !== "measured" || ms.length === 0) continue;
    const time = share * median(ms);
    const margin = Math.max(MARGIN, spread(wasm.ms) + spread(ms));
    if (time < median(wasm.ms) * (1 - margin) && time < best.time) best = { name, time };
  }
  return best.name;
}

type Outcome =
  | { readonly kind: "done"; readonly ms: number }
  | { readonly kind: "ended"; readonly ms: number }
  | { readonly kind: "failed"; readonly error: unknown };

/** Makes one proof, which is ended after `limit` ms. @throws `signal.reason`. */
async function timed(candidate: Candidate, limit: number, signal: AbortSignal | undefined): Promise<Outcome> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  const tooLong = new Error("others take far less");
  const onAbort = () => ending.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  const timer = limit < MAX_TIMER ? setTimeout(() => ending.abort(tooLong), limit) : undefined;
  const began = performance.now();
  try {
    await candidate.run(ending.signal);
    signal?.throwIfAborted();
    const ms = performance.now() - began;
    return { kind: ms > limit ? "ended" : "done", ms };
  } catch (error) {
    signal?.throwIfAborted();
    return error === tooLong ? { kind: "ended", ms: performance.now() - began } : { kind: "failed", error };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100;

/** One candidate under measurement. */
interface Entry {
  readonly candidate: Candidate;
  readonly ms: number[];
  /** Why it is out. */
  out?: Pick<Measurement, "outcome" | "endedAfter" | "error">;
}

/**
 * Measures candidates.
 *
 * @param candidates the first is WebAssembly.
 * @throws what WebAssembly's proof is rejected with, or any other for its witness or its key; `signal.reason`.
 */
export async function calibrate(
  key: CalibrationKey,
  candidates: readonly Candidate[],
  options: CalibrateOptions = {},
): Promise<Calibration> {
  const { signal, rounds = ROUNDS, onProgress } = options;
  const [wasm, ...others] = candidates.map((candidate): Entry => ({ candidate, ms: [] }));
  if (wasm?.candidate.name !== "wasm") throw new TypeError("the first candidate must be WebAssembly");
  const entries = [wasm, ...others];
  const total = entries.length * (1 + rounds);
  let done = 0;

  /** One proof of a candidate; puts it out if need be. */
  const run = async (entry: Entry, round: number, limit: number): Promise<number | undefined> => {
    const { name } = entry.candidate;
    onProgress?.({ stage: "calibrate", name, round, rounds, done, total });
    const outcome = await timed(entry.candidate, limit, signal);
    done++;
    if (outcome.kind === "done") return outcome.ms;
    if (outcome.kind === "ended") entry.out = { outcome: "slower", endedAfter: rounded(outcome.ms) };
    else {
      const error = faultOf(outcome.error);
      // the proof that is wanted would end the same way
      if (entry === wasm || OF_THE_PROOF.test(error.code)) throw outcome.error;
      entry.out = { outcome: "failed", error };
    }
    done += rounds - round;
    return undefined;
  };
  const forEver = Number.POSITIVE_INFINITY;

  const first = (await run(wasm, 0, forEver))!;
  for (const entry of others) await run(entry, 0, Math.max(FIRST, FIRST_TOO_LONG * first));

  const began = performance.now();
  for (let round = 1; round <= rounds; round++) {
    const left = others.filter(({ out }) => out === undefined);
    // one proof of WebAssembly is for people to compare with
    if (round > 1 && (left.length === 0 || performance.now() - began > LONG)) break;
    for (const entry of left) {
      const times = entries
        .filter((other) => other !== entry && other.out === undefined && other.ms.length > 0)
        .map(({ ms }) => median(ms));
      const best = Math.min(...times, wasm.ms.length === 0 ? first : forEver);
      const ms = await run(entry, round, Math.max(TOO_LONG * best, best + PAUSE));
      if (ms !== undefined) entry.ms.push(rounded(ms));
    }
    wasm.ms.push(rounded((await run(wasm, round, forEver))!));
  }
  const measurements = entries.map(({ candidate, ms, out = { outcome: "measured" } }): Measurement => {
    return { name: candidate.name, ms, ...out };
  });
  onProgress?.({ stage: "calibrate", name: "wasm", round: rounds, rounds, done: total, total });
  return { key, measurements, choice: choose(measurements), at: new Date().toISOString() };
}

/** Options of {@link chooseSplit}. */
export interface ChooseOptions extends CalibrateOptions {
  /** Where calibrations are kept; default: those of this user. */
  readonly calibrations?: Calibrations | undefined;
  /** See {@link choose}; default 1. */
  readonly share?: number | undefined;
}

/** Measurements of one process run one after the other: side by side they would measure each other. */
let queue: Promise<unknown> = Promise.resolve();

/**
 * The split that measured fastest on this machine for this size; measures it if that was never done. Without a device
 * it is WebAssembly at once, and nothing is kept.
 *
 * @param candidates called when there is something to measure. Their proofs must not wait for what the caller holds.
 * @throws as {@link calibrate}; nothing is kept then.
 */
export async function chooseSplit(
  key: CalibrationKey,
  candidates: () => readonly Candidate[] | Promise<readonly Candidate[]>,
  options: ChooseOptions = {},
): Promise<SplitName> {
  const { signal, calibrations = ownCalibrations(), share } = options;
  signal?.throwIfAborted();
  if (key.device === "") return "wasm";
  const measure = async (): Promise<Calibration> => {
    const before = queue;
    let done!: () => void;
    queue = Promise.all([before, new Promise<void>((resolve) => (done = resolve))]);
    try {
      await unlessAborted(before, signal);
      // once begun it ends by itself, and soon: proofs must not go on behind the caller's back
      return await calibrate(key, await candidates(), options);
    } finally {
      done();
    }
  };
  return choose((await calibrations.once(key, measure, signal)).measurements, share);
}
