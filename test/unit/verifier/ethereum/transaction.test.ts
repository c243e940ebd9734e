import { RLP } from "@ethereumjs/rlp";
import { createTx, createTxFromRLP, type TypedTransaction, type TypedTxData } from "@ethereumjs/tx";
import { bigIntToUnpaddedBytes, bytesToBigInt } from "@ethereumjs/util";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VerifierError } from "../../../../src/verifier/errors.js";
import {
  decodeTransaction,
  effectiveGasPrice,
  recoverSender,
  type Transaction,
} from "../../../../src/verifier/ethereum/transaction.js";
import { uintToBytes } from "../../../../src/verifier/ethereum/words.js";
import { bytes, CHAIN_ID, COMMON, expectError, mutated, uint } from "./support.js";

const ORDER = secp256k1.Point.Fn.ORDER;
const KEY = uintToBytes(0xc0ffeen, 32);
const decode = (encoded: Uint8Array) => decodeTransaction(encoded, CHAIN_ID, "tx");

/** Fields of any type that the reference and we accept. */
const txData: fc.Arbitrary<TypedTxData> = fc
  .record({
    type: fc.constantFrom(0, 1, 2),
    nonce: uint(64).map((n) => (n > 2n ** 64n - 2n ? 2n ** 64n - 2n : n)),
    extraGas: uint(24),
    fees: fc.tuple(uint(200), uint(200)),
    to: fc.uint8Array({ minLength: 20, maxLength: 20 }),
    value: uint(255),
    data: bytes(),
    accessList: fc.array(
      fc.tuple(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 3 }),
      ),
      { maxLength: 3 },
    ),
  })
  .map(({ type, fees: [a, b], extraGas, accessList, ...rest }) => {
    const slots = accessList.reduce((sum, [, keys]) => sum + keys.length, 0);
    const list = type === 0 ? 0 : 2400 * accessList.length + 1900 * slots;
    const data = rest.data.reduce((sum, byte) => sum + (byte === 0 ? 4 : 16), 0);
    return {
      ...rest,
      type,
      gasLimit: BigInt(21_000 + list + data) + extraGas,
      ...(type === 2 ? { maxFeePerGas: a > b ? a : b, maxPriorityFeePerGas: a > b ? b : a } : { gasPrice: a }),
      ...(type === 0 ? {} : { accessList }),
    } as unknown as TypedTxData;
  });

const key = fc.bigInt(1n, ORDER - 1n).map((k) => uintToBytes(k, 32));

function sign(data: TypedTxData, secret = KEY): TypedTransaction {
  return createTx(data, { common: COMMON }).sign(secret);
}

/** A transaction of each type with a bit of everything. */
const sample = (type: 0 | 1 | 2, more: Record<string, unknown> = {}) =>
  sign({
    type,
    nonce: 7n,
    gasLimit: 100_000n,
    ...(type === 2 ? { maxFeePerGas: 30n, maxPriorityFeePerGas: 3n } : { gasPrice: 20n }),
    to: `0x${"5a".repeat(20)}`,
    value: 1000n,
    data: "0x00ff00",
    ...(type === 0 ? {} : { accessList: [{ address: `0x${"5a".repeat(20)}`, storageKeys: [`0x${"01".repeat(32)}`] }] }),
    ...more,
  } as TypedTxData);

/** The encoding of a sample with fields replaced by position. */
function patched(type: 0 | 1 | 2, changes: Record<number, unknown>, also?: (fields: unknown[]) => unknown): Uint8Array {
  const fields: unknown[] = [...sample(type).raw()];
  for (const [i, value] of Object.entries(changes)) fields[Number(i)] = value;
  const payload = RLP.encode((also?.(fields) ?? fields) as never);
  return type === 0 ? payload : Uint8Array.from([type, ...payload]);
}

/** Positions of fields in the encoding. */
const AT = [
  { nonce: 0, fee: 1, priority: 1, gasLimit: 2, to: 3, value: 4, data: 5, v: 6, r: 7, s: 8 },
  { chainId: 0, nonce: 1, fee: 2, priority: 2, gasLimit: 3, to: 4, value: 5, data: 6, list: 7, v: 8, r: 9, s: 10 },
  { chainId: 0, nonce: 1, priority: 2, fee: 3, gasLimit: 4, to: 5, value: 6, data: 7, list: 8, v: 9, r: 10, s: 11 },
] as const;
const FEE = ["gasPrice", "gasPrice", "maxFeePerGas"] as const;
const V = ["v", "yParity", "yParity"] as const;
const TYPES = [0, 1, 2] as const;

describe("what the reference signs", () => {
  it("decodes to the same fields, hash, intrinsic gas, sender and price", () => {
    fc.assert(
      fc.property(txData, key, uint(201), (data, secret, baseFee) => {
        const expected = sign(data, secret);
        const tx = decode(expected.serialize());
        const legacy = tx.type === 0;
        expect(tx).toMatchObject({
          type: expected.type,
          bytes: expected.serialize(),
          hash: bytesToBigInt(expected.hash()),
          chainId: CHAIN_ID,
          nonce: expected.nonce,
          gasLimit: expected.gasLimit,
          intrinsicGas: expected.getIntrinsicGas(),
          to: bytesToBigInt(expected.to!.bytes),
          value: expected.value,
          data: expected.data,
          signingHash: expected.getMessageToVerifySignature(),
          yParity: Number(legacy ? expected.v! - 35n - 2n * CHAIN_ID : expected.v!),
          r: expected.r,
          s: expected.s,
          ...("gasPrice" in expected
            ? { maxFeePerGas: expected.gasPrice, maxPriorityFeePerGas: expected.gasPrice }
            : {
                maxFeePerGas: (expected as never as Transaction).maxFeePerGas,
                maxPriorityFeePerGas: (expected as never as Transaction).maxPriorityFeePerGas,
              }),
        });
        expect(tx.accessList).toEqual(
          "accessList" in expected
            ? expected.accessList.map(([address, keys]) => ({
                address: bytesToBigInt(address),
                storageKeys: keys.map((slot) => bytesToBigInt(slot)),
              }))
            : [],
        );
        expect(recoverSender(tx)).toBe(bytesToBigInt(expected.getSenderAddress().bytes));
        if (baseFee > tx.maxFeePerGas) {
          expectError(() => effectiveGasPrice(tx, baseFee, "tx"), "TX_FEE", `tx.${FEE[tx.type]}`);
        } else {
          expect(effectiveGasPrice(tx, baseFee)).toBe(baseFee + expected.getEffectivePriorityFee(baseFee));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is copied: the caller may reuse the buffer", () => {
    const buffer = Buffer.from(sample(2).serialize());
    const tx = decode(buffer);
    const { bytes: encoded, data } = decode(sample(2).serialize());
    buffer.fill(0xff);
    expect(tx.bytes).toEqual(encoded);
    expect(tx.data).toEqual(data);
  });
});

describe("refused by type", () => {
  it.each([0, 3, 4, 5, 0x7f])("type %i", (type) => {
    const payload = sample(2).serialize().subarray(1);
    const error = expectError(() => decode(Uint8Array.from([type, ...payload])), "TX_TYPE", "tx.type");
    expect(error.got).toBe({ 3: "3, blob transaction", 4: "4, set-code transaction" }[type] ?? String(type));
  });

  it.each([
    ["nothing", []],
    ["an RLP string", [0x83, 1, 2, 3]],
    ["a long RLP string", [0xb8, 56]],
    ["type 1 without payload", [1]],
    ["type 2 with a string", [2, 0x80]],
    ["an empty list", [0xc0]],
    ["type 2 with an empty list", [2, 0xc0]],
  ])("%s is no transaction", (_, list) => {
    expectError(() => decode(Uint8Array.from(list)), "TX_MALFORMED", "tx");
  });
});

describe.each(TYPES)("type %i, one field at a time", (type) => {
  const at = AT[type] as Record<string, number>;
  const bad = (field: string, value: unknown) => () => decode(patched(type, { [at[field]!]: value }));
  const uints = ["nonce", "fee", "gasLimit", "value", "v", "r", "s", ...(type === 0 ? [] : ["chainId"])];

  it("the sample itself is good", () => {
    expect(decode(patched(type, {})).bytes).toEqual(sample(type).serialize());
    expect(recoverSender(decode(patched(type, {})))).toBe(bytesToBigInt(sample(type).getSenderAddress().bytes));
  });

  it("the number of fields", () => {
    for (const also of [(fields: unknown[]) => fields.slice(0, -1), (fields: unknown[]) => [...fields, "0x"]]) {
      expectError(() => decode(patched(type, {}, also)), "TX_MALFORMED", "tx");
    }
    // unsigned
    expectError(() => decode(patched(type, {}, (fields) => fields.slice(0, -3))), "TX_MALFORMED", "tx");
    expectError(() => decode(Uint8Array.from([...patched(type, {}), 0])), "TX_MALFORMED", "tx");
  });

  it.each(uints)("%s is no list, has no leading zeros and at most 256 bits", (field) => {
    const name = field === "fee" ? FEE[type] : field === "v" ? V[type] : field;
    expectError(bad(field, []), "TX_MALFORMED", `tx.${name}`);
    expectError(bad(field, Uint8Array.of(0)), "TX_MALFORMED", `tx.${name}`);
    expectError(bad(field, Uint8Array.of(0, 9)), "TX_MALFORMED", `tx.${name}`);
    expectError(bad(field, 1n << 256n), "TX_MALFORMED", `tx.${name}`);
  });

  it("nonce and gas limit", () => {
    expect(decode(patched(type, { [at.nonce!]: 2n ** 64n - 2n })).nonce).toBe(2n ** 64n - 2n);
    expectError(bad("nonce", 2n ** 64n - 1n), "TX_BOUNDS", "tx.nonce");
    expectError(bad("nonce", 2n ** 64n), "TX_MALFORMED", "tx.nonce");
    expect(decode(patched(type, { [at.gasLimit!]: 2n ** 31n - 1n })).gasLimit).toBe(2n ** 31n - 1n);
    expectError(bad("gasLimit", 2n ** 31n), "TX_BOUNDS", "tx.gasLimit");
    expectError(bad("gasLimit", 2n ** 64n), "TX_MALFORMED", "tx.gasLimit");
    const intrinsic = sample(type).getIntrinsicGas();
    expect(decode(patched(type, { [at.gasLimit!]: intrinsic })).gasLimit).toBe(intrinsic);
    expectError(bad("gasLimit", intrinsic - 1n), "TX_INTRINSIC_GAS", "tx.gasLimit");
    expectError(bad("gasLimit", new Uint8Array()), "TX_INTRINSIC_GAS", "tx.gasLimit");
  });

  it("cost", () => {
    const most = 2n ** 256n - 1n - 100_000n * sample(type).getEffectivePriorityFee(0n);
    expectError(bad("value", 2n ** 256n - 1n), "TX_BOUNDS", `tx.${FEE[type]}`);
    expectError(bad("fee", 2n ** 256n - 1n), "TX_BOUNDS", `tx.${FEE[type]}`);
    if (type !== 2) {
      expect(decode(patched(type, { [at.value!]: most })).value).toBe(most);
      expectError(bad("value", most + 1n), "TX_BOUNDS", "tx.gasPrice");
    } else {
      expect(decode(patched(2, { [at.priority!]: 30n })).maxPriorityFeePerGas).toBe(30n);
      expectError(bad("priority", 31n), "TX_FEE", "tx.maxPriorityFeePerGas");
    }
  });

  it("recipient and data", () => {
    expectError(bad("to", new Uint8Array()), "TX_CREATION", "tx.to");
    for (const length of [1, 19, 21, 32]) {
      expectError(bad("to", new Uint8Array(length).fill(1)), "TX_MALFORMED", "tx.to");
    }
    expectError(bad("to", []), "TX_MALFORMED", "tx.to");
    expectError(bad("data", []), "TX_MALFORMED", "tx.data");
    expect(decode(patched(type, { [at.to!]: new Uint8Array(20) })).to).toBe(0n);
  });

  it("signature", () => {
    for (const field of ["r", "s"]) {
      expectError(bad(field, new Uint8Array()), "TX_SIGNATURE", `tx.${field}`);
      expectError(bad(field, ORDER), "TX_SIGNATURE", `tx.${field}`);
      expectError(bad(field, 2n ** 256n - 1n), "TX_SIGNATURE", `tx.${field}`);
    }
    expect(decode(patched(type, { [at.r!]: ORDER - 1n })).r).toBe(ORDER - 1n);
    expect(decode(patched(type, { [at.s!]: ORDER >> 1n })).s).toBe(ORDER >> 1n);
    expectError(bad("s", (ORDER >> 1n) + 1n), "TX_SIGNATURE", "tx.s");
    // the same signature written the other way round
    const { s, v } = sample(type);
    const flipped = type === 0 ? (v! % 2n === 1n ? v! + 1n : v! - 1n) : 1n - v!;
    expectError(() => decode(patched(type, { [at.s!]: ORDER - s!, [at.v!]: flipped })), "TX_SIGNATURE", "tx.s");
    // the other parity is another key's signature
    expect(recoverSender(decode(patched(type, { [at.v!]: flipped })))).not.toBe(
      recoverSender(decode(patched(type, {}))),
    );
  });

  it("no point has x = 5: no key can have signed", () => {
    const tx = decode(patched(type, { [at.r!]: 5n }));
    expect(expectError(() => recoverSender(tx, "tx"), "TX_SIGNATURE", "tx").cause).toBeInstanceOf(Error);
  });
});

describe("chain", () => {
  it("legacy without EIP-155", () => {
    for (const v of [27n, 28n]) {
      expectError(() => decode(patched(0, { [AT[0].v]: v })), "TX_CHAIN_ID", "tx.v");
    }
  });

  it("a v that no signature has", () => {
    for (const v of [0n, 1n, 26n, 29n, 34n]) {
      expectError(() => decode(patched(0, { [AT[0].v]: v })), "TX_SIGNATURE", "tx.v");
    }
    for (const type of [1, 2] as const) {
      for (const v of [2n, 27n, 28n]) {
        expectError(() => decode(patched(type, { [AT[type].v]: v })), "TX_SIGNATURE", "tx.yParity");
      }
    }
  });

  it("another chain's", () => {
    for (const v of [35n, 37n, 38n, 34n + 2n * CHAIN_ID, 37n + 2n * CHAIN_ID, 2n ** 256n - 1n]) {
      expectError(() => decode(patched(0, { [AT[0].v]: v })), "TX_CHAIN_ID", "tx.chainId");
    }
    for (const type of [1, 2] as const) {
      for (const id of [0n, 1n, CHAIN_ID + 1n, CHAIN_ID + 2n ** 64n]) {
        expectError(() => decode(patched(type, { [AT[type].chainId]: id })), "TX_CHAIN_ID", "tx.chainId");
      }
    }
    expectError(() => decodeTransaction(sample(0).serialize(), 1n, "tx"), "TX_CHAIN_ID", "tx.chainId");
  });

  it("a chain id of 64 bits", () => {
    const chainId = 2n ** 64n - 1n;
    const encoded = patched(0, { [AT[0].v]: 36n + 2n * chainId });
    expect(decodeTransaction(encoded, chainId)).toMatchObject({ chainId, yParity: 1 });
  });
});

describe.each([1, 2] as const)("access list of type %i", (type) => {
  const address = new Uint8Array(20).fill(1);
  const slot = new Uint8Array(32).fill(2);
  const list = (value: unknown) => () => decode(patched(type, { [AT[type].list]: value }));

  it("may repeat and have no slots", () => {
    const tx = list([
      [address, []],
      [address, [slot, slot]],
    ])();
    const a = bytesToBigInt(address);
    const k = bytesToBigInt(slot);
    expect(tx.accessList).toEqual([
      { address: a, storageKeys: [] },
      { address: a, storageKeys: [k, k] },
    ]);
    expect(tx.intrinsicGas).toBe(21_000n + 4n + 16n + 4n + 2n * 2400n + 2n * 1900n);
  });

  it.each([
    ["a byte string", address, ".accessList"],
    ["an entry that is a byte string", [address], ".accessList[0]"],
    ["an entry of one item", [[address]], ".accessList[0]"],
    ["an entry of three items", [[address, [], []]], ".accessList[0]"],
    ["a short address", [[address.subarray(1), []]], ".accessList[0].address"],
    ["no address", [[new Uint8Array(), []]], ".accessList[0].address"],
    ["slots that are a byte string", [[address, slot]], ".accessList[0].storageKeys"],
    [
      "a short slot",
      [
        [address, []],
        [address, [slot, slot.subarray(1)]],
      ],
      ".accessList[1].storageKeys[1]",
    ],
  ])("%s", (_, value, where) => {
    expectError(list(value), "TX_MALFORMED", `tx${where}`);
  });

  it("a slot that is a list: too deep for any transaction", () => {
    expectError(list([[address, [[]]]]), "TX_MALFORMED", "tx");
  });
});

describe("any bytes", () => {
  const check = (input: Uint8Array) => {
    let tx: Transaction;
    try {
      tx = decode(input);
    } catch (error) {
      expect(error, String((error as Error)?.stack)).toBeInstanceOf(VerifierError);
      expect((error as VerifierError).code).toMatch(/^TX_/);
      expect((error as VerifierError).where).toMatch(/^tx/);
      return;
    }
    // the reference accepts all that we accept, and reads it the same way
    const reference = createTxFromRLP(input, { common: COMMON });
    expect(reference.serialize()).toEqual(input);
    expect(bytesToBigInt(reference.hash())).toBe(tx.hash);
    expect(reference.getValidationErrors().filter((error) => error !== "Invalid Signature")).toEqual([]);
    try {
      const sender = recoverSender(tx, "tx");
      expect(sender).toBe(bytesToBigInt(reference.getSenderAddress().bytes));
    } catch (error) {
      expect(error, String((error as Error)?.stack)).toBeInstanceOf(VerifierError);
      expect((error as VerifierError).code).toBe("TX_SIGNATURE");
      expect(reference.verifySignature()).toBe(false);
    }
  };

  it("only VerifierError escapes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), check), { numRuns: 500 });
    const samples = TYPES.map((type) => sample(type).serialize());
    fc.assert(fc.property(fc.constantFrom(...samples).chain(mutated), check), { numRuns: 500 });
    const item: fc.Arbitrary<unknown> = fc.oneof(
      uint(260).map(bigIntToUnpaddedBytes),
      bytes(60),
      fc.array(fc.oneof(bytes(40), fc.array(bytes(40), { maxLength: 2 })), { maxLength: 3 }),
    );
    const anyFields = fc.tuple(fc.constantFrom(...TYPES), fc.array(item, { minLength: 8, maxLength: 12 }));
    fc.assert(
      fc.property(anyFields, ([type, fields]) => {
        const payload = RLP.encode(fields as never);
        check(type === 0 ? payload : Uint8Array.from([type, ...payload]));
      }),
      { numRuns: 500 },
    );
  });
});
