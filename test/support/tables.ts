/**
 * Lookup tables whose contents are the same in every block, by what is true instead of by who provides it.
 *
 * @module
 */

import { FR_MODULUS } from "../../src/formats/bn254.js";
import { opcodeEntry } from "../../src/verifier/ethereum/opcode-table.js";
import type { TagName } from "../../src/verifier/tags.generated.js";

const canonical = (x: bigint): bigint => ((x % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;
const range = (bits: bigint) => (coordinates: readonly bigint[]) => canonical(coordinates[0]!) < 1n << bits;
const wordAt = (coordinates: readonly bigint[], at: number): bigint | undefined => {
  const [hi, lo] = [canonical(coordinates[at]!), canonical(coordinates[at + 1]!)];
  return hi >> 128n === 0n && lo >> 128n === 0n ? (hi << 128n) + lo : undefined;
};

/** Whether a table has an entry. */
export const FIXED_TABLES: Readonly<Partial<Record<TagName, (coordinates: readonly bigint[]) => boolean>>> = {
  RANGE_4: range(4n),
  RANGE_5: range(5n),
  RANGE_8: range(8n),
  RANGE_9: range(9n),
  RANGE_10: range(10n),
  RANGE_16: range(16n),
  WIDE: range(128n),
  MEMGAS: (m) => {
    const [cost, w] = [canonical(m[5]!), canonical(m[8]!)];
    return w < 1n << 20n && cost === 3n * w + w ** 2n / 512n;
  },
  POW2: (m) => canonical(m[0]!) < 256n && wordAt(m, 6) === 1n << canonical(m[0]!),
  AND: (m) => {
    const [a, b, c] = [canonical(m[0]!), canonical(m[1]!), canonical(m[2]!)];
    return a < 256n && b < 256n && c === (a & b);
  },
  CUT: (m) => {
    const [bytes, word, top] = [canonical(m[0]!), wordAt(m, 6), wordAt(m, 11)];
    if (bytes < 1n || bytes > 31n || word === undefined) return false;
    return top === word - (word & ((1n << (8n * (32n - bytes))) - 1n));
  },
  SHIFT: (m) => {
    const [bytes, word, head, tail] = [canonical(m[0]!), wordAt(m, 6), wordAt(m, 11), wordAt(m, 13)];
    if (bytes < 1n || bytes > 31n || word === undefined) return false;
    return head === word >> (8n * (32n - bytes)) && tail === BigInt.asUintN(256, word << (8n * bytes));
  },
  OPCODE: (m) => {
    const found = opcodeEntry(Number(canonical(m[10]!)), Number(canonical(m[11]!)));
    if (found === undefined) return false;
    const { min, max, defined } = found;
    return [min, max, defined].every((value, i) => canonical(m[[4, 8, 9][i]!]!) === BigInt(value));
  },
};
