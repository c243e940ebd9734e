/**
 * Signed transactions of types 0, 1 and 2: read, and signed for scenarios and tests.
 *
 * @module
 */

import { type Common, createCustomCommon, Hardfork, Mainnet } from "@ethereumjs/common";
import { createTx, createTxFromRLP, type TypedTransaction } from "@ethereumjs/tx";
import { TraceError } from "./errors.js";
import { bigEndian, type Hex, quantity, toHex } from "./read.js";

/** The chain's rules in the words of ethereumjs: those of mainnet at Cancun under another chain id. */
export function cancun(chainId: bigint): Common {
  return createCustomCommon({ chainId: Number(chainId), name: "chunkproof" }, Mainnet, { hardfork: Hardfork.Cancun });
}

/** What a transaction says, and who says it. */
export interface TraceTransaction {
  readonly type: 0 | 1 | 2;
  /** Recovered from the signature. */
  readonly sender: Hex;
  /** `undefined`: creates a contract. */
  readonly to: Hex | undefined;
  readonly nonce: bigint;
  readonly gasLimit: bigint;
  readonly value: bigint;
  readonly data: Uint8Array;
  /** In its own order, with its own repetitions: each entry is paid for. */
  readonly accessList: readonly { readonly address: Hex; readonly storageKeys: readonly bigint[] }[];
  /** Most wei a gas; the gas price of types 0 and 1. */
  readonly maxFeePerGas: bigint;
  /** Most wei a gas for the coinbase; the gas price of types 0 and 1. */
  readonly maxPriorityFeePerGas: bigint;
}

/**
 * Decodes a signed transaction and recovers its sender.
 *
 * @param raw EIP-2718 bytes
 * @param where first part of `where` in errors, e.g. `transaction 2`
 * @throws TraceError `TRACE_TX_TYPE` (also for types that don't exist), `TRACE_TRANSACTION`
 */
export function readTransaction(raw: Uint8Array, chainId: bigint, where: string): TraceTransaction {
  return describeTransaction(decodeTransaction(raw, chainId, where));
}

/** What a decoded transaction says. */
export function describeTransaction(tx: TypedTransaction): TraceTransaction {
  const fee = "maxFeePerGas" in tx ? tx : { maxFeePerGas: tx.gasPrice, maxPriorityFeePerGas: tx.gasPrice };
  const accessList = "accessList" in tx ? tx.accessList : [];
  return {
    type: tx.type as 0 | 1 | 2,
    sender: toHex(tx.getSenderAddress().bytes),
    to: tx.to === undefined ? undefined : toHex(tx.to.bytes),
    nonce: tx.nonce,
    gasLimit: tx.gasLimit,
    value: tx.value,
    data: tx.data,
    accessList: accessList.map(([address, storageKeys]) => ({
      address: toHex(address),
      storageKeys: storageKeys.map(bigEndian),
    })),
    maxFeePerGas: fee.maxFeePerGas,
    maxPriorityFeePerGas: fee.maxPriorityFeePerGas,
  };
}

/** As {@link readTransaction}, in the words of ethereumjs. */
export function decodeTransaction(raw: Uint8Array, chainId: bigint, where: string): TypedTransaction {
  const type = raw[0];
  // EIP-2718: below 0x80 it is a type, from 0xc0 the list of a legacy transaction
  if (type !== undefined && type < 0x80 && type !== 1 && type !== 2) {
    throw new TraceError("a transaction type that cannot be proved", {
      code: "TRACE_TX_TYPE",
      where,
      expected: "type 0, 1 or 2",
      got: `type ${type}${type === 3 ? " (blobs)" : type === 4 ? " (set code)" : ""}`,
    });
  }
  let tx: TypedTransaction;
  let canonical: Uint8Array;
  try {
    tx = createTxFromRLP(raw, { common: cancun(chainId) }) as TypedTransaction;
    tx.getSenderAddress();
    canonical = tx.serialize();
  } catch (cause) {
    throw new TraceError("not a valid signed transaction of this chain", {
      code: "TRACE_TRANSACTION",
      where,
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
  if (toHex(canonical) !== toHex(raw)) {
    throw new TraceError("not the canonical encoding of its transaction", {
      code: "TRACE_TRANSACTION",
      where,
      expected: `${canonical.length} bytes`,
      got: `${raw.length} bytes`,
    });
  }
  return tx;
}

/** Fields of a transaction to be signed; numbers default to 0. */
export interface TransactionFields {
  readonly type: 0 | 1 | 2;
  readonly nonce?: bigint;
  /** Left out: creates a contract. */
  readonly to?: Hex;
  readonly value?: bigint;
  readonly data?: Uint8Array;
  readonly gasLimit: bigint;
  /** Wei a gas, types 0 and 1. */
  readonly gasPrice?: bigint;
  /** Wei a gas, type 2. */
  readonly maxFeePerGas?: bigint;
  /** Wei a gas, type 2. */
  readonly maxPriorityFeePerGas?: bigint;
  /** Types 1 and 2; slots below 2^256. */
  readonly accessList?: readonly { readonly address: Hex; readonly storageKeys: readonly bigint[] }[];
}

/**
 * Signs a transaction, type 0 with replay protection (EIP-155).
 *
 * @param privateKey 32 bytes
 * @returns EIP-2718 bytes
 * @throws TraceError `TRACE_TRANSACTION` if the fields or the key are not possible
 */
export function signTransaction(fields: TransactionFields, chainId: bigint, privateKey: Uint8Array): Uint8Array {
  const { type, nonce = 0n, to, value = 0n, data = new Uint8Array(0), gasLimit } = fields;
  const accessList = (fields.accessList ?? []).map(({ address, storageKeys }) => ({
    address,
    storageKeys: storageKeys.map((slot): Hex => `0x${slot.toString(16).padStart(64, "0")}`),
  }));
  const fees =
    type === 2
      ? { maxFeePerGas: fields.maxFeePerGas ?? 0n, maxPriorityFeePerGas: fields.maxPriorityFeePerGas ?? 0n }
      : { gasPrice: fields.gasPrice ?? 0n };
  try {
    const tx = createTx(
      {
        type,
        nonce,
        ...(to === undefined ? {} : { to }),
        value,
        data,
        gasLimit,
        ...fees,
        ...(type === 0 ? {} : { accessList, chainId: quantity(chainId) }),
      },
      { common: cancun(chainId) },
    );
    return tx.sign(privateKey).serialize();
  } catch (cause) {
    throw new TraceError("cannot be signed", {
      code: "TRACE_TRANSACTION",
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

/** Gas that a transaction costs before its first step (EIP-2028, EIP-2930). */
export function intrinsicGas({ data, accessList }: Pick<TraceTransaction, "data" | "accessList">): bigint {
  let gas = 21000n;
  for (const byte of data) gas += byte === 0 ? 4n : 16n;
  for (const { storageKeys } of accessList) gas += 2400n + 1900n * BigInt(storageKeys.length);
  return gas;
}
