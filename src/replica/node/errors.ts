/**
 * Errors of replica nodes.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../../verifier/errors.js";

/**
 * A replica node cannot go on, or a part of it:
 *
 * | code | meaning |
 * | --- | --- |
 * | `DATABASE_LOCKED` | another process has the database open |
 * | `DATABASE_FORMAT` | not the database of a replica, or that of a newer version |
 * | `DATABASE_DAMAGED` | something is missing in it, or is not what it was |
 * | `DATABASE_SNAPSHOT` | it was made from another snapshot, or for another chain |
 * | `DATABASE_EMPTY` | there is nothing in it, and no snapshot to begin with |
 * | `DATABASE_UNAVAILABLE` | the folder cannot be read or written, or the disk is full |
 * | `DATABASE_CLOSED` | used after it was closed |
 * | `FEED_UNAVAILABLE` | the folder or the coordinator does not answer |
 * | `FEED_TIMEOUT` | it took too long to answer |
 * | `FEED_MALFORMED` | it answers something that is no answer |
 * | `FEED_CHAIN` | it is about another chain |
 * | `FEED_MISSING` | a proof that is not there any more |
 * | `FEED_TOO_LARGE` | an answer or proof beyond the bound |
 * | `FEED_DIGEST` | a proof that is not what its digest says |
 * | `VERIFIER_LOST` | the thread that verifies ended; as a fault of a proof: it did so repeatedly over it |
 * | `VERIFIER_TIMEOUT` | a proof took longer than any may |
 * | `VERIFIER_CLOSED` | used after it was closed |
 * | `RPC_LISTEN` | the address of the JSON-RPC server cannot be had |
 */
export class NodeError extends ChunkproofError {
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}

/** Whether an error comes from the feed: it may be gone when asked again. */
export const isFeedError = (error: unknown): error is NodeError =>
  error instanceof NodeError && error.code.startsWith("FEED_");

/** What an error says, whatever it is. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Waits, but not beyond the signal; resolves either way. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end, { once: true });
  });
}
