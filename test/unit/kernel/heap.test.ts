/** The allocator against a model: a map of what is in use. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProverError } from "../../../src/errors.js";
import { Heap } from "../../../src/prover/wasm/heap.js";
import { PAGE } from "../../../src/prover/wasm/kernel.js";

const ALIGN = 64;
const memory = (pages = 1, maximum = 65536, shared = false) =>
  new WebAssembly.Memory({ initial: pages, maximum, shared });
const codeOf = (action: () => unknown): string | undefined => {
  try {
    action();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(ProverError);
    return (error as ProverError).code;
  }
};

type Step =
  | { readonly kind: "alloc"; readonly size: number }
  | { readonly kind: "free"; readonly which: number }
  | { readonly kind: "shrink"; readonly which: number; readonly part: number };

const size = fc.oneof(
  fc.constantFrom(0, 1, 63, 64, 65, 127, 128, 129, 4096, PAGE - 1, PAGE, PAGE + 1),
  fc.nat({ max: 3 * PAGE }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("alloc" as const), size }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("free" as const), which: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("shrink" as const),
      which: fc.nat(),
      part: fc.double({ min: 0, max: 1.2, noNaN: true }),
    }),
  },
);

describe("Heap", () => {
  test.each([false, true])(
    "blocks never overlap, are aligned, keep their content, and are reused (shared: %s)",
    (shared) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), fc.nat({ max: 5000 }), (steps, start) => {
          const wasm = memory(1, 4096, shared);
          const heap = new Heap(wasm, start);
          const live: { address: number; size: number; mark: number }[] = [];
          let peak = 0;
          let mark = 0;
          const intact = ({ address, size, mark }: (typeof live)[0]) =>
            heap.view(address, size).every((byte) => byte === mark);
          for (const next of steps) {
            if (next.kind === "alloc") {
              const address = heap.alloc(next.size);
              expect(address % ALIGN).toBe(0);
              expect(address).toBeGreaterThanOrEqual(start);
              expect(address + next.size).toBeLessThanOrEqual(heap.size);
              for (const other of live) {
                const apart = address + next.size <= other.address || other.address + other.size <= address;
                expect(apart || next.size === 0 || other.size === 0).toBe(true);
                expect(address).not.toBe(other.address);
              }
              mark = (mark + 1) % 256;
              heap.view(address, next.size).fill(mark);
              live.push({ address, size: next.size, mark });
              peak = Math.max(
                peak,
                live.reduce((sum, block) => sum + Math.max(ALIGN, Math.ceil(block.size / ALIGN) * ALIGN), 0),
              );
            } else if (live.length > 0) {
              const i = next.which % live.length;
              const block = live[i]!;
              expect(intact(block)).toBe(true);
              if (next.kind === "free") {
                heap.free(block.address);
                live.splice(i, 1);
              } else {
                const size = Math.floor(block.size * next.part);
                heap.shrink(block.address, size);
                // shrinking to more changes nothing
                block.size = Math.min(block.size, size);
              }
            }
          }
          expect(live.every(intact)).toBe(true);
          // with everything given back, all is one piece again: the next block stands where the first did
          for (const { address } of live) heap.free(address);
          const grown = heap.size;
          const first = heap.alloc(1);
          expect(first).toBe(Math.ceil(start / ALIGN) * ALIGN);
          heap.free(first);
          if (peak > 0) expect(heap.alloc(peak)).toBe(first);
          expect(heap.size).toBe(grown);
        }),
        { numRuns: 150 },
      );
    },
  );

  test("first fit: a hole is used again, and split", () => {
    const heap = new Heap(memory(), 0);
    const [a, b, c] = [heap.alloc(256), heap.alloc(256), heap.alloc(256)];
    heap.free(b);
    expect(heap.alloc(64)).toBe(b);
    expect(heap.alloc(192)).toBe(b + 64);
    expect(heap.alloc(1)).toBe(c + 256);
    heap.free(a);
    expect(heap.alloc(257)).not.toBe(a);
    expect(heap.alloc(256)).toBe(a);
  });

  test("neighbouring holes become one, in any order", () => {
    for (const order of [
      [1, 2, 3],
      [3, 2, 1],
      [1, 3, 2],
      [2, 1, 3],
    ]) {
      const heap = new Heap(memory(), 0);
      const blocks = [0, 1, 2, 3, 4].map(() => heap.alloc(64));
      for (const i of order) heap.free(blocks[i]!);
      expect(heap.alloc(192)).toBe(blocks[1]);
    }
  });

  test("what shrinking leaves is handed out again", () => {
    const heap = new Heap(memory(), 0);
    const [a, b] = [heap.alloc(1024), heap.alloc(64)];
    heap.shrink(a, 65);
    expect(heap.alloc(1024 - 128)).toBe(a + 128);
    heap.shrink(b, 1000);
    expect(heap.alloc(64)).toBe(b + 64);
    heap.shrink(a, 0);
    expect(heap.alloc(64)).toBe(a + 64);
  });

  test("blocks that are not in use cannot be given back", () => {
    const heap = new Heap(memory(), 0);
    const a = heap.alloc(64);
    expect(() => heap.free(a + 64)).toThrow(/no block/);
    expect(() => heap.shrink(a + 64, 1)).toThrow(/no block/);
    heap.free(a);
    expect(() => heap.free(a)).toThrow(/no block/);
  });

  test("views follow the memory when it grows", () => {
    const wasm = memory();
    const heap = new Heap(wasm, 0);
    const a = heap.alloc(16);
    heap.view(a, 16).fill(7);
    const before = heap.bytes;
    heap.alloc(3 * PAGE);
    // growing took the old buffer away
    expect(before).toHaveLength(0);
    expect(heap.bytes.buffer).toBe(wasm.buffer);
    expect(heap.view(a, 16).every((byte) => byte === 7)).toBe(true);
    expect(heap.size).toBe(4 * PAGE);
  });

  test("OUT_OF_MEMORY beyond the limit, and the heap still works", () => {
    const heap = new Heap(memory(), 100, 3 * PAGE);
    const a = heap.alloc(PAGE);
    expect(codeOf(() => heap.alloc(2 * PAGE))).toBe("OUT_OF_MEMORY");
    expect(codeOf(() => heap.alloc(2 * PAGE - 128))).toBeUndefined();
    expect(codeOf(() => heap.alloc(1))).toBe("OUT_OF_MEMORY");
    heap.free(a);
    expect(codeOf(() => heap.alloc(PAGE))).toBeUndefined();
    expect(heap.size).toBe(3 * PAGE);
  });

  test("OUT_OF_MEMORY where the host gives no more, and beyond 4 GiB", () => {
    const heap = new Heap(memory(1, 2), 0);
    expect(codeOf(() => heap.alloc(3 * PAGE))).toBe("OUT_OF_MEMORY");
    expect(codeOf(() => heap.alloc(2 * PAGE))).toBeUndefined();
    const large = new Heap(memory(), 0, 2 ** 40);
    expect(codeOf(() => large.alloc(2 ** 32 + 64))).toBe("OUT_OF_MEMORY");
    expect(codeOf(() => large.alloc(64))).toBeUndefined();
  });

  test("a limit below what is there already", () => {
    const heap = new Heap(memory(4), 0, PAGE);
    expect(codeOf(() => heap.alloc(PAGE + 1))).toBe("OUT_OF_MEMORY");
    expect(heap.alloc(PAGE)).toBe(0);
  });
});
