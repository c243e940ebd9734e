/**
 * The verifier's side of the bus: everything that a replica contributes to a block itself, as one list of messages.
 *
 * BEGIN and END of each transaction are rows that run here instead of in a circuit, over live cells that the proof claims:
 * nonce, fees, warming, the value transfer, refunds. Between them stand the hashes that an execution asked for, computed
 * here from the claimed bytes, and the logs that it left. Beside them stand the touched cells (contents before the block
 * from the replica's own state, contents after it as claimed) and the entries of the lookup tables. The list is what the
 * transcript hashes, verbatim, and what the sum over the bus is taken of; there is no other way onto it.
 *
 * Transaction T, from 1, begins at clk s and ends at clk e; t = 16·clk + port.
 *
 * | clk | port | what happens                                                                                    |
 * | --- | ---- | ----------------------------------------------------------------------------------------------- |
 * | s   | 0    | the sender pays for all its gas, its nonce goes up                                               |
 * | s   | 1    | sender, recipient, coinbase, access list and precompiles are warmed, each account and slot once  |
 * | s   | 2    | the value leaves the sender                                                                      |
 * | s   | 3    | the value reaches the recipient; with code there: journal and counters are opened, rows start    |
 * | e   | 0    | journal and counters are closed, logs are taken                                                  |
 * | e   | 1    | the sender gets back unused gas and refund                                                       |
 * | e   | 2    | the coinbase gets the priority fees                                                              |
 *
 * Where two of them take the same balance, the later port takes what the earlier gave. s = 1 for the first transaction and
 * e + 1 of the one before for every other; e is behind the clk of the last row, or s + 2 without rows. s + 1 names the
 * context of the root frame, whose first row has clk s + 2. Hashes and logs belong to rows from there to before the last.
 *
 * The order of the list: cells (balances, nonces, accounts, storage, transient storage; of each the first content, then the
 * last); the transactions, in each BEGIN by port, then per hash CLAIM and its words, TXEND, the counters, per log LOG and its
 * words, END by port; the tables whose entries come from the state (CODE, CODEWORD, CODEID, CTX of CODESIZE, BLOCKHASH), then
 * all others (CTX, TXENV, ENV, RANGE, CALLDATA, POW2, AND, OPCODE). Where the claims hold lists, theirs is the order.
 *
 * Everything here is pure: the prover computes the same list from its own claims and its own copy of the state.
 *
 * @module
 */

import { type Message, message, received } from "./bus.js";
import type {
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
import { blockClaims } from "./encoding-claims.js";
import { canonicalFault } from "./encoding-codec.js";
import { VerifierError, type VerifierErrorCode } from "./errors.js";
import { type Code, isPrecompile, NO_CODE_ID } from "./ethereum/code.js";
import { blobBaseFee, type Header } from "./ethereum/header.js";
import { opcodeEntry } from "./ethereum/opcode-table.js";
import { type Receipt, receiptOf } from "./ethereum/receipts.js";
import { effectiveGasPrice, type Transaction } from "./ethereum/transaction.js";
import { addressToHex, bytesToUint, EMPTY_CODE_HASH, keccak, wordHalves, wordToHex } from "./ethereum/words.js";
import { type MessageFields, TAGS, type TagName } from "./tags.generated.js";

/** A transaction and who signed it. */
export interface SignedTransaction {
  readonly transaction: Transaction;
  /** Below 2^160. */
  readonly sender: bigint;
}

/** What the boundary follows from, state aside. */
export interface BoundaryInput {
  /** Of this chain, below 2^256. */
  readonly chainId: bigint;
  /** A header that `checkHeader` accepts. */
  readonly header: Header;
  /** Transactions that `decodeTransaction` accepts. */
  readonly transactions: readonly SignedTransaction[];
  readonly claims: BlockClaims;
}

/** An account before the block. One that does not exist has zeros and the hash of no code. */
export interface StateAccount {
  /** Below 2^64. */
  readonly nonce: bigint;
  /** Wei, below 2^256. */
  readonly balance: bigint;
  /** Never 0. */
  readonly codeHash: bigint;
}

/** The part of the state before the block that its cells and codes come from. */
export interface TouchedState {
  /** By address: every account of `claims.cells`. */
  readonly accounts: ReadonlyMap<bigint, StateAccount>;
  /** By address and slot: every slot of `claims.cells`. */
  readonly slots: ReadonlyMap<bigint, ReadonlyMap<bigint, bigint>>;
  /** By hash: the codes of {@link BoundaryOutline.codes}, contents hashed, as far as there are any. */
  readonly codes: ReadonlyMap<bigint, Code>;
  /** By number: hashes of the blocks {@link BoundaryOutline.ancestors}, as far as they are known. */
  readonly blockHashes: ReadonlyMap<bigint, bigint>;
}

/** A code that rows run or look into. */
export interface OutlinedCode {
  readonly hash: bigint;
  /** An account that has it, as the proof claims. */
  readonly address: bigint;
  /** Where it claims that. */
  readonly where: string;
  /** Whether it is a recipient's. */
  readonly executed: boolean;
}

/** What can be said of a block before its state is looked at. */
export interface BoundaryOutline {
  readonly claims: BlockClaims;
  /** Messages of BEGIN and END, of all transactions. */
  readonly begins: readonly Message[];
  /** Entries that were asked for, of the tables that need no state. */
  readonly tables: readonly Message[];
  /** Codes of recipients, and those that CODEID is asked for, by position in the bus's list: ascending by hash. */
  readonly codes: readonly OutlinedCode[];
  /** Position of the code of each root frame, by context. */
  readonly frames: ReadonlyMap<bigint, bigint>;
  /** Numbers of the older blocks, the parent excepted, whose hashes are asked for; ascending, fewer than 256. */
  readonly ancestors: readonly bigint[];
  readonly parent: { readonly number: bigint; readonly hash: bigint };
  /** Most chunks that the block's rows can need. */
  readonly maxChunks: bigint;
  readonly receipts: readonly Receipt[];
  readonly gasUsed: bigint;
}

/** A new content of the state; what isn't mentioned stays. */
export interface StateDiff {
  /** Ascending by address. An account that ends up with nothing in it doesn't exist after the block. */
  readonly accounts: readonly {
    readonly address: bigint;
    /** undefined: as before. */
    readonly nonce: bigint | undefined;
    readonly balance: bigint | undefined;
  }[];
  /** Ascending by address and slot; a slot of value 0 doesn't exist. */
  readonly slots: readonly { readonly address: bigint; readonly slot: bigint; readonly value: bigint }[];
}

/** The boundary of a block. */
export interface Boundary {
  /** The native messages in canonical order: see the module. */
  readonly messages: readonly Message[];
  readonly receipts: readonly Receipt[];
  readonly gasUsed: bigint;
  readonly stateDiff: StateDiff;
  /** The codes of {@link BoundaryOutline.codes}; the position is the id on the bus. */
  readonly codes: readonly bigint[];
}

/** A result, or why there is none. */
export type Checked<T> =
  | { readonly value: T; readonly faults: readonly [] }
  | { readonly value: undefined; readonly faults: readonly VerifierError[] };

const PORTS = 16n;
const CLK_BITS = 28n;
const CODE_BITS = 16n;
const UINT256 = 1n << 256n;

const ANCESTORS = 256n;

/** Spaces of JOURNAL. */
const JOURNAL_BALANCE = 2n;

/** Fields of CTX: one that needs the state, one that isn't an opcode. */
const CTX_CODESIZE = 0x38n;
const CTX_TRANSACTION = 0x100n;

/** Kind of CLAIM: keccak-256. */
const CLAIM_KECCAK = 1n;
/** Port of LOG. */
const LOG_PORT = 2n;

const REFUND_QUOTIENT = 5n;

/** The least a transaction can use: 21000 gas, of which refunds give back no more than a fifth. */
const LEAST_GAS_USED = 16_800n;
/** What the first touch of a slot costs a row (EIP-2929). */
const COLD_SLOT_GAS = 2_100n;
/** The first touch of an account. */
const COLD_ACCOUNT_GAS = 2_600n;
/** TLOAD and TSTORE (EIP-1153). */
const TRANSIENT_GAS = 100n;
const KECCAK_GAS = 30n;
const KECCAK_WORD_GAS = 6n;
const MEMORY_WORD_GAS = 3n;
const LOG_GAS = 375n;
const LOG_TOPIC_GAS = 375n;
const LOG_BYTE_GAS = 8n;
/** EXP of an exponent of 32 bytes: no other step needs as much from other rows for what it may not have paid. */
const DEAREST_GAS = 1_610n;
/** Lookups of code a step can make: itself and the destination of its jump. */
const CODE_LOOKUPS = 2n;
/** More than the lookups of ranges, or of AND, that a unit of gas pays for, with all that a step needs from other rows. */
const RANGE_LOOKUPS = 64n;
/** Chunks beyond one for each step: layouts that are filled a little each. */
const SPARE_CHUNKS = 15n;

/** Hostile blocks get no longer a list of faults than anybody would read. */
const MAX_FAULTS = 64;

type Range = Extract<TagName, `RANGE_${number}`>;
const RANGES: ReadonlyMap<bigint, Range> = new Map(
  (Object.keys(TAGS) as TagName[])
    .filter((name): name is Range => name.startsWith("RANGE_"))
    .map((name) => [BigInt(name.slice("RANGE_".length)), name]),
);

/** Faults as they are found. */
class Faults {
  readonly list: VerifierError[] = [];

  add(
    code: VerifierErrorCode,
    where: string,
    text: string,
    details: { expected?: string | bigint; got?: string | bigint } = {},
  ): void {
    const { expected, got } = details;
    this.push(
      new VerifierError(text, {
        code,
        where,
        expected: expected === undefined ? undefined : String(expected),
        got: got === undefined ? undefined : String(got),
      }),
    );
  }

  push(error: VerifierError): void {
    if (this.list.length < MAX_FAULTS) this.list.push(error);
  }

  /** The result of an action, `undefined` if it throws a fault. */
  attempt<T>(action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      this.push(error);
      return undefined;
    }
  }

  checked<T>(value: T): Checked<T> {
    return this.list.length === 0 ? { value, faults: [] } : { value: undefined, faults: this.list };
  }
}

const byValue = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
const ascendingSet = (values: Iterable<bigint>): bigint[] => [...new Set(values)].sort(byValue);

/** What a transaction warms, each once, in ascending order. */
interface Warmed {
  readonly accounts: readonly bigint[];
  readonly slots: readonly { readonly address: bigint; readonly slot: bigint }[];
}

function warmedBy(
  { transaction, sender }: SignedTransaction,
  coinbase: bigint,
  precompiles: readonly bigint[],
): Warmed {
  const { to, accessList } = transaction;
  const slots = new Map<bigint, bigint[]>();
  for (const { address, storageKeys } of accessList) {
    const keys = slots.get(address) ?? [];
    slots.set(address, keys);
    for (const key of storageKeys) keys.push(key);
  }
  return {
    accounts: ascendingSet([sender, to, coinbase, ...precompiles, ...slots.keys()]),
    slots: [...slots.keys()]
      .sort(byValue)
      .flatMap((address) => ascendingSet(slots.get(address)!).map((slot) => ({ address, slot }))),
  };
}

const balanceMessage = (address: bigint, balance: bigint, t: bigint): Message => {
  const [hi, lo] = wordHalves(balance);
  return message("BALANCE", { t, address, hi, lo });
};

const nonceMessage = (address: bigint, { nonce, createdTx, t }: NonceClaim): Message =>
  message("NONCE", { t, address, nonce, createdTx });

const accountMessage = (address: bigint, codeHash: bigint, lastTx: bigint, t: bigint): Message => {
  const [hashHi, hashLo] = wordHalves(codeHash);
  return message("ACCOUNT", { t, lastTx, address, hashHi, hashLo });
};

const slotMessage = (address: bigint, slot: bigint, { value, original, lastTx, t }: SlotClaim): Message => {
  const [slotHi, slotLo] = wordHalves(slot);
  const [valueHi, valueLo] = wordHalves(value);
  const [origHi, origLo] = wordHalves(original);
  return message("STORAGE", { t, slotHi, slotLo, lastTx, address, valueHi, valueLo, origHi, origLo });
};

const transientMessage = (address: bigint, slot: bigint, { value, lastTx, t }: TransientClaim): Message => {
  const [slotHi, slotLo] = wordHalves(slot);
  const [valueHi, valueLo] = wordHalves(value);
  return message("TRANSIENT", { t, slotHi, slotLo, lastTx, address, valueHi, valueLo });
};

/** The 32 bytes from an offset on, zeros beyond the end, as halves. */
function wordAt(bytes: Uint8Array, offset: number): Halves {
  const present = bytes.subarray(offset, offset + 32);
  return wordHalves(bytesToUint(present) << BigInt(8 * (32 - present.length)));
}

const wordCount = (bytes: Uint8Array): number => Math.ceil(bytes.length / 32);

/** Number and halves of each word of a byte string, the last one with zeros on the right. */
const wordsOf = (bytes: Uint8Array): { i: bigint; hi: bigint; lo: bigint }[] =>
  Array.from({ length: wordCount(bytes) }, (_, i) => {
    const [hi, lo] = wordAt(bytes, 32 * i);
    return { i: BigInt(i), hi, lo };
  });

/** Entry j of a journal: the balance of an account as it was. */
const balanceJournal = (T: bigint, j: bigint, address: bigint, balance: bigint, t: bigint): Message => {
  const [valueHi, valueLo] = wordHalves(balance);
  const rest = { slotHi: 0n, slotLo: 0n, lastTx: 0n, origHi: 0n, origLo: 0n };
  return message("JOURNAL", { t, T, j, space: JOURNAL_BALANCE, address, valueHi, valueLo, ...rest });
};

/** Everything of one transaction before its messages are made. */
interface Opened extends SignedTransaction {
  readonly index: number;
  readonly claims: TransactionClaims;
  readonly warmed: Warmed;
  /** Code hash of the recipient as claimed; undefined: no code. */
  readonly codeHash: bigint | undefined;
}

/** A root frame, for its lookups. */
interface Frame {
  /** Words by field. */
  readonly ctx: ReadonlyMap<bigint, bigint>;
  /** Position of its code. */
  readonly code: bigint;
  readonly calldata: Uint8Array;
}

/** What is known of an execution before it is claimed how it ended. */
interface Execution {
  readonly T: bigint;
  /** clk of BEGIN. */
  readonly start: bigint;
  readonly gas: bigint;
  readonly tx: Transaction;
  /** Path of the claim. */
  readonly where: string;
}

/** What is left of a transaction's gas, and its logs. */
interface Left {
  readonly status: bigint;
  readonly left: bigint;
  readonly refund: bigint;
  readonly logs: Receipt["logs"];
}

type Halves = readonly [hi: bigint, lo: bigint];

const keccakGas = ({ data }: KeccakClaim): bigint => KECCAK_GAS + KECCAK_WORD_GAS * BigInt(wordCount(data));
const logGas = ({ topics, data }: LogClaim): bigint =>
  LOG_GAS + LOG_TOPIC_GAS * BigInt(topics.length) + LOG_BYTE_GAS * BigInt(data.length);

/** Makes BEGIN and END of one transaction after the other. */
class Rows {
  readonly messages: Message[] = [];
  readonly receipts: Receipt[] = [];
  /** Root frames by context, ascending. */
  readonly frames = new Map<bigint, Frame>();
  /** TXENV by transaction: words by field. */
  readonly txenv = new Map<bigint, ReadonlyMap<bigint, bigint>>();
  gasUsed = 0n;
  /** Gas spent by steps, the number of executions, and of those that failed. */
  executed = 0n;
  executions = 0n;
  failures = 0n;
  #clk = 1n;
  readonly #faults: Faults;
  readonly #header: Header;
  readonly #codeIds: ReadonlyMap<bigint, bigint>;

  /** At most so many steps: the last of an execution may cost nothing, and that of a failure may not have been paid. */
  get steps(): bigint {
    return this.executed + this.executions + DEAREST_GAS * this.failures;
  }

  constructor(faults: Faults, header: Header, codeIds: ReadonlyMap<bigint, bigint>) {
    this.#faults = faults;
    this.#header = header;
    this.#codeIds = codeIds;
  }

  #send(m: Message): void {
    this.messages.push(m);
  }

  #receive(m: Message): void {
    this.messages.push(received(m));
  }

  /** A live cell must have been written before it is taken. */
  #before(t: bigint, now: bigint, where: string): void {
    if (t >= now) {
      this.#faults.add("CLAIM_TIME", `${where}.t`, "a cell from the future", { expected: `below ${now}`, got: t });
    }
  }

  /** Whether a claim is there that is needed, and none that isn't. */
  #present(claim: unknown, needed: boolean, where: string, why: string): void {
    if ((claim !== undefined) === needed) return;
    this.#faults.add("CLAIM_PRESENCE", where, why, {
      expected: needed ? "a claim" : "none",
      got: needed ? "none" : "one",
    });
  }

  /** Takes a balance and gives another. */
  #balance(address: bigint, before: bigint, tOld: bigint, after: bigint, now: bigint, where: string): void {
    if (after >= UINT256) {
      this.#faults.add("TX_BALANCE", where, "the balance grows too large", { expected: "below 2^256", got: after });
    }
    this.#receive(balanceMessage(address, before, tOld));
    this.#send(balanceMessage(address, after, now));
  }

  /** @returns whether the next transaction can be looked at: not if it is unknown when this one ends */
  add(opened: Opened): boolean {
    const { transaction: tx, sender, index, claims, codeHash } = opened;
    const faults = this.#faults;
    const { beneficiary: coinbase, baseFeePerGas: baseFee, gasLimit: blockGas } = this.#header;
    const T = BigInt(index + 1);
    const start = this.#clk;
    const at = (port: bigint) => PORTS * start + port;
    const where = `transactions[${index}]`;
    const claim = `claims.transactions[${index}]`;

    // the fee is only a fault of its own: everything else is checked as if it were the base fee
    const price = faults.attempt(() => effectiveGasPrice(tx, baseFee, where)) ?? baseFee;
    const room = blockGas - this.gasUsed;
    if (tx.gasLimit > room) {
      faults.add("TX_BLOCK_GAS", `${where}.gasLimit`, "more gas than the block has left", {
        expected: `at most ${room}`,
        got: tx.gasLimit,
      });
    }
    if (isPrecompile(tx.to)) {
      faults.add("TX_RECIPIENT", `${where}.to`, "precompiles aren't supported", { got: addressToHex(tx.to) });
    }

    // port 0: gas and nonce
    const { senderBalance, senderNonce } = claims;
    this.#before(senderBalance.t, at(0n), `${claim}.senderBalance`);
    const cost = tx.gasLimit * tx.maxFeePerGas + tx.value;
    if (senderBalance.balance < cost) {
      faults.add("TX_BALANCE", where, "the sender can't pay for gas and value", {
        expected: `at least ${cost}`,
        got: senderBalance.balance,
      });
    }
    const paid = senderBalance.balance - tx.gasLimit * price;
    this.#balance(sender, senderBalance.balance, senderBalance.t, paid, at(0n), where);
    this.#before(senderNonce.t, at(0n), `${claim}.senderNonce`);
    if (senderNonce.nonce !== tx.nonce) {
      faults.add("TX_NONCE", `${where}.nonce`, "not the sender's nonce", {
        expected: senderNonce.nonce,
        got: tx.nonce,
      });
    }
    this.#receive(nonceMessage(sender, senderNonce));
    this.#send(nonceMessage(sender, { ...senderNonce, nonce: senderNonce.nonce + 1n, t: at(0n) }));

    // port 1: warming
    this.#warm(opened, T, at(1n), where, claim);

    // ports 2 and 3: the transfer
    const debited = paid - tx.value;
    this.#balance(sender, paid, at(0n), debited, at(2n), where);
    const toSelf = tx.to === sender;
    const { recipientBalance } = claims;
    this.#present(recipientBalance, !toSelf, `${claim}.recipientBalance`, "needed unless the recipient is the sender");
    const recipient = toSelf ? { balance: debited, t: at(2n) } : (recipientBalance ?? { balance: 0n, t: 0n });
    this.#before(recipient.t, at(3n), `${claim}.recipientBalance`);
    this.#balance(tx.to, recipient.balance, recipient.t, recipient.balance + tx.value, at(3n), where);

    // rows, if there is code
    const gas = tx.gasLimit - tx.intrinsicGas;
    let close = start + 2n;
    let end: Left = { status: 1n, left: gas, refund: 0n, logs: [] };
    this.#present(claims.end, codeHash !== undefined, `${claim}.end`, "needed if the recipient has code");
    if (codeHash !== undefined) {
      if (claims.end === undefined) return false;
      this.#send(balanceJournal(T, 0n, sender, paid, at(2n)));
      this.#send(balanceJournal(T, 1n, tx.to, recipient.balance, at(3n)));
      this.#enter(opened, T, start, gas, this.#codeIds.get(codeHash)!, price);
      close = claims.end.clk + 1n;
      const left = this.#leave(claims.end, { T, start, gas, tx, where: `${claim}.end` });
      if (left === undefined) return false;
      end = left;
    }
    if (close >> CLK_BITS !== 0n) {
      faults.add("CLAIM_TIME", codeHash === undefined ? claim : `${claim}.end.clk`, "the clock runs out", {
        expected: `below 2^${CLK_BITS}`,
        got: close,
      });
      return false;
    }

    // what is left of the gas
    const used = tx.gasLimit - end.left - end.refund;
    const at2 = (port: bigint) => PORTS * close + port;
    const { endSenderBalance, coinbaseBalance } = claims;
    this.#before(endSenderBalance.t, at2(1n), `${claim}.endSenderBalance`);
    const refunded = endSenderBalance.balance + (tx.gasLimit - used) * price;
    this.#balance(sender, endSenderBalance.balance, endSenderBalance.t, refunded, at2(1n), where);
    const isSender = coinbase === sender;
    this.#present(coinbaseBalance, !isSender, `${claim}.coinbaseBalance`, "needed unless the coinbase is the sender");
    const payee = isSender ? { balance: refunded, t: at2(1n) } : (coinbaseBalance ?? { balance: 0n, t: 0n });
    this.#before(payee.t, at2(2n), `${claim}.coinbaseBalance`);
    this.#balance(coinbase, payee.balance, payee.t, payee.balance + used * (price - baseFee), at2(2n), where);

    this.gasUsed += used;
    const { type } = tx;
    const status = end.status === 1n ? 1 : 0;
    this.receipts.push(receiptOf({ type, status, cumulativeGasUsed: this.gasUsed, logs: end.logs }));
    this.#clk = close + 1n;
    return true;
  }

  #warm({ sender, claims, warmed }: Opened, T: bigint, now: bigint, where: string, claim: string): void {
    const earlier = (lastTx: bigint, path: string) => {
      if (lastTx < T) return;
      this.#faults.add("CLAIM_WARMTH", `${path}.lastTx`, "touched by this transaction or a later one", {
        expected: `below ${T}`,
        got: lastTx,
      });
    };
    for (const [i, address] of warmed.accounts.entries()) {
      const { codeHash, lastTx, t } = claims.accounts[i]!;
      const path = `${claim}.accounts[${i}]`;
      earlier(lastTx, path);
      this.#before(t, now, path);
      if (address === sender && codeHash !== EMPTY_CODE_HASH) {
        this.#faults.add("TX_SENDER_CODE", where, "the sender has code (EIP-3607)", { got: wordToHex(codeHash) });
      }
      this.#receive(accountMessage(address, codeHash, lastTx, t));
      this.#send(accountMessage(address, codeHash, T, now));
    }
    for (const [i, { address, slot }] of warmed.slots.entries()) {
      const cell = claims.slots[i]!;
      const path = `${claim}.slots[${i}]`;
      earlier(cell.lastTx, path);
      this.#before(cell.t, now, path);
      this.#receive(slotMessage(address, slot, cell));
      this.#send(slotMessage(address, slot, { value: cell.value, original: cell.value, lastTx: T, t: now }));
    }
  }

  /** Starts the rows of a root frame. */
  #enter(
    { transaction: tx, sender }: Opened,
    T: bigint,
    start: bigint,
    gas: bigint,
    code: bigint,
    price: bigint,
  ): void {
    const t = PORTS * start + 3n;
    const ctx = start + 1n;
    this.#send(message("JRN", { t, T, j: 2n }));
    this.#send(message("REFUND", { t, T, value: 0n }));
    this.#send(message("LOGS", { t, T, n: 0n }));
    const caller = { code: 0n, pc: 0n, sp: 0n, gas: 0n, msize: 0n, parent: 0n };
    this.#send(message("FRAME", { ctx, ...caller, j0: 0n, refund0: 0n, log0: 0n }));
    this.#send(message("STATE", { clk: start + 2n, ctx, code, pc: 0n, sp: 0n, gas, msize: 0n, mode: 0n }));
    this.frames.set(ctx, {
      code,
      calldata: tx.data,
      ctx: new Map([
        [0x30n, tx.to],
        [0x33n, sender],
        [0x34n, tx.value],
        [0x36n, BigInt(tx.data.length)],
        // nobody was called
        [0x3dn, 0n],
        [CTX_TRANSACTION, T],
      ]),
    });
    this.txenv.set(
      T,
      new Map([
        [0x32n, sender],
        [0x3an, price],
      ]),
    );
  }

  /** Takes what the rows of a root frame left behind; undefined if no rows can have left that. */
  #leave(end: EndClaim, { T, start, gas, tx, where }: Execution): Left | undefined {
    const faults = this.#faults;
    const { clk, status, journal, refund, logs, keccaks } = end;
    if (clk < start + 2n) {
      const expected = `at least ${start + 2n}`;
      faults.add("CLAIM_TIME", `${where}.clk`, "before the first row", { expected, got: clk });
      return undefined;
    }
    if (end.gas > gas) {
      const expected = `at most ${gas}`;
      faults.add("CLAIM_END", `${where}.gas`, "more gas than at the start", { expected, got: end.gas });
      return undefined;
    }
    const spent = gas - end.gas;
    const failed = status === 0n;
    if (failed && refund.value !== 0n) {
      faults.add("CLAIM_END", `${where}.refund.value`, "a failure gives no refund", {
        expected: 0n,
        got: refund.value,
      });
    }
    if (failed && logs.entries.length > 0) {
      const got = String(logs.entries.length);
      faults.add("CLAIM_END", `${where}.logs.entries`, "a failure leaves no logs", { expected: "none", got });
    }
    // the step that ran out of gas may have cost more than was left, but not its memory: that is shown another way
    const most = failed ? spent + KECCAK_GAS + (KECCAK_WORD_GAS * spent) / MEMORY_WORD_GAS : spent;
    const affordable = [
      this.#affordable(keccaks, keccakGas, most, `${where}.keccaks`),
      this.#affordable(logs.entries, logGas, spent, `${where}.logs.entries`),
    ];
    if (affordable.includes(false)) return undefined;
    this.#during(keccaks, start + 2n, clk, `${where}.keccaks`);
    this.#during(logs.entries, start + 2n, clk, `${where}.logs.entries`);

    for (const { clk: at, data } of keccaks) {
      const [hi, lo] = wordHalves(keccak(data));
      const claim = { t: PORTS * at, kind: CLAIM_KECCAK };
      this.#send(message("CLAIM", { ...claim, length: BigInt(data.length), hi, lo }));
      for (const word of wordsOf(data)) this.#send(message("CLAIMWORD", { ...claim, ...word }));
    }
    const now = PORTS * (clk + 1n);
    for (const [name, { t }] of Object.entries({ journal, refund, logs })) this.#before(t, now, `${where}.${name}`);
    this.#receive(message("TXEND", { clk, ctx: start + 1n, gas: end.gas, T, status }));
    this.#receive(message("JRN", { t: journal.t, T, j: journal.j }));
    this.#receive(message("REFUND", { t: refund.t, T, value: refund.value }));
    this.#receive(message("LOGS", { t: logs.t, T, n: BigInt(logs.entries.length) }));
    for (const [n, log] of logs.entries.entries()) this.#log(T, BigInt(n), log);
    this.executed += spent;
    this.executions++;
    if (failed) this.failures++;
    const limit = (tx.gasLimit - end.gas) / REFUND_QUOTIENT;
    return {
      status,
      left: end.gas,
      refund: refund.value < limit ? refund.value : limit,
      logs: logs.entries.map(({ address, topics, data }) => ({ address, topics, data })),
    };
  }

  /** Whether an execution can have paid for its claims: to be asked before any work on them. */
  #affordable<T>(claims: readonly T[], cost: (claim: T) => bigint, most: bigint, where: string): boolean {
    const got = claims.reduce((sum, claim) => sum + cost(claim), 0n);
    if (got <= most) return true;
    const expected = `at most ${most} gas`;
    this.#faults.add("CLAIM_SIZE", where, "more than the gas used pays for", { expected, got: `${got} gas` });
    return false;
  }

  /** The rows of an execution have these clk, the one that ends it excepted. */
  #during(claims: readonly { readonly clk: bigint }[], first: bigint, end: bigint, where: string): void {
    for (const [i, { clk }] of claims.entries()) {
      if (clk >= first && clk < end) continue;
      this.#faults.add("CLAIM_TIME", `${where}[${i}].clk`, "at no row of this execution", {
        expected: `${first} or more, below ${end}`,
        got: clk,
      });
    }
  }

  #log(T: bigint, n: bigint, { clk, address, topics, data }: LogClaim): void {
    const halves = [0, 1, 2, 3].map((i) => wordHalves(topics[i] ?? 0n));
    const [[topic1Hi, topic1Lo], [topic2Hi, topic2Lo], [topic3Hi, topic3Lo], [topic4Hi, topic4Lo]] = halves as [
      ...[Halves, Halves, Halves, Halves],
    ];
    this.#receive(
      message("LOG", {
        ...{ t: PORTS * clk + LOG_PORT, T, n, address, length: BigInt(data.length), topics: BigInt(topics.length) },
        ...{ topic1Hi, topic1Lo, topic2Hi, topic2Lo, topic3Hi, topic3Lo, topic4Hi, topic4Lo },
      }),
    );
    for (const word of wordsOf(data)) this.#receive(message("LOGDATA", { t: PORTS * clk, ...word }));
  }
}

const tooMany = (what: string, most: bigint, got: number): VerifierError | undefined =>
  BigInt(got) <= most
    ? undefined
    : new VerifierError(`more ${what} than the gas used pays for`, {
        code: "CLAIM_SIZE",
        where: what,
        expected: `at most ${most}`,
        got: String(got),
      });

/** Whether there are more transactions than the header's gas pays for: to be asked before any work on them. */
export const transactionsFault = (count: number, header: Header): VerifierError | undefined =>
  tooMany("transactions", header.gasUsed / LEAST_GAS_USED, count);

/** Whether there are more chunks than the rows can fill: to be asked before any work on them. */
export const chunksFault = (count: number, { maxChunks }: BoundaryOutline): VerifierError | undefined =>
  tooMany("chunks", maxChunks, count);

/** Pairs each transaction with its claims. Without that nothing else can be said. */
function open({ header, transactions, claims }: BoundaryInput, faults: Faults): Opened[] | undefined {
  const crowd = transactionsFault(transactions.length, header);
  if (crowd !== undefined) {
    faults.push(crowd);
    return undefined;
  }
  const counted = (got: number, expected: number, where: string): void => {
    if (got === expected) return;
    faults.add("CLAIM_COVER", where, "not one for each", { expected: `${expected} entries`, got: String(got) });
  };
  counted(claims.transactions.length, transactions.length, "claims.transactions");
  if (faults.list.length > 0) return undefined;
  // those that nobody asks about are left out: whether they are warm makes no difference
  const precompiles = claims.cells.accounts.map(({ address }) => address).filter(isPrecompile);
  const opened = transactions.map((signed, index): Opened => {
    const own = claims.transactions[index]!;
    const warmed = warmedBy(signed, header.beneficiary, precompiles);
    counted(own.accounts.length, warmed.accounts.length, `claims.transactions[${index}].accounts`);
    counted(own.slots.length, warmed.slots.length, `claims.transactions[${index}].slots`);
    const codeHash = own.accounts[warmed.accounts.indexOf(signed.transaction.to)]?.codeHash;
    return { ...signed, index, claims: own, warmed, codeHash: codeHash === EMPTY_CODE_HASH ? undefined : codeHash };
  });
  return faults.list.length > 0 ? undefined : opened;
}

/** The lists of cells hold what the transactions touch, and no more than their steps may have touched beside. */
function checkCells(
  opened: readonly Opened[],
  coinbase: bigint,
  { executed, executions, failures }: Rows,
  cells: CellClaims,
  faults: Faults,
) {
  /** How many cells steps can have touched that cost so much each; the last step of a failure may not have paid. */
  const paidFor = (gas: bigint): bigint => executed / gas + failures;
  const untouched = (where: string, got: string) =>
    faults.add("CLAIM_COVER", where, "no transaction touches this", { got });
  /** To be said of the first only. */
  const costly = (what: string, where: string) =>
    faults.add("CLAIM_SIZE", where, `more ${what} than the gas used pays for`);

  const listed = new Set(cells.accounts.map(({ address }) => address));
  /** Covers what transactions touch; beside that there may be cells of listed accounts, if there are steps. */
  const covers = (
    found: readonly { readonly address: bigint }[],
    touched: Iterable<bigint>,
    where: string,
    more = executions === 0n ? 0n : BigInt(found.length),
  ): void => {
    const missing = new Set(touched);
    let left = more;
    for (const [i, { address }] of found.entries()) {
      if (missing.delete(address)) continue;
      if (executions === 0n || !listed.has(address)) untouched(`${where}[${i}]`, addressToHex(address));
      else if (left-- === 0n) costly("accounts", `${where}[${i}]`);
    }
    for (const address of missing) {
      faults.add("CLAIM_COVER", where, "a touched cell is missing", { expected: addressToHex(address) });
    }
  };
  const senders = opened.map(({ sender }) => sender);
  const recipients = opened.map(({ transaction }) => transaction.to);
  covers(
    cells.balances,
    [...senders, ...recipients, ...(opened.length > 0 ? [coinbase] : [])],
    "claims.cells.balances",
  );
  covers(cells.nonces, senders, "claims.cells.nonces");
  covers(
    cells.accounts,
    opened.flatMap(({ warmed }) => warmed.accounts),
    "claims.cells.accounts",
    paidFor(COLD_ACCOUNT_GAS),
  );

  const withCode = new Set(
    opened.filter(({ codeHash }) => codeHash !== undefined).map(({ transaction }) => transaction.to),
  );
  /** Slots of accounts whose code runs. */
  const slotsOf = (
    found: readonly { readonly address: bigint; readonly slot: bigint }[],
    touched: ReadonlyMap<bigint, Set<bigint>>,
    where: string,
    most: bigint,
  ): void => {
    let more = most;
    for (const [i, { address, slot }] of found.entries()) {
      if (touched.get(address)?.delete(slot)) continue;
      if (!withCode.has(address)) untouched(`${where}[${i}]`, `${addressToHex(address)} ${wordToHex(slot)}`);
      else if (more-- === 0n) costly("slots", `${where}[${i}]`);
    }
  };
  const missing = new Map<bigint, Set<bigint>>();
  for (const { address, slot } of opened.flatMap(({ warmed }) => warmed.slots)) {
    missing.set(address, (missing.get(address) ?? new Set()).add(slot));
  }
  slotsOf(cells.slots, missing, "claims.cells.slots", paidFor(COLD_SLOT_GAS));
  for (const [address, slots] of missing) {
    for (const slot of slots) {
      faults.add("CLAIM_COVER", "claims.cells.slots", "a touched cell is missing", {
        expected: `${addressToHex(address)} ${wordToHex(slot)}`,
      });
    }
  }
  slotsOf(cells.transients, new Map(), "claims.cells.transients", paidFor(TRANSIENT_GAS));
}

const environment = (header: Header, chainId: bigint): ReadonlyMap<bigint, bigint> =>
  new Map([
    [0x41n, header.beneficiary],
    [0x42n, header.timestamp],
    [0x43n, header.number],
    [0x44n, header.prevRandao],
    [0x45n, header.gasLimit],
    [0x46n, chainId],
    [0x48n, header.baseFeePerGas],
    [0x4an, blobBaseFee(header.excessBlobGas)],
  ]);

const absent = (faults: Faults, table: keyof LookupClaims, i: number, got: string): void =>
  faults.add("CLAIM_LOOKUP", `claims.lookups.${table}[${i}]`, "the table has no such entry", { got });

/** Received as often as it was asked for. */
const entry = <N extends TagName>(tag: N, fields: MessageFields[N], multiplicity: bigint): Message =>
  message(tag, fields, -multiplicity);

/** The first block whose hash a block of this number can ask for. */
const firstAncestor = (number: bigint): bigint => (number > ANCESTORS ? number - ANCESTORS : 0n);

/** Entries of the tables that need no state; of the others, whether they are too many, and what is known to be wrong. */
function tableMessages(
  rows: Rows,
  { number }: Header,
  env: ReadonlyMap<bigint, bigint>,
  lookups: LookupClaims,
  faults: Faults,
) {
  const messages: Message[] = [];
  const { steps } = rows;
  const within = (table: keyof LookupClaims, most: bigint): boolean => {
    if (BigInt(lookups[table].length) <= most) return true;
    faults.add("CLAIM_SIZE", `claims.lookups.${table}`, "more entries than the gas used pays for", {
      expected: `at most ${most}`,
      got: String(lookups[table].length),
    });
    return false;
  };
  const add = <N extends TagName>(tag: N, fields: MessageFields[N], multiplicity: bigint) =>
    messages.push(entry(tag, fields, multiplicity));

  within("code", CODE_LOOKUPS * steps);
  // a copy pays for each word, with its memory even where it fails
  within("codeword", steps);
  for (const [i, { n }] of lookups.blockhash.entries()) {
    if (n >= number || n < firstAncestor(number)) absent(faults, "blockhash", i, `block ${n}`);
  }
  for (const [i, { ctx, field, multiplicity }] of lookups.ctx.entries()) {
    const frame = rows.frames.get(ctx);
    if (frame !== undefined && field === CTX_CODESIZE) continue;
    const value = frame?.ctx.get(field);
    if (value === undefined) {
      absent(faults, "ctx", i, `context ${ctx}, field ${field}`);
      continue;
    }
    const [hi, lo] = wordHalves(value);
    add("CTX", { ctx, hi, lo, field }, multiplicity);
  }
  for (const [i, { T, field, multiplicity }] of lookups.txenv.entries()) {
    const value = rows.txenv.get(T)?.get(field);
    if (value === undefined) {
      absent(faults, "txenv", i, `transaction ${T}, field ${field}`);
      continue;
    }
    const [hi, lo] = wordHalves(value);
    add("TXENV", { T, hi, lo, field }, multiplicity);
  }
  for (const [i, { field, multiplicity }] of lookups.env.entries()) {
    const value = env.get(field);
    if (value === undefined) {
      absent(faults, "env", i, `field ${field}`);
      continue;
    }
    const [hi, lo] = wordHalves(value);
    add("ENV", { hi, lo, field }, multiplicity);
  }
  if (within("range", RANGE_LOOKUPS * steps)) {
    for (const [i, { bits, value, multiplicity }] of lookups.range.entries()) {
      const tag = RANGES.get(bits);
      if (tag === undefined || value >> bits !== 0n) absent(faults, "range", i, `${value} of ${bits} bits`);
      else add(tag, { value }, multiplicity);
    }
  }
  if (within("calldata", steps)) {
    for (const [i, { ctx, offset, multiplicity }] of lookups.calldata.entries()) {
      const data = rows.frames.get(ctx)?.calldata;
      if (data === undefined || offset >= BigInt(data.length)) {
        absent(faults, "calldata", i, `context ${ctx}, offset ${offset}`);
        continue;
      }
      const [hi, lo] = wordAt(data, Number(offset));
      add("CALLDATA", { ctx, offset, hi, lo }, multiplicity);
    }
  }
  for (const { s, multiplicity } of lookups.pow2) {
    const [hi, lo] = wordHalves(1n << s);
    add("POW2", { s, hi, lo }, multiplicity);
  }
  if (within("and", RANGE_LOOKUPS * steps)) {
    for (const { a, b, multiplicity } of lookups.and) add("AND", { a, b, c: a & b }, multiplicity);
  }
  // asked by the step that fails
  if (within("opcode", rows.failures)) {
    for (const [i, { class: opcodeClass, n, multiplicity }] of lookups.opcode.entries()) {
      const found = opcodeEntry(Number(opcodeClass), Number(n));
      if (found === undefined) {
        absent(faults, "opcode", i, `class ${opcodeClass}, n ${n}`);
        continue;
      }
      const { min, max, defined } = found;
      const fields = { class: opcodeClass, n, min: BigInt(min), max: BigInt(max), defined: BigInt(defined) };
      add("OPCODE", fields, multiplicity);
    }
  }
  return messages;
}

/** The block's codes in ascending order of hash: those of recipients, and those that CODEID is asked for. */
function outlineCodes(opened: readonly Opened[], { cells, lookups }: BlockClaims, faults: Faults): OutlinedCode[] {
  const codes = new Map<bigint, OutlinedCode>();
  for (const { codeHash: hash, transaction, index } of opened) {
    if (hash === undefined || codes.has(hash)) continue;
    codes.set(hash, { hash, address: transaction.to, where: `transactions[${index}].to`, executed: true });
  }
  const asked = new Set(lookups.codeid.map(({ hash }) => hash));
  for (const [i, { address, codeHash: hash }] of cells.accounts.entries()) {
    // an account without code has no code to be listed; each hash needs one account that has it
    if (!asked.delete(hash) || hash === EMPTY_CODE_HASH || codes.has(hash)) continue;
    codes.set(hash, { hash, address, where: `claims.cells.accounts[${i}].codeHash`, executed: false });
  }
  for (const [i, { hash }] of lookups.codeid.entries()) {
    if (asked.has(hash) && hash !== EMPTY_CODE_HASH) absent(faults, "codeid", i, `hash ${wordToHex(hash)}`);
  }
  return [...codes.values()].sort((a, b) => byValue(a.hash, b.hash));
}

/**
 * The part of the boundary that needs no state, and all checks of protocol section 7 that are possible without it. What it
 * asks of the state afterwards is bounded by the block's gas.
 */
export function outlineBoundary(input: BoundaryInput): Checked<BoundaryOutline> {
  const faults = new Faults();
  const none = (): Checked<BoundaryOutline> => ({ value: undefined, faults: faults.list });
  const { chainId, header, claims } = input;
  const form = canonicalFault(blockClaims, claims, "claims");
  if (form !== undefined) {
    faults.push(form);
    return none();
  }
  const opened = open(input, faults);
  if (opened === undefined) return none();

  const codes = outlineCodes(opened, claims, faults);
  const rows = new Rows(faults, header, new Map(codes.map(({ hash }, id) => [hash, BigInt(id)])));
  if (!opened.every((each) => rows.add(each))) return none();
  if (BigInt(codes.length) >> CODE_BITS !== 0n) {
    faults.add("CLAIM_SIZE", "transactions", "more codes than the circuits count", {
      expected: `below 2^${CODE_BITS}`,
      got: String(codes.length),
    });
  }
  checkCells(opened, header.beneficiary, rows, claims.cells, faults);
  const tables = tableMessages(rows, header, environment(header, chainId), claims.lookups, faults);
  const parent = { number: header.number - 1n, hash: header.parentHash };
  return faults.checked({
    claims,
    begins: rows.messages,
    tables,
    codes,
    frames: new Map([...rows.frames].map(([ctx, { code }]) => [ctx, code])),
    ancestors: claims.lookups.blockhash.map(({ n }) => n).filter((n) => n !== parent.number),
    parent,
    maxChunks: rows.executions === 0n ? 0n : rows.steps + SPARE_CHUNKS,
    receipts: rows.receipts,
    gasUsed: rows.gasUsed,
  });
}

/** What the caller promised to have looked up. */
function stateOf<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new VerifierError("a touched cell was not read from the state", { code: "STATE_INVALID", where: what });
}

/** Initial and final message of every cell, and what the block changes. */
function cellMessages(cells: CellClaims, state: TouchedState): { messages: Message[]; stateDiff: StateDiff } {
  const messages: Message[] = [];
  const changes = new Map<bigint, { address: bigint; nonce: bigint | undefined; balance: bigint | undefined }>();
  const accountOf = (address: bigint) => stateOf(state.accounts.get(address), addressToHex(address));
  const changeOf = (address: bigint) => {
    const change = changes.get(address) ?? { address, nonce: undefined, balance: undefined };
    changes.set(address, change);
    return change;
  };
  for (const { address, balance, t } of cells.balances) {
    const before = accountOf(address).balance;
    messages.push(balanceMessage(address, before, 0n), received(balanceMessage(address, balance, t)));
    if (balance !== before) changeOf(address).balance = balance;
  }
  for (const { address, ...cell } of cells.nonces) {
    const { nonce } = accountOf(address);
    messages.push(nonceMessage(address, { nonce, createdTx: 0n, t: 0n }), received(nonceMessage(address, cell)));
    if (cell.nonce !== nonce) changeOf(address).nonce = cell.nonce;
  }
  for (const { address, codeHash, lastTx, t } of cells.accounts) {
    messages.push(
      accountMessage(address, accountOf(address).codeHash, 0n, 0n),
      received(accountMessage(address, codeHash, lastTx, t)),
    );
  }
  const slots: StateDiff["slots"][number][] = [];
  for (const { address, slot, ...cell } of cells.slots) {
    const value = stateOf(state.slots.get(address)?.get(slot), `${addressToHex(address)} ${wordToHex(slot)}`);
    messages.push(
      slotMessage(address, slot, { value, original: value, lastTx: 0n, t: 0n }),
      received(slotMessage(address, slot, cell)),
    );
    if (cell.value !== value) slots.push({ address, slot, value: cell.value });
  }
  for (const { address, slot, ...cell } of cells.transients) {
    messages.push(
      transientMessage(address, slot, { value: 0n, lastTx: 0n, t: 0n }),
      received(transientMessage(address, slot, cell)),
    );
  }
  const accounts = [...changes.values()].sort((a, b) => byValue(a.address, b.address));
  return { messages, stateDiff: { accounts, slots } };
}

/** The codes by position, as the state has them. */
function codesOf(outline: BoundaryOutline, state: TouchedState, faults: Faults): Code[] {
  return outline.codes.flatMap(({ hash, address, where, executed }) => {
    const code = state.codes.get(hash);
    if (code === undefined) {
      faults.add("CLAIM_CODE", where, executed ? "not the code of the recipient" : "not the code of the account", {
        expected: wordToHex(stateOf(state.accounts.get(address), addressToHex(address)).codeHash),
        got: wordToHex(hash),
      });
      return [];
    }
    if (code.end >> Number(CODE_BITS) !== 0) {
      faults.add(executed ? "TX_RECIPIENT" : "CLAIM_CODE", where, "more code than the circuits count", {
        expected: `below 2^${CODE_BITS} bytes`,
        got: `${code.bytes.length} bytes`,
      });
    }
    return [code];
  });
}

/** Entries of the tables that need the state. */
function stateTables(
  { claims: { lookups }, codes: outlined, frames, parent }: BoundaryOutline,
  codes: readonly Code[],
  { blockHashes }: TouchedState,
  faults: Faults,
): Message[] {
  const messages: Message[] = [];
  for (const [i, { code, pc, multiplicity }] of lookups.code.entries()) {
    const found = codes[Number(code)]?.entry(Number(pc));
    if (found === undefined) {
      absent(faults, "code", i, `code ${code}, pc ${pc}`);
      continue;
    }
    const { immHi, immLo, isInstr, n } = found;
    const fields = { code, pc, immHi, immLo, class: BigInt(found.class), n: BigInt(n), isInstr: BigInt(isInstr) };
    messages.push(entry("CODE", fields, multiplicity));
  }
  for (const [i, { code, offset, multiplicity }] of lookups.codeword.entries()) {
    const bytes = codes[Number(code)]?.bytes;
    if (bytes === undefined || offset >= BigInt(bytes.length)) {
      absent(faults, "codeword", i, `code ${code}, offset ${offset}`);
      continue;
    }
    const [hi, lo] = wordAt(bytes, Number(offset));
    messages.push(entry("CODEWORD", { code, offset, hi, lo }, multiplicity));
  }
  const ids = new Map(outlined.map(({ hash }, id) => [hash, id]));
  for (const { hash, multiplicity } of lookups.codeid) {
    const [hashHi, hashLo] = wordHalves(hash);
    const id = ids.get(hash);
    const [code, length] = id === undefined ? [NO_CODE_ID, 0n] : [BigInt(id), BigInt(codes[id]!.bytes.length)];
    messages.push(entry("CODEID", { code, length, hashHi, hashLo }, multiplicity));
  }
  for (const { ctx, field, multiplicity } of lookups.ctx) {
    if (field !== CTX_CODESIZE) continue;
    const lo = BigInt(codes[Number(frames.get(ctx)!)]!.bytes.length);
    messages.push(entry("CTX", { ctx, hi: 0n, lo, field }, multiplicity));
  }
  for (const [i, { n, multiplicity }] of lookups.blockhash.entries()) {
    const hash = n === parent.number ? parent.hash : blockHashes.get(n);
    if (hash === undefined) {
      faults.add("BLOCK_ANCESTRY", `claims.lookups.blockhash[${i}]`, "the hash of this block isn't known here", {
        got: `block ${n}`,
      });
      continue;
    }
    const [hi, lo] = wordHalves(hash);
    messages.push(entry("BLOCKHASH", { n, hi, lo }, multiplicity));
  }
  return messages;
}

/**
 * The native messages of a block, from what was outlined and the state before the block.
 *
 * @throws VerifierError `STATE_INVALID` if the state lacks a cell of the claims
 */
export function completeBoundary(outline: BoundaryOutline, state: TouchedState): Checked<Boundary> {
  const faults = new Faults();
  const { messages, stateDiff } = cellMessages(outline.claims.cells, state);
  const { begins, tables, receipts, gasUsed, codes } = outline;
  const found = codesOf(outline, state, faults);
  // without its codes there is nothing to look into
  const looked = faults.list.length > 0 ? [] : stateTables(outline, found, state, faults);
  return faults.checked({
    // one list: whatever the transcript doesn't hash isn't on the bus
    messages: [...messages, ...begins, ...looked, ...tables],
    receipts,
    gasUsed,
    stateDiff,
    codes: codes.map(({ hash }) => hash),
  });
}

/**
 * {@link outlineBoundary} and {@link completeBoundary}: the whole boundary, for those who have the state at hand.
 *
 * @returns the one list of native messages with what else follows from it, or the faults
 * @throws VerifierError `STATE_INVALID` if the state lacks a cell of the claims
 */
export function boundaryMessages(input: BoundaryInput & { readonly state: TouchedState }): Checked<Boundary> {
  const outline = outlineBoundary(input);
  return outline.value === undefined ? outline : completeBoundary(outline.value, input.state);
}
