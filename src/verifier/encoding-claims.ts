/**
 * The canonical form of the claims: bounds of every number, order of every list.
 *
 * @module
 */

import type {
  AccountClaim,
  BalanceClaim,
  BlockClaims,
  CellClaims,
  EndClaim,
  KeccakClaim,
  LogClaim,
  LookupClaims,
  NonceClaim,
  SlotClaim,
  TransactionClaims,
  TransientClaim,
} from "./claims.js";
import {
  address,
  ascending,
  byteString,
  type Codec,
  type FieldCodecs,
  hash,
  type IntegerCodec,
  integer,
  list,
  optional,
  struct,
  word,
} from "./encoding-codec.js";
import { EMPTY_CODE_HASH } from "./ethereum/words.js";

/** clk, contexts, transaction numbers, counters. */
const small = integer(28);
const time = integer(32);
const balance = integer(256);
const nonce = integer(64);
const gas = integer(31);
const refund = integer(60);
const field = integer(16);
const byte = integer(8);
/** Of a byte in calldata. */
const offset = integer(32);

/** An entry that nobody asked for is left out. */
const multiplicity = integer(32, 1n);

type Address = { readonly address: bigint };
type Slot = Address & { readonly slot: bigint };
type Clocked = { readonly clk: bigint };
type Asked = { readonly multiplicity: bigint };

const balanceFields: FieldCodecs<BalanceClaim> = { balance, t: time };
const nonceFields: FieldCodecs<NonceClaim> = { nonce, createdTx: small, t: time };
const accountFields: FieldCodecs<AccountClaim> = { codeHash: hash(EMPTY_CODE_HASH), lastTx: small, t: time };
const slotFields: FieldCodecs<SlotClaim> = { value: word, original: word, lastTx: small, t: time };
const transientFields: FieldCodecs<TransientClaim> = { value: word, lastTx: small, t: time };
const logFields: FieldCodecs<Omit<LogClaim, "clk">> = { address, topics: list(word, 4), data: byteString() };

const balanceClaim = struct(balanceFields);

const endClaim: Codec<EndClaim> = struct({
  clk: small,
  status: integer(1),
  gas,
  journal: struct({ j: small, t: time }),
  refund: struct({ value: refund, t: time }),
  logs: struct({ t: time, entries: ascending<Clocked, Omit<LogClaim, "clk">>({ clk: small }, logFields) }),
  keccaks: ascending<Clocked, Omit<KeccakClaim, "clk">>({ clk: small }, { data: byteString() }),
});

const transactionClaims: Codec<TransactionClaims> = struct({
  senderBalance: balanceClaim,
  senderNonce: struct(nonceFields),
  accounts: list(struct(accountFields)),
  slots: list(struct(slotFields)),
  recipientBalance: optional(balanceClaim),
  end: optional(endClaim),
  endSenderBalance: balanceClaim,
  coinbaseBalance: optional(balanceClaim),
});

const cellClaims: Codec<CellClaims> = struct({
  balances: ascending<Address, BalanceClaim>({ address }, balanceFields),
  nonces: ascending<Address, NonceClaim>({ address }, nonceFields),
  accounts: ascending<Address, AccountClaim>({ address }, accountFields),
  slots: ascending<Slot, SlotClaim>({ address, slot: word }, slotFields),
  transients: ascending<Slot, TransientClaim>({ address, slot: word }, transientFields),
});

/** A table whose entries have a key of one or two integers. */
const table = <N extends string>(key: Record<N, IntegerCodec>) =>
  ascending<Record<N, bigint>, Asked>(key, { multiplicity });

const lookupClaims: Codec<LookupClaims> = struct({
  code: table({ code: field, pc: field }),
  ctx: table({ ctx: small, field }),
  txenv: table({ T: small, field }),
  env: table({ field }),
  range: table({ bits: byte, value: field }),
  calldata: table({ ctx: small, offset }),
  codeword: table({ code: field, offset: field }),
  codeid: table({ hash: word }),
  pow2: table({ s: byte }),
  and: table({ a: byte, b: byte }),
  blockhash: table({ n: integer(64) }),
  opcode: table({ class: byte, n: byte }),
});

/** See the module. */
export const blockClaims: Codec<BlockClaims> = struct({
  preState: byteString(32),
  transactions: list(transactionClaims),
  cells: cellClaims,
  lookups: lookupClaims,
});
