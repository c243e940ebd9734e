/**
 * Where the commands that work on blocks find their keys.
 *
 * @module
 */

import type { Command } from "commander";
import { hardwareThreads } from "#platform";
import type { Layout } from "../circuits/sources.js";
import { KeysError } from "../keys/errors.js";
import type { KeyFolder, OpenKeysOptions } from "../keys/folder.js";
import type { Progress, ThreadCount } from "../prover/index.js";
import { type KeysProgress, KeysView } from "./keys-view.js";
import type { Output } from "./output.js";

/** What is said wherever keys are made. */
export const DEVELOPMENT_KEYS =
  "these are DEVELOPMENT KEYS, NOT FOR PRODUCTION: this machine knew their trapdoors, and whoever knows them can forge proofs";

/** Options of commands that {@link withCache}. */
export interface CacheOptions {
  readonly cache?: string;
}

/** Adds `--cache`. */
export function withCache(c: Command): Command {
  return c.option(
    "--cache <dir>",
    "where circuits and keys are kept (default: $CHUNKPROOF_CACHE, else chunkproof in the user's cache folder)",
  );
}

/** @throws KeysError `KEYS_MISSING` for a cache that has no name. */
export async function cacheFolder({ cache }: CacheOptions): Promise<string> {
  if (cache === "") throw new KeysError("not the name of a folder", { code: "KEYS_MISSING", where: "--cache" });
  const { defaultCache } = await import("../circuits/cache.js");
  return cache ?? defaultCache();
}

/**
 * The keys in the cache; if there are none, they are made, which is said.
 *
 * @param beforeMaking what should fail before anybody waits for keys.
 */
export async function keysOfCache(
  options: CacheOptions & { readonly threads: ThreadCount },
  out: Output,
  signal: AbortSignal,
  beforeMaking?: () => Promise<void>,
): Promise<{ folder: KeyFolder; made: boolean }> {
  const [{ findKeys, makeKeys }, { readLayouts }] = await Promise.all([
    import("../keys/folder.js"),
    import("../circuits/sources.js"),
  ]);
  const cache = await cacheFolder(options);
  const layouts = readLayouts();
  const found = await findKeys(cache, layouts);
  if (found !== undefined) return { folder: found, made: false };
  await beforeMaking?.();
  out.warn(DEVELOPMENT_KEYS);
  out.note(`no keys for these circuits in ${cache} yet: compiling the circuits and making them, once`);
  const report = out.view(new KeysView(layouts.map(({ name }) => name)));
  const { threads } = options;
  try {
    await compileAll(layouts, cache, report, signal);
    const onProgress = ({ stage }: Progress) => {
      const [kind, layout] = stage.split(" ");
      if (kind === "key" && layout !== undefined) report({ layout, state: "making" });
    };
    const folder = await makeKeys({ cache, layouts, threads, signal, onProgress });
    report({ state: "made" });
    return { folder, made: true };
  } catch (error) {
    throw unwritableCache(error, cache);
  }
}

/** Compilers side by side; each takes up to a gigabyte of memory. */
const MAX_COMPILERS = 4;

/** Compiles what the cache lacks, the largest first, so that the last to end is a small one. */
async function compileAll(
  layouts: readonly Layout[],
  cache: string,
  report: (progress: KeysProgress) => void,
  interrupt: AbortSignal,
): Promise<void> {
  const { cachedCircuit } = await import("../circuits/cache.js");
  const waiting = [...layouts].sort((a, b) => b.power - a.power);
  const failing = new AbortController();
  const signal = AbortSignal.any([interrupt, failing.signal]);
  const compile = async () => {
    for (let layout = waiting.shift(); layout !== undefined; layout = waiting.shift()) {
      report({ layout: layout.name, state: "compiling" });
      await cachedCircuit(layout, cache, signal);
      report({ layout: layout.name, state: "compiled" });
    }
  };
  const compilers = Array.from({ length: Math.min(hardwareThreads(), MAX_COMPILERS) }, () =>
    compile().catch((error) => {
      failing.abort(error);
      throw error;
    }),
  );
  // a compiler that goes on would write to a terminal and a folder that nobody looks at any more
  for (const end of await Promise.allSettled(compilers)) if (end.status === "rejected") throw signal.reason;
}

/** The system's own errors about the cache folder are about what the caller wrote. */
function unwritableCache(error: unknown, cache: string): unknown {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (!["EACCES", "EPERM", "EROFS", "ENOSPC", "ENOTDIR", "EEXIST", "ENAMETOOLONG"].includes(code)) return error;
  return new KeysError("cannot be written", { code: "KEYS_UNWRITABLE", where: cache, got: message, cause: error });
}

/**
 * A folder of keys by its name, for proving.
 *
 * @throws KeysError as `openKeys`; `KEYS_FOREIGN` for keys of other circuits than this package's, where that can be told.
 */
export async function keysOfFolder(path: string, options: Pick<OpenKeysOptions, "verify"> = {}): Promise<KeyFolder> {
  const [{ keysDigest, openKeys }, { readLayouts }, { CircuitError }] = await Promise.all([
    import("../keys/folder.js"),
    import("../circuits/sources.js"),
    import("../circuits/errors.js"),
  ]);
  const folder = await openKeys(path, options);
  let digest: string;
  try {
    digest = keysDigest(readLayouts());
  } catch (error) {
    // the digest covers the compiler's version; without it the keys are taken as they are
    if (error instanceof CircuitError && error.code === "CIRCOM_MISSING") return folder;
    throw error;
  }
  if (folder.digest === digest) return folder;
  throw new KeysError("made from other circuits than those of this version; make keys with `chunkproof keys`", {
    code: "KEYS_FOREIGN",
    where: path,
    expected: digest,
    got: folder.digest,
  });
}
