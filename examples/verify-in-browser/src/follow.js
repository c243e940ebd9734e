/**
 * Follows a coordinator from block to block. It only brings proofs: whatever it says, the replica goes on with blocks that
 * it found valid itself, and a coordinator that lies or falls silent can do no more than keep it waiting.
 *
 * @module
 */

import { ChunkproofError } from "chunkproof/verifier";

/** @typedef {import("./replica.js").Info} Info */
/** @typedef {import("./replica.js").Report} Report */
/** @typedef {import("./replica.js").Replica} Replica */

/** What happened: a proof was judged; the replica went on; there is nothing to do for a while. */
/** @typedef {{ report: Report } | { info: Info } | { waiting: string }} FollowEvent */

/**
 * @typedef {object} FollowOptions
 * @property {AbortSignal} signal ends it
 * @property {(event: FollowEvent) => void} onEvent
 * @property {number} [every] ms between two questions for news; default 1000
 */

/** A stranger gets this much memory and time from us. */
const MAX_FEED = 1 << 20;
const MAX_PROOF = 64 << 20;
const TIMEOUT = 30_000;
const LONGEST_WAIT = 30_000;
/** Blocks of a page of the feed. */
const LIMIT = 256;

/** @param {string} message @param {string} where */
const failure = (message, where) => new ChunkproofError(message, { code: "FEED_FAILED", where });

/** A body of at most so many bytes. @param {URL} url @param {number} limit @param {AbortSignal} signal */
async function get(url, limit, signal) {
  const own = new AbortController();
  const stop = () => own.abort(signal.reason);
  const timer = setTimeout(() => own.abort(failure(`no answer within ${TIMEOUT / 1000} s`, url.href)), TIMEOUT);
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    const response = await fetch(url, { signal: own.signal, cache: "no-store", credentials: "omit" });
    if (!response.ok || response.body === null) throw failure(`status ${response.status}`, url.href);
    const reader = response.body.getReader();
    /** @type {Uint8Array<ArrayBuffer>[]} */
    const parts = [];
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
      length += value.length;
      if (length > limit) throw failure(`more than ${limit} bytes`, url.href);
      parts.push(value);
    }
  } catch (error) {
    if (own.signal.aborted) throw own.signal.reason;
    // the rest of the answer is not wanted
    own.abort();
    throw error instanceof ChunkproofError ? error : failure("cannot be reached", url.href);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** Waits, and no longer than until the signal. @param {number} ms @param {AbortSignal} signal */
const pause = (ms, signal) =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve(undefined);
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });

/**
 * The blocks that may come after a head, if the feed knows any: proved or not.
 *
 * @param {string} origin
 * @param {Info} info
 * @param {AbortSignal} signal
 */
async function successors(origin, { chainId, head }, signal) {
  const number = head.number + 1n;
  const url = new URL(`/v1/feed?from=${number}&limit=${LIMIT}`, origin);
  const text = new TextDecoder().decode(await get(url, MAX_FEED, signal));
  try {
    const feed = JSON.parse(text);
    // null: it has no blocks yet
    if (feed.chainId !== null && BigInt(feed.chainId) !== chainId)
      throw failure(`blocks of chain ${feed.chainId}, not ${chainId}`, url.href);
    return /** @type {{ id: string, proof: string | null }[]} */ (
      feed.blocks.filter(
        (/** @type {any} */ block) => BigInt(block.number) === number && BigInt(block.parentHash) === head.hash,
      )
    );
  } catch (error) {
    throw error instanceof ChunkproofError ? error : failure("not a feed", url.href);
  }
}

/**
 * Verifies block after block, until the signal ends it. Where there are several with one number, the first whose proof
 * holds is the next.
 *
 * @param {Pick<Replica, "info" | "verify" | "goOn">} replica
 * @param {string} origin of the coordinator
 * @param {FollowOptions} options
 */
export async function follow(replica, origin, { signal, onEvent, every = 1000 }) {
  /** Proofs that were refused on this state. @type {Set<string>} */
  const refused = new Set();
  let failures = 0;
  while (!signal.aborted) {
    let waiting = "";
    try {
      const info = replica.info();
      const known = await successors(origin, info, signal);
      const proved = known.filter(({ proof }) => proof !== null && !refused.has(proof));
      const where = `block ${info.head.number + 1n}`;
      waiting = known.length === 0 ? `the feed has no ${where} yet` : `${where} has no proof yet`;
      if (known.some(({ proof }) => proof !== null && refused.has(proof))) waiting = `${where} has no other proof yet`;
      for (const { id, proof } of proved) {
        const url = new URL(`/v1/blocks/${encodeURIComponent(id)}/proof`, origin);
        const report = await replica.verify(await get(url, MAX_PROOF, signal));
        onEvent({ report });
        if (report.valid) {
          onEvent({ info: replica.goOn() });
          refused.clear();
          waiting = "";
          break;
        }
        refused.add(String(proof));
      }
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      waiting = error instanceof Error ? error.message : String(error);
    }
    if (waiting === "") continue;
    onEvent({ waiting });
    await pause(Math.min(LONGEST_WAIT, every * 2 ** Math.min(failures, 10)), signal);
  }
}
