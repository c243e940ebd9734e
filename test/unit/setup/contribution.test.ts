import { bn254 } from "@noble/curves/bn254.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { describe, expect, test } from "vitest";
import { blindingScalar, circuitHash, developmentContribution, hashToG2 } from "../../../src/setup/contribution.js";
import { TRAPDOORS } from "./reference.js";

const G1 = bn254.G1.Point;
const G2 = bn254.G2.Point;

describe("hashToG2", () => {
  // origin: G2.fromRng(new ChaCha(first 8 big-endian words)) of ffjavascript 0.3.1 for sha512("chunkproof <i>")
  test.each([
    [
      0,
      0xa075ee40766fd61aaa50d528e5f7827a6fc5befd4344d3f1137e33e8903c064n,
      0x123476a2e5401ec0fbfe131dd02d208f9436acc3a079af583ecf4d776ffc031fn,
    ],
    [
      1,
      0x225ec693cb8f68c9f479f4c79ac4abe13efee729b7b269f1e2bdc7ccca8557a9n,
      0xf9068b7e09062f914094f7a5e91ffd7ceb9f4a9be902c990294166611c9edfen,
    ],
    [
      2,
      0x3d6f1ca81dff84a2350142d7e6a4b821280a23ea1acaacc918cf0f0976c67fbn,
      0x1e98ea951828cb13eff462e6cf0e9b205e9f715333cdfdd001d7a40050b6aea7n,
    ],
    [
      3,
      0x1d4158fd0d368787e0fb6afab9e98527736d378f5f23df24e4734f9cc4f376f7n,
      0x1c730d2a9a01e6eeb1307fd49d51d899998ecd32120f7a17153d4c5f37c07630n,
    ],
  ])("gives snarkjs' point for transcript %i", (i, x0, y1) => {
    const { x, y } = hashToG2(sha512(utf8ToBytes(`chunkproof ${i}`)));
    expect({ x0: x.c0, y1: y.c1 }).toEqual({ x0, y1 });
    G2.fromAffine({ x, y }).assertValidity();
  });
});

describe("developmentContribution", () => {
  const hash = circuitHash([Uint8Array.of(1, 2, 3)]);
  const contribution = developmentContribution(hash, TRAPDOORS.delta, 77n);

  test("says what the key is", () => {
    expect(contribution.name).toBe("chunkproof development key, NOT FOR PRODUCTION");
    expect(contribution.type).toBe(0);
  });

  test("proves knowledge of delta", () => {
    const { deltaAfter, delta, transcript } = contribution;
    const point = G2.fromAffine(hashToG2(transcript));
    const image = G2.fromAffine(delta.g2_spx);
    const sameRatio = (a: { x: bigint; y: bigint }, b: { x: bigint; y: bigint }) =>
      bn254.fields.Fp12.eql(bn254.pairing(G1.fromAffine(a), image), bn254.pairing(G1.fromAffine(b), point));
    expect(sameRatio(delta.g1_s, delta.g1_sx)).toBe(true);
    expect(sameRatio(G1.BASE.toAffine(), deltaAfter)).toBe(true);
    expect(sameRatio(G1.BASE.double().toAffine(), deltaAfter)).toBe(false);
    expect(deltaAfter).toEqual(G1.BASE.multiply(TRAPDOORS.delta).toAffine());
  });

  test("the transcript depends on the key and on the blinding", () => {
    const other = developmentContribution(circuitHash([Uint8Array.of(1, 2, 4)]), TRAPDOORS.delta, 77n);
    expect(other.transcript).not.toEqual(contribution.transcript);
    expect(developmentContribution(hash, TRAPDOORS.delta, 78n).transcript).not.toEqual(contribution.transcript);
    expect(developmentContribution(hash, TRAPDOORS.delta, 77n)).toEqual(contribution);
  });

  test("blinding is secret unless trapdoors are given", () => {
    expect(blindingScalar()).not.toBe(blindingScalar());
    expect(blindingScalar(TRAPDOORS)).toBe(blindingScalar({ ...TRAPDOORS }));
    for (const name of ["tau", "alpha", "beta", "delta"] as const) {
      expect(blindingScalar({ ...TRAPDOORS, [name]: 12n })).not.toBe(blindingScalar(TRAPDOORS));
    }
  });
});
