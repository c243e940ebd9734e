/**
 * Keys by way of the store: the coordinator publishes its folder, workers fetch it. Every file is a blob, and so is the
 * manifest, whose digest names all of them.
 *
 * ```
 * <cache>/keys/fetched-<24 digits>          keys of a network, complete; by the digest of the manifest
 *             /.fetched-<24 digits>         files of them that have arrived, for whoever goes on
 *             /.fetching-<24 digits>-<…>    the file that is on its way
 * ```
 *
 * Two sets of development keys for the same circuits have the same `KeyFolder.digest`, but not the same manifest.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "../errors.js";
import { KeysError } from "../keys/errors.js";
import { folderOf, type KeyFolder, MANIFEST, type Manifest, openKeys, parseManifest } from "../keys/folder.js";
import type { OnProgress } from "../prover/progress.js";
import { hashFile, targetFailure } from "./files.js";
import { assertDigest, type Digest, type Store } from "./store.js";

/** Longest manifest: that of 255 layouts has a quarter of it. */
const MAX_MANIFEST = 1 << 20;
/** What is left of a fetch that nobody goes on with. */
const ABANDONED = 7 * 24 * 3_600_000;

/** Options of {@link fetchKeys}. */
export interface FetchKeysOptions {
  readonly signal?: AbortSignal | undefined;
  /** Stages `fetch <file>`, `keys`. */
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Puts a folder of keys into a store; what is there is not sent again.
 *
 * @returns digest of the manifest.
 * @throws KeysError as {@link openKeys} does; what the store throws; `signal.reason`.
 */
export async function publishKeys(folder: KeyFolder, store: Store, signal?: AbortSignal): Promise<Digest> {
  const { path } = folder;
  const where = join(path, MANIFEST);
  const bytes = await readFile(where).catch((cause) => {
    throw new KeysError("cannot be read", { code: "KEYS_DAMAGED", where, cause });
  });
  const { digest, files } = parseManifest(bytes.toString("utf8"), where);
  if (digest !== folder.digest) {
    throw new KeysError("not the keys that were opened", {
      code: "KEYS_DAMAGED",
      where,
      expected: folder.digest,
      got: digest,
    });
  }
  for (const [name, sum] of Object.entries(files)) {
    if (await store.has(sum, signal)) continue;
    const file = join(path, name);
    const got = await store.putFile(file, signal).catch((error) => {
      if (!(error instanceof FormatError)) throw error;
      throw new KeysError("cannot be read", { code: "KEYS_DAMAGED", where: file, cause: error });
    });
    if (got !== sum) throw damaged(file, sum, got);
  }
  // last: who has its digest finds everything
  return await store.put(new Uint8Array(bytes), signal);
}

/**
 * The keys of a network: those in the cache, made here or fetched before, or else those in the store. An interruption loses
 * at most one file. Fetched keys that were damaged are fetched again.
 *
 * @param manifest digest that `publishKeys` answered.
 * @param cache folder of the cache, see `defaultCache`.
 * @throws KeysError `KEYS_MALFORMED`, VerifierError for a key set that no replica would take; FormatError `FILE_UNWRITABLE`,
 *   NetworkError `STORE_FULL` for a cache without space; what the store throws; `signal.reason`.
 */
export async function fetchKeys(
  store: Store,
  manifest: Digest,
  cache: string,
  options: FetchKeysOptions = {},
): Promise<KeyFolder> {
  assertDigest(manifest);
  options.signal?.throwIfAborted();
  const keys = join(cache, "keys");
  const name = `fetched-${manifest.slice(0, 24)}`;
  const path = join(keys, name);
  const spoiled = existsSync(path);
  const known = await openIf(path, manifest);
  if (known !== undefined) return known;
  const arrived = join(keys, `.${name}`);
  const working = join(keys, `.fetching-${manifest.slice(0, 24)}-${randomUUID()}`);
  await guard(working, () => mkdir(working, { recursive: true }));
  try {
    await clean(keys);
    // its good files are kept; a file is no folder, and the slash says so
    if (spoiled)
      await rename(`${path}/`, arrived).catch(() => guard(path, () => rm(path, { recursive: true, force: true })));
    return await new Fetch(store, manifest, { cache, path, working, arrived }, options).run();
  } catch (error) {
    // another process that fetches the same was faster, and has taken what arrived
    const theirs = options.signal?.aborted ? undefined : await openIf(path, manifest);
    if (theirs === undefined) throw error;
    await rm(arrived, { recursive: true, force: true }).catch(() => {});
    return theirs;
  } finally {
    await rm(working, { recursive: true, force: true }).catch(() => {});
  }
}

/** Compares every file of a folder with its digest. @throws KeysError `KEYS_DAMAGED`, `KEYS_MALFORMED`, `KEYS_MISSING` */
export async function verifyKeys(folder: KeyFolder): Promise<void> {
  await openKeys(folder.path, { verify: true, digest: folder.digest });
}

interface Places {
  readonly cache: string;
  readonly path: string;
  readonly working: string;
  readonly arrived: string;
}

class Fetch {
  readonly #store: Store;
  readonly #digest: Digest;
  readonly #places: Places;
  readonly #options: FetchKeysOptions;

  constructor(store: Store, digest: Digest, places: Places, options: FetchKeysOptions) {
    this.#store = store;
    this.#digest = digest;
    this.#places = places;
    this.#options = options;
  }

  async run(): Promise<KeyFolder> {
    const { cache, path, working, arrived } = this.#places;
    const { signal, onProgress } = this.#options;
    const { digest, files } = await this.#manifest();
    const local = await openIf(folderOf(cache, digest), this.#digest);
    if (local !== undefined) return local;
    await guard(arrived, () => mkdir(arrived, { recursive: true }));
    const entries = Object.entries(files);
    for (const [done, [name, sum]] of entries.entries()) {
      onProgress?.({ stage: `fetch ${name}`, done, total: entries.length });
      await this.#file(name, sum);
    }
    await guard(arrived, () => rename(join(working, MANIFEST), join(arrived, MANIFEST)));
    try {
      // the load checks of a replica, before anybody uses the keys
      (await openKeys(arrived)).parsed();
    } catch (error) {
      await rm(arrived, { recursive: true, force: true });
      throw error;
    }
    signal?.throwIfAborted();
    await guard(path, () => rename(arrived, path));
    onProgress?.({ stage: "keys", done: entries.length, total: entries.length });
    return await openKeys(path);
  }

  async #manifest(): Promise<Manifest> {
    const { working } = this.#places;
    const where = `manifest ${this.#digest}`;
    const file = join(working, MANIFEST);
    await this.#store.getFile(this.#digest, file, this.#options.signal);
    const { size } = await stat(file);
    if (size > MAX_MANIFEST) {
      throw new KeysError("too large", {
        code: "KEYS_MALFORMED",
        where,
        expected: `at most ${MAX_MANIFEST} bytes`,
        got: `${size} bytes`,
      });
    }
    return parseManifest(await readFile(file, "utf8"), where);
  }

  async #file(name: string, sum: Digest): Promise<void> {
    const { working, arrived } = this.#places;
    const { signal } = this.#options;
    const target = join(arrived, name);
    const found = await lstat(target).catch(() => undefined);
    if (found?.isFile() && (await hashFile(target, signal)).digest === sum) return;
    if (found !== undefined && !found.isFile()) await rm(target, { recursive: true, force: true });
    const file = join(working, name);
    await this.#store.getFile(sum, file, signal);
    await guard(target, () => rename(file, target));
  }
}

/** The keys in a folder, if they are those of the manifest and nothing is damaged. */
async function openIf(path: string, manifest: Digest): Promise<KeyFolder | undefined> {
  try {
    if ((await hashFile(join(path, MANIFEST))).digest !== manifest) return undefined;
    return await openKeys(path, { verify: true });
  } catch (error) {
    if (error instanceof KeysError || error instanceof FormatError) return undefined;
    throw error;
  }
}

/** Removes what fetches left that nobody went on with. */
async function clean(keys: string): Promise<void> {
  const before = Date.now() - ABANDONED;
  for (const name of await readdir(keys).catch(() => [])) {
    if (!/^\.fetch(ed|ing)-/.test(name)) continue;
    const found = await stat(join(keys, name)).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < before) await rm(join(keys, name), { recursive: true, force: true });
  }
}

async function guard<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw targetFailure(where, cause);
  }
}

const damaged = (where: string, expected: Digest, got: Digest) =>
  new KeysError("is not the file that was made", { code: "KEYS_DAMAGED", where, expected: `SHA-256 ${expected}`, got });
