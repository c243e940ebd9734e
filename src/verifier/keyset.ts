/**
 * Sets of chunk verifying keys, one for each layout of chunks, checked together.
 *
 * A chunk key is a Groth16 key whose public signals are `[sum, alpha, beta, column …]` and whose columns are not given
 * but committed to: D = Σ column_i·IC_i. It holds IC_0 … IC_3 only, and [σ]₂, with which P = σ·D shows that D is a sum
 * of the IC points of columns. σ belongs to one key alone, as does δ: whatever two keys had in common could carry a point
 * from one of them into the equation of the other.
 *
 * The canonical encoding, which is hashed to the digest that names the set:
 *
 * ```text
 * "chunkproof keys" | u8 version = 1 | u8 1 if insecure, else 0 | u8 number of keys | alpha1 32 | beta2 64, then each key:
 *   u8 length of the name | name, ASCII | u8 power | u32 nCommitted | 32 bytes digest of the layout
 *   | delta2 64 | sigma2 64 | IC_0 … IC_3, 32 each
 * ```
 *
 * Integers are big-endian; points: see `compressed.ts`. gamma2 is the generator, and nPublic = 3 + nCommitted.
 *
 * @module
 */

import { interleavedMSMUnsafe } from "@noble/curves/abstract/curve.js";
import type { Fp12 } from "@noble/curves/abstract/tower.js";
import { bn254 } from "@noble/curves/bn254.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";
import {
  type AffineG1,
  type AffineG2,
  compressG1,
  compressG2,
  G1_BYTES,
  G2_BYTES,
  readG1,
  readG2,
} from "./compressed.js";
import { VerifierError, type VerifierErrorCode } from "./errors.js";
import { isZero, sub } from "./fq2.js";
import { arrayLength, describe, expectName, fault, snapshotFields, tuple } from "./json.js";
import { millerLoop } from "./pairing.js";
import { decodeG1, decodeG2, type G1, G1_RULE, type G2, G2_RULE, toG2 } from "./points.js";

/** Public signals that are not committed to: sum, alpha, beta. */
export const N_STATEMENT = 3;

/** The verifying key of one layout; points as in `verification_key.json`. Further properties are ignored. */
export interface ChunkKeyJson {
  /** 1 to 64 characters, letters, digits and `._-`; no two keys of a set have the same. */
  readonly name: string;
  /** log2 of the size of the domain, 1 to 28. */
  readonly power: number;
  /** Number of public signals, `3 + nCommitted`. */
  readonly nPublic: number;
  /** Number of columns, at least 1. */
  readonly nCommitted: number;
  /** Digest of what the layout's circuit is made from: 64 lower-case hexadecimal digits. */
  readonly layout: string;
  readonly vk_alpha_1: readonly string[];
  readonly vk_beta_2: readonly (readonly string[])[];
  /** The generator of G2, as in every key of snarkjs. */
  readonly vk_gamma_2: readonly (readonly string[])[];
  readonly vk_delta_2: readonly (readonly string[])[];
  readonly vk_sigma_2: readonly (readonly string[])[];
  /** IC_0 to IC_3. */
  readonly IC: readonly (readonly string[])[];
}

/** A set of keys as JSON. */
export interface KeySetJson {
  readonly version: 1;
  readonly protocol: "groth16-committed";
  readonly curve: "bn128";
  /** True for development keys: whoever made them can forge proofs. */
  readonly insecure: boolean;
  /** 1 to 255 keys; a chunk names its own by the index in this list. */
  readonly keys: readonly ChunkKeyJson[];
}

/** How strict to be about a set of keys. Only own properties count. */
export interface KeySetOptions {
  /**
   * Accept development keys. For tests and development only.
   *
   * @defaultValue false
   */
  readonly allowInsecure?: boolean | undefined;
  /** Digests of the sets to accept, 64 lower-case hexadecimal digits each. Default: any set. */
  readonly digests?: readonly string[] | undefined;
}

/** What is public knowledge about a key of a set. */
export interface ChunkKeyInfo {
  readonly name: string;
  readonly power: number;
  readonly nCommitted: number;
  /** Digest of the layout, hexadecimal. */
  readonly layout: string;
}

/** What the equations of a chunk need of its key. */
export interface PreparedChunkKey {
  readonly alpha: G1;
  readonly beta: G2;
  readonly delta: G2;
  readonly sigma: G2;
  /** The Miller value of (-alpha, beta), before the final power. */
  readonly minusAlphaBeta: Fp12;
  /** Σ k_j·IC_j for four scalars in [0, r). */
  combineIC(scalars: bigint[]): G1;
}

let generator: G2 | undefined;

/** The generator of G2, which every P is paired with. */
export function generatorG2(): G2 {
  generator ??= toG2("keySet", bn254.G2.Point.BASE.toAffine(), "");
  return generator;
}

/** Prepares points that were checked. */
export function prepareChunkKey(alpha: G1, beta: G2, delta: G2, sigma: G2, ic: readonly G1[]): PreparedChunkKey {
  const { x, y } = alpha.negate().toAffine();
  let combine: ((scalars: bigint[]) => G1) | undefined;
  return {
    alpha,
    beta,
    delta,
    sigma,
    minusAlphaBeta: millerLoop([{ lines: beta.lines, x, y }]),
    combineIC(scalars) {
      combine ??= interleavedMSMUnsafe(bn254.G1.Point, [...ic], 5);
      return combine(scalars);
    },
  };
}

/** A key that was decoded but not compared with the others. */
interface DecodedKey extends ChunkKeyInfo {
  readonly path: string;
  readonly alpha: G1;
  readonly beta: G2;
  readonly delta: G2;
  readonly sigma: G2;
  readonly ic: readonly G1[];
}

interface Inside {
  readonly keys: readonly PreparedChunkKey[];
  readonly encoded: Uint8Array;
}

let open: (value: unknown) => Inside | undefined;

/** Known to this module only, as in `key.ts`. */
const TOKEN = Symbol("parseKeySet");

/** A checked set of keys with everything precomputed that doesn't depend on proofs. Immutable; made by {@link parseKeySet}. */
export class KeySet {
  /** Whether these are development keys, accepted by `allowInsecure` only. */
  readonly insecure: boolean;
  /** Keccak-256 of the canonical encoding, 64 hexadecimal digits: what names the set in transcripts. */
  readonly digest: string;
  /** In the order that chunks count them in. */
  readonly keys: readonly ChunkKeyInfo[];
  readonly #inside: Inside;

  /** @internal */
  constructor(token: symbol, insecure: boolean, keys: readonly DecodedKey[], encoded: Uint8Array) {
    if (token !== TOKEN) throw fault("keySet", "MALFORMED", "", "only parseKeySet makes parsed key sets");
    this.insecure = insecure;
    this.digest = bytesToHex(keccak_256(encoded));
    this.keys = Object.freeze(
      keys.map(({ name, power, nCommitted, layout }) => Object.freeze({ name, power, nCommitted, layout })),
    );
    const { alpha, beta } = keys[0]!;
    this.#inside = {
      keys: keys.map(({ delta, sigma, ic }) => prepareChunkKey(alpha, beta, delta, sigma, ic)),
      encoded,
    };
    Object.freeze(this);
  }

  /** The canonical encoding, which {@link parseKeySet} reads too. */
  toBytes(): Uint8Array {
    return this.#inside.encoded.slice();
  }

  static {
    open = (value) => (typeof value === "object" && value !== null && #inside in value ? value.#inside : undefined);
  }
}

/** The keys of a parsed set. @throws VerifierError `KEYSET_MALFORMED` for any other value */
export function openKeySet(value: unknown): readonly PreparedChunkKey[] {
  const inside = open(value);
  if (inside === undefined) throw fault("keySet", "MALFORMED", "", "not a parsed key set", { got: describe(value) });
  return inside.keys;
}

const MAX_KEYS = 255;
const MAX_POWER = 28;
const MAX_COMMITTED = 2 ** MAX_POWER;
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const HEX_DIGEST = /^[0-9a-f]{64}$/;

const refuse = (code: VerifierErrorCode, path: string, message: string, expected: string, got?: string) =>
  new VerifierError(message, { code, where: `keySet${path}`, expected, ...(got === undefined ? {} : { got }) });

function option(options: unknown, name: keyof KeySetOptions): unknown {
  // not inherited: polluting Object.prototype must not be enough to weaken the check
  const own = typeof options === "object" && options !== null && Object.hasOwn(options, name);
  return own ? (options as KeySetOptions)[name] : undefined;
}

/**
 * The one way in which chunk keys are loaded: checks a set of them, each alone and all together, and prepares it for reuse.
 *
 * @param input parsed JSON, see {@link KeySetJson}, or the canonical encoding
 * @param options see {@link KeySetOptions}
 * @throws VerifierError `KEYSET_MALFORMED`, `KEYSET_VERSION`, `KEYSET_PROTOCOL`, `KEYSET_CURVE`, `KEYSET_NON_CANONICAL`,
 *   `KEYSET_POINT_NOT_ON_CURVE`, `KEYSET_POINT_NOT_IN_SUBGROUP`, `KEYSET_POINT_AT_INFINITY`; `KEYSET_NPUBLIC_MISMATCH`:
 *   not 3 + nCommitted signals; `KEYSET_GAMMA`: gamma is not the generator; `KEYSET_PHASE1`: keys differ in alpha or beta;
 *   `KEYSET_NO_CONTRIBUTION`: a delta or sigma is ± the generator; `KEYSET_POINTS_COINCIDE`: two of all beta, delta and
 *   sigma are equal or opposite, or beta is ± the generator; `KEYSET_DUPLICATE`: a name appears twice; `KEYSET_INSECURE`:
 *   development keys without `allowInsecure`; `KEYSET_DIGEST`: none of `digests`
 */
export function parseKeySet(input: unknown, options?: KeySetOptions): KeySet {
  const { insecure, keys } = input instanceof Uint8Array ? decodeBytes(Uint8Array.from(input)) : decodeJson(input);
  checkTogether(keys);
  const set = new KeySet(TOKEN, insecure, keys, encode(insecure, keys));
  if (insecure && option(options, "allowInsecure") !== true) {
    const message = "these are development keys: whoever made them can forge proofs";
    throw refuse("KEYSET_INSECURE", ".insecure", message, "false, or allowInsecure");
  }
  const digests = option(options, "digests");
  if (digests !== undefined && !(Array.isArray(digests) && digests.includes(set.digest))) {
    throw refuse("KEYSET_DIGEST", "", "none of the key sets to be accepted", "one of options.digests", set.digest);
  }
  return set;
}

/** Whether p = ±q: on the twist equal x leaves no other possibility. */
const sameUpToSign = (p: G2, q: G2): boolean => isZero(sub(p.x, q.x));

function checkTogether(keys: readonly DecodedKey[]): void {
  const [{ alpha, beta }, one] = [keys[0]!, generatorG2()];
  if (sameUpToSign(beta, one)) {
    const message = "beta is ± the generator, so anyone can forge proofs";
    throw refuse("KEYSET_POINTS_COINCIDE", ".keys[0].vk_beta_2", message, "a point of its own");
  }
  const names = new Set<string>();
  const seen = [{ path: ".keys[0].vk_beta_2", point: beta }];
  for (const { name, path, ...key } of keys) {
    if (names.has(name))
      throw refuse("KEYSET_DUPLICATE", `${path}.name`, "two keys have the same name", "another name");
    names.add(name);
    for (const [field, same] of [
      ["vk_alpha_1", key.alpha.equals(alpha)],
      ["vk_beta_2", key.beta.id === beta.id],
    ] as const) {
      if (!same)
        throw refuse("KEYSET_PHASE1", `${path}.${field}`, "not that of the other keys", `keySet.keys[0].${field}`);
    }
    for (const [field, point] of [
      ["vk_delta_2", key.delta],
      ["vk_sigma_2", key.sigma],
    ] as const) {
      const here = `${path}.${field}`;
      if (sameUpToSign(point, one)) {
        const message = "nobody contributed to it, so anyone can forge proofs";
        throw refuse("KEYSET_NO_CONTRIBUTION", here, message, "a point other than ± the generator");
      }
      const twin = seen.find((other) => sameUpToSign(other.point, point));
      if (twin !== undefined) {
        const message = "two points of the set coincide, so proofs can be forged";
        throw refuse("KEYSET_POINTS_COINCIDE", here, message, `a point other than ±keySet${twin.path}`);
      }
      seen.push({ path: here, point });
    }
  }
}

/** Checks what is neither point nor structure. */
function checkInfo(path: string, fields: Record<"name" | "power" | "nCommitted" | "layout", unknown>): ChunkKeyInfo {
  const { name, power, nCommitted, layout } = fields;
  const malformed = (field: string, expected: string, got: unknown) =>
    fault("keySet", "MALFORMED", `${path}.${field}`, "not acceptable", { expected, got: describe(got) });
  const count = (value: unknown, most: number): value is number =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= most;
  if (typeof name !== "string" || !NAME.test(name)) throw malformed("name", "1 to 64 letters, digits or ._-", name);
  if (!count(power, MAX_POWER)) throw malformed("power", `an integer from 1 to ${MAX_POWER}`, power);
  if (!count(nCommitted, MAX_COMMITTED)) throw malformed("nCommitted", "a positive integer", nCommitted);
  if (typeof layout !== "string" || !HEX_DIGEST.test(layout)) {
    throw malformed("layout", "64 lower-case hexadecimal digits", layout);
  }
  return { name, power, nCommitted, layout };
}

interface Decoded {
  readonly insecure: boolean;
  readonly keys: readonly DecodedKey[];
}

function decodeJson(json: unknown): Decoded {
  const subject = "keySet";
  const top = snapshotFields(subject, json, {
    version: 0,
    protocol: 0,
    curve: 0,
    insecure: 0,
    keys: { max: MAX_KEYS, of: 0 },
  });
  if (typeof top.version !== "number") {
    throw fault(subject, "MALFORMED", ".version", "not a number", { expected: "1", got: describe(top.version) });
  }
  if (top.version !== 1) throw refuse("KEYSET_VERSION", ".version", "unknown version", "1", describe(top.version));
  expectName(subject, top.protocol, "PROTOCOL", "groth16-committed");
  expectName(subject, top.curve, "CURVE", "bn128");
  if (typeof top.insecure !== "boolean") {
    throw fault(subject, "MALFORMED", ".insecure", "not a boolean", { got: describe(top.insecure) });
  }
  const length = arrayLength(top.keys);
  if (length === undefined || length < 1 || length > MAX_KEYS) {
    throw fault(subject, "MALFORMED", ".keys", "not a list of keys", {
      expected: `array of length 1 to ${MAX_KEYS}`,
      got: describe(top.keys),
    });
  }
  const keys = tuple(subject, top.keys, ".keys", length).map((key, i): DecodedKey => {
    const path = `.keys[${i}]`;
    const { nPublic, IC, ...fields } = snapshotFields(
      subject,
      key,
      {
        name: 0,
        power: 0,
        nPublic: 0,
        nCommitted: 0,
        layout: 0,
        vk_alpha_1: G1_RULE,
        vk_beta_2: G2_RULE,
        vk_gamma_2: G2_RULE,
        vk_delta_2: G2_RULE,
        vk_sigma_2: G2_RULE,
        IC: { max: N_STATEMENT + 1, of: G1_RULE },
      },
      path,
    );
    const info = checkInfo(path, fields);
    if (typeof nPublic !== "number") {
      throw fault(subject, "MALFORMED", `${path}.nPublic`, "not a number", { got: describe(nPublic) });
    }
    if (nPublic !== N_STATEMENT + info.nCommitted) {
      const message = "signals that are neither statement nor committed to";
      const expected = `${N_STATEMENT} + nCommitted = ${N_STATEMENT + info.nCommitted}`;
      throw refuse("KEYSET_NPUBLIC_MISMATCH", `${path}.nPublic`, message, expected, describe(nPublic));
    }
    const ic = tuple(subject, IC, `${path}.IC`, N_STATEMENT + 1);
    if (decodeG2(subject, fields.vk_gamma_2, `${path}.vk_gamma_2`).id !== generatorG2().id) {
      const message = "chunks cannot be checked with another gamma";
      throw refuse("KEYSET_GAMMA", `${path}.vk_gamma_2`, message, "the generator of G2");
    }
    return {
      ...info,
      path,
      alpha: decodeG1(subject, fields.vk_alpha_1, `${path}.vk_alpha_1`),
      beta: decodeG2(subject, fields.vk_beta_2, `${path}.vk_beta_2`),
      delta: decodeG2(subject, fields.vk_delta_2, `${path}.vk_delta_2`),
      sigma: decodeG2(subject, fields.vk_sigma_2, `${path}.vk_sigma_2`),
      ic: ic.map((point, j) => decodeG1(subject, point, `${path}.IC[${j}]`)),
    };
  });
  return { insecure: top.insecure, keys };
}

const MAGIC = /* @__PURE__ */ new TextEncoder().encode("chunkproof keys");
const VERSION = 1;

const u8 = (value: number) => Uint8Array.of(value);
const u32 = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

function encode(insecure: boolean, keys: readonly DecodedKey[]): Uint8Array {
  const { alpha, beta } = keys[0]!;
  return concatBytes(
    MAGIC,
    Uint8Array.of(VERSION, insecure ? 1 : 0, keys.length),
    compressG1(alpha.toAffine()),
    compressG2(beta),
    ...keys.flatMap(({ name, power, nCommitted, layout, delta, sigma, ic }) => [
      u8(name.length),
      new TextEncoder().encode(name),
      u8(power),
      u32(nCommitted),
      hexToBytes(layout),
      compressG2(delta),
      compressG2(sigma),
      ...ic.map((point) => compressG1(point.toAffine())),
    ]),
  );
}

function decodeBytes(bytes: Uint8Array): Decoded {
  const subject = "keySet";
  let position = 0;
  const take = (length: number, path: string): Uint8Array => {
    if (position + length > bytes.length) {
      throw fault(subject, "MALFORMED", path, "ends early", { got: `${bytes.length} bytes` });
    }
    position += length;
    return bytes.subarray(position - length, position);
  };
  const byte = (path: string): number => take(1, path)[0]!;
  if (take(MAGIC.length, "").some((value, i) => value !== MAGIC[i])) {
    throw fault(subject, "MALFORMED", "", "not a set of keys", { expected: '"chunkproof keys" in front' });
  }
  const version = byte(".version");
  if (version !== VERSION) throw refuse("KEYSET_VERSION", ".version", "unknown version", "1", String(version));
  const insecure = byte(".insecure");
  if (insecure > 1) throw fault(subject, "NON_CANONICAL", ".insecure", "not a boolean", { expected: "0 or 1" });
  const length = byte(".keys");
  if (length === 0) throw fault(subject, "MALFORMED", ".keys", "an empty set");
  const g1 = (path: string): G1 => {
    const point: AffineG1 = readG1(subject, take(G1_BYTES, path), 0, path);
    if (point.y === 0n) throw fault(subject, "POINT_AT_INFINITY", path, "the point at infinity is not allowed here");
    return bn254.G1.Point.fromAffine(point);
  };
  const g2 = (path: string): G2 => {
    const point: AffineG2 = readG2(subject, take(G2_BYTES, path), 0, path);
    if (isZero(point.y)) throw fault(subject, "POINT_AT_INFINITY", path, "the point at infinity is not allowed here");
    return toG2(subject, point, path);
  };
  const alpha = g1(".vk_alpha_1");
  const beta = g2(".vk_beta_2");
  const keys = Array.from({ length }, (_, i): DecodedKey => {
    const path = `.keys[${i}]`;
    const name = String.fromCharCode(...take(byte(`${path}.name`), `${path}.name`));
    const power = byte(`${path}.power`);
    const nCommitted = take(4, `${path}.nCommitted`).reduce((sum, value) => 256 * sum + value, 0);
    const layout = bytesToHex(take(32, `${path}.layout`));
    return {
      ...checkInfo(path, { name, power, nCommitted, layout }),
      path,
      alpha,
      beta,
      delta: g2(`${path}.vk_delta_2`),
      sigma: g2(`${path}.vk_sigma_2`),
      ic: Array.from({ length: N_STATEMENT + 1 }, (_, j) => g1(`${path}.IC[${j}]`)),
    };
  });
  if (position !== bytes.length) throw fault(subject, "MALFORMED", "", "bytes behind the last key");
  return { insecure: insecure === 1, keys };
}
