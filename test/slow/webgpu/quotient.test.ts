/** The quotient on a software GPU against BigInt. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ConstraintSource } from "../../../src/prover/backend.js";
import { Device } from "../../../src/prover/webgpu/device.js";
import { Ntt } from "../../../src/prover/webgpu/ntt.js";
import { type Cut, cutRows, Quotient } from "../../../src/prover/webgpu/quotient.js";
import { resolveTuning } from "../../../src/prover/webgpu/tuning.js";
import { PIECE } from "../../../src/prover/webgpu/wgsl/qap.js";
import { fieldEdges } from "../../support/arbitraries.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { FR, R } from "../../support/kernel.js";
import { randomNumbers } from "../../support/kernels.js";
import { SEED } from "../../support/seed.js";
import {
  bytesOf,
  constraintsOf,
  quotientOf,
  quotientsOn,
  type Rows,
  randomRows,
  randomWitness,
  shortRows,
  valuesOf,
} from "../../support/transforms.js";

const skip = await skipWithoutGpu();

const offsetsOf = (lengths: readonly number[]): Uint32Array => {
  const offsets = new Uint32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) offsets[i + 1] = offsets[i]! + length;
  return offsets;
};

/** What the kernels make of a cut matrix whose entries are these numbers. */
function sums({ slices, levels, partials }: Cut, rows: number, entries: readonly number[]): (number | undefined)[] {
  const out = Array.from<number | undefined>({ length: rows });
  const partial = Array.from<number | undefined>({ length: partials });
  const put = (array: (number | undefined)[], at: number, value: number) => {
    if (at >= array.length || array[at] !== undefined) throw new Error(`${at} is written twice or out of range`);
    array[at] = value;
  };
  const add = (words: Uint32Array, count: number, direct: number, from: readonly (number | undefined)[]) => {
    expect(words.length).toBe(2 * count);
    for (let i = 0; i < count; i++) {
      const [start, length, place] = [words[2 * i]!, words[2 * i + 1]! % 32, Math.floor(words[2 * i + 1]! / 32)];
      if (length > PIECE) throw new Error(`a piece of ${length}`);
      const parts = from.slice(start, start + length);
      if (parts.length !== length || parts.includes(undefined)) throw new Error("not there yet");
      put(
        i < direct ? out : partial,
        place,
        (parts as number[]).reduce((sum, part) => sum + part, 0),
      );
    }
  };
  for (const { from, to, words, count, direct } of slices) add(words, count, direct, entries.slice(from, to));
  for (const { words, count, direct } of levels) add(words, count, direct, [...partial]);
  if (partial.includes(undefined)) throw new Error("a partial sum is missing");
  return out;
}

describe("cutRows", () => {
  const shapes: Record<string, number[]> = {
    "one row": [1],
    "empty rows": [0, 0, 0, 0],
    "short rows": [1, 2, 3, 0, 1, 1, 16, 0, 15],
    "long rows": [17, 32, 33, 0, 16 * 16, 16 * 16 + 1, 0, 5],
    "giant rows": [0, 5000, 1, 0, 1, 16 ** 3, 2, 16 ** 3 + 1],
    "empty rows at the ends": [0, 0, 40, 0, 0],
    "as long as a slice": [100, 100, 0, 100, 99, 1],
  };
  const next = randomNumbers(SEED);
  shapes.random = Array.from({ length: 300 }, (_, i) => Number(next(i % 40 === 0 ? 700n : 4n)));

  test.each(Object.keys(shapes))("%s", (name) => {
    const lengths = shapes[name]!;
    const offsets = offsetsOf(lengths);
    const entries = Array.from({ length: offsets.at(-1)! }, () => Number(next(1000n)));
    const expected = lengths.map((_, i) =>
      entries.slice(offsets[i]!, offsets[i + 1]!).reduce((sum, entry) => sum + entry, 0),
    );
    for (const most of [1, 3, 16, 100, 1e6]) {
      const cut = cutRows(offsets, most);
      expect(sums(cut, lengths.length, entries), `slices of ${most}`).toEqual(expected);
      for (const { from, to } of cut.slices) expect(to - from).toBeLessThanOrEqual(most);
    }
  });

  test("pieces side by side are as long as each other", () => {
    const { slices } = cutRows(offsetsOf([1, 3, 1, 40, 2, 3, 1, 0, 16]), 1e6);
    expect(slices).toHaveLength(1);
    const [{ words, count, direct }] = slices as [Cut["slices"][number]];
    const lengths = Array.from({ length: count }, (_, i) => words[2 * i + 1]! % 32);
    expect(lengths.slice(0, direct)).toEqual([16, 3, 3, 2, 1, 1, 1, 0]);
    expect(lengths.slice(direct)).toEqual([16, 16, 8]);
  });
});

describe.skipIf(skip)("on a device", () => {
  let device: Device;
  beforeAll(async () => {
    device = await Device.open();
  });
  afterAll(() => device.close());

  // what a software device compiles soon; test/slow/backends has the rest
  const make = (on = device) => {
    const ntt = new Ntt(on, resolveTuning({ layers: 6, unroll: false }));
    return { ntt, quotient: new Quotient(on, ntt) };
  };

  async function compare(a: Rows, b: Rows, witnesses: bigint[][]) {
    const { quotient } = make();
    const got = await quotientsOn(device, quotient, constraintsOf(a, b, witnesses[0]!.length), witnesses);
    expect(got).toEqual(witnesses.map((witness) => quotientOf(a, b, witness)));
    return got;
  }

  test.each([1, 2, 3, 5, 6, 7, 9, 10])("2^%i short rows, two witnesses", async (power) => {
    const n = 2 ** power;
    const nVars = n + 3;
    const [a, b] = [shortRows(n, power), shortRows(n, power + 50)].map((lengths, i) =>
      randomRows(lengths, nVars, power + i),
    );
    const [first, second] = await compare(a!, b!, [randomWitness(nVars, 1), randomWitness(nVars, 2)]);
    expect(first).not.toEqual(second);
    // not zero by mistake
    expect(first!.some((value) => value !== 0n)).toBe(true);
  });

  test("rows of thousands of entries, beside empty ones", async () => {
    const nVars = 100;
    const lengths = Array.from({ length: 32 }, () => 0);
    Object.assign(lengths, { 0: 5000, 3: 17, 4: 16, 7: 16 ** 2 + 1, 31: 300 });
    await compare(randomRows(lengths, nVars, 1), randomRows(lengths.toReversed(), nVars, 2), [randomWitness(nVars, 3)]);
  });

  test("matrices of no entries", async () => {
    const empty: Rows = Array.from({ length: 8 }, () => []);
    const some = randomRows(shortRows(8, 9), 4, 9);
    for (const [a, b] of [
      [empty, empty],
      [empty, some],
      [some, empty],
    ] as const) {
      expect((await compare(a, b, [randomWitness(4, 1)]))[0]).toEqual(Array.from({ length: 8 }, () => 0n));
    }
  });

  test("a single variable, the smallest domain", async () => {
    await compare([[[0, 3n]], []], [[[0, R - 1n]], [[0, 1n]]], [[1n], [0n], [R - 1n]]);
  });

  test("the largest numbers", async () => {
    const n = 128;
    const lengths = Array.from({ length: n }, (_, i) => (i % 9 === 0 ? 40 : i % 18));
    const rows = randomRows(lengths, 4, 4, [R - 1n]);
    await compare(rows, rows, [[R - 1n, R - 1n, R - 1n, R - 1n]]);
  });

  test("numbers at the edges", async () => {
    const edges = fieldEdges(FR);
    const nVars = edges.length;
    const [a, b] = [1, 2].map((seed) => randomRows(shortRows(64, seed), nVars, seed, edges));
    await compare(a!, b!, [edges]);
  });

  test("in pieces of a few workgroups", async () => {
    const { ntt, quotient } = make();
    Object.defineProperty(ntt.pace, "budget", { value: 700 });
    const lengths = shortRows(1 << 9, 7);
    lengths[170] = 3000;
    const [a, b] = [randomRows(lengths, 50, 7), randomRows(lengths.toReversed(), 50, 8)];
    const witness = randomWitness(50, 7);
    expect(await quotientsOn(device, quotient, constraintsOf(a, b, 50), [witness])).toEqual([
      quotientOf(a, b, witness),
    ]);
  });

  test("more entries than a buffer holds", async () => {
    // 64 elements of 32 bytes: as many as the domain has points, and as entries of a slice
    const small = await Device.open({ maxBufferSize: 32 * 64 });
    try {
      const { quotient } = make(small);
      const lengths = shortRows(64, 4);
      Object.assign(lengths, { 5: 100, 6: 0, 7: 0, 30: 64, 40: 16, 41: 16, 63: 200 });
      const [a, b] = [randomRows(lengths, 40, 1), randomRows(lengths.toReversed(), 40, 2)];
      const source = constraintsOf(a, b, 40);
      expect(cutRows(source.a.offsets, 64).slices.length).toBeGreaterThan(5);
      const witness = randomWitness(40, 5);
      expect(await quotientsOn(small, quotient, source, [witness])).toEqual([quotientOf(a, b, witness)]);
      // a domain that does not fit
      const large = constraintsOf(randomRows(shortRows(128, 1), 4, 1), randomRows(shortRows(128, 2), 4, 2), 4);
      const memory = small.memory;
      await expect(small.exclusive(() => quotient.put(large))).rejects.toMatchObject({ code: "BUFFER_TOO_LARGE" });
      expect(small.memory).toBe(memory);
    } finally {
      small.close();
    }
  });

  describe("what fails leaves nothing", () => {
    const rows = randomRows(shortRows(512, 3), 10, 3);
    const source = constraintsOf(rows, rows, 10);

    test("a source that cannot be read", async () => {
      const { quotient } = make();
      const memory = device.memory;
      const broken: ConstraintSource = {
        ...source,
        b: { ...source.b, coefficients: () => Promise.reject(new Error("unreadable")) },
      };
      await expect(device.exclusive(() => quotient.put(broken))).rejects.toThrow("unreadable");
      expect(device.memory).toBe(memory);
    });

    test("aborts: before, while a circuit is put, and in a quotient", async () => {
      const { ntt, quotient } = make();
      Object.defineProperty(ntt.pace, "budget", { value: 700 });
      const { learn } = ntt.pace;
      const memory = device.memory;
      const aborted = AbortSignal.abort(new Error("enough"));
      await expect(device.exclusive(() => quotient.put(source, aborted))).rejects.toThrow("enough");
      expect(device.memory).toBe(memory);
      /** A signal that is aborted after some pieces of work. */
      const later = (pieces: number): AbortSignal => {
        const controller = new AbortController();
        let left = pieces;
        ntt.pace.learn = () => {
          if (--left === 0) controller.abort(new Error(`after ${pieces}`));
        };
        return controller.signal;
      };
      await expect(device.exclusive(() => quotient.put(source, later(3)))).rejects.toThrow("after 3");
      expect(device.memory).toBe(memory);
      ntt.pace.learn = learn;
      const witness = randomWitness(10, 1);
      const input = device.buffer(320, "witness");
      device.upload(input, 0, bytesOf(witness));
      const constraints = await device.exclusive(() => quotient.put(source));
      const held = device.memory;
      for (const pieces of [0, 1, 6]) {
        const signal = pieces === 0 ? aborted : later(pieces);
        const reason = pieces === 0 ? "enough" : `after ${pieces}`;
        await expect(device.exclusive(() => quotient.quotient(constraints, input, signal))).rejects.toThrow(reason);
        expect(device.memory).toBe(held);
      }
      ntt.pace.learn = learn;
      // and it still works
      const output = await device.exclusive(() => quotient.quotient(constraints, input));
      const bytes = await device.exclusive(() => device.read(output, 0, 32 * 512));
      expect(valuesOf(bytes)).toEqual(quotientOf(rows, rows, witness));
      device.free(output);
      device.free(input);
      constraints.free();
      expect(device.memory).toBe(memory);
    });
  });

  test("keys of one size share a domain", async () => {
    const { quotient } = make();
    const rows = randomRows(shortRows(64, 3), 10, 3);
    const source = constraintsOf(rows, rows, 10);
    const memory = device.memory;
    const first = await device.exclusive(() => quotient.put(source));
    const one = device.memory - memory;
    const second = await device.exclusive(() => quotient.put(source));
    expect(second.domain.table).toBe(first.domain.table);
    // table and work of 64 elements each
    expect(device.memory - memory).toBe(2 * one - 4 * 32 * 64);
    first.free();
    second.free();
    expect(device.memory).toBe(memory);
  });
});
