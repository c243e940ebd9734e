/**
 * RLP (Yellow Paper, appendix B), strict: every item has exactly one encoding, and only that one is read. Lengths are
 * minimal, a single byte below 0x80 stands for itself, nothing follows the item, integers have no leading zeros. What has
 * been decoded therefore encodes to the same bytes again, and a hash over the bytes is a hash over the content.
 *
 * @module
 */

import { concatBytes } from "@noble/hashes/utils.js";
import { VerifierError, type VerifierErrorCode } from "../errors.js";
import { bytesToUint, uintToMinimalBytes } from "./words.js";

/** What is being read: the code of the errors about its form, and the first part of their `where`. */
export interface Place {
  readonly code: VerifierErrorCode;
  /** e.g. `transactions[3]` */
  readonly where: string;
}

/** A decoded item: a byte string or a list. */
export type RlpItem = Uint8Array | readonly RlpItem[];

/** What can be encoded: as {@link RlpItem}, or integers ≥ 0, which become byte strings without leading zeros. */
export type RlpInput = Uint8Array | bigint | readonly RlpInput[];

const SHORT = 55;
const STRING = 0x80;
const LIST = 0xc0;

/** Lists in lists in lists in a list: the access list of a transaction. Nothing that is read here goes deeper. */
const MAX_DEPTH = 4;

function header(length: number, base: number): Uint8Array {
  if (length <= SHORT) return Uint8Array.of(base + length);
  const digits = uintToMinimalBytes(BigInt(length));
  return concatBytes(Uint8Array.of(base + SHORT + digits.length), digits);
}

/** The list of items that are already encoded. */
export function encodeRlpList(items: readonly Uint8Array[]): Uint8Array {
  const length = items.reduce((sum, item) => sum + item.length, 0);
  return concatBytes(header(length, LIST), ...items);
}

/** Canonical encoding. */
export function encodeRlp(item: RlpInput): Uint8Array {
  if (typeof item === "bigint") return encodeRlp(uintToMinimalBytes(item));
  if (!(item instanceof Uint8Array)) return encodeRlpList(item.map(encodeRlp));
  return item.length === 1 && item[0]! < STRING ? item : concatBytes(header(item.length, STRING), item);
}

/** One pass over the bytes; items are views of them. */
class Decoder {
  readonly #bytes: Uint8Array;
  readonly #place: Place;
  #at = 0;

  constructor(bytes: Uint8Array, place: Place) {
    this.#bytes = bytes;
    this.#place = place;
  }

  #fault(message: string, details: { expected?: string; got?: string } = {}): VerifierError {
    return new VerifierError(`not canonical RLP: ${message} at byte ${this.#at}`, { ...this.#place, ...details });
  }

  /** Reads a header and leaves `#at` behind it. @returns the length of the payload, which lies before `end` */
  #length(first: number, base: number, end: number): number {
    let length = first - base;
    let next = this.#at + 1;
    if (length > SHORT) {
      const digits = length - SHORT;
      if (digits > end - next) throw this.#fault("truncated length");
      if (this.#bytes[next] === 0) throw this.#fault("length with leading zeros");
      length = 0;
      // beyond 2^53 this is inexact, but as far beyond `end` as the exact value
      for (const limit = next + digits; next < limit; next++) length = length * 256 + this.#bytes[next]!;
      if (length <= SHORT) throw this.#fault("long form of a short length", { got: String(length) });
    }
    if (length > end - next) {
      throw this.#fault("payload goes beyond the end", {
        expected: `at most ${end - next} bytes`,
        got: `${length} bytes`,
      });
    }
    this.#at = next;
    return length;
  }

  #item(end: number, depth: number): RlpItem {
    const first = this.#bytes[this.#at];
    if (first === undefined) throw this.#fault("nothing");
    if (first < STRING) return this.#bytes.subarray(this.#at, ++this.#at);
    if (first < LIST) {
      const start = this.#at;
      const length = this.#length(first, STRING, end);
      const item = this.#bytes.subarray(this.#at, this.#at + length);
      if (length === 1 && item[0]! < STRING) {
        this.#at = start;
        throw this.#fault("header before a byte that stands for itself");
      }
      this.#at += length;
      return item;
    }
    if (depth === MAX_DEPTH) throw this.#fault("lists nested too deeply", { expected: `at most ${MAX_DEPTH} levels` });
    const length = this.#length(first, LIST, end);
    const items: RlpItem[] = [];
    const limit = this.#at + length;
    while (this.#at < limit) items.push(this.#item(limit, depth + 1));
    return items;
  }

  whole(): RlpItem {
    const item = this.#item(this.#bytes.length, 0);
    if (this.#at !== this.#bytes.length) {
      throw this.#fault("bytes after the item", { got: `${this.#bytes.length - this.#at} bytes` });
    }
    return item;
  }
}

/**
 * Decodes exactly one item, with lists nested at most 4 deep.
 *
 * @param bytes canonical encoding; the result holds views of it, so it must not change afterwards
 * @throws VerifierError `place.code` for any other byte string
 */
export const decodeRlp = (bytes: Uint8Array, place: Place): RlpItem => new Decoder(bytes, place).whole();

const describe = (item: RlpItem): string =>
  item instanceof Uint8Array ? `${item.length} bytes` : `list of ${item.length} items`;

/** Reads the items of a list one after the other, each under the name that errors give it. */
export class RlpFields {
  /** All items, for encoding parts of the list again. */
  readonly items: readonly RlpItem[];
  readonly #place: Place;
  #next = 0;

  /** @throws VerifierError `place.code` if `item` is not a list of `count` items */
  constructor(item: RlpItem, count: number, place: Place) {
    if (item instanceof Uint8Array || item.length !== count) {
      throw new VerifierError("wrong number of fields", {
        ...place,
        expected: `list of ${count} items`,
        got: describe(item),
      });
    }
    this.items = item;
    this.#place = place;
  }

  #fault(name: string, message: string, expected: string, got: string): VerifierError {
    const { code, where } = this.#place;
    return new VerifierError(message, { code, where: `${where}.${name}`, expected, got });
  }

  /** The next field as a byte string of `length` bytes, or of any length. */
  bytes(name: string, length?: number): Uint8Array {
    const item = this.items[this.#next++]!;
    if (!(item instanceof Uint8Array) || (length !== undefined && item.length !== length)) {
      throw this.#fault(
        name,
        "not a byte string of the right length",
        length === undefined ? "byte string" : `${length} bytes`,
        describe(item),
      );
    }
    return item;
  }

  /** The next field as a byte string of fixed length, read as an integer. */
  word(name: string, length: number): bigint {
    return bytesToUint(this.bytes(name, length));
  }

  /** The next field as an integer in [0, 2^bits), which has no leading zeros. */
  uint(name: string, bits: number): bigint {
    const bytes = this.bytes(name);
    if (bytes[0] === 0) throw this.#fault(name, "integer with leading zeros", "none", describe(bytes));
    const value = bytes.length * 8 > bits + 7 ? undefined : bytesToUint(bytes);
    if (value === undefined || value >> BigInt(bits) !== 0n) {
      throw this.#fault(name, "integer out of range", `below 2^${bits}`, value?.toString() ?? describe(bytes));
    }
    return value;
  }

  /** The next field as a list. */
  list(name: string): readonly RlpItem[] {
    const item = this.items[this.#next++]!;
    if (item instanceof Uint8Array) throw this.#fault(name, "not a list", "list", describe(item));
    return item;
  }
}
