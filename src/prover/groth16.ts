/**
 * The public functions of the prover. Importing this module imports little more than what starts threads: whatever else
 * they need is imported while the threads start, which takes longer.
 *
 * @module
 */

import type { Source } from "../formats/source.js";
import type { Backend, BackendName } from "./backend.js";
import type { BackendOptions } from "./backends.js";
import type {
  ChunkPoints,
  Commitment,
  CommittedKey,
  CommittedKeySource,
  LoadCommittedOptions,
  ProveChunkOptions,
} from "./commitment.js";
import type { LoadOptions, ProvingKey } from "./key.js";
import type { ProofResult, ProveOptions, WorkOptions } from "./prove.js";
import { Engine } from "./wasm/engine.js";
import type { CircomWitness, CircuitInputs } from "./witness.js";

/**
 * Loads a Groth16 proving key over BN254 as snarkjs writes it (`.zkey`).
 *
 * Every base is checked to be on the curve, every coefficient to be below r. Memory: about 120 bytes for each point of A,
 * C and H, 240 for each of B2 (infinity, the image of signals that a matrix does not use, takes none), 44 for each
 * coefficient, 80 for each point of the domain; the section B1 is not needed, see {@link prove}. Downloads are kept whole
 * until the key is loaded; files are read piece by piece.
 *
 * A key decides what a proof gives away: which signals are public, and how the others are hidden. Load keys from elsewhere
 * with `verifyingKey`, and trust them as far as whoever ran `snarkjs zkey verify`.
 *
 * @param source path, `http(s):` or `file:` URL, bytes or Blob.
 * @returns a key to prove with many times; close it to end its threads.
 * @throws FormatError when the source cannot be read or is no such key (the codes of `openZkey`, `POINT_INVALID`,
 *   `ZKEY_COEFFICIENT`); ProverError `ZKEY_UNEXPECTED`, `OUT_OF_MEMORY`, `DOMAIN_TOO_LARGE`, `WASM_UNSUPPORTED`,
 *   `WASM_UNAVAILABLE`, `ARITHMETIC_UNSUPPORTED`, `WORKER_FAILED`, `THREADS_INVALID`, `MEMORY_INVALID`.
 */
export async function loadProvingKey(source: Source, options: LoadOptions = {}): Promise<ProvingKey> {
  const starting = startEngine(options);
  const { readProvingKey } = await import("./key.js");
  const reading = readProvingKey(source, starting, options);
  // what comes next; should it fail, prove() will say so
  import("./prove.js").catch(() => {});
  return reading;
}

/** Starts threads while modules are imported. */
function startEngine(options: LoadCommittedOptions): Promise<Engine> {
  options.signal?.throwIfAborted();
  const starting = Engine.create(options);
  // whoever waits for it hears of it; until then nobody does
  starting.catch(() => {});
  return starting;
}

/**
 * Proves that a witness satisfies the key's circuit.
 *
 * On a device (`backend`) the proof is the same but for its blinding, and always verified before it is handed out.
 *
 * Values are not kept secret from whoever can time this process or read its memory: the arithmetic is not constant time.
 *
 * @param witness a `.wtns` (path, URL, bytes or Blob), or the circuit's `.wasm` with its inputs.
 * @throws FormatError for a bad witness file, `ZKEY_VERIFYING_KEY` (no verifier takes the key's proofs), `POINT_AT_INFINITY` and
 *   `POINT_NOT_IN_SUBGROUP` (the key is inconsistent); ProverError `WITNESS_LENGTH`, `WITNESS_NOT_CANONICAL`, `WITNESS_NOT_ONE`,
 *   `WITNESS_UNSATISFIED` (self-check: the witness does not satisfy the circuit), `KEY_CLOSED`, `OUT_OF_MEMORY`,
 *   `WORKER_FAILED`, `THREADS_INVALID`, `NO_RANDOMNESS`, `BACKEND_UNKNOWN`, `WEBGPU_UNAVAILABLE`, `GPUJS_UNAVAILABLE` (asked for by
 *   name, and not there), and what {@link calculateWitness} throws. A key without contribution proves,
 *   though nobody should trust it.
 */
export async function prove(
  key: ProvingKey,
  witness: Source | CircomWitness,
  options: ProveOptions = {},
): Promise<ProofResult> {
  const { createProof } = await import("./prove.js");
  return createProof(key, witness, options);
}

/**
 * Runs a circom 2 witness calculator.
 *
 * @returns the witness as a `.wtns` file.
 * @throws ProverError `CIRCUIT_WASM` (not a circom 2 calculator over BN254), `INPUT_UNKNOWN`, `INPUT_MISSING`,
 *   `INPUT_LENGTH`, `INPUT_INVALID`, `WITNESS_FAILED` (the circuit rejects the inputs); FormatError when the file cannot be read.
 */
export async function calculateWitness(wasm: Source, inputs: CircuitInputs, signal?: AbortSignal): Promise<Uint8Array> {
  const { runCalculator } = await import("./witness.js");
  return runCalculator(wasm, inputs, signal);
}

/**
 * Loads a Groth16 proving key and the commitment key that belongs to it.
 *
 * Takes what `loadProvingKey` takes, and 240 bytes more for each column. Every base is checked to be on the curve; whether
 * σ·IC_i is what it should be is for `checkCommitmentKey` of the setup to say, once for a file.
 *
 * @returns a key to commit and prove with many times; close it to end its threads.
 * @throws FormatError the codes of `loadProvingKey` and `openCkey`; `CKEY_FOREIGN`: the ckey belongs to another zkey;
 *   `CKEY_COUNTS`, `ZKEY_GAMMA`, `POINT_AT_INFINITY`; ProverError as `loadProvingKey`; `signal.reason`.
 */
export async function loadCommittedKey(
  source: CommittedKeySource,
  options: LoadCommittedOptions = {},
): Promise<CommittedKey> {
  const starting = startEngine(options);
  const { readCommittedKey } = await import("./commitment.js");
  return readCommittedKey(source, starting, options);
}

/**
 * Commits to columns. The same columns always give the same commitment: it hides nothing.
 *
 * @param columns `nCommitted × 32` bytes, little-endian, each number below r; or as many bigints.
 * @throws ProverError `COLUMNS_LENGTH`, `COLUMN_NOT_CANONICAL`, `KEY_CLOSED`, `OUT_OF_MEMORY`, `WORKER_FAILED`,
 *   `THREADS_INVALID`; `signal.reason`.
 */
export async function commit(
  key: CommittedKey,
  columns: Uint8Array | readonly bigint[],
  options: WorkOptions = {},
): Promise<Commitment> {
  const { commitColumns } = await import("./commitment.js");
  return commitColumns(key, columns, options);
}

/**
 * Proves a chunk: that its columns, the challenges and the sum in its witness satisfy the key's circuit.
 *
 * The self-check verifies the proof by the equation of a chunk, with the commitment that was handed out before.
 *
 * @param witness `nVars × 32` bytes, little-endian, each number below r; the first is the constant 1.
 * @returns A, B and C of the chunk's proof, and what computed them.
 * @throws ProverError `WITNESS_LENGTH`, `WITNESS_NOT_CANONICAL`, `WITNESS_NOT_ONE`, `WITNESS_UNSATISFIED` (the witness does not
 *   satisfy the circuit, or the commitment is to other columns), `KEY_CLOSED`, `OUT_OF_MEMORY`, `WORKER_FAILED`,
 *   `THREADS_INVALID`, `NO_RANDOMNESS`; FormatError `POINT_AT_INFINITY` (the key is inconsistent); `signal.reason`.
 */
export async function proveChunk(
  key: CommittedKey,
  witness: Uint8Array,
  options: ProveChunkOptions = {},
): Promise<ChunkPoints> {
  const { createChunkProof } = await import("./commitment.js");
  return createChunkProof(key, witness, options);
}

/**
 * Opens a backend, to compute with it what {@link Backend} offers or to hand it to {@link prove}.
 *
 * @throws ProverError `BACKEND_UNKNOWN`, `WEBGPU_UNAVAILABLE`, `GPUJS_UNAVAILABLE`, `TUNING_INVALID`; and the codes of starting
 *   the WebAssembly engine, see {@link loadProvingKey}.
 */
export async function openBackend(name: BackendName, options: BackendOptions = {}): Promise<Backend> {
  const { openBackend } = await import("./backends.js");
  return openBackend(name, options);
}
