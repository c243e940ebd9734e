import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { decodeG1, decodeG2, FR_MODULUS } from "../../../src/formats/bn254.js";
import { openPtau, PTAU_SECTION, type PtauFile, type PtauPoints, writePtau } from "../../../src/formats/ptau.js";
import { closeSnarkjs, compileCircuit, snarkjs, snarkjsPtau } from "../../support/circuits.js";
import {
  describeContainer,
  editSection,
  flipBit,
  headerBytes,
  splitContainer,
  withoutSection,
  withSection,
} from "../../support/containers.js";
import { expectFormatError } from "../../support/errors.js";

const POWER = 3;
const NAME = "ptau (in memory)";

let folder: string;
let path: string;
let bytes: Uint8Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ptau-"));
  path = await snarkjsPtau(POWER);
  bytes = new Uint8Array(await readFile(path));
});

afterAll(async () => {
  await closeSnarkjs();
  await rm(folder, { recursive: true, force: true });
});

async function use<T>(source: string | Uint8Array, action: (ptau: PtauFile) => T | Promise<T>): Promise<T> {
  const ptau = await openPtau(source);
  try {
    return await action(ptau);
  } finally {
    await ptau.close();
  }
}

const open = (source: Uint8Array) => use(source, () => undefined);
const rejects = (input: Uint8Array, code: string) => expectFormatError(() => open(input), code, NAME);
const sectionOf = (ptau: PtauFile, id: number) =>
  ptau.source.read(ptau.sections.get(id)!.offset, ptau.sections.get(id)!.size);
const g1Points = (raw: Uint8Array) =>
  Array.from({ length: raw.length / 64 }, (_, i) =>
    bn254.G1.Point.fromAffine(decodeG1(raw, 64 * i, { where: "test", allowInfinity: true })),
  );

test("reads the header of snarkjs' files", () =>
  use(path, (ptau) => {
    expect(ptau).toMatchObject({ name: path, power: POWER, ceremonyPower: POWER, prepared: true });
  }));

test("a file before phase 2 is not prepared", async () => {
  const fresh = join(folder, "fresh.ptau");
  await snarkjs.powersOfTau.newAccumulator(await snarkjs.curves.getCurveFromName("bn128"), 2, fresh);
  await use(fresh, (ptau) => expect(ptau.prepared).toBe(false));
});

test("a file cut from a larger ceremony keeps its power", async () => {
  await snarkjs.powersOfTau.truncate(path, join(folder, "cut-"));
  await use(join(folder, "cut-02.ptau"), (ptau) => {
    expect(ptau).toMatchObject({ power: 2, ceremonyPower: POWER, prepared: true });
  });
});

test("the sections are what their names say: the largest Lagrange basis sums up to the powers", async () => {
  await use(path, async (ptau) => {
    const tauG1 = g1Points(await sectionOf(ptau, PTAU_SECTION.tauG1));
    const tauG2 = await sectionOf(ptau, PTAU_SECTION.tauG2);
    const tau2 = bn254.G2.Point.fromAffine(decodeG2(tauG2, 128, { where: "test" }));
    // e(tau G1, G2) = e(G1, tau G2)
    expect(
      bn254.fields.Fp12.eql(bn254.pairing(tauG1[1]!, bn254.G2.Point.BASE), bn254.pairing(bn254.G1.Point.BASE, tau2)),
    ).toBe(true);
    const n = 2 ** POWER;
    const { Fr } = bn254.fields;
    // generator of the domain as snarkjs takes it: 5^((r - 1) / n)
    const w = Fr.pow(5n, (FR_MODULUS - 1n) / BigInt(n));
    for (const [lagrange, powers] of [
      [PTAU_SECTION.lagrangeTauG1, PTAU_SECTION.tauG1],
      [PTAU_SECTION.lagrangeAlphaTauG1, PTAU_SECTION.alphaTauG1],
      [PTAU_SECTION.lagrangeBetaTauG1, PTAU_SECTION.betaTauG1],
    ]) {
      const basis = g1Points(await sectionOf(ptau, lagrange!)).slice(n - 1, 2 * n - 1);
      const expected = g1Points(await sectionOf(ptau, powers!));
      for (const k of [0, 1, n - 1]) {
        const sum = basis.reduce(
          (acc, point, i) => acc.add(point.multiplyUnsafe(Fr.pow(w, BigInt(i * k)))),
          bn254.G1.Point.ZERO,
        );
        expect(sum.equals(expected[k]!)).toBe(true);
      }
    }
  });
});

const POINTS = Object.keys(PTAU_SECTION).filter((name) => name !== "header" && name !== "contributions");
async function pointsOf(ptau: PtauFile): Promise<Record<PtauPoints, Uint8Array>> {
  const entries = POINTS.map(async (name) => [name, await sectionOf(ptau, PTAU_SECTION[name as PtauPoints])]);
  return Object.fromEntries(await Promise.all(entries));
}

test("a file taken apart and written again is the same file", () =>
  use(path, async (ptau) => {
    const contributions = await sectionOf(ptau, PTAU_SECTION.contributions);
    const again = writePtau({ power: POWER, points: await pointsOf(ptau), contributions });
    expect(Buffer.compare(again, bytes)).toBe(0);
  }));

test("snarkjs makes a key from what is written", async () => {
  const written = join(folder, "written.ptau");
  await use(path, async (ptau) => {
    await writeFile(written, writePtau({ power: POWER, ceremonyPower: 28, points: await pointsOf(ptau) }));
  });
  await use(written, (ptau) => expect(ptau.ceremonyPower).toBe(28));
  const { r1cs } = await compileCircuit(
    "product",
    `pragma circom 2.0.0;
template T() { signal input a; signal input b; signal output c; c <== a * b; }
component main { public [a] } = T();`,
  );
  const [ours, theirs] = ["ours.zkey", "theirs.zkey"].map((name) => join(folder, name));
  await snarkjs.zKey.newZKey(r1cs, written, ours);
  await snarkjs.zKey.newZKey(r1cs, path, theirs);
  expect(Buffer.compare(await readFile(ours!), await readFile(theirs!))).toBe(0);
});

describe("bad input", () => {
  describeContainer({ magic: "ptau", maxVersion: 1, good: () => bytes, read: open });

  test("a ceremony over another curve, made by snarkjs itself", async () => {
    const curve = await snarkjs.curves.getCurveFromName("bls12381");
    try {
      const foreign = join(folder, "bls.ptau");
      await snarkjs.powersOfTau.newAccumulator(curve, 1, foreign);
      const error = await expectFormatError(() => openPtau(foreign), "FOREIGN_CURVE", foreign);
      expect(error.got).toBe("bls12-381 base field in 48 bytes");
    } finally {
      await curve.terminate();
    }
  });

  test("missing sections and wrong lengths", async () => {
    for (const { id } of splitContainer(bytes).sections) {
      if (id === PTAU_SECTION.contributions) continue;
      if (id < 12) await rejects(withoutSection(bytes, id), "BINFILE_SECTION_MISSING");
      else await use(withoutSection(bytes, id), (ptau) => expect(ptau.prepared).toBe(false));
      await rejects(
        withSection(bytes, id, (data) => data.subarray(0, -1)),
        "BINFILE_SECTION_LENGTH",
      );
      await rejects(
        withSection(bytes, id, (data) => Buffer.concat([data, Buffer.alloc(64)])),
        "BINFILE_SECTION_LENGTH",
      );
    }
  });

  test("powers that cannot be", async () => {
    const powers = (power: number, ceremonyPower: number) =>
      editSection(bytes, 1, (data) => {
        data.writeUInt32LE(power, 36);
        data.writeUInt32LE(ceremonyPower, 40);
      });
    await open(powers(POWER, 28));
    await rejects(powers(POWER, POWER - 1), "PTAU_POWER");
    await rejects(powers(POWER, 29), "PTAU_POWER");
    await rejects(powers(0xffffffff, 0xffffffff), "PTAU_POWER");
    await rejects(powers(28, 28), "BINFILE_SECTION_LENGTH");
    await rejects(powers(POWER - 1, POWER), "BINFILE_SECTION_LENGTH");
  });

  test("damage gives a FormatError or another header", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...headerBytes(bytes, [1])), fc.nat(7), async (at, bit) => {
        await open(flipBit(bytes, at, bit)).catch((error) => {
          expect(error).toBeInstanceOf(FormatError);
          expect(error.message).toContain(NAME);
        });
      }),
      { numRuns: 500 },
    );
  });
});
