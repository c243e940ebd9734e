/**
 * Proofs that a device has a part in: the device does its parts while threads do the others, what it fails to do threads do
 * after it, and nothing is handed out unchecked.
 *
 * @module
 */

import { ChunkproofError, ProverError } from "../errors.js";
import { FIELD_SIZE } from "../formats/bn254.js";
import type { BackendName } from "./backend.js";
import { calibrationKey } from "./calibration.js";
import { unlessAborted } from "./concurrency.js";
import { DEVICE_CODES, type DeviceKey } from "./devices.js";
import { checkOwn, type Made, type Making, type Point, proveOnThreads, SUMS } from "./prove.js";
import { candidateOf, chooseSplit, isChoosable, splitsOn } from "./select.js";
import { type BackendReport, devicesOf, SPLITS, type SplitName, type SumPart } from "./split.js";
import type { Sum } from "./workspace.js";

/** A split that a device has a part in. */
interface Plan {
  readonly name: SplitName;
  readonly device: DeviceKey;
}

/** See `proveChecked`. @throws ProverError `WEBGPU_UNAVAILABLE`, `GPUJS_UNAVAILABLE`; those of `prove`. */
export async function proveOnDevice(making: Making): Promise<Made> {
  const plan = await planOf(making);
  return plan === undefined ? proveOnThreads(making) : proveSplit(making, plan);
}

/** What the options ask for; nothing where threads do it all. */
async function planOf(making: Making): Promise<Plan | undefined> {
  const { key, options } = making;
  const { backend = "wasm" } = options;
  if (typeof backend === "object") {
    const name = options.split ?? backend.name;
    return name === "wasm" ? undefined : { name, device: key.devices.on(backend) };
  }
  const { signal } = options;
  if (backend === "auto" && options.split === undefined) return fastest(making);
  const name = options.split ?? (backend as BackendName);
  const [device] = devicesOf(SPLITS[name]);
  return device === undefined ? undefined : { name, device: await unlessAborted(key.devices.shared(device), signal) };
}

/** What measured fastest for keys of this size on this machine; measures it, with this witness, if that was never done. */
async function fastest(making: Making): Promise<Plan | undefined> {
  const { key, options } = making;
  const { devices, engine } = key;
  const { signal, onProgress, share = 1 } = options;
  const situation = `${engine.threads} ${share}`;
  const known = devices.fastest.get(situation);
  if (known === "wasm") return undefined;
  const found: DeviceKey[] = [];
  for (const name of known === undefined ? (["webgpu", "gpujs"] as const) : devicesOf(SPLITS[known])) {
    // one that is not there is no choice
    try {
      const device = await unlessAborted(devices.shared(name), signal);
      if (isChoosable(device.backend.info())) found.push(device);
      else await devices.leave(device.backend);
    } catch (error) {
      signal?.throwIfAborted();
      key.assertOpen();
      if (!(error instanceof ProverError)) throw error;
    }
  }
  const on = (name: SplitName) => {
    const device = found.find(({ backend }) => devicesOf(SPLITS[name]).includes(backend.name));
    return device === undefined ? undefined : { name, device };
  };
  if (known !== undefined) return on(known);
  const infos = found.map(({ backend }) => backend.info());
  const candidates = () =>
    splitsOn(infos.map(({ backend }) => backend)).map((name) =>
      candidateOf(name, (signal) => trial(making, on(name), signal)),
    );
  const name = await chooseSplit(calibrationKey(key.header.power, key.info(), infos), candidates, {
    signal,
    onProgress,
    share,
  });
  devices.fastest.set(situation, name);
  for (const { backend } of found) if (on(name)?.device.backend !== backend) await devices.leave(backend);
  const [chosen] = devicesOf(SPLITS[name]);
  // again: another candidate may have made the key leave it
  return chosen === undefined ? undefined : { name, device: await unlessAborted(devices.shared(chosen), signal) };
}

/** A whole proof that nobody gets. */
async function trial(making: Making, plan: Plan | undefined, signal: AbortSignal): Promise<Made> {
  const options = { ...making.options, signal, onProgress: undefined };
  const run = making.run.again(options);
  try {
    const own = { ...making, run, options };
    return await (plan === undefined ? proveOnThreads(own) : proveSplit(own, plan));
  } finally {
    run.free();
  }
}

/** What a device has against its work. */
function fallbackOf(from: BackendName, error: unknown): BackendReport {
  const isKnown = error instanceof ChunkproofError && DEVICE_CODES.has(error.code);
  const message = error instanceof Error ? error.message : String(error);
  return { split: SPLITS.wasm, fallback: { from, code: isKnown ? error.code : "DEVICE_FAILED", message } };
}

/** Makes a proof of which the device does what the split gives to it. */
async function proveSplit(making: Making, { name, device }: Plan): Promise<Made> {
  const { key, run, options } = making;
  const { signal } = options;
  const { backend } = device;
  const split = SPLITS[name];
  const remote = SUMS.filter((part) => split[part] !== "wasm");
  const local = SUMS.filter((part) => split[part] === "wasm" && (part !== "h" || split.quotient === "wasm"));
  const sums = new Map<SumPart, Sum | Point>();
  // gpu.js' quotient is no sum
  const units = remote.length + (split.h === "wasm" ? 1 : 0);
  let quotient: Uint8Array | undefined;
  let failed: BackendReport | undefined;

  /** Goes on without the device, unless the proof is to end. */
  const giveUp = async (error: unknown) => {
    signal?.throwIfAborted();
    key.assertOpen();
    failed = fallbackOf(backend.name, error);
    quotient = undefined;
    const code = error instanceof ChunkproofError ? error.code : "";
    // it works, but not for this key, or not now
    if (code === "BUFFER_TOO_LARGE") key.devices.unfit.set(backend, error);
    else if (code === "DEVICE_OUT_OF_MEMORY" || (code !== "" && !DEVICE_CODES.has(code)))
      await key.devices.leave(backend);
    else await key.devices.drop(backend);
  };
  const onDevice = async (onUnit: () => void) => {
    const points = new Map<SumPart, Point>();
    let done = 0;
    let ended: { readonly error: unknown } | undefined;
    const advance = () => {
      try {
        done++;
        onUnit();
      } catch (error) {
        ended = { error };
        throw error;
      }
    };
    try {
      if (key.devices.unfit.has(backend)) throw key.devices.unfit.get(backend);
      const witness = await backend.putScalars(run.values(), { signal });
      try {
        const sum = async (part: SumPart, scalars = witness) => {
          points.set(part, await device.sum(part, scalars, { signal }));
          advance();
        };
        if (split.quotient !== "wasm") {
          const scalars = await device.quotient(witness, { signal });
          try {
            if (split.h === "wasm") {
              quotient = await backend.readScalars(scalars, { signal });
              advance();
            } else await sum("h", scalars);
          } finally {
            scalars.free();
          }
        }
        for (const part of remote) if (part !== "h") await sum(part);
      } finally {
        witness.free();
      }
      if (quotient !== undefined && quotient.length !== key.domainSize * FIELD_SIZE) throw new Error("no quotient");
    } catch (error) {
      if (ended !== undefined) throw ended.error;
      // what it did before is not to be trusted either
      await giveUp(error);
      while (done++ < units) onUnit();
      return;
    }
    for (const [part, point] of points) sums.set(part, point);
  };

  const also = { units, run: onDevice };
  const onThreads = await run.sums(local, undefined, also);
  for (const [part, sum] of onThreads) sums.set(part, sum);
  const missing = SUMS.filter((part) => !sums.has(part));
  if (missing.length > 0) for (const [part, sum] of await run.sums(missing, quotient)) sums.set(part, sum);
  if (failed !== undefined) {
    const points = run.blind(sums);
    if (options.selfCheck !== false) await checkOwn(making, points);
    return { points, backend: failed };
  }
  try {
    const points = run.blind(sums);
    await checkOwn(making, points);
    return { points, backend: { split } };
  } catch (cause) {
    if (cause instanceof ChunkproofError && !["WITNESS_UNSATISFIED", "POINT_AT_INFINITY"].includes(cause.code))
      throw cause;
    signal?.throwIfAborted();
    // if the witness is to blame, this says so
    const { points } = await proveOnThreads({ ...making, options: { ...options, selfCheck: true } });
    await giveUp(
      new ProverError("a device computed a wrong result", { code: "DEVICE_WRONG_RESULT", where: name, cause }),
    );
    return { points, backend: failed! };
  }
}
