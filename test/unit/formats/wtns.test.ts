import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { bigintToBytesLE, FR_MODULUS, readBigintLE } from "../../../src/formats/bn254.js";
import { checkWitnessValues, openWtns, readWtns, writeWtns } from "../../../src/formats/wtns.js";
import { closeSnarkjs, compileCircuit, snarkjs, snarkjsWitness } from "../../support/circuits.js";
import {
  describeContainer,
  editSection,
  flipBit,
  headerBytes,
  withoutSection,
  withSection,
} from "../../support/containers.js";
import { expectFormatError } from "../../support/errors.js";

const CIRCUIT = `pragma circom 2.0.0;
template T() { signal input a; signal input b; signal output c; c <== a * b; }
component main { public [a] } = T();`;
const INPUT = { a: FR_MODULUS - 1n, b: 2n ** 200n + 7n };
const NAME = "wtns (in memory)";

let folder: string;
let path: string;
let bytes: Uint8Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wtns-"));
  const { wasm } = await compileCircuit("product", CIRCUIT);
  path = await snarkjsWitness(wasm, INPUT);
  bytes = new Uint8Array(await readFile(path));
});

afterAll(async () => {
  await closeSnarkjs();
  await rm(folder, { recursive: true, force: true });
});

const bigints = (values: Uint8Array) =>
  Array.from({ length: values.length / 32 }, (_, i) => readBigintLE(values, 32 * i, 32));
const bytesOf = (values: bigint[]) => Buffer.concat(values.map((value) => bigintToBytesLE(value, 32)));
const rejects = (input: Uint8Array, code: string) => expectFormatError(() => readWtns(input), code, NAME);

test("reads what snarkjs reads", async () => {
  const { nWitness, values } = await readWtns(path);
  expect(bigints(values)).toEqual(await snarkjs.wtns.exportJson(path));
  expect(nWitness).toBe(4);
});

test("opens without reading the values", async () => {
  const file = await openWtns(path);
  const values = new Uint8Array(new SharedArrayBuffer(32 * file.nWitness));
  await file.source.readInto(values, file.valuesOffset);
  await file.close();
  checkWitnessValues(values, file.name);
  expect(bigints(values)).toEqual([1n, (INPUT.a * INPUT.b) % FR_MODULUS, INPUT.a, INPUT.b]);
});

test("a witness taken apart and written again is the same file", async () => {
  expect(Buffer.compare(writeWtns((await readWtns(bytes)).values), bytes)).toBe(0);
});

test("values survive the file, and version 1 is read", async () => {
  const fr = fc.oneof(fc.constantFrom(0n, 1n, FR_MODULUS - 1n), fc.bigInt({ min: 0n, max: FR_MODULUS - 1n }));
  await fc.assert(
    fc.asyncProperty(fc.array(fr), fc.constantFrom(1, 2), async (rest, version) => {
      const values = bytesOf([1n, ...rest]);
      const file = Buffer.from(writeWtns(values));
      file.writeUInt32LE(version, 4);
      const witness = await readWtns(file);
      expect(witness.nWitness).toBe(1 + rest.length);
      expect(Buffer.compare(witness.values, values)).toBe(0);
    }),
  );
});

describe("bad input", () => {
  describeContainer({ magic: "wtns", maxVersion: 2, good: () => bytes, read: readWtns });

  test("a witness of another curve, made by circom itself", async () => {
    for (const [prime, field] of [
      ["bls12381", "bls12-381 scalar field in 32 bytes"],
      ["goldilocks", "goldilocks field in 8 bytes"],
    ] as const) {
      const { wasm } = await compileCircuit("product", CIRCUIT, { opts: ["--prime", prime] });
      const foreign = await snarkjsWitness(wasm, { a: 3, b: 4 });
      const error = await expectFormatError(() => readWtns(foreign), "FOREIGN_CURVE", foreign);
      expect(error.got).toBe(field);
    }
  });

  test("missing sections and wrong lengths", async () => {
    for (const id of [1, 2]) {
      await rejects(withoutSection(bytes, id), "BINFILE_SECTION_MISSING");
      const short = (n: number) => withSection(bytes, id, (data) => data.subarray(0, data.length - n));
      await rejects(short(1), "BINFILE_SECTION_LENGTH");
      const long = withSection(bytes, id, (data) => Buffer.concat([data, Buffer.alloc(32)]));
      await rejects(long, "BINFILE_SECTION_LENGTH");
    }
    await rejects(
      withSection(bytes, 1, () => Buffer.alloc(3)),
      "BINFILE_SECTION_LENGTH",
    );
  });

  test("absurd counts", async () => {
    const count = (n: number) => editSection(bytes, 1, (data) => data.writeUInt32LE(n, 36));
    await rejects(count(0), "WTNS_EMPTY");
    await rejects(count(5), "BINFILE_SECTION_LENGTH");
    await rejects(count(0xffffffff), "BINFILE_SECTION_LENGTH");
  });

  test("values that are not canonical are named by index", async () => {
    for (const value of [FR_MODULUS, FR_MODULUS + 1n, 2n ** 256n - 1n]) {
      for (const index of [0, 1, 3]) {
        const error = await rejects(
          editSection(bytes, 2, (data) => data.set(bigintToBytesLE(value, 32), 32 * index)),
          "WTNS_VALUE_NOT_CANONICAL",
        );
        expect(error.where).toBe(`${NAME}: witness[${index}]`);
      }
    }
  });

  test("a first value other than 1", async () => {
    for (const value of [0n, 2n, 1n + 2n ** 200n]) {
      await rejects(
        editSection(bytes, 2, (data) => data.set(bigintToBytesLE(value, 32), 0)),
        "WTNS_FIRST_NOT_ONE",
      );
    }
  });

  test("every bit of the structure and the header counts", async () => {
    const offsets = headerBytes(bytes, [1]);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...offsets), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        // the version: both 1 and 2 are good, but from 2 no single bit leads to 1
        await expect(readWtns(flipBit(bytes, at, bit))).rejects.toSatisfy(
          (error) => error instanceof FormatError && error.message.startsWith(NAME),
        );
      }),
      { numRuns: 800 },
    );
  });
});
