/**
 * Verifies proofs of blocks one after the other, in any runtime: the replica of ../verify-in-browser is used as it is.
 *
 *     node verify.mjs [--digest <key set> | --allow-development-keys] keyset.json before.json block.proof…
 *
 * Exit code 0: all of them are valid; 1: one is not, and those behind it were not looked at; 2: the input is at fault.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import { Replica } from "../verify-in-browser/src/replica.js";

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { digest: { type: "string" }, "allow-development-keys": { type: "boolean" } },
  allowPositionals: true,
});
const [keySet, snapshot, ...proofs] = positionals;

/** @returns {Promise<number>} */
async function main() {
  if (proofs.length === 0) throw new Error("usage: verify.mjs keyset.json before.json block.proof…");
  const replica = new Replica({
    keySet: await readFile(keySet, "utf8"),
    digest: values.digest,
    allowInsecure: values["allow-development-keys"],
    snapshot: await readFile(snapshot, "utf8"),
  });
  for (const file of proofs) {
    const { valid, header, faults, ms } = await replica.verify(new Uint8Array(await readFile(file)));
    process.stdout.write(
      `${file}: block ${header?.number ?? "?"} ${valid ? "valid" : "refused"}, ${ms.toFixed(0)} ms\n`,
    );
    for (const { code, message } of faults) process.stdout.write(`  ${code} ${message}\n`);
    if (!valid) return 1;
    replica.goOn();
  }
  return 0;
}

process.exitCode = await main().catch(({ code, message }) => {
  process.stderr.write(`${code === undefined ? "" : `${code}: `}${message}\n`);
  return 2;
});
