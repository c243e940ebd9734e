/**
 * Compiled circuits on disk, by digest of everything they are made from: sources, layout, compiler. A file that does not
 * hold what was written is made again.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "#platform";
import { type R1cs, readR1cs } from "../formats/r1cs.js";
import { compileLayout, findCircom } from "./compile.js";
import { CIRCUITS, type Layout, mainSource } from "./sources.js";

export { cacheFolder as defaultCache } from "#platform";

/** Bytes of SHA-256. */
const DIGEST = 32;

/** SHA-256 of the parts, each with its length. */
export function sha256(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return new Uint8Array(hash.digest());
}

/** Hexadecimal digest of a layout's circuit: its main, all sources, and the compiler that is installed. */
export function circuitDigest(layout: Layout, folder = CIRCUITS): string {
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".circom"))
    .sort()
    .flatMap((name) => [name, readFileSync(join(folder, name))]);
  return Buffer.from(sha256(findCircom().version, mainSource(layout, folder), ...sources)).toString("hex");
}

/** A circuit that was compiled now or before. */
export interface CachedCircuit {
  readonly layout: Layout;
  readonly digest: string;
  /** The `.r1cs` file. */
  readonly bytes: Uint8Array;
  readonly r1cs: R1cs;
}

async function cachedBytes(path: string): Promise<Uint8Array | undefined> {
  const file = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined || file.length < DIGEST) return undefined;
  const bytes = new Uint8Array(file.subarray(DIGEST));
  return file.subarray(0, DIGEST).equals(sha256(bytes)) ? bytes : undefined;
}

/**
 * The circuit of a layout.
 *
 * @param cache folder of the cache.
 * @throws as `compileLayout` does.
 */
export async function cachedCircuit(layout: Layout, cache: string, signal?: AbortSignal): Promise<CachedCircuit> {
  const digest = circuitDigest(layout);
  const folder = join(cache, "circuits");
  const path = join(folder, `${layout.name}-${digest.slice(0, 24)}.r1cs`);
  let bytes = await cachedBytes(path);
  if (bytes === undefined) {
    ({ bytes } = await compileLayout(layout, { signal }));
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(path, [sha256(bytes), bytes], signal);
  }
  return { layout, digest, bytes, r1cs: await readR1cs(bytes, signal) };
}
