/**
 * A block ready to be checked or proved: rows, claims with the multiplicities of lookups, native messages. The native part
 * is the verifier's own code, so that both sides mean the same.
 *
 * @module
 */

import type { Trace } from "../trace/format.js";
import { validateTrace } from "../trace/validate.js";
import { type Boundary, boundaryMessages, type TouchedState } from "../verifier/boundary.js";
import type { BlockClaims } from "../verifier/claims.js";
import { Code } from "../verifier/ethereum/code.js";
import { recoverSender } from "../verifier/ethereum/transaction.js";
import { type BuiltBlock, buildBlock } from "./build.js";
import { type CheckOptions, type CheckReport, checkRows, type RowCircuits } from "./check.js";
import { BlockError } from "./errors.js";
import { addProviders, Counter, lookupClaims } from "./lookups.js";

/** The rows of a trace, those that provide lookups in circuits included. */
export function blockRows(trace: Trace): BuiltBlock {
  const built = buildBlock(trace);
  addProviders(built.rows);
  return built;
}

/** What rows ask of lookup tables when there is no padding. */
export function countRows({ rows }: BuiltBlock): Counter {
  const counter = new Counter();
  for (const { template, columns } of rows.values()) for (const row of columns) counter.add(template, row);
  return counter;
}

/** A block with all its claims. */
export interface Assembled {
  readonly built: BuiltBlock;
  readonly claims: BlockClaims;
  readonly boundary: Boundary;
}

/** What the verifier looks up in the state, from that of the trace. */
export function touchedState({
  accounts,
  codes,
  blockHashes,
}: Pick<BuiltBlock, "accounts" | "codes" | "blockHashes">): TouchedState {
  return {
    blockHashes,
    accounts,
    slots: new Map([...accounts].map(([address, { storage }]) => [address, new Map(storage)])),
    codes: new Map([...codes].map(([hash, bytes]) => [hash, new Code(bytes)])),
  };
}

/**
 * Completes the claims and computes the native messages.
 *
 * @param counter what the rows ask, padding included.
 * @throws BlockError `BLOCK_REFUSED` where a replica would refuse the block whatever is proved, with the verifier's error as
 *   `cause`.
 */
export function assemble(built: BuiltBlock, counter: Counter): Assembled {
  const claims = { ...built.claims, lookups: lookupClaims(counter) };
  const boundary = boundaryMessages({
    chainId: built.chainId,
    header: built.header,
    transactions: built.transactions.map((transaction, i) => ({
      transaction,
      sender: recoverSender(transaction, `transactions[${i}]`),
    })),
    claims,
    state: touchedState(built),
  });
  if (boundary.value === undefined) {
    const [cause] = boundary.faults;
    throw new BlockError(`no replica accepts this block: ${cause!.message}`, {
      code: "BLOCK_REFUSED",
      where: cause!.where,
      cause,
    });
  }
  return { built, claims, boundary: boundary.value };
}

/**
 * Checks a trace without proving: all constraints, and the bus with the verifier's own messages.
 *
 * @throws TraceError, BlockError, RowError; `signal.reason`; as `compileLayout` does.
 */
export async function checkTraceRows(
  trace: Trace,
  circuits: RowCircuits,
  options: CheckOptions = {},
): Promise<CheckReport> {
  await validateTrace(trace, { signal: options.signal });
  const built = blockRows(trace);
  const { boundary } = assemble(built, countRows(built));
  return checkRows(built.rows, boundary.messages, circuits, options);
}
