/**
 * The chain of a replica: it takes proofs, and a proof that is valid on its state becomes its next block. There is no way
 * back: what was proved stays.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type BlockFault, type BlockValidity, verifyBlock } from "../../verifier/block.js";
import type { BlockState } from "../../verifier/block-state.js";
import { decodeBlockProof } from "../../verifier/encoding.js";
import { VerifierError } from "../../verifier/errors.js";
import { decodeHeader, type Header, headerHash } from "../../verifier/ethereum/header.js";
import { uintToBytes, wordToHex } from "../../verifier/ethereum/words.js";
import type { KeySet } from "../../verifier/keyset.js";
import type { ReplicaDatabase } from "./database.js";
import { damaged, type Position, type StoredBlock } from "./records.js";
import { type RefusedLimits, type RefusedProof, RefusedProofs } from "./refused.js";
import type { NextState, StateView } from "./state.js";
import type { Verify } from "./verifier.js";

/** Options of {@link ReplicaChain.open}. */
export interface ChainOptions {
  readonly database: ReplicaDatabase;
  /** The keys to accept. */
  readonly keys: KeySet;
  /** Default: `verifyBlock`, on this thread. */
  readonly verify?: Verify | undefined;
  /** What is kept of refused proofs. */
  readonly refused?: RefusedLimits | undefined;
  /** Told of every proof that was verified, with the milliseconds that it took. */
  readonly onVerified?: ((result: "valid" | "invalid" | "not-next", milliseconds: number) => void) | undefined;
  /** Milliseconds since 1970; for tests. */
  readonly now?: (() => number) | undefined;
}

/** What became of a proof. */
export type Verdict =
  /** It is the new head. */
  | { readonly outcome: "accepted"; readonly block: StoredBlock }
  /** Its block is in the chain already; the proof was not looked at. */
  | { readonly outcome: "known"; readonly number: bigint; readonly hash: bigint }
  /**
   * It does not come after the head: another number, another parent, another state; or asks for the hash of a block that is
   * not known here. That says nothing about the proof.
   */
  | { readonly outcome: "not-next"; readonly number: bigint; readonly faults: readonly BlockFault[] }
  /** Nobody accepts it; `again`: it was refused before, and not looked at again. */
  | { readonly outcome: "invalid"; readonly faults: readonly BlockFault[]; readonly again: boolean };

/** SHA-256, hexadecimal. */
export const proofDigest = (proof: Uint8Array): string => createHash("sha256").update(proof).digest("hex");

/** Faults that tell about the replica's position, not about the proof. */
const ELSEWHERE = new Set<string>(["BLOCK_PRE_STATE", "BLOCK_ANCESTRY"]);
const isElsewhere = ({ code, where }: BlockFault): boolean =>
  ELSEWHERE.has(code) || (code === "HEADER_INVALID" && (where === "header.parentHash" || where === "header.number"));

/** The header of a proof; undefined if it cannot be read. */
function peek(proof: Uint8Array): { readonly header: Header; readonly chunks: number } | undefined {
  try {
    const { header, chunks } = decodeBlockProof(proof);
    return { header: decodeHeader(header), chunks: chunks.length };
  } catch (error) {
    if (error instanceof VerifierError) return undefined;
    throw error;
  }
}

const fault = (field: keyof Header, message: string, expected: string, got: string): BlockFault => ({
  code: "HEADER_INVALID",
  where: `header.${field}`,
  message: `header.${field}: ${message} (expected ${expected}, got ${got})`,
});

/** See the module. */
export class ReplicaChain {
  readonly database: ReplicaDatabase;
  readonly keys: KeySet;
  readonly #refused: RefusedProofs;
  readonly #verify: Verify;
  readonly #options: ChainOptions;
  readonly #now: () => number;
  /** Of the head; undefined at the snapshot, of whose block no more than number, hash and state root are known. */
  #header: Header | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(options: ChainOptions, refused: RefusedProofs, header: Header | undefined) {
    const { database, keys, verify = verifyBlock, now = Date.now } = options;
    this.database = database;
    this.keys = keys;
    this.#options = options;
    this.#refused = refused;
    this.#verify = verify;
    this.#now = now;
    this.#header = header;
  }

  /** @throws NodeError `DATABASE_*` */
  static async open(options: ChainOptions): Promise<ReplicaChain> {
    const { database, keys } = options;
    const refused = await RefusedProofs.load(database, keys.digest, options.refused);
    return new ReplicaChain(options, refused, (await database.block(database.head.number))?.header);
  }

  get chainId(): bigint {
    return this.database.chainId;
  }

  /** The newest block. */
  get head(): Position {
    return this.database.head;
  }

  /** Header of the newest block; undefined at the snapshot. */
  get header(): Header | undefined {
    return this.#header;
  }

  /** The state after a block since the snapshot; undefined: there is none of this number. @throws NodeError `DATABASE_*` */
  async stateAt(number: bigint): Promise<StateView | undefined> {
    const position = await this.database.position(number);
    return position === undefined ? undefined : this.database.state(position.stateRoot);
  }

  /** Proofs that were not accepted, oldest first, as far as they are kept. */
  refused(): readonly RefusedProof[] {
    return this.#refused.list();
  }

  /** Whether a proof was found to be of no use here, so that it need not be fetched. */
  isRefused(digest: string): boolean {
    return this.#refused.has(digest);
  }

  /** Bytes of a refused proof, if they are kept. @throws NodeError `DATABASE_*` */
  refusedProof(digest: string): Promise<Uint8Array | undefined> {
    return this.database.refusedProof(digest);
  }

  /**
   * Verifies a proof when those before it are done, and adds its block to the chain if it is valid.
   *
   * @param proof from anywhere
   * @throws NodeError `DATABASE_*`, `VERIFIER_*`; VerifierError as `verifyBlock`; `signal.reason`. The chain is then as it was.
   */
  submit(proof: Uint8Array, signal?: AbortSignal): Promise<Verdict> {
    const result = this.#queue.then(() => this.#submit(proof, signal));
    this.#queue = result.catch(() => {});
    return result;
  }

  async #submit(proof: Uint8Array, signal: AbortSignal | undefined): Promise<Verdict> {
    signal?.throwIfAborted();
    const digest = proofDigest(proof);
    if (this.#refused.has(digest)) {
      await this.#refused.count(digest);
      const { reason, number, faults = [] } = this.#refused.get(digest) ?? {};
      return reason === "not-next" && number !== undefined
        ? { outcome: "not-next", number, faults }
        : { outcome: "invalid", faults, again: true };
    }
    const seen = peek(proof);
    const { head } = this;
    if (seen !== undefined && seen.header.number !== head.number + 1n) {
      const { number } = seen.header;
      const hash = headerHash(seen.header);
      if ((await this.database.position(number))?.hash === hash) return { outcome: "known", number, hash };
      const next = fault("number", "not the block after the head", String(head.number + 1n), String(number));
      return { outcome: "not-next", number, faults: [next] };
    }

    const pending = this.#pending();
    const begun = performance.now();
    const validity = await this.#checked(proof, pending.state, signal);
    const milliseconds = performance.now() - begun;
    if (validity.valid) {
      const block = await this.#append(proof, digest, seen!.chunks, validity, pending.next);
      this.#options.onVerified?.("valid", milliseconds);
      return { outcome: "accepted", block };
    }
    const { faults, header } = validity;
    const reason = faults.every(isElsewhere) ? "not-next" : "invalid";
    const hash = header === undefined ? undefined : headerHash(header);
    await this.#refused.add(proof, { digest, number: header?.number, hash, reason, faults }, this.#now());
    this.#options.onVerified?.(reason, milliseconds);
    if (reason === "not-next") return { outcome: "not-next", number: header!.number, faults };
    return { outcome: "invalid", faults, again: false };
  }

  /** The verdict on a proof, and on whether its block comes after the head. */
  async #checked(proof: Uint8Array, state: BlockState, signal: AbortSignal | undefined): Promise<BlockValidity> {
    const { keys, chainId, head } = this;
    const parent = this.#header;
    const validity = await this.#verify(proof, { state, keys, chainId, parent }, signal);
    const { header } = validity;
    if (parent !== undefined || header === undefined || header.parentHash === head.hash) return validity;
    // what `verifyBlock` cannot know without the parent's header
    const [expected, got] = [wordToHex(head.hash), wordToHex(header.parentHash)];
    const stranger = fault("parentHash", "not the block after the snapshot's", expected, got);
    return { valid: false, faults: [stranger], header };
  }

  /** The head's state, for one verification. */
  #pending(): { readonly state: Required<BlockState>; next(root: bigint): NextState | undefined } {
    const { database, head } = this;
    const view = database.state(head.stateRoot);
    let last: NextState | undefined;
    return {
      // a root stands for its state, whatever it was computed from
      next: (root) => (last?.root === root ? last : undefined),
      state: {
        commitment: async () => uintToBytes(head.stateRoot, 32),
        account: (address) => view.account(address),
        code: (address) => view.code(address),
        slot: (address, slot) => view.slot(address, slot),
        blockHash: (number) => database.blockHash(number),
        postStateRoot: async (diff) => {
          last = await view.after(diff);
          return last.root;
        },
      },
    };
  }

  async #append(
    proof: Uint8Array,
    digest: string,
    chunks: number,
    { header, transactions, receipts, stateDiff }: BlockValidity & { readonly valid: true },
    next: (root: bigint) => NextState | undefined,
  ): Promise<StoredBlock> {
    const { database, head } = this;
    const state = next(header.stateRoot) ?? (await database.state(head.stateRoot).after(stateDiff));
    if (state.root !== header.stateRoot)
      throw damaged(`${database.path}: state`, undefined, "another root than before");
    const block: StoredBlock = {
      header,
      hash: headerHash(header),
      transactions: transactions.map(({ transaction }) => transaction.bytes),
      senders: transactions.map(({ sender }) => sender),
      receipts,
      proof: { digest, bytes: proof.length, chunks, keySet: this.keys.digest },
      verifiedAt: this.#now(),
    };
    await database.append(block, state);
    this.#header = header;
    return block;
  }
}
