/**
 * What was measured of a machine, and where it is kept: which backend makes proofs of a size soonest. How it is measured:
 * `select.ts`.
 *
 * @module
 */

import { machineName, type StoredText, storedText } from "#platform";
import { ChunkproofError } from "../errors.js";
import { VERSION } from "../version.js";
import { BACKENDS, type BackendInfo } from "./backend.js";
import { unlessAborted } from "./concurrency.js";
import { SPLITS, type SplitName } from "./split.js";

/** What a measurement holds for. With any other size, device or version everything may be different. */
export interface CalibrationKey {
  /** log2 of the domain. */
  readonly power: number;
  /** WebAssembly threads of a proof. */
  readonly threads: number;
  /** Every device that could be chosen, with its tuning; empty: there is none. */
  readonly device: string;
  /** Of this package. */
  readonly version: string;
  /** Processor, engine and arithmetic of WebAssembly. */
  readonly machine: string;
}

/** An error as it is kept and shown. */
export interface Fault {
  /** Of an error of chunkproof; of others the class. */
  readonly code: string;
  readonly message: string;
}

/** What to keep of an error. */
export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { code: "UNKNOWN", message: String(error) };
  return { code: error instanceof ChunkproofError ? error.code : error.name, message: error.message };
}

/** What was measured of one candidate. */
export interface Measurement {
  readonly name: SplitName;
  /** Of each whole proof, in the order of time; the first one, which compiles and uploads, is not among them. */
  readonly ms: readonly number[];
  /** `"slower"`: one proof was ended before it was done, because others take far less. */
  readonly outcome: "measured" | "slower" | "failed";
  /** Slower: after how many ms it was ended. */
  readonly endedAfter?: number;
  /** Failed: why. */
  readonly error?: Fault;
}

/** What was measured, and what was chosen by it. */
export interface Calibration {
  readonly key: CalibrationKey;
  readonly measurements: readonly Measurement[];
  readonly choice: SplitName;
  /** When, ISO 8601. */
  readonly at: string;
}

/**
 * The key of measurements on this machine.
 *
 * @param power log2 of the domain.
 * @param wasm of the proving key: `key.info()`.
 * @param devices every device that can be chosen.
 */
export function calibrationKey(
  power: number,
  { threads, arithmetic }: { readonly threads: number; readonly arithmetic: string },
  devices: readonly BackendInfo[],
): CalibrationKey {
  const machine = `${machineName()}, ${arithmetic}`;
  return { power, threads, device: describeDevices(devices), version: VERSION, machine };
}

/** Devices in words, always in the same order. */
function describeDevices(devices: readonly BackendInfo[]): string {
  return [...devices]
    .sort((a, b) => BACKENDS.indexOf(a.backend) - BACKENDS.indexOf(b.backend))
    .map(({ backend, device, details }) => {
      const tuning = Object.entries(details)
        .map(([name, value]) => `${name} ${value}`)
        .sort();
      return [`${backend}: ${device}`, ...tuning].join(", ");
    })
    .join("; ");
}

/** One text for one key. */
const idOf = ({ power, threads, device, version, machine }: CalibrationKey): string =>
  JSON.stringify([power, threads, device, version, machine]);

/** Whether what was measured for one holds for the other. */
export const sameKey = (a: CalibrationKey, b: CalibrationKey): boolean => idOf(a) === idOf(b);

/** What differs between a key and that of this machine as it is now; sizes and threads apart. */
export function staleness(key: CalibrationKey, now: CalibrationKey): ("machine" | "device" | "version")[] {
  return (["machine", "device", "version"] as const).filter((field) => key[field] !== now[field]);
}

const FORMAT = "chunkproof calibrations";
const FORMAT_VERSION = 1;
/** More than this many are not kept; the oldest go. */
const MAX_KEPT = 200;

/** What is kept. */
export interface Kept {
  /** The newest first. */
  readonly calibrations: readonly Calibration[];
  /** Why what lies there, or some of it, is taken for absent; the next calibration replaces it. */
  readonly fault?: string;
}

/** Calibrations in a text; what cannot be kept there is known for as long as the process lives. */
export class Calibrations {
  readonly #text: StoredText;
  readonly #known = new Map<string, Calibration>();
  readonly #running = new Map<string, Promise<Calibration>>();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(text: StoredText) {
    this.#text = text;
  }

  /** Where they are kept, for people. */
  get place(): string {
    return this.#text.place;
  }

  /** What was measured for exactly this key. */
  async find(key: CalibrationKey): Promise<Calibration | undefined> {
    const id = idOf(key);
    if (!this.#known.has(id)) {
      const { calibrations } = await this.#read();
      const found = calibrations.find((other) => sameKey(other.key, key));
      // whoever measured meanwhile knows better
      if (found !== undefined && !this.#known.has(id)) this.#known.set(id, found);
    }
    return this.#known.get(id);
  }

  /** Everything that is kept, of other machines and versions too. */
  async list(): Promise<Kept> {
    const { calibrations, fault } = await this.#read();
    const all = newest([...calibrations, ...this.#known.values()]);
    return fault === undefined ? { calibrations: all } : { calibrations: all, fault };
  }

  /**
   * Keeps a calibration instead of an older one of the same key.
   *
   * @returns why it lasts no longer than this process, if so.
   */
  async put(calibration: Calibration): Promise<string | undefined> {
    this.#known.set(idOf(calibration.key), calibration);
    return this.#change((kept) => newest([calibration, ...kept.filter(({ key }) => !sameKey(key, calibration.key))]));
  }

  /**
   * Forgets calibrations; without `which` all of them.
   *
   * @returns why other processes still find them, if so.
   */
  async forget(which: (calibration: Calibration) => boolean = () => true): Promise<string | undefined> {
    for (const [id, calibration] of this.#known) if (which(calibration)) this.#known.delete(id);
    return this.#change((kept) => kept.filter((calibration) => !which(calibration)));
  }

  /** Changes the text: read again just before, other processes may have changed it. */
  #change(change: (kept: readonly Calibration[]) => Calibration[]): Promise<string | undefined> {
    const changed = this.#writing.then(async () => {
      const { calibrations } = await this.#read();
      const text = { format: FORMAT, version: FORMAT_VERSION, calibrations: change(calibrations).slice(0, MAX_KEPT) };
      try {
        await this.#text.write(`${JSON.stringify(text, null, 1)}\n`);
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    });
    this.#writing = changed;
    return changed;
  }

  async #read(): Promise<Kept> {
    let text: string | undefined;
    try {
      text = await this.#text.read();
    } catch (error) {
      return { calibrations: [], fault: `it cannot be read: ${error instanceof Error ? error.message : error}` };
    }
    return text === undefined ? { calibrations: [] } : parse(text);
  }

  /**
   * The calibration of a key: found, or made by `measure`. Calls for the same key measure once: whoever comes later waits, and
   * takes over when the one before was ended or failed.
   *
   * @param signal ends the wait for another's measurement.
   */
  async once(
    key: CalibrationKey,
    measure: () => Promise<Calibration>,
    signal: AbortSignal | undefined,
  ): Promise<Calibration> {
    const id = idOf(key);
    for (;;) {
      const found = await this.find(key);
      if (found !== undefined) return found;
      const other = this.#running.get(id);
      if (other === undefined) break;
      await unlessAborted(
        other.catch(() => {}),
        signal,
      );
    }
    const measuring = measure().then(async (calibration) => {
      await this.put(calibration);
      return calibration;
    });
    this.#running.set(id, measuring);
    try {
      return await measuring;
    } finally {
      this.#running.delete(id);
    }
  }
}

/** Each key's newest, the newest first. */
function newest(calibrations: readonly Calibration[]): Calibration[] {
  const byId = new Map<string, Calibration>();
  for (const calibration of calibrations) {
    const id = idOf(calibration.key);
    const other = byId.get(id);
    if (other === undefined || other.at < calibration.at) byId.set(id, calibration);
  }
  return [...byId.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
}

function parse(text: string): Kept {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    return { calibrations: [], fault: `it is not JSON: ${error instanceof Error ? error.message : error}` };
  }
  const { format, version, calibrations } = Object(content) as Record<string, unknown>;
  if (format !== FORMAT) return { calibrations: [], fault: "it holds something else than calibrations" };
  if (version !== FORMAT_VERSION) {
    return { calibrations: [], fault: `it is of version ${version} of the format, not ${FORMAT_VERSION}` };
  }
  if (!Array.isArray(calibrations)) return { calibrations: [], fault: "it has no list of calibrations" };
  const good = newest(calibrations.filter(isCalibration));
  const bad = calibrations.findIndex((calibration) => !isCalibration(calibration));
  return bad < 0 ? { calibrations: good } : { calibrations: good, fault: `entry ${bad} is no calibration` };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTime = (value: unknown): boolean => typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
const isText = (value: unknown): boolean => typeof value === "string";
const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) > 0;
const isSplit = (value: unknown): boolean => isText(value) && Object.hasOwn(SPLITS, value as string);

function isCalibration(value: unknown): value is Calibration {
  if (!isObject(value)) return false;
  const { key, measurements, choice, at } = value;
  return (
    isObject(key) &&
    isCount(key.power) &&
    isCount(key.threads) &&
    [key.device, key.version, key.machine].every(isText) &&
    Array.isArray(measurements) &&
    measurements.every(isMeasurement) &&
    isSplit(choice) &&
    isText(at) &&
    !Number.isNaN(Date.parse(at as string))
  );
}

function isMeasurement(value: unknown): value is Measurement {
  if (!isObject(value)) return false;
  const { name, ms, outcome, endedAfter, error } = value;
  return (
    isSplit(name) &&
    Array.isArray(ms) &&
    ms.every(isTime) &&
    ["measured", "slower", "failed"].includes(outcome as string) &&
    (endedAfter === undefined || isTime(endedAfter)) &&
    (error === undefined || (isObject(error) && isText(error.code) && isText(error.message)))
  );
}

let own: Calibrations | undefined;

/** The calibrations of this user on this machine. */
export function ownCalibrations(): Calibrations {
  own ??= new Calibrations(storedText("calibrations.json"));
  return own;
}
