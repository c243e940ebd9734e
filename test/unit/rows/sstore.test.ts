import { describe, expect, it } from "vitest";
import { journalLength } from "../../../src/rows/journal.js";
import type { Machine } from "../../../src/rows/machine.js";
import { assignSstore, sstore } from "../../../src/rows/sstore.js";
import { machineWith } from "../../support/machine.js";
import { describeRow, evaluate, passes, rowCircuit, type Sample } from "../../support/rows.js";
import {
  changed,
  FRAME,
  giveSlot,
  messagesWith,
  open,
  refundOf,
  SLOT,
  slotOf,
  storageSample,
} from "../../support/storage.js";

// words that differ in one half only, that are one half each, and whose halves have the same sum
const [X, Y, Z] = [5n << 128n, 5n, (1n << 128n) + 4n];
const WORDS = [0n, X, Y, Z];

interface Case {
  readonly orig: bigint;
  readonly value: bigint;
  readonly next: bigint;
  readonly cold: boolean;
}

const CASES: readonly Case[] = [false, true].flatMap((cold) =>
  WORDS.flatMap((orig) => WORDS.flatMap((value) => WORDS.map((next) => ({ orig, value, next, cold })))),
);

/**
 * Gas and refund as EIP-2200's list has them, clause by clause, with the constants of EIP-2929 and EIP-3529. "original" is
 * the value before the transaction: that of a cold slot is its current value.
 */
function reference({ orig, value: current, next, cold }: Case): { cost: bigint; refund: bigint } {
  const COLD_SLOAD_COST = 2100n;
  const SLOAD_GAS = 100n; // WARM_STORAGE_READ_COST
  const SSTORE_SET_GAS = 20_000n;
  const SSTORE_RESET_GAS = 5000n - COLD_SLOAD_COST;
  const ACCESS_LIST_STORAGE_KEY_COST = 1900n;
  const SSTORE_CLEARS_SCHEDULE = SSTORE_RESET_GAS + ACCESS_LIST_STORAGE_KEY_COST;
  const original = cold ? current : orig;
  let cost = cold ? COLD_SLOAD_COST : 0n;
  let refund = 0n;
  if (current === next) {
    cost += SLOAD_GAS;
  } else if (original === current) {
    if (original === 0n) {
      cost += SSTORE_SET_GAS;
    } else {
      cost += SSTORE_RESET_GAS;
      if (next === 0n) refund += SSTORE_CLEARS_SCHEDULE;
    }
  } else {
    cost += SLOAD_GAS;
    if (original !== 0n) {
      if (current === 0n) refund -= SSTORE_CLEARS_SCHEDULE;
      if (next === 0n) refund += SSTORE_CLEARS_SCHEDULE;
    }
    if (original === next) {
      refund += original === 0n ? SSTORE_SET_GAS - SLOAD_GAS : SSTORE_RESET_GAS - SLOAD_GAS;
    }
  }
  return { cost, refund };
}

const nameOf = ({ orig, value, next, cold }: Case): string => {
  const letter = (x: bigint): string => "0xyz"[WORDS.indexOf(x)]!;
  return `${letter(orig)} ${letter(value)} ${letter(next)} ${cold ? "cold" : "warm"}`;
};

const sample = (c: Case, gas = 900_000n): Sample =>
  storageSample(
    sstore,
    nameOf(c),
    [9n, c.next, SLOT],
    { value: c.value, orig: c.orig, lastTx: c.cold ? 3n : FRAME.T },
    (m: Machine) => assignSstore(m, FRAME),
    { gas },
  );

/** One case of every outcome, warm and cold. */
const BRANCHES: readonly Case[] = [
  ...new Map(
    CASES.map((c): [string, Case] => {
      const { cost, refund } = reference(c);
      const { orig, value, next } = c;
      return [`${cost} ${refund} ${c.cold} ${orig === 0n} ${value === orig} ${next === orig} ${value === next}`, c];
    }),
  ).values(),
];

describeRow({
  template: sstore,
  cost: 109,
  samples: () => [...BRANCHES.map((c) => sample(c)), sample(CASES[1]!, 2301n), sample(CASES[1]!, (1n << 31n) - 1n)],
});

describe("SSTORE", () => {
  it("costs and refunds what EIP-2200, 2929 and 3529 say, in every case", async () => {
    const circuit = await rowCircuit("sstore");
    for (const c of CASES) {
      const { columns } = sample(c);
      const expected = reference(c);
      const { violated, sum, expected: described } = evaluate(circuit, sstore, columns);
      expect(violated, nameOf(c)).toEqual([]);
      expect(sum, nameOf(c)).toBe(described);
      const [taken, given] = messagesWith(sstore, columns, "STATE");
      expect(taken!.fields.gas! - given!.fields.gas!, nameOf(c)).toBe(expected.cost);
      const [before, after] = messagesWith(sstore, columns, "REFUND");
      expect(after!.fields.value! - before!.fields.value!, nameOf(c)).toBe(expected.refund);
    }
  });

  // original, values written one after another, gas used with two pushes each, refund: the table of EIP-3529, all slots warm
  const TABLE: readonly (readonly [number, readonly number[], number, number])[] = [
    [0, [0, 0], 212, 0],
    [0, [0, 1], 20112, 0],
    [0, [1, 0], 20112, 19900],
    [0, [1, 2], 20112, 0],
    [0, [1, 1], 20112, 0],
    [1, [0, 0], 3012, 4800],
    [1, [0, 1], 3012, 2800],
    [1, [0, 2], 3012, 0],
    [1, [2, 0], 3012, 4800],
    [1, [2, 3], 3012, 0],
    [1, [2, 1], 3012, 2800],
    [1, [2, 2], 3012, 0],
    [1, [1, 0], 3012, 4800],
    [1, [1, 2], 3012, 0],
    [1, [1, 1], 212, 0],
    [0, [1, 0, 1], 40118, 19900],
    [1, [0, 1, 0], 5918, 7600],
  ];

  it.each(TABLE)("passes EIP-3529's test case %i -> %j", (original, values, used, refund) => {
    const m = machineWith(values.toReversed().flatMap((value) => [BigInt(value), SLOT]));
    open(m);
    giveSlot(m, SLOT, { value: BigInt(original), orig: BigInt(original), lastTx: FRAME.T });
    const { gas } = m.registers;
    for (const value of values) {
      assignSstore(m, FRAME);
      expect(slotOf(m, SLOT)).toEqual({ value: BigInt(value), orig: BigInt(original), lastTx: FRAME.T });
      expect(refundOf(m)).toBeGreaterThanOrEqual(0n);
    }
    expect(gas - m.registers.gas).toBe(BigInt(used - 6 * values.length));
    expect(refundOf(m)).toBe(BigInt(refund));
    expect(m.registers.sp).toBe(0n);
  });

  it("warms a cold slot, whose value is then the original, and journals the old tuple", () => {
    const m = machineWith([77n, SLOT]);
    open(m);
    giveSlot(m, SLOT, { value: 11n, orig: 22n, lastTx: 3n });
    assignSstore(m, FRAME);
    expect(slotOf(m, SLOT)).toEqual({ value: 77n, orig: 11n, lastTx: FRAME.T });
    expect(journalLength(m, FRAME.T)).toBe(3n);
    expect(m.peek("JOURNAL", "7:2")).toMatchObject({ space: 1n, valueLo: 11n, origLo: 22n, lastTx: 3n });
  });

  it("journals writes that change nothing", () => {
    const [entry] = messagesWith(sstore, sample({ orig: X, value: X, next: X, cold: false }).columns, "JOURNAL");
    expect(entry).toMatchObject({ multiplicity: 1n, fields: { T: 7n, j: 2n, address: FRAME.address, valueHi: 5n } });
  });

  it("needs more than 2300 gas, whatever it costs (EIP-2200)", async () => {
    const circuit = await rowCircuit("sstore");
    const cheap: Case = { orig: X, value: X, next: X, cold: false };
    for (const [gas, enough] of [
      [2301n, true],
      [2300n, false],
      [0n, false],
      [-1n, false],
    ] as const) {
      const { columns } = sample(cheap, gas);
      expect(passes(circuit, sstore, columns, columns), `gas ${gas}`).toBe(enough);
    }
  });

  it("lets a frame go below zero, where its end refuses it", () => {
    const dear: Case = { orig: 0n, value: 0n, next: X, cold: true };
    const [, given] = messagesWith(sstore, sample(dear, 2301n).columns, "STATE");
    expect(given!.fields.gas).toBe(2301n - 22_100n);
  });

  it("cannot pass off a cold slot as warm, or another original", async () => {
    const circuit = await rowCircuit("sstore");
    const { columns } = sample({ orig: X, value: Y, next: Z, cold: true });
    const { columns: warm } = sample({ orig: X, value: Y, next: Z, cold: false });
    for (const [honest, changes] of [
      [columns, { lastTx: FRAME.T }],
      [columns, { T: 3n }],
      [columns, { lastTx: FRAME.T, origHi: 0n, origLo: 5n }],
      [warm, { origHi: 0n, origLo: 5n }],
      [warm, { lastTx: 3n }],
    ] as const) {
      expect(passes(circuit, sstore, honest, changed(sstore, honest, changes))).toBe(false);
    }
  });
});
