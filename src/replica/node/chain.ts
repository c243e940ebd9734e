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
import { type Header, headerHash } from "../../verifier/ethereum/header.js";
import { uintToBytes, wordToHex } from "../../verifier/ethereum/words.js";
import type { KeySet } from "../../verifier/keyset.js";
import type { ReplicaDatabase } from "./database.js";
import { NodeError } from "./errors.js";
import { headerOfProof } from "./peek.js";
import { damaged, type Position, type StoredBlock } from "./records.js";
import { type ProofFault, type RefusedLimits, type RefusedProof, RefusedProofs } from "./refused.js";
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
  | { readonly outcome: "not-next"; readonly number: bigint; readonly faults: readonly ProofFault[] }
  /** Nobody accepts it; `again`: it was refused before, and not looked at again. */
  | { readonly outcome: "invalid"; readonly faults: readonly ProofFault[]; readonly again: boolean };

/** How often a proof may cost the thread that verifies, and of how many proofs that is counted. */
const MAX_LOSSES = 2;
const MAX_LOST = 1024;

/** SHA-256, hexadecimal. */
export const proofDigest = (proof: Uint8Array): string => createHash("sha256").update(proof).digest("hex");

/** Faults that tell about the replica's position, not about the proof. */
const ELSEWHERE = new Set<string>(["BLOCK_PRE_STATE", "BLOCK_ANCESTRY"]);
const isElsewhere = ({ code, where }: ProofFault): boolean =>
  ELSEWHERE.has(code) || (code === "HEADER_INVALID" && (where === "header.parentHash" || where === "header.number"));

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
  /** How often the thread was lost over a proof. */
  readonly #lost = new Map<string, number>();
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
    const header = headerOfProof(proof);
    const { head } = this;
    if (header !== undefined && header.number !== head.number + 1n) {
      const { number } = header;
      const hash = headerHash(header);
      if ((await this.database.position(number))?.hash === hash) return { outcome: "known", number, hash };
      const next = fault("number", "not the block after the head", String(head.number + 1n), String(number));
      return { outcome: "not-next", number, faults: [next] };
    }
    if (header !== undefined && header.parentHash !== head.hash) {
      const [expected, got] = [wordToHex(head.hash), wordToHex(header.parentHash)];
      const faults = [fault("parentHash", "not the block after the head", expected, got)];
      return this.#refuse(proof, digest, header, faults);
    }

    const pending = this.#pending();
    const begun = performance.now();
    const validity = await this.#checked(proof, digest, pending.state, signal);
    const milliseconds = performance.now() - begun;
    if (validity.valid) {
      const block = await this.#append(proof, digest, validity, pending.next);
      this.#options.onVerified?.("valid", milliseconds);
      return { outcome: "accepted", block };
    }
    const verdict = await this.#refuse(proof, digest, validity.header, validity.faults);
    this.#options.onVerified?.(verdict.outcome, milliseconds);
    return verdict;
  }

  /** Keeps a proof aside. */
  async #refuse(proof: Uint8Array, digest: string, header: Header | undefined, faults: readonly ProofFault[]) {
    const number = header?.number;
    const hash = header === undefined ? undefined : headerHash(header);
    const reason = number !== undefined && faults.every(isElsewhere) ? "not-next" : "invalid";
    await this.#refused.add(proof, { digest, number, hash, reason, faults }, this.#now());
    return number !== undefined && reason === "not-next"
      ? ({ outcome: "not-next", number, faults } as const)
      : ({ outcome: "invalid", faults, again: false } as const);
  }

  /**
   * The verdict on a proof. One that costs the thread again and again is refused: it is too large for this machine, or hits
   * a fault of the verifier, and would be tried for ever.
   */
  async #checked(
    proof: Uint8Array,
    digest: string,
    state: BlockState,
    signal: AbortSignal | undefined,
  ): Promise<
    BlockValidity | { readonly valid: false; readonly faults: readonly ProofFault[]; readonly header: undefined }
  > {
    const { keys, chainId } = this;
    try {
      const validity = await this.#verify(proof, { state, keys, chainId, parent: this.#header }, signal);
      this.#lost.delete(digest);
      return validity;
    } catch (error) {
      // a thread that ran out of memory did so over the proof; one that was lost otherwise says nothing about it
      if (!(error instanceof NodeError) || error.code !== "VERIFIER_LOST" || !/memory/i.test(error.got ?? ""))
        throw error;
      const losses = (this.#lost.get(digest) ?? 0) + 1;
      if (losses < MAX_LOSSES) {
        if (this.#lost.size >= MAX_LOST) this.#lost.clear();
        this.#lost.set(digest, losses);
        throw error;
      }
      this.#lost.delete(digest);
      const message = `the thread that verifies ended ${losses} times over this proof: ${error.message}`;
      return { valid: false, faults: [{ code: "VERIFIER_LOST", where: "", message }], header: undefined };
    }
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
    { header, transactions, receipts, stateDiff }: BlockValidity & { readonly valid: true },
    next: (root: bigint) => NextState | undefined,
  ): Promise<StoredBlock> {
    const { database, head } = this;
    const state = next(header.stateRoot) ?? (await database.state(head.stateRoot).after(stateDiff));
    if (state.root !== header.stateRoot)
      throw damaged(`${database.path}: state`, undefined, "another root than before");
    // what is valid is no larger than its gas pays for
    const chunks = decodeBlockProof(proof).chunks.length;
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
