/**
 * Follows a feed: asks what there is, takes the proofs of the next block until one of them is valid, and goes on. What is
 * refused stays where it is, and another proof of the same block is tried as soon as there is one.
 *
 * @module
 */

import { proofDigest, type ReplicaChain, type Verdict } from "./chain.js";
import { isFeedError, NodeError, pause } from "./errors.js";
import type { Candidate, Feed } from "./feed.js";
import type { ProofFault } from "./refused.js";

/** What a follower tells. */
export interface FollowerHooks {
  /** After each proof. */
  readonly onVerdict?: ((verdict: Verdict, candidate: Candidate, digest: string) => void) | undefined;
  /** The feed does not work; asked again later. */
  readonly onFeedError?: ((error: NodeError) => void) | undefined;
  /** A proof could not be fetched, or its verification failed without a verdict; tried again later. */
  readonly onCandidateError?: ((error: unknown, candidate: Candidate) => void) | undefined;
  /** When {@link FollowerStatus.stalled} begins or ends. */
  readonly onStalled?: ((stalled: Stalled | undefined) => void) | undefined;
}

/** Options of {@link Follower}. */
export interface FollowerOptions extends FollowerHooks {
  readonly chain: ReplicaChain;
  readonly feed: Feed;
  /** Milliseconds between polls when there is nothing to do; default 1000. */
  readonly interval?: number | undefined;
  /** Most milliseconds between attempts at what does not work; default 30,000. */
  readonly maxDelay?: number | undefined;
  /** Milliseconds after which no more proofs of a block are tried before the feed is asked again; default 30,000. */
  readonly roundTime?: number | undefined;
  /** Milliseconds since 1970; for tests. */
  readonly now?: (() => number) | undefined;
}

/** There are proofs of the next block, and none of them is any good. */
export interface Stalled {
  /** Of the next block. */
  readonly number: bigint;
  /** Of the proof that was refused last. */
  readonly faults: readonly ProofFault[];
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** How far a replica is. */
export interface FollowerStatus {
  readonly head: { readonly number: bigint; readonly hash: bigint };
  /** The newest block that the feed told of, which nobody has checked. */
  readonly feedTip: bigint | undefined;
  /** Blocks from the head to the feed's tip. */
  readonly lag: number;
  /** Seconds that the feed has known of blocks beyond the head, the oldest of them; 0 without lag. */
  readonly behindSeconds: number;
  readonly stalled?: Stalled | undefined;
  /** Why the feed cannot be asked, since when; undefined when it answers. */
  readonly feedError?: { readonly code: string; readonly message: string; readonly since: number } | undefined;
  /** When the feed answered last, milliseconds since 1970. */
  readonly polledAt: number | undefined;
  /** Something in the database is not what was written, see {@link Follower.noteDamage}. */
  readonly damaged?: { readonly code: string; readonly since: number } | undefined;
  readonly running: boolean;
}

const INTERVAL = 1_000;
const MAX_DELAY = 30_000;
const ROUND_TIME = 30_000;
const FIRST_DELAY = 500;
/** Rest between polls, in times of what the last one took. */
const REST = 9;
/** Tips that are remembered with their times. */
const MAX_TIPS = 1_024;
/** Proofs of one block that are remembered as useless, by their names in the feed. */
const MAX_TRIED = 65_536;

/** See the module. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #now: () => number;
  readonly #interval: number;
  readonly #maxDelay: number;
  /** What the feed said was its tip, ascending, and when it did so first. */
  readonly #tips: { readonly tip: bigint; readonly at: number }[] = [];
  #tip: bigint | undefined;
  #polledAt: number | undefined;
  /** Milliseconds. */
  #pollTime = 0;
  #feedError: FollowerStatus["feedError"];
  #damaged: FollowerStatus["damaged"];
  #stalled: Stalled | undefined;
  #running = false;
  /** Names of proofs of the next block that are of no use. */
  readonly #tried = new Set<string>();
  /** Proofs that could not be fetched or verified, and when to try again. */
  readonly #later = new Map<string, { readonly failures: number; readonly at: number }>();
  /** The refusal that counts for {@link Stalled}. */
  #last: Pick<Stalled, "faults" | "digest"> | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#interval = options.interval ?? INTERVAL;
    this.#maxDelay = options.maxDelay ?? MAX_DELAY;
  }

  get status(): FollowerStatus {
    const { number, hash } = this.#options.chain.head;
    const ahead = this.#tips.find(({ tip }) => tip > number);
    const lag = this.#tip === undefined || this.#tip <= number ? 0 : Number(this.#tip - number);
    return {
      head: { number, hash },
      feedTip: this.#tip,
      lag,
      behindSeconds: lag === 0 || ahead === undefined ? 0 : Math.max(0, (this.#now() - ahead.at) / 1000),
      stalled: this.#stalled,
      feedError: this.#feedError,
      polledAt: this.#polledAt,
      damaged: this.#damaged,
      running: this.#running,
    };
  }

  /** Whoever meets an error of the database elsewhere tells of it here: the status has it from then on. */
  noteDamage(error: unknown): void {
    if (!(error instanceof NodeError) || error.code !== "DATABASE_DAMAGED") return;
    this.#damaged ??= { code: error.code, since: this.#now() };
  }

  /**
   * Follows the feed until it is told to stop. Whatever the feed does is waited out.
   *
   * @throws NodeError `DATABASE_*`, `VERIFIER_CLOSED`: nothing can be done here; the chain is as it was.
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) throw new RangeError("the follower is running already");
    this.#running = true;
    try {
      for (let failures = 0; !signal.aborted; ) {
        const outcome = await this.#round(signal);
        failures = outcome === "failed" ? failures + 1 : 0;
        if (outcome === "more" || signal.aborted) continue;
        // a feed that takes long to ask is asked less often
        const idle = Math.max(this.#interval, Math.min(this.#maxDelay, REST * this.#pollTime));
        await pause(outcome === "failed" ? this.#delay(failures) : idle, signal);
      }
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
    } finally {
      this.#running = false;
    }
  }

  /** One poll, and all blocks that it brings. */
  async #round(signal: AbortSignal): Promise<"more" | "idle" | "failed"> {
    const { chain, feed, onFeedError } = this.#options;
    try {
      const begun = performance.now();
      const { tip, candidates, more = false } = await feed.poll(chain.head.number + 1n, signal);
      this.#pollTime = performance.now() - begun;
      this.#polledAt = this.#now();
      this.#feedError = undefined;
      this.#noteTip(tip);
      return (await this.#advance(candidates, signal)) || more ? "more" : "idle";
    } catch (error) {
      if (!isFeedError(error)) throw error;
      const { code, message } = error;
      this.#feedError = { code, message, since: this.#feedError?.since ?? this.#now() };
      onFeedError?.(error);
      return "failed";
    }
  }

  /** Exponential, and never the same for all replicas of a coordinator. */
  #delay(failures: number): number {
    const longest = Math.min(this.#maxDelay, FIRST_DELAY * 2 ** Math.min(failures - 1, 20));
    return longest * (0.5 + Math.random() / 2);
  }

  #noteTip(tip: bigint | undefined): void {
    this.#tip = tip;
    const tips = this.#tips;
    // what a feed takes back it does not have
    while (tips.length > 0 && (tip === undefined || tips[tips.length - 1]!.tip > tip)) tips.pop();
    const { number } = this.#options.chain.head;
    while (tips.length > 0 && tips[0]!.tip <= number) tips.shift();
    if (tip === undefined || tip <= number || tips[tips.length - 1]?.tip === tip) return;
    // the oldest ones matter
    if (tips.length >= MAX_TIPS) tips.pop();
    tips.push({ tip, at: this.#now() });
  }

  /** Takes blocks as long as there is a valid proof of the next. */
  async #advance(candidates: readonly Candidate[], signal: AbortSignal): Promise<boolean> {
    const { chain } = this.#options;
    const byNumber = new Map<bigint, Candidate[]>();
    for (const candidate of candidates) {
      const list = byNumber.get(candidate.number);
      if (list === undefined) byNumber.set(candidate.number, [candidate]);
      else list.push(candidate);
    }
    for (let moved = false; ; moved = true) {
      const offered = byNumber.get(chain.head.number + 1n) ?? [];
      const end = await this.#tryAll(offered, signal);
      if (end !== "accepted") {
        this.#noteStall(offered);
        // there may be better ones by now
        return moved || end === "cut";
      }
      this.#tried.clear();
      this.#later.clear();
      this.#last = undefined;
      this.#noteStall([]);
    }
  }

  /** Tries proofs of the next block, those first that never were. @returns `cut`: it takes too long to try them all now */
  async #tryAll(offered: readonly Candidate[], signal: AbortSignal): Promise<"accepted" | "none" | "cut"> {
    const { chain, onVerdict, onCandidateError, roundTime = ROUND_TIME } = this.#options;
    const begun = performance.now();
    const failed = offered.filter(({ id }) => this.#later.has(id));
    for (const candidate of [...offered.filter(({ id }) => !this.#later.has(id)), ...failed]) {
      const { id } = candidate;
      if (this.#isUseless(candidate) || (this.#later.get(id)?.at ?? 0) > this.#now()) continue;
      if (performance.now() - begun > roundTime) return "cut";
      let verdict: Verdict;
      let digest: string;
      try {
        const proof = await candidate.fetch(signal);
        digest = proofDigest(proof);
        verdict = await chain.submit(proof, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (isFatal(error)) throw error;
        const failures = (this.#later.get(id)?.failures ?? 0) + 1;
        if (this.#later.size >= MAX_TRIED) this.#later.clear();
        this.#later.set(id, { failures, at: this.#now() + this.#delay(failures) });
        onCandidateError?.(error, candidate);
        continue;
      }
      onVerdict?.(verdict, candidate, digest);
      if (verdict.outcome === "accepted") return "accepted";
      if (this.#tried.size >= MAX_TRIED) this.#tried.clear();
      this.#tried.add(id);
      this.#last = { faults: verdict.outcome === "known" ? [OLD] : verdict.faults, digest };
    }
    return "none";
  }

  #isUseless({ id, digest }: Candidate): boolean {
    return this.#tried.has(id) || (digest !== undefined && this.#options.chain.isRefused(digest));
  }

  #noteStall(offered: readonly Candidate[]): void {
    const { chain, onStalled } = this.#options;
    const before = this.#stalled;
    const number = chain.head.number + 1n;
    if (offered.length === 0 || !offered.every((candidate) => this.#isUseless(candidate))) {
      this.#stalled = undefined;
    } else {
      const last = this.#last ?? this.#known(offered);
      const since = before?.number === number ? before.since : this.#now();
      this.#stalled = { number, faults: last.faults, digest: last.digest, since };
    }
    if ((before === undefined) !== (this.#stalled === undefined)) onStalled?.(this.#stalled);
  }

  /** What was found out about these before this process. */
  #known(offered: readonly Candidate[]): Pick<Stalled, "faults" | "digest"> {
    const digest = offered.findLast((candidate) => candidate.digest !== undefined)?.digest ?? "";
    const record = this.#options.chain.refused().find((refused) => refused.digest === digest);
    return { faults: record?.faults ?? [], digest };
  }
}

/** What is wrong with the proof of a block that is in the chain, where that of the next is asked for. */
const OLD: ProofFault = {
  code: "HEADER_INVALID",
  where: "header.number",
  message: "header.number: a block that is in the chain already",
};

/** What is no better with another proof. */
const isFatal = (error: unknown): boolean =>
  error instanceof NodeError && (error.code.startsWith("DATABASE_") || error.code === "VERIFIER_CLOSED");
