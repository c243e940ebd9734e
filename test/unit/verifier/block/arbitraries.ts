/** Block proofs of any canonical form, sensible or not. @module */

import fc from "fast-check";
import type { BlockClaims } from "../../../../src/verifier/claims.js";
import { BLOCK_PROOF_VERSION, type BlockProof } from "../../../../src/verifier/encoding.js";
import { EMPTY_CODE_HASH } from "../../../../src/verifier/ethereum/words.js";
import { uint } from "../ethereum/support.js";

const t = uint(32);
const small = uint(28);
const word = uint(256);
const codeHash = fc.oneof(
  fc.constant(EMPTY_CODE_HASH),
  word.filter((hash) => hash !== 0n),
);
const multiplicity = uint(32).filter((m) => m !== 0n);
const balance = fc.record({ balance: word, t });
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** A list that ascends in these fields, which are integers. */
const ascending = <T extends object>(item: fc.Arbitrary<T>, ...key: (keyof T)[]) =>
  fc.uniqueArray(item, { maxLength: 6, selector: (value) => key.map((name) => value[name]).join() }).map((items) =>
    items.sort((a, b) => {
      const name = key.find((field) => a[field] !== b[field])!;
      return a[name]! < b[name]! ? -1 : 1;
    }),
  );

const address = fc.oneof(uint(160), fc.bigInt(0n, 3n));
const slot = fc.oneof(word, fc.bigInt(0n, 3n));
const bytes = fc.uint8Array({ maxLength: 70 });
const end = fc.record({
  clk: small,
  status: uint(1),
  gas: uint(31),
  journal: fc.record({ j: small, t }),
  refund: fc.record({ value: uint(60), t }),
  logs: fc.record({
    t,
    entries: ascending(
      fc.record({ clk: small, address, topics: fc.array(word, { maxLength: 4 }), data: bytes }),
      "clk",
    ),
  }),
  keccaks: ascending(fc.record({ clk: small, data: bytes }), "clk"),
});
const nonce = { nonce: uint(64), createdTx: small, t };
const account = { codeHash, lastTx: small, t };
const cell = { value: word, original: word, lastTx: small, t };
const field = fc.oneof(uint(16), fc.bigInt(0n, 5n));

export const blockClaims: fc.Arbitrary<BlockClaims> = fc.record({
  preState: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  transactions: fc.array(
    fc.record({
      senderBalance: balance,
      senderNonce: fc.record(nonce),
      accounts: fc.array(fc.record(account), { maxLength: 3 }),
      slots: fc.array(fc.record(cell), { maxLength: 2 }),
      recipientBalance: optional(balance),
      end: optional(end),
      endSenderBalance: balance,
      coinbaseBalance: optional(balance),
    }),
    { maxLength: 3 },
  ),
  cells: fc.record({
    balances: ascending(fc.record({ address, balance: word, t }), "address"),
    nonces: ascending(fc.record({ address, ...nonce }), "address"),
    accounts: ascending(fc.record({ address, ...account }), "address"),
    slots: ascending(fc.record({ address, slot, ...cell }), "address", "slot"),
    transients: ascending(fc.record({ address, slot, value: word, lastTx: small, t }), "address", "slot"),
  }),
  lookups: fc.record({
    code: ascending(fc.record({ code: field, pc: field, multiplicity }), "code", "pc"),
    ctx: ascending(fc.record({ ctx: small, field, multiplicity }), "ctx", "field"),
    txenv: ascending(fc.record({ T: small, field, multiplicity }), "T", "field"),
    env: ascending(fc.record({ field, multiplicity }), "field"),
    range: ascending(fc.record({ bits: uint(8), value: field, multiplicity }), "bits", "value"),
    calldata: ascending(fc.record({ ctx: small, offset: t, multiplicity }), "ctx", "offset"),
    codeword: ascending(fc.record({ code: field, offset: field, multiplicity }), "code", "offset"),
    codeid: ascending(fc.record({ hash: slot, multiplicity }), "hash"),
    pow2: ascending(fc.record({ s: uint(8), multiplicity }), "s"),
    and: ascending(fc.record({ a: uint(8), b: uint(8), multiplicity }), "a", "b"),
    blockhash: ascending(fc.record({ n: uint(64), multiplicity }), "n"),
    opcode: ascending(fc.record({ class: uint(8), n: uint(8), multiplicity }), "class", "n"),
  }),
});

export const blockProofs: fc.Arbitrary<BlockProof> = fc.record({
  version: fc.constant(BLOCK_PROOF_VERSION),
  keySet: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  header: fc.uint8Array({ maxLength: 300 }),
  transactions: fc.array(fc.uint8Array({ minLength: 32, maxLength: 150 }), { maxLength: 3 }),
  claims: blockClaims,
  chunks: fc.array(
    fc.record({ layout: fc.integer({ min: 0, max: 255 }), proof: fc.uint8Array({ minLength: 224, maxLength: 224 }) }),
    { maxLength: 2 },
  ),
});
