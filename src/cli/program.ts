/**
 * The command's grammar.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { checkCommand } from "./check.js";
import { doctorCommand } from "./doctor.js";
import { groth16Command } from "./groth16.js";
import { keysCommand } from "./keys.js";
import { EXIT } from "./output.js";
import { proveCommand } from "./prove.js";
import { traceCommand } from "./trace.js";
import { verifyCommand } from "./verify.js";

/** Commander ends the process with 1 for bad usage; here that is an invalid proof. */
function throwOnExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwOnExit);
}

type MakeCommand = () => Command;

/**
 * Commands of the network. They bring libraries that nobody else wants to wait for, so they are only loaded when the command line
 * has their name in it.
 */
const NETWORK: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<MakeCommand> }>> = {
  submit: {
    summary: "have a network prove a block",
    load: async () => (await import("./submit.js")).submitCommand,
  },
  coordinator: {
    summary: "run a network's coordinator: accepts blocks, hands out their proofs",
    load: async () => (await import("./coordinator.js")).coordinatorCommand,
  },
  worker: {
    summary: "run a network's worker: computes what its coordinator asks for",
    load: async () => (await import("./worker.js")).workerCommand,
  },
  replica: {
    summary: "run a replica: follows proofs, keeps the state, answers JSON-RPC",
    load: async () => (await import("./replica.js")).replicaCommand,
  },
};

/** The whole grammar, for a command line. */
export async function makeProgram(args: readonly string[]): Promise<Command> {
  const { version, description } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as Record<"version" | "description", string>;
  const program = new Command("chunkproof").description(description).version(version);
  for (const make of [keysCommand, traceCommand, checkCommand, proveCommand, verifyCommand]) program.addCommand(make());
  for (const [name, { summary, load }] of Object.entries(NETWORK)) {
    program.addCommand(args.includes(name) ? (await load())().summary(summary) : new Command(name).summary(summary));
  }
  for (const make of [groth16Command, doctorCommand]) program.addCommand(make());
  throwOnExit(program);
  return program;
}

/** Runs the command line of this process and sets its exit code. */
export async function main(): Promise<void> {
  const program = await makeProgram(process.argv.slice(2));
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}
