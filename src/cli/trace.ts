/**
 * `chunkproof trace`: the block of a scenario or of a node, executed and written down.
 *
 * @module
 */

import { type Command, InvalidArgumentError } from "commander";
import { writeFilesAtomic } from "#platform";
import { ChunkproofError } from "../errors.js";
import type { Snapshot, Trace } from "../trace/index.js";
import type { RpcBlockOptions } from "../trace/rpc.js";
import { RpcError } from "../trace/rpc-errors.js";
import { command, runCommand } from "./command.js";
import { checkWritable, inFile, nameOf, readAs } from "./files.js";
import { EXIT, type Output, type OutputOptions } from "./output.js";
import { countOf } from "./screen.js";

/** The scenarios that are built in; what makes them is imported only by the command. */
export const SCENARIOS = ["demo", "empty", "transfer", "counter"] as const;

/** Where a bearer token for the node is looked for: on the command line others could read it. */
const TOKEN = "CHUNKPROOF_RPC_TOKEN";

interface TraceOptions extends OutputOptions {
  readonly output: string;
  readonly snapshot?: string;
  readonly rpc?: string;
  readonly block?: RpcBlockOptions["block"];
  readonly rpcHeader?: readonly string[];
  readonly rpcTimeout: number;
  readonly rpcBatch: number;
  readonly stateProofs: boolean;
  readonly checkSteps?: boolean;
  readonly structLogs?: readonly string[];
  readonly eip3155?: readonly string[];
}

/** What there is to write, and to say about it. */
interface Traced {
  readonly trace: Trace;
  readonly before: Snapshot | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
}

async function traceScenario(scenario: string, signal: AbortSignal): Promise<Traced> {
  const { loadScenario, runScenario, TraceError, validateTrace } = await import("../trace/index.js");
  const builtIn = isBuiltIn(scenario);
  const load = async () => {
    if (builtIn) return loadScenario(scenario);
    return readAs(scenario, "scenario", signal, (bytes) => {
      const text = new TextDecoder().decode(bytes);
      // other text would be taken for a name
      if (text.trimStart().startsWith("{")) return loadScenario(text);
      throw new TraceError("not a scenario", { code: "TRACE_SCENARIO", expected: "a JSON object" });
    }).catch((error) => {
      if (!(error instanceof ChunkproofError && error.code === "FILE_NOT_FOUND")) throw error;
      const expected = `${SCENARIOS.join(", ")}, or a JSON file`;
      throw new TraceError("no such scenario", {
        code: "TRACE_SCENARIO",
        where: nameOf(scenario),
        expected,
        cause: error,
      });
    });
  };
  const loaded = await load();
  signal.throwIfAborted();
  try {
    const { trace, before } = await runScenario(loaded);
    signal.throwIfAborted();
    await validateTrace(trace, { signal });
    return { trace, before, details: { scenario: loaded.name }, notes: [] };
  } catch (error) {
    throw builtIn ? error : inFile(scenario, error);
  }
}

async function traceNode(
  url: string,
  block: RpcBlockOptions["block"],
  options: TraceOptions,
  signal: AbortSignal,
): Promise<Traced> {
  const [{ crossCheckWithNode, snapshotFromRpc, traceFromRpc }, { validateTrace }] = await Promise.all([
    import("../trace/rpc.js"),
    import("../trace/index.js"),
  ]);
  const token = process.env[TOKEN];
  const node = {
    url,
    headers: {
      ...(token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` }),
      ...headersOf(options.rpcHeader),
    },
    timeout: options.rpcTimeout * 1000,
    batch: options.rpcBatch,
    signal,
  };
  const traced = await traceFromRpc({ ...node, block, stateProofs: options.stateProofs });
  const { trace, hash, notes } = traced;
  await validateTrace(trace, { signal });
  if (options.checkSteps) await crossCheckWithNode(node, traced);
  const before = options.snapshot === undefined ? undefined : await snapshotFromRpc(node, traced);
  return { trace, before, details: { hash }, notes };
}

/** Compares the trace with the logs in files. */
async function checkLogs(
  trace: Trace,
  { structLogs = [], eip3155 = [] }: TraceOptions,
  signal: AbortSignal,
): Promise<void> {
  if (structLogs.length + eip3155.length === 0) return;
  const [{ crossCheck, CrossCheckError, readEip3155, readStructLogs }, { transactionHash }] = await Promise.all([
    import("../trace/crosscheck.js"),
    import("../trace/rpc-block.js"),
  ]);
  const hashes = trace.transactions.map(transactionHash);
  const json = (text: string) => {
    try {
      return JSON.parse(text);
    } catch (cause) {
      const got = (cause as Error).message;
      throw new CrossCheckError("not JSON", { code: "CROSSCHECK_FORMAT", expected: "struct logs", got, cause });
    }
  };
  for (const [paths, decode] of [
    [structLogs, (text: string) => readStructLogs(json(text))],
    [eip3155, readEip3155],
  ] as const) {
    if (paths.length === 0) continue;
    const logs = [];
    for (const path of paths) {
      logs.push(...(await readAs(path, "logs", signal, (bytes) => decode(new TextDecoder().decode(bytes)))));
    }
    try {
      crossCheck(trace, logs, hashes);
    } catch (error) {
      throw paths.length === 1 ? inFile(paths[0]!, error) : error;
    }
  }
}

const isBuiltIn = (scenario: string): boolean => SCENARIOS.some((name) => name === scenario);

async function trace(
  scenario: string | undefined,
  options: TraceOptions,
  out: Output,
  signal: AbortSignal,
): Promise<number> {
  const { output, snapshot, rpc, block, structLogs = [], eip3155 = [] } = options;
  const scenarios = scenario === undefined || isBuiltIn(scenario) ? [] : [scenario];
  const outputs = snapshot === undefined ? [output] : [output, snapshot];
  await checkWritable(outputs, [...scenarios, ...structLogs, ...eip3155]);
  const traced = await (scenario === undefined
    ? traceNode(rpc!, block!, options, signal)
    : traceScenario(scenario, signal));
  await checkLogs(traced.trace, options, signal);
  const { encodeSnapshot, encodeTrace } = await import("../trace/index.js");
  const files = [{ path: output, pieces: [encodeTrace(traced.trace)] }];
  if (snapshot !== undefined) files.push({ path: snapshot, pieces: [encodeSnapshot(traced.before!)] });
  await writeFilesAtomic(files, signal);
  for (const note of traced.notes) out.warn(note);
  const { transactions, executions, header } = traced.trace;
  const steps = executions.reduce((sum, execution) => sum + execution.steps.length, 0);
  const before = snapshot === undefined ? "" : `, the state before it to ${snapshot}`;
  out.result(
    `${countOf(transactions.length, "transaction")}, ${countOf(steps, "step")}, ${countOf(Number(header.gasUsed), "gas", "gas")}: trace of block ${header.number} written to ${output}${before}`,
    {
      trace: output,
      ...(snapshot === undefined ? {} : { snapshot }),
      ...traced.details,
      number: Number(header.number),
      transactions: transactions.length,
      steps,
      gasUsed: Number(header.gasUsed),
      ...(traced.notes.length === 0 ? {} : { notes: traced.notes }),
    },
  );
  return EXIT.ok;
}

function parseBlock(text: string): RpcBlockOptions["block"] {
  if (text === "latest" || text === "safe" || text === "finalized") return text;
  if (!/^(?:\d{1,20}|0x[0-9a-fA-F]{1,16})$/.test(text) || BigInt(text) >> 64n !== 0n) {
    throw new InvalidArgumentError("expected a number, latest, safe or finalized.");
  }
  return BigInt(text);
}

/** @throws RpcError `RPC_URL`, without the text: it may be a secret */
function headersOf(lines: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([^\s:]+):\s*(.+)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) return [name.toLowerCase(), value];
      throw new RpcError("not a header", { code: "RPC_URL", where: "--rpc-header", expected: '"name: value"' });
    }),
  );
}

function parseCount(most: number): (text: string) => number {
  return (text) => {
    if (/^[1-9]\d{0,5}$/.test(text) && Number(text) <= most) return Number(text);
    throw new InvalidArgumentError(`expected 1 to ${most}.`);
  };
}

const append = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** The command `trace`. */
export function traceCommand(): Command {
  return command("trace", "execute the block of a scenario or of a node and write its trace")
    .argument("[scenario]", `${SCENARIOS.join(", ")}, or a JSON file with a genesis and transactions`)
    .requiredOption("-o, --output <block.trace>", "trace to write")
    .option("--snapshot <before.json>", "also write the state before the block, for `chunkproof verify`")
    .option("--rpc <url>", "instead of a scenario: the JSON-RPC node that has executed the block")
    .option("--block <n>", "with --rpc: number of the block, latest, safe or finalized", parseBlock)
    .option("--rpc-header <header>", 'with --rpc: "name: value" to send with each request, may be repeated', append)
    .option("--rpc-timeout <seconds>", "with --rpc: how long one answer may take", parseCount(3600), 60)
    .option(
      "--rpc-batch <n>",
      "with --rpc: most calls in one request; 1 for nodes without batches",
      parseCount(1000),
      50,
    )
    .option("--no-state-proofs", "with --rpc: don't compare accounts with the state roots by eth_getProof")
    .option("--check-steps", "with --rpc: compare each step with the node's struct logs")
    .option("--struct-logs <file>", "compare each step with struct logs (JSON), may be repeated", append)
    .option("--eip3155 <file>", "compare each step with lines of EIP-3155, may be repeated", append)
    .addHelpText(
      "after",
      `
A block of a node is executed here and compared with what its header commits to. The node has to offer prestateTracer, or
the state before the block by eth_getBalance and its like; --snapshot needs a node that lists its state, such as anvil, and
its newest block. A bearer token for the node is taken from the environment variable ${TOKEN}.`,
    )
    .action((scenario: string | undefined, options: TraceOptions, self: Command) => {
      const { rpc, block, checkSteps } = options;
      if (scenario === undefined && rpc === undefined) {
        self.error("error: missing required argument 'scenario', or --rpc <url> and --block <n>");
      }
      if (scenario !== undefined && rpc !== undefined) self.error("error: a scenario and --rpc exclude each other");
      if (rpc !== undefined && block === undefined) self.error("error: --rpc needs --block <n>");
      if (rpc === undefined && (block !== undefined || checkSteps)) {
        self.error(`error: ${block === undefined ? "--check-steps" : "--block"} needs --rpc <url>`);
      }
      return runCommand("trace", options, (out, signal) => trace(scenario, options, out, signal));
    });
}
