/**
 * The GPU of a benchmark: found, described, and watched from outside. `openBackend` takes a `gpu` object; the one made here
 * hands out the real devices, and notes when pipelines are compiled, what is written to them and, on demand, how long each
 * kernel runs (timestamp queries; every dispatch becomes a pass of its own then, so whole times are not those of a proof).
 *
 * @module
 */

import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";

/** Debian's `chromium` brings a Vulkan loader and SwiftShader. */
const SOFTWARE = process.env.CHROMIUM_LIBRARIES ?? "/usr/lib/chromium";
/** Not among Node's constants: what turns out to be no addon stays loaded. */
const RTLD_NODELETE = 0x1000;
/** Drivers that compute on the processor. */
const ON_CPU = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software|\bcpu\b/i;
/** Of a query set, by the standard. */
const MAX_QUERIES = 4096;

/** What is said of every number that was not measured on a GPU. */
export const SOFTWARE_NOTE = "software adapter: correctness only, speed means nothing";

/** There is nothing to measure on. */
export class NoGpuError extends Error {}

/**
 * @typedef {object} Adapter
 * @property {string} name vendor, architecture and device, in words
 * @property {string} vendor
 * @property {string} architecture
 * @property {string} device
 * @property {string} description
 * @property {boolean} software whether it computes on the processor: speeds mean nothing
 * @property {string} [note] {@link SOFTWARE_NOTE}
 * @property {Record<string, number>} limits those that kernels are laid out by
 * @property {string[]} features
 * @property {string | undefined} icd `VK_DRIVER_FILES` or `VK_ICD_FILENAMES`
 */

/**
 * @typedef {object} Found
 * @property {any} gpu the `GPU` object
 * @property {Adapter} adapter
 */

/** Makes SwiftShader the driver of this process, and Chromium's loader its Vulkan loader. */
function useSoftware() {
  const manifest = join(SOFTWARE, "vk_swiftshader_icd.json");
  if (!existsSync(manifest))
    throw new NoGpuError(`--software: there is no ${manifest} (Debian: apt-get install chromium)`);
  delete process.env.VK_DRIVER_FILES;
  process.env.VK_ICD_FILENAMES = manifest;
  try {
    // Dawn asks for libvulkan.so.1 by this name and finds what is loaded already
    process.dlopen({ exports: {} }, join(SOFTWARE, "libvulkan.so.1"), constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch {
    // it is no addon, as is said here each time
  }
}

/**
 * Finds an adapter.
 *
 * @param {{ software: boolean }} options `software`: SwiftShader, to see that everything works
 * @returns {Promise<Found>}
 */
export async function findGpu({ software }) {
  if (software) useSoftware();
  let gpu;
  try {
    const { create } = await import("webgpu");
    // kernels take microseconds; times rounded to 100 µs tell nothing about them
    gpu = create(["disable-dawn-features=timestamp_quantization"]);
  } catch (error) {
    throw new NoGpuError(`the package webgpu does not load: ${/** @type {Error} */ (error).message}`);
  }
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null)
    throw new NoGpuError(
      "WebGPU finds no adapter: no GPU, or no Vulkan loader and driver (docs/gpu.md); --software: SwiftShader",
    );
  return { gpu, adapter: describe(adapter) };
}

/** @returns {Adapter} */
function describe(/** @type {any} */ { info, limits, features }) {
  const { vendor, architecture, device, description } = info;
  const name = [vendor, architecture, device, description].filter((text) => text !== "").join(" ");
  const isSoftware = info.isFallbackAdapter === true || ON_CPU.test(name);
  const names = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupsPerDimension",
  ];
  return {
    name,
    vendor,
    architecture,
    device,
    description,
    software: isSoftware,
    ...(isSoftware ? { note: SOFTWARE_NOTE } : {}),
    limits: Object.fromEntries(names.map((limit) => [limit, limits[limit]])),
    features: [...features].toSorted(),
    icd: process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES,
  };
}

/**
 * What is noted about the devices of a {@link watch}.
 *
 * @typedef {object} Watch
 * @property {any} gpu for `openBackend`
 * @property {number} compileMs while at least one pipeline was being compiled
 * @property {number} pipelines compiled
 * @property {number} uploaded bytes written to buffers
 * @property {number} dispatches
 * @property {number} submits
 * @property {() => void} reset begins counting anew
 * @property {() => Promise<void>} done when the device has done everything that it was given
 * @property {() => Promise<Map<string, { ms: number, dispatches: number }>>} kernels with `profile`: time on the device by
 *   the label of the kernel, since the last call
 */

/**
 * A `GPU` object whose devices are watched.
 *
 * @param {any} gpu
 * @param {{ profile?: boolean }} [options] `profile`: time every kernel; needs the feature `timestamp-query`
 * @returns {Watch}
 */
export function watch(gpu, { profile = false } = {}) {
  /** @type {any} */
  let device;
  /** @type {Timed[]} */
  const timed = [];
  const counts = { compileMs: 0, pipelines: 0, uploaded: 0, dispatches: 0, submits: 0 };
  const watched = {
    requestAdapter: async (/** @type {any} */ options) => {
      const adapter = await gpu.requestAdapter(options);
      if (adapter === null) return null;
      const requestDevice = async (/** @type {any} */ descriptor) => {
        const requiredFeatures = profile ? ["timestamp-query"] : [];
        device = await adapter.requestDevice({ ...descriptor, requiredFeatures });
        countOn(device, counts);
        if (profile) timeOn(device, timed);
        return device;
      };
      return { info: adapter.info, limits: adapter.limits, features: adapter.features, requestDevice };
    },
  };
  return {
    gpu: watched,
    get compileMs() {
      return counts.compileMs;
    },
    get pipelines() {
      return counts.pipelines;
    },
    get uploaded() {
      return counts.uploaded;
    },
    get dispatches() {
      return counts.dispatches;
    },
    get submits() {
      return counts.submits;
    },
    reset: () => {
      for (const key of /** @type {(keyof typeof counts)[]} */ (Object.keys(counts))) counts[key] = 0;
    },
    done: () => device.queue.onSubmittedWorkDone(),
    kernels: async () => {
      const times = new Map();
      for (const { labels, staging } of timed.splice(0)) {
        await staging.mapAsync(1);
        const stamps = new BigUint64Array(staging.getMappedRange());
        for (const [i, label] of labels.entries()) {
          const { ms, dispatches } = times.get(label) ?? { ms: 0, dispatches: 0 };
          times.set(label, { ms: ms + Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6, dispatches: dispatches + 1 });
        }
        staging.destroy();
      }
      return times;
    },
  };
}

/** Counts what a device is asked for. */
function countOn(/** @type {any} */ device, /** @type {any} */ counts) {
  const compile = device.createComputePipelineAsync.bind(device);
  let compiling = 0;
  let start = 0;
  device.createComputePipelineAsync = async (/** @type {any} */ descriptor) => {
    if (compiling++ === 0) start = performance.now();
    try {
      return await compile(descriptor);
    } finally {
      if (--compiling === 0) counts.compileMs += performance.now() - start;
      counts.pipelines++;
    }
  };
  const { queue } = device;
  const write = queue.writeBuffer.bind(queue);
  queue.writeBuffer = (/** @type {any[]} */ ...args) => {
    const [, , data, , size = data.byteLength] = args;
    counts.uploaded += size;
    return write(...args);
  };
  const submit = queue.submit.bind(queue);
  queue.submit = (/** @type {any} */ buffers) => {
    counts.submits++;
    return submit(buffers);
  };
  // the queue is a new object at every access, unless it is kept
  Object.defineProperty(device, "queue", { value: queue });
  const createCommandEncoder = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (/** @type {any[]} */ ...args) => {
    const encoder = createCommandEncoder(...args);
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (/** @type {any[]} */ ...more) => {
      const pass = begin(...more);
      const dispatch = pass.dispatchWorkgroups.bind(pass);
      pass.dispatchWorkgroups = (/** @type {number[]} */ ...groups) => {
        counts.dispatches++;
        return dispatch(...groups);
      };
      return pass;
    };
    return encoder;
  };
}

/** @typedef {{ labels: string[], staging: any }} Timed dispatches of one encoder, and where their times will be */

/** Times every dispatch of a device. */
function timeOn(/** @type {any} */ device, /** @type {Timed[]} */ timed) {
  /** @type {WeakMap<object, string>} */
  const labels = new WeakMap();
  const compile = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = async (/** @type {any} */ descriptor) => {
    const pipeline = await compile(descriptor);
    labels.set(pipeline, descriptor.label);
    return pipeline;
  };
  const createCommandEncoder = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (/** @type {any[]} */ ...args) => {
    const encoder = createCommandEncoder(...args);
    const begin = encoder.beginComputePass.bind(encoder);
    const finish = encoder.finish.bind(encoder);
    /** @type {string[]} */
    const ran = [];
    /** @type {any} */
    let querySet;
    encoder.beginComputePass = () => {
      /** @type {any} */
      let pipeline;
      /** @type {any[]} */
      let group = [];
      return {
        setPipeline: (/** @type {any} */ given) => {
          pipeline = given;
        },
        setBindGroup: (/** @type {any[]} */ ...given) => {
          group = given;
        },
        dispatchWorkgroups: (/** @type {number[]} */ ...groups) => {
          querySet ??= device.createQuerySet({ type: "timestamp", count: MAX_QUERIES });
          const at = 2 * ran.length;
          // more than a query set holds are run, but not timed
          const isTimed = at + 2 <= MAX_QUERIES;
          const timestampWrites = { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
          const pass = begin(isTimed ? { timestampWrites } : {});
          pass.setPipeline(pipeline);
          pass.setBindGroup(...group);
          pass.dispatchWorkgroups(...groups);
          pass.end();
          if (isTimed) ran.push(labels.get(pipeline) ?? "?");
        },
        end: () => {},
      };
    };
    encoder.finish = (/** @type {any[]} */ ...more) => {
      if (ran.length > 0) {
        const size = 16 * ran.length;
        const resolved = device.createBuffer({ size, usage: 0x200 | 0x4 });
        const staging = device.createBuffer({ size, usage: 0x1 | 0x8 });
        encoder.resolveQuerySet(querySet, 0, 2 * ran.length, resolved, 0);
        encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
        timed.push({ labels: [...ran], staging });
      }
      return finish(...more);
    };
    return encoder;
  };
}
