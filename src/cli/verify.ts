/**
 * `chunkproof verify`: what a replica does with a block's proof.
 *
 * @module
 */

import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { writeFileAtomic } from "#platform";
import { ChunkproofError } from "../errors.js";
import { KeysError } from "../keys/errors.js";
import type { KeySet } from "../verifier/keyset.js";
import { command, runCommand } from "./command.js";
import { checkWritable, inFile, readAs } from "./files.js";
import { type CacheOptions, cacheFolder, withCache } from "./key-folders.js";
import { EXIT, type Output, type OutputOptions } from "./output.js";
import { countOf } from "./screen.js";

interface VerifyOptions extends OutputOptions, KeySetOptions {
  readonly state: string;
  readonly output?: string;
}

/** What is said where {@link KeySetOptions.allowDevelopmentKeys} was needed. */
export const ACCEPTED =
  "DEVELOPMENT KEYS are accepted: whoever made them can forge proofs, so this verdict is worth nothing outside of tests";

/** Which key set to accept. */
export interface KeySetOptions extends CacheOptions {
  readonly keys?: string | undefined;
  readonly allowDevelopmentKeys?: boolean | undefined;
  /** Digests that may be accepted; default: any. */
  readonly acceptKeys?: readonly string[] | undefined;
}

/** The key set to accept: a file, that of a folder, or that of the keys in the cache. */
export async function keySetOf(options: KeySetOptions, signal: AbortSignal): Promise<KeySet> {
  const { parseKeySet } = await import("../verifier/keyset.js");
  const { keys, allowDevelopmentKeys: allowInsecure = false, acceptKeys: digests } = options;
  const parse = (input: unknown, path: string): KeySet => {
    try {
      return parseKeySet(input, { allowInsecure, ...(digests === undefined ? {} : { digests }) });
    } catch (error) {
      if (error instanceof ChunkproofError && error.code === "KEYSET_INSECURE") {
        throw new KeysError("these are development keys: whoever made them can forge proofs", {
          code: error.code,
          where: path,
          expected: "the keys of a ceremony, or --allow-development-keys",
          cause: error,
        });
      }
      throw inFile(path, error);
    }
  };
  if (keys !== undefined && !(await isFolder(keys))) {
    return parse(await readAs(keys, "key set", signal, keySetInput), keys);
  }
  const { findKeys, openKeys } = await import("../keys/folder.js");
  if (keys !== undefined) return parse((await openKeys(keys)).keySet, keys);
  const cache = await cacheFolder(options);
  const missing = (cause?: unknown) =>
    new KeysError("no keys here; say which to accept with --keys", { code: "KEYS_MISSING", where: cache, cause });
  const found = await findKeys(cache).catch((error) => {
    // whose keys these are is asked by the version of the compiler, which replicas do not have
    throw error instanceof ChunkproofError && error.code === "CIRCOM_MISSING" ? missing(error) : error;
  });
  if (found === undefined) throw missing();
  return parse(found.keySet, found.path);
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

const BINARY = "chunkproof keys";

/** The key set's binary form begins with its name; anything else must be JSON. */
function keySetInput(bytes: Uint8Array): unknown {
  if (new TextDecoder("latin1").decode(bytes.subarray(0, BINARY.length)) === BINARY) return bytes;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new KeysError("is no key set", {
      code: "KEYSET_MALFORMED",
      expected: "JSON, or the binary form",
      got: (cause as Error).message,
      cause,
    });
  }
}

async function verify(proofPath: string, options: VerifyOptions, out: Output, signal: AbortSignal): Promise<number> {
  const { state: statePath, output } = options;
  const inputs = [proofPath, statePath, ...(options.keys === undefined ? [] : [options.keys])];
  await checkWritable(output === undefined ? [] : [output], inputs);
  const [
    { decodeBlockProof, encodeBlockProof },
    { decodeSnapshot, encodeSnapshot },
    { applyDiff, verifyOnSnapshot },
    verdict,
  ] = await Promise.all([
    import("../verifier/encoding.js"),
    import("../trace/snapshot.js"),
    import("../replica/index.js"),
    import("./verdict.js"),
  ]);
  // bytes that are no block proof of a known version at all are bad input, and no verdict on a proof
  const proof = await readAs(proofPath, "block proof", signal, decodeBlockProof);
  const snapshot = await readAs(statePath, "snapshot", signal, decodeSnapshot);
  const keys = await keySetOf(options, signal);
  if (keys.insecure) out.warn(ACCEPTED);
  const validity = await verifyOnSnapshot(encodeBlockProof(proof), snapshot, keys).catch((error) => {
    // what the proof is made of makes nothing throw
    throw error instanceof ChunkproofError && /^(SNAPSHOT|STATE)_/.test(error.code) ? inFile(statePath, error) : error;
  });
  signal.throwIfAborted();
  const common = { keySet: keys.digest, insecure: keys.insecure, chunks: proof.chunks.length };
  if (!validity.valid) {
    const { faults } = validity;
    const lines = faults.map(({ code, message }) => `  ${message} [${code}]`);
    out.result(
      `INVALID: the block is refused for ${countOf(faults.length, "reason")}:\n${lines.join("\n")}`,
      { valid: false, faults, ...common },
      false,
    );
    return EXIT.invalid;
  }
  if (output !== undefined) {
    const next = applyDiff(snapshot, validity.stateDiff, validity.header);
    await writeFileAtomic(output, [encodeSnapshot(next)], signal);
  }
  const written = output === undefined ? "" : `\n  state after it written to ${output}`;
  out.result(`${verdict.describeValid(validity)}${written}`, {
    valid: true,
    faults: [],
    ...verdict.validDetails(validity),
    ...common,
    ...(output === undefined ? {} : { snapshot: output }),
  });
  return EXIT.ok;
}

/** The command `verify`. */
export function verifyCommand(): Command {
  return withCache(
    command(
      "verify",
      `verify a block on a replica's state, without executing it; exit code ${EXIT.ok} valid, ${EXIT.invalid} refused, ${EXIT.usage} bad files`,
    ),
  )
    .argument("<block.proof>", "proof of the block, from `chunkproof prove`")
    .requiredOption("--state <before.json>", "the replica's state before the block: a snapshot")
    .option("--keys <keyset.json>", "the key set to accept, or a folder of keys (default: the keys in the cache)")
    .option(
      "--allow-development-keys",
      "accept keys of `chunkproof keys`, with which whoever made them can forge proofs",
    )
    .option("-o, --output <after.json>", "write the state after the block, if it is valid")
    .addHelpText(
      "after",
      `
The proof must be of the block right after the snapshot's. The state root is computed before and after the block from the
snapshot's accounts and what the block changes; nothing is taken from the proof on trust.`,
    )
    .action((proofPath: string, options: VerifyOptions) =>
      runCommand("verify", options, (out, signal) => verify(proofPath, options, out, signal)),
    );
}
