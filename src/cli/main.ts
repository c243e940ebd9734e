#!/usr/bin/env node
/**
 * The command `chunkproof`: what must be in place before anything else is, so that no failure ends the process with Node's
 * own code 1, which here says that a proof is invalid.
 *
 * @module
 */

import { EXIT } from "./output.js";

function fail(error: unknown): never {
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(EXIT.internal);
}
// rejections that nobody handles arrive here too
process.on("uncaughtException", fail);

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // whoever reads the output may have seen enough: the work and its exit code stand. Any other failure lost the result
    if (error.code !== "EPIPE") process.exit(EXIT.internal);
  });
}

try {
  const { main } = await import("./program.js");
  await main();
} catch (error) {
  fail(error);
}
