/**
 * What the rules of committed columns are there for, each as the attack that worked without: first it is shown to work, then
 * to be refused. Nothing here uses a trapdoor, but where a test plays the setup that leaks one.
 */

import { bn254 } from "@noble/curves/bn254.js";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { decodeG1, type G1Affine, type G2Affine } from "../../../src/formats/bn254.js";
import { openZkey, writeZkey } from "../../../src/formats/zkey.js";
import { commit, loadCommittedKey, loadProvingKey, prove, proveChunk } from "../../../src/prover/groth16.js";
import { createPhase1, type Phase1 } from "../../../src/setup/index.js";
import { drawWeights } from "../../../src/verifier/batching.js";
import {
  assertChunk,
  type Challenges,
  type ChunkProof,
  faultOfChunk,
  readChunkPoints,
  verifyChunks,
} from "../../../src/verifier/chunk.js";
import { VerifierError } from "../../../src/verifier/index.js";
import { type KeySet, openKeySet, parseKeySet, prepareChunkKey } from "../../../src/verifier/keyset.js";
import { toG2 } from "../../../src/verifier/points.js";
import { type ChunkKeys, INFINITY, makeKeys, proveAll, setOf, signalOf, witnessOf } from "../../support/chunks.js";
import { splitContainer } from "../../support/containers.js";
import { g2Json, R } from "../../support/groth16.js";
import { wtnsOf } from "../setup/reference.js";

const { Point } = bn254.G1;
const { Fr } = bn254.fields;
const challenges: Challenges = { alpha: 55n, beta: 2n ** 180n + 1n };
const SIGMA = 3n ** 140n % R;
const SHARED_SIGMA = { randomness: { sigma: SIGMA }, insecureDeterministic: true };

let phase1: Phase1;
let product: ChunkKeys;
let longer: ChunkKeys;
let keySet: KeySet;
let honest: ChunkProof[];
/** What every verifier knows of `product`. */
let header: { alpha1: G1Affine; delta1: G1Affine; beta2: G2Affine };

beforeAll(async () => {
  vi.stubGlobal("crossOriginIsolated", false);
  phase1 = createPhase1();
  product = await makeKeys("product", phase1);
  longer = await makeKeys("longer", phase1);
  keySet = parseKeySet(setOf([product, longer]));
  honest = await proveAll(product, 0, challenges, [
    [3n, 5n],
    [6n, 7n],
  ]);
  const zkey = await openZkey(product.zkey);
  header = zkey.header;
  await zkey.close();
});

afterAll(() => {
  vi.unstubAllGlobals();
});

const point = (p: G1Affine) => Point.fromAffine(p);
const add = (p: G1Affine, k: bigint, q: G1Affine): G1Affine =>
  point(p)
    .add(point(q).multiplyUnsafe(Fr.create(k)))
    .toAffine();
const section = (bytes: Uint8Array, id: number) => splitContainer(bytes).sections.find((s) => s.id === id)!.data;
const ic = (keys: ChunkKeys, i: number) => decodeG1(section(keys.zkey, 3), 64 * i, { where: "IC" });
/** σ·IC_i of a column. */
const sigmaIC = (keys: ChunkKeys, i: number) => decodeG1(section(keys.ckey, 3), 64 * (i - 4), { where: "σ·IC" });

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(VerifierError);
    return (error as VerifierError).code;
  }
  return "accepted";
}
const single = (chunk: ChunkProof, set: KeySet, drawn = challenges) => codeOf(() => assertChunk(set, drawn, chunk));
const batch = (chunks: readonly ChunkProof[], set: KeySet, drawn = challenges) =>
  verifyChunks(set, drawn, chunks).invalid.map(({ index, error }) => [index, error.code]);
/** X for this sum. */
const statement = (sum: bigint, { alpha, beta } = challenges): G1Affine =>
  [sum, alpha, beta].reduce((x, k, i) => add(x, k, ic(product, i + 1)), ic(product, 0));

/** Runs `work` with a CSPRNG of 64-bit words that are known beforehand. */
function withKnownRandomness<T>(word: (i: number) => bigint, work: () => T): T {
  let next = 0;
  const crypto = {
    getRandomValues: (words: BigUint64Array) => words.map((_, i) => (words[i] = word(next++))) && words,
  };
  vi.stubGlobal("crypto", crypto);
  try {
    return work();
  } finally {
    vi.unstubAllGlobals();
    vi.stubGlobal("crossOriginIsolated", false);
  }
}

describe("one sigma for two keys of one ptau", () => {
  /** x·y = z of `victim`, violated by x, y and z, proved with the column u of `donor`, where x·y = z + u. */
  async function repaired(victim: ChunkKeys, donor: ChunkKeys, x: bigint, y: bigint, z: bigint): Promise<ChunkProof> {
    const [v, w] = await Promise.all([victim, donor].map(({ zkey }) => openZkey(zkey)));
    const U = 7;
    const words = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const records = (zkey: Uint8Array) => {
      const coefs = section(zkey, 4).slice(4);
      return Array.from({ length: coefs.length / 44 }, (_, i) => coefs.slice(44 * i, 44 * i + 44));
    };
    // a key for the circuit of the victim with one more column, all points of which are the donor's for u
    const own = records(victim.zkey).map((record) => {
      const signal = words(record).getUint32(8, true);
      if (signal >= U) words(record).setUint32(8, signal + 1, true);
      return record;
    });
    const foreign = records(donor.zkey).filter((record) => words(record).getUint32(8, true) === U);
    const graft = (id: number, size: number) => {
      const [to, from] = [section(victim.zkey, id), section(donor.zkey, id)];
      return [to.subarray(0, U * size), from.subarray(U * size, (U + 1) * size), to.subarray(U * size)];
    };
    const chimera = writeZkey({
      ...v!.header,
      nVars: v!.header.nVars + 1,
      nPublic: v!.header.nPublic + 1,
      ic: graft(3, 64),
      coefs: [...own, ...foreign],
      a: graft(5, 64),
      b1: graft(6, 64),
      b2: graft(7, 128),
      c: section(victim.zkey, 8),
      h: section(victim.zkey, 9),
      circuitHash: new Uint8Array(64),
      contributions: [],
    });
    expect([v!.header.domainSize, w!.header.domainSize]).toEqual([16, 16]);
    await Promise.all([v!.close(), w!.close()]);

    const u = Fr.create(x * y - z);
    const { alpha, beta } = challenges;
    const shared = Fr.mul(beta, z);
    const sum = Fr.inv(Fr.create(alpha + x + shared));
    const key = await loadProvingKey(new Blob(chimera as BlobPart[]));
    const { proof } = await prove(key, wtnsOf([1n, sum, alpha, beta, x, y, z, u, shared]));
    await key.close();
    const loaded = await loadCommittedKey(victim);
    const { d, p } = await commit(loaded, [x, y, z]);
    await loaded.close();
    const g1 = ([px, py]: readonly string[]) => ({ x: BigInt(px!), y: BigInt(py!) });
    const fq2 = ([c0, c1]: readonly string[]) => ({ c0: BigInt(c0!), c1: BigInt(c1!) });
    const [bx, by] = proof.pi_b;
    return {
      layout: 0,
      a: g1(proof.pi_a),
      b: { x: fq2(bx!), y: fq2(by!) },
      c: g1(proof.pi_c),
      d: add(d, u, ic(donor, U)),
      p: add(p, u, sigmaIC(donor, U)),
      sum,
    };
  }

  test("a foreign IC point repairs any violated row: 3·5 = 99", async () => {
    const victim = await makeKeys("product", phase1, SHARED_SIGMA);
    const donor = await makeKeys("longer", phase1, SHARED_SIGMA);
    const forged = await repaired(victim, donor, 3n, 5n, 99n);
    // who doesn't see both keys accepts it
    const blind = parseKeySet(setOf([victim]));
    expect(single(forged, blind)).toBe("accepted");
    expect(batch([forged], blind)).toEqual([]);
    // for the victim's own prover there is no such proof
    const key = await loadCommittedKey(victim);
    const witness = await witnessOf(victim, { ...challenges, x: 3n, y: 5n, z: 15n });
    witness[32 * 6] = 99;
    await expect(proveChunk(key, witness)).rejects.toMatchObject({ code: "WITNESS_UNSATISFIED" });
    await key.close();

    expect(codeOf(() => parseKeySet(setOf([victim, donor])))).toBe("KEYSET_POINTS_COINCIDE");
  });

  test("with a sigma of its own for every key the point doesn't fit", async () => {
    const forged = await repaired(product, longer, 3n, 5n, 99n);
    expect(single(forged, keySet)).toBe("CHUNK_COMMITMENT");
    expect(batch([honest[0]!, forged], keySet)).toEqual([[1, "CHUNK_COMMITMENT"]]);
  });
});

describe("multiples sigma·IC_1 to sigma·IC_3 in a commitment key", () => {
  test("prove a chunk under a shifted alpha; our keys have none", async () => {
    const keys = await makeKeys("product", phase1, SHARED_SIGMA);
    const set = parseKeySet(setOf([keys]));
    const elsewhere = { ...challenges, alpha: challenges.alpha - 20n };
    const [proof] = await proveAll(keys, 0, elsewhere, [[3n, 5n]]);
    expect(single(proof!, set, elsewhere)).toBe("accepted");
    // what a key with too many points would hold
    const leaked = point(ic(keys, 2)).multiply(SIGMA).toAffine();
    const forged = { ...proof!, d: add(proof!.d, -20n, ic(keys, 2)), p: add(proof!.p, -20n, leaked) };
    expect(single(forged, set, challenges)).toBe("accepted");
    expect(single({ ...forged, p: proof!.p }, set, challenges)).toBe("CHUNK_COMMITMENT");

    const points = section(keys.ckey, 3);
    const expected = [4, 5, 6].map((i) => point(ic(keys, i)).multiply(SIGMA).toAffine());
    expect(points.length / 64).toBe(expected.length);
    expect(expected.map((_, i) => decodeG1(points, 64 * i, { where: "" }))).toEqual(expected);
  });
});

/** A = alpha1, B = beta2, C = [1]: what is left of the equations is X + D + δ·C, and P against σ·D. */
const fromNothing = (sum: bigint, share: (x: G1Affine) => G1Affine): ChunkProof => ({
  layout: 0,
  a: header.alpha1,
  b: header.beta2,
  c: Point.BASE.toAffine(),
  d: INFINITY,
  p: share(add(statement(sum), 1n, header.delta1)),
  sum,
});

describe("one coefficient for both equations", () => {
  test("a proof forged from nothing is accepted if r = s, and not otherwise", () => {
    const forged = fromNothing(4711n, (x) => x);
    // every weight the same number
    expect(
      withKnownRandomness(
        () => 12345n,
        () => batch([forged], keySet),
      ),
    ).toEqual([]);
    expect(
      withKnownRandomness(
        () => 12345n,
        () => batch([honest[0]!, forged], keySet),
      ),
    ).toEqual([]);
    expect(batch([forged], keySet)).toEqual([[0, "CHUNK_COMMITMENT"]]);
    expect(batch([honest[0]!, forged], keySet)).toEqual([[1, "CHUNK_COMMITMENT"]]);
    expect(single(forged, keySet)).toBe("CHUNK_COMMITMENT");
  });

  test("the weights of both equations are drawn independently", () => {
    const words = new Set<bigint>();
    withKnownRandomness(
      (i) => {
        words.add(BigInt(i));
        return BigInt(i + 1);
      },
      () => batch([honest[0]!], keySet),
    );
    // two halves each for r and s
    expect(words.size).toBe(4);
  });
});

describe("coefficients that are known before the proofs", () => {
  const word = (i: number) => (BigInt(i + 1) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
  /** r_0, r_1, s_0, s_1. */
  const weights = () => withKnownRandomness(word, () => drawWeights(4).map(({ scalar }) => scalar));

  test("two forged chunks whose faults cancel are accepted", () => {
    const [r0, r1] = weights() as [bigint, bigint];
    const [first, second] = honest as [ChunkProof, ChunkProof];
    const G = Point.BASE.toAffine();
    const forged = [
      { ...first, sum: Fr.add(first.sum, r1) },
      { ...second, sum: Fr.sub(second.sum, r0) },
    ];
    expect(withKnownRandomness(word, () => batch(forged, keySet))).toEqual([]);
    expect(batch(forged, keySet)).toEqual([
      [0, "CHUNK_INVALID"],
      [1, "CHUNK_INVALID"],
    ]);
    // the same by C
    const byC = [
      { ...first, c: add(first.c, r1, G) },
      { ...second, c: add(second.c, -r0, G) },
    ];
    expect(withKnownRandomness(word, () => batch(byC, keySet))).toEqual([]);
    expect(batch(byC, keySet)).toHaveLength(2);
  });

  test("and chunks that are made of nothing, for any sums", () => {
    const [r0, r1, s0, s1] = weights() as [bigint, bigint, bigint, bigint];
    const forged = [
      fromNothing(1n, (x) => add(INFINITY, Fr.div(r0, s0), x)),
      fromNothing(2n, (x) => add(INFINITY, Fr.div(r1, s1), x)),
    ];
    expect(withKnownRandomness(word, () => batch(forged, keySet))).toEqual([]);
    expect(batch(forged, keySet)).toEqual([
      [0, "CHUNK_COMMITMENT"],
      [1, "CHUNK_COMMITMENT"],
    ]);
  });
});

describe("keys without contribution", () => {
  const edited = (change: Record<string, unknown>) => setOf([{ json: { ...product.json, ...change } }, longer]);

  test("delta = 1: anything verifies, so such keys are refused", () => {
    const one = toG2("vk", bn254.G2.Point.BASE.toAffine(), "");
    const [key] = openKeySet(keySet);
    const bad = prepareChunkKey(
      key!.alpha,
      key!.beta,
      one,
      key!.sigma,
      [0, 1, 2, 3].map((i) => point(ic(product, i))),
    );
    const sum = 31337n;
    // A = alpha1, B = beta2, C = -X
    const forged = {
      layout: 0,
      a: header.alpha1,
      b: header.beta2,
      c: point(statement(sum)).negate().toAffine(),
      d: INFINITY,
      p: INFINITY,
      sum,
    };
    expect(faultOfChunk(bad, challenges, readChunkPoints(forged))).toBeUndefined();
    expect(single(forged, keySet)).toBe("CHUNK_INVALID");
    for (const k of [1n, R - 1n]) {
      expect(codeOf(() => parseKeySet(edited({ vk_delta_2: g2Json(k) })))).toBe("KEYSET_NO_CONTRIBUTION");
    }
  });

  test("sigma = 1: P = D for any D, so such keys are refused", () => {
    const one = toG2("vk", bn254.G2.Point.BASE.toAffine(), "");
    const [key] = openKeySet(keySet);
    const bad = prepareChunkKey(
      key!.alpha,
      key!.beta,
      key!.delta,
      one,
      [0, 1, 2, 3].map((i) => point(ic(product, i))),
    );
    const sum = 31337n;
    // A = alpha1, B = beta2, C = [1], D = -X - delta1
    const d = point(add(statement(sum), 1n, header.delta1))
      .negate()
      .toAffine();
    const forged = { layout: 0, a: header.alpha1, b: header.beta2, c: Point.BASE.toAffine(), d, p: d, sum };
    expect(faultOfChunk(bad, challenges, readChunkPoints(forged))).toBeUndefined();
    expect(single(forged, keySet)).toBe("CHUNK_COMMITMENT");
    for (const k of [1n, R - 1n]) {
      expect(codeOf(() => parseKeySet(edited({ vk_sigma_2: g2Json(k) })))).toBe("KEYSET_NO_CONTRIBUTION");
    }
  });

  test("sigma = delta or -delta, within a key and across keys", () => {
    const { vk_delta_2, vk_sigma_2 } = longer.json;
    const negated = (json: readonly (readonly string[])[]) => [
      json[0]!,
      json[1]!.map((c) => String((bn254.fields.Fp.ORDER - BigInt(c)) % bn254.fields.Fp.ORDER)),
      json[2]!,
    ];
    for (const change of [
      { vk_sigma_2: product.json.vk_delta_2 },
      { vk_sigma_2: negated(product.json.vk_delta_2) },
      { vk_delta_2 },
      { vk_sigma_2 },
      { vk_delta_2: vk_sigma_2 },
      { vk_sigma_2: vk_delta_2 },
      { vk_sigma_2: negated(vk_sigma_2) },
      { vk_delta_2: product.json.vk_beta_2 },
    ]) {
      expect(codeOf(() => parseKeySet(edited(change)))).toBe("KEYSET_POINTS_COINCIDE");
    }
  });
});

test("a witness of other columns than those committed to is not proved", async () => {
  const key = await loadCommittedKey(product);
  const witness = await witnessOf(product, { ...challenges, x: 3n, y: 5n, z: 15n });
  const commitment = await commit(key, [3n, 5n, 16n]);
  await expect(proveChunk(key, witness, { commitment })).rejects.toMatchObject({ code: "WITNESS_UNSATISFIED" });
  // unchecked, it is the verifier who refuses
  const points = await proveChunk(key, witness, { commitment, selfCheck: false });
  expect(single({ layout: 0, ...points, ...commitment, sum: signalOf(witness, 1) }, keySet)).toBe("CHUNK_INVALID");
  await key.close();
});
