/**
 * Does a trace make sense, and can it be proved? Every transaction is retraced from the pre-state, by an evaluator of the
 * supported opcodes that shares nothing with the EVM the trace comes from, and every field of every step is compared.
 *
 * What is refused: a trace that contradicts itself, and what no circuit covers yet (opcodes, unaligned memory access,
 * exceptional halts, creations, precompiles, transaction types), by name. What is not looked at: the roots in the header.
 * They need tries, and are checked by whoever verifies the block.
 *
 * Gas: https://eips.ethereum.org/EIPS/eip-2200 with the costs of EIP-2929 and the refunds of EIP-3529.
 *
 * @module
 */

import { keccak_256 } from "@noble/hashes/sha3.js";
import { blobBaseFee } from "../verifier/ethereum/header.js";
import { TraceError, type TraceErrorCode } from "./errors.js";
import { checkTrace, MAX_STACK, type Trace, type TraceHeader, type TraceStep } from "./format.js";
import { jumpDestinations, mnemonic, OP, OPCODES } from "./opcodes.js";
import { bigEndian, type Hex, MAX_UINT64, MAX_WORD, quantity, toHex } from "./read.js";
import { intrinsicGas, readTransaction, type TraceTransaction } from "./transaction.js";

const EMPTY_CODE = toHex(keccak_256(new Uint8Array(0)));
/** Root of the empty trie: keccak-256 of RLP's empty string. */
const EMPTY_ROOT: Hex = toHex(keccak_256(Uint8Array.of(0x80)));
/** Where EIP-4788 keeps the beacon roots. If there is code, the block writes there without any transaction. */
export const BEACON_ROOTS: Hex = "0x000f3df6d732807ef1319fb7b8bb8522d0beac02";
/** Precompiles of Cancun: addresses 1 to 10. */
const LAST_PRECOMPILE = 10n;

/** Bounds of the protocol, section 6. */
const MAX_TX_GAS = 1n << 31n;
const MAX_CLOCK = 2 ** 28;
/** Clock ticks of a transaction beside its steps: calldata, root, end. */
const TICKS_PER_TRANSACTION = 4;

const WARM_READ = 100n;
const COLD_SLOAD = 2100n;
const SSTORE_SENTRY = 2300n;
const SSTORE_SET = 20000n;
const SSTORE_RESET = 2900n;
const CLEAR_REFUND = 4800n;
/** Refunds are at most a fifth of the gas used (EIP-3529). */
const MAX_REFUND_QUOTIENT = 5n;

/** EIP-4844 at Cancun. */
const BLOB_FEE_FRACTION = 3338477n;
/** From here on the blob base fee is no machine word: e^178 > 2^256. */
const MAX_EXCESS_BLOB_GAS = 177n * BLOB_FEE_FRACTION;

/** An account after the block; `storage` holds the touched slots. */
export interface ReplayedAccount {
  nonce: bigint;
  balance: bigint;
  readonly codeHash: Hex;
  readonly storage: Map<bigint, bigint>;
}

/** What follows from a trace. */
export interface Replay {
  readonly transactions: readonly TraceTransaction[];
  /** Wei a gas that each transaction pays. */
  readonly gasPrices: readonly bigint[];
  /** The touched accounts after the block. */
  readonly accounts: ReadonlyMap<Hex, ReplayedAccount>;
}

/**
 * Refuses a trace that makes no sense or cannot be proved.
 *
 * @throws TraceError; `where` is e.g. `transaction 2, step 17 (ADD at pc 34)`, both counted from 0. The step named is the
 *   one that cannot follow, or that cannot be executed.
 */
export function validateTrace(trace: Trace): void {
  replayTrace(trace);
}

/** As {@link validateTrace}, and returns what was found on the way. */
export function replayTrace(trace: Trace): Replay {
  checkTrace(trace);
  const { header, transactions, executions } = trace;
  // the number of rounds it takes to compute
  expectHeader(
    header,
    "excessBlobGas",
    header.excessBlobGas <= MAX_EXCESS_BLOB_GAS,
    "the blob base fee would be no machine word",
    `at most ${quantity(MAX_EXCESS_BLOB_GAS)}`,
  );
  if (executions.length !== transactions.length) {
    throw new TraceError("not one execution for each transaction", {
      code: "TRACE_ORDER",
      where: "executions",
      expected: String(transactions.length),
      got: String(executions.length),
    });
  }
  const ticks = executions.reduce((sum, { steps }) => sum + steps.length + TICKS_PER_TRANSACTION, 0);
  if (ticks >= MAX_CLOCK) {
    throw new TraceError("more steps than a block can have", {
      code: "TRACE_LIMIT",
      where: "executions",
      expected: `fewer than ${MAX_CLOCK}`,
      got: String(ticks),
    });
  }
  const state = new State(trace);
  const decoded: TraceTransaction[] = [];
  const gasPrices: bigint[] = [];
  let gasUsed = 0n;
  transactions.forEach((raw, index) => {
    const tx = readTransaction(raw, trace.chainId, `transaction ${index}`);
    decoded.push(tx);
    gasPrices.push(replayTransaction(trace, state, tx, index, gasUsed));
    gasUsed += executions[index]!.gasUsed;
  });
  // after the transactions: an opcode that logs is named before the bloom is
  const { gasUsed: total, logsBloom, withdrawalsRoot, blobGasUsed } = header;
  expectHeader(header, "gasUsed", total === gasUsed, "not the gas of all transactions together", quantity(gasUsed));
  expectHeader(header, "logsBloom", /^0x0*$/.test(logsBloom), "logs cannot be proved yet", "an empty bloom");
  expectHeader(header, "withdrawalsRoot", withdrawalsRoot === EMPTY_ROOT, "withdrawals cannot be proved", EMPTY_ROOT);
  expectHeader(header, "blobGasUsed", blobGasUsed === 0n, "blob transactions cannot be proved", "0x0");
  state.expectAllTouched();
  return { transactions: decoded, gasPrices, accounts: state.accounts };
}

/** @throws TraceError `TRACE_HEADER` unless `ok` */
function expectHeader(
  header: TraceHeader,
  name: keyof TraceHeader,
  ok: boolean,
  message: string,
  expected: string,
): void {
  if (ok) return;
  const value = header[name];
  const text = typeof value === "bigint" ? quantity(value) : value;
  const got = text.length > 70 ? `${text.slice(0, 66)}…` : text;
  throw new TraceError(message, { code: "TRACE_HEADER", where: `header.${name}`, expected, got });
}

/** Code, and where a jump may go in it. */
interface Code {
  readonly bytes: Uint8Array;
  readonly destinations: Uint8Array;
}

/** The touched part of the state, as it changes from transaction to transaction. */
class State {
  readonly accounts = new Map<Hex, ReplayedAccount>();
  readonly #codes = new Map<Hex, Code>();
  /** What the transactions have touched so far. */
  readonly #touched = new Map<Hex, Set<bigint>>();

  constructor({ preState: { accounts } }: Trace) {
    accounts.forEach(({ address, nonce, balance, codeHash, code, storage }, i) => {
      const where = `preState.accounts[${i}]`;
      const refuse = (code: TraceErrorCode, path: string, message: string, expected?: string, got?: string) =>
        new TraceError(message, { code, where: `${where}${path}`, expected, got });
      if (i > 0 && accounts[i - 1]!.address >= address) {
        throw refuse("TRACE_ORDER", ".address", "not above the account before", "ascending order", address);
      }
      if (code !== undefined) {
        const hash = toHex(keccak_256(code));
        if (hash !== codeHash) throw refuse("TRACE_PRESTATE", ".code", "not the code of its hash", codeHash, hash);
        if (code.length === 0) throw refuse("TRACE_PRESTATE", ".code", "no code needs no bytes", "nothing", "0x");
        if (this.#codes.has(hash)) throw refuse("TRACE_PRESTATE", ".code", "given before", "nothing", hash);
        this.#codes.set(hash, { bytes: code, destinations: jumpDestinations(code) });
      } else if (codeHash !== EMPTY_CODE && !this.#codes.has(codeHash)) {
        throw refuse("TRACE_PRESTATE", ".code", "the code is missing", `the code of ${codeHash}`, "nothing");
      }
      if (address === BEACON_ROOTS && codeHash !== EMPTY_CODE) {
        throw refuse("TRACE_PRESTATE", ".code", "the beacon roots contract (EIP-4788) cannot be proved");
      }
      storage.forEach(([slot], j) => {
        if (j > 0 && storage[j - 1]![0] >= slot) {
          throw refuse("TRACE_ORDER", `.storage[${j}]`, "not above the slot before", "ascending order", quantity(slot));
        }
      });
      this.accounts.set(address, { nonce, balance, codeHash, storage: new Map(storage) });
    });
  }

  account(address: Hex, where: string): ReplayedAccount {
    const account = this.accounts.get(address);
    if (account === undefined) {
      throw new TraceError("an account is missing in the pre-state", {
        code: "TRACE_PRESTATE",
        where,
        expected: `account ${address}`,
        got: "nothing",
      });
    }
    if (!this.#touched.has(address)) this.#touched.set(address, new Set());
    return account;
  }

  code({ codeHash }: ReplayedAccount): Code | undefined {
    return this.#codes.get(codeHash);
  }

  slot(address: Hex, slot: bigint, where: string): bigint {
    const value = this.account(address, where).storage.get(slot);
    if (value === undefined) {
      throw new TraceError("a slot is missing in the pre-state", {
        code: "TRACE_PRESTATE",
        where,
        expected: `slot ${quantity(slot)} of ${address}`,
        got: "nothing",
      });
    }
    this.#touched.get(address)!.add(slot);
    return value;
  }

  /** @throws TraceError `TRACE_PRESTATE` if the pre-state holds more than the block touches */
  expectAllTouched(): void {
    let i = 0;
    for (const [address, { storage }] of this.accounts) {
      const slots = this.#touched.get(address);
      const extra = [...storage.keys()].findIndex((slot) => slots?.has(slot) !== true);
      if (slots === undefined || extra >= 0) {
        throw new TraceError("the block does not touch this", {
          code: "TRACE_PRESTATE",
          where: `preState.accounts[${i}]${slots === undefined ? "" : `.storage[${extra}]`}`,
          expected: "nothing",
          got: slots === undefined ? `account ${address}` : `slot ${quantity([...storage.keys()][extra]!)}`,
        });
      }
      i++;
    }
  }
}

/** Replays one transaction. @returns the wei a gas that it pays */
function replayTransaction(trace: Trace, state: State, tx: TraceTransaction, index: number, gasBefore: bigint): bigint {
  const { header } = trace;
  const { steps, status, gasUsed } = trace.executions[index]!;
  const where = `transaction ${index}`;
  const refuse = (code: TraceErrorCode, message: string, expected?: string, got?: string) =>
    new TraceError(message, { code, where, expected, got });
  const invalid = (message: string, expected: string, got: bigint) =>
    refuse("TRACE_TRANSACTION", message, expected, quantity(got));

  const { sender, to, value, gasLimit, maxFeePerGas, maxPriorityFeePerGas } = tx;
  if (to === undefined) throw refuse("TRACE_CREATE", "creates a contract, which cannot be proved yet");
  if (BigInt(to) >= 1n && BigInt(to) <= LAST_PRECOMPILE) {
    throw refuse("TRACE_PRECOMPILE", "calls a precompile, which cannot be proved yet", undefined, to);
  }
  if (gasLimit >= MAX_TX_GAS) {
    throw refuse("TRACE_LIMIT", "more gas than can be proved", `less than ${quantity(MAX_TX_GAS)}`, quantity(gasLimit));
  }
  if (gasBefore + gasLimit > header.gasLimit) {
    throw invalid("more gas than the block has left", `at most ${quantity(header.gasLimit - gasBefore)}`, gasLimit);
  }
  if (maxFeePerGas < header.baseFeePerGas) {
    throw invalid("pays less than the base fee", `at least ${quantity(header.baseFeePerGas)}`, maxFeePerGas);
  }
  const tip = min(maxPriorityFeePerGas, maxFeePerGas - header.baseFeePerGas);
  const gasPrice = header.baseFeePerGas + tip;
  const intrinsic = intrinsicGas(tx);
  if (gasLimit < intrinsic)
    throw invalid("less gas than it costs to begin", `at least ${quantity(intrinsic)}`, gasLimit);

  const from = state.account(sender, where);
  const recipient = state.account(to, where);
  const coinbase = state.account(header.coinbase, where);
  if (from.codeHash !== EMPTY_CODE) {
    throw refuse("TRACE_TRANSACTION", "the sender has code (EIP-3607)", "no code", from.codeHash);
  }
  if (from.nonce !== tx.nonce) throw invalid("not the sender's next nonce", quantity(from.nonce), tx.nonce);
  if (from.nonce >= MAX_UINT64) throw invalid("the sender's nonce is used up (EIP-2681)", "less", from.nonce);
  const most = gasLimit * maxFeePerGas + value;
  if (from.balance < most) throw invalid("costs more than the sender has", `at most ${quantity(from.balance)}`, most);
  const warm = new Set<string>();
  for (const { address, storageKeys } of tx.accessList) {
    state.account(address, where);
    for (const slot of storageKeys) {
      state.slot(address, slot, where);
      warm.add(`${address}${slot}`);
    }
  }

  from.nonce++;
  from.balance -= gasLimit * gasPrice;
  const code = state.code(recipient);
  let gasLeft = gasLimit - intrinsic;
  let refund = 0n;
  let succeeded = true;
  from.balance -= value;
  recipient.balance += value;
  if (code === undefined) {
    if (steps.length > 0) {
      const first = describeStep(where, 0, steps[0]!);
      throw new TraceError("the recipient has no code to execute", { code: "TRACE_ORDER", where: first });
    }
  } else {
    const frame = new Frame(trace, state, tx, code, { where, to, gasPrice, gasLeft, warm });
    ({ gasLeft, refund, succeeded } = frame.run(steps, status));
    if (!succeeded) {
      from.balance += value;
      recipient.balance -= value;
      frame.undo();
    }
  }
  if (status !== (succeeded ? 1 : 0)) {
    throw refuse("TRACE_STATUS", "the status contradicts the last step", succeeded ? "1" : "0", String(status));
  }
  const before = gasLimit - gasLeft;
  const used = before - (succeeded ? min(refund, before / MAX_REFUND_QUOTIENT) : 0n);
  if (gasUsed !== used)
    throw refuse("TRACE_STATUS", "the gas used contradicts the steps", quantity(used), quantity(gasUsed));
  from.balance += (gasLimit - used) * gasPrice;
  coinbase.balance += used * tip;
  for (const account of [recipient, coinbase]) {
    if (account.balance > MAX_WORD) throw refuse("TRACE_PRESTATE", "there is more ether than a word can count");
  }
  return gasPrice;
}

interface FrameContext {
  readonly where: string;
  readonly to: Hex;
  readonly gasPrice: bigint;
  readonly gasLeft: bigint;
  /** `address` and decimal slot. */
  readonly warm: Set<string>;
}

/** The machine that one transaction runs on. */
class Frame {
  readonly #trace: Trace;
  readonly #state: State;
  readonly #tx: TraceTransaction;
  readonly #code: Code;
  readonly #context: FrameContext;
  /** Values of written slots as of before the transaction. */
  readonly #originals = new Map<bigint, bigint>();
  readonly #memory = new Map<bigint, bigint>();
  readonly #stack: bigint[] = [];
  #pc = 0;
  #gas: bigint;
  #memoryWords = 0n;
  #refund = 0n;
  /** How the frame ended. */
  #end: "STOP" | "RETURN" | "REVERT" | undefined;

  constructor(trace: Trace, state: State, tx: TraceTransaction, code: Code, context: FrameContext) {
    this.#trace = trace;
    this.#state = state;
    this.#tx = tx;
    this.#code = code;
    this.#context = context;
    this.#gas = context.gasLeft;
  }

  run(steps: readonly TraceStep[], status: 0 | 1): { gasLeft: bigint; refund: bigint; succeeded: boolean } {
    const { where } = this.#context;
    for (const [i, step] of steps.entries()) {
      if (this.#end !== undefined) {
        throw new TraceError(`there are steps after ${this.#end}`, {
          code: "TRACE_ORDER",
          where: describeStep(where, i, step),
        });
      }
      this.#compare(step, i);
      this.#execute(step, i, i === steps.length - 1);
    }
    if (this.#end === undefined) {
      const last = steps.length - 1;
      throw new TraceError("the steps end before STOP, RETURN or REVERT", {
        code: "TRACE_ORDER",
        where: last < 0 ? where : describeStep(where, last, steps[last]!),
        expected: "a last step that ends the transaction",
        got: `${steps.length} steps, status ${status}`,
      });
    }
    return { gasLeft: this.#gas, refund: this.#refund, succeeded: this.#end !== "REVERT" };
  }

  /** Gives the written slots back what they held before. */
  undo(): void {
    const account = this.#state.account(this.#context.to, this.#context.where);
    for (const [slot, value] of this.#originals) account.storage.set(slot, value);
  }

  /** A step must find the machine as the steps before it have left it. */
  #compare(step: TraceStep, i: number): void {
    const wrong = (code: TraceErrorCode, what: string, expected: string, got: string) =>
      new TraceError(`${what} is not what the ${i === 0 ? "transaction begins with" : "step before leaves"}`, {
        code,
        where: describeStep(this.#context.where, i, step),
        expected,
        got,
      });
    if (step.pc !== this.#pc) throw wrong("TRACE_PC", "the program counter", String(this.#pc), String(step.pc));
    const op = this.#code.bytes[this.#pc] ?? OP.STOP;
    if (step.op !== op) {
      throw new TraceError("the opcode is not what stands in the code", {
        code: "TRACE_OPCODE",
        where: describeStep(this.#context.where, i, step),
        expected: mnemonic(op),
        got: mnemonic(step.op),
      });
    }
    if (step.gas !== this.#gas) throw wrong("TRACE_GAS", "the gas", quantity(this.#gas), quantity(step.gas));
    if (step.stack.length !== this.#stack.length) {
      throw wrong("TRACE_STACK", "the stack", `${this.#stack.length} items`, `${step.stack.length} items`);
    }
    for (let k = 0; k < this.#stack.length; k++) {
      if (step.stack[k] !== this.#stack[k]) {
        const item = (value: bigint) => `item ${k} from the bottom ${quantity(value)}`;
        throw wrong("TRACE_STACK", "the stack", item(this.#stack[k]!), item(step.stack[k]!));
      }
    }
    if (BigInt(step.memorySize) !== this.#memoryWords) {
      throw wrong("TRACE_MEMORY", "the memory size", `${this.#memoryWords} words`, `${step.memorySize} words`);
    }
    if (step.refund !== this.#refund) {
      throw wrong("TRACE_REFUND", "the refund counter", quantity(this.#refund), quantity(step.refund));
    }
  }

  #execute(step: TraceStep, i: number, isLast: boolean): void {
    const stack = this.#stack;
    const where = () => describeStep(this.#context.where, i, step);
    const info = OPCODES.get(step.op);
    if (info === undefined) {
      throw new TraceError("an opcode that cannot be proved yet", {
        code: "TRACE_UNSUPPORTED_OPCODE",
        where: where(),
        expected: "a supported opcode",
        got: mnemonic(step.op),
      });
    }
    /** The EVM halts here; a step after it is one that cannot be. */
    const halt = (reason: string, code: TraceErrorCode, expected: string, got: string) =>
      new TraceError(isLast ? `exceptional halt, ${reason}: cannot be proved yet` : `steps go on after ${reason}`, {
        code: isLast ? "TRACE_HALT" : code,
        where: where(),
        expected,
        got,
      });
    if (stack.length < info.pops) {
      throw halt("stack underflow", "TRACE_STACK", `at least ${info.pops} items`, `${stack.length} items`);
    }
    if (stack.length - info.pops + info.pushes > MAX_STACK) {
      throw halt("stack overflow", "TRACE_STACK", `at most ${MAX_STACK} items`, `${stack.length} items`);
    }
    const { op } = step;
    const top = stack[stack.length - 1] ?? 0n;
    const second = stack[stack.length - 2] ?? 0n;
    const isMemory = op === OP.MLOAD || op === OP.MSTORE;
    if ((isMemory || op === OP.CALLDATALOAD) && (top % 32n !== 0n || (op === OP.CALLDATALOAD && top >> 32n !== 0n))) {
      throw new TraceError("an offset that cannot be proved yet", {
        code: "TRACE_UNALIGNED",
        where: where(),
        expected: isMemory ? "a multiple of 32" : "a multiple of 32 below 2^32",
        got: quantity(top),
      });
    }

    let cost = BigInt(info.gas);
    let words = this.#memoryWords;
    if (isMemory) words = max(words, top / 32n + 1n);
    else if ((op === OP.RETURN || op === OP.REVERT) && second > 0n) words = max(words, (top + second + 31n) / 32n);
    cost += memoryGas(words) - memoryGas(this.#memoryWords);
    let refund = this.#refund;
    if (op === OP.SLOAD) {
      cost += this.#access(top) ? WARM_READ : COLD_SLOAD;
    } else if (op === OP.SSTORE) {
      if (this.#gas <= SSTORE_SENTRY) {
        throw halt("out of gas", "TRACE_GAS", `more than ${quantity(SSTORE_SENTRY)}`, quantity(this.#gas));
      }
      const current = this.#state.slot(this.#context.to, top, where());
      const original = this.#originals.get(top) ?? current;
      const storage = sstoreGas(original, current, second);
      cost += storage.cost + (this.#access(top) ? 0n : COLD_SLOAD);
      refund += storage.refund;
    }
    if (cost > this.#gas) throw halt("out of gas", "TRACE_GAS", `at least ${quantity(cost)}`, quantity(this.#gas));
    this.#gas -= cost;
    this.#memoryWords = words;
    this.#refund = refund;

    let next = this.#pc + 1 + info.immediate;
    if (op === OP.JUMP || (op === OP.JUMPI && second !== 0n)) {
      if (top >= BigInt(this.#code.bytes.length) || this.#code.destinations[Number(top)] !== 1) {
        throw halt("invalid jump", "TRACE_PC", "a JUMPDEST", quantity(top));
      }
      next = Number(top);
    }
    if (op >= OP.DUP1 && op <= OP.DUP16) {
      stack.push(stack[stack.length - 1 - (op - OP.DUP1)]!);
    } else if (op >= OP.SWAP1 && op <= OP.SWAP16) {
      const other = stack.length - 2 - (op - OP.SWAP1);
      stack[stack.length - 1] = stack[other]!;
      stack[other] = top;
    } else if (op === OP.STOP || op === OP.RETURN || op === OP.REVERT) {
      this.#end = info.name as "STOP" | "RETURN" | "REVERT";
    } else {
      const result = info.pushes === 1 ? this.#result(op, info.immediate, top, second, where) : undefined;
      if (op === OP.MSTORE) this.#memory.set(top, second);
      else if (op === OP.SSTORE) this.#store(top, second, where);
      stack.length -= info.pops;
      if (result !== undefined) stack.push(result);
    }
    this.#pc = next;
  }

  /** Whether the slot was warm; from now on it is (EIP-2929). */
  #access(slot: bigint): boolean {
    const { warm, to } = this.#context;
    const key = `${to}${slot}`;
    const wasWarm = warm.has(key);
    warm.add(key);
    return wasWarm;
  }

  #store(slot: bigint, value: bigint, where: () => string): void {
    const { storage } = this.#state.account(this.#context.to, where());
    if (!this.#originals.has(slot)) this.#originals.set(slot, storage.get(slot)!);
    storage.set(slot, value);
  }

  /** The word that an opcode pushes; `top` and `second` are its operands, gas is what is left after it. */
  #result(op: number, immediate: number, top: bigint, second: bigint, where: () => string): bigint {
    const { header, chainId } = this.#trace;
    const { data, sender, value } = this.#tx;
    if (op >= OP.PUSH0 && op <= OP.PUSH32) return this.#bytes(this.#code.bytes, this.#pc + 1, immediate);
    switch (op) {
      case OP.ADD:
        return (top + second) & MAX_WORD;
      case OP.SUB:
        return (top - second) & MAX_WORD;
      case OP.LT:
        return top < second ? 1n : 0n;
      case OP.GT:
        return top > second ? 1n : 0n;
      case OP.SLT:
        return signed(top) < signed(second) ? 1n : 0n;
      case OP.SGT:
        return signed(top) > signed(second) ? 1n : 0n;
      case OP.EQ:
        return top === second ? 1n : 0n;
      case OP.ISZERO:
        return top === 0n ? 1n : 0n;
      case OP.NOT:
        return MAX_WORD - top;
      case OP.ADDRESS:
        return BigInt(this.#context.to);
      case OP.ORIGIN:
      case OP.CALLER:
        return BigInt(sender);
      case OP.CALLVALUE:
        return value;
      case OP.CALLDATALOAD:
        return this.#bytes(data, Number(top), 32);
      case OP.CALLDATASIZE:
        return BigInt(data.length);
      case OP.GASPRICE:
        return this.#context.gasPrice;
      case OP.COINBASE:
        return BigInt(header.coinbase);
      case OP.TIMESTAMP:
        return header.timestamp;
      case OP.NUMBER:
        return header.number;
      case OP.PREVRANDAO:
        return BigInt(header.prevRandao);
      case OP.GASLIMIT:
        return header.gasLimit;
      case OP.CHAINID:
        return chainId;
      case OP.BASEFEE:
        return header.baseFeePerGas;
      case OP.BLOBBASEFEE:
        return blobBaseFee(header.excessBlobGas);
      case OP.MLOAD:
        return this.#memory.get(top) ?? 0n;
      case OP.SLOAD:
        return this.#state.slot(this.#context.to, top, where());
      case OP.PC:
        return BigInt(this.#pc);
      case OP.MSIZE:
        return this.#memoryWords * 32n;
      case OP.GAS:
        return this.#gas;
      default:
        throw new TraceError("the table of opcodes has one that is not evaluated", {
          code: "TRACE_UNSUPPORTED_OPCODE",
          where: where(),
          got: mnemonic(op),
        });
    }
  }

  /** `length` bytes from `start`, zeros beyond the end, as a number. */
  #bytes(from: Uint8Array, start: number, length: number): bigint {
    const slice = from.subarray(start, start + length);
    return bigEndian(slice) << BigInt(8 * (length - slice.length));
  }
}

/** `transaction 2, step 17 (ADD at pc 34)`. */
function describeStep(where: string, index: number, { op, pc }: TraceStep): string {
  return `${where}, step ${index} (${mnemonic(op)} at pc ${pc})`;
}

/** Two's complement. */
function signed(word: bigint): bigint {
  return BigInt.asIntN(256, word);
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** What a memory of so many words has cost in all. */
export function memoryGas(words: bigint): bigint {
  return 3n * words + (words * words) / 512n;
}

/**
 * Cost of a write to a warm slot and what it adds to the refund counter (EIP-2200, with the numbers of EIP-2929 and
 * EIP-3529).
 *
 * @param original value before the transaction
 * @param current value before the write
 */
export function sstoreGas(original: bigint, current: bigint, value: bigint): { cost: bigint; refund: bigint } {
  if (value === current) return { cost: WARM_READ, refund: 0n };
  if (current === original) {
    if (original === 0n) return { cost: SSTORE_SET, refund: 0n };
    return { cost: SSTORE_RESET, refund: value === 0n ? CLEAR_REFUND : 0n };
  }
  let refund = 0n;
  if (original !== 0n) {
    if (current === 0n) refund -= CLEAR_REFUND;
    else if (value === 0n) refund += CLEAR_REFUND;
  }
  if (value === original) refund += (original === 0n ? SSTORE_SET : SSTORE_RESET) - WARM_READ;
  return { cost: WARM_READ, refund };
}
