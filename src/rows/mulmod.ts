/**
 * ADDMOD, MULMOD: see `circuits/rows/mulmod.circom`.
 *
 * @module
 */

import { inLimbs, inRangeLimbs, over, topLimb } from "./arith.js";
import type { Machine } from "./machine.js";
import { type Columns, give, isZero, LOWER_LIMBS, REGISTERS, rowTemplate, step, take } from "./row.js";
import { fromLimbs, HALF, joinLimbs, LIMBS, limbColumns, limbsIn, limbsOf, WORD } from "./words.js";

/** Limbs of the quotient. */
const QUOTIENT_LIMBS = 2 * LIMBS;
/** Lower limbs of the multiples of 2^144, 2^96 - 1 and 2^96 + 1 that the two sides differ by. */
const CARRY_LIMBS = 5;
const FOLD_LIMBS = 6;

export const mulmod = rowTemplate({
  name: "mulmod",
  columns: [
    ...REGISTERS,
    ...[...limbColumns("f", LIMBS), "fOld" as const, "fHigh" as const],
    ...[...limbColumns("g", LIMBS), "gOld" as const, "gHigh" as const],
    ...(["nHi", "nLo", "nOld", "nHigh"] as const),
    ...[...limbColumns("q", QUOTIENT_LIMBS), ...limbColumns("u", LIMBS - 1)],
    ...[...limbColumns("w", LOWER_LIMBS), ...limbColumns("h", LOWER_LIMBS)],
    ...[...limbColumns("r", CARRY_LIMBS), ...limbColumns("s", FOLD_LIMBS), ...limbColumns("t", FOLD_LIMBS)],
    ...(["carry", "isMul", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, nHi, nLo, isMul, act } = c;
    const now = 16n * clk + 1n;
    const d = derived(c);
    const { hi, lo } = fromLimbs(d.u);
    const result = { hi: (1n - d.zero) * hi, lo: (1n - d.zero) * lo };
    return [
      ...step(c, act, { sp: sp - 2n, gas: gas - 8n }, { class: 8n + isMul }),
      ...take("STACK", { t: c.fOld, ctx, index: sp - 1n, ...fromLimbs(d.f) }, act, now, c.fHigh),
      ...take("STACK", { t: c.gOld, ctx, index: sp - 2n, ...fromLimbs(d.g) }, act, now, c.gHigh),
      ...take("STACK", { t: c.nOld, ctx, index: sp - 3n, hi: nHi, lo: nLo }, act, now, c.nHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 3n, ...result }, act),
      ...[d.f, d.g, d.q, d.u, d.w].flatMap(inLimbs),
      ...inRangeLimbs(d.low, limbsIn(c, "r", CARRY_LIMBS)),
      ...inRangeLimbs(d.minus, limbsIn(c, "s", FOLD_LIMBS)),
      ...inRangeLimbs(d.plus, limbsIn(c, "t", FOLD_LIMBS)),
    ];
  },
});

type Limbs = readonly bigint[];

/** What the row derives from its columns. */
function derived(c: Columns<"nHi" | "nLo" | "carry" | "isMul" | "act"> & Readonly<Record<string, bigint>>) {
  const { nHi, nLo, carry, isMul, act } = c;
  const zero = isZero(nHi + nLo + 1n - act);
  const [f, g, q] = [limbsIn(c, "f", LIMBS), limbsIn(c, "g", LIMBS), limbsIn(c, "q", QUOTIENT_LIMBS)];
  const lowerU = limbsIn(c, "u", LIMBS - 1);
  const either = (product: bigint, sum: bigint) => sum + isMul * (product - sum);

  const [F, G, n] = [joinLimbs(f), joinLimbs(g), nLo + HALF * nHi + WORD * zero];
  const u = [...lowerU, topLimb(either(F * G, F + G) - joinLimbs(q) * n, lowerU)];
  const halves = fromLimbs(u);
  const [w, h] = [limbsIn(c, "w", LOWER_LIMBS), limbsIn(c, "h", LOWER_LIMBS)];
  const gap = [...w, topLimb(nLo + HALF * carry - act - halves.lo, w)];
  const upperGap = [...h, topLimb(nHi + HALF * zero - carry - halves.hi, h)];
  const d = [...gap, ...upperGap].map((limb, i) => limb + u[i]! + (i === 0 ? act : 0n));

  const lowest = (limbs: Limbs) => joinLimbs(limbs.slice(0, 9));
  const low = either(product144(f, g), lowest(f) + lowest(g)) - product144(q, d) - lowest(u);
  const foldedBy = (turn: bigint) => {
    const of = (limbs: Limbs) => fold(limbs, turn);
    const difference = either(of(f) * of(g), of(f) + of(g)) - of(q) * of(d) - of(u);
    const modulus = (1n << 96n) - turn;
    return over(difference + (act << 103n) * modulus, modulus);
  };
  return {
    ...{ zero, f, g, q, u, w: [...gap, ...upperGap] },
    ...{ low: over(low + (act << 228n), 1n << 144n), minus: foldedBy(1n), plus: foldedBy(-1n) },
  };
}

/** `Product144` of the circuit. */
function product144(f: Limbs, g: Limbs): bigint {
  const part = (limbs: Limbs, from: number, to: number) => joinLimbs(limbs.slice(from, to));
  return part(f, 0, 5) * part(g, 0, 9) + ((part(f, 5, 9) * part(g, 0, 5)) << 80n);
}

/** `Fold` of the circuit. */
function fold(limbs: Limbs, turn: bigint): bigint {
  let sum = 0n;
  for (let i = 0; i < limbs.length; i += 6) sum += turn ** BigInt(i / 6) * joinLimbs(limbs.slice(i, i + 6));
  return sum;
}

/** Columns that say what is reduced by what. */
type Operands = Columns<"nHi" | "nLo" | "isMul" | "act"> & Readonly<Record<string, bigint>>;

/** The columns that prove the remainder of `a`, which should be what the operands make. */
export function remainderColumns(operands: Operands, a: bigint) {
  const n = operands.nLo + HALF * operands.nHi;
  const d = n === 0n ? WORD : n;
  const [q, u] = [a / d, a % d];
  const w = d - 1n - u;
  const low = (x: bigint) => x & (HALF - 1n);
  const columns = {
    ...{ ...limbsOf("q", q, QUOTIENT_LIMBS), ...limbsOf("u", u, LIMBS - 1) },
    ...{ ...limbsOf("w", w, LOWER_LIMBS), ...limbsOf("h", w >> 128n, LOWER_LIMBS) },
    carry: (low(u) + low(w) + 1n - operands.nLo) >> 128n,
  };
  const differences = derived({ ...operands, ...columns });
  return {
    ...columns,
    ...limbsOf("r", differences.low, CARRY_LIMBS),
    ...limbsOf("s", differences.minus, FOLD_LIMBS),
    ...limbsOf("t", differences.plus, FOLD_LIMBS),
  };
}

/** Emits the row of ADDMOD, or of MULMOD. */
export function assignMulmod(m: Machine, isMul: boolean): void {
  const at = m.registers;
  const [f, g, n] = [m.takeStack(1), m.takeStack(2), m.takeStack(3)];
  const a = isMul ? f.value * g.value : f.value + g.value;
  m.giveStack(at.sp - 3n, n.value === 0n ? 0n : a % n.value);
  const operands = {
    ...{ ...limbsOf("f", f.value, LIMBS), fOld: f.tOld, fHigh: f.high },
    ...{ ...limbsOf("g", g.value, LIMBS), gOld: g.tOld, gHigh: g.high },
    ...{ nHi: n.hi, nLo: n.lo, nOld: n.tOld, nHigh: n.high },
    ...{ isMul: isMul ? 1n : 0n, act: 1n },
  };
  m.emit(mulmod, { ...at, ...operands, ...remainderColumns(operands, a) });
  m.advance({ sp: at.sp - 2n, gas: at.gas - 8n });
}
