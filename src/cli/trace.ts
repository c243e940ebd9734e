/**
 * `chunkproof trace`: a scenario's block, executed and written down.
 *
 * @module
 */

import type { Command } from "commander";
import { writeFilesAtomic } from "#platform";
import { ChunkproofError } from "../errors.js";
import { command, runCommand } from "./command.js";
import { checkWritable, inFile, nameOf, readAs } from "./files.js";
import { EXIT, type Output, type OutputOptions } from "./output.js";
import { countOf } from "./screen.js";

/** The scenarios that are built in; what makes them is imported only by the command. */
export const SCENARIOS = ["demo", "empty", "transfer", "counter"] as const;

interface TraceOptions extends OutputOptions {
  readonly output: string;
  readonly snapshot?: string;
}

async function trace(scenario: string, options: TraceOptions, out: Output, signal: AbortSignal): Promise<number> {
  const { output, snapshot } = options;
  const builtIn = SCENARIOS.some((name) => name === scenario);
  await checkWritable(snapshot === undefined ? [output] : [output, snapshot], builtIn ? [] : [scenario]);
  const { encodeSnapshot, encodeTrace, loadScenario, runScenario, TraceError, validateTrace } = await import(
    "../trace/index.js"
  );
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
    const run = await runScenario(loaded);
    signal.throwIfAborted();
    await validateTrace(run.trace, { signal });
    const files = [{ path: output, pieces: [encodeTrace(run.trace)] }];
    if (snapshot !== undefined) files.push({ path: snapshot, pieces: [encodeSnapshot(run.before)] });
    await writeFilesAtomic(files, signal);
    const { transactions, executions, header } = run.trace;
    const steps = executions.reduce((sum, execution) => sum + execution.steps.length, 0);
    const before = snapshot === undefined ? "" : `, the state before it to ${snapshot}`;
    out.result(
      `${countOf(transactions.length, "transaction")}, ${countOf(steps, "step")}, ${countOf(Number(header.gasUsed), "gas", "gas")}: trace of block ${header.number} written to ${output}${before}`,
      {
        trace: output,
        ...(snapshot === undefined ? {} : { snapshot }),
        scenario: loaded.name,
        number: Number(header.number),
        transactions: transactions.length,
        steps,
        gasUsed: Number(header.gasUsed),
      },
    );
    return EXIT.ok;
  } catch (error) {
    throw builtIn ? error : inFile(scenario, error);
  }
}

/** The command `trace`. */
export function traceCommand(): Command {
  return command("trace", "execute a scenario's block with @ethereumjs/vm and write its trace")
    .argument("<scenario>", `${SCENARIOS.join(", ")}, or a JSON file with a genesis and transactions`)
    .requiredOption("-o, --output <block.trace>", "trace to write")
    .option("--snapshot <before.json>", "also write the state before the block, for `chunkproof verify`")
    .action((scenario: string, options: TraceOptions) =>
      runCommand("trace", options, (out, signal) => trace(scenario, options, out, signal)),
    );
}
