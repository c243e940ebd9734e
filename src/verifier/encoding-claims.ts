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
  LookupClaims,
  NonceClaim,
  SlotClaim,
  TransactionClaims,
} from "./claims.js";
import {
  address,
  ascending,
  byteString,
  type Codec,
  type FieldCodecs,
  hash,
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

/** An entry that nobody asked for is left out. */
const multiplicity = integer(32, 1n);

type Address = { readonly address: bigint };
type Asked = { readonly multiplicity: bigint };

const balanceFields: FieldCodecs<BalanceClaim> = { balance, t: time };
const nonceFields: FieldCodecs<NonceClaim> = { nonce, createdTx: small, t: time };
const accountFields: FieldCodecs<AccountClaim> = { codeHash: hash(EMPTY_CODE_HASH), lastTx: small, t: time };
const slotFields: FieldCodecs<SlotClaim> = { value: word, original: word, lastTx: small, t: time };

const balanceClaim = struct(balanceFields);

const endClaim: Codec<EndClaim> = struct({
  clk: small,
  status: integer(1),
  gas,
  journal: struct({ j: small, t: time }),
  refund: struct({ value: refund, t: time }),
  logs: struct({ n: small, t: time }),
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
  slots: ascending<Address & { slot: bigint }, SlotClaim>({ address, slot: word }, slotFields),
});

const lookupClaims: Codec<LookupClaims> = struct({
  code: ascending<{ code: bigint; pc: bigint }, Asked>({ code: field, pc: field }, { multiplicity }),
  ctx: ascending<{ ctx: bigint; field: bigint }, Asked>({ ctx: small, field }, { multiplicity }),
  txenv: ascending<{ T: bigint; field: bigint }, Asked>({ T: small, field }, { multiplicity }),
  env: ascending<{ field: bigint }, Asked>({ field }, { multiplicity }),
  range: ascending<{ bits: bigint; value: bigint }, Asked>({ bits: integer(8), value: field }, { multiplicity }),
});

/** See the module. */
export const blockClaims: Codec<BlockClaims> = struct({
  preState: byteString(32),
  transactions: list(transactionClaims),
  cells: cellClaims,
  lookups: lookupClaims,
});
