/**
 * fast-check generators that keep to the edges of the arithmetic: of the fields, of limbs, of Montgomery form, and of the
 * GLV decomposition.
 *
 * @module
 */

import fc from "fast-check";
import { type Field, FMA, FR, INT, inverse, joinLimbs, LAMBDA, type Layout, lesser, mod, R } from "./kernel.js";

const unique = (values: readonly bigint[]): bigint[] => [...new Set(values)];
const around = (value: bigint): bigint[] => [value - 1n, value, value + 1n];

/** Field elements at which something could break, as plain values below p. */
export function fieldEdges({ p }: Field): bigint[] {
  const values = [0n, 1n, 2n, 3n, p - 1n, p - 2n, p >> 1n, (p >> 1n) + 1n, 1n << 256n, 1n << 512n];
  for (const bits of [8n, 16n, 31n, 32n, 50n, 63n, 64n, 127n, 128n, 253n]) values.push(...around(1n << bits));
  for (const { limbs, bits, radix } of [INT, FMA]) {
    const radixInverse = inverse(radix, p);
    const limb = 1n << bits;
    for (let i = 1; i < limbs; i++) values.push(...around(1n << (bits * BigInt(i))));
    values.push(radix, radix ** 2n, radix ** 3n, radixInverse, radix - 1n);
    // values whose Montgomery form is an edge
    for (const raw of [1n, 2n, limb >> 1n, limb - 1n, limb, 1n << 232n, (1n << 253n) - 1n, p - 1n, p >> 1n, p - limb]) {
      values.push(raw * radixInverse);
    }
  }
  return unique(values.flatMap((value) => [mod(value, p), mod(-value, p)]));
}

/** An element of a field as a plain value below p. */
export function fieldValue(field: Field): fc.Arbitrary<bigint> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...fieldEdges(field)) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 4095n }) },
    { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: field.p - 1n }) },
  );
}

/**
 * An integer in [min, max], as it may stand in memory: multiples of p/2 and their neighbours, limbs full of ones, and so
 * on.
 */
export function rawBetween({ p }: Field, min: bigint, max: bigint, layout: Layout): fc.Arbitrary<bigint> {
  const edges = [0n, min, min + 1n, max - 1n, max];
  for (let k = (2n * min) / p - 1n; k * p <= 2n * max + 2n; k++) {
    const multiple = (k * p) / 2n;
    edges.push(...around(multiple), multiple + (1n << 232n), multiple - (1n << 232n));
  }
  const bits = Number(layout.bits);
  for (let i = 0; i < layout.limbs; i++) {
    for (const at of [i * bits, i * bits + bits - 1])
      edges.push(...around(1n << BigInt(at)), ...around(-1n << BigInt(at)));
  }
  // all limbs but the last as large as they can be, or as small
  const low = BigInt(bits * (layout.limbs - 1));
  for (const end of [min, max]) {
    const top = end >> low;
    for (const limb of [0n, 1n, top >> 1n, top - 1n, top, top + 1n]) {
      edges.push(((limb + 1n) << low) - 1n, limb << low);
      const half = layout.split(0n).map((_, i) => (i < layout.limbs - 1 ? 1n << (layout.bits - 1n) : limb));
      edges.push(
        joinLimbs(layout, half),
        joinLimbs(
          layout,
          half.map((x, i) => (i < layout.limbs - 1 ? x - 1n : x)),
        ),
      );
    }
  }
  const valid = unique(edges).filter((value) => value >= min && value <= max);
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...valid) },
    { weight: 3, arbitrary: fc.bigInt({ min, max }) },
  );
}

/** Integers of normal elements. */
export function normalRaw(field: Field, layout: Layout): fc.Arbitrary<bigint> {
  return layout.arithmetic === "int"
    ? rawBetween(field, 0n, 2n * field.p - 1n, layout)
    : rawBetween(field, (-51n * field.p) / 100n, (51n * field.p) / 100n, layout);
}

/** Integers of elements as sums come back: below 1.01p in `int`, normal in `fma`. */
export function reducedRaw(field: Field, layout: Layout): fc.Arbitrary<bigint> {
  return layout.arithmetic === "int"
    ? rawBetween(field, 0n, (101n * field.p) / 100n, layout)
    : normalRaw(field, layout);
}

/** Limbs in [-max, max] or [0, max], as many as an element has, most of them at an end of the range. */
export function limbVector(layout: Layout, max: bigint, signed = false): fc.Arbitrary<bigint[]> {
  const min = signed ? -max : 0n;
  const limb = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(max, max - 1n, min, min + 1n, 0n) },
    { weight: 1, arbitrary: fc.bigInt({ min, max }) },
  );
  const all = (value: bigint) => Array.from({ length: layout.limbs }, () => value);
  return fc.oneof(
    fc.constantFrom(all(max), all(min)),
    fc.array(limb, { minLength: layout.limbs, maxLength: layout.limbs }),
  );
}

/** Limbs of {@link INT}, the last one free, that add up to `value`, all the others as large as `max` allows. */
export function heaviestLimbs(value: bigint, max: bigint): bigint[] {
  const limbs = INT.split(value);
  // borrow from above as long as there is something to borrow
  for (let i = INT.limbs - 2; i >= 0; i--) {
    const lend = lesser((max - limbs[i]!) >> INT.bits, limbs[i + 1]!);
    limbs[i + 1]! -= lend;
    limbs[i]! += lend << INT.bits;
  }
  return limbs;
}

/** Scalars at which the GLV decomposition or its digits could break. */
export function scalarEdges(): bigint[] {
  const values = [...fieldEdges(FR), LAMBDA, R - LAMBDA, LAMBDA + 1n, 2n * LAMBDA];
  for (let c = 3n; c <= 16n; c++) values.push(1n << (c - 1n), (1n << (c - 1n)) - 1n, (1n << c) - 1n);
  // halves whose highest digit overflows into one more
  for (const bits of [119n, 123n, 111n]) values.push((1n << 127n) - (1n << bits));
  for (const bits of [125n, 126n]) values.push(...around(1n << bits));
  return unique(values.flatMap((value) => [mod(value, R), mod(-value, R)]));
}

/** A canonical scalar: edges, 0 and 1 often as in witnesses, small, small negative, or of full size. */
export function scalar(): fc.Arbitrary<bigint> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...scalarEdges()) },
    { weight: 1, arbitrary: fc.constantFrom(0n, 1n) },
    { weight: 1, arbitrary: fc.bigInt({ min: -4095n, max: 4095n }).map((k) => mod(k, R)) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }) },
    { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: R - 1n }) },
  );
}

/** Reproducible pseudo-random bigints below `max`, for data too large to be shrunk. */
export function randomBelow(seed: number): (max: bigint) => bigint {
  // xorshift64*
  let state = BigInt(seed) * 2n + 0x9e3779b97f4a7c15n;
  const next = () => {
    state ^= state >> 12n;
    state = (state ^ (state << 25n)) & 0xffffffffffffffffn;
    state ^= state >> 27n;
    return (state * 0x2545f4914f6cdd1dn) & 0xffffffffffffffffn;
  };
  return (max) => {
    let value = 0n;
    for (let bound = max; bound > 0n; bound >>= 64n) value = (value << 64n) + next();
    // 64 bits more than needed, so that the bias does not matter
    return ((value << 64n) + next()) % max;
  };
}
