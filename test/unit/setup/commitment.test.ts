/** Commitment keys: the points, the chain of contributions, and what the check finds. */

import { bn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ChunkproofError } from "../../../src/errors.js";
import { decodeG1, encodeG2, FR_MODULUS as R } from "../../../src/formats/bn254.js";
import { openCkey, writeCkey } from "../../../src/formats/ckey.js";
import { commitmentContribution, commitmentHash } from "../../../src/setup/contribution.js";
import {
  checkCommitmentKey,
  contributeCommitmentKey,
  createCommitmentKey,
  createPhase1,
  exportChunkKey,
  setup,
} from "../../../src/setup/index.js";
import { splitScalar } from "../../../src/setup/scale.js";
import { chooseTrapdoors, type Phase1 } from "../../../src/setup/trapdoors.js";
import { GLV_LAMBDA } from "../../../src/verifier/batching.js";
import { parseKeySet } from "../../../src/verifier/keyset.js";
import { scalarEdges } from "../../support/arbitraries.js";
import { type ChunkKeys, layoutDigest, makeKeys, setOf } from "../../support/chunks.js";
import { editSection, splitContainer, withSection } from "../../support/containers.js";
import { g1Bytes, g2Bytes, r1csOf, sectionsOf, type Term, TRAPDOORS } from "./reference.js";

let keys: ChunkKeys;

beforeAll(async () => {
  vi.stubGlobal("crossOriginIsolated", false);
  keys = await makeKeys("product");
});

afterAll(() => {
  vi.unstubAllGlobals();
});

const join = (pieces: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(pieces));
const given = (sigma: bigint) => ({ randomness: { sigma }, insecureDeterministic: true });
async function codeOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(ChunkproofError);
    return (error as ChunkproofError).code;
  }
  return "accepted";
}
const points = (zkeyOrCkey: Uint8Array, from = 0) => {
  const { data } = splitContainer(zkeyOrCkey).sections.find(({ id }) => id === 3)!;
  return Array.from({ length: data.length / 64 - from }, (_, i) =>
    bn254.G1.Point.fromAffine(decodeG1(data, 64 * (i + from), { where: "" })),
  );
};

describe("the points", () => {
  test("halves of a scalar are small, and stand for it", () => {
    const check = (k: bigint) => {
      const [a, b] = splitScalar(k);
      expect((a + b * GLV_LAMBDA - k) % R).toBe(0n);
      for (const half of [a, b]) expect(half >= 0n && half < 2n ** 129n, `${k}: ${half}`).toBe(true);
    };
    for (const k of scalarEdges()) check(k);
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: R - 1n }), check));
  });

  test.each([2n, 3n, R - 2n, 3n ** 150n % R, 2n ** 253n])(
    "are sigma times IC_4 and later, and no others: %i",
    async (sigma) => {
      const { ckey, nStatement, nCommitted } = await createCommitmentKey(keys.zkey, given(sigma));
      expect([nStatement, nCommitted]).toEqual([3, 3]);
      const expected = points(keys.zkey, 4).map((point) => point.multiply(sigma));
      expect(points(join(ckey)).map((point, i) => point.equals(expected[i]!))).toEqual([true, true, true]);
      const file = await openCkey(join(ckey));
      expect(encodeG2(file.sigma2)).toEqual(g2Bytes(sigma));
      expect(await checkCommitmentKey(keys.zkey, join(ckey))).toMatchObject({ nCommitted: 3 });
    },
  );

  test("are right where tasks meet", async () => {
    const nColumns = 2050;
    const constraints = [{ a: [[4, 1n]] as Term[], b: [[5, 1n]] as Term[], c: [[6, 1n]] as Term[] }];
    const circuit = { nOutputs: 1, nPubInputs: nColumns + 2, nWires: nColumns + 4, constraints };
    const { zkey } = await setup(r1csOf(circuit));
    const seen: number[] = [];
    const onProgress = ({ done }: { done: number }) => seen.push(done);
    const { ckey } = await createCommitmentKey(join(zkey), { ...given(5n ** 100n % R), onProgress });
    expect(seen).toEqual([0, 1024, 2048, 2050]);
    const [ic, scaled] = [sectionsOf(zkey).get(3)!, sectionsOf(ckey).get(3)!];
    for (const i of [0, 1, 1023, 1024, 2047, 2048, 2049]) {
      const point = bn254.G1.Point.fromAffine(decodeG1(ic, 64 * (i + 4), { where: "" }));
      const expected = point.multiply(5n ** 100n % R).toAffine();
      expect(decodeG1(scaled, 64 * i, { where: "" })).toEqual(expected);
    }
    await checkCommitmentKey(join(zkey), join(ckey));
    // two points swapped: each is σ times an IC point, but of another column
    const swapped = editSection(join(ckey), 3, (data) => {
      const first = Buffer.from(data.subarray(0, 64));
      data.copy(data, 0, 64, 128);
      first.copy(data, 64);
    });
    expect(await codeOf(() => checkCommitmentKey(join(zkey), swapped))).toBe("CKEY_POINTS");
  });
});

describe("secrets", () => {
  test("every key has a sigma of its own", async () => {
    const [a, b] = await Promise.all([1, 2].map(() => createCommitmentKey(keys.zkey)));
    expect(join(a!.ckey)).not.toEqual(join(b!.ckey));
    expect(a!.warning).toMatch(/NOT FOR PRODUCTION/);
  });

  test("given ones make the same key in every run, and need to be asked for twice", async () => {
    const [a, b] = await Promise.all([1, 2].map(() => createCommitmentKey(keys.zkey, given(77n))));
    expect(join(a!.ckey)).toEqual(join(b!.ckey));
    for (const options of [
      { randomness: { sigma: 77n } },
      { insecureDeterministic: true },
      given(0n),
      given(1n),
      given(R - 1n),
      given(R),
      given(5 as never),
    ]) {
      expect(await codeOf(() => createCommitmentKey(keys.zkey, options))).toBe("SETUP_OPTIONS");
      expect(await codeOf(() => contributeCommitmentKey(keys.ckey, options))).toBe("SETUP_OPTIONS");
    }
  });

  test("without a CSPRNG there is no key", async () => {
    vi.stubGlobal("crypto", undefined);
    try {
      expect(await codeOf(() => createCommitmentKey(keys.zkey))).toBe("NO_RANDOMNESS");
      expect(await codeOf(() => checkCommitmentKey(keys.zkey, keys.ckey))).toBe("NO_RANDOMNESS");
    } finally {
      vi.unstubAllGlobals();
      vi.stubGlobal("crossOriginIsolated", false);
    }
  });
});

describe("contributions", () => {
  test("multiply sigma, are named, and pass the check in any number", async () => {
    const one = join((await createCommitmentKey(keys.zkey, { ...given(6n), name: "first" })).ckey);
    const two = join((await contributeCommitmentKey(one, { ...given(7n), name: "second" })).ckey);
    const three = join((await contributeCommitmentKey(two, { name: "third" })).ckey);
    expect((await checkCommitmentKey(keys.zkey, three)).contributors).toEqual(["first", "second", "third"]);
    expect(encodeG2((await openCkey(two)).sigma2)).toEqual(g2Bytes(42n));
    expect(encodeG2((await openCkey(three)).sigma2)).not.toEqual(g2Bytes(42n));
  });

  test("publish nothing in G1 but the points", async () => {
    const { sections } = splitContainer(keys.ckey);
    expect(sections.map(({ id, data }) => [id, data.length])).toEqual([
      [1, 72 + 8 + 64],
      [2, 128],
      [3, 3 * 64],
      // two points of G2, response, transcript, name
      [4, 4 + 2 * 128 + 32 + 64 + 1 + "chunkproof development key, NOT FOR PRODUCTION".length],
    ]);
  });

  describe("that are not what they should be", () => {
    let chain: Uint8Array;
    beforeAll(async () => {
      chain = join((await contributeCommitmentKey(keys.ckey, { name: "x" })).ckey);
    });
    /** The chain with its parts changed. */
    const edited = async (change: Partial<Parameters<typeof writeCkey>[0]>) => {
      const file = await openCkey(chain);
      const { data } = splitContainer(chain).sections.find(({ id }) => id === 3)!;
      const { sigma2, contributions, header } = file;
      return join(writeCkey({ ...header, sigma2, contributions, points: data, ...change }));
    };
    const check = async (ckey: Uint8Array) => codeOf(() => checkCommitmentKey(keys.zkey, ckey));

    test("none at all", async () => {
      expect(await check(await edited({ contributions: [] }))).toBe("CKEY_NO_CONTRIBUTION");
      const none = await edited({ contributions: [] });
      expect(await codeOf(() => contributeCommitmentKey(none))).toBe("CKEY_NO_CONTRIBUTION");
    });

    test("left out, swapped, twice", async () => {
      const [a, b] = (await openCkey(chain)).contributions as [never, never];
      for (const contributions of [[b], [b, a], [a, a, b]]) {
        expect(await check(await edited({ contributions }))).toBe("CKEY_CONTRIBUTION");
      }
      expect(await check(await edited({ contributions: [a] }))).toBe("CKEY_SIGMA");
      expect(await codeOf(async () => contributeCommitmentKey(await edited({ contributions: [a] })))).toBe(
        "CKEY_SIGMA",
      );
    });

    test("altered in any part", async () => {
      const [first, last] = (await openCkey(chain)).contributions;
      const other = bn254.G2.Point.BASE.multiply(9n).toAffine();
      for (const change of [
        { name: "y" },
        { response: (last!.response + 1n) % R },
        { nonce: other },
        { sigmaAfter: other },
        { transcript: first!.transcript },
      ]) {
        const contributions = [first!, { ...last!, ...change }];
        expect(await check(await edited({ contributions }))).toBe("CKEY_CONTRIBUTION");
      }
    });

    test("made for another key", async () => {
      const { zkeyDigest } = (await openCkey(chain)).header;
      const start = commitmentHash(zkeyDigest, 3, 4);
      const one = bn254.G2.Point.BASE.toAffine();
      const contributions = [commitmentContribution(start, one, 5n, 6n, "wrong count")];
      expect(await check(await edited({ contributions, sigma2: contributions[0]!.sigmaAfter }))).toBe(
        "CKEY_CONTRIBUTION",
      );
    });

    test("points of another sigma, or not multiplied", async () => {
      const { data } = splitContainer(keys.ckey).sections.find(({ id }) => id === 3)!;
      expect(await check(await edited({ points: data }))).toBe("CKEY_POINTS");
      const once = splitContainer(chain).sections.find(({ id }) => id === 3)!.data;
      for (const i of [0, 1, 2]) {
        const mixed = Uint8Array.from(once);
        mixed.set(g1Bytes(12345n), 64 * i);
        expect(await check(await edited({ points: mixed }))).toBe("CKEY_POINTS");
        mixed.fill(0, 64 * i, 64 * i + 64);
        expect(await check(await edited({ points: mixed }))).toBe("POINT_AT_INFINITY");
        mixed.fill(1, 64 * i, 64 * i + 64);
        expect(await check(await edited({ points: mixed }))).toBe("POINT_INVALID");
      }
    });

    test("points that no contribution can be made to", async () => {
      const bad = (byte: number) => withSection(chain, 3, (data) => data.fill(byte, 64, 128));
      expect(await codeOf(() => contributeCommitmentKey(bad(0)))).toBe("POINT_AT_INFINITY");
      expect(await codeOf(() => contributeCommitmentKey(bad(1)))).toBe("POINT_INVALID");
    });
  });
});

describe("the zkey", () => {
  test("must be the one that the commitment key was made for", async () => {
    const other = await makeKeys("product");
    const files = [other.zkey, keys.ckey] as const;
    expect(await codeOf(() => checkCommitmentKey(...files))).toBe("CKEY_FOREIGN");
    expect(await codeOf(() => exportChunkKey(...files, { name: "a", layout: layoutDigest(1) }))).toBe("CKEY_FOREIGN");
    const longer = await makeKeys("longer");
    expect(await codeOf(() => checkCommitmentKey(longer.zkey, keys.ckey))).toBe("CKEY_FOREIGN");
  });

  test("must have something to commit to, finite points, and gamma = 1", async () => {
    const small = await setup(r1csOf({ nOutputs: 1, nPubInputs: 2, nWires: 5, constraints: [] }));
    expect(await codeOf(() => createCommitmentKey(join(small.zkey)))).toBe("SETUP_NO_COLUMNS");
    const infinite = withSection(keys.zkey, 3, (data) => data.fill(0, 5 * 64, 6 * 64));
    expect(await codeOf(() => createCommitmentKey(infinite))).toBe("POINT_AT_INFINITY");
    const invalid = withSection(keys.zkey, 3, (data) => data.fill(1, 5 * 64, 6 * 64));
    expect(await codeOf(() => createCommitmentKey(invalid))).toBe("POINT_INVALID");
    const gamma = editSection(keys.zkey, 2, (data) => data.set(g2Bytes(2n), 84 + 64 + 64 + 128));
    expect(await codeOf(() => createCommitmentKey(gamma))).toBe("ZKEY_GAMMA");
  });
});

describe("abort", () => {
  test("at once or in the middle", async () => {
    const reason = new Error("enough");
    const aborted = AbortSignal.abort(reason);
    await expect(createCommitmentKey(keys.zkey, { signal: aborted })).rejects.toBe(reason);
    await expect(contributeCommitmentKey(keys.ckey, { signal: aborted })).rejects.toBe(reason);
    await expect(checkCommitmentKey(keys.zkey, keys.ckey, { signal: aborted })).rejects.toBe(reason);
    for (const action of [
      (signal: AbortSignal, onProgress: () => void) => createCommitmentKey(keys.zkey, { signal, onProgress }),
      (signal: AbortSignal, onProgress: () => void) => checkCommitmentKey(keys.zkey, keys.ckey, { signal, onProgress }),
    ]) {
      const controller = new AbortController();
      await expect(action(controller.signal, () => controller.abort(reason))).rejects.toBe(reason);
    }
  });
});

describe("phase 1 shared by keys", () => {
  test("gives keys the same alpha and beta, and each its own delta", async () => {
    const phase1 = createPhase1();
    const [a, b] = [await makeKeys("product", phase1), await makeKeys("longer", phase1)];
    expect(a.json.vk_alpha_1).toEqual(b.json.vk_alpha_1);
    expect(a.json.vk_beta_2).toEqual(b.json.vk_beta_2);
    expect(a.json.vk_delta_2).not.toEqual(b.json.vk_delta_2);
    expect(parseKeySet(setOf([a, b])).keys.map(({ name }) => name)).toEqual(["product", "longer"]);
    const code = await codeOf(async () => parseKeySet(setOf([a, await makeKeys("longer")])));
    expect(code).toBe("KEYSET_PHASE1");
  });

  test("keeps its secrets to itself", () => {
    const phase1 = createPhase1();
    expect(JSON.stringify(phase1)).toBe("{}");
    expect(Reflect.ownKeys(phase1)).toEqual([]);
    const { tau, alpha, beta, delta } = chooseTrapdoors(4, undefined, phase1);
    const again = chooseTrapdoors(5, undefined, phase1);
    expect([again.tau, again.alpha, again.beta]).toEqual([tau, alpha, beta]);
    expect(again.delta).not.toBe(delta);
    expect(chooseTrapdoors(5, undefined, createPhase1()).tau).not.toBe(tau);
  });

  test("is made by createPhase1 only, and not together with trapdoors", async () => {
    const circuit = r1csOf({ nOutputs: 1, nPubInputs: 0, nWires: 2, constraints: [] });
    const phase1 = createPhase1();
    for (const shared of [{ ...TRAPDOORS }, {}, null, 5]) {
      expect(await codeOf(() => setup(circuit, { shared: shared as Phase1 }))).toBe("SETUP_OPTIONS");
    }
    const both = { shared: phase1, randomness: TRAPDOORS, insecureDeterministic: true };
    expect(await codeOf(() => setup(circuit, both))).toBe("SETUP_OPTIONS");
    const Constructor = phase1.constructor as new (...args: unknown[]) => unknown;
    expect(await codeOf(async () => new Constructor(Symbol("createPhase1"), TRAPDOORS))).toBe("SETUP_OPTIONS");
  });
});
