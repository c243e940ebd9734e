/**
 * Folders of keys that nobody can prove with: a key set that replicas take, and files of random bytes. In no time.
 *
 * @module
 */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Layout } from "../../src/circuits/sources.js";
import { type KeyFolder, openKeys } from "../../src/keys/folder.js";
import type { ChunkKeyJson, KeySetJson } from "../../src/verifier/keyset.js";
import { g1Json, g2Json, scalarSource } from "./groth16.js";
import { bytesOf, sha256 } from "./store-suite.js";

const LAYOUTS: readonly Layout[] = [
  { name: "ends-8", power: 8, rows: { stop: 6 } },
  { name: "store-9", power: 9, rows: { add: 1, push: 3 } },
];

/** What the manifest says, for tests that say otherwise. */
export interface FakeManifest {
  format: string;
  digest: string;
  layouts: Layout[];
  files: Record<string, string>;
}

/** Options of {@link fakeKeys}. */
export interface FakeKeysOptions {
  /** Bytes of each file that is no JSON. */
  readonly size?: number;
  /** Digest of the circuits. */
  readonly digest?: string;
  /** Changes the manifest before it is written. */
  readonly manifest?: (manifest: FakeManifest) => void;
  /** Makes another key set of it before it is written. */
  readonly keySet?: (keySet: KeySetJson) => object;
}

/** Keys of the same circuits, but not the same keys for another `seed`. Not opened: the manifest may be anything. */
export async function writeKeys(cache: string, seed: string, options: FakeKeysOptions = {}): Promise<string> {
  const { size = 2000, digest = sha256("circuits"), manifest: change, keySet: changeSet } = options;
  const path = join(cache, "keys", digest.slice(0, 24));
  await mkdir(path, { recursive: true });
  const next = scalarSource(seed);
  const [alpha, beta] = [next(), next()];
  const keys = LAYOUTS.map(
    ({ name, power }, i): ChunkKeyJson => ({
      name,
      power,
      nPublic: 13,
      nCommitted: 10,
      layout: sha256(`layout ${i}`),
      vk_alpha_1: g1Json(alpha),
      vk_beta_2: g2Json(beta),
      vk_gamma_2: g2Json(1n),
      vk_delta_2: g2Json(next()),
      vk_sigma_2: g2Json(next()),
      IC: [next(), next(), next(), next()].map(g1Json),
    }),
  );
  const keySet: KeySetJson = { version: 1, protocol: "groth16-committed", curve: "bn128", insecure: true, keys };
  const files: Record<string, string> = {};
  const write = async (name: string, content: Uint8Array | string) => {
    await writeFile(join(path, name), content);
    files[name] = sha256(content);
  };
  for (const { name } of LAYOUTS)
    for (const kind of ["zkey", "ckey", "plan"]) await write(`${name}.${kind}`, bytesOf(size));
  await write("keyset.json", JSON.stringify(changeSet?.(keySet) ?? keySet));
  const manifest: FakeManifest = { format: "chunkproof keys 2", digest, layouts: [...LAYOUTS], files };
  change?.(manifest);
  await writeFile(join(path, "manifest.json"), JSON.stringify(manifest));
  return path;
}

/** {@link writeKeys}, opened. */
export async function fakeKeys(cache: string, seed: string, options: FakeKeysOptions = {}): Promise<KeyFolder> {
  return openKeys(await writeKeys(cache, seed, options), { verify: true });
}
