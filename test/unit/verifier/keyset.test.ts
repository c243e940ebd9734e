import { bn254 } from "@noble/curves/bn254.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { VerifierError } from "../../../src/verifier/index.js";
import { type ChunkKeyJson, type KeySetJson, parseKeySet } from "../../../src/verifier/keyset.js";
import { g1Json, g2Json, type Mutable, R, scalarSource } from "../../support/groth16.js";
import { randomTwistPoint } from "../../support/twist.js";

const next = scalarSource("key set");
const [alpha, beta] = [next(), next()];
const makeKey = (i: number, nCommitted = 10 * (i + 1)): Mutable<ChunkKeyJson> => ({
  name: `mixed-${i}`,
  power: 12 + i,
  nPublic: 3 + nCommitted,
  nCommitted,
  layout: (i + 1).toString(16).padStart(64, "0"),
  vk_alpha_1: g1Json(alpha),
  vk_beta_2: g2Json(beta),
  vk_gamma_2: g2Json(1n),
  vk_delta_2: g2Json(next()),
  vk_sigma_2: g2Json(next()),
  IC: [next(), next(), next(), next()].map(g1Json),
});
const keys = [makeKey(0), makeKey(1), makeKey(2)];
const set: KeySetJson = { version: 1, protocol: "groth16-committed", curve: "bn128", insecure: false, keys };
/** The set with one thing changed. */
const edited = (edit: (set: Mutable<KeySetJson>) => void): KeySetJson => {
  const copy = structuredClone(set) as Mutable<KeySetJson>;
  edit(copy);
  return copy;
};
/** Changes all keys. */
const each = (changed: Mutable<KeySetJson>, change: Partial<ChunkKeyJson>): void => {
  for (const key of changed.keys) Object.assign(key, change);
};
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(VerifierError);
    return (error as VerifierError).code;
  }
  return "accepted";
};
const refused = (input: unknown, options?: Parameters<typeof parseKeySet>[1]) =>
  codeOf(() => parseKeySet(input, options));
const negated = (point: readonly (readonly string[])[]): string[][] => [
  [...point[0]!],
  point[1]!.map((c) => String(bn254.fields.Fp.neg(BigInt(c)))),
  [...point[2]!],
];

describe("a set of keys", () => {
  const parsed = parseKeySet(set);

  it("tells about its keys in their order", () => {
    expect(parsed.insecure).toBe(false);
    expect(parsed.keys).toEqual(
      keys.map(({ name, power, nCommitted, layout }) => ({ name, power, nCommitted, layout })),
    );
  });

  it("has a digest, keccak-256 of its one encoding, which is read too", () => {
    const bytes = parsed.toBytes();
    expect(parsed.digest).toBe(bytesToHex(keccak_256(bytes)));
    const again = parseKeySet(bytes);
    expect([again.digest, again.keys, again.insecure]).toEqual([parsed.digest, parsed.keys, parsed.insecure]);
    expect(again.toBytes()).toEqual(bytes);
    bytes.fill(0);
    expect(bytesToHex(keccak_256(parsed.toBytes()))).toBe(parsed.digest);
  });

  it("has another digest whatever is changed in it", () => {
    const changes: ((set: Mutable<KeySetJson>) => void)[] = [
      () => {},
      (s) => (s.insecure = true),
      (s) => s.keys.reverse(),
      (s) => s.keys.pop(),
      (s) => (s.keys[1]!.name = "other"),
      (s) => (s.keys[1]!.power = 20),
      (s) => (s.keys[1]!.layout = "f".repeat(64)),
      (s) => (s.keys[1]!.vk_delta_2 = negated(s.keys[1]!.vk_delta_2)),
      (s) => (s.keys[1]!.vk_sigma_2 = g2Json(99n)),
      (s) => (s.keys[1]!.IC[3] = g1Json(98n)),
      (s) => {
        s.keys[1]!.nCommitted++;
        s.keys[1]!.nPublic++;
      },
      (s) => each(s, { vk_alpha_1: g1Json(5n) }),
      (s) => each(s, { vk_beta_2: g2Json(5n) }),
    ];
    const digests = changes.map((change) => parseKeySet(edited(change), { allowInsecure: true }).digest);
    expect(new Set(digests).size).toBe(changes.length);
    expect(digests[0]).toBe(parsed.digest);
  });

  it("ignores what it doesn't know", () => {
    expect(parseKeySet({ ...set, comment: "x", keys: keys.map((key) => ({ ...key, comment: 5 })) }).digest).toBe(
      parsed.digest,
    );
  });

  it("is only made by parsing", () => {
    const Constructor = parsed.constructor as new (...args: unknown[]) => unknown;
    const token = Symbol("parseKeySet");
    expect(codeOf(() => new Constructor(token, false, [], new Uint8Array()))).toBe("KEYSET_MALFORMED");
  });
});

describe("what a replica accepts", () => {
  const insecure = edited((s) => (s.insecure = true));

  it("development keys only if told so, not by inheritance", () => {
    expect(refused(insecure)).toBe("KEYSET_INSECURE");
    expect(refused(insecure, {})).toBe("KEYSET_INSECURE");
    expect(refused(insecure, { allowInsecure: "yes" as never })).toBe("KEYSET_INSECURE");
    expect(refused(insecure, Object.create({ allowInsecure: true }))).toBe("KEYSET_INSECURE");
    expect(parseKeySet(insecure, { allowInsecure: true }).insecure).toBe(true);
    expect(parseKeySet(set, { allowInsecure: true }).insecure).toBe(false);
  });

  it("an explicit list of digests", () => {
    const { digest } = parseKeySet(set);
    expect(refused(set, { digests: ["0".repeat(64), digest] })).toBe("accepted");
    for (const digests of [[], ["0".repeat(64)], [digest.toUpperCase()], digest, [[digest]]]) {
      expect(refused(set, { digests: digests as string[] })).toBe("KEYSET_DIGEST");
    }
    // the flag is part of what is hashed
    expect(refused(insecure, { allowInsecure: true, digests: [digest] })).toBe("KEYSET_DIGEST");
  });
});

const outside = (): string[][] => {
  const { x, y } = randomTwistPoint(next).toAffine();
  return [
    [`${x.c0}`, `${x.c1}`],
    [`${y.c0}`, `${y.c1}`],
    ["1", "0"],
  ];
};

describe("sets that are refused", () => {
  const cases: [string, string, (set: Mutable<KeySetJson>) => void][] = [
    ["gamma other than the generator", "KEYSET_GAMMA", (s) => (s.keys[1]!.vk_gamma_2 = g2Json(2n))],
    ["gamma = -1", "KEYSET_GAMMA", (s) => (s.keys[1]!.vk_gamma_2 = g2Json(R - 1n))],
    ["another alpha", "KEYSET_PHASE1", (s) => (s.keys[2]!.vk_alpha_1 = g1Json(7n))],
    ["another beta", "KEYSET_PHASE1", (s) => (s.keys[2]!.vk_beta_2 = g2Json(7n))],
    ["the opposite beta", "KEYSET_PHASE1", (s) => (s.keys[2]!.vk_beta_2 = negated(s.keys[2]!.vk_beta_2))],
    ["beta = 1 in all keys", "KEYSET_POINTS_COINCIDE", (s) => each(s, { vk_beta_2: g2Json(1n) })],
    ["delta = 1", "KEYSET_NO_CONTRIBUTION", (s) => (s.keys[0]!.vk_delta_2 = g2Json(1n))],
    ["delta = -1", "KEYSET_NO_CONTRIBUTION", (s) => (s.keys[0]!.vk_delta_2 = g2Json(R - 1n))],
    ["sigma = 1", "KEYSET_NO_CONTRIBUTION", (s) => (s.keys[2]!.vk_sigma_2 = g2Json(1n))],
    ["sigma = -1", "KEYSET_NO_CONTRIBUTION", (s) => (s.keys[2]!.vk_sigma_2 = g2Json(R - 1n))],
    ["one sigma for two keys", "KEYSET_POINTS_COINCIDE", (s) => (s.keys[2]!.vk_sigma_2 = s.keys[0]!.vk_sigma_2)],
    ["one delta for two keys", "KEYSET_POINTS_COINCIDE", (s) => (s.keys[2]!.vk_delta_2 = s.keys[0]!.vk_delta_2)],
    ["sigma = delta", "KEYSET_POINTS_COINCIDE", (s) => (s.keys[0]!.vk_sigma_2 = s.keys[0]!.vk_delta_2)],
    [
      "sigma = -delta of another",
      "KEYSET_POINTS_COINCIDE",
      (s) => (s.keys[0]!.vk_sigma_2 = negated(keys[2]!.vk_delta_2)),
    ],
    ["delta = beta", "KEYSET_POINTS_COINCIDE", (s) => (s.keys[1]!.vk_delta_2 = s.keys[0]!.vk_beta_2)],
    ["delta at infinity", "KEYSET_POINT_AT_INFINITY", (s) => (s.keys[0]!.vk_delta_2 = g2Json(0n))],
    ["sigma at infinity", "KEYSET_POINT_AT_INFINITY", (s) => (s.keys[0]!.vk_sigma_2 = g2Json(0n))],
    ["IC at infinity", "KEYSET_POINT_AT_INFINITY", (s) => (s.keys[0]!.IC[2] = g1Json(0n))],
    ["alpha off the curve", "KEYSET_POINT_NOT_ON_CURVE", (s) => (s.keys[0]!.vk_alpha_1 = ["1", "1", "1"])],
    ["sigma outside the subgroup", "KEYSET_POINT_NOT_IN_SUBGROUP", (s) => (s.keys[0]!.vk_sigma_2 = outside())],
    ["a leading zero", "KEYSET_NON_CANONICAL", (s) => (s.keys[0]!.vk_alpha_1[0] = `0${s.keys[0]!.vk_alpha_1[0]}`)],
    ["a public signal that nobody commits to", "KEYSET_NPUBLIC_MISMATCH", (s) => s.keys[0]!.nPublic++],
    ["a column too many", "KEYSET_NPUBLIC_MISMATCH", (s) => s.keys[0]!.nCommitted++],
    ["a name twice", "KEYSET_DUPLICATE", (s) => (s.keys[2]!.name = s.keys[0]!.name)],
    ["all of IC", "KEYSET_MALFORMED", (s) => s.keys[0]!.IC.push(g1Json(3n))],
    ["no columns", "KEYSET_MALFORMED", (s) => Object.assign(s.keys[0]!, { nCommitted: 0, nPublic: 3 })],
    ["a strange name", "KEYSET_MALFORMED", (s) => (s.keys[0]!.name = "a b")],
    ["a layout in capitals", "KEYSET_MALFORMED", (s) => (s.keys[0]!.layout = "F".repeat(64))],
    ["a power too large", "KEYSET_MALFORMED", (s) => (s.keys[0]!.power = 29)],
    ["no keys", "KEYSET_MALFORMED", (s) => (s.keys = [])],
    ["too many keys", "KEYSET_MALFORMED", (s) => (s.keys = new Array(256).fill(s.keys[0]))],
    ["no flag", "KEYSET_MALFORMED", (s) => (s.insecure = undefined as never)],
    ["a key that is none", "KEYSET_MALFORMED", (s) => (s.keys[1] = "key" as never)],
    ["a key without sigma", "KEYSET_MALFORMED", (s) => (s.keys[1]!.vk_sigma_2 = undefined as never)],
    ["another version", "KEYSET_VERSION", (s) => (s.version = 2 as never)],
    ["another protocol", "KEYSET_PROTOCOL", (s) => (s.protocol = "groth16" as never)],
    ["another curve", "KEYSET_CURVE", (s) => (s.curve = "bls12381" as never)],
  ];
  test.each(cases)("%s", (_, code, edit) => {
    expect(refused(edited(edit))).toBe(code);
  });

  test("what is no set at all", () => {
    for (const input of [undefined, null, 5, "set", [], {}, new Uint8Array(), new Uint8Array(100)]) {
      expect(refused(input)).toBe("KEYSET_MALFORMED");
    }
  });
});

describe("the binary form", () => {
  const bytes = parseKeySet(set).toBytes();

  it("is refused when it is cut or something follows", () => {
    for (let n = 0; n < bytes.length; n += 1 + (n % 7)) expect(refused(bytes.subarray(0, n))).toBe("KEYSET_MALFORMED");
    expect(refused(Uint8Array.from([...bytes, 0]))).toBe("KEYSET_MALFORMED");
  });

  it("has one way to be written", () => {
    const at = (offset: number, value: number) => {
      const copy = bytes.slice();
      copy[offset] = value;
      return refused(copy);
    };
    expect(at(15, 2)).toBe("KEYSET_VERSION");
    expect(at(16, 1)).toBe("KEYSET_INSECURE");
    expect(at(16, 2)).toBe("KEYSET_NON_CANONICAL");
    expect(at(17, 0)).toBe("KEYSET_MALFORMED");
    expect(at(18, 0xff)).toBe("KEYSET_NON_CANONICAL");
  });

  it("is refused with a VerifierError or reads back to the same bytes, whatever is turned over", () => {
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (offset, mask) => {
        const copy = bytes.slice();
        copy[offset]! ^= mask;
        const code = codeOf(() => expect(parseKeySet(copy, { allowInsecure: true }).toBytes()).toEqual(copy));
        expect(code).toMatch(/^(accepted|KEYSET_[A-Z0-9_]+)$/);
      }),
      { numRuns: 60 },
    );
  });
});
