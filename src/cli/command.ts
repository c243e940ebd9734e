/**
 * What the grammar of all commands has in common.
 *
 * @module
 */

import { Command, InvalidArgumentError, Option } from "commander";
import type { BackendName, BackendReport, ThreadCount } from "../prover/index.js";
import { interruptSignal, Output, type OutputOptions } from "./output.js";

/** Options of commands that {@link withThreads}. */
export interface ThreadOptions extends OutputOptions {
  readonly threads: ThreadCount;
}

/** What a command does; returns its exit code. The signal is aborted by Ctrl-C. */
export type Work = (out: Output, signal: AbortSignal) => Promise<number>;

/** Runs a command's work with its output and signal, and leaves its exit code. */
export async function runCommand(name: string, options: OutputOptions, work: Work): Promise<void> {
  const out = new Output(name, options);
  try {
    process.exitCode = await work(out, interruptSignal());
  } catch (error) {
    process.exitCode = out.error(error);
  }
}

/** A command with the options that all have. */
export function command(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .option("--json", "print the result as one JSON object on stdout")
    .option("-q, --quiet", "print errors only");
}

function parseThreads(text: string): ThreadCount {
  if (text === "auto") return text;
  if (!/^[1-9]\d{0,2}$/.test(text) || Number(text) > 256)
    throw new InvalidArgumentError('expected "auto" or 1 to 256.');
  return Number(text);
}

/** Adds `--threads`. */
export function withThreads(c: Command): Command {
  return c.option("-t, --threads <n>", 'worker threads, or "auto": all the machine has', parseThreads, "auto");
}

/** Options of commands that {@link withBackend}. */
export interface BackendOptions {
  readonly backend: "auto" | BackendName;
}

/** Adds `--backend`. */
export function withBackend(c: Command): Command {
  const option = new Option(
    "--backend <name>",
    "what computes proofs; auto: what measures fastest on this machine, see doctor",
  );
  return c.addOption(option.choices(["auto", "wasm", "webgpu", "gpujs"]).default("wasm"));
}

/** Says that a device failed, and what that meant. */
export function warnFallback(out: Output, reports: readonly BackendReport[]): void {
  const failures = reports.flatMap(({ fallback }) => fallback ?? []);
  const first = failures[0];
  if (first === undefined) return;
  const what = reports.length === 1 ? "the proof was" : `${failures.length} of ${reports.length} proofs were`;
  out.warn(`${first.from} failed and ${what} finished by WebAssembly: ${first.message} [${first.code}]`);
}
