/**
 * A chain with real proofs, for replicas: a hundred blocks, most of which need few or no chunks. It is made once and kept in
 * the cache. Run `npm run build` first.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KeyFolder } from "../../src/keys/folder.js";
import { assemble } from "../../src/trace/assembler.js";
import { type BlockFields, Sequencer } from "../../src/trace/ethereumjs.js";
import type { Hex } from "../../src/trace/read.js";
import { addressOf, scenarioKey } from "../../src/trace/scenarios.js";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "../../src/trace/snapshot.js";
import { signTransaction } from "../../src/trace/transaction.js";
import { BLOCK_PROOF_VERSION } from "../../src/verifier/encoding.js";
import { BlockProver, CACHE, CHAIN_ID, makeKeys, SMALL } from "./proofs.js";

/** Changes when the blocks are other ones. */
const RECIPE = "replica chain 1";
const BLOCKS = 100;
const COUNTER: Hex = `0x${"c0".repeat(20)}`;
const GWEI = 10n ** 9n;

/** A block, and everything in the state after it. */
export interface ChainBlock {
  readonly number: bigint;
  readonly hash: Hex;
  readonly proof: Uint8Array;
  readonly after: Snapshot;
}

/** See the module. */
export interface RealChain {
  readonly keys: KeyFolder;
  readonly before: Snapshot;
  readonly blocks: readonly ChainBlock[];
  /** The first blocks of another chain that begins with the same state. */
  readonly fork: readonly ChainBlock[];
}

const people = [0, 1, 2].map((index) => {
  const key = scenarioKey(index);
  return { key, address: addressOf(key) };
});

/** What is in block n: nothing, transfers, and in every tenth a call of the counter. */
function transactionsOf(n: number, nonces: Map<Hex, bigint>): Uint8Array[] {
  const send = (from: number, to: Hex, value: bigint, gasLimit: bigint) => {
    const { key, address } = people[from]!;
    const nonce = nonces.get(address) ?? 0n;
    nonces.set(address, nonce + 1n);
    const fees = { maxFeePerGas: 10n * GWEI, maxPriorityFeePerGas: GWEI };
    return signTransaction({ type: 2, nonce, to, value, gasLimit, ...fees }, CHAIN_ID, key);
  };
  if (n % 4 === 3) return [];
  const transfers = [send(n % 3, people[(n + 1) % 3]!.address, BigInt(n), 21_000n)];
  // new accounts now and then: the trie grows
  if (n % 5 === 0) transfers.push(send((n + 1) % 3, `0x${n.toString(16).padStart(40, "e")}`, 1n, 21_000n));
  if (n % 10 === 6) transfers.push(send(n % 3, COUNTER, 0n, 100_000n));
  return transfers;
}

async function build(keys: KeyFolder, length: number, fields: BlockFields, skip: (n: number) => boolean) {
  const sequencer = await Sequencer.create({
    chainId: CHAIN_ID,
    genesis: [
      ...people.map(({ address }) => ({ address, balance: 10n ** 18n })),
      { address: COUNTER, nonce: 1n, code: assemble("0 SLOAD 1 ADD 0 SSTORE STOP"), storage: [[0n, 5n]] },
    ],
    header: { coinbase: `0x${"f0".repeat(20)}`, ...fields },
  });
  const before = await sequencer.snapshot();
  const nonces = new Map<Hex, bigint>();
  const blocks: ChainBlock[] = [];
  const prover = new BlockProver(keys, { threads: 2 });
  try {
    for (let n = 1; n <= length; n++) {
      const { trace } = await sequencer.buildBlock(skip(n) ? [] : transactionsOf(n, nonces));
      const { bytes: proof } = await prover.prove(trace);
      const after = await sequencer.snapshot();
      blocks.push({ number: BigInt(n), hash: after.blockHash, proof, after });
    }
  } finally {
    await prover.close();
  }
  return { before, blocks };
}

async function save(folder: string, blocks: readonly ChainBlock[]): Promise<void> {
  await mkdir(folder);
  for (const { number, proof, after } of blocks) {
    await writeFile(join(folder, `${number}.proof`), proof);
    await writeFile(join(folder, `${number}.json`), encodeSnapshot(after));
  }
}

async function load(folder: string, length: number): Promise<ChainBlock[]> {
  const blocks: ChainBlock[] = [];
  for (let n = 1; n <= length; n++) {
    const proof = new Uint8Array(await readFile(join(folder, `${n}.proof`)));
    const after = decodeSnapshot(await readFile(join(folder, `${n}.json`)));
    blocks.push({ number: BigInt(n), hash: after.blockHash, proof, after });
  }
  return blocks;
}

const FORK_BLOCKS = 5;

/** The chain, from the cache if it is there. */
export async function realChain(): Promise<RealChain> {
  const keys = await makeKeys({ cache: CACHE, layouts: SMALL });
  const digest = createHash("sha256")
    .update(`${RECIPE} ${BLOCKS} ${BLOCK_PROOF_VERSION} ${keys.parsed().digest}`)
    .digest("hex")
    .slice(0, 24);
  const folder = join(CACHE, "replica-chain", digest);
  if (!existsSync(folder)) {
    const temporary = `${folder}-${process.pid}`;
    await mkdir(temporary, { recursive: true });
    try {
      const { before, blocks } = await build(keys, BLOCKS, {}, () => false);
      const fork = await build(keys, FORK_BLOCKS, { timestamp: 1_700_000_005n }, () => true);
      await writeFile(join(temporary, "before.json"), encodeSnapshot(before));
      await save(join(temporary, "blocks"), blocks);
      await save(join(temporary, "fork"), fork.blocks);
      await rename(temporary, folder);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
  return {
    keys,
    before: decodeSnapshot(await readFile(join(folder, "before.json"))),
    blocks: await load(join(folder, "blocks"), BLOCKS),
    fork: await load(join(folder, "fork"), FORK_BLOCKS),
  };
}
