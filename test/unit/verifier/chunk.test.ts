import { bn254 } from "@noble/curves/bn254.js";
import { afterAll, afterEach, beforeAll, describe, expect, it, test, vi } from "vitest";
import { createPhase1 } from "../../../src/setup/index.js";
import {
  assertChunk,
  CHUNK_PROOF_SIZE,
  type Challenges,
  type ChunkProof,
  decodeChunkProof,
  encodeChunkProof,
  verifyChunk,
  verifyChunks,
} from "../../../src/verifier/chunk.js";
import { VerifierError } from "../../../src/verifier/index.js";
import { type KeySet, parseKeySet } from "../../../src/verifier/keyset.js";
import { isNeutral, millerLoop } from "../../../src/verifier/pairing.js";
import { type ChunkKeys, INFINITY, makeKeys, proveAll, setOf } from "../../support/chunks.js";
import { Q, R, scalarSource } from "../../support/groth16.js";
import { randomTwistPoint } from "../../support/twist.js";

vi.mock("../../../src/verifier/pairing.js", { spy: true });

const { Point } = bn254.G1;
const challenges: Challenges = { alpha: 1234567890123456789n, beta: 987654321987654321n };

let product: ChunkKeys;
let longer: ChunkKeys;
let keySet: KeySet;
let chunks: ChunkProof[];

beforeAll(async () => {
  vi.stubGlobal("crossOriginIsolated", false);
  const phase1 = createPhase1();
  product = await makeKeys("product", phase1);
  longer = await makeKeys("longer", phase1);
  keySet = parseKeySet(setOf([product, longer]));
  chunks = [
    ...(await proveAll(product, 0, challenges, [
      [3n, 5n],
      [0n, 0n],
      [R - 1n, 7n],
      [1n, 1n],
    ])),
    ...(await proveAll(longer, 1, challenges, [
      [2n, 3n],
      [11n, 13n],
      [2n ** 200n, 9n],
    ])),
  ];
});

afterAll(() => {
  vi.unstubAllGlobals();
});

afterEach(() => {
  vi.mocked(isNeutral).mockClear();
  vi.mocked(millerLoop).mockClear();
});

/** What `action` is refused with. */
function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(VerifierError);
    return (error as VerifierError).code;
  }
  return "accepted";
}
const single = (chunk: ChunkProof, set = keySet, drawn = challenges) => codeOf(() => assertChunk(set, drawn, chunk));
const batch = (list: readonly ChunkProof[], set = keySet, drawn = challenges) =>
  verifyChunks(set, drawn, list).invalid.map(({ index, error }) => [index, error.code]);

const shifted = ({ x, y }: { x: bigint; y: bigint }, k = 1n) => {
  const point = x === 0n && y === 0n ? Point.ZERO : Point.fromAffine({ x, y });
  return point.add(Point.BASE.multiply(k)).toAffine();
};

describe("valid chunks", () => {
  it("are accepted alone and together", () => {
    for (const chunk of chunks) expect(single(chunk)).toBe("accepted");
    expect(verifyChunks(keySet, challenges, chunks)).toEqual({ valid: true, invalid: [] });
    expect(verifyChunk(keySet, challenges, chunks[0]!)).toBe(true);
  });

  it("a block without chunks has no invalid ones", () => {
    expect(verifyChunks(keySet, challenges, [])).toEqual({ valid: true, invalid: [] });
  });

  it("take n + 2 + 2k Miller loops and one final power", () => {
    expect(batch(chunks)).toEqual([]);
    expect(vi.mocked(isNeutral)).toHaveBeenCalledTimes(1);
    expect(vi.mocked(millerLoop).mock.calls.map(([pairs]) => pairs.length)).toEqual([7 + 2 + 2 * 2]);
    vi.mocked(millerLoop).mockClear();
    expect(batch(chunks.slice(0, 4))).toEqual([]);
    expect(vi.mocked(millerLoop).mock.calls.map(([pairs]) => pairs.length)).toEqual([4 + 2 + 2]);
  });

  it("of nothing but zeros have D = P = infinity", () => {
    expect(chunks[1]).toMatchObject({ d: INFINITY, p: INFINITY });
    expect(single(chunks[1]!)).toBe("accepted");
  });
});

describe("invalid chunks", () => {
  const changes: [string, string, (chunk: ChunkProof) => ChunkProof][] = [
    ["sum altered", "CHUNK_INVALID", (chunk) => ({ ...chunk, sum: (chunk.sum + 1n) % R })],
    ["A altered", "CHUNK_INVALID", (chunk) => ({ ...chunk, a: shifted(chunk.a) })],
    ["A negated", "CHUNK_INVALID", (chunk) => ({ ...chunk, a: { x: chunk.a.x, y: Q - chunk.a.y } })],
    ["C altered", "CHUNK_INVALID", (chunk) => ({ ...chunk, c: shifted(chunk.c) })],
    ["D altered", "CHUNK_COMMITMENT", (chunk) => ({ ...chunk, d: shifted(chunk.d) })],
    ["P altered", "CHUNK_COMMITMENT", (chunk) => ({ ...chunk, p: shifted(chunk.p) })],
    ["P left out", "CHUNK_COMMITMENT", (chunk) => ({ ...chunk, p: INFINITY })],
    ["D left out", "CHUNK_COMMITMENT", (chunk) => ({ ...chunk, d: INFINITY })],
    ["D and P of another chunk", "CHUNK_INVALID", (chunk) => ({ ...chunk, d: chunks[2]!.d, p: chunks[2]!.p })],
    ["D and P doubled", "CHUNK_INVALID", (chunk) => ({ ...chunk, d: double(chunk.d), p: double(chunk.p) })],
    ["layout swapped", "CHUNK_COMMITMENT", (chunk) => ({ ...chunk, layout: 1 - chunk.layout })],
    ["unknown layout", "CHUNK_LAYOUT", (chunk) => ({ ...chunk, layout: 2 })],
    ["no layout", "CHUNK_LAYOUT", (chunk) => ({ ...chunk, layout: 0.5 })],
  ];
  const double = (point: { x: bigint; y: bigint }) => Point.fromAffine(point).double().toAffine();

  test.each(changes)("%s", (_, code, change) => {
    const bad = change(chunks[0]!);
    expect(single(bad)).toBe(code);
    expect(verifyChunk(keySet, challenges, bad)).toBe(false);
    for (const at of [0, 5]) {
      const list = chunks.map((chunk, i) => (i === at ? bad : chunk));
      expect(batch(list)).toEqual([[at, code]]);
    }
  });

  it("a chunk without columns other than zeros still says something about its sum", () => {
    expect(single({ ...chunks[1]!, sum: 1n })).toBe("CHUNK_INVALID");
  });

  it("layouts of two chunks swapped", () => {
    const list = chunks.map((chunk, i) => (i === 0 || i === 4 ? { ...chunk, layout: 1 - chunk.layout } : chunk));
    expect(batch(list)).toEqual([
      [0, "CHUNK_COMMITMENT"],
      [4, "CHUNK_COMMITMENT"],
    ]);
  });

  it("other challenges", () => {
    for (const drawn of [
      { ...challenges, alpha: challenges.alpha + 1n },
      { ...challenges, beta: challenges.beta + 1n },
      { alpha: challenges.beta, beta: challenges.alpha },
    ]) {
      expect(single(chunks[0]!, keySet, drawn)).toBe("CHUNK_INVALID");
      expect(batch(chunks.slice(0, 1), keySet, drawn)).toEqual([[0, "CHUNK_INVALID"]]);
    }
    for (const alpha of [-1n, R, 5, "5"]) {
      const drawn = { ...challenges, alpha: alpha as bigint };
      expect(codeOf(() => verifyChunks(keySet, drawn, []))).toBe("CHUNK_CHALLENGES");
      expect(codeOf(() => verifyChunk(keySet, drawn, chunks[0]!))).toBe("CHUNK_CHALLENGES");
    }
    expect(codeOf(() => verifyChunks(keySet, null as never, []))).toBe("CHUNK_CHALLENGES");
  });

  it("faults that cancel out between chunks", () => {
    const c = (i: number, k: bigint) => ({ ...chunks[i]!, c: shifted(chunks[i]!.c, k) });
    expect(batch([c(0, 77n), chunks[1]!, c(2, R - 77n)])).toEqual([
      [0, "CHUNK_INVALID"],
      [2, "CHUNK_INVALID"],
    ]);
    const p = (i: number, k: bigint) => ({ ...chunks[i]!, p: shifted(chunks[i]!.p, k) });
    expect(batch([p(0, 77n), chunks[1]!, p(2, R - 77n)])).toEqual([
      [0, "CHUNK_COMMITMENT"],
      [2, "CHUNK_COMMITMENT"],
    ]);
    const d = (i: number, k: bigint) => ({ ...chunks[i]!, d: shifted(chunks[i]!.d, k) });
    expect(batch([d(0, 77n), chunks[1]!, d(2, R - 77n)])).toEqual([
      [0, "CHUNK_COMMITMENT"],
      [2, "CHUNK_COMMITMENT"],
    ]);
  });

  it("all of them", () => {
    const list = chunks.map((chunk) => ({ ...chunk, sum: (chunk.sum + 1n) % R }));
    expect(batch(list)).toEqual(list.map((_, i) => [i, "CHUNK_INVALID"]));
  });

  it("are named among more than fit into one product", () => {
    const list = Array.from({ length: 131 }, (_, i) => chunks[i % 4]!);
    list[130] = { ...list[130]!, sum: 5n };
    expect(batch(list)).toEqual([[130, "CHUNK_INVALID"]]);
  });
});

describe("ill-formed chunks", () => {
  const outside = () => {
    const { x, y } = randomTwistPoint(scalarSource("chunk")).toAffine();
    return { x, y };
  };
  const cases: [string, string, (chunk: ChunkProof) => unknown][] = [
    ["no object", "CHUNK_MALFORMED", () => 5],
    ["nothing in it", "CHUNK_LAYOUT", () => ({})],
    ["a number for sum", "CHUNK_MALFORMED", (chunk) => ({ ...chunk, sum: 5 })],
    ["sum = r", "CHUNK_NON_CANONICAL", (chunk) => ({ ...chunk, sum: R })],
    ["sum negative", "CHUNK_NON_CANONICAL", (chunk) => ({ ...chunk, sum: -1n })],
    ["x + q", "CHUNK_NON_CANONICAL", ({ a, ...rest }) => ({ ...rest, a: { ...a, x: a.x + Q } })],
    ["no point", "CHUNK_MALFORMED", (chunk) => ({ ...chunk, c: null })],
    ["A off the curve", "CHUNK_POINT_NOT_ON_CURVE", ({ a, ...rest }) => ({ ...rest, a: { x: a.x, y: a.y ^ 1n } })],
    ["D off the curve", "CHUNK_POINT_NOT_ON_CURVE", (chunk) => ({ ...chunk, d: { x: 0n, y: 1n } })],
    ["A at infinity", "CHUNK_POINT_AT_INFINITY", (chunk) => ({ ...chunk, a: INFINITY })],
    ["C at infinity", "CHUNK_POINT_AT_INFINITY", (chunk) => ({ ...chunk, c: INFINITY })],
    [
      "B at infinity",
      "CHUNK_POINT_AT_INFINITY",
      (chunk) => ({ ...chunk, b: { x: { c0: 0n, c1: 0n }, y: { c0: 0n, c1: 0n } } }),
    ],
    [
      "B off the twist",
      "CHUNK_POINT_NOT_ON_CURVE",
      ({ b, ...rest }) => ({ ...rest, b: { x: b.x, y: { ...b.y, c0: b.y.c0 ^ 1n } } }),
    ],
    ["B outside the subgroup", "CHUNK_POINT_NOT_IN_SUBGROUP", (chunk) => ({ ...chunk, b: outside() })],
    [
      "a getter that throws",
      "CHUNK_MALFORMED",
      (chunk) =>
        Object.defineProperty({ ...chunk }, "sum", {
          enumerable: true,
          get: () => {
            throw new Error("mine");
          },
        }),
    ],
  ];
  test.each(cases)("%s", (_, code, change) => {
    const bad = change(chunks[0]!) as ChunkProof;
    expect(single(bad)).toBe(code);
    if (typeof bad === "object") expect(batch([chunks[1]!, bad, chunks[2]!])).toEqual([[1, code]]);
  });

  it("no list, no key set", () => {
    expect(codeOf(() => verifyChunks(keySet, challenges, {} as never))).toBe("BATCH_MALFORMED");
    expect(codeOf(() => verifyChunks(keySet, challenges, [5 as never]))).toBe("BATCH_MALFORMED");
    expect(codeOf(() => verifyChunks({} as never, challenges, chunks))).toBe("KEYSET_MALFORMED");
    expect(codeOf(() => verifyChunk(setOf([product]) as never, challenges, chunks[0]!))).toBe("KEYSET_MALFORMED");
  });
});

describe("the encoding", () => {
  it("takes 224 bytes and comes back the same", () => {
    for (const chunk of chunks) {
      const bytes = encodeChunkProof(chunk);
      expect(bytes.length).toBe(CHUNK_PROOF_SIZE);
      expect(decodeChunkProof(bytes, chunk.layout)).toEqual(chunk);
      // as a view into something longer
      const longer = new Uint8Array(300).fill(0xff);
      longer.set(bytes, 7);
      expect(decodeChunkProof(longer.subarray(7, 7 + CHUNK_PROOF_SIZE), chunk.layout)).toEqual(chunk);
    }
  });

  it("is as documented", () => {
    const { a, b, d, sum } = chunks[0]!;
    const bytes = encodeChunkProof(chunks[0]!);
    const number = (from: number, mask = (1n << 254n) - 1n) =>
      BigInt(`0x${Buffer.from(bytes.subarray(from, from + 32)).toString("hex")}`) & mask;
    expect([number(0), number(32), number(64), number(128), number(192, -1n)]).toEqual([a.x, b.x.c1, b.x.c0, d.x, sum]);
    expect(bytes[0]! >> 7).toBe(a.y > (Q - 1n) / 2n ? 1 : 0);
    expect(bytes[32]! >> 7).toBe(b.y.c1 > (Q - 1n) / 2n ? 1 : 0);
    expect(Buffer.from(encodeChunkProof(chunks[1]!).subarray(128, 192)).toString("hex")).toBe(
      `40${"00".repeat(31)}`.repeat(2),
    );
  });

  it("has both signs of every point", () => {
    const chunk = chunks[0]!;
    const neg = ({ x, y }: { x: bigint; y: bigint }) => ({ x, y: Q - y });
    const bNeg = { x: chunk.b.x, y: { c0: Q - chunk.b.y.c0, c1: Q - chunk.b.y.c1 } };
    const other = { ...chunk, a: neg(chunk.a), b: bNeg, c: neg(chunk.c), d: neg(chunk.d), p: neg(chunk.p) };
    const [bytes, otherBytes] = [encodeChunkProof(chunk), encodeChunkProof(other)];
    expect(decodeChunkProof(otherBytes, 0)).toEqual(other);
    const difference = bytes.map((byte, i) => byte ^ otherBytes[i]!);
    expect([...difference].flatMap((byte, i) => (byte === 0 ? [] : [[i, byte]]))).toEqual([
      [0, 0x80],
      [32, 0x80],
      [96, 0x80],
      [128, 0x80],
      [160, 0x80],
    ]);
  });

  const decoded = (edit: (bytes: Uint8Array) => void, from = 0) => {
    const bytes = encodeChunkProof(chunks[from]!);
    edit(bytes);
    return codeOf(() => decodeChunkProof(bytes, 0));
  };
  const put = (at: number, value: bigint) => (bytes: Uint8Array) => {
    bytes.set(Buffer.from(value.toString(16).padStart(64, "0"), "hex"), at);
  };

  it("refuses another way to write the same value", () => {
    const x = chunks[0]!.a.x;
    // x + q still fits below 2^254 for a third of all x
    expect(decoded(put(0, Q))).toBe("CHUNK_NON_CANONICAL");
    expect(decoded(put(0, Q + 1n))).toBe("CHUNK_NON_CANONICAL");
    expect(decoded(put(64, chunks[0]!.b.x.c0 + Q))).toBe("CHUNK_NON_CANONICAL");
    expect(decoded(put(64, chunks[0]!.b.x.c0 | (1n << 255n)))).toBe("CHUNK_NON_CANONICAL");
    expect(decoded(put(192, chunks[0]!.sum + R))).toBe("CHUNK_NON_CANONICAL");
    expect(decoded(put(192, R))).toBe("CHUNK_NON_CANONICAL");
    expect(decoded(put(0, x | (1n << 254n)))).toBe("CHUNK_NON_CANONICAL");
    // infinity with a sign, with another bit, with a coordinate
    for (const bit of [255n, 253n, 0n, 100n]) {
      expect(decoded(put(128, (1n << 254n) | (1n << bit)))).toBe("CHUNK_NON_CANONICAL");
    }
  });

  it("refuses infinity for A, B and C, abscissae of no point, other lengths and layouts", () => {
    expect(decoded(put(0, 1n << 254n))).toBe("CHUNK_POINT_AT_INFINITY");
    expect(decoded(put(96, 1n << 254n))).toBe("CHUNK_POINT_AT_INFINITY");
    const infinityB = (bytes: Uint8Array) => {
      put(32, 1n << 254n)(bytes);
      put(64, 0n)(bytes);
    };
    expect(decoded(infinityB)).toBe("CHUNK_POINT_AT_INFINITY");
    // 4³ + 3 = 67 and 0³ + 3 are no squares mod q
    expect(decoded(put(0, 4n))).toBe("CHUNK_POINT_NOT_ON_CURVE");
    expect(decoded(put(128, 0n))).toBe("CHUNK_POINT_NOT_ON_CURVE");
    expect(codeOf(() => decodeChunkProof(encodeChunkProof(chunks[0]!).subarray(1), 0))).toBe("CHUNK_MALFORMED");
    expect(codeOf(() => decodeChunkProof(new Uint8Array(225), 0))).toBe("CHUNK_MALFORMED");
    expect(codeOf(() => decodeChunkProof("00" as never, 0))).toBe("CHUNK_MALFORMED");
    for (const layout of [-1, 0.5, Number.NaN, "0"]) {
      expect(codeOf(() => decodeChunkProof(encodeChunkProof(chunks[0]!), layout as number))).toBe("CHUNK_LAYOUT");
    }
  });

  it("refuses or changes the proof with every bit that is turned over", () => {
    const bytes = encodeChunkProof(chunks[0]!);
    const codes = new Set<string>();
    for (let bit = 0; bit < 8 * CHUNK_PROOF_SIZE; bit += 3) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const code = codeOf(() => {
        const proof = decodeChunkProof(flipped, 0);
        // what decodes, encodes to the same bytes
        expect(encodeChunkProof(proof)).toEqual(flipped);
      });
      codes.add(code);
    }
    expect([...codes].sort()).toEqual(["CHUNK_NON_CANONICAL", "CHUNK_POINT_NOT_ON_CURVE", "accepted"]);
  });

  it("writes nothing that cannot be read", () => {
    expect(codeOf(() => encodeChunkProof({ ...chunks[0]!, sum: R }))).toBe("CHUNK_NON_CANONICAL");
    expect(codeOf(() => encodeChunkProof({ ...chunks[0]!, a: { x: 1n, y: 1n } }))).toBe("CHUNK_POINT_NOT_ON_CURVE");
  });
});
