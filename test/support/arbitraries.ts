/**
 * fast-check generators that keep to the edges of the arithmetic: of the fields, of 29-bit limbs, of Montgomery form, and
 * of the GLV decomposition.
 *
 * @module
 */

import fc from "fast-check";
import { type Field, FR, joinLimbs, LAMBDA, LIMB, LIMBS, lesser, MONT, mod, R, splitLimbs } from "./kernel.js";

const unique = (values: readonly bigint[]): bigint[] => [...new Set(values)];
const around = (value: bigint): bigint[] => [value - 1n, value, value + 1n];

/** Field elements at which something could break, as plain values below p. */
export function fieldEdges({ p, mont, montInverse }: Field): bigint[] {
  const values = [0n, 1n, 2n, 3n, p - 1n, p - 2n, p >> 1n, (p >> 1n) + 1n];
  for (const bits of [8n, 16n, 31n, 32n, 63n, 64n, 127n, 128n, 253n]) values.push(...around(1n << bits));
  for (let i = 1; i < LIMBS; i++) values.push(...around(1n << BigInt(29 * i)));
  values.push(mont, mont ** 2n, mont ** 3n, montInverse, 1n << 256n, 1n << 512n, MONT - 1n);
  // values whose Montgomery form is an edge
  for (const raw of [1n, 2n, LIMB - 1n, LIMB, 1n << 232n, (1n << 253n) - 1n, p - 1n, p - LIMB])
    values.push(raw * montInverse);
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

/** An integer below `max`, as it may stand in memory: multiples of p and their neighbours, limbs full of ones, and so on. */
export function rawBelow({ p }: Field, max: bigint): fc.Arbitrary<bigint> {
  const edges = [0n, 1n, max - 1n, max - 2n];
  for (let k = 1n; k * p <= max + 1n; k++) edges.push(...around(k * p), k * p + (1n << 232n), k * p - (1n << 232n));
  for (let i = 1n; i < LIMBS; i++) edges.push(...around(1n << (29n * i)));
  const top = max >> 232n;
  // all limbs but the last are 2^29 - 1
  for (const limb of [0n, 1n, top >> 1n, top - 1n]) edges.push((limb << 232n) + (1n << 232n) - 1n);
  const valid = unique(edges).filter((value) => value >= 0n && value < max);
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...valid) },
    { weight: 1, arbitrary: limbVector(LIMB - 1n).map((limbs) => joinLimbs(limbs) % max) },
    { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: max - 1n }) },
  );
}

/** Nine limbs, each at most `max`, most of them at an end of the range. */
export function limbVector(max: bigint): fc.Arbitrary<bigint[]> {
  const limb = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(max, max - 1n, 0n, 1n) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max }) },
  );
  return fc.oneof(
    fc.constant(Array.from({ length: LIMBS }, () => max)),
    fc.array(limb, { minLength: LIMBS, maxLength: LIMBS }),
  );
}

/** Limbs, the last one free, that add up to `value`, all the others as large as `max` allows. */
export function heaviestLimbs(value: bigint, max: bigint): bigint[] {
  const limbs = splitLimbs(value);
  // borrow from above as long as there is something to borrow
  for (let i = LIMBS - 2; i >= 0; i--) {
    const lend = lesser((max - limbs[i]!) / LIMB, limbs[i + 1]!);
    limbs[i + 1]! -= lend;
    limbs[i]! += lend * LIMB;
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
