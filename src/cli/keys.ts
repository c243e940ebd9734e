/**
 * `chunkproof keys`: the keys of the block prover.
 *
 * @module
 */

import type { Command } from "commander";
import { writeFileAtomic } from "#platform";
import { KeysError } from "../keys/errors.js";
import { command, runCommand, type ThreadOptions, withThreads } from "./command.js";
import { checkWritable } from "./files.js";
import { type CacheOptions, cacheFolder, DEVELOPMENT_KEYS, keysOfCache, withCache } from "./key-folders.js";
import { EXIT, type Output } from "./output.js";
import { countOf } from "./screen.js";

interface KeysOptions extends ThreadOptions, CacheOptions {
  readonly check?: boolean;
  readonly export?: string;
}

/** Reads every file again and checks every commitment key against its proving key. */
async function checkKeys(options: KeysOptions, out: Output, signal: AbortSignal) {
  const [{ findKeys, openKeys }, { checkCommitmentKey }] = await Promise.all([
    import("../keys/folder.js"),
    import("../setup/index.js"),
  ]);
  const cache = await cacheFolder(options);
  const found = await findKeys(cache);
  if (found === undefined) {
    throw new KeysError("no keys here; make them with `chunkproof keys`", { code: "KEYS_MISSING", where: cache });
  }
  const onProgress = await out.progress();
  onProgress?.({ stage: "check", done: 0, total: found.layouts.length });
  const folder = await openKeys(found.path, { verify: true });
  for (const [i, { zkey, ckey }] of folder.layouts.entries()) {
    await checkCommitmentKey(zkey, ckey, { threads: options.threads, signal });
    onProgress?.({ stage: "check", done: i + 1, total: folder.layouts.length });
  }
  return folder;
}

async function keys(options: KeysOptions, out: Output, signal: AbortSignal): Promise<number> {
  if (options.export !== undefined) await checkWritable([options.export], []);
  const { check = false } = options;
  const { folder, made } = check
    ? { folder: await checkKeys(options, out, signal), made: false }
    : await keysOfCache(options, out, signal);
  // the load checks of a replica
  const set = folder.parsed();
  if (!made && set.insecure) out.warn(DEVELOPMENT_KEYS);
  if (options.export !== undefined) {
    const text = new TextEncoder().encode(`${JSON.stringify(folder.keySet, null, 1)}\n`);
    await writeFileAtomic(options.export, [text], signal);
  }
  const what = `keys for ${countOf(folder.layouts.length, "layout")} ${made ? "made" : check ? "checked" : "are there"}: ${folder.path}`;
  const exported = options.export === undefined ? "" : `; key set ${set.digest} written to ${options.export}`;
  out.result(`${what}${exported}`, {
    keys: folder.path,
    made,
    checked: check,
    keySet: set.digest,
    insecure: set.insecure,
    layouts: folder.layouts.map(({ layout: { name, power } }) => ({ name, power })),
    ...(options.export === undefined ? {} : { exported: options.export }),
    ...(set.insecure ? { warning: DEVELOPMENT_KEYS } : {}),
  });
  return EXIT.ok;
}

/** The command `keys`. */
export function keysCommand(): Command {
  return withCache(
    withThreads(
      command("keys", "make the keys for proving blocks: DEVELOPMENT KEYS, NOT FOR PRODUCTION; or find them"),
    ),
  )
    .option("--check", "read and check the keys that are there; make none")
    .option("--export <keyset.json>", "write the key set, which is all that replicas need")
    .addHelpText(
      "after",
      `
Compiles the circuits (with circom2, which must be installed) and makes the keys, once: both are kept in the cache.
An interruption leaves nothing incomplete behind, and circuits that were compiled stay.`,
    )
    .action((options: KeysOptions) => runCommand("keys", options, (out, signal) => keys(options, out, signal)));
}
