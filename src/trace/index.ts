/**
 * `chunkproof/trace`: blocks and their traces. An embedded sequencer makes them, `validateTrace` says whether one makes
 * sense and can be proved, `encodeTrace` and `decodeTrace` keep it in a file.
 *
 * @example
 * ```ts
 * const { trace, before } = await runScenario(loadScenario("demo"));
 * await validateTrace(trace);
 * await writeFile("block.trace", encodeTrace(trace));
 * await writeFile("before.json", encodeSnapshot(before));
 * ```
 *
 * @module
 */

export { ChunkproofError } from "../verifier/errors.js";
export { blobBaseFee } from "../verifier/ethereum/header.js";
export { assemble } from "./assembler.js";
export {
  CrossCheckError,
  type CrossCheckErrorCode,
  crossCheck,
  type LoggedStep,
  type LoggedTransaction,
  readEip3155,
  readStructLogs,
} from "./crosscheck.js";
export { TraceError, type TraceErrorCode, type TraceErrorDetails } from "./errors.js";
export {
  type BlockFields,
  type BuiltBlock,
  type GenesisAccount,
  type PostState,
  Sequencer,
  type SequencerOptions,
} from "./ethereumjs.js";
export {
  type BlockToExecute,
  type ExecutedAccount,
  type ExecutedBlock,
  type ExecutedLog,
  type ExecutedReceipt,
  type ExecuteOptions,
  type ExecutionHeader,
  executeBlock,
  type SourceAccount,
  type StateSource,
  traceOfBlock,
} from "./execute.js";
export {
  checkTrace,
  type DecodeOptions,
  decodeTrace,
  encodeTrace,
  type Hex,
  TRACE_VERSION,
  type Trace,
  type TraceAccount,
  type TraceExecution,
  type TraceHeader,
  type TraceStep,
} from "./format.js";
export { mnemonic, OP, OPCODES, type Opcode, opcodeByte } from "./opcodes.js";
export { crossCheckWithNode, type RpcBlockOptions, type RpcTrace, snapshotFromRpc, traceFromRpc } from "./rpc.js";
export type { RpcOptions } from "./rpc-client.js";
export { RpcError, type RpcErrorCode } from "./rpc-errors.js";
export {
  addressOf,
  loadScenario,
  runScenario,
  SCENARIO_NAMES,
  type Scenario,
  type ScenarioRun,
  scenarioKey,
} from "./scenarios.js";
export { decodeSnapshot, encodeSnapshot, SNAPSHOT_VERSION, type Snapshot, type SnapshotAccount } from "./snapshot.js";
export {
  intrinsicGas,
  readTransaction,
  signTransaction,
  type TraceTransaction,
  type TransactionFields,
} from "./transaction.js";
export { replayTrace, type ValidateOptions, validateTrace } from "./validate.js";
