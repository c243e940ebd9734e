/**
 * What chunkproof needs from the host, for browsers. Exports the same names as `node.ts`; reached as `#platform` only.
 *
 * @module
 */

import { FormatError, ProverError } from "../errors.js";
import type { OpenedFile, ParentPort, StoredText, Thread } from "./node.js";

export type { OpenedFile, ParentPort, StoredText, Thread } from "./node.js";

/** What a string without a scheme stands for in a page or a worker: a URL relative to it. */
export function relativeUrl(location: string): string | undefined {
  try {
    return new URL(location, globalThis.document?.baseURI ?? globalThis.location.href).href;
  } catch {
    return location;
  }
}

/**
 * Browsers have no file system paths.
 *
 * @throws FormatError `SOURCE_UNSUPPORTED`, always.
 */
export async function openFile(path: string): Promise<OpenedFile> {
  throw new FormatError("files cannot be opened by path here", {
    code: "SOURCE_UNSUPPORTED",
    where: path,
    expected: "an http(s) URL, Blob, ArrayBuffer or Uint8Array",
  });
}

/**
 * Browsers have no file system paths.
 *
 * @throws FormatError `FILE_UNSUPPORTED`, always.
 */
export async function writeFileAtomic(
  path: string,
  _pieces: readonly Uint8Array[],
  _signal?: AbortSignal,
): Promise<void> {
  throw new FormatError("files cannot be written by path here", {
    code: "FILE_UNSUPPORTED",
    where: path,
    expected: "a download, e.g. of a Blob",
  });
}

/** Texts where nothing is kept: they end with the page. */
const texts = new Map<string, string>();

/** The text of this name: in `localStorage` where there is one (pages have it, workers not), else for as long as the page lives. */
export function storedText(name: string): StoredText {
  const key = `chunkproof/${name}`;
  let storage: Storage | undefined;
  try {
    storage = globalThis.localStorage ?? undefined;
  } catch {
    // pages may be denied it
  }
  if (storage === undefined) {
    return {
      place: "the memory of this page",
      read: async () => texts.get(key),
      write: async (text) => void texts.set(key, text),
    };
  }
  const kept = storage;
  return {
    place: `localStorage: ${key}`,
    read: async () => kept.getItem(key) ?? undefined,
    write: async (text) => kept.setItem(key, text),
  };
}

/** What the speed of WebAssembly depends on: processor and engine, as far as a page is told. */
export function machineName(): string {
  const { hardwareConcurrency = 1, userAgent = "unknown" } = globalThis.navigator ?? {};
  return `${hardwareConcurrency} threads, ${userAgent}`;
}

/** Number of threads that can run at the same time. */
export function hardwareThreads(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Starts a thread of the WebAssembly pool. */
export function startThread(): Thread {
  const worker = new Worker(new URL("../prover/wasm/worker.js", import.meta.url), { type: "module" });
  // a failure may come before anybody listens
  let reason: string | undefined;
  let listener: ((reason: string) => void) | undefined;
  const fail = (text: string) => {
    reason ??= text;
    listener?.(reason);
  };
  worker.addEventListener("error", (event) => fail(event.message || "the worker script could not be loaded"));
  worker.addEventListener("messageerror", () => fail("a message could not be deserialised"));
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener("message", (event) => listener(event.data)),
    onFailure(onFailure) {
      listener = onFailure;
      if (reason !== undefined) onFailure(reason);
    },
    hold: () => {},
    terminate: async () => worker.terminate(),
  };
}

/** Inside a thread: the way back to whoever started it. */
export function parentPort(): ParentPort {
  return {
    post: (message) => globalThis.postMessage(message),
    onMessage: (listener) => globalThis.addEventListener("message", (event) => listener((event as MessageEvent).data)),
  };
}

/** Lets the host handle whatever is waiting: events, timers, an abort. */
export function yieldToHost(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Browsers have relaxed SIMD or have it not. */
export async function allowRelaxedSimd(_isAvailable: () => boolean): Promise<void> {}

/**
 * The host's WebGPU.
 *
 * @throws ProverError `WEBGPU_UNAVAILABLE` in browsers and pages without.
 */
export async function loadGpu(): Promise<object> {
  const gpu = (globalThis.navigator as { readonly gpu?: object } | undefined)?.gpu;
  if (gpu !== undefined) return gpu;
  throw new ProverError("this browser has no WebGPU, or not for this page", {
    code: "WEBGPU_UNAVAILABLE",
    where: "navigator.gpu",
    expected: "a secure context in a browser with WebGPU (Chrome 113, Safari 26, Firefox 141 or newer)",
  });
}
