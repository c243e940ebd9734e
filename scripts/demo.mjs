/**
 * Both examples end to end, with the commands a user would type.
 *
 * First a circuit of one's own: compile circuits/example/preimage.circom (circom2), make a development key, prove, verify, and
 * see a wrong public signal refused. Then a block: seven transactions that call real bytecode are traced, proved in chunks,
 * and accepted by a replica that executes nothing; one storage value is changed, and the replica refuses.
 *
 * Circuits and keys go to .cache, so that the second run is short.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const dir = `${root}.cache/demo`;
// what an earlier run left is not to be mistaken for a result of this one
rmSync(dir, { recursive: true, force: true });
mkdirSync(dir, { recursive: true });

const env = { ...process.env, CHUNKPROOF_CACHE: `${root}.cache` };
const began = performance.now();
/** @type {[string, number][]} */
const times = [];

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const title = (text) => console.log(`\n${text}\n${"─".repeat(text.length)}`);

/** Runs one command in the demo's folder, shows it, and checks its exit code. */
function run(label, file, args, expected = 0) {
  console.log(`\n$ ${label}`);
  const started = performance.now();
  const { status } = spawnSync(process.execPath, [`${root}${file}`, ...args], {
    cwd: dir,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== expected) {
    console.error(`demo: exit code ${status} instead of ${expected}`);
    process.exit(status === null || status === 0 ? 1 : status);
  }
  const ms = performance.now() - started;
  console.log(`  (${seconds(ms)}, exit code ${status})`);
  return ms;
}

const chunkproof = (args, expected) => run(`chunkproof ${args.join(" ")}`, "bin/cli/main.js", args, expected);
/** Runs a part of the block's way, and keeps its time. */
const part = (name, args, expected) => times.push([name, chunkproof(args, expected)]);

title("1. A circuit of your own: Groth16 with snarkjs' files");
const first = performance.now();
const circom = [`${root}circuits/example/preimage.circom`, "--r1cs", "--wasm", "-o", "."];
run("circom2 preimage.circom --r1cs --wasm", "node_modules/circom2/cli.js", circom);
chunkproof(["groth16", "setup", "preimage.r1cs", "preimage.zkey"]);
chunkproof(["groth16", "vkey", "preimage.zkey", "verification_key.json"]);
writeFileSync(`${dir}/input.json`, JSON.stringify({ salt: "42", secret: "1234567890" }));
const files = ["input.json", "preimage_js/preimage.wasm", "preimage.zkey", "proof.json", "public.json"];
chunkproof(["groth16", "fullprove", ...files]);
chunkproof(["groth16", "verify", "verification_key.json", "public.json", "proof.json"]);
const signals = JSON.parse(readFileSync(`${dir}/public.json`, "utf8"));
writeFileSync(`${dir}/forged.json`, JSON.stringify([signals[0], "43"]));
chunkproof(["groth16", "verify", "verification_key.json", "forged.json", "proof.json"], 1);
console.log(`\nproved: hash ${signals[0]} with salt ${signals[1]}; the same proof for salt 43 was refused.`);
times.push(["1. the Groth16 example", performance.now() - first]);

title("2. A block of the EVM, proved in chunks");
console.log(`
Seven transactions: the 50th Fibonacci number, a sort in memory, a counter that three accounts bump, a
transaction that writes and then reverts, and a transfer. The sequencer executes and traces them:`);
part("2. trace", ["trace", "demo", "-o", "block.trace", "--snapshot", "before.json"]);
console.log("\nKeys for the circuits of the block prover, made once, and the key set that replicas get:");
part("   circuits and keys", ["keys", "--export", "keyset.json"]);
console.log("\nThe proof:");
part("   proof", ["prove", "block.trace", "-o", "block.proof"]);
console.log(`
A replica has the state before the block and the key set. It executes nothing:`);
const replica = ["--state", "before.json", "--keys", "keyset.json", "--allow-development-keys"];
part("   verification by a replica", ["verify", "block.proof", ...replica, "-o", "after.json"]);

const { decodeBlockProof, encodeBlockProof } = await import("../dist/verifier/encoding.js");
const { decodeSnapshot, loadScenario } = await import("../dist/trace/index.js");
const { counter } = loadScenario("demo").addresses;
const slotIn = (name) =>
  decodeSnapshot(readFileSync(`${dir}/${name}`))
    .accounts.find(({ address }) => address === counter)
    ?.storage.find(([slot]) => slot === 0n)?.[1];
console.log(`\nThe counter of the replica went from ${slotIn("before.json")} to ${slotIn("after.json")}.`);

const proof = decodeBlockProof(readFileSync(`${dir}/block.proof`));
const { cells } = proof.claims;
const isCounter = ({ address, slot }) => address === BigInt(counter ?? 0) && slot === 0n;
const claimed = cells.slots.filter(isCounter).map(({ value }) => value + 1n)[0];
console.log(`\nNow somebody claims that it went to ${claimed}, with the same proof:`);
const slots = cells.slots.map((cell) => (isCounter(cell) ? { ...cell, value: cell.value + 1n } : cell));
const forged = { ...proof, claims: { ...proof.claims, cells: { ...cells, slots } } };
writeFileSync(`${dir}/forged.proof`, encodeBlockProof(forged));
part("   refusal of the forgery", ["verify", "forged.proof", ...replica], 1);

title("Times");
for (const [name, ms] of times) console.log(`${name.padEnd(30)} ${seconds(ms).padStart(8)}`);
console.log(`${"everything".padEnd(30)} ${seconds(performance.now() - began).padStart(8)}`);
console.log(`\nThe block was proved and accepted; the forgery was refused. All files are in ${dir}`);
