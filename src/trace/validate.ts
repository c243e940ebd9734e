/**
 * Does a trace make sense, and can it be proved? Its block is executed again, on nothing but the trace's own pre-state, and
 * every field of every step is compared with what the EVM does.
 *
 * What is refused: a trace that contradicts itself, and what no circuit covers yet (calls, creations, precompiles, some
 * opcodes and transaction types), by name. What is not looked at: the roots in the header. They need tries, and are checked
 * by whoever verifies the block.
 *
 * @module
 */

import { keccak_256 } from "@noble/hashes/sha3.js";
import { TraceError, type TraceErrorCode } from "./errors.js";
import { describeStep, type ExecutedBlock, executeBlock, expectProvable, type StateSource } from "./execute.js";
import { checkTrace, type Trace, type TraceExecution, type TraceHeader, type TraceStep } from "./format.js";
import { mnemonic } from "./opcodes.js";
import { type Hex, quantity, toHex } from "./read.js";
import { EMPTY_CODE } from "./state.js";

/** Root of the empty trie: keccak-256 of RLP's empty string. */
const EMPTY_ROOT: Hex = toHex(keccak_256(Uint8Array.of(0x80)));
/** Where EIP-4788 keeps the beacon roots. If there is code, the block writes there without any transaction. */
export const BEACON_ROOTS: Hex = "0x000f3df6d732807ef1319fb7b8bb8522d0beac02";

/** Bound of the protocol, section 6. */
const MAX_CLOCK = 2 ** 28;
/** Clock ticks of a transaction beside its steps: calldata, root, end. */
const TICKS_PER_TRANSACTION = 4;

/** Options of {@link validateTrace}. */
export interface ValidateOptions {
  /** Ends the work; what is thrown then is `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Refuses a trace that makes no sense or cannot be proved.
 *
 * @throws TraceError; `where` is e.g. `transaction 2, step 17 (ADD at pc 34)`, both counted from 0. The step named is the
 *   one that cannot follow, or that cannot be executed.
 */
export async function validateTrace(trace: Trace, options: ValidateOptions = {}): Promise<void> {
  await replayTrace(trace, options);
}

/** As {@link validateTrace}, and returns what the block did; its executions have no steps. */
export async function replayTrace(trace: Trace, { signal }: ValidateOptions = {}): Promise<ExecutedBlock> {
  checkTrace(trace);
  const { header, transactions, executions } = trace;
  executions.forEach(({ steps }, i) => {
    steps.forEach((step, j) => {
      expectProvable(step, i, j);
    });
  });
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
  const executed = await executeBlock(trace, preStateOf(trace), {
    signal,
    onStep: (transaction, index, step) => compareStep(executions[transaction]!, transaction, index, step),
    onEnd: (transaction, actual, steps) => compareEnd(executions[transaction]!, transaction, actual, steps),
  });
  const { gasUsed, withdrawalsRoot, blobGasUsed } = header;
  const bloom = toHex(executed.logsBloom);
  const total = quantity(executed.gasUsed);
  expectHeader(header, "gasUsed", gasUsed === executed.gasUsed, "not the gas of all transactions together", total);
  expectHeader(header, "logsBloom", header.logsBloom === bloom, "not the bloom of the logs", bloom);
  expectHeader(header, "withdrawalsRoot", withdrawalsRoot === EMPTY_ROOT, "withdrawals cannot be proved", EMPTY_ROOT);
  expectHeader(header, "blobGasUsed", blobGasUsed === 0n, "blob transactions cannot be proved", "0x0");
  expectAllTouched(trace, executed);
  return executed;
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
  const short = (text: string) => (text.length > 70 ? `${text.slice(0, 66)}…` : text);
  const got = short(typeof value === "bigint" ? quantity(value) : value);
  throw new TraceError(message, { code: "TRACE_HEADER", where: `header.${name}`, expected: short(expected), got });
}

/**
 * The pre-state of a trace and nothing else.
 *
 * @throws TraceError `TRACE_PRESTATE`, `TRACE_ORDER` if it contradicts itself; its methods: `TRACE_PRESTATE` for what is missing
 */
function preStateOf({ header, preState: { accounts }, blockHashes }: Trace): StateSource {
  const codes = new Map<Hex, Uint8Array>([[EMPTY_CODE, new Uint8Array(0)]]);
  const known = new Map(
    accounts.map(({ storage, ...account }) => [account.address, { ...account, slots: new Map(storage) }]),
  );
  accounts.forEach(({ address, codeHash, code, storage }, i) => {
    const refuse = (error: TraceErrorCode, path: string, message: string, expected?: string, got?: string) =>
      new TraceError(message, { code: error, where: `preState.accounts[${i}]${path}`, expected, got });
    if (i > 0 && accounts[i - 1]!.address >= address) {
      throw refuse("TRACE_ORDER", ".address", "not above the account before", "ascending order", address);
    }
    if (code !== undefined) {
      const hash = toHex(keccak_256(code));
      if (hash !== codeHash) throw refuse("TRACE_PRESTATE", ".code", "not the code of its hash", codeHash, hash);
      if (code.length === 0) throw refuse("TRACE_PRESTATE", ".code", "no code needs no bytes", "nothing", "0x");
      if (codes.has(hash)) throw refuse("TRACE_PRESTATE", ".code", "given before", "nothing", hash);
      codes.set(hash, code);
    } else if (!codes.has(codeHash)) {
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
  });
  const hashes = new Map(blockHashes);
  blockHashes.forEach(([number, hash], i) => {
    const where = `blockHashes[${i}]`;
    if (i > 0 && blockHashes[i - 1]![0] >= number) {
      const got = quantity(number);
      throw new TraceError("not above the block before", {
        code: "TRACE_ORDER",
        where,
        expected: "ascending order",
        got,
      });
    }
    if (number + 1n === header.number && hash !== header.parentHash) {
      const expected = header.parentHash;
      throw new TraceError("not the parent's hash", { code: "TRACE_PRESTATE", where, expected, got: hash });
    }
  });
  const missing = (what: string, where: string, expected: string) =>
    new TraceError(`${what} is missing in the pre-state`, { code: "TRACE_PRESTATE", where, expected, got: "nothing" });
  const account = (address: Hex, where: string) => {
    const found = known.get(address);
    if (found === undefined) throw missing("an account", where, `account ${address}`);
    return found;
  };
  return {
    account(address, where) {
      const { nonce, balance, codeHash } = account(address, where);
      return { nonce, balance, code: codes.get(codeHash)! };
    },
    slot(address, slot, where) {
      const value = account(address, where).slots.get(slot);
      if (value === undefined) throw missing("a slot", where, `slot ${quantity(slot)} of ${address}`);
      return value;
    },
    blockHash(number, where) {
      const hash = hashes.get(number);
      if (hash === undefined) throw missing("a block's hash", where, `the hash of block ${number}`);
      return hash;
    },
  };
}

/** @throws TraceError `TRACE_PRESTATE` if the pre-state holds more than the block touches */
function expectAllTouched({ preState, blockHashes }: Trace, executed: ExecutedBlock): void {
  const superfluous = (where: string, got: string) =>
    new TraceError("the block does not touch this", { code: "TRACE_PRESTATE", where, expected: "nothing", got });
  preState.accounts.forEach(({ address, storage }, i) => {
    const where = `preState.accounts[${i}]`;
    const touched = executed.postAccounts.get(address);
    if (touched === undefined) throw superfluous(where, `account ${address}`);
    storage.forEach(([slot], j) => {
      if (!touched.storage.has(slot)) throw superfluous(`${where}.storage[${j}]`, `slot ${quantity(slot)}`);
    });
  });
  const asked = new Set(executed.blockHashes.map(([number]) => number));
  blockHashes.forEach(([number], i) => {
    if (!asked.has(number)) throw superfluous(`blockHashes[${i}]`, `the hash of block ${number}`);
  });
}

/** A step must find the machine as the steps before it have left it. */
function compareStep({ steps, status }: TraceExecution, transaction: number, index: number, actual: TraceStep): void {
  const step = steps[index];
  if (step === undefined) {
    throw new TraceError("the steps end before the transaction does", {
      code: "TRACE_ORDER",
      where: index === 0 ? `transaction ${transaction}` : describeStep(transaction, index - 1, steps[index - 1]!),
      expected: "a last step that ends the transaction",
      got: `${steps.length} steps, status ${status}`,
    });
  }
  const wrong = (code: TraceErrorCode, what: string, expected: string, got: string) =>
    new TraceError(`${what} is not what the ${index === 0 ? "transaction begins with" : "step before leaves"}`, {
      code,
      where: describeStep(transaction, index, step),
      expected,
      got,
    });
  if (step.pc !== actual.pc) throw wrong("TRACE_PC", "the program counter", String(actual.pc), String(step.pc));
  if (step.op !== actual.op) {
    throw new TraceError("the opcode is not what stands in the code", {
      code: "TRACE_OPCODE",
      where: describeStep(transaction, index, step),
      expected: mnemonic(actual.op),
      got: mnemonic(step.op),
    });
  }
  if (step.gas !== actual.gas) throw wrong("TRACE_GAS", "the gas", quantity(actual.gas), quantity(step.gas));
  const { length } = actual.stack;
  if (step.stack.length !== length) {
    throw wrong("TRACE_STACK", "the stack", `${length} items`, `${step.stack.length} items`);
  }
  for (let k = 0; k < length; k++) {
    if (step.stack[k] !== actual.stack[k]) {
      const item = (value: bigint) => `item ${k} from the bottom ${quantity(value)}`;
      throw wrong("TRACE_STACK", "the stack", item(actual.stack[k]!), item(step.stack[k]!));
    }
  }
  if (step.memorySize !== actual.memorySize) {
    throw wrong("TRACE_MEMORY", "the memory size", `${actual.memorySize} words`, `${step.memorySize} words`);
  }
  if (step.refund !== actual.refund) {
    throw wrong("TRACE_REFUND", "the refund counter", quantity(actual.refund), quantity(step.refund));
  }
}

/** @param count steps that were executed */
function compareEnd(
  { steps, status, gasUsed }: TraceExecution,
  transaction: number,
  actual: TraceExecution,
  count: number,
): void {
  const extra = steps[count];
  if (extra !== undefined) {
    const last = steps[count - 1];
    const message =
      last === undefined ? "the recipient has no code to execute" : `steps go on after ${mnemonic(last.op)}`;
    throw new TraceError(message, { code: "TRACE_ORDER", where: describeStep(transaction, count, extra) });
  }
  const refuse = (message: string, expected: string, got: string) =>
    new TraceError(message, { code: "TRACE_STATUS", where: `transaction ${transaction}`, expected, got });
  if (status !== actual.status) {
    throw refuse("the status contradicts the last step", String(actual.status), String(status));
  }
  if (gasUsed !== actual.gasUsed) {
    throw refuse("the gas used contradicts the steps", quantity(actual.gasUsed), quantity(gasUsed));
  }
}
