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

/** Runs the command line of this process and sets its exit code. */
export async function main(): Promise<void> {
  const { version, description } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as Record<"version" | "description", string>;
  const program = new Command("chunkproof").description(description).version(version);
  const commands = [
    keysCommand,
    traceCommand,
    checkCommand,
    proveCommand,
    verifyCommand,
    groth16Command,
    doctorCommand,
  ];
  for (const make of commands) {
    program.addCommand(make());
  }
  throwOnExit(program);
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}
