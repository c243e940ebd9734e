/**
 * Which backends this machine has.
 *
 * @module
 */

import { ChunkproofError } from "../errors.js";
import { BACKENDS, type BackendInfo, type BackendName } from "./backend.js";
import { openBackend } from "./backends.js";
import { type Fault, faultOf } from "./calibration.js";
import type { ThreadCount } from "./wasm/engine.js";

/** What opening a backend came to: `info` or `fault`. */
export interface Examined {
  readonly backend: BackendName;
  readonly info?: BackendInfo;
  /** Why it is not available. */
  readonly fault?: Fault & {
    /** What would help, if the error knows. */
    readonly expected?: string;
  };
}

/** Options of {@link examineBackends}. */
export interface ExamineOptions {
  readonly threads?: ThreadCount | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What opens a backend; default: `openBackend`. */
  readonly open?: typeof openBackend | undefined;
}

/** Opens each backend, asks what it runs on and closes it. @throws `signal.reason`. */
export async function examineBackends(options: ExamineOptions = {}): Promise<Examined[]> {
  const { threads, signal, open = openBackend } = options;
  const found: Examined[] = [];
  for (const backend of BACKENDS) {
    signal?.throwIfAborted();
    try {
      // devices as `prove` opens them
      const opened = await open(backend, backend === "wasm" ? { threads } : {});
      try {
        found.push({ backend, info: opened.info() });
      } finally {
        await opened.close();
      }
    } catch (error) {
      const expected = error instanceof ChunkproofError ? error.expected : undefined;
      found.push({ backend, fault: { ...faultOf(error), ...(expected === undefined ? {} : { expected }) } });
    }
  }
  signal?.throwIfAborted();
  return found;
}
