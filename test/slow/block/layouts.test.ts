/** Whole layouts: filled with rows of a block, solved, checked, and against circom's own calculator. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assemble, blockRows } from "../../../src/block/assemble.js";
import type { BuiltBlock } from "../../../src/block/build.js";
import { type Chunk, fillChunks } from "../../../src/block/chunks.js";
import { planChunks } from "../../../src/block/plan.js";
import { cachedCircuit } from "../../../src/circuits/cache.js";
import { checkWitness } from "../../../src/circuits/check.js";
import { compileLayout, STATEMENT } from "../../../src/circuits/compile.js";
import { planSolver, solve } from "../../../src/circuits/solver.js";
import { columnNames, columnsOf, type Layout, readLayouts, rowsOf } from "../../../src/circuits/sources.js";
import { FR_MODULUS, readBigintLE } from "../../../src/formats/bn254.js";
import { readWtns } from "../../../src/formats/wtns.js";
import { randomScalar } from "../../../src/prover/random.js";
import { template } from "../../../src/rows/index.js";
import { messagesOf } from "../../../src/rows/machine.js";
import { busSum, type Message } from "../../../src/verifier/bus.js";
import { CACHE, scenarioOf } from "../../support/blocks.js";
import { closeSnarkjs, snarkjsWitness } from "../../support/circuits.js";
import { EVERY_TEMPLATE } from "../../support/mutations.js";

const LAYOUTS = readLayouts();
const canonical = (x: bigint): bigint => ((x % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;

let built: BuiltBlock;
beforeAll(async () => {
  const { contracts, calls, block } = EVERY_TEMPLATE;
  built = blockRows((await scenarioOf(contracts, calls, block)).trace);
});
afterAll(closeSnarkjs);

/** Messages of a chunk's rows, padding included. */
function messagesIn({ layout, columns }: Chunk): Message[] {
  const messages: Message[] = [];
  let at = 0;
  for (const { row, count } of rowsOf(layout)) {
    const of = template(row);
    for (let i = 0; i < count; i++) {
      messages.push(...messagesOf(of, columns.slice(at, at + of.columns.length)));
      at += of.columns.length;
    }
  }
  expect(at).toBe(columns.length);
  return messages.filter(({ multiplicity }) => multiplicity !== 0n);
}

/** Chunks of the block: one of a layout, and a plan for what it doesn't hold. */
function chunksWith(first: Layout): ReturnType<typeof fillChunks> {
  const demand = new Map(
    [...built.rows].map(([row, { columns }]) => [row, Math.max(0, columns.length - (first.rows[row] ?? 0))]),
  );
  const counts = planChunks(
    demand,
    LAYOUTS.map((layout) => ({ layout, cost: 2 ** layout.power })),
  );
  const rest = LAYOUTS.flatMap((layout, l) => Array.from({ length: counts[l]! }, () => layout));
  return fillChunks(built.rows, [first, ...rest]);
}

describe("plans of a block that uses every template", () => {
  it.each(LAYOUTS.map((layout) => [layout.name, layout] as const))(
    "hold every row once, and balance with the verifier: %s first",
    (_, layout) => {
      const { chunks, counter } = chunksWith(layout);
      for (const [row, { columns }] of built.rows) {
        const held = chunks.flatMap((chunk) => chunk.rows.filter((part) => part.row === row));
        let next = 0;
        for (const { first, count } of held) {
          expect(first, row).toBe(next);
          next += count;
        }
        expect(next, row).toBe(columns.length);
      }
      const challenges = { alpha: randomScalar(), beta: randomScalar() };
      const { boundary } = assemble(built, counter);
      const sum = busSum([...boundary.messages, ...chunks.flatMap(messagesIn)], challenges);
      expect(sum).toBe(0n);
    },
  );
});

describe("whole layouts", () => {
  it.each(LAYOUTS.map((layout) => [layout.name, layout] as const))(
    "are solved with rows of every template that they hold, and with padding only: %s",
    { timeout: 600_000 },
    async (name, layout) => {
      const { r1cs } = await cachedCircuit(layout, CACHE);
      const committed = columnNames(layout).length;
      expect(r1cs.header.nPubInputs).toBe(committed + STATEMENT - 1);
      expect(r1cs.header.nConstraints + committed + STATEMENT + 1).toBeLessThanOrEqual(2 ** layout.power);
      const t0 = performance.now();
      const plan = planSolver(r1cs);
      const t1 = performance.now();
      const challenges = { alpha: randomScalar(), beta: randomScalar() };
      const filled = chunksWith(layout).chunks[0]!;
      expect([...new Set(filled.rows.map(({ row }) => row))].sort(), name).toEqual(Object.keys(layout.rows).sort());
      const padding = fillChunks(new Map(), [layout]).chunks[0]!;
      for (const chunk of [filled, padding]) {
        const witness = solve(plan, [challenges.alpha, challenges.beta, ...chunk.columns.map(canonical)]);
        expect(checkWitness(r1cs, witness)).toEqual([]);
        expect(readBigintLE(witness, 32, 32)).toBe(busSum(messagesIn(chunk), challenges));
      }
      console.log(`${name}: plan ${Math.round(t1 - t0)} ms, two witnesses ${Math.round(performance.now() - t1)} ms`);
    },
  );

  it("have the witness that circom's calculator makes", { timeout: 600_000 }, async () => {
    const layout = LAYOUTS.filter(({ name }) => name.startsWith("mixed")).sort((a, b) => a.power - b.power)[0]!;
    const { r1cs, wasm } = await compileLayout(layout, { wasm: true });
    const plan = planSolver(r1cs);
    const folder = await mkdtemp(join(tmpdir(), "chunkproof-test-"));
    try {
      const path = join(folder, "main.wasm");
      await writeFile(path, wasm!);
      const padding = fillChunks(new Map(), [layout]).chunks[0]!;
      for (const chunk of [chunksWith(layout).chunks[0]!, padding]) {
        const inputs: Record<string, bigint | bigint[][]> = { alpha: 3n ** 100n, beta: 5n ** 80n };
        let at = 0;
        for (const { row, count } of rowsOf(layout)) {
          const width = columnsOf(row).length;
          inputs[row] = Array.from({ length: count }, (_, i) =>
            chunk.columns.slice(at + i * width, at + (i + 1) * width).map(canonical),
          );
          at += count * width;
        }
        const { values } = await readWtns(await snarkjsWitness(path, inputs));
        const own = solve(plan, [3n ** 100n, 5n ** 80n, ...chunk.columns.map(canonical)]);
        expect(Buffer.compare(values, own)).toBe(0);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
