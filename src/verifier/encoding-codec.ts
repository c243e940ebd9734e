/**
 * Codecs: one description of a value gives its binary encoding, its JSON view, and the check that it has a canonical form.
 *
 * Every value has exactly one encoding, and every encoding that is read is the one of its value: integers of up to 64 bits
 * are LEB128 without superfluous groups, wider ones a length byte and big-endian bytes without leading zeros, byte strings
 * and lists carry their length, options a byte 0 or 1. Lists that ascend in their key hold differences, so that a list out
 * of order, or with a key twice, has no encoding at all.
 *
 * JSON: objects with exactly the fields of the structure, `0x…` quantities without leading zeros, byte strings and hashes in
 * full, options left out when there is nothing.
 *
 * @module
 */

import { VerifierError, type VerifierErrorCode } from "./errors.js";
import { addressToHex, bytesToUint, fromHex, toHex, wordToHex } from "./ethereum/words.js";
import { describe } from "./json.js";

/** Where in the value a codec is at work, for errors. */
class Path {
  readonly #parts: (string | number)[];

  constructor(root: string) {
    this.#parts = root === "" ? [] : [root];
  }

  /** Runs an action one level deeper. After an exception the path still says where it was thrown. */
  inside<T>(part: string | number, action: () => T): T {
    this.#parts.push(part);
    const result = action();
    this.#parts.pop();
    return result;
  }

  toString(): string {
    return this.#parts.reduce<string>(
      (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
      "",
    );
  }
}

/** What both directions have: a path, and errors that name it. */
class Place {
  readonly path: Path;

  constructor(root: string) {
    this.path = new Path(root);
  }

  fault(
    message: string,
    details: { expected?: string; got?: string; cause?: unknown } = {},
    code: VerifierErrorCode = "BLOCK_MALFORMED",
  ): VerifierError {
    const where = this.path.toString();
    return new VerifierError(message, { code, ...(where === "" ? {} : { where }), ...details });
  }

  /** @throws VerifierError `CLAIM_RANGE` unless `value` is at least `least` and below 2^bits */
  inRange(value: bigint, bits: number, least = 0n): bigint {
    if (value < least || value >> BigInt(bits) !== 0n) {
      const got = value < 0n ? "a negative number" : value >> 256n === 0n ? String(value) : "2^256 or more";
      throw this.fault("out of range", { expected: `${least} or more, below 2^${bits}`, got }, "CLAIM_RANGE");
    }
    return value;
  }
}

/** Collects bytes; or drops them, when only the check matters. */
export class Writer extends Place {
  #bytes = new Uint8Array(1024);
  #length = 0;
  readonly #keep: boolean;

  constructor(root: string, keep: boolean) {
    super(root);
    this.#keep = keep;
  }

  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  put(part: Uint8Array): void {
    if (!this.#keep) return;
    this.#reserve(part.length);
    this.#bytes.set(part, this.#length);
    this.#length += part.length;
  }

  byte(value: number): void {
    if (!this.#keep) return;
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  varint(value: bigint): void {
    let rest = value;
    while (rest >= 128n) {
      this.byte(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    this.byte(Number(rest));
  }

  /** Big-endian bytes of an integer below 2^256 without leading zeros, behind their number plus `flags`. */
  minimal(value: bigint, flags = 0): void {
    if (!this.#keep) return;
    this.#reserve(33);
    const hex = value === 0n ? "" : value.toString(16);
    const length = (hex.length + 1) >> 1;
    this.#bytes[this.#length++] = flags + length;
    // digit pairs from the right; a single digit may be left
    for (let i = length - 1, end = hex.length; i >= 0; i--, end -= 2) {
      this.#bytes[this.#length + i] = Number.parseInt(hex.slice(Math.max(end - 2, 0), end), 16);
    }
    this.#length += length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads bytes from the front. */
export class Reader extends Place {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array, root: string) {
    super(root);
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw this.fault("the bytes end here", { expected: "1 byte more" });
    this.#at++;
    return byte;
  }

  /** A copy of the next bytes. */
  take(length: number): Uint8Array {
    if (length > this.left) {
      throw this.fault("the bytes end here", { expected: `${length} bytes more`, got: `${this.left} bytes` });
    }
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  /** Up to 70 bits; the caller knows the bound. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        if (byte === 0 && shift > 0n) throw this.fault("not the shortest form of a number");
        return value;
      }
    }
    throw this.fault("out of range", { expected: "below 2^64" }, "CLAIM_RANGE");
  }

  /** The length of a byte string or list: each item takes at least a byte. */
  count(): number {
    const value = this.varint();
    if (value > BigInt(this.left)) {
      throw this.fault("the bytes end before this length", { expected: `at most ${this.left}`, got: String(value) });
    }
    return Number(value);
  }
}

/** How a value is written, read and shown. Everything that throws throws VerifierErrors. */
export interface Codec<T> {
  /** Checks the value while writing it: what a writer accepts, a reader gives back. */
  write(out: Writer, value: T): void;
  read(from: Reader): T;
  toJson(value: T): unknown;
  fromJson(place: Writer, json: unknown): T;
}

/** A codec of integers, which can also write differences of them. */
export interface IntegerCodec extends Codec<bigint> {
  readonly bits: number;
}

const QUANTITY = /^0x(?:0|[1-9a-f][0-9a-f]*)$/;

const bigintOf = (out: Writer, value: unknown): bigint => {
  if (typeof value === "bigint") return value;
  throw out.fault("not a bigint", { expected: "bigint", got: describe(value) });
};

function writeInteger(out: Writer, value: bigint, bits: number): void {
  if (bits <= 64) out.varint(value);
  else out.minimal(value);
}

function readInteger(from: Reader, bits: number): bigint {
  if (bits <= 64) return from.inRange(from.varint(), bits);
  const length = from.byte();
  if (length > 32) throw from.fault("a number of too many bytes", { expected: "at most 32", got: String(length) });
  const bytes = from.take(length);
  if (bytes[0] === 0) throw from.fault("not the shortest form of a number");
  return from.inRange(bytesToUint(bytes), bits);
}

/** An integer of at least `least` and below 2^bits, bits ≤ 256. */
export function integer(bits: number, least = 0n): IntegerCodec {
  return {
    bits,
    write: (out, value) => writeInteger(out, out.inRange(bigintOf(out, value), bits, least), bits),
    read: (from) => from.inRange(readInteger(from, bits), bits, least),
    toJson: (value) => `0x${value.toString(16)}`,
    fromJson(place, json) {
      // 64 digits: longer text is not even converted
      if (typeof json !== "string" || json.length > 66 || !QUANTITY.test(json)) {
        throw place.fault("not a quantity", { expected: '"0x…" without leading zeros', got: describe(json) });
      }
      return place.inRange(BigInt(json), bits, least);
    },
  };
}

/** An integer shown as a byte string of fixed length. */
function shownInFull(codec: IntegerCodec, length: number, show: (value: bigint) => string): IntegerCodec {
  return {
    ...codec,
    toJson: show,
    fromJson(place, json) {
      const bytes = typeof json === "string" ? fromHex(json, length) : undefined;
      if (bytes === undefined) {
        throw place.fault("not hexadecimal bytes", { expected: `${length} bytes`, got: describe(json) });
      }
      return bytesToUint(bytes);
    },
  };
}

/** An address below 2^160. */
export const address: IntegerCodec = shownInFull(integer(160), 20, addressToHex);

/** A 256-bit word shown in full. */
export const word: IntegerCodec = shownInFull(integer(256), 32, wordToHex);

/** A hash with a frequent value, which takes one byte. 0, which nobody knows a preimage of, isn't a hash. */
export function hash(frequent: bigint): Codec<bigint> {
  const nonZero = (place: Place, value: bigint) => {
    if (value === 0n) throw place.fault("out of range", { expected: "a hash", got: "0" }, "CLAIM_RANGE");
    return value;
  };
  return {
    write: (out, value) => word.write(out, nonZero(out, value) === frequent ? 0n : value),
    read(from) {
      const value = word.read(from);
      if (value === frequent) throw from.fault("not the shortest form of this hash");
      return value === 0n ? frequent : value;
    },
    toJson: word.toJson,
    fromJson: (place, json) => nonZero(place, word.fromJson(place, json)),
  };
}

/** A byte string, of fixed length or of any from `least` on: then a list of them has no more items than its bytes allow. */
export function byteString(length?: number, least = 0): Codec<Uint8Array> {
  const longEnough = (place: Place, got: number): number => {
    if (got >= least) return got;
    throw place.fault("too short", { expected: `at least ${least} bytes`, got: `${got} bytes` });
  };
  return {
    write(out, value) {
      // what is no Uint8Array, or a subclass that answers differently each time, must not reach the buffer unread
      if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) {
        throw out.fault("not a byte string of the right length", {
          expected: length === undefined ? "Uint8Array" : `${length} bytes`,
          got: value instanceof Uint8Array ? `${value.length} bytes` : describe(value),
        });
      }
      if (length === undefined) out.varint(BigInt(longEnough(out, value.length)));
      out.put(value);
    },
    read: (from) => from.take(length ?? longEnough(from, from.count())),
    toJson: toHex,
    fromJson(place, json) {
      const bytes = typeof json === "string" ? fromHex(json, length) : undefined;
      if (bytes !== undefined) {
        if (length === undefined) longEnough(place, bytes.length);
        return bytes;
      }
      throw place.fault("not hexadecimal bytes", {
        expected: length === undefined ? '"0x…", lower case' : `${length} bytes`,
        got: describe(json),
      });
    },
  };
}

function arrayOf(place: Place, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw place.fault("not an array", { expected: "array", got: describe(value) });
}

/** A list in its own order, of `most` items or fewer. */
export function list<T>(item: Codec<T>, most = Number.POSITIVE_INFINITY): Codec<readonly T[]> {
  const within = (place: Place, length: number): void => {
    if (length > most)
      throw place.fault("too many", { expected: `at most ${most}`, got: String(length) }, "CLAIM_RANGE");
  };
  return {
    write(out, value) {
      within(out, arrayOf(out, value).length);
      out.varint(BigInt(value.length));
      for (let i = 0; i < value.length; i++) out.path.inside(i, () => item.write(out, value[i]!));
    },
    read(from) {
      const values: T[] = [];
      const count = from.count();
      within(from, count);
      for (let i = 0; i < count; i++) values.push(from.path.inside(i, () => item.read(from)));
      return values;
    },
    toJson: (value) => value.map(item.toJson),
    fromJson(place, json) {
      const entries = arrayOf(place, json);
      within(place, entries.length);
      return entries.map((entry, i) => place.path.inside(i, () => item.fromJson(place, entry)));
    },
  };
}

/** A value or undefined. In a structure, undefined is left out of the JSON. */
export function optional<T extends object>(codec: Codec<T>): Codec<T | undefined> {
  return {
    write(out, value) {
      out.byte(value === undefined ? 0 : 1);
      if (value !== undefined) codec.write(out, value);
    },
    read(from) {
      const flag = from.byte();
      if (flag > 1) throw from.fault("not a flag", { expected: "0 or 1", got: String(flag) });
      return flag === 0 ? undefined : codec.read(from);
    },
    toJson: (value) => (value === undefined ? undefined : codec.toJson(value)),
    fromJson: (place, json) => (json === undefined ? undefined : codec.fromJson(place, json)),
  };
}

/** Codecs of the fields of a structure, in the order of its encoding. */
export type FieldCodecs<T> = { readonly [K in keyof T]: Codec<T[K]> };

const namesOf = <T>(fields: FieldCodecs<T>) => Object.keys(fields) as (keyof T & string)[];

function objectOf(place: Place, value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw place.fault("not an object", { expected: "object", got: describe(value) });
}

function structFromJson<T>(fields: FieldCodecs<T>, place: Writer, json: unknown): T {
  const object = objectOf(place, json);
  for (const name of Object.keys(object)) {
    if (!Object.hasOwn(fields, name)) throw place.fault("an unknown field", { got: describe(name) });
  }
  return Object.fromEntries(
    namesOf(fields).map((name) => [
      name,
      place.path.inside(name, () =>
        // inherited fields aren't part of the value
        fields[name].fromJson(place, Object.hasOwn(object, name) ? object[name] : undefined),
      ),
    ]),
  ) as T;
}

function structToJson<T>(fields: FieldCodecs<T>, value: T): unknown {
  return Object.fromEntries(
    namesOf(fields)
      .map((name) => [name, fields[name].toJson(value[name])] as const)
      .filter(([, json]) => json !== undefined),
  );
}

/** An object with exactly these fields. */
export function struct<T extends object>(fields: FieldCodecs<T>): Codec<T> {
  return {
    write(out, value) {
      objectOf(out, value);
      for (const name of namesOf(fields)) out.path.inside(name, () => fields[name].write(out, value[name]));
    },
    read: (from) =>
      Object.fromEntries(
        namesOf(fields).map((name) => [name, from.path.inside(name, () => fields[name].read(from))]),
      ) as T,
    toJson: (value) => structToJson(fields, value),
    fromJson: (place, json) => structFromJson(fields, place, json),
  };
}

/**
 * A list of structures that strictly ascends in its key.
 *
 * @param key codecs of one or two integers, the first of which weighs more
 * @param rest codecs of the other fields
 */
export function ascending<K extends object, R extends object>(
  key: { readonly [N in keyof K]: IntegerCodec },
  rest: FieldCodecs<R>,
): Codec<readonly (K & R)[]> {
  const [major, minor] = Object.keys(key) as (keyof K & string)[];
  const codecOf = (name: keyof K): IntegerCodec => key[name];
  const fields = { ...key, ...rest } as unknown as FieldCodecs<K & R>;
  const others = namesOf(rest);

  /** Checks one item after another against the one before. */
  function follower(place: Place) {
    let last: readonly [bigint, bigint] | undefined;
    return (item: K & R): readonly [delta: bigint, low: bigint] => {
      const high = (item as Record<string, bigint>)[major!]!;
      const low = minor === undefined ? 0n : (item as Record<string, bigint>)[minor]!;
      const before = last;
      last = [high, low];
      if (before === undefined) return [high, low];
      if (high < before[0] || (high === before[0] && low <= before[1])) {
        throw place.fault(
          high === before[0] && low === before[1] ? "a key twice" : "keys out of order",
          { expected: "a list that strictly ascends in its key" },
          "CLAIM_ORDER",
        );
      }
      if (minor === undefined) return [high - before[0] - 1n, 0n];
      return high === before[0] ? [0n, low - before[1] - 1n] : [high - before[0], low];
    };
  }

  return {
    write(out, value) {
      arrayOf(out, value);
      out.varint(BigInt(value.length));
      const follow = follower(out);
      for (let i = 0; i < value.length; i++) {
        out.path.inside(i, () => {
          const item = value[i]! as K & R;
          objectOf(out, item);
          for (const name of [major!, ...(minor === undefined ? [] : [minor])]) {
            out.path.inside(name, () => out.inRange(bigintOf(out, item[name]), codecOf(name).bits));
          }
          const [delta, low] = follow(item);
          writeInteger(out, delta, codecOf(major!).bits);
          if (minor !== undefined) writeInteger(out, low, codecOf(minor).bits);
          for (const name of others) out.path.inside(name, () => rest[name].write(out, item[name]));
        });
      }
    },
    read(from) {
      const values: (K & R)[] = [];
      const count = from.count();
      let high = 0n;
      let low = 0n;
      for (let i = 0; i < count; i++) {
        from.path.inside(i, () => {
          const delta = from.path.inside(major!, () => readInteger(from, codecOf(major!).bits));
          const step = i > 0 && minor === undefined ? 1n : 0n;
          high = from.path.inside(major!, () => from.inRange(high + delta + step, codecOf(major!).bits));
          const item: Record<string, unknown> = { [major!]: high };
          if (minor !== undefined) {
            item[minor] = low = from.path.inside(minor, () => {
              const value = readInteger(from, codecOf(minor).bits);
              return from.inRange(i > 0 && delta === 0n ? low + value + 1n : value, codecOf(minor).bits);
            });
          }
          for (const name of others) item[name] = from.path.inside(name, () => rest[name].read(from));
          values.push(item as K & R);
        });
      }
      return values;
    },
    toJson: (value) => value.map((item) => structToJson(fields, item)),
    fromJson(place, json) {
      const follow = follower(place);
      return arrayOf(place, json).map((entry, i) =>
        place.path.inside(i, () => {
          const item = structFromJson(fields, place, entry);
          follow(item);
          return item;
        }),
      );
    },
  };
}

/** Runs what looks into a value that anybody may have made: getters and proxies throw what they like. */
function guarded<T>(root: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof VerifierError) throw cause;
    throw new Writer(root, false).fault("reading the value threw an exception", { cause });
  }
}

/**
 * @param root first part of `where` in errors
 * @returns the one encoding of the value
 * @throws VerifierError `BLOCK_MALFORMED`, `CLAIM_RANGE`, `CLAIM_ORDER`
 */
export function encodeWith<T>(codec: Codec<T>, value: T, root = ""): Uint8Array {
  return guarded(root, () => {
    const out = new Writer(root, true);
    codec.write(out, value);
    return out.bytes;
  });
}

/** Whether a value has an encoding: undefined if it has one, otherwise what {@link encodeWith} throws. */
export function canonicalFault<T>(codec: Codec<T>, value: T, root = ""): VerifierError | undefined {
  try {
    guarded(root, () => codec.write(new Writer(root, false), value));
    return undefined;
  } catch (error) {
    return error as VerifierError;
  }
}

/** @throws VerifierError `BLOCK_MALFORMED`, `CLAIM_RANGE`, `CLAIM_ORDER` */
export function fromJsonWith<T>(codec: Codec<T>, json: unknown, root = ""): T {
  return guarded(root, () => codec.fromJson(new Writer(root, false), json));
}
