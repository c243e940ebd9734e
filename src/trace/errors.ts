/**
 * Errors of traces: what was wrong and where, e.g. `executions[2].steps[17].stack` in a file, or
 * `transaction 2, step 17 (ADD at pc 34)` in an execution. Transactions and steps count from 0 everywhere.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../verifier/errors.js";

/**
 * Why a trace, a block or a scenario was refused.
 *
 * | code                       | meaning                                                                               |
 * | -------------------------- | ------------------------------------------------------------------------------------- |
 * | `TRACE_JSON`               | not JSON, truncated, or not spelled the one accepted way                              |
 * | `TRACE_VERSION`            | a version of the format that is not known here                                        |
 * | `TRACE_FIELD`              | a field is missing, unknown, of a wrong type, or out of range                         |
 * | `TRACE_LIMIT`              | larger than the protocol allows                                                       |
 * | `TRACE_HEADER`             | the header contradicts the block or holds what is not supported                       |
 * | `TRACE_TRANSACTION`        | a transaction is no transaction, or not valid on the state it meets                   |
 * | `TRACE_TX_TYPE`            | a transaction type other than 0, 1, 2                                                 |
 * | `TRACE_CREATE`             | a transaction that creates a contract                                                 |
 * | `TRACE_PRECOMPILE`         | a transaction whose recipient is a precompile                                         |
 * | `TRACE_PRESTATE`           | an account, code, slot or block hash is missing, superfluous, or contradicts itself   |
 * | `TRACE_ORDER`              | steps, executions or accounts are missing, superfluous or out of order                |
 * | `TRACE_PC`                 | the program counter is not where the step before leads                                |
 * | `TRACE_OPCODE`             | the opcode is not what stands in the code there                                       |
 * | `TRACE_GAS`                | the gas is not what the step before leaves                                            |
 * | `TRACE_STACK`              | the stack is not what the step before leaves                                          |
 * | `TRACE_MEMORY`             | the memory size is not what the step before leaves                                    |
 * | `TRACE_REFUND`             | the refund counter is not what the step before leaves                                 |
 * | `TRACE_STATUS`             | status or gas used contradict the steps                                               |
 * | `TRACE_UNSUPPORTED_OPCODE` | an opcode that cannot be proved yet                                                   |
 * | `TRACE_GENESIS`            | a genesis that the sequencer cannot start from                                        |
 * | `TRACE_EVM`                | the EVM itself failed, which is a bug there or here                                   |
 * | `TRACE_SCENARIO`           | no such scenario, or a scenario file with a wrong field                               |
 * | `TRACE_ASSEMBLY`           | assembly text that cannot be assembled                                                |
 */
export type TraceErrorCode =
  | "TRACE_JSON"
  | "TRACE_VERSION"
  | "TRACE_FIELD"
  | "TRACE_LIMIT"
  | "TRACE_HEADER"
  | "TRACE_TRANSACTION"
  | "TRACE_TX_TYPE"
  | "TRACE_CREATE"
  | "TRACE_PRECOMPILE"
  | "TRACE_PRESTATE"
  | "TRACE_ORDER"
  | "TRACE_PC"
  | "TRACE_OPCODE"
  | "TRACE_GAS"
  | "TRACE_STACK"
  | "TRACE_MEMORY"
  | "TRACE_REFUND"
  | "TRACE_STATUS"
  | "TRACE_UNSUPPORTED_OPCODE"
  | "TRACE_GENESIS"
  | "TRACE_EVM"
  | "TRACE_SCENARIO"
  | "TRACE_ASSEMBLY";

/** {@link ErrorDetails} of traces: the code is one of a closed list. */
export interface TraceErrorDetails extends ErrorDetails {
  code: TraceErrorCode;
}

/** A trace, block or scenario was refused; `code` says why, `where` names the field or the transaction and step. */
export class TraceError extends ChunkproofError {
  declare readonly code: TraceErrorCode;

  /** @param message one sentence without the details */
  constructor(message: string, details: TraceErrorDetails) {
    super(message, details);
  }
}
