import { bn254 } from "@noble/curves/bn254.js";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  assertValid,
  type BatchItem,
  parseVerifyingKey,
  VerifierError,
  verifyBatch,
} from "../../../src/verifier/index.js";
import { g1Json, g2Json, makeInstance, Q, R } from "../../support/groth16.js";

const instance = makeInstance(2, "batch");
const vk = parseVerifyingKey(instance.vk);
const make = (source = instance, key: BatchItem["vk"] = vk) => {
  const publicSignals = source.signals();
  return { vk: key, publicSignals, proof: source.prove(publicSignals) };
};
const items = Array.from({ length: 12 }, () => make());
const verdict = (batch: readonly BatchItem[]) => {
  const { valid, invalid } = verifyBatch(batch);
  expect(valid).toBe(invalid.length === 0);
  return invalid.map(({ index, error }) => [index, error.code]);
};
/** C + P, by coordinates. */
const addG1 = (point: readonly string[], k: bigint) => {
  const { G1 } = bn254;
  const p = G1.Point.fromAffine({ x: BigInt(point[0]!), y: BigInt(point[1]!) });
  const { x, y } = p.add(G1.Point.BASE.multiplyUnsafe(k)).toAffine();
  return [`${x}`, `${y}`, "1"];
};
const thrown = (action: () => unknown): VerifierError => {
  try {
    action();
  } catch (error) {
    if (error instanceof VerifierError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("verifyBatch", () => {
  it.each([1, 2, 3, 12])("accepts %i valid proofs", (n) => {
    expect(verifyBatch(items.slice(0, n))).toEqual({ valid: true, invalid: [] });
  });

  it("names exactly the bad ones, whatever their positions", () => {
    for (const bad of [[0], [11], [5], [0, 11], [3, 4, 9], [0, 1, 2, 3, 4, 5], items.map((_, i) => i)]) {
      const batch = items.map((item, i) => (bad.includes(i) ? { ...item, proof: items[(i + 1) % 12]!.proof } : item));
      expect(verdict(batch)).toEqual(bad.map((i) => [i, "PROOF_INVALID"]));
    }
  });

  it("gives each bad item the error that assertValid throws, and lets the rest pass", () => {
    const changes: Partial<Record<"proof" | "publicSignals", unknown>>[] = [
      {},
      { proof: { ...items[1]!.proof, pi_a: ["0", "1", "0"] } },
      { publicSignals: [...items[2]!.publicSignals, "0"] },
      { proof: { ...items[3]!.proof, pi_c: g1Json(7n) } },
      { proof: null },
      { publicSignals: [`${Q}`, "0"] },
      { proof: { ...items[6]!.proof, pi_b: g2Json(1n) } },
    ];
    const batch = changes.map((change, i) => ({ ...items[i]!, ...change }));
    const { invalid } = verifyBatch(batch);
    expect(invalid.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const { index, error } of invalid) {
      const { vk: key, publicSignals, proof } = batch[index]!;
      const single = thrown(() => assertValid(key, publicSignals, proof));
      expect([error.code, error.where, error.message]).toEqual([single.code, single.where, single.message]);
    }
  });

  it("refuses a batch of nothing but ill-formed items", () => {
    expect(verdict([{ vk, publicSignals: [], proof: {} }])).toEqual([[0, "SIGNALS_COUNT"]]);
  });

  it("catches errors that cancel out between proofs", () => {
    const [first, second] = [items[0]!, items[1]!];
    const batch = [
      { ...first, proof: { ...first.proof, pi_c: addG1(first.proof.pi_c, 1234567n) } },
      items[2]!,
      { ...second, proof: { ...second.proof, pi_c: addG1(second.proof.pi_c, -1234567n + bn254.fields.Fr.ORDER) } },
    ];
    // the plain product of both equations still holds: Σ C_i is unchanged
    const c = (proofs: { proof: { pi_c: string[] } }[]) =>
      proofs.reduce(
        (sum, { proof: { pi_c } }) => sum.add(bn254.G1.Point.fromAffine({ x: BigInt(pi_c[0]!), y: BigInt(pi_c[1]!) })),
        bn254.G1.Point.ZERO,
      );
    expect(c([batch[0]!, batch[2]!]).equals(c([first, second]))).toBe(true);
    for (let i = 0; i < 5; i++) {
      expect(verdict(batch)).toEqual([
        [0, "PROOF_INVALID"],
        [2, "PROOF_INVALID"],
      ]);
    }
  });

  it("catches swapped signals of two proofs for one key", () => {
    const batch = [
      { ...items[0]!, publicSignals: items[1]!.publicSignals },
      { ...items[1]!, publicSignals: items[0]!.publicSignals },
    ];
    expect(verdict(batch).map(([index]) => index)).toEqual([0, 1]);
  });

  it("mixes keys that share nothing, alpha and beta, gamma, or everything", () => {
    const { alpha, beta, gamma } = instance.trapdoors;
    const sources = [
      instance,
      makeInstance(0, "nothing shared"),
      makeInstance(5, "same alpha, beta", { alpha, beta }),
      makeInstance(1, "same gamma", { gamma }),
      makeInstance(2, "same beta and gamma", { beta, gamma }),
      makeInstance(1, "gamma of one is beta of another", { gamma: beta }),
    ];
    const keys = sources.map((source) => parseVerifyingKey(source.vk));
    const batch = sources.flatMap((source, i) => [make(source, keys[i]), make(source, keys[i])]);
    batch.push(
      make(instance, parseVerifyingKey(instance.vk)),
      make(instance, instance.vk),
      make(instance, instance.vk),
    );
    expect(verdict(batch)).toEqual([]);
    for (const bad of [0, 3, 4, 9, 12, 13]) {
      const spoilt = batch.map((item, i) =>
        i === bad ? { ...item, proof: { ...item.proof, pi_c: addG1(item.proof.pi_c, 1n) } } : item,
      );
      expect(verdict(spoilt)).toEqual([[bad, "PROOF_INVALID"]]);
    }
    // a proof under the wrong key of the right shape
    const foreign = batch.map((item, i) => (i === 0 ? { ...item, vk: keys[4]! } : item));
    expect(verdict(foreign)).toEqual([[0, "PROOF_INVALID"]]);
  });

  it("handles sums that are infinity", () => {
    const twin = makeInstance(1, "infinite X", { ic: [R - 6n, 2n] });
    const key = parseVerifyingKey(twin.vk);
    const only = { vk: key, publicSignals: ["3"], proof: twin.prove(["3"]) };
    expect(verdict([only, { ...only, proof: twin.prove(["3"]) }])).toEqual([]);
    expect(verdict([{ ...only, proof: { ...only.proof, pi_c: addG1(only.proof.pi_c, 1n) } }])).toHaveLength(1);
  });

  it("works across slices", () => {
    const many = Array.from({ length: 130 }, (_, i) => items[i % items.length]!);
    expect(verdict(many)).toEqual([]);
    const spoilt = many.map((item, i) => (i === 1 || i === 129 ? { ...item, proof: items[5]!.proof } : item));
    expect(verdict(spoilt).map(([index]) => index)).toEqual([1, 129]);
  });

  it("throws for an empty batch, for what is no batch, and for bad keys", () => {
    const codes = (value: unknown) => thrown(() => verifyBatch(value as never)).code;
    expect(codes([])).toBe("BATCH_EMPTY");
    expect(codes(null)).toBe("BATCH_MALFORMED");
    expect(codes({ length: 1, 0: items[0] })).toBe("BATCH_MALFORMED");
    expect(codes([items[0], null])).toBe("BATCH_MALFORMED");
    expect(codes([items[0], {}])).toBe("VK_MALFORMED");
    expect(codes([{ ...items[0]!, vk: { ...instance.vk, curve: "bls12381" } }])).toBe("VK_CURVE");
    const weak = makeInstance(1, "uncontributed", { gamma: 1n, delta: 1n });
    expect(codes([make(weak, weak.vk)])).toBe("VK_NO_CONTRIBUTION");
    expect(verifyBatch([make(weak, weak.vk)], { allowUncontributed: true }).valid).toBe(true);
  });

  it("draws fresh weights for every proof and every call, after reading all proofs", () => {
    const drawn: bigint[] = [];
    const log: string[] = [];
    const real = globalThis.crypto;
    vi.stubGlobal("crypto", {
      getRandomValues(array: BigUint64Array<ArrayBuffer>) {
        log.push("draw");
        real.getRandomValues(array);
        drawn.push(...array);
        return array;
      },
    });
    const watch = (batch: readonly BatchItem[]) =>
      batch.map(({ vk: key, publicSignals, proof }) => ({
        vk: key,
        publicSignals,
        proof: new Proxy(proof as object, {
          get: (target, name) => {
            if (name === "pi_b") log.push("read");
            return (target as never)[name];
          },
        }),
      }));
    const watched = watch(items.slice(0, 4));
    verifyBatch(watched);
    verifyBatch(watched);
    expect(log).toEqual([..."rrrrdrrrrd"].map((c) => (c === "r" ? "read" : "draw")));
    expect(drawn).toHaveLength(16);
    expect(new Set(drawn).size).toBe(16);

    // two slices, each with its own draw: both come after the reading
    log.length = 0;
    verifyBatch(watch(Array.from({ length: 130 }, (_, i) => items[i % items.length]!)));
    expect(log).toEqual([...Array.from({ length: 130 }, () => "read"), "draw", "draw"]);
  });

  it("cannot be led to skip items by their getters", () => {
    const bad = { ...items[1]!, proof: items[2]!.proof };
    const shortening: BatchItem[] = [
      {
        ...items[0]!,
        get proof() {
          shortening.length = 1;
          return items[0]!.proof;
        },
      },
      bad,
    ];
    // the list was read as far as it went at the time: what is gone is no object
    expect(thrown(() => verifyBatch(shortening))).toMatchObject({ code: "BATCH_MALFORMED", where: "items[1]" });

    const replacing: BatchItem[] = [
      {
        ...items[0]!,
        publicSignals: new Proxy(items[0]!.publicSignals, {
          get: (target, name) => {
            replacing[1] = items[1]!;
            Object.assign(bad, items[1]);
            replacing.length = 2;
            return (target as never)[name];
          },
        }),
      },
      bad,
      bad,
    ];
    expect(verdict(replacing)).toEqual([
      [1, "PROOF_INVALID"],
      [2, "PROOF_INVALID"],
    ]);
  });

  it("reads the length of the list once, and takes nothing but a count", () => {
    const bad = { ...items[1]!, proof: items[2]!.proof };
    const withLength = (length: () => unknown) =>
      new Proxy([bad], { get: (target, name) => (name === "length" ? length() : (target as never)[name]) });
    let reads = 0;
    expect(verdict(withLength(() => (reads++ === 0 ? 1 : 0)))).toEqual([[0, "PROOF_INVALID"]]);
    expect(reads).toBe(1);
    for (const length of ["1", Number.NaN, 0.5, -1, 2 ** 53, 1n, null, undefined, { valueOf: () => 1 }, Symbol("1")]) {
      expect(thrown(() => verifyBatch(withLength(() => length))).code).toBe("BATCH_MALFORMED");
    }
    expect(thrown(() => verifyBatch(withLength(() => 0))).code).toBe("BATCH_EMPTY");
    expect(thrown(() => verifyBatch(new Array(2 ** 32 - 1))).code).toBe("BATCH_MALFORMED");
  });

  it("turns what getters and traps throw into BATCH_MALFORMED", () => {
    const cause = new RangeError("trap");
    const trap = () => {
      throw cause;
    };
    for (const field of ["vk", "publicSignals", "proof"]) {
      const item = Object.defineProperty({ ...items[1]! }, field, { get: trap });
      const error = thrown(() => verifyBatch([items[0]!, item]));
      expect(error).toMatchObject({ code: "BATCH_MALFORMED", where: "items[1]", cause });
    }
    const list = (get: (name: string | symbol) => unknown) => new Proxy([items[0]!], { get: (_, name) => get(name) });
    for (const [batch, where] of [
      [list(trap), "items"],
      [list((name) => (name === "length" ? 1 : trap())), "items[0]"],
    ] as const) {
      expect(thrown(() => verifyBatch(batch))).toMatchObject({ code: "BATCH_MALFORMED", where, cause });
    }
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    expect(thrown(() => verifyBatch(proxy)).code).toBe("BATCH_MALFORMED");
  });

  it("redraws the weight zero, under which anything would pass", () => {
    let calls = 0;
    vi.stubGlobal("crypto", {
      getRandomValues: (array: BigUint64Array) => array.fill(calls++ === 0 ? 0n : 3n),
    });
    expect(verdict([{ ...items[0]!, proof: items[1]!.proof }])).toEqual([[0, "PROOF_INVALID"]]);
    expect(calls).toBe(2);
  });

  it("gives up on a random generator that returns nothing but zeros", () => {
    const getRandomValues = vi.fn((array: BigUint64Array) => array);
    vi.stubGlobal("crypto", { getRandomValues });
    expect(thrown(() => verifyBatch(items.slice(0, 2))).code).toBe("RANDOMNESS_UNAVAILABLE");
    expect(getRandomValues.mock.calls.length).toBeLessThan(10);
  });

  it("takes weights of one half only", () => {
    for (const [a, b] of [
      [1n, 0n],
      [0n, 1n],
      [2n ** 64n - 1n, 2n ** 64n - 1n],
    ] as const) {
      vi.stubGlobal("crypto", {
        getRandomValues: (array: BigUint64Array) => array.map((_, i) => (i % 2 === 0 ? a : b)),
      });
      expect(verdict(items.slice(0, 3))).toEqual([]);
      expect(verdict([items[0]!, { ...items[1]!, proof: items[2]!.proof }])).toEqual([[1, "PROOF_INVALID"]]);
    }
  });

  it("refuses to work without a random generator", () => {
    vi.stubGlobal("crypto", undefined);
    expect(thrown(() => verifyBatch(items)).code).toBe("RANDOMNESS_UNAVAILABLE");
    vi.stubGlobal("crypto", {});
    expect(thrown(() => verifyBatch(items)).code).toBe("RANDOMNESS_UNAVAILABLE");
  });
});
