/**
 * What a replica keeps of each block, as bytes. Every record ends with its CRC-32: LevelDB does not look at checksums of its
 * own when it reads.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { decodeHeader, encodeHeader, type Header, headerHash } from "../../verifier/ethereum/header.js";
import { encodeReceipt, type Log, type Receipt } from "../../verifier/ethereum/receipts.js";
import { decodeRlp, encodeRlp, type Place, RlpFields } from "../../verifier/ethereum/rlp.js";
import { uintToBytes } from "../../verifier/ethereum/words.js";
import { NodeError } from "./errors.js";

/** A block that was proved valid on the state before it. */
export interface StoredBlock {
  readonly header: Header;
  readonly hash: bigint;
  /** Signed transactions (EIP-2718). */
  readonly transactions: readonly Uint8Array[];
  /** Who signed them. */
  readonly senders: readonly bigint[];
  readonly receipts: readonly Receipt[];
  readonly proof: {
    /** SHA-256 of the proof, hexadecimal. */
    readonly digest: string;
    /** Its length. */
    readonly bytes: number;
    readonly chunks: number;
    /** Digest of the keys that it was verified with, hexadecimal. */
    readonly keySet: string;
  };
  /** Milliseconds since 1970. */
  readonly verifiedAt: number;
}

/** A position in the chain. */
export interface Position {
  readonly number: bigint;
  readonly hash: bigint;
  readonly stateRoot: bigint;
}

const PLACE: Place = { code: "BLOCK_MALFORMED", where: "record" };
const CRC_LENGTH = 4;

/** Something in the database is not what was written. */
export function damaged(where: string, cause?: unknown, got = "bytes that are not what was written"): NodeError {
  return new NodeError("the replica's database is damaged", { code: "DATABASE_DAMAGED", where, got, cause });
}

/** Appends the checksum. */
export function seal(record: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(record.length + CRC_LENGTH);
  sealed.set(record);
  new DataView(sealed.buffer).setUint32(record.length, crc32(record));
  return sealed;
}

/** Checks the checksum and takes it off. @throws NodeError `DATABASE_DAMAGED` */
export function unseal(sealed: Uint8Array, where: string): Uint8Array {
  const length = sealed.length - CRC_LENGTH;
  if (length < 0) throw damaged(where);
  const record = sealed.subarray(0, length);
  const sum = new DataView(sealed.buffer, sealed.byteOffset + length, CRC_LENGTH).getUint32(0);
  if (sum !== crc32(record)) throw damaged(where);
  return record;
}

/** Reads a sealed record. @throws NodeError `DATABASE_DAMAGED` */
function read<T>(sealed: Uint8Array, where: string, decode: (record: Uint8Array) => T): T {
  const record = unseal(sealed, where);
  try {
    return decode(record);
  } catch (cause) {
    throw damaged(where, cause);
  }
}

const hexBytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const wordsOf = (items: readonly unknown[], name: string, length: number): bigint[] => {
  const fields = new RlpFields(items as never, items.length, PLACE);
  return items.map((_, i) => fields.word(`${name}[${i}]`, length));
};
const bytesOf = (items: readonly unknown[], name: string): Uint8Array[] => {
  const fields = new RlpFields(items as never, items.length, PLACE);
  // copies: what is kept longer must not hold on to the whole record
  return items.map((_, i) => fields.bytes(`${name}[${i}]`).slice());
};

export function encodeBlock({ header, transactions, senders, receipts, proof, verifiedAt }: StoredBlock): Uint8Array {
  return seal(
    encodeRlp([
      encodeHeader(header),
      transactions,
      senders.map((sender) => uintToBytes(sender, 20)),
      receipts.map(encodeReceipt),
      hexBytes(proof.digest),
      BigInt(proof.bytes),
      BigInt(proof.chunks),
      hexBytes(proof.keySet),
      BigInt(verifiedAt),
    ]),
  );
}

/** @throws NodeError `DATABASE_DAMAGED` */
export function decodeBlock(sealed: Uint8Array, where: string): StoredBlock {
  return read(sealed, where, (record) => {
    const fields = new RlpFields(decodeRlp(record, PLACE), 9, PLACE);
    const header = decodeHeader(fields.bytes("header"));
    return {
      header,
      hash: headerHash(header),
      transactions: bytesOf(fields.list("transactions"), "transactions"),
      senders: wordsOf(fields.list("senders"), "senders", 20),
      receipts: bytesOf(fields.list("receipts"), "receipts").map(decodeReceipt),
      proof: {
        digest: hexOf(fields.bytes("digest", 32)),
        bytes: Number(fields.uint("bytes", 53)),
        chunks: Number(fields.uint("chunks", 53)),
        keySet: hexOf(fields.bytes("keySet", 32)),
      },
      verifiedAt: Number(fields.uint("verifiedAt", 53)),
    };
  });
}

/** The inverse of `encodeReceipt`. @throws VerifierError `BLOCK_MALFORMED` */
function decodeReceipt(bytes: Uint8Array): Receipt {
  const type = bytes[0] === 1 || bytes[0] === 2 ? bytes[0] : 0;
  const fields = new RlpFields(decodeRlp(type === 0 ? bytes : bytes.subarray(1), PLACE), 4, PLACE);
  return {
    type,
    status: fields.uint("status", 1) === 1n ? 1 : 0,
    cumulativeGasUsed: fields.uint("cumulativeGasUsed", 64),
    logsBloom: fields.bytes("logsBloom", 256),
    logs: fields.list("logs").map((item): Log => {
      const log = new RlpFields(item, 3, PLACE);
      return {
        address: log.word("address", 20),
        topics: wordsOf(log.list("topics"), "topics", 32),
        data: log.bytes("data"),
      };
    }),
  };
}

export function encodePosition({ number, hash, stateRoot }: Position): Uint8Array {
  return seal(encodeRlp([number, uintToBytes(hash, 32), uintToBytes(stateRoot, 32)]));
}

/** @throws NodeError `DATABASE_DAMAGED` */
export function decodePosition(sealed: Uint8Array, where: string): Position {
  return read(sealed, where, (record) => {
    const fields = new RlpFields(decodeRlp(record, PLACE), 3, PLACE);
    return {
      number: fields.uint("number", 64),
      hash: fields.word("hash", 32),
      stateRoot: fields.word("stateRoot", 32),
    };
  });
}

/** JSON, sealed. */
export const encodeJson = (value: unknown): Uint8Array => seal(new TextEncoder().encode(JSON.stringify(value)));

/** @throws NodeError `DATABASE_DAMAGED` */
export const decodeJson = (sealed: Uint8Array, where: string): unknown =>
  read(sealed, where, (record) => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(record)));
