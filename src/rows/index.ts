/**
 * All row templates, and which of them proves which opcode.
 *
 * @module
 */

import { type Code, DUP_CLASS, LOG_CLASS, PUSH_CLASS, SWAP_CLASS } from "../verifier/ethereum/code.js";
import { joinHalves } from "../verifier/ethereum/words.js";
import { add, assignAdd } from "./add.js";
import { addressmask, assignAnd } from "./addressmask.js";
import { assignBalance, balance } from "./balance.js";
import { assignBitwise, bitwise } from "./bitwise.js";
import { assignBlockhash, blockhash } from "./blockhash.js";
import { assignByte, byte } from "./byte.js";
import { assignCalldataload, calldataload } from "./calldataload.js";
import { assignContext, context } from "./context.js";
import { assignCopydata, copydata } from "./copydata.js";
import { cutword } from "./cutword.js";
import { assignDiv, div } from "./div.js";
import { assignDup, dup } from "./dup.js";
import { assignEnv, env } from "./env.js";
import { assignEq, eq } from "./eq.js";
import { RowError } from "./errors.js";
import { assignExp, exp } from "./exp.js";
import { expand } from "./expand.js";
import { assignExtcodecopy, extcodecopy } from "./extcodecopy.js";
import { assignExtcodehash, extcodehash } from "./extcodehash.js";
import { assignExtcodesize, extcodesize } from "./extcodesize.js";
import { assignFail, fail } from "./fail.js";
import type { Ended } from "./frame.js";
import { assignGauge, gauge } from "./gauge.js";
import { haltOf, peekStack } from "./halt.js";
import { assignHaltcode, haltcode } from "./haltcode.js";
import { assignHaltgas, haltgas } from "./haltgas.js";
import { assignHaltjump, haltjump } from "./haltjump.js";
import { assignHaltmemory, haltmemory } from "./haltmemory.js";
import { assignHaltreturn, haltreturn } from "./haltreturn.js";
import { assignIszero, iszero } from "./iszero.js";
import { cellKey, journalLength, SPACE } from "./journal.js";
import { assignJump, jump } from "./jump.js";
import { assignJumpdest, jumpdest } from "./jumpdest.js";
import { assignJumpi, jumpi } from "./jumpi.js";
import { assignKeccak, keccak } from "./keccak.js";
import { load } from "./load.js";
import { assignLogs, logs } from "./logs.js";
import { assignLt, lt } from "./lt.js";
import type { Machine } from "./machine.js";
import { assignMcopy, mcopy } from "./mcopy.js";
import { memgas } from "./memgas.js";
import { assignMload, mload } from "./mload.js";
import { assignMloadany, mloadany } from "./mloadany.js";
import { assignMstore, mstore } from "./mstore.js";
import { assignMstore8, mstore8 } from "./mstore8.js";
import { assignMstoreany, mstoreany } from "./mstoreany.js";
import { assignMul, mul } from "./mul.js";
import { assignMulmod, mulmod } from "./mulmod.js";
import { assignNot, not } from "./not.js";
import { assignPop, pop } from "./pop.js";
import { power } from "./power.js";
import { assignPush, push } from "./push.js";
import { read } from "./read.js";
import { assignReturndatacopy, returndatacopy } from "./returndatacopy.js";
import { assignReturns, returns } from "./returns.js";
import { assignRevert, revert } from "./revert.js";
import type { RowTemplate } from "./row.js";
import { assignSar, sar } from "./sar.js";
import { assignSdiv, sdiv } from "./sdiv.js";
import { assignSelfbalance, selfbalance } from "./selfbalance.js";
import { assignShift, shift } from "./shift.js";
import { shiftword } from "./shiftword.js";
import { sink } from "./sink.js";
import { sinkjournal } from "./sinkjournal.js";
import { assignSload, sload } from "./sload.js";
import { assignSlt, slt } from "./slt.js";
import { assignSstore, sstore } from "./sstore.js";
import { assignStop, stop } from "./stop.js";
import { assignSwap, swap } from "./swap.js";
import { assignTload, tload } from "./tload.js";
import { assignTstore, tstore } from "./tstore.js";
import { assignTxenv, txenv } from "./txenv.js";
import { assignUndo, undo } from "./undo.js";
import { undoaccount } from "./undoaccount.js";
import { assignUndolog, undolog } from "./undolog.js";
import { wide } from "./wide.js";
import { write } from "./write.js";

/** All row templates. */
// biome-ignore format: a list
export const TEMPLATES: readonly RowTemplate[] = [
  add, addressmask, balance, bitwise, blockhash, byte, calldataload, context, copydata, cutword, div, dup, env, eq,
  exp, expand, extcodecopy, extcodehash, extcodesize, fail, gauge, haltcode, haltgas, haltjump, haltmemory, haltreturn,
  iszero, jump, jumpdest, jumpi, keccak, load, logs, lt, mcopy, memgas, mload, mloadany, mstore, mstore8, mstoreany,
  mul, mulmod, not, pop, power, push, read, returndatacopy, returns, revert, sar, sdiv, selfbalance, shift, shiftword, sink,
  sinkjournal, sload, slt, sstore, stop, swap, tload, tstore, txenv, undo, undoaccount, undolog, wide, write,
];

const BY_NAME = new Map(TEMPLATES.map((template) => [template.name, template]));

/** The template of a name. @throws RowError `ROW_UNKNOWN` */
export function template(name: string): RowTemplate {
  const found = BY_NAME.get(name);
  if (found === undefined) throw new RowError("no such row template", { code: "ROW_UNKNOWN", where: name });
  return found;
}

/** What rows have to know of the frame that they are in. */
export interface Frame {
  /** The transaction, from 1. */
  readonly T: bigint;
  readonly code: Code;
  /** The code's position in the block's list of codes. */
  readonly codeId: bigint;
  /** The account that the code runs as. */
  readonly address: bigint;
  readonly calldata: Uint8Array;
  /** Words of CTX, TXENV and ENV by field, which is the opcode that reads them. */
  readonly context: ReadonlyMap<number, bigint>;
  readonly txenv: ReadonlyMap<number, bigint>;
  readonly env: ReadonlyMap<number, bigint>;
  /** Hash of one of the 256 blocks before this one. */
  blockHash(n: bigint): bigint;
  /** A code by its hash: its position in the block's list, and its bytes. */
  codeOf(hash: bigint): { readonly id: bigint; readonly bytes: Uint8Array };
}

type Assign<R> = (m: Machine, frame: Frame, n: number) => R;

const wordOf = (words: ReadonlyMap<number, bigint>, field: number): bigint => {
  const word = words.get(field);
  if (word === undefined) throw new RowError("no such field", { code: "ROW_FIELD", where: `0x${field.toString(16)}` });
  return word;
};

/** Whether the offset on top of the stack is that of a word. */
const isAligned = (m: Machine): boolean => peekStack(m, 1) % 32n === 0n;

/** Steps by class, which is the opcode for most. */
const STEPS: Readonly<Record<number, Assign<void>>> = {
  1: (m) => assignAdd(m, false),
  2: assignMul,
  3: (m) => assignAdd(m, true),
  4: (m) => assignDiv(m, false),
  5: (m) => assignSdiv(m, false),
  6: (m) => assignDiv(m, true),
  7: (m) => assignSdiv(m, true),
  8: (m) => assignMulmod(m, false),
  9: (m) => assignMulmod(m, true),
  10: assignExp,
  11: (m) => assignByte(m, false),
  16: (m) => assignLt(m, false),
  17: (m) => assignLt(m, true),
  18: (m) => assignSlt(m, false),
  19: (m) => assignSlt(m, true),
  20: assignEq,
  21: assignIszero,
  22: assignAnd,
  23: (m) => assignBitwise(m, "or"),
  24: (m) => assignBitwise(m, "xor"),
  25: assignNot,
  26: (m) => assignByte(m, true),
  27: (m) => assignShift(m, "SHL"),
  28: (m) => assignShift(m, "SHR"),
  29: assignSar,
  32: assignKeccak,
  49: assignBalance,
  50: (m, { T, txenv: words }, n) => assignTxenv(m, n, T, wordOf(words, n)),
  51: (m, { context: words }, n) => assignContext(m, n, wordOf(words, n)),
  53: (m, { calldata }) => assignCalldataload(m, calldata),
  55: (m, { calldata }) => assignCopydata(m, calldata, false),
  57: (m, { code }) => assignCopydata(m, code.bytes, true),
  59: assignExtcodesize,
  60: assignExtcodecopy,
  62: assignReturndatacopy,
  63: assignExtcodehash,
  64: (m, frame) => assignBlockhash(m, { number: wordOf(frame.env, 0x43), blockHash: (n) => frame.blockHash(n) }),
  65: (m, { env: words }, n) => assignEnv(m, n, wordOf(words, n)),
  71: assignSelfbalance,
  80: assignPop,
  81: (m) => (isAligned(m) ? assignMload(m) : assignMloadany(m)),
  82: (m) => (isAligned(m) ? assignMstore(m) : assignMstoreany(m)),
  83: assignMstore8,
  84: assignSload,
  85: assignSstore,
  86: assignJump,
  87: assignJumpi,
  88: (m) => assignGauge(m, "pc"),
  89: (m) => assignGauge(m, "msize"),
  90: (m) => assignGauge(m, "gas"),
  91: assignJumpdest,
  92: assignTload,
  93: assignTstore,
  94: assignMcopy,
  [PUSH_CLASS]: (m, { code }, n) => {
    const { immHi, immLo } = code.entry(Number(m.registers.pc))!;
    assignPush(m, n, joinHalves(immHi, immLo));
  },
  [DUP_CLASS]: (m, _, n) => assignDup(m, n),
  [SWAP_CLASS]: (m, _, n) => assignSwap(m, n),
  [LOG_CLASS]: (m, frame, n) => assignLogs(m, frame, n),
};

/** Steps that end a frame. */
const ENDS: Readonly<Record<number, Assign<Ended | "failed">>> = {
  0: (m, { T }) => assignStop(m, T),
  243: (m, { T }) => assignReturns(m, T),
  253: (m) => {
    assignRevert(m);
    return "failed";
  },
};

/** Exceptional halts, by why. */
const HALTS: Readonly<Record<NonNullable<ReturnType<typeof haltOf>>, (m: Machine, frame: Frame) => void>> = {
  code: assignHaltcode,
  jump: assignHaltjump,
  memory: assignHaltmemory,
  gas: assignHaltgas,
  return: assignHaltreturn,
};

/**
 * Assigns the rows of the step at the machine's pc.
 *
 * @returns how the transaction ended, if it did; `"failed"`: the frame has to be undone, see {@link assignFailure}.
 * @throws RowError `ROW_OPCODE` when no row proves the opcode; those of the machine
 */
export function assignStep(m: Machine, frame: Frame): Ended | "failed" | undefined {
  const halt = haltOf(m, frame);
  if (halt !== undefined) {
    HALTS[halt](m, frame);
    return "failed";
  }
  const { pc } = m.registers;
  const entry = frame.code.entry(Number(pc));
  if (entry?.isInstr === 1) {
    const end = ENDS[entry.class];
    if (end !== undefined) return end(m, frame, entry.n);
    const step = STEPS[entry.class];
    if (step !== undefined) {
      step(m, frame, entry.n);
      if (m.registers.gas >= 0n) return undefined;
      // the step cost more than there was
      assignHaltgas(m, frame);
      return "failed";
    }
  }
  throw new RowError("no row proves this step", {
    code: "ROW_OPCODE",
    where: `pc ${pc}`,
    got: entry === undefined ? "no code" : `class 0x${entry.class.toString(16)}, n ${entry.n}`,
  });
}

/** Undoes the journal of a failed root frame, entry by entry, and ends it. */
export function assignFailure(m: Machine, { T }: Frame): Ended {
  for (let left = journalLength(m, T); left > 0n; left--) {
    if (m.peek("JOURNAL", cellKey.journal(T, left - 1n)).space === SPACE.LOG) assignUndolog(m, T);
    else assignUndo(m, T);
  }
  const { clk, gas } = m.registers;
  assignFail(m, T);
  return { clk, gas, status: 0n };
}
