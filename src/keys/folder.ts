/**
 * Folders of keys: for each layout the proving key, the commitment key and the plan of its solver; and the key set that
 * replicas get.
 *
 * ```
 * <cache>/keys/<digest>/manifest.json       what is in it, with the SHA-256 of every file
 *                      /keyset.json         the verifying keys: all that a replica needs
 *                      /<layout>.zkey .ckey .plan
 * ```
 *
 * A folder appears under its name only when it is complete. The keys of a set share τ, α and β, which are never written
 * anywhere; so a set is made as a whole. What takes long, compiling the circuits, is cached apart and survives an interruption.
 *
 * @module
 */

import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cachedCircuit, circuitDigest, sha256 } from "../circuits/cache.js";
import { CircuitError, SolverError } from "../circuits/errors.js";
import { decodePlan, encodePlan, planSolver, type SolverPlan } from "../circuits/solver.js";
import { type Layout, readLayouts } from "../circuits/sources.js";
import type { OnProgress } from "../prover/progress.js";
import type { ThreadCount } from "../prover/wasm/engine.js";
import { createCommitmentKey, createPhase1, exportChunkKey, setup } from "../setup/index.js";
import { type ChunkKeyJson, type KeySet, type KeySetJson, parseKeySet } from "../verifier/keyset.js";
import { KeysError } from "./errors.js";

/** Changes when keys of the same circuits are made in another way. */
const FORMAT = "chunkproof keys 2";
/** What is in a folder of keys. */
export const MANIFEST = "manifest.json";
const KEY_SET = "keyset.json";
const KINDS = ["zkey", "ckey", "plan"] as const;
/** As many as a key set has room for. */
const MAX_LAYOUTS = 255;
/** log2 of the largest domain in fr. */
const MAX_POWER = 28;

/** Files of one layout. */
export interface LayoutFiles {
  readonly layout: Layout;
  readonly zkey: string;
  readonly ckey: string;
  readonly plan: string;
}

/** A complete folder of keys. */
export interface KeyFolder {
  readonly path: string;
  /** Of the circuits and everything that the keys were made with, hexadecimal. */
  readonly digest: string;
  readonly keySet: KeySetJson;
  /** In the order of the key set. */
  readonly layouts: readonly LayoutFiles[];
  /** The set, checked and prepared; development keys are accepted. @throws VerifierError when the set is refused. */
  parsed(): KeySet;
  /** @throws KeysError `KEYS_DAMAGED` */
  plan(index: number): Promise<SolverPlan>;
}

/** What {@link MANIFEST} says. */
export interface Manifest {
  readonly format: string;
  readonly digest: string;
  readonly layouts: readonly Layout[];
  /** SHA-256 by file name, hexadecimal. */
  readonly files: Readonly<Record<string, string>>;
}

/** Options of {@link makeKeys}. */
export interface MakeKeysOptions {
  /** Folder of the cache, see `defaultCache`. */
  readonly cache: string;
  /** Default: those of the package. */
  readonly layouts?: readonly Layout[] | undefined;
  readonly threads?: ThreadCount | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Stages `compile <layout>` and `key <layout>`. */
  readonly onProgress?: OnProgress | undefined;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** What `sha256sum` says. */
async function sumOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Uint8Array);
  return hash.digest("hex");
}

/** Digest of a set's circuits and of how its keys are made. @throws as `circuitDigest` does. */
export function keysDigest(layouts: readonly Layout[]): string {
  return hex(
    sha256(FORMAT, ...layouts.flatMap((layout) => [layout.name, String(layout.power), circuitDigest(layout)])),
  );
}

/** Where keys that were made here lie. */
export const folderOf = (cache: string, digest: string): string => join(cache, "keys", digest.slice(0, 24));

/**
 * The keys of the layouts: those in the cache, or new development keys.
 *
 * @throws CircuitError, SetupError, ProverError, KeysError; `signal.reason`, and then nothing incomplete is left behind.
 */
export async function makeKeys(options: MakeKeysOptions): Promise<KeyFolder> {
  const { cache, layouts = readLayouts(), threads, signal, onProgress } = options;
  signal?.throwIfAborted();
  const digest = keysDigest(layouts);
  const path = folderOf(cache, digest);
  if (existsSync(path)) return openKeys(path, { digest });
  await mkdir(join(cache, "keys"), { recursive: true });
  await cleanKeys(cache);
  const temporary = join(cache, "keys", `.${digest.slice(0, 24)}-${process.pid}-${randomUUID().slice(0, 8)}`);
  await mkdir(temporary);
  try {
    const files: Record<string, string> = {};
    const keep = async (name: string) => {
      files[name] = await sumOf(join(temporary, name));
    };
    const total = layouts.length;
    // what is not secret first: it is cached, so that an interruption costs seconds
    for (const [i, layout] of layouts.entries()) {
      onProgress?.({ stage: `compile ${layout.name}`, done: i, total: 2 * total });
      await cachedCircuit(layout, cache, signal);
    }
    const shared = createPhase1();
    const keys: ChunkKeyJson[] = [];
    for (const [i, layout] of layouts.entries()) {
      onProgress?.({ stage: `key ${layout.name}`, done: total + i, total: 2 * total });
      const circuit = await cachedCircuit(layout, cache, signal);
      const name = (kind: string) => `${layout.name}.${kind}`;
      const [zkey, ckey] = [join(temporary, name("zkey")), join(temporary, name("ckey"))];
      const key = await setup(circuit.bytes, { shared, threads, signal });
      if (key.domainSize !== 2 ** layout.power) {
        throw new CircuitError("the layout does not fill its domain", {
          code: "CIRCUIT_SIZE",
          where: layout.name,
          expected: `more than 2^${layout.power - 1} rows`,
          got: `${key.nConstraints + key.nPublic + 1} rows`,
        });
      }
      await key.writeTo(zkey, signal);
      await (await createCommitmentKey(zkey, { threads, signal })).writeTo(ckey, signal);
      await writeFile(join(temporary, name("plan")), encodePlan(planSolver(circuit.r1cs)));
      keys.push(await exportChunkKey(zkey, ckey, { name: layout.name, layout: circuit.digest }, signal));
      for (const kind of KINDS) await keep(name(kind));
      signal?.throwIfAborted();
    }
    const keySet: KeySetJson = { version: 1, protocol: "groth16-committed", curve: "bn128", insecure: true, keys };
    // the load checks of a replica, before anybody uses the keys
    parseKeySet(keySet, { allowInsecure: true });
    await writeFile(join(temporary, KEY_SET), `${JSON.stringify(keySet, null, 1)}\n`);
    await keep(KEY_SET);
    const manifest: Manifest = { format: FORMAT, digest, layouts, files };
    await writeFile(join(temporary, MANIFEST), `${JSON.stringify(manifest, null, 1)}\n`);
    signal?.throwIfAborted();
    await rename(temporary, path).catch((error) => {
      // another process was faster: its keys are as good
      if (!existsSync(path)) throw error;
    });
    onProgress?.({ stage: "keys", done: 2 * total, total: 2 * total });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return openKeys(path, { digest });
}

/** The keys of these layouts, if they are in the cache. */
export async function findKeys(
  cache: string,
  layouts: readonly Layout[] = readLayouts(),
): Promise<KeyFolder | undefined> {
  const digest = keysDigest(layouts);
  const path = folderOf(cache, digest);
  return existsSync(path) ? openKeys(path, { digest }) : undefined;
}

/** Options of {@link openKeys}. */
export interface OpenKeysOptions {
  /** Read every file and compare its SHA-256 with the manifest. Default: only that it is there. */
  readonly verify?: boolean | undefined;
  /** What the keys must have been made from, see {@link keysDigest}. Default: anything. */
  readonly digest?: string | undefined;
}

/**
 * Opens a folder of keys.
 *
 * @throws KeysError `KEYS_MISSING`, `KEYS_MALFORMED`, `KEYS_FOREIGN`, `KEYS_DAMAGED`.
 */
export async function openKeys(path: string, options: OpenKeysOptions = {}): Promise<KeyFolder> {
  const { verify = false, digest: expected } = options;
  const manifest = await readManifest(path);
  if (expected !== undefined && manifest.digest !== expected) {
    throw new KeysError("keys of other circuits", {
      code: "KEYS_FOREIGN",
      where: path,
      expected,
      got: manifest.digest,
    });
  }
  for (const [name, digest] of Object.entries(manifest.files)) {
    const file = join(path, name);
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) throw new KeysError("a file is missing", { code: "KEYS_DAMAGED", where: file });
    if (!verify && name !== KEY_SET) continue;
    const got = await sumOf(file);
    if (got !== digest) {
      throw new KeysError("is not the file that was made", {
        code: "KEYS_DAMAGED",
        where: file,
        expected: `SHA-256 ${digest}`,
        got,
      });
    }
  }
  const keySet = await readKeySet(join(path, KEY_SET), manifest);
  const layouts = manifest.layouts.map((layout): LayoutFiles => {
    const file = (kind: string) => join(path, `${layout.name}.${kind}`);
    return { layout, zkey: file("zkey"), ckey: file("ckey"), plan: file("plan") };
  });
  let parsed: KeySet | undefined;
  return {
    path,
    digest: manifest.digest,
    keySet,
    layouts,
    parsed: () => {
      parsed ??= parseKeySet(keySet, { allowInsecure: true });
      return parsed;
    },
    plan: async (index) => {
      const file = layouts[index]!.plan;
      try {
        return decodePlan(new Uint8Array(await readFile(file)));
      } catch (cause) {
        if (!(cause instanceof SolverError)) throw cause;
        throw new KeysError(cause.message, { code: "KEYS_DAMAGED", where: file, cause });
      }
    },
  };
}

const malformed = (where: string, message: string, cause?: unknown) =>
  new KeysError(message, { code: "KEYS_MALFORMED", where, cause });

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(where, "is no JSON", cause);
  }
}

/** What a key's index means must be the same on both sides. What is in the keys, `parseKeySet` looks at. */
async function readKeySet(where: string, { layouts }: Manifest): Promise<KeySetJson> {
  const keySet = parseJson(await readFile(where, "utf8"), where) as Partial<KeySetJson> | null;
  const keys: readonly unknown[] = Array.isArray(keySet?.keys) ? keySet.keys : [];
  const named = (key: unknown, i: number) => (key as { name?: unknown } | null)?.name === layouts[i]?.name;
  if (keys.length !== layouts.length || !keys.every(named)) {
    throw malformed(where, "does not have the keys of the manifest's layouts");
  }
  return keySet as KeySetJson;
}

async function readManifest(path: string): Promise<Manifest> {
  const where = join(path, MANIFEST);
  const text = await readFile(where, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT" && cause.code !== "ENOTDIR") throw malformed(where, "cannot be read", cause);
    throw new KeysError("no keys here; make them with `chunkproof keys`", { code: "KEYS_MISSING", where: path, cause });
  });
  return parseManifest(text, where);
}

/**
 * Reads the text of a {@link MANIFEST}, which may come from anybody.
 *
 * @throws KeysError `KEYS_MALFORMED`
 */
export function parseManifest(text: string, where: string): Manifest {
  const { format, digest, layouts, files } = (parseJson(text, where) ?? {}) as Partial<Manifest>;
  if (format !== FORMAT) throw malformed(where, `is no manifest of ${FORMAT}`);
  const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
  const isSum = (value: unknown) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
  const isCount = (value: unknown, most: number) =>
    Number.isInteger(value) && Number(value) > 0 && Number(value) <= most;
  // names that cannot lead anywhere else
  const soundLayout = (layout: Partial<Layout> | null) =>
    typeof layout?.name === "string" &&
    /^[a-z0-9-]+$/.test(layout.name) &&
    isCount(layout.power, MAX_POWER) &&
    isObject(layout.rows) &&
    Object.entries(layout.rows).every(([row, count]) => /^[a-z0-9]+$/.test(row) && isCount(count, 2 ** layout.power!));
  const soundLayouts = Array.isArray(layouts) && isCount(layouts.length, MAX_LAYOUTS) && layouts.every(soundLayout);
  // a digest for each file that will be read, and for nothing else
  const soundFiles = (layouts: readonly Layout[], files: object) => {
    const names = [KEY_SET, ...layouts.flatMap(({ name }) => KINDS.map((kind) => `${name}.${kind}`))];
    return (
      new Set(names).size === names.length &&
      Object.keys(files).length === names.length &&
      names.every((name) => Object.hasOwn(files, name)) &&
      Object.values(files).every(isSum)
    );
  };
  if (!(isSum(digest) && soundLayouts && isObject(files) && soundFiles(layouts, files))) {
    throw malformed(where, "lacks fields, or has others than it should");
  }
  return { format, digest: digest!, layouts, files: files as Manifest["files"] };
}

/** Whether a process is there; one that may not be signalled is. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes what killed processes left in the cache: incomplete folders whose maker is gone. `makeKeys` does so first. */
export async function cleanKeys(cache: string): Promise<void> {
  const folder = join(cache, "keys");
  for (const name of await readdir(folder).catch(() => [])) {
    const maker = /^\.[0-9a-f]+-(\d+)-[0-9a-f]+$/.exec(name)?.[1];
    if (maker !== undefined && !isAlive(Number(maker))) await rm(join(folder, name), { recursive: true, force: true });
  }
}
