/**
 * Traces: what an EVM did in one block, with everything that is needed to retrace it.
 *
 * The file is JSON, UTF-8, one step a line:
 *
 * ```
 * {"version": 2, "chainId": "0x539",
 *  "header": {"parentHash": "0x…", …},
 *  "transactions": ["0x…", …],                                  raw, signed (EIP-2718)
 *  "preState": {"root": "0x…", "accounts": [{"address", "nonce", "balance", "codeHash", "code"?, "storage": [["slot", "value"], …]}, …]},
 *  "blockHashes": [["number", "0x…"], …],                       of those that BLOCKHASH asks for
 *  "executions": [{"status": 1, "gasUsed": "0x…", "steps": [
 *    [pc, "MNEMONIC", "gas", memorySize, "refund", keep, ["word", …]], …]}, …]}
 * ```
 *
 * A step's stack is given as a change: the lowest `keep` items of the stack of the step before stay, the words come on top;
 * `keep` is as large as possible. The first step has `keep` 0. Quantities and bytes are spelled as `read.ts` says, so one
 * trace has one text, white space aside.
 *
 * @module
 */

import { TraceError } from "./errors.js";
import { mnemonic, opcodeByte } from "./opcodes.js";
import {
  type Hex,
  isPlainJson,
  MAX_CHAIN_ID,
  MAX_UINT64,
  MAX_WORD,
  parseJson,
  quantity,
  Reader,
  toHex,
} from "./read.js";

export type { Hex } from "./read.js";

/** The version of the format that is written. Version 1, which had no `blockHashes`, is read too. */
export const TRACE_VERSION = 2;

/** Most items an EVM stack can hold. */
export const MAX_STACK = 1024;
/** Memory is never affordable beyond this many words (protocol, section 6). */
const MAX_MEMORY_WORDS = 2 ** 20;
/**
 * Stack items in all steps together, unless told otherwise. A file of 40 bytes a step can ask for 1024 items a step; a block of 30 million gas
 * and ten items a step stays below.
 */
const MAX_STACK_ITEMS = 1 << 26;

/**
 * A Cancun header. What is constant since the merge is left out: ommers hash of the empty list, difficulty 0, nonce 0.
 * Hashes are 32 bytes, addresses 20, the bloom 256, extra data at most 32.
 */
export interface TraceHeader {
  readonly parentHash: Hex;
  readonly coinbase: Hex;
  readonly stateRoot: Hex;
  readonly transactionsRoot: Hex;
  readonly receiptsRoot: Hex;
  readonly logsBloom: Hex;
  /** Below 2^64, like all the following numbers but `baseFeePerGas`. */
  readonly number: bigint;
  readonly gasLimit: bigint;
  readonly gasUsed: bigint;
  /** Seconds. */
  readonly timestamp: bigint;
  readonly extraData: Hex;
  /** Stands as mixHash in the header. */
  readonly prevRandao: Hex;
  /** Wei, below 2^256. */
  readonly baseFeePerGas: bigint;
  readonly withdrawalsRoot: Hex;
  readonly blobGasUsed: bigint;
  readonly excessBlobGas: bigint;
  readonly parentBeaconBlockRoot: Hex;
}

/** An account as of before the block, with the slots that the block touches. */
export interface TraceAccount {
  /** 20 bytes. */
  readonly address: Hex;
  /** Below 2^64. */
  readonly nonce: bigint;
  /** Wei, below 2^256. */
  readonly balance: bigint;
  /** keccak-256 of the code; of nothing for accounts without code and for accounts that do not exist. */
  readonly codeHash: Hex;
  /** Given once for each hash, with the first account that has it; never for the hash of nothing. */
  readonly code?: Uint8Array;
  /** `[slot, value]`, ascending by slot; value 0 for a slot that does not exist. */
  readonly storage: readonly (readonly [bigint, bigint])[];
}

/**
 * The machine before one instruction. Running past the end of the code is a step too, a STOP. The instruction that halts is
 * the last step of its execution.
 */
export interface TraceStep {
  readonly pc: number;
  /** Byte of the opcode. */
  readonly op: number;
  /** Gas before the step. */
  readonly gas: bigint;
  /** Stack before the step, bottom first. */
  readonly stack: readonly bigint[];
  /** Words of memory before the step. What they hold follows from the steps before. */
  readonly memorySize: number;
  /** Refund counter before the step (EIP-3529). */
  readonly refund: bigint;
}

/** What happened to one transaction. */
export interface TraceExecution {
  /** None if the recipient has no code. */
  readonly steps: readonly TraceStep[];
  /** 1 success, 0 reverted or halted. */
  readonly status: 0 | 1;
  /** Gas used as in the receipt: intrinsic gas included, refund taken off. */
  readonly gasUsed: bigint;
}

/** A block as it was executed. */
export interface Trace {
  readonly version: typeof TRACE_VERSION;
  readonly chainId: bigint;
  readonly header: TraceHeader;
  /** Raw signed transactions, EIP-2718. */
  readonly transactions: readonly Uint8Array[];
  readonly preState: {
    /** Root of the whole state before the block, as in the parent's header: what a replica's state is compared with. */
    readonly root: Hex;
    /**
     * Everything the block touches, ascending by address: senders, recipients, the coinbase (unless there are no
     * transactions), access lists, the slots of SLOAD and SSTORE, the accounts of BALANCE and EXTCODE*. What a step asks for
     * is touched even if the step cannot pay, but not if it lacks operands.
     */
    readonly accounts: readonly TraceAccount[];
  };
  /** `[number, hash]` of the blocks before that BLOCKHASH asks for, ascending. */
  readonly blockHashes: readonly (readonly [bigint, Hex])[];
  /** One for each transaction. */
  readonly executions: readonly TraceExecution[];
}

const HEADER_HEX = {
  parentHash: 32,
  coinbase: 20,
  stateRoot: 32,
  transactionsRoot: 32,
  receiptsRoot: 32,
  logsBloom: 256,
  prevRandao: 32,
  withdrawalsRoot: 32,
  parentBeaconBlockRoot: 32,
} as const;
const HEADER_NUMBERS = {
  number: MAX_UINT64,
  gasLimit: MAX_UINT64,
  gasUsed: MAX_UINT64,
  timestamp: MAX_UINT64,
  baseFeePerGas: MAX_WORD,
  blobGasUsed: MAX_UINT64,
  excessBlobGas: MAX_UINT64,
} as const;
/** In the order of the header's RLP. */
const HEADER_FIELDS = [
  "parentHash",
  "coinbase",
  "stateRoot",
  "transactionsRoot",
  "receiptsRoot",
  "logsBloom",
  "number",
  "gasLimit",
  "gasUsed",
  "timestamp",
  "extraData",
  "prevRandao",
  "baseFeePerGas",
  "withdrawalsRoot",
  "blobGasUsed",
  "excessBlobGas",
  "parentBeaconBlockRoot",
] as const satisfies readonly (keyof TraceHeader)[];
const MAX_EXTRA_DATA = 32;

/** Of version 1; later ones have `blockHashes` as well. */
const TOP_FIELDS = ["version", "chainId", "header", "transactions", "preState", "executions"];
const ACCOUNT_FIELDS = ["address", "nonce", "balance", "codeHash", "storage"];

const read = new Reader("TRACE_FIELD");

/**
 * The file of a trace.
 *
 * @throws TraceError `TRACE_FIELD` with the path of a value that the format cannot hold, e.g. a stack item of 2^256;
 *   `TRACE_VERSION`.
 */
export function encodeTrace(trace: Trace): Uint8Array {
  checkTrace(trace);
  const chunks: Uint8Array[] = [];
  const encoder = new TextEncoder();
  // in pieces: a string cannot be longer than half a gigabyte
  const write = (text: string) => chunks.push(encoder.encode(text));
  const header = Object.fromEntries(
    HEADER_FIELDS.map((name) => {
      const value = trace.header[name];
      return [name, typeof value === "bigint" ? quantity(value) : value];
    }),
  );
  write(`{"version":${trace.version},"chainId":"${quantity(trace.chainId)}",\n"header":${JSON.stringify(header)},\n`);
  write(`"transactions":[\n${trace.transactions.map((raw) => `"${toHex(raw)}"`).join(",\n")}],\n`);
  const accounts = trace.preState.accounts.map(({ address, nonce, balance, codeHash, code, storage }) =>
    JSON.stringify({
      address,
      nonce: quantity(nonce),
      balance: quantity(balance),
      codeHash,
      ...(code === undefined ? {} : { code: toHex(code) }),
      storage: storage.map((pair) => pair.map(quantity)),
    }),
  );
  write(`"preState":{"root":"${trace.preState.root}","accounts":[\n${accounts.join(",\n")}]},\n`);
  const hashes = trace.blockHashes.map(([number, hash]) => `["${quantity(number)}","${hash}"]`);
  write(`"blockHashes":[${hashes}],\n"executions":[`);
  trace.executions.forEach(({ steps, status, gasUsed }, i) => {
    write(`${i === 0 ? "" : ","}\n{"status":${status},"gasUsed":"${quantity(gasUsed)}","steps":[`);
    let before: readonly bigint[] = [];
    let lines = "";
    steps.forEach(({ pc, op, gas, stack, memorySize, refund }, j) => {
      const keep = commonPrefix(before, stack);
      const words = stack.slice(keep).map((word) => `"${quantity(word)}"`);
      lines += `${j === 0 ? "" : ","}\n[${pc},"${mnemonic(op)}","${quantity(gas)}",${memorySize},"${quantity(refund)}",${keep},[${words}]]`;
      before = stack;
      if (lines.length > 1 << 20) {
        write(lines);
        lines = "";
      }
    });
    write(`${lines}]}`);
  });
  write("]}\n");
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** How much memory a trace may take. */
export interface DecodeOptions {
  /** Stack items in all steps together, 8 bytes each and more; default 2^26. */
  readonly maxStackItems?: number;
}

/**
 * Reads the file of a trace. Only its form is checked: whether the trace makes sense is for `validateTrace` to say.
 *
 * @throws TraceError `TRACE_JSON`, `TRACE_VERSION`, `TRACE_FIELD` with the path in `where`, `TRACE_LIMIT`.
 */
export function decodeTrace(bytes: Uint8Array, { maxStackItems = MAX_STACK_ITEMS }: DecodeOptions = {}): Trace {
  const value = parseJson(bytes, "TRACE_JSON");
  const version = typeof value === "object" && value !== null && "version" in value ? value.version : undefined;
  if (version !== undefined && version !== 1) expectVersion(version);
  const top = read.object(value, "", version === 1 ? TOP_FIELDS : [...TOP_FIELDS, "blockHashes"]);
  const preState = read.object(top.preState, "preState", ["root", "accounts"]);
  const budget = { max: maxStackItems, items: maxStackItems };
  const trace: Trace = {
    version: TRACE_VERSION,
    chainId: read.quantity(top.chainId, "chainId", MAX_CHAIN_ID),
    header: decodeHeader(top.header),
    transactions: read.array(top.transactions, "transactions").map((raw, i) => read.bytes(raw, `transactions[${i}]`)),
    preState: {
      root: read.hex(preState.root, "preState.root", 32),
      accounts: read
        .array(preState.accounts, "preState.accounts")
        .map((account, i) => decodeAccount(account, `preState.accounts[${i}]`)),
    },
    blockHashes: read.array(top.blockHashes ?? [], "blockHashes").map((pair, i) => {
      const [number, hash] = read.array(pair, `blockHashes[${i}]`, 2);
      return [
        read.quantity(number, `blockHashes[${i}][0]`, MAX_UINT64),
        read.hex(hash, `blockHashes[${i}][1]`, 32),
      ] as const;
    }),
    executions: read
      .array(top.executions, "executions")
      .map((execution, i) => decodeExecution(execution, `executions[${i}]`, budget)),
  };
  if (!isPlainJson(bytes, value)) {
    throw new TraceError("says more than it seems to", {
      code: "TRACE_JSON",
      expected: "each field once, plain integers, no escapes",
      got: "text that differs from what was read",
    });
  }
  return trace;
}

/**
 * Checks types and ranges of a trace that was made in memory, as if it had been read from a file.
 *
 * @throws TraceError `TRACE_FIELD`, `TRACE_VERSION`.
 */
export function checkTrace(trace: Trace): void {
  expectVersion(trace.version);
  const number = (value: unknown, path: string, max: bigint) => {
    if (typeof value !== "bigint" || value < 0n || value > max) {
      throw read.fault(path, "not a bigint in range", `0x0 to ${quantity(max)}`, value);
    }
  };
  const bytes = (value: unknown, path: string) => {
    if (!(value instanceof Uint8Array)) throw read.fault(path, "not bytes", "Uint8Array", value);
  };
  number(trace.chainId, "chainId", MAX_CHAIN_ID);
  for (const [name, length] of Object.entries(HEADER_HEX)) {
    read.hex(trace.header[name as keyof TraceHeader], `header.${name}`, length);
  }
  for (const [name, max] of Object.entries(HEADER_NUMBERS)) {
    number(trace.header[name as keyof TraceHeader], `header.${name}`, max);
  }
  read.hex(trace.header.extraData, "header.extraData", undefined, MAX_EXTRA_DATA);
  read.array(trace.transactions, "transactions").forEach((raw, i) => {
    bytes(raw, `transactions[${i}]`);
  });
  read.hex(trace.preState.root, "preState.root", 32);
  trace.preState.accounts.forEach((account, i) => {
    const path = `preState.accounts[${i}]`;
    read.hex(account.address, `${path}.address`, 20);
    number(account.nonce, `${path}.nonce`, MAX_UINT64);
    number(account.balance, `${path}.balance`, MAX_WORD);
    read.hex(account.codeHash, `${path}.codeHash`, 32);
    if (account.code !== undefined) bytes(account.code, `${path}.code`);
    account.storage.forEach(([slot, value], j) => {
      number(slot, `${path}.storage[${j}][0]`, MAX_WORD);
      number(value, `${path}.storage[${j}][1]`, MAX_WORD);
    });
  });
  trace.blockHashes.forEach(([block, hash], i) => {
    number(block, `blockHashes[${i}][0]`, MAX_UINT64);
    read.hex(hash, `blockHashes[${i}][1]`, 32);
  });
  trace.executions.forEach(({ steps, status, gasUsed }, i) => {
    const path = `executions[${i}]`;
    read.integer(status, `${path}.status`, 1);
    number(gasUsed, `${path}.gasUsed`, MAX_UINT64);
    for (let j = 0; j < steps.length; j++) {
      const step = steps[j]!;
      const ok =
        isCount(step.pc, Number.MAX_SAFE_INTEGER) &&
        isCount(step.op, 255) &&
        isCount(step.memorySize, MAX_MEMORY_WORDS) &&
        isCount(step.stack.length, MAX_STACK);
      // the path is only put together where something is wrong: there may be millions of steps
      if (!ok || !isNumber(step.gas, MAX_UINT64) || !isNumber(step.refund, MAX_UINT64)) {
        const at = `${path}.steps[${j}]`;
        read.integer(step.pc, `${at}.pc`, Number.MAX_SAFE_INTEGER);
        read.integer(step.op, `${at}.op`, 255);
        read.integer(step.memorySize, `${at}.memorySize`, MAX_MEMORY_WORDS);
        read.integer(step.stack.length, `${at}.stack.length`, MAX_STACK);
        number(step.gas, `${at}.gas`, MAX_UINT64);
        number(step.refund, `${at}.refund`, MAX_UINT64);
      }
      for (let k = 0; k < step.stack.length; k++) {
        if (!isNumber(step.stack[k], MAX_WORD)) number(step.stack[k], `${path}.steps[${j}].stack[${k}]`, MAX_WORD);
      }
    }
  });
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function isNumber(value: unknown, max: bigint): boolean {
  return typeof value === "bigint" && value >= 0n && value <= max;
}

function expectVersion(version: unknown): void {
  if (version !== TRACE_VERSION) {
    throw new TraceError("a version of the format that is not known here", {
      code: "TRACE_VERSION",
      where: "version",
      expected: String(TRACE_VERSION),
      got: typeof version === "number" ? String(version) : typeof version,
    });
  }
}

function decodeHeader(value: unknown): TraceHeader {
  const fields = read.object(value, "header", HEADER_FIELDS);
  const header: Record<string, unknown> = {};
  for (const name of HEADER_FIELDS) {
    const path = `header.${name}`;
    if (name === "extraData") header[name] = read.hex(fields[name], path, undefined, MAX_EXTRA_DATA);
    else if (name in HEADER_HEX) header[name] = read.hex(fields[name], path, HEADER_HEX[name as never]);
    else header[name] = read.quantity(fields[name], path, HEADER_NUMBERS[name as never]);
  }
  return header as unknown as TraceHeader;
}

function decodeAccount(value: unknown, path: string): TraceAccount {
  const fields = read.object(value, path, ACCOUNT_FIELDS, ["code"]);
  return {
    address: read.hex(fields.address, `${path}.address`, 20),
    nonce: read.quantity(fields.nonce, `${path}.nonce`, MAX_UINT64),
    balance: read.quantity(fields.balance, `${path}.balance`, MAX_WORD),
    codeHash: read.hex(fields.codeHash, `${path}.codeHash`, 32),
    ...(Object.hasOwn(fields, "code") ? { code: read.bytes(fields.code, `${path}.code`) } : {}),
    storage: read.array(fields.storage, `${path}.storage`).map((pair, i) => {
      const [slot, word] = read.array(pair, `${path}.storage[${i}]`, 2);
      return [
        read.quantity(slot, `${path}.storage[${i}][0]`, MAX_WORD),
        read.quantity(word, `${path}.storage[${i}][1]`, MAX_WORD),
      ] as const;
    }),
  };
}

function decodeExecution(
  value: unknown,
  path: string,
  budget: { readonly max: number; items: number },
): TraceExecution {
  const fields = read.object(value, path, ["status", "gasUsed", "steps"]);
  const status = read.integer(fields.status, `${path}.status`, 1) as 0 | 1;
  const gasUsed = read.quantity(fields.gasUsed, `${path}.gasUsed`, MAX_UINT64);
  let before: readonly bigint[] = [];
  const steps = read.array(fields.steps, `${path}.steps`).map((step, i) => {
    const decoded = decodeStep(step, `${path}.steps[${i}]`, before);
    before = decoded.stack;
    budget.items -= before.length;
    if (budget.items < 0) {
      throw new TraceError("the stacks of all steps together are too large", {
        code: "TRACE_LIMIT",
        where: `${path}.steps[${i}]`,
        expected: `at most ${budget.max} items`,
      });
    }
    return decoded;
  });
  return { steps, status, gasUsed };
}

function decodeStep(value: unknown, path: string, before: readonly bigint[]): TraceStep {
  const [pc, name, gas, memorySize, refund, kept, words] = read.array(value, path, 7);
  const op = opcodeByte(read.string(name, `${path}.op`));
  if (op === undefined) throw read.fault(`${path}.op`, "not an opcode", "a mnemonic, or 0x and two digits", name);
  const keep = read.integer(kept, `${path}.stack.keep`, before.length);
  const pushed = read.array(words, `${path}.stack`);
  if (keep + pushed.length > MAX_STACK) {
    throw read.fault(`${path}.stack`, "deeper than a stack can be", `at most ${MAX_STACK} items`, words);
  }
  const stack = keep === before.length && pushed.length === 0 ? before : before.slice(0, keep);
  if (pushed.length > 0) {
    const top = stack as bigint[];
    pushed.forEach((word, i) => {
      top.push(read.quantity(word, `${path}.stack[${keep + i}]`, MAX_WORD));
    });
    if (keep < before.length && before[keep] === top[keep]) {
      throw read.fault(`${path}.stack.keep`, "fewer items kept than stay", "as many as possible", kept);
    }
  }
  return {
    pc: read.integer(pc, `${path}.pc`, Number.MAX_SAFE_INTEGER),
    op,
    gas: read.quantity(gas, `${path}.gas`, MAX_UINT64),
    stack,
    memorySize: read.integer(memorySize, `${path}.memorySize`, MAX_MEMORY_WORDS),
    refund: read.quantity(refund, `${path}.refund`, MAX_UINT64),
  };
}

/** Number of leading items that two stacks share. */
function commonPrefix(a: readonly bigint[], b: readonly bigint[]): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a[i] === b[i]) i++;
  return i;
}
