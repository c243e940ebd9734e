/**
 * Bytes, integers and hashes of Ethereum, as the verifier holds them.
 *
 * Everything of fixed length is a `bigint`: addresses below 2^160, words and hashes below 2^256, big-endian. They compare
 * with `===`, have one representation each, and enter the bus as they are (addresses) or as two halves of 128 bits
 * (words). Everything of variable length, and the bloom, is a `Uint8Array`.
 *
 * @module
 */

import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";

const HALF_MASK = (1n << 128n) - 1n;

/** Keccak-256 of nothing: the code hash of an account without code. */
export const EMPTY_CODE_HASH = 0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470n;

/** The integer that big-endian bytes stand for; 0 for no bytes. */
export const bytesToUint = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(`0x${bytesToHex(bytes)}`));

/**
 * Big-endian bytes of an integer in [0, 2^(8·length)).
 *
 * @throws RangeError if it doesn't fit; callers only pass values whose bounds they know
 */
export function uintToBytes(value: bigint, length: number): Uint8Array {
  if (value < 0n || value >> BigInt(8 * length) !== 0n) throw new RangeError(`${value} doesn't fit ${length} bytes`);
  const out = new Uint8Array(length);
  for (let i = length - 1, rest = value; rest !== 0n; i--, rest >>= 8n) out[i] = Number(rest & 0xffn);
  return out;
}

/** Big-endian bytes of an integer ≥ 0 without leading zeros; none for 0. */
export function uintToMinimalBytes(value: bigint): Uint8Array {
  return uintToBytes(value, value === 0n ? 0 : (value.toString(16).length + 1) >> 1);
}

/** Keccak-256 of the concatenation of byte strings, as an integer. */
export const keccak = (...parts: readonly Uint8Array[]): bigint => bytesToUint(keccak_256(concatBytes(...parts)));

/** High and low 128 bits of a word below 2^256. */
export const wordHalves = (word: bigint): readonly [hi: bigint, lo: bigint] => [word >> 128n, word & HALF_MASK];

/** The word whose halves are `hi` and `lo`, each below 2^128. */
export const joinHalves = (hi: bigint, lo: bigint): bigint => (hi << 128n) | lo;

/** `0x` and two lower-case hexadecimal digits a byte. */
export const toHex = (bytes: Uint8Array): string => `0x${bytesToHex(bytes)}`;

/** `0x` and 64 digits: how words and hashes are written in errors and JSON. */
export const wordToHex = (word: bigint): string => `0x${word.toString(16).padStart(64, "0")}`;

/** `0x` and 40 lower-case digits, no checksum. */
export const addressToHex = (address: bigint): string => `0x${address.toString(16).padStart(40, "0")}`;

const HEX = /^0x(?:[0-9a-f]{2})*$/;

/**
 * Bytes of a hexadecimal string, the inverse of {@link toHex} and nothing else: `0x`, lower case, an even number of digits.
 *
 * @param length the number of bytes it must have; any number if left out
 * @returns `undefined` for every other text, so that the caller can say what it was reading
 */
export function fromHex(text: string, length?: number): Uint8Array | undefined {
  if ((length !== undefined && text.length !== 2 + 2 * length) || !HEX.test(text)) return undefined;
  const out = new Uint8Array((text.length - 2) / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 + 2 * i, 4 + 2 * i), 16);
  return out;
}
