/** Commitments and proofs of chunks, without threads; with threads and snarkjs: test/slow/chunks.test.ts. */

import { bn254 } from "@noble/curves/bn254.js";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ChunkproofError } from "../../../src/errors.js";
import { decodeG1, type G1Affine } from "../../../src/formats/bn254.js";
import { openCkey, writeCkey } from "../../../src/formats/ckey.js";
import type { CommittedKey } from "../../../src/prover/commitment.js";
import { commit, loadCommittedKey, proveChunk } from "../../../src/prover/groth16.js";
import { assertChunk } from "../../../src/verifier/chunk.js";
import { parseKeySet } from "../../../src/verifier/keyset.js";
import { type ChunkKeys, INFINITY, makeKeys, setOf, signalOf, witnessOf } from "../../support/chunks.js";
import { splitContainer, withSection } from "../../support/containers.js";
import { R } from "../../support/groth16.js";

let keys: ChunkKeys;
let key: CommittedKey;

beforeAll(async () => {
  vi.stubGlobal("crossOriginIsolated", false);
  keys = await makeKeys("product");
  key = await loadCommittedKey(keys);
});

afterAll(async () => {
  await key.close();
  vi.unstubAllGlobals();
});

async function codeOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(ChunkproofError);
    return (error as ChunkproofError).code;
  }
  return "accepted";
}
const encode = (values: readonly bigint[]) =>
  new Uint8Array(Buffer.concat(values.map((v) => Buffer.from(v.toString(16).padStart(64, "0"), "hex").reverse())));
/** Σ columns[i]·points[i + from], straight from a file. */
const sum = (file: Uint8Array, from: number, columns: readonly bigint[]): G1Affine => {
  const { data } = splitContainer(file).sections.find(({ id }) => id === 3)!;
  return columns
    .reduce((total, k, i) => {
      const point = bn254.G1.Point.fromAffine(decodeG1(data, 64 * (i + from), { where: "" }));
      return total.add(point.multiplyUnsafe(k));
    }, bn254.G1.Point.ZERO)
    .toAffine();
};

describe("commitments", () => {
  test.each([[[3n, 5n, 15n]], [[0n, 0n, 1n]], [[R - 1n, R - 2n, 2n ** 128n]], [[2n ** 253n, 2n ** 127n, 1n]]])(
    "are the sums of the definition, from numbers and from bytes: %s",
    async (columns) => {
      const expected = { d: sum(keys.zkey, 4, columns), p: sum(keys.ckey, 0, columns) };
      expect(await commit(key, columns)).toEqual(expected);
      expect(await commit(key, encode(columns))).toEqual(expected);
    },
  );

  test("of zeros are infinity", async () => {
    expect(await commit(key, [0n, 0n, 0n])).toEqual({ d: INFINITY, p: INFINITY });
  });

  test("refuse other columns", async () => {
    for (const columns of [[], [1n, 2n], [1n, 2n, 3n, 4n], new Uint8Array(95), new Uint8Array(128)]) {
      expect(await codeOf(() => commit(key, columns))).toBe("COLUMNS_LENGTH");
    }
    for (const bad of [-1n, R, 5 as never]) {
      expect(await codeOf(() => commit(key, [1n, bad, 3n]))).toBe("COLUMN_NOT_CANONICAL");
    }
    await expect(commit(key, encode([1n, 2n, R]))).rejects.toMatchObject({
      code: "COLUMN_NOT_CANONICAL",
      where: "zkey (in memory): column 2",
    });
  });

  test("leave no memory behind", async () => {
    await commit(key, [1n, 2n, 3n]);
    const before = key.info().memory;
    const probe = key.engine.heap.alloc(64);
    key.engine.heap.free(probe);
    for (let i = 0; i < 5; i++) await commit(key, [1n, 2n, 3n]);
    await codeOf(() => commit(key, encode([1n, 2n, R])));
    const again = key.engine.heap.alloc(64);
    key.engine.heap.free(again);
    expect([key.info().memory, again]).toEqual([before, probe]);
  });
});

describe("proofs", () => {
  const challenges = { alpha: 10n, beta: R - 3n };
  let witness: Uint8Array;
  beforeAll(async () => {
    witness = await witnessOf(keys, { ...challenges, x: 3n, y: 5n, z: 15n });
  });

  test("are valid, differ from each other, and report progress", async () => {
    const set = parseKeySet(setOf([keys]));
    const commitment = await commit(key, [3n, 5n, 15n]);
    const stages: string[] = [];
    const first = await proveChunk(key, witness, { commitment, onProgress: ({ stage }) => stages.push(stage) });
    const second = await proveChunk(key, witness);
    expect([...new Set(stages)]).toEqual(["prove", "check"]);
    expect(first.a).not.toEqual(second.a);
    for (const points of [first, second]) {
      assertChunk(set, challenges, { layout: 0, ...points, ...commitment, sum: signalOf(witness, 1) });
    }
  });

  test("of a witness that is wrong anywhere are not handed out", async () => {
    for (const i of [1, 2, 3, 4, 5, 6, 7]) {
      const bad = witness.slice();
      bad[32 * i]! ^= 1;
      expect(await codeOf(() => proveChunk(key, bad))).toBe("WITNESS_UNSATISFIED");
    }
  });

  test("refuse what is no witness of this circuit", async () => {
    expect(await codeOf(() => proveChunk(key, witness.subarray(32)))).toBe("WITNESS_LENGTH");
    expect(await codeOf(() => proveChunk(key, witness.subarray(1)))).toBe("WITNESS_LENGTH");
    const notOne = witness.slice();
    notOne[0] = 2;
    expect(await codeOf(() => proveChunk(key, notOne))).toBe("WITNESS_NOT_ONE");
    const tooLarge = witness.slice();
    tooLarge.fill(0xff, 32 * 7);
    expect(await codeOf(() => proveChunk(key, tooLarge))).toBe("WITNESS_NOT_CANONICAL");
  });

  test("end when they are aborted, and the next one begins", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const proving = proveChunk(key, witness, { signal: controller.signal, onProgress: () => controller.abort(reason) });
    const waiting = proveChunk(key, witness);
    await expect(proving).rejects.toBe(reason);
    expect(await waiting).toHaveProperty("a");
    await expect(commit(key, [1n, 2n, 3n], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("are not made with a closed key", async () => {
    const closed = await loadCommittedKey(keys);
    await closed.close();
    expect(await codeOf(() => proveChunk(closed, witness))).toBe("KEY_CLOSED");
    expect(await codeOf(() => commit(closed, [1n, 2n, 3n]))).toBe("KEY_CLOSED");
  });
});

describe("loading", () => {
  test("tells about the key", () => {
    expect([key.nPublic, key.nVars, key.nStatement, key.nCommitted, key.domainSize]).toEqual([6, 8, 3, 3, 16]);
  });

  test("refuses keys that don't belong together, or are damaged", async () => {
    const load = (zkey: Uint8Array, ckey: Uint8Array) =>
      codeOf(async () => (await loadCommittedKey({ zkey, ckey })).close());
    const other = await makeKeys("product");
    const { zkey, ckey } = keys;
    expect(await load(other.zkey, ckey)).toBe("CKEY_FOREIGN");
    expect(await load(ckey, zkey)).toBe("BINFILE_MAGIC");
    expect(await load(zkey, zkey)).toBe("BINFILE_MAGIC");
    expect(await load(zkey, ckey.subarray(0, -1))).toBe("SOURCE_TRUNCATED");
    expect(
      await load(
        withSection(zkey, 3, (data) => data.fill(0, 64, 128)),
        ckey,
      ),
    ).toBe("CKEY_FOREIGN");
    const points = (byte: number) => withSection(ckey, 3, (data) => data.fill(byte, 64, 128));
    expect(await load(zkey, points(1))).toBe("POINT_INVALID");
    expect(await load(zkey, points(0))).toBe("POINT_AT_INFINITY");
    const { header, sigma2, contributions } = await openCkey(ckey);
    const counts = (nStatement: number, nCommitted: number) => {
      const data = new Uint8Array(64 * nCommitted);
      return new Uint8Array(
        Buffer.concat(writeCkey({ ...header, sigma2, contributions, nStatement, nCommitted, points: data })),
      );
    };
    expect(await load(zkey, counts(3, 2))).toBe("CKEY_COUNTS");
    expect(await load(zkey, counts(2, 4))).toBe("CKEY_COUNTS");
  });

  test("can be aborted", async () => {
    const reason = new Error("enough");
    await expect(loadCommittedKey(keys, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const onProgress = () => controller.abort(reason);
    await expect(loadCommittedKey(keys, { signal: controller.signal, onProgress })).rejects.toBe(reason);
  });
});
