/** Chunk proofs of the built package, with threads, against snarkjs, with its keys too. */

import type { CommittedKey, Progress, ProofAffine } from "chunkproof/prover";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prover, setup, verifier } from "../support/built.js";
import { CIRCUITS, layoutDigest, setOf, signalOf } from "../support/chunks.js";
import { closeSnarkjs, compileCircuit, snarkjs, snarkjsKey } from "../support/circuits.js";
import { splitContainer } from "../support/containers.js";

const { calculateWitness, commit, loadCommittedKey, loadProvingKey, proveChunk } = prover;
const { assertChunk, decodeChunkProof, encodeChunkProof, parseKeySet, verifyChunks } = verifier;

/** Many rows x·y = z on one bus: enough columns for several tasks of every kind. */
const ROWS = 1500;
const MANY = `pragma circom 2.2.0;
template Chunk() {
  signal output sum;
  signal input alpha; signal input beta;
  signal input x[${ROWS}]; signal input y[${ROWS}]; signal input z[${ROWS}];
  signal w[${ROWS}];
  signal total[${ROWS + 1}];
  total[0] <== 0;
  for (var i = 0; i < ${ROWS}; i++) {
    x[i] * y[i] === z[i];
    var f = alpha + x[i] + z[i] * ${3};
    w[i] <-- 1 / f;
    f * w[i] === 1;
    total[i + 1] <== total[i] + w[i] + beta;
  }
  sum <== total[${ROWS}];
}
component main { public [alpha, beta, x, y, z] } = Chunk();`;

const challenges = { alpha: 2n ** 200n + 3n, beta: 77n };
const column = (of: (i: number) => number) => Array.from({ length: ROWS }, (_, i) => BigInt(of(i)));
const columns = { x: column((i) => i % 256), y: column((i) => i * i), z: column((i) => (i % 256) * i * i) };
const flat = Object.values(columns).flat();

let zkey: string;
let ckey: Uint8Array;
let many: { zkey: Uint8Array; ckey: Uint8Array; witness: Uint8Array };
let key: CommittedKey;
const join = (pieces: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(pieces));
const valuesOf = (wtns: Uint8Array) => splitContainer(wtns).sections.find(({ id }) => id === 2)!.data;
const decimal = ({ x, y }: { x: bigint; y: bigint }) => [String(x), String(y), "1"];
const json = ({ a, b, c }: ProofAffine) => ({
  pi_a: decimal(a),
  pi_b: [
    [String(b.x.c0), String(b.x.c1)],
    [String(b.y.c0), String(b.y.c1)],
    ["1", "0"],
  ],
  pi_c: decimal(c),
  protocol: "groth16",
  curve: "bn128",
});

beforeAll(async () => {
  const { r1cs, wasm } = await compileCircuit("many", MANY, { opts: ["--O2"] });
  const made = await setup.setup(r1cs, { shared: setup.createPhase1() });
  const own = join(made.zkey);
  many = {
    zkey: own,
    ckey: join((await setup.createCommitmentKey(own)).ckey),
    witness: valuesOf(await calculateWitness(wasm, { ...challenges, ...columns })),
  };
  key = await loadCommittedKey(many);
});

afterAll(async () => {
  await key?.close();
  await closeSnarkjs();
});

describe("a key of snarkjs' ceremony", () => {
  beforeAll(async () => {
    const { r1cs } = await compileCircuit("product", CIRCUITS.product, { opts: ["--O2"] });
    zkey = await snarkjsKey(r1cs, 4);
    const first = await setup.createCommitmentKey(zkey, { name: "first" });
    ckey = join((await setup.contributeCommitmentKey(join(first.ckey), { name: "second" })).ckey);
  });

  test("gets a commitment key with contributions that stand the check", async () => {
    expect((await setup.checkCommitmentKey(zkey, ckey)).contributors).toEqual(["first", "second"]);
  });

  test("makes chunk proofs that snarkjs accepts with all public signals given, as we do without", async () => {
    const { wasm } = await compileCircuit("product", CIRCUITS.product, { opts: ["--O2"] });
    const loaded = await loadCommittedKey({ zkey, ckey });
    const witness = valuesOf(await calculateWitness(wasm, { ...challenges, x: 12, y: 13, z: 156 }));
    const commitment = await commit(loaded, [12n, 13n, 156n]);
    const points = await proveChunk(loaded, witness, { commitment });
    await loaded.close();
    const publicSignals = [1, 2, 3, 4, 5, 6].map((i) => String(signalOf(witness, i)));
    const vk = await snarkjs.zKey.exportVerificationKey(zkey);
    expect(await snarkjs.groth16.verify(vk, publicSignals, json(points))).toBe(true);
    expect(await snarkjs.groth16.verify(vk, [...publicSignals.slice(0, 5), "157"], json(points))).toBe(false);

    const chunkKey = await setup.exportChunkKey(zkey, ckey, { name: "product", layout: layoutDigest(7) });
    const set = parseKeySet(setOf([{ json: chunkKey }]));
    assertChunk(set, challenges, { layout: 0, ...points, ...commitment, sum: signalOf(witness, 1) });
  });
});

describe("a key with thousands of columns", () => {
  test("stands the check, on any number of threads", async () => {
    for (const threads of [1, 3]) {
      expect(await setup.checkCommitmentKey(many.zkey, many.ckey, { threads })).toMatchObject({ nCommitted: 3 * ROWS });
    }
  });

  test("makes proofs that snarkjs accepts, and that are what the full prover would make", async () => {
    const commitment = await commit(key, flat);
    const { backend, ...points } = await proveChunk(key, many.witness, { commitment });
    expect(new Set(Object.values(backend.split))).toEqual(new Set(["wasm"]));
    const full = await loadProvingKey(many.zkey);
    const { verifyingKey } = full;
    await full.close();
    const publicSignals = Array.from({ length: 3 + 3 * ROWS }, (_, i) => String(signalOf(many.witness, i + 1)));
    expect(publicSignals.slice(3)).toEqual(flat.map(String));
    expect(await snarkjs.groth16.verify(verifyingKey, publicSignals, json(points))).toBe(true);

    const chunkKey = await setup.exportChunkKey(many.zkey, many.ckey, { name: "many", layout: layoutDigest(7) });
    const set = parseKeySet(setOf([{ json: chunkKey }], true), { allowInsecure: true });
    const chunk = { layout: 0, ...points, ...commitment, sum: signalOf(many.witness, 1) };
    const received = decodeChunkProof(encodeChunkProof(chunk), 0);
    expect(received).toEqual(chunk);
    expect(verifyChunks(set, challenges, [received, received])).toEqual({ valid: true, invalid: [] });
  });

  test("commits to the same columns in the same way, whatever the threads", async () => {
    const expected = await commit(key, flat);
    for (const threads of [1, 2, 3]) expect(await commit(key, flat, { threads })).toEqual(expected);
    expect(await commit(key, many.witness.subarray(4 * 32, (4 + flat.length) * 32))).toEqual(expected);
  });

  test("works in turns, with progress, and can be interrupted", async () => {
    const progress: Progress[] = [];
    const onProgress = (p: Progress) => progress.push(p);
    const reason = new Error("enough");
    const controller = new AbortController();
    const results = await Promise.allSettled([
      proveChunk(key, many.witness, { onProgress }),
      proveChunk(key, many.witness, {
        signal: controller.signal,
        onProgress: ({ done }) => done > 3 && controller.abort(reason),
      }),
      commit(key, flat),
      proveChunk(key, many.witness),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect((results[1] as PromiseRejectedResult).reason).toBe(reason);
    for (const stage of ["prove", "commit", "check"]) {
      const own = progress.filter((p) => p.stage === stage);
      expect([own[0]!.done, own.at(-1)!.done]).toEqual([0, own[0]!.total]);
    }
  });
});
