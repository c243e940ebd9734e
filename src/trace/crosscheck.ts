/**
 * A second opinion on the steps of a trace: struct logs of `debug_traceTransaction` (geth, anvil and others) or lines of
 * EIP-3155 (`evm --json` and others), compared step by step.
 *
 * What is compared where it is there: pc, opcode, gas, stack, depth, size of memory, refund counter, and whether the
 * transaction failed. Tracers differ in whether the refund of a step shows the counter before or after it: both will do.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../verifier/errors.js";
import { describeStep } from "./execute.js";
import type { Trace, TraceExecution, TraceStep } from "./format.js";
import { mnemonic, opcodeByte } from "./opcodes.js";
import { type Hex, MAX_UINT64, quantity } from "./read.js";
import { type Fields, LooseReader } from "./rpc-values.js";

/**
 * Why a cross-check failed.
 *
 * | code                  | meaning                                                                             |
 * | --------------------- | ----------------------------------------------------------------------------------- |
 * | `CROSSCHECK_FORMAT`   | neither struct logs nor EIP-3155 lines, or a field of another form                  |
 * | `CROSSCHECK_COUNT`    | not the logs of all transactions of the block                                       |
 * | `CROSSCHECK_MISMATCH` | a step is another one there                                                         |
 */
export type CrossCheckErrorCode = "CROSSCHECK_FORMAT" | "CROSSCHECK_COUNT" | "CROSSCHECK_MISMATCH";

/** Other logs say something else than the trace; `where` is e.g. `transaction 2, step 17 (ADD at pc 34)`. */
export class CrossCheckError extends ChunkproofError {
  declare readonly code: CrossCheckErrorCode;

  /** @param message one sentence without the details */
  constructor(message: string, details: ErrorDetails & { readonly code: CrossCheckErrorCode }) {
    super(message, details);
  }
}

/** A step as another tracer saw it, before it was executed. */
export interface LoggedStep {
  readonly pc: number;
  /** `undefined`: a byte that is no opcode, by whatever name. */
  readonly op: number | undefined;
  readonly gas: bigint;
  /** 1 for the transaction itself. */
  readonly depth: number;
  /** Bottom first. */
  readonly stack?: readonly bigint[];
  /** Bytes. */
  readonly memorySize?: number;
  readonly refund?: bigint;
}

/** What another tracer saw of a transaction. */
export interface LoggedTransaction {
  /** Hash of the transaction, if the log has it. */
  readonly hash?: Hex;
  readonly failed?: boolean;
  readonly steps: readonly LoggedStep[];
}

const MAX_COUNT = BigInt(Number.MAX_SAFE_INTEGER);
/** Names that are, or were, those of other clients. */
const ALIASES: Readonly<Record<string, string>> = {
  SHA3: "KECCAK256",
  DIFFICULTY: "PREVRANDAO",
  RANDOM: "PREVRANDAO",
  SUICIDE: "SELFDESTRUCT",
};

const read = new LooseReader(
  (message, where, expected, got) => new CrossCheckError(message, { code: "CROSSCHECK_FORMAT", where, expected, got }),
);

/**
 * Struct logs: `{"structLogs": […]}`, a list of such (a block, each perhaps as `{"txHash", "result"}`), or either of them as
 * the `result` of a JSON-RPC answer.
 *
 * @param value parsed JSON
 * @throws CrossCheckError `CROSSCHECK_FORMAT`
 */
export function readStructLogs(value: unknown): LoggedTransaction[] {
  return (Array.isArray(value) ? value : [value]).flatMap((entry, i): LoggedTransaction[] => {
    const fields = read.object(entry, `transaction ${i}`);
    if ("result" in fields && Array.isArray(fields.result)) return readStructLogs(fields.result);
    const path = `transaction ${i}`;
    const log = "result" in fields ? read.object(fields.result, `${path}.result`) : fields;
    const { txHash } = fields;
    return [
      {
        ...(txHash === undefined ? {} : { hash: read.hex(txHash, `${path}.txHash`, 32) }),
        ...(typeof log.failed === "boolean" ? { failed: log.failed } : {}),
        steps: read.list(log.structLogs, `${path}.structLogs`).map((step, j) => {
          const at = `${path}.structLogs[${j}]`;
          const logged = read.object(step, at);
          return readStep(logged, logged.op, at);
        }),
      },
    ];
  });
}

/**
 * Lines of EIP-3155. The summary, the line without `pc`, ends a transaction; without any, all steps are of one.
 *
 * @throws CrossCheckError `CROSSCHECK_FORMAT`; `where` is `line <number>`, counted from 1
 */
export function readEip3155(text: string): LoggedTransaction[] {
  const transactions: LoggedTransaction[] = [];
  let steps: LoggedStep[] = [];
  text.split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    const at = `line ${i + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw read.fault(at, "a JSON object", line);
    }
    const fields = read.object(value, at);
    if ("pc" in fields) {
      steps.push(readStep(fields, fields.op, at));
    } else if ("gasUsed" in fields || "output" in fields) {
      const { pass, error } = fields;
      const failed = typeof pass === "boolean" ? !pass : typeof error === "string" && error !== "";
      transactions.push({ failed, steps });
      steps = [];
    } else if (!("stateRoot" in fields)) {
      throw read.fault(at, "a step or a summary", Object.keys(fields).join());
    }
  });
  return steps.length === 0 ? transactions : [...transactions, { steps }];
}

function readStep(fields: Fields, op: unknown, at: string): LoggedStep {
  const { stack, memSize, refund, depth } = fields;
  return {
    pc: Number(read.number(fields.pc, `${at}.pc`, MAX_COUNT)),
    op: opcodeOf(op, `${at}.op`),
    gas: read.number(fields.gas, `${at}.gas`, MAX_UINT64),
    depth: Number(read.number(depth ?? 1, `${at}.depth`, 1024n)),
    ...(stack == null
      ? {}
      : { stack: read.list(stack, `${at}.stack`).map((word, k) => read.word(word, `${at}.stack[${k}]`)) }),
    ...(memSize == null ? {} : { memorySize: Number(read.number(memSize, `${at}.memSize`, MAX_COUNT)) }),
    ...(refund == null ? {} : { refund: read.number(refund, `${at}.refund`, MAX_UINT64) }),
  };
}

function opcodeOf(op: unknown, at: string): number | undefined {
  if (typeof op === "number") return Number(read.number(op, at, 0xffn));
  if (typeof op !== "string") throw read.fault(at, "an opcode", op);
  // "opcode 0xc not defined", "UNKNOWN", ...
  return opcodeByte(ALIASES[op] ?? op) ?? (/^0x[0-9a-f]{1,2}$/i.test(op) ? Number(op) : undefined);
}

/**
 * Compares the steps of a trace with those of other logs.
 *
 * @param logs of all transactions, in their order, or with hashes
 * @param hashes of the trace's transactions
 * @throws CrossCheckError `CROSSCHECK_COUNT`; `CROSSCHECK_MISMATCH` with the first step that is different
 */
export function crossCheck(
  { executions }: Pick<Trace, "executions">,
  logs: readonly LoggedTransaction[],
  hashes: readonly Hex[],
): void {
  const named = new Map(logs.flatMap((log) => (log.hash === undefined ? [] : [[log.hash, log] as const])));
  const ordered = logs.filter(({ hash }) => hash === undefined);
  if (named.size + ordered.length !== executions.length) {
    throw new CrossCheckError("not the logs of all transactions", {
      code: "CROSSCHECK_COUNT",
      expected: `${executions.length} transactions`,
      got: String(named.size + ordered.length),
    });
  }
  executions.forEach((execution, i) => {
    const log = named.get(hashes[i]!) ?? ordered.shift();
    if (log === undefined) {
      const where = `transaction ${i}`;
      throw new CrossCheckError("the log does not have it", { code: "CROSSCHECK_COUNT", where, expected: hashes[i] });
    }
    crossCheckTransaction(execution, i, log);
  });
}

/**
 * Compares the steps of one transaction.
 *
 * @param index of the transaction, for messages
 * @throws CrossCheckError `CROSSCHECK_MISMATCH`
 */
export function crossCheckTransaction({ steps, status }: TraceExecution, index: number, log: LoggedTransaction): void {
  const fault = (where: string, field: string, expected: string, got: string) =>
    new CrossCheckError(`another ${field} in the log`, { code: "CROSSCHECK_MISMATCH", where, expected, got });
  for (let j = 0; j < Math.min(steps.length, log.steps.length); j++) {
    const difference = compare(steps[j]!, steps[j + 1], log.steps[j]!);
    if (difference !== undefined) throw fault(describeStep(index, j, steps[j]!), ...difference);
  }
  const where = `transaction ${index}`;
  if (steps.length !== log.steps.length) {
    throw fault(where, "number of steps", String(steps.length), String(log.steps.length));
  }
  if (log.failed !== undefined && log.failed !== (status === 0)) {
    throw fault(where, "status", String(status), log.failed ? "0" : "1");
  }
}

/** What is different in a step, if anything: field, what the trace has, what the log has. */
function compare(
  ours: TraceStep,
  next: TraceStep | undefined,
  theirs: LoggedStep,
): [field: string, expected: string, got: string] | undefined {
  if (theirs.depth !== 1) return ["depth", "1", String(theirs.depth)];
  if (theirs.pc !== ours.pc) return ["pc", String(ours.pc), String(theirs.pc)];
  // a byte without a name has many
  const opcode = theirs.op ?? (isNamed(ours.op) ? undefined : ours.op);
  if (opcode !== ours.op) {
    return ["opcode", mnemonic(ours.op), theirs.op === undefined ? "no opcode" : mnemonic(theirs.op)];
  }
  if (theirs.gas !== ours.gas) return ["gas", quantity(ours.gas), quantity(theirs.gas)];
  const { stack, memorySize, refund } = theirs;
  if (stack !== undefined) {
    if (stack.length !== ours.stack.length) {
      return ["stack", `${ours.stack.length} items`, `${stack.length} items`];
    }
    const at = ours.stack.findIndex((word, k) => word !== stack[k]);
    if (at >= 0) return [`item ${at} of the stack, from the bottom`, quantity(ours.stack[at]!), quantity(stack[at]!)];
  }
  if (memorySize !== undefined && memorySize !== 32 * ours.memorySize) {
    return ["size of memory", `${32 * ours.memorySize} bytes`, `${memorySize} bytes`];
  }
  if (refund !== undefined && next !== undefined && refund !== ours.refund && refund !== next.refund) {
    return ["refund counter", quantity(ours.refund), quantity(refund)];
  }
  return undefined;
}

const isNamed = (op: number): boolean => !mnemonic(op).startsWith("0x");
