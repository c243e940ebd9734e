/**
 * `chunkproof check`: whether a trace can be proved and would be accepted, without proving.
 *
 * @module
 */

import type { Command } from "commander";
import { hardwareThreads } from "#platform";
import type { CheckReport, RowFault, Unmatched } from "../block/check.js";
import type { OnProgress } from "../prover/progress.js";
import type { Trace } from "../trace/format.js";
import { VerifierError } from "../verifier/errors.js";
import { command, runCommand } from "./command.js";
import { readAs } from "./files.js";
import { type CacheOptions, cacheFolder, withCache } from "./key-folders.js";
import { EXIT, type Output, type OutputOptions } from "./output.js";
import { inTrace } from "./prove.js";
import { count, countOf } from "./screen.js";

/** What was found of a block. */
export interface BlockReport extends CheckReport {
  readonly steps: number;
  /** Why a replica would refuse the block whatever is proved. */
  readonly refusals: readonly { readonly code: string; readonly where: string; readonly message: string }[];
}

/** Whether there is nothing to complain about. */
export const holds = ({ faults, unmatched, refusals }: BlockReport): boolean =>
  faults.length + unmatched.length + refusals.length === 0;

const refusal = ({ code, where = "", message }: VerifierError) => ({ code, where, message });

/**
 * Looks at every row, at the bus, and at what a replica looks at natively; the root of the state after the block is beyond
 * a trace, which has only what the block touches.
 */
async function checkBlock(
  trace: Trace,
  cache: string,
  options: { readonly signal: AbortSignal; readonly onProgress: OnProgress | undefined },
): Promise<BlockReport> {
  const [
    { assemble, blockRows, countRows },
    { checkRows, RowCircuits },
    { BlockError },
    header,
    receipts,
    { orderedTrieRoot },
  ] = await Promise.all([
    import("../block/assemble.js"),
    import("../block/check.js"),
    import("../block/errors.js"),
    import("../verifier/ethereum/header.js"),
    import("../verifier/ethereum/receipts.js"),
    import("../verifier/ethereum/trie.js"),
  ]);
  const { signal, onProgress } = options;
  const built = blockRows(trace);
  const refusals: BlockReport["refusals"][number][] = [];
  const attempt = (action: () => void) => {
    try {
      action();
    } catch (error) {
      const cause = error instanceof BlockError && error.code === "BLOCK_REFUSED" ? error.cause : error;
      if (!(cause instanceof VerifierError)) throw error;
      refusals.push(refusal(cause));
    }
  };
  attempt(() => header.checkHeader(built.header));
  const root = (field: "transactionsRoot" | "receiptsRoot", values: readonly Uint8Array[]) => {
    if (built.header[field] === orderedTrieRoot(values)) return;
    const details = { code: "HEADER_MISMATCH", where: `header.${field}` } as const;
    refusals.push(refusal(new VerifierError("not what follows from the block", details)));
  };
  root("transactionsRoot", trace.transactions);
  let native: ReturnType<typeof assemble>["boundary"]["messages"] | undefined;
  attempt(() => {
    const { boundary } = assemble(built, countRows(built));
    native = boundary.messages;
    root("receiptsRoot", boundary.receipts.map(receipts.encodeReceipt));
  });

  const circuits = new RowCircuits(cache);
  const names = [...built.rows.keys()];
  const waiting = [...names];
  let compiled = 0;
  const compile = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      signal.throwIfAborted();
      await circuits.get(name);
      onProgress?.({ stage: "compile", done: ++compiled, total: names.length });
    }
  };
  onProgress?.({ stage: "compile", done: 0, total: names.length });
  // a process each, where they are not in the cache
  await Promise.all(Array.from({ length: hardwareThreads() }, compile));
  const report = await checkRows(built.rows, native ?? [], circuits, options);
  // without the native messages nothing can balance
  return { ...report, steps: built.steps, refusals, unmatched: native === undefined ? [] : report.unmatched };
}

/** A row that its circuit refuses, as a line of text. */
export function describeRowFault({ row, index, columns, constraint }: RowFault): string {
  const shown = (x: bigint) => (x < 1_000_000n && x > -1_000_000n ? String(x) : `0x${x.toString(16)}`);
  const why =
    constraint === "sum"
      ? "the circuit's sum is not that of its messages"
      : constraint === "division by zero"
        ? "a division by zero"
        : `constraint ${constraint} does not hold`;
  const list = Object.entries(columns).map(([name, value]) => `${name} ${shown(value)}`);
  return `${row} ${index}: ${why} (${list.join(", ")})`;
}

/** Lines of one kind, no more than anybody would read. */
const SHOWN = 20;

function lines<T>(items: readonly T[], describe: (item: T) => string): string[] {
  const shown = items.slice(0, SHOWN).map((item) => `  ${describe(item)}`);
  return items.length > SHOWN ? [...shown, `  … and ${count(items.length - SHOWN)} more; all with --json`] : shown;
}

/** What is said of a block to people. */
export function describeReport(report: BlockReport, describeUnmatched: (message: Unmatched) => string): string {
  const { steps, rows, messages, refusals, faults, unmatched } = report;
  const size = `${countOf(steps, "step")}, ${countOf(rows, "row")}, ${countOf(messages, "message")}`;
  if (holds(report)) return `OK: all constraints hold and the bus balances: ${size}`;
  return [
    `DOES NOT HOLD: ${countOf(faults.length, "row fault")}, ${countOf(unmatched.length, "unmatched message")}, ${countOf(refusals.length, "refusal")} in ${size}`,
    ...lines(refusals, ({ code, message }) => `refused: ${message} [${code}]`),
    ...lines(faults, describeRowFault),
    ...lines(unmatched, describeUnmatched),
  ].join("\n");
}

const hexadecimal = (fields: Readonly<Record<string, bigint>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, x]) => [name, x < 0n ? `-0x${(-x).toString(16)}` : `0x${x.toString(16)}`]),
  );

/** The same for programs. */
export function reportDetails({ faults, unmatched, refusals, steps, rows, messages }: BlockReport) {
  return {
    steps,
    rows,
    messages,
    refusals,
    faults: faults.map(({ columns, ...fault }) => ({ ...fault, columns: hexadecimal(columns) })),
    unmatched: unmatched.map(({ fields, net, ...rest }) => ({
      ...rest,
      net: String(net),
      fields: hexadecimal(fields),
    })),
  };
}

async function check(
  tracePath: string,
  options: OutputOptions & CacheOptions,
  out: Output,
  signal: AbortSignal,
): Promise<number> {
  const [{ decodeTrace }, { validateTrace }, { describeUnmatched }] = await Promise.all([
    import("../trace/format.js"),
    import("../trace/validate.js"),
    import("../block/check.js"),
  ]);
  const trace = await readAs(tracePath, "trace", signal, async (bytes) => {
    const decoded = decodeTrace(bytes);
    await validateTrace(decoded, { signal });
    return decoded;
  });
  const cache = await cacheFolder(options);
  const onProgress = await out.progress();
  const report = await checkBlock(trace, cache, { signal, onProgress }).catch((error) => {
    throw inTrace(tracePath, error);
  });
  const ok = holds(report);
  out.result(describeReport(report, describeUnmatched), { holds: ok, ...reportDetails(report) }, ok);
  return ok ? EXIT.ok : EXIT.invalid;
}

/** The command `check`. */
export function checkCommand(): Command {
  return withCache(
    command(
      "check",
      `check all constraints and the bus of a block without proving; exit code ${EXIT.ok} all holds, ${EXIT.invalid} not, ${EXIT.usage} a trace that makes no sense`,
    ),
  )
    .argument("<trace>", "trace of the block, from `chunkproof trace`")
    .action((tracePath: string, options: OutputOptions & CacheOptions) =>
      runCommand("check", options, (out, signal) => check(tracePath, options, out, signal)),
    );
}
