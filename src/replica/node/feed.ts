/**
 * Where a replica gets proofs from. Nothing that a feed says is believed: whether a block is valid is for the verifier to
 * say, and what a feed keeps back shows as lag only if it says that there is more.
 *
 * @module
 */

/** A proof that a feed has. */
export interface Candidate {
  /** Of its block, as the feed says. */
  readonly number: bigint;
  /** SHA-256 of the proof, if the feed says it before the proof is fetched. */
  readonly digest?: string | undefined;
  /** Names this proof in this feed: what was looked at once under it need not be again. */
  readonly id: string;
  /** @throws NodeError `FEED_*`; `signal.reason` */
  fetch(signal?: AbortSignal): Promise<Uint8Array>;
}

/** What a feed has now. */
export interface Poll {
  /** The newest block that it knows of, proved or not. */
  readonly tip: bigint | undefined;
  /** Proofs of blocks from the number that was asked for, ascending, as many as it likes. Several may be of one number. */
  readonly candidates: readonly Candidate[];
  /** There is more that was not looked at yet: ask again at once. */
  readonly more?: boolean | undefined;
}

/** See the module. */
export interface Feed {
  /** For messages: a path or an address, without secrets. */
  readonly name: string;
  /** @throws NodeError `FEED_*`; `signal.reason` */
  poll(from: bigint, signal?: AbortSignal): Promise<Poll>;
}

/** Largest proof that is read unless told otherwise. */
export const MAX_PROOF_BYTES = 16 << 20;
/** Blocks that are told of at once. */
export const BLOCKS_AT_ONCE = 256;
