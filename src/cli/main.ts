#!/usr/bin/env node
/**
 * The command `chunkproof`.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { groth16Command } from "./groth16.js";
import { EXIT } from "./output.js";

const { version, description } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
  description: string;
};

const program = new Command("chunkproof").description(description).version(version).addCommand(groth16Command());

/** Commander ends the process with 1 for bad usage; here that is an invalid proof. */
function throwOnExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwOnExit);
}
throwOnExit(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
}
