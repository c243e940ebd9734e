/**
 * 256-bit words as rows hold them: two halves of 128 bits, limbs of 16 bits.
 *
 * @module
 */

/** 2^256. */
export const WORD: bigint = 1n << 256n;
/** 2^128. */
export const HALF: bigint = 1n << 128n;
/** 16-bit limbs of a word. */
export const LIMBS = 16;

/** The two halves of a word. */
export interface Halves {
  readonly hi: bigint;
  readonly lo: bigint;
}

/** `value = 2^128·hi + lo`. */
export function halvesOf(value: bigint): Halves {
  return { hi: value >> 128n, lo: value & (HALF - 1n) };
}

/** The halves of a word as columns `<name>Hi` and `<name>Lo`. */
export function halfColumns<const N extends string>(name: N, value: bigint): Record<`${N}Hi` | `${N}Lo`, bigint> {
  const { hi, lo } = halvesOf(value);
  return { [`${name}Hi`]: hi, [`${name}Lo`]: lo } as Record<`${N}Hi` | `${N}Lo`, bigint>;
}

type Limb<P extends string> = `${P}${number}`;

/** Names of `n` limb columns: `c0`, `c1`, … */
export function limbColumns<const P extends string>(prefix: P, n: number): readonly Limb<P>[] {
  return Array.from({ length: n }, (_, i): Limb<P> => `${prefix}${i}`);
}

/** `n` limbs of 16 bits by column name, the lowest first. */
export function limbsOf<const P extends string>(prefix: P, value: bigint, n: number): Record<Limb<P>, bigint> {
  const limbs: Record<string, bigint> = {};
  for (let i = 0; i < n; i++) limbs[`${prefix}${i}`] = (value >> BigInt(16 * i)) & 0xffffn;
  return limbs;
}

/** Values of `n` limb columns, the lowest first. */
export function limbsIn(columns: Readonly<Record<string, bigint>>, prefix: string, n: number): bigint[] {
  return Array.from({ length: n }, (_, i) => columns[`${prefix}${i}`]!);
}

/** The number that limbs of 16 bits make, the lowest first; they need not be in range. */
export const joinLimbs = (limbs: readonly bigint[]): bigint =>
  limbs.reduceRight((sum, limb) => sum * 65536n + limb, 0n);

/** The halves that 16 limbs make; the limbs need not be in range. */
export function fromLimbs(limbs: readonly bigint[]): Halves {
  return { lo: joinLimbs(limbs.slice(0, 8)), hi: joinLimbs(limbs.slice(8)) };
}
