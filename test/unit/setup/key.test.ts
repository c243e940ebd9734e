/** Keys point by point against their definition, and proofs made with them. */

import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { FR_MODULUS as R } from "../../../src/formats/bn254.js";
import { openZkey, readContributions } from "../../../src/formats/zkey.js";
import { setup as setupFromSource } from "../../../src/setup/index.js";
import type { Trapdoors } from "../../../src/setup/trapdoors.js";
import { randomBelow } from "../../support/arbitraries.js";
import * as built from "../../support/built.js";
import {
  type Circuit,
  circuit,
  g1Bytes,
  g2Bytes,
  productCircuit,
  r1csOf,
  referenceKey,
  sectionsOf,
  type Term,
  TRAPDOORS,
  trapdoors,
  wtnsOf,
} from "./reference.js";

const { setup, exportVerifyingKey } = built.setup;
const { loadProvingKey, prove } = built.prover;
const { parseVerifyingKey, verify } = built.verifier;

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Sections 3 to 9 of the key for these trapdoors, point by point. */
function expectKey(zkey: readonly Uint8Array[], from: Circuit, given: Trapdoors): void {
  const expected = referenceKey(from, given);
  const sections = sectionsOf(zkey);
  const nPublic = from.nOutputs + from.nPubInputs;
  const header = sections.get(2)!;
  expect([0, 4, 8].map((at) => header.readUInt32LE(72 + at))).toEqual([from.nWires, nPublic, expected.domainSize]);
  const points = [
    g1Bytes(given.alpha),
    g1Bytes(given.beta),
    g2Bytes(given.beta),
    g2Bytes(1n),
    g1Bytes(given.delta),
    g2Bytes(given.delta),
  ];
  expect(header.subarray(84)).toEqual(Buffer.concat(points));
  expect(sections.get(4)!.readUInt32LE(0)).toBe(expected.coefs.length / 44);
  expect(sections.get(4)!.subarray(4)).toEqual(Buffer.from(expected.coefs));
  for (const [id, scalars] of [
    [3, expected.ic],
    [5, expected.a],
    [6, expected.b],
    [8, expected.c],
    [9, expected.h],
  ] as const) {
    expect(sections.get(id), `section ${id}`).toEqual(Buffer.concat(scalars.map(g1Bytes)));
  }
  expect(sections.get(7), "section 7").toEqual(Buffer.concat(expected.b.map(g2Bytes)));
}

const given = (randomness: Trapdoors) => ({ randomness, insecureDeterministic: true });

describe("the key", () => {
  test("is the one of the definition, without shared memory", async () => {
    vi.stubGlobal("crossOriginIsolated", false);
    await fc.assert(
      fc.asyncProperty(circuit(), trapdoors(), async (from, randomness) => {
        const { zkey } = await setupFromSource(r1csOf(from), given(randomness));
        expectKey(zkey, from, randomness);
      }),
      { numRuns: 15 },
    );
  });

  test.each([1, 3])("is the one of the definition, %i threads", async (threads) => {
    await fc.assert(
      fc.asyncProperty(circuit(), trapdoors(), async (from, randomness) => {
        const { zkey } = await setup(r1csOf(from), { threads, ...given(randomness) });
        expectKey(zkey, from, randomness);
      }),
      { numRuns: 4 },
    );
  });

  test("is right where tasks meet: signals, domain and terms larger than one", async () => {
    const next = randomBelow(7);
    const [nWires, rows] = [4099, 4100];
    const wire = () => Number(next(BigInt(nWires)));
    const terms = (n: number): Term[] => Array.from({ length: n }, () => [wire(), next(R)]);
    const from: Circuit = {
      nOutputs: 1,
      nPubInputs: 2,
      nWires,
      constraints: Array.from({ length: rows }, (_, i) => ({
        // one combination longer than a window of terms, one that ends another
        a: terms(i === 20 ? 66_000 : 2),
        b: terms(i === 50 ? 70_000 : 1),
        c: terms(1),
      })),
    };
    const { zkey, domainSize } = await setup(r1csOf(from), { threads: 2, ...given(TRAPDOORS) });
    expect(domainSize).toBe(8192);
    const expected = referenceKey(from, TRAPDOORS);
    const sections = sectionsOf(zkey);
    expect(sections.get(4)!.subarray(4).equals(expected.coefs)).toBe(true);
    for (const [id, scalars, bytes] of [
      [3, expected.ic, g1Bytes],
      [5, expected.a, g1Bytes],
      [6, expected.b, g1Bytes],
      [7, expected.b, g2Bytes],
      [8, expected.c, g1Bytes],
      [9, expected.h, g1Bytes],
    ] as const) {
      const data = sections.get(id)!;
      const size = data.length / scalars.length;
      const places = [0, 1, 2, 2047, 2048, 4094, 4095, 4096, 4097, 4098, 8191].filter((i) => i < scalars.length);
      for (const i of places) {
        const point = data.subarray(i * size, (i + 1) * size);
        expect(point, `section ${id}, point ${i}`).toEqual(Buffer.from(bytes(scalars[i]!)));
      }
    }
  });

  test("is the same for the same trapdoors, whatever the threads; otherwise always another", async () => {
    const r1cs = r1csOf(productCircuit(1));
    const digest = ({ zkey }: { zkey: Uint8Array[] }) => Buffer.concat(zkey).toString("hex");
    const keys = [
      await setup(r1cs, { threads: 1, ...given(TRAPDOORS) }),
      await setup(r1cs, { threads: 3, ...given(TRAPDOORS) }),
      await setup(r1cs, { threads: 1, ...given({ ...TRAPDOORS, tau: 5n }) }),
      await setup(r1cs, { threads: 1 }),
      await setup(r1cs, { threads: 1 }),
    ].map(digest);
    expect(keys[1]).toBe(keys[0]);
    expect(new Set(keys).size).toBe(4);
  });

  test("says what it is, in its own contributions section", async () => {
    const { zkey, warning } = await setup(r1csOf(productCircuit(1)));
    expect(warning).toMatch(/NOT FOR PRODUCTION/);
    const file = await openZkey(new Blob(zkey as BlobPart[]));
    const { circuitHash, contributions } = await readContributions(file);
    expect(contributions.map(({ name, type }) => ({ name, type }))).toEqual([
      { name: "chunkproof development key, NOT FOR PRODUCTION", type: 0 },
    ]);
    expect(contributions[0]!.deltaAfter).toEqual(file.header.delta1);
    expect(circuitHash.some((byte) => byte !== 0)).toBe(true);
  });

  test("comes with its verifying key", async () => {
    const { zkey, verifyingKey } = await setup(r1csOf(productCircuit(1)));
    expect(await exportVerifyingKey(new Blob(zkey as BlobPart[]))).toEqual(verifyingKey);
    expect(() => parseVerifyingKey(verifyingKey)).not.toThrow();
    await expect(exportVerifyingKey(r1csOf(productCircuit(1)))).rejects.toMatchObject({ code: "BINFILE_MAGIC" });
    await expect(exportVerifyingKey(Buffer.concat(zkey).subarray(0, 500))).rejects.toMatchObject({
      code: "SOURCE_TRUNCATED",
    });
  });
});

describe("proofs", () => {
  const product = (nOutputs: 0 | 1, extra = 0): [Circuit, bigint[]] => [
    productCircuit(nOutputs, extra),
    [1n, 15n, 3n, 5n, ...Array.from({ length: extra }, () => 99n)],
  ];
  const cases: [string, Circuit, bigint[]][] = [
    ["1 constraint, 0 public signals", ...product(0)],
    ["1 constraint, 1 public output", ...product(1)],
    ["unused signals", ...product(1, 3)],
    [
      "a public input that no constraint uses",
      { ...productCircuit(0), nPubInputs: 1, constraints: [{ a: [[2, 1n]], b: [[3, 1n]], c: [[0, 15n]] }] },
      [1n, 1234n, 3n, 5n],
    ],
    [
      "outputs and inputs, negative and repeated terms, 4 constraints",
      {
        nOutputs: 2,
        nPubInputs: 1,
        nWires: 6,
        constraints: [
          {
            a: [
              [4, 2n],
              [4, R - 1n],
            ],
            b: [[5, 1n]],
            c: [[1, 1n]],
          },
          { a: [[1, 1n]], b: [[1, 1n]], c: [[2, 1n]] },
          {
            a: [
              [3, 1n],
              [0, R - 7n],
            ],
            b: [[4, 1n]],
            c: [],
          },
          { a: [], b: [[5, 3n]], c: [[2, 0n]] },
        ],
      },
      [1n, 30n, 900n, 7n, 5n, 6n],
    ],
  ];

  test.each(cases)("%s", async (_, from, values) => {
    const { zkey, verifyingKey } = await setup(r1csOf(from), { threads: 2 });
    await using key = await loadProvingKey(new Blob(zkey as BlobPart[]), { threads: 2 });
    const { proof, publicSignals } = await prove(key, wtnsOf(values));
    const nPublic = from.nOutputs + from.nPubInputs;
    expect(publicSignals).toEqual(values.slice(1, 1 + nPublic).map(String));
    const vk = parseVerifyingKey(verifyingKey);
    expect(verify(vk, publicSignals, proof)).toBe(true);
    for (let i = 0; i < nPublic; i++) {
      const other = publicSignals.with(i, String(BigInt(publicSignals[i]!) + 1n));
      expect(verify(vk, other, proof), `signal ${i} changed`).toBe(false);
    }
  });

  test("a witness that does not satisfy the circuit is refused", async () => {
    const [from, values] = cases[4]!.slice(1) as [Circuit, bigint[]];
    const { zkey } = await setup(r1csOf(from), { threads: 2 });
    await using key = await loadProvingKey(new Blob(zkey as BlobPart[]), { threads: 2 });
    for (let i = 1; i < values.length; i++) {
      const wrong = wtnsOf(values.with(i, values[i]! + 1n));
      await expect(prove(key, wrong), `signal ${i}`).rejects.toMatchObject({ code: "WITNESS_UNSATISFIED" });
    }
  });

  test("a proof for one key is none for another of the same circuit", async () => {
    const [from, values] = product(1);
    const [first, second] = [await setup(r1csOf(from)), await setup(r1csOf(from))];
    await using key = await loadProvingKey(new Blob(first.zkey as BlobPart[]), { threads: 1 });
    const { proof, publicSignals } = await prove(key, wtnsOf(values));
    expect(verify(parseVerifyingKey(first.verifyingKey), publicSignals, proof)).toBe(true);
    expect(verify(parseVerifyingKey(second.verifyingKey), publicSignals, proof)).toBe(false);
  });
});
