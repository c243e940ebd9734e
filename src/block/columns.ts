/**
 * The columns of a chunk as bytes, to be sent to whoever proves it: for each column the number of its bytes, 0 to 32, and these,
 * big-endian without leading zeros. Most columns are small: a chunk takes a tenth of what 32 bytes a column would.
 *
 * @module
 */

import { FR_MODULUS } from "../formats/bn254.js";
import { bytesToUint } from "../verifier/ethereum/words.js";
import { BlockError } from "./errors.js";

const MAX_BYTES = 32;

/** @param columns below r. */
export function encodeColumns(columns: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(columns.length * (MAX_BYTES + 1));
  let at = 0;
  for (const column of columns) {
    const hex = column === 0n ? "" : column.toString(16);
    const length = (hex.length + 1) >> 1;
    bytes[at++] = length;
    for (let i = 0; i < length; i++) {
      const end = hex.length - 2 * (length - 1 - i);
      bytes[at++] = Number.parseInt(hex.slice(Math.max(0, end - 2), end), 16);
    }
  }
  return bytes.slice(0, at);
}

/**
 * @param count how many there must be.
 * @throws BlockError `BLOCK_COLUMNS` unless `bytes` is what {@link encodeColumns} makes of so many columns.
 */
export function decodeColumns(bytes: Uint8Array, count: number): bigint[] {
  const refuse = (expected: string, where: string) =>
    new BlockError("not the columns of a chunk", {
      code: "BLOCK_COLUMNS",
      where,
      expected,
      got: `${bytes.length} bytes`,
    });
  const columns: bigint[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const length = bytes[at++] ?? MAX_BYTES + 1;
    if (length > MAX_BYTES || at + length > bytes.length) throw refuse(`${count} columns`, `column ${i}`);
    const column = bytesToUint(bytes.subarray(at, at + length));
    if ((length > 0 && bytes[at] === 0) || column >= FR_MODULUS) throw refuse("a canonical number", `column ${i}`);
    columns.push(column);
    at += length;
  }
  if (at !== bytes.length) throw refuse(`${count} columns and nothing behind them`, `byte ${at}`);
  return columns;
}
