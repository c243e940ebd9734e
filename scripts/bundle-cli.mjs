/**
 * Puts the command line's own modules (not its dependencies) together into a few files under bin/, laid out as in dist/ so
 * that the relative addresses in them stay right. A process that proves once starts 60 ms sooner than with dist/.
 *
 * @module
 */

import { chmod, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The command, and the threads that it starts. */
const ENTRIES = [
  "cli/main",
  "cli/witness-thread",
  "prover/wasm/worker",
  "network/executor-thread",
  "replica/node/verifier-thread",
];

await rm(`${root}bin`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: ENTRIES.map((name) => `dist/${name}.js`),
  outbase: "dist",
  outdir: "bin",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  packages: "external",
  platform: "node",
  target: "node20",
  format: "esm",
  // not the repository's, which leads #platform to src/
  tsconfigRaw: {},
  logLevel: "warning",
});
await chmod(`${root}bin/cli/main.js`, 0o755);
