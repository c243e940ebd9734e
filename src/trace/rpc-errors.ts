/**
 * Errors of nodes: what could not be got from one, and where its words contradict each other or the execution here.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../verifier/errors.js";

/**
 * Why nothing came of asking a node, or of what it said.
 *
 * | code             | meaning                                                                                  |
 * | ---------------- | ---------------------------------------------------------------------------------------- |
 * | `RPC_URL`        | not an `http:` or `https:` URL, or a header that HTTP cannot carry                       |
 * | `RPC_CONNECTION` | the node cannot be reached, or the connection broke                                      |
 * | `RPC_TIMEOUT`    | no whole answer in time                                                                  |
 * | `RPC_DENIED`     | HTTP status 401 or 403: a key is missing or wrong                                        |
 * | `RPC_HTTP`       | another HTTP status that is not 2xx: no such page, too many requests                     |
 * | `RPC_MALFORMED`  | no answer of JSON-RPC, or one with a field missing or of another form                    |
 * | `RPC_TOO_LARGE`  | a longer answer than is read                                                             |
 * | `RPC_METHOD`     | the node does not have the method, or does not offer it                                  |
 * | `RPC_REFUSED`    | the node answered with another error                                                     |
 * | `RPC_BLOCK`      | no such block                                                                            |
 * | `RPC_PRUNED`     | the node no longer has the state before the block                                        |
 * | `RPC_FORK`       | a block of another fork than Cancun                                                      |
 * | `RPC_MISMATCH`   | what the node says contradicts itself, or what the execution here comes to               |
 * | `RPC_SNAPSHOT`   | the node cannot list its whole state as of before the block                              |
 */
export type RpcErrorCode =
  | "RPC_URL"
  | "RPC_CONNECTION"
  | "RPC_TIMEOUT"
  | "RPC_DENIED"
  | "RPC_HTTP"
  | "RPC_MALFORMED"
  | "RPC_TOO_LARGE"
  | "RPC_METHOD"
  | "RPC_REFUSED"
  | "RPC_BLOCK"
  | "RPC_PRUNED"
  | "RPC_FORK"
  | "RPC_MISMATCH"
  | "RPC_SNAPSHOT";

/** A node could not be asked, or its answer cannot be used. `where` is the method, block or transaction. */
export class RpcError extends ChunkproofError {
  declare readonly code: RpcErrorCode;

  /** @param message one sentence without the details */
  constructor(message: string, details: ErrorDetails & { readonly code: RpcErrorCode }) {
    super(message, details);
  }
}
