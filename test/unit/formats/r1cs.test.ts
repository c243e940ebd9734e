import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { bigintToBytesLE, FR_MODULUS, readBigintLE } from "../../../src/formats/bn254.js";
import { type R1cs, readR1cs, type SparseMatrix, writeR1cs } from "../../../src/formats/r1cs.js";
import { closeSnarkjs, compileCircuit, snarkjs } from "../../support/circuits.js";
import {
  describeContainer,
  editSection,
  flipBit,
  headerBytes,
  joinContainer,
  splitContainer,
  withoutSection,
  withSection,
} from "../../support/containers.js";
import { expectFormatError } from "../../support/errors.js";

const CIRCUIT = `pragma circom 2.0.0;
template T() {
  signal input a; signal input b; signal input d; signal output c;
  signal ab; ab <== a * b;
  signal e; e <== (ab + 7 * d - 1) * (ab - b) + 5 * a;
  c <== e * d - 3 * b;
}
component main { public [a] } = T();`;
const NAME = "r1cs (in memory)";
/** Offset of nWires in section 1. */
const COUNTS = 36;

let folder: string;
let path: string;
let bytes: Uint8Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "r1cs-"));
  path = (await compileCircuit("formats", CIRCUIT)).r1cs;
  bytes = new Uint8Array(await readFile(path));
});

afterAll(async () => {
  await closeSnarkjs();
  await rm(folder, { recursive: true, force: true });
});

const rejects = (input: Uint8Array, code: string) => expectFormatError(() => readR1cs(input), code, NAME);

type Term = [wire: number, coefficient: bigint];

/** The readable twin of a CSR matrix: a list of terms per row. */
function rowsOf({ rowOffsets, wires, coefficients }: SparseMatrix): Term[][] {
  expect(coefficients).toHaveLength(32 * wires.length);
  expect(rowOffsets[0]).toBe(0);
  expect(rowOffsets.at(-1)).toBe(wires.length);
  return Array.from({ length: rowOffsets.length - 1 }, (_, row) =>
    Array.from(wires.subarray(rowOffsets[row], rowOffsets[row + 1]), (wire, i): Term => {
      return [wire, readBigintLE(coefficients, 32 * (rowOffsets[row]! + i), 32)];
    }),
  );
}

function matrixOf(rows: Term[][]): SparseMatrix {
  const terms = rows.flat();
  const rowOffsets = new Uint32Array(rows.length + 1);
  rows.forEach((row, i) => {
    rowOffsets[i + 1] = rowOffsets[i]! + row.length;
  });
  return {
    rowOffsets,
    wires: Uint32Array.from(terms, ([wire]) => wire),
    coefficients: new Uint8Array(Buffer.concat(terms.map(([, value]) => bigintToBytesLE(value, 32)))),
  };
}

const parts = ({ header, a, b, c, wireToLabel }: R1cs) => ({ ...header, a, b, c, wireToLabel });

test("reads what snarkjs reads", async () => {
  const expected = await snarkjs.r1cs.exportJson(path);
  const r1cs = await readR1cs(path);
  expect(r1cs.name).toBe(path);
  expect(r1cs.header).toEqual({
    nWires: expected.nVars,
    nOutputs: expected.nOutputs,
    nPubInputs: expected.nPubInputs,
    nPrvInputs: expected.nPrvInputs,
    nLabels: expected.nLabels,
    nConstraints: expected.nConstraints,
  });
  expect(Array.from(r1cs.wireToLabel!, Number)).toEqual(expected.map);
  [r1cs.a, r1cs.b, r1cs.c].forEach((matrix, m) => {
    const theirs = expected.constraints.map((constraint: Record<string, unknown>[]) =>
      Object.entries(constraint[m]!).map(([wire, value]) => [Number(wire), BigInt(value as string)]),
    );
    const sorted = rowsOf(matrix).map((row) => row.toSorted(([x], [y]) => x - y));
    expect(sorted).toEqual(theirs);
  });
});

test("a file taken apart and written again keeps its content", async () => {
  const r1cs = await readR1cs(bytes);
  const again = splitContainer(writeR1cs(parts(r1cs)));
  expect(again.sections.map(({ id }) => id)).toEqual([1, 2, 3]);
  // circom orders its sections differently
  for (const { id, data } of splitContainer(bytes).sections) {
    expect(Buffer.compare(again.sections.find((section) => section.id === id)!.data, data)).toBe(0);
  }
});

test("snarkjs reads what is written", async () => {
  const written = join(folder, "written.r1cs");
  const { a, b, c } = await readR1cs(bytes);
  await writeFile(
    written,
    writeR1cs({ nWires: 7, nOutputs: 1, nPubInputs: 1, nPrvInputs: 2, nLabels: 2 ** 33, a, b, c }),
  );
  const read = await snarkjs.r1cs.exportJson(written);
  const original = await snarkjs.r1cs.exportJson(path);
  expect(read.constraints).toEqual(original.constraints);
  expect(read.nLabels).toBe(2 ** 33);
  expect(read.map).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

const N_WIRES = 9;
const coefficient = fc.oneof(
  fc.constantFrom(0n, 1n, FR_MODULUS - 1n, 2n ** 253n),
  fc.bigInt({ min: 0n, max: FR_MODULUS - 1n }),
);
const row = fc.array(fc.tuple(fc.nat(N_WIRES - 1), coefficient), { maxLength: 5 });
const system = fc.array(fc.tuple(row, row, row), { maxLength: 12 });

test("any constraints survive the file, from memory at any alignment", async () => {
  await fc.assert(
    fc.asyncProperty(system, fc.nat(7), async (constraints, shift) => {
      const rows = [0, 1, 2].map((m) => constraints.map((constraint) => constraint[m]!));
      const [a, b, c] = rows.map(matrixOf);
      const counts = { nWires: N_WIRES, nOutputs: 1, nPubInputs: 2, nPrvInputs: 3, nLabels: N_WIRES };
      const file = writeR1cs({ ...counts, a: a!, b: b!, c: c! });
      const moved = new Uint8Array(file.length + shift);
      moved.set(file, shift);
      const r1cs = await readR1cs(moved.subarray(shift));
      expect(r1cs.header).toEqual({ ...counts, nConstraints: constraints.length });
      expect([r1cs.a, r1cs.b, r1cs.c].map(rowsOf)).toEqual(rows);
      expect(Array.from(r1cs.wireToLabel!, Number)).toEqual([...Array(N_WIRES).keys()]);
    }),
  );
});

test("reads rows that go over the window, among them one longer than it", async () => {
  // 36 bytes a term: 4 MiB end inside a term
  const lengths = [100, 150_000, 3, 0, 60_000];
  const rows = (salt: number) =>
    lengths.map((n, i) =>
      Array.from({ length: n }, (_, k): Term => [(k * 7 + i + salt) % 1000, BigInt(k + salt) << BigInt(k % 200)]),
    );
  const all = [rows(1), rows(2).map(() => []), rows(3)];
  const [a, b, c] = all.map(matrixOf);
  const file = join(folder, "long.r1cs");
  await writeFile(
    file,
    writeR1cs({ nWires: 1000, nOutputs: 0, nPubInputs: 0, nPrvInputs: 0, nLabels: 1000, a: a!, b: b!, c: c! }),
  );
  const r1cs = await readR1cs(file);
  for (const [ours, expected] of [
    [r1cs.a, a],
    [r1cs.b, b],
    [r1cs.c, c],
  ] as const) {
    expect(ours.rowOffsets).toEqual(expected!.rowOffsets);
    expect(Buffer.compare(Buffer.from(ours.wires.buffer), Buffer.from(expected!.wires.buffer))).toBe(0);
    expect(Buffer.compare(ours.coefficients, expected!.coefficients)).toBe(0);
  }
});

test("labels are optional", async () => {
  expect((await readR1cs(withoutSection(bytes, 3))).wireToLabel).toBeUndefined();
});

describe("bad input", () => {
  describeContainer({ magic: "r1cs", maxVersion: 1, good: () => bytes, read: readR1cs });

  test("circuits over other fields, made by circom itself", async () => {
    for (const [prime, field] of [
      ["bls12381", "bls12-381 scalar field in 32 bytes"],
      ["goldilocks", "goldilocks field in 8 bytes"],
      ["grumpkin", "bn254 base field in 32 bytes"],
    ] as const) {
      const { r1cs } = await compileCircuit("formats", CIRCUIT, { opts: ["--prime", prime] });
      expect((await expectFormatError(() => readR1cs(r1cs), "FOREIGN_CURVE", r1cs)).got).toBe(field);
    }
  });

  test("custom gates", async () => {
    const { magic, version, sections } = splitContainer(bytes);
    const add = (...more: { id: number; data: Uint8Array }[]) => joinContainer(magic, version, [...sections, ...more]);
    await readR1cs(add({ id: 4, data: Buffer.alloc(4) }, { id: 5, data: Buffer.alloc(0) }));
    for (const id of [4, 5]) {
      const error = await rejects(add({ id, data: Buffer.of(1, 0, 0, 0) }), "R1CS_CUSTOM_GATES");
      expect(error.where).toBe(`${NAME}: section ${id} (custom gates)`);
      await rejects(add({ id, data: Buffer.alloc(8) }), "R1CS_CUSTOM_GATES");
    }
  });

  test("missing sections and wrong lengths", async () => {
    for (const id of [1, 2]) await rejects(withoutSection(bytes, id), "BINFILE_SECTION_MISSING");
    for (const id of [1, 2, 3]) {
      await rejects(
        withSection(bytes, id, (data) => data.subarray(0, -1)),
        "BINFILE_SECTION_LENGTH",
      );
      await rejects(
        withSection(bytes, id, (data) => Buffer.concat([data, Buffer.alloc(1)])),
        "BINFILE_SECTION_LENGTH",
      );
    }
    await rejects(
      withSection(bytes, 1, () => Buffer.alloc(2)),
      "BINFILE_SECTION_LENGTH",
    );
    await rejects(
      withSection(bytes, 2, () => Buffer.alloc(0)),
      "BINFILE_SECTION_LENGTH",
    );
  });

  test("absurd counts, without allocating for them", async () => {
    const count = (offset: number, n: number) =>
      editSection(bytes, 1, (data) => data.writeUInt32LE(n, COUNTS + offset));
    const before = process.memoryUsage().arrayBuffers;
    await rejects(count(0, 0), "R1CS_COUNTS");
    await rejects(count(0, 2), "R1CS_COUNTS");
    await rejects(count(0, 0xffffffff), "BINFILE_SECTION_LENGTH");
    await rejects(count(4, 0xffffffff), "R1CS_COUNTS");
    await rejects(count(8, 0xffffffff), "R1CS_COUNTS");
    await rejects(count(20, 0xffffffff), "R1CS_COUNTS");
    await rejects(count(24, 0xffffffff), "R1CS_COUNTS");
    await rejects(count(24, 2 ** 28), "BINFILE_SECTION_LENGTH");
    await rejects(count(24, 2), "BINFILE_SECTION_LENGTH");
    await rejects(count(24, 4), "BINFILE_SECTION_LENGTH");
    await rejects(
      editSection(bytes, 2, (data) => data.writeUInt32LE(0xffffffff)),
      "BINFILE_SECTION_LENGTH",
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 27);
  });

  test("wires out of range and coefficients that are not canonical, named by place", async () => {
    const nWires = 5;
    const rows = [
      [],
      [[1, 1n]],
      [],
      [
        [4, 2n],
        [0, 3n],
      ],
    ] as Term[][];
    const empty = matrixOf([[], [], [], []]);
    const counts = { nWires, nOutputs: 0, nPubInputs: 0, nPrvInputs: 0, nLabels: nWires };
    for (const m of ["a", "b", "c"] as const) {
      const write = (term: Term) => {
        const changed = matrixOf([...rows.slice(0, 3), [rows[3]![0]!, term]]);
        return writeR1cs({ ...counts, a: empty, b: empty, c: empty, [m]: changed });
      };
      await readR1cs(write([nWires - 1, FR_MODULUS - 1n]));
      for (const wire of [nWires, 0xffffffff]) {
        const error = await rejects(write([wire, 1n]), "R1CS_WIRE_RANGE");
        expect(error.where).toBe(`${NAME}: ${m.toUpperCase()} of constraint 3`);
        expect(error.got).toBe(String(wire));
      }
      for (const value of [FR_MODULUS, 2n ** 256n - 1n]) {
        const error = await rejects(write([0, value]), "R1CS_COEFFICIENT_NOT_CANONICAL");
        expect(error.where).toBe(`${NAME}: ${m.toUpperCase()} of constraint 3, term 1`);
      }
    }
  });

  test("damage gives a FormatError or another circuit, and never passes in the structure", async () => {
    // the counts of private inputs and labels say nothing that could be checked, those of the public ones little
    const soft = new Set<number>();
    const { sections } = splitContainer(bytes);
    let at = 12;
    for (const { id, data } of sections) {
      if (id === 1) for (let i = COUNTS + 4; i < COUNTS + 24; i++) soft.add(at + 12 + i);
      // the id of the labels: they are optional
      if (id === 3) for (let i = 0; i < 4; i++) soft.add(at + i);
      at += 12 + data.length;
    }
    const hard = headerBytes(bytes, [1]).filter((offset) => !soft.has(offset));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...hard), fc.nat(7), async (offset, bit) => {
        await expect(readR1cs(flipBit(bytes, offset, bit))).rejects.toSatisfy(
          (error) => error instanceof FormatError && error.message.startsWith(NAME),
        );
      }),
      { numRuns: 500 },
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (offset, bit) => {
        await readR1cs(flipBit(bytes, offset, bit)).catch((error) => expect(error).toBeInstanceOf(FormatError));
      }),
      { numRuns: 500 },
    );
  });
});
