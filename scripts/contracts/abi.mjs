/**
 * Calls in the words of Solidity's ABI: selectors and encoded arguments.
 * https://docs.soliditylang.org/en/v0.8.30/abi-spec.html
 *
 * Types: `uint*`, `int*`, `address`, `bool`, `bytes1` to `bytes32`, `bytes`, `string`, and arrays of them (`T[]`, `T[3]`).
 * There are no tuples.
 *
 * @module
 */

import { keccak_256 } from "@noble/hashes/sha3.js";

/** A number or `0x…` for a static type (bytesN: left-aligned text of hex digits); text for `string`, `0x…` for `bytes`. */
/** @typedef {bigint | number | boolean | string | readonly any[]} Value */

const WORD = 1n << 256n;
const hexOf = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString("hex");

/** @param {bigint} value */
const word = (value) => (value < 0n ? value + WORD : value).toString(16).padStart(64, "0");
/** Zeros up to whole words behind hex digits. @param {string} digits */
const padded = (digits) => digits.padEnd(Math.ceil(digits.length / 64) * 64, "0");

/** @param {string} text @param {string} type */
function digitsOf(text, type) {
  if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(text)) throw new TypeError(`${type}: expected bytes in hex, got ${text}`);
  return text.slice(2).toLowerCase();
}

/** @param {string} type @returns {{ of: string, length: number | undefined } | undefined} */
function arrayOf(type) {
  const [, of, length] = /^(.+)\[(\d*)\]$/.exec(type) ?? [];
  return of === undefined ? undefined : { of, length: length === "" ? undefined : Number(length) };
}

/** @param {string} type @returns {boolean} */
function isDynamic(type) {
  const array = arrayOf(type);
  return array === undefined
    ? type === "bytes" || type === "string"
    : array.length === undefined || isDynamic(array.of);
}

/** Hex digits of one value. @param {string} type @param {Value} value @returns {string} */
function encodeOne(type, value) {
  const array = arrayOf(type);
  if (array !== undefined) {
    const items = /** @type {readonly Value[]} */ (value);
    if (!Array.isArray(value) || (array.length ?? items.length) !== items.length) throw new TypeError(`not a ${type}`);
    const body = encodeAll(
      items.map(() => array.of),
      items,
    );
    return array.length === undefined ? word(BigInt(items.length)) + body : body;
  }
  if (type === "string" || type === "bytes") {
    const digits = type === "string" ? hexOf(new TextEncoder().encode(String(value))) : digitsOf(String(value), type);
    return word(BigInt(digits.length / 2)) + padded(digits);
  }
  const [, kind, size] = /^(uint|int|bytes|address|bool)(\d*)$/.exec(type) ?? [];
  if (kind === undefined) throw new TypeError(`no such type: ${type}`);
  if (kind === "bytes") {
    const digits = digitsOf(String(value), type);
    if (digits.length !== 2 * Number(size)) throw new TypeError(`not ${type}: ${value}`);
    return padded(digits);
  }
  const bits = BigInt(kind === "address" ? 160 : kind === "bool" ? 1 : size || 256);
  const number = BigInt(/** @type {bigint | number | boolean | string} */ (value));
  const [min, end] = kind === "int" ? [-1n << (bits - 1n), 1n << (bits - 1n)] : [0n, 1n << bits];
  if (number < min || number >= end) throw new RangeError(`not ${type}: ${number}`);
  return word(number);
}

/** Hex digits of a tuple: what is dynamic stands behind, at the offset in its place. @returns {string} */
function encodeAll(/** @type {readonly string[]} */ types, /** @type {readonly Value[]} */ values) {
  if (types.length !== values.length) throw new TypeError(`${types.length} types, ${values.length} values`);
  const parts = types.map((type, i) => encodeOne(type, /** @type {Value} */ (values[i])));
  const headSize = types.reduce(
    (sum, type, i) => sum + (isDynamic(type) ? 64 : /** @type {string} */ (parts[i]).length),
    0,
  );
  let head = "";
  let tail = "";
  types.forEach((type, i) => {
    if (isDynamic(type)) {
      head += word(BigInt((headSize + tail.length) / 2));
      tail += parts[i];
    } else {
      head += parts[i];
    }
  });
  return head + tail;
}

/**
 * Arguments as a constructor takes them, `0x…`.
 *
 * @param {readonly string[]} types
 * @param {readonly Value[]} values
 * @returns {`0x${string}`}
 */
export function encodeArguments(types, values) {
  return `0x${encodeAll(types, values)}`;
}

/**
 * The first four bytes of the hash of a signature, e.g. `transfer(address,uint256)`: of functions and errors.
 *
 * @param {string} signature
 * @returns {`0x${string}`}
 */
export function selectorOf(signature) {
  return `0x${hexOf(keccak_256(new TextEncoder().encode(signature)).subarray(0, 4))}`;
}

/**
 * Calldata of a call, `0x…`.
 *
 * @param {string} signature e.g. `transfer(address,uint256)`
 * @param {readonly Value[]} values
 * @returns {`0x${string}`}
 */
export function encodeCall(signature, values) {
  const types = /^\w+\((.*)\)$/.exec(signature)?.[1];
  if (types === undefined) throw new TypeError(`not a signature: ${signature}`);
  return `${selectorOf(signature)}${encodeAll(types === "" ? [] : types.split(","), values)}`;
}
