/**
 * From a trace to rows: replays every transaction on the {@link Machine}, plays BEGIN and END of each as the verifier will
 * (docs/protocol.md, section 7), and writes down the claims.
 *
 * @module
 */

import { assignFailure, assignStep, type Frame } from "../rows/index.js";
import { cellKey, openCounters } from "../rows/journal.js";
import { type CellTag, Machine, type Rows } from "../rows/machine.js";
import { logDataKey } from "../rows/read.js";
import { assignSink } from "../rows/sink.js";
import { assignSinkjournal } from "../rows/sinkjournal.js";
import type { Trace, TraceExecution, TraceStep } from "../trace/format.js";
import { OP } from "../trace/opcodes.js";
import type {
  BalanceClaim,
  BlockClaims,
  CellClaims,
  EndClaim,
  LogClaim,
  TransactionClaims,
} from "../verifier/claims.js";
import { Code, isPrecompile, NO_CODE_ID } from "../verifier/ethereum/code.js";
import { blobBaseFee } from "../verifier/ethereum/header.js";
import { effectiveGasPrice, recoverSender, type Transaction } from "../verifier/ethereum/transaction.js";
import { EMPTY_CODE_HASH, joinHalves, keccak, uintToBytes, wordHalves } from "../verifier/ethereum/words.js";
import type { MessageFields } from "../verifier/tags.generated.js";
import { BlockError } from "./errors.js";
import { type PreAccount, type Prepared, prepareBlock } from "./prepare.js";

/** A block as rows and claims; multiplicities of lookups are still to be counted. */
export interface BuiltBlock extends Prepared {
  /** Position in the block's list of codes, by hash. */
  readonly codeIds: ReadonlyMap<bigint, number>;
  readonly rows: Rows;
  readonly claims: Omit<BlockClaims, "lookups">;
  /** Steps of the EVM. */
  readonly steps: number;
}

const { account: addressKey, storage: slotKey } = cellKey;
const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Assigns the rows of a block.
 *
 * @throws BlockError `BLOCK_PRESTATE`, `BLOCK_TRACE`; VerifierError where a transaction or the header is not what it must
 *   be; RowError.
 */
export function buildBlock(trace: Trace): BuiltBlock {
  const prepared = prepareBlock(trace);
  // the list of codes, and with it the ids in the rows, also has those that rows ask for by their hash
  let listed: ReadonlySet<bigint> = prepared.run;
  for (;;) {
    const builder = new Builder(prepared, trace, listed);
    const built = builder.build();
    if (builder.unlisted.size === 0) return built;
    listed = new Set([...listed, ...builder.unlisted]);
  }
}

/** Opcodes that have an address on top of the stack, with how many items they need: with fewer they touch nothing. */
const TAKE_ADDRESS: ReadonlyMap<number, number> = new Map([
  [OP.BALANCE, 1],
  [OP.EXTCODESIZE, 1],
  [OP.EXTCODECOPY, 4],
  [OP.EXTCODEHASH, 1],
]);

/** Precompiles whose accounts are touched: they are warm from the start of every transaction (EIP-2929). */
function touchedPrecompiles({ transactions }: Prepared, { executions }: Trace): bigint[] {
  const touched = transactions.flatMap(({ accessList }) => accessList.map(({ address }) => address));
  for (const { steps } of executions) {
    for (const { op, stack } of steps) {
      const items = TAKE_ADDRESS.get(op);
      if (items !== undefined && stack.length >= items) touched.push(BigInt.asUintN(160, stack.at(-1)!));
    }
  }
  return [...new Set(touched)].filter(isPrecompile);
}

/** One block under way. */
class Builder {
  /** Codes that rows asked for and that have no id yet. */
  readonly unlisted = new Set<bigint>();
  readonly #machine: Machine;
  readonly #prepared: Prepared;
  readonly #executions: readonly TraceExecution[];
  readonly #codeIds: ReadonlyMap<bigint, number>;
  readonly #precompiles: readonly bigint[];
  readonly #env: ReadonlyMap<number, bigint>;
  /** Slots before the block, of accounts whose slots were touched. */
  readonly #slots = new Map<bigint, ReadonlyMap<bigint, bigint>>();
  #steps = 0;

  constructor(prepared: Prepared, trace: Trace, listed: ReadonlySet<bigint>) {
    this.#prepared = prepared;
    this.#executions = trace.executions;
    this.#precompiles = touchedPrecompiles(prepared, trace);
    this.#codeIds = new Map([...listed].sort(ascending).map((hash, i) => [hash, i]));
    const none = { clk: 0n, ctx: 0n, code: 0n, pc: 0n, sp: 0n, gas: 0n, msize: 0n };
    this.#machine = new Machine(none, (tag, key) => this.#origin(tag, key));
    const { header, chainId } = prepared;
    this.#env = new Map([
      [OP.COINBASE, header.beneficiary],
      [OP.TIMESTAMP, header.timestamp],
      [OP.NUMBER, header.number],
      [OP.PREVRANDAO, header.prevRandao],
      [OP.GASLIMIT, header.gasLimit],
      [OP.CHAINID, chainId],
      [OP.BASEFEE, header.baseFeePerGas],
      [OP.BLOBBASEFEE, blobBaseFee(header.excessBlobGas)],
    ]);
  }

  build(): BuiltBlock {
    let start = 1n;
    const claims = this.#prepared.transactions.map((tx, i) => {
      const { claim, end } = this.#transaction(tx, BigInt(i + 1), start, this.#executions[i]!);
      start = end + 1n;
      return claim;
    });
    return {
      ...this.#prepared,
      codeIds: this.#codeIds,
      rows: this.#machine.rows,
      claims: { preState: this.#prepared.preState, transactions: claims, cells: this.#cells() },
      steps: this.#steps,
    };
  }

  /** What cells hold before the block. */
  #origin(tag: CellTag, key: string): Record<string, bigint> | undefined {
    const [address, slot] = key.split(":").map(BigInt) as [bigint, bigint];
    switch (tag) {
      case "BALANCE": {
        const [hi, lo] = wordHalves(this.#account(address).balance);
        return { address, hi, lo };
      }
      case "NONCE":
        return { address, nonce: this.#account(address).nonce, createdTx: 0n };
      case "ACCOUNT": {
        const [hashHi, hashLo] = wordHalves(this.#account(address).codeHash);
        return { address, lastTx: 0n, hashHi, hashLo };
      }
      case "STORAGE": {
        let slots = this.#slots.get(address);
        if (slots === undefined) {
          slots = new Map(this.#account(address).storage);
          this.#slots.set(address, slots);
        }
        const value = slots.get(slot);
        if (value === undefined) {
          throw new BlockError("the trace lacks a slot that the block touches", {
            code: "BLOCK_PRESTATE",
            where: `0x${address.toString(16).padStart(40, "0")}, slot 0x${slot.toString(16)}`,
          });
        }
        return storageFields(address, slot, { value, original: value, lastTx: 0n });
      }
      case "TRANSIENT": {
        const [slotHi, slotLo] = wordHalves(slot);
        return { address, slotHi, slotLo, lastTx: 0n, valueHi: 0n, valueLo: 0n };
      }
      default:
        return undefined;
    }
  }

  #account(address: bigint): PreAccount {
    const account = this.#prepared.accounts.get(address);
    if (account !== undefined) return account;
    throw new BlockError("the trace lacks an account that the block touches", {
      code: "BLOCK_PRESTATE",
      where: `0x${address.toString(16).padStart(40, "0")}`,
    });
  }

  #giveBalance(address: bigint, balance: bigint, now: bigint): void {
    const [hi, lo] = wordHalves(balance);
    this.#machine.give("BALANCE", addressKey(address), { address, hi, lo }, now);
  }

  /** Takes a balance and puts another in its place. */
  #balance(address: bigint, now: bigint, change: (balance: bigint) => bigint): BalanceClaim {
    const { hi, lo, tOld } = this.#machine.take("BALANCE", addressKey(address), now);
    const balance = joinHalves(hi, lo);
    this.#giveBalance(address, change(balance), now);
    return { balance, t: tOld };
  }

  #transaction(
    tx: Transaction,
    T: bigint,
    start: bigint,
    execution: TraceExecution,
  ): { claim: TransactionClaims; end: bigint } {
    const m = this.#machine;
    const { header } = this.#prepared;
    const t = (port: bigint) => 16n * start + port;
    const sender = recoverSender(tx, `transaction ${T}`);
    const price = effectiveGasPrice(tx, header.baseFeePerGas, `transaction ${T}`);

    const senderBalance = this.#balance(sender, t(0n), (balance) => balance - tx.gasLimit * price);
    const { nonce, createdTx, tOld: nonceTime } = m.take("NONCE", addressKey(sender), t(0n));
    m.give("NONCE", addressKey(sender), { address: sender, nonce: nonce + 1n, createdTx }, t(0n));

    const listed = tx.accessList.map(({ address }) => address);
    const warm = new Set([sender, tx.to, header.beneficiary, ...listed, ...this.#precompiles]);
    const accounts = [...warm].sort(ascending).map((address) => {
      const { lastTx, hashHi, hashLo, tOld } = m.take("ACCOUNT", addressKey(address), t(1n));
      m.give("ACCOUNT", addressKey(address), { address, lastTx: T, hashHi, hashLo }, t(1n));
      return { codeHash: joinHalves(hashHi, hashLo), lastTx, t: tOld };
    });
    const slots = this.#warmSlots(tx, T, t(1n));

    const before = joinHalves(...this.#halves(sender));
    this.#balance(sender, t(2n), (balance) => balance - tx.value);
    const recipient = this.#balance(tx.to, t(3n), (balance) => balance + tx.value);
    const codeHash = this.#account(tx.to).codeHash;

    let end: EndClaim | undefined;
    if (codeHash !== EMPTY_CODE_HASH) {
      for (const [j, address, balance, port] of [
        [0n, sender, before, 2n],
        [1n, tx.to, recipient.balance, 3n],
      ] as const) {
        const [valueHi, valueLo] = wordHalves(balance);
        const none = { slotHi: 0n, slotLo: 0n, lastTx: 0n, origHi: 0n, origLo: 0n };
        m.give("JOURNAL", cellKey.journal(T, j), { T, j, space: 2n, address, valueHi, valueLo, ...none }, t(port));
      }
      openCounters(m, T, t(3n), 2n);
      end = this.#execute(tx, T, start, sender, price, codeHash, execution);
    } else if (execution.steps.length > 0) {
      throw new BlockError("steps, but no code at the recipient", { code: "BLOCK_TRACE", where: `transaction ${T}` });
    }

    const clk = end === undefined ? start + 2n : end.clk + 1n;
    const left = end === undefined ? tx.gasLimit - tx.intrinsicGas : end.gas;
    const used = tx.gasLimit - left;
    const counter = end?.refund.value ?? 0n;
    const refund = counter < used / 5n ? counter : used / 5n;
    const [at1, at2] = [16n * clk + 1n, 16n * clk + 2n];
    const endSenderBalance = this.#balance(sender, at1, (balance) => balance + (left + refund) * price);
    const fee = (used - refund) * (price - header.baseFeePerGas);
    const coinbaseBalance = this.#balance(header.beneficiary, at2, (balance) => balance + fee);
    return {
      claim: {
        senderBalance,
        senderNonce: { nonce, createdTx, t: nonceTime },
        accounts,
        slots,
        recipientBalance: tx.to === sender ? undefined : recipient,
        end,
        endSenderBalance,
        coinbaseBalance: header.beneficiary === sender ? undefined : coinbaseBalance,
      },
      end: clk,
    };
  }

  #halves(address: bigint): [bigint, bigint] {
    const { hi, lo } = this.#machine.peek("BALANCE", addressKey(address));
    return [hi, lo];
  }

  #warmSlots(tx: Transaction, T: bigint, now: bigint): TransactionClaims["slots"] {
    const keys = new Map<string, readonly [bigint, bigint]>();
    for (const { address, storageKeys } of tx.accessList) {
      for (const slot of storageKeys) keys.set(slotKey(address, slot), [address, slot]);
    }
    return [...keys]
      .sort(([, a], [, b]) => ascending(a[0], b[0]) || ascending(a[1], b[1]))
      .map(([key, [address, slot]]) => {
        const { valueHi, valueLo, origHi, origLo, lastTx, tOld } = this.#machine.take("STORAGE", key, now);
        const value = joinHalves(valueHi, valueLo);
        this.#machine.give("STORAGE", key, storageFields(address, slot, { value, original: value, lastTx: T }), now);
        return { value, original: joinHalves(origHi, origLo), lastTx, t: tOld };
      });
  }

  /** Runs the recipient's code. */
  #execute(
    tx: Transaction,
    T: bigint,
    start: bigint,
    sender: bigint,
    price: bigint,
    codeHash: bigint,
    { steps }: TraceExecution,
  ): EndClaim {
    const m = this.#machine;
    const bytes = this.#prepared.codes.get(codeHash);
    if (bytes === undefined || keccak(bytes) !== codeHash) {
      throw new BlockError("the trace lacks the code of a recipient", {
        code: "BLOCK_PRESTATE",
        where: `transaction ${T}`,
      });
    }
    const ctx = start + 1n;
    const codeId = BigInt(this.#codeIds.get(codeHash)!);
    const frame: Frame = {
      T,
      code: new Code(bytes),
      codeId,
      address: tx.to,
      calldata: tx.data,
      context: new Map([
        [OP.CALLER, sender],
        [OP.ADDRESS, tx.to],
        [OP.CALLVALUE, tx.value],
        [OP.CALLDATASIZE, BigInt(tx.data.length)],
        [OP.CODESIZE, BigInt(bytes.length)],
        [OP.RETURNDATASIZE, 0n],
      ]),
      txenv: new Map([
        [OP.ORIGIN, sender],
        [OP.GASPRICE, price],
      ]),
      env: this.#env,
      blockHash: (n) => this.#blockHash(n, T),
      codeOf: (hash) => this.#codeOf(hash, T),
    };
    m.enter({ clk: start + 2n, ctx, code: codeId, pc: 0n, sp: 0n, gas: tx.gasLimit - tx.intrinsicGas, msize: 0n });
    if (steps.length === 0) {
      throw new BlockError("no steps, though the recipient has code", {
        code: "BLOCK_TRACE",
        where: `transaction ${T}`,
      });
    }
    let ended: ReturnType<typeof assignStep>;
    for (const [i, step] of steps.entries()) {
      const where = `transaction ${T}, step ${i}`;
      if (ended !== undefined) throw new BlockError("a step after the end", { code: "BLOCK_TRACE", where });
      this.#compare(step, where);
      ended = assignStep(m, frame);
      this.#steps++;
    }
    if (ended === undefined) {
      throw new BlockError("the execution does not end", { code: "BLOCK_TRACE", where: `transaction ${T}` });
    }
    const end = this.#close(T, ended === "failed" ? assignFailure(m, frame) : ended);
    for (const { cell } of m.live("STACK")) assignSink(m, "STACK", cell);
    for (const { cell } of m.live("MEMORY")) assignSink(m, "MEMORY", cell);
    for (const { cell } of m.live("JOURNAL")) assignSinkjournal(m, cell);
    return end;
  }

  #blockHash(n: bigint, T: bigint): bigint {
    const hash = this.#prepared.blockHashes.get(n);
    if (hash !== undefined) return hash;
    throw new BlockError("the trace lacks the hash of a block", {
      code: "BLOCK_PRESTATE",
      where: `transaction ${T}`,
      expected: `hash of block ${n}`,
    });
  }

  #codeOf(hash: bigint, T: bigint): { id: bigint; bytes: Uint8Array } {
    if (hash === EMPTY_CODE_HASH) return { id: NO_CODE_ID, bytes: new Uint8Array(0) };
    const bytes = this.#prepared.codes.get(hash);
    if (bytes === undefined || keccak(bytes) !== hash) {
      throw new BlockError("the trace lacks the code of an account", {
        code: "BLOCK_PRESTATE",
        where: `transaction ${T}`,
        expected: `code with hash 0x${hash.toString(16)}`,
      });
    }
    const id = this.#codeIds.get(hash);
    if (id === undefined) this.unlisted.add(hash);
    return { id: BigInt(id ?? 0), bytes };
  }

  /** The machine must be where the trace is. */
  #compare({ pc, op, gas, stack, memorySize }: TraceStep, where: string): void {
    const at = this.#machine.registers;
    const expected: Record<string, bigint> = {
      pc: BigInt(pc),
      gas,
      sp: BigInt(stack.length),
      msize: BigInt(memorySize),
    };
    for (const [name, value] of Object.entries(expected)) {
      const got = at[name as keyof typeof at];
      if (got !== value) {
        throw new BlockError("the rows do not follow the trace", {
          code: "BLOCK_TRACE",
          where: `${where} (opcode 0x${op.toString(16)}): ${name}`,
          expected: String(value),
          got: String(got),
        });
      }
    }
  }

  #close(T: bigint, { status, gas, clk }: { status: bigint; gas: bigint; clk: bigint }): EndClaim {
    const m = this.#machine;
    const now = 16n * (clk + 1n);
    const journal = m.take("JRN", `${T}`, now);
    const refund = m.take("REFUND", `${T}`, now);
    const logs = m.take("LOGS", `${T}`, now);
    const keccaks = m.keccaks.splice(0);
    const entries = m.live("LOG").map(({ key, cell }) => {
      m.take("LOG", key, now);
      return this.#log(cell);
    });
    return {
      clk,
      status,
      gas,
      journal: { j: journal.j, t: journal.tOld },
      refund: { value: refund.value, t: refund.tOld },
      logs: { t: logs.tOld, entries },
      keccaks,
    };
  }

  /** A log as the verifier takes it, with its data. */
  #log(log: MessageFields["LOG"]): LogClaim {
    const m = this.#machine;
    const clk = (log.t - 2n) / 16n;
    const words = (Number(log.length) + 31) >> 5;
    const data = new Uint8Array(32 * words);
    for (let i = 0; i < words; i++) {
      const { hi, lo } = m.take("LOGDATA", logDataKey(16n * clk, BigInt(i)), log.t);
      data.set(uintToBytes(joinHalves(hi, lo), 32), 32 * i);
    }
    const topics = [
      joinHalves(log.topic1Hi, log.topic1Lo),
      joinHalves(log.topic2Hi, log.topic2Lo),
      joinHalves(log.topic3Hi, log.topic3Lo),
      joinHalves(log.topic4Hi, log.topic4Lo),
    ];
    return {
      clk,
      address: log.address,
      topics: topics.slice(0, Number(log.topics)),
      data: data.slice(0, Number(log.length)),
    };
  }

  #cells(): CellClaims {
    const m = this.#machine;
    return {
      balances: m
        .live("BALANCE")
        .map(({ cell: { address, hi, lo, t } }) => ({ address, balance: joinHalves(hi, lo), t }))
        .sort((a, b) => ascending(a.address, b.address)),
      nonces: m
        .live("NONCE")
        .map(({ cell: { address, nonce, createdTx, t } }) => ({ address, nonce, createdTx, t }))
        .sort((a, b) => ascending(a.address, b.address)),
      accounts: m
        .live("ACCOUNT")
        .map(({ cell: { address, hashHi, hashLo, lastTx, t } }) => ({
          address,
          codeHash: joinHalves(hashHi, hashLo),
          lastTx,
          t,
        }))
        .sort((a, b) => ascending(a.address, b.address)),
      slots: m
        .live("STORAGE")
        .map(({ cell }) => ({
          address: cell.address,
          slot: joinHalves(cell.slotHi, cell.slotLo),
          value: joinHalves(cell.valueHi, cell.valueLo),
          original: joinHalves(cell.origHi, cell.origLo),
          lastTx: cell.lastTx,
          t: cell.t,
        }))
        .sort((a, b) => ascending(a.address, b.address) || ascending(a.slot, b.slot)),
      transients: m
        .live("TRANSIENT")
        .map(({ cell }) => ({
          address: cell.address,
          slot: joinHalves(cell.slotHi, cell.slotLo),
          value: joinHalves(cell.valueHi, cell.valueLo),
          lastTx: cell.lastTx,
          t: cell.t,
        }))
        .sort((a, b) => ascending(a.address, b.address) || ascending(a.slot, b.slot)),
    };
  }
}

/** Fields of STORAGE. */
function storageFields(
  address: bigint,
  slot: bigint,
  { value, original, lastTx }: { value: bigint; original: bigint; lastTx: bigint },
) {
  const [slotHi, slotLo] = wordHalves(slot);
  const [valueHi, valueLo] = wordHalves(value);
  const [origHi, origLo] = wordHalves(original);
  return { slotHi, slotLo, lastTx, address, valueHi, valueLo, origHi, origLo };
}
