/**
 * Errors of the prover network.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../verifier/errors.js";

/**
 * Something about the network failed, not the mathematics:
 *
 * | code | meaning |
 * | --- | --- |
 * | `STORE_BLOB_ID` | not the digest of a blob |
 * | `STORE_MISSING` | no such blob |
 * | `STORE_DIGEST` | bytes that are not what their digest says |
 * | `STORE_FULL` | no space left in the store, or where its files are fetched to |
 * | `STORE_TOO_LARGE` | a blob beyond the bound |
 * | `STORE_UNAVAILABLE` | the folder or the coordinator does not answer as it should |
 * | `STORE_FORBIDDEN` | the coordinator refuses the token |
 * | `QUEUE_UNAVAILABLE` | Redis does not answer |
 * | `QUEUE_UNSAFE` | Redis may throw jobs away: not `noeviction`, or too old |
 * | `QUEUE_CLOSED` | used after it was closed |
 * | `JOB_MALFORMED` | data of a job, or a result, that is not what its kind has |
 * | `JOB_TIMEOUT` | took longer than a job may |
 * | `JOB_CANCELLED` | its block was cancelled |
 * | `JOB_LOST` | its worker died or hung too often |
 * | `NETWORK_VERSION`, `NETWORK_PROTOCOL`, `NETWORK_KEYS` | a worker that does not fit the network |
 * | `NETWORK_BANNED` | a worker whose results were refused too often |
 * | `KEYS_CONTRADICT` | what was made with this machine's keys is not valid under them |
 * | `WORKER_BROKEN` | a worker whose results fail its own check again and again |
 * | `MEMORY_LIMIT` | a layout that needs more than `--max-memory` |
 * | `EXECUTOR_LOST` | the thread that computes ended |
 * | `CONFIG_INVALID` | an option, environment variable or field of the configuration file |
 * | `BLOCK_UNKNOWN` | no such block |
 * | `BLOCK_CHAIN`, `BLOCK_NUMBER`, `BLOCK_STATE` | a block of another chain, one too many with its number, one that is in no state for that |
 * | `BUSY` | too much at the same time: to be tried again later |
 * | `COORDINATOR_UNAVAILABLE`, `COORDINATOR_MALFORMED` | a coordinator that does not answer, or not as one does |
 * | `UNAUTHORIZED`, `FORBIDDEN` | no token, or a wrong one |
 * | `NOT_FOUND`, `METHOD_NOT_ALLOWED`, `MEDIA_TYPE`, `REQUEST_MALFORMED`, `REQUEST_TIMEOUT` | a request that the API does not have |
 * | `INTERNAL` | the coordinator failed; its log tells why |
 */
export class NetworkError extends ChunkproofError {
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}
