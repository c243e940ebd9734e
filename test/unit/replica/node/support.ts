/**
 * What the tests of replica nodes share: a chain of blocks with proofs that are valid under keys whose trapdoors are known.
 * Transfers need no chunk; of other blocks one chunk is forged, which proves whatever is missing.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { assemble, blockRows, countRows } from "../../../../src/block/assemble.js";
import { assemble as assembleCode } from "../../../../src/trace/assembler.js";
import { type BlockFields, type BuiltBlock, type GenesisAccount, Sequencer } from "../../../../src/trace/ethereumjs.js";
import type { Snapshot } from "../../../../src/trace/snapshot.js";
import { busSum } from "../../../../src/verifier/bus.js";
import { BLOCK_PROOF_VERSION, type BlockProof, encodeBlockProof } from "../../../../src/verifier/encoding.js";
import { decodeHeader, encodeHeader, type Header } from "../../../../src/verifier/ethereum/header.js";
import { bytesToUint, keccak, uintToBytes } from "../../../../src/verifier/ethereum/words.js";
import { FR_MODULUS } from "../../../../src/verifier/fq2.js";
import { challenges } from "../../../../src/verifier/transcript.js";
import {
  ALICE,
  altered,
  BOB,
  CAROL,
  CHAIN_ID,
  digestOf,
  ETHER,
  forgeChunk,
  hexAddress,
  KEYS,
  MINER,
  transfer,
} from "../../verifier/block/support.js";

export { ALICE, altered, BOB, CAROL, CHAIN_ID, ETHER, hexAddress, KEYS, MINER, transfer };

/** Adds 1 to slot 0, writes what it is called with into slot 1, and logs it under a topic. */
export const STORE = 0x5708en;
export const STORE_CODE = assembleCode(
  "0 SLOAD 1 ADD 0 SSTORE  0 CALLDATALOAD 1 SSTORE  0 CALLDATALOAD 0 MSTORE  7 32 0 LOG1  STOP",
);
/** Writes the hash of the block whose number it is called with into slot 0. */
export const HASHES = 0x4a54e5n;
/** Reverts. */
export const REVERTS = 0x2e7e2n;

export const GENESIS: readonly GenesisAccount[] = [
  ...[ALICE, BOB, CAROL].map(({ address }) => ({ address: hexAddress(address), balance: ETHER })),
  { address: hexAddress(STORE), nonce: 1n, code: STORE_CODE, storage: [[0n, 41n]] },
  { address: hexAddress(HASHES), nonce: 1n, code: assembleCode("0 CALLDATALOAD BLOCKHASH 0 SSTORE STOP") },
  { address: hexAddress(REVERTS), nonce: 1n, code: assembleCode("0 0 REVERT") },
];

/** A call of a contract with one word. */
export const call = (from: typeof ALICE, to: bigint, argument: bigint, nonce: bigint): Uint8Array =>
  transfer(from, to, 0n, { gasLimit: 100_000n, data: uintToBytes(argument, 32), nonce });

/** A block of a {@link TestChain}. */
export interface ProvedBlock {
  readonly number: bigint;
  readonly hash: bigint;
  readonly header: Header;
  readonly proof: Uint8Array;
  readonly built: BuiltBlock;
}

/** Proves whatever is claimed, with the trapdoors. `salt` makes another proof of the same block. */
export function proofOf({ trace }: Pick<BuiltBlock, "trace">, salt = 0n): BlockProof {
  const built = blockRows(trace);
  const { claims, boundary } = assemble(built, countRows(built));
  const header = encodeHeader(built.header);
  const keySet = digestOf(KEYS);
  const rest = { version: BLOCK_PROOF_VERSION, keySet, header, transactions: trace.transactions, claims } as const;
  if (built.rows.size === 0 && salt === 0n) return { ...rest, chunks: [] };
  const commitment = { layout: 0, d: 23n + salt };
  // D and P do not depend on what is proved
  const { proof } = forgeChunk(commitment, 0n, { alpha: 1n, beta: 1n });
  const drawn = challenges({
    keySet,
    chainId: built.chainId,
    header,
    preState: claims.preState,
    messages: boundary.messages,
    chunks: [{ layout: 0, d: proof.subarray(128, 160), p: proof.subarray(160, 192) }],
  });
  const sum = (FR_MODULUS - busSum(boundary.messages, drawn)) % FR_MODULUS;
  return { ...rest, chunks: [forgeChunk(commitment, sum, drawn)] };
}

/** A chain from {@link GENESIS}. */
export class TestChain {
  readonly before: Snapshot;
  readonly blocks: ProvedBlock[] = [];
  readonly #sequencer: Sequencer;

  private constructor(sequencer: Sequencer, before: Snapshot) {
    this.#sequencer = sequencer;
    this.before = before;
  }

  static async create(genesis: readonly GenesisAccount[] = GENESIS): Promise<TestChain> {
    const sequencer = await Sequencer.create({ chainId: CHAIN_ID, genesis });
    return new TestChain(sequencer, await sequencer.snapshot());
  }

  /** The state after the newest block. */
  snapshot(): Promise<Snapshot> {
    return this.#sequencer.snapshot();
  }

  async add(transactions: readonly Uint8Array[] = [], fields: BlockFields = {}): Promise<ProvedBlock> {
    const built = await this.#sequencer.buildBlock(transactions, { coinbase: hexAddress(MINER.address), ...fields });
    const header = decodeHeader(built.block.header.serialize());
    const proof = encodeBlockProof(proofOf(built));
    const block = { number: header.number, hash: bytesToUint(built.block.hash()), header, proof, built };
    this.blocks.push(block);
    return block;
  }

  /** Transfers of Alice to Bob, one a block, and every third block a call of {@link STORE} by Carol. */
  static async of(length: number): Promise<TestChain> {
    const chain = await TestChain.create();
    for (let i = 0n; i < BigInt(length); i++) {
      const calls = i % 3n === 2n ? [call(CAROL, STORE, 1000n + i, i / 3n)] : [];
      await chain.add([transfer(ALICE, BOB.address, 5n + i, { nonce: i }), ...calls]);
    }
    return chain;
  }
}

/** Hash of a transaction. */
export const hashOf = (transaction: Uint8Array): bigint => keccak(transaction);

/** A new folder. */
export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "chunkproof-replica-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A folder that is removed after the test. */
export async function testFolder(): Promise<string> {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  return path;
}
