/**
 * Both examples end to end, with the commands a user would type.
 *
 * First a circuit of one's own: compile circuits/example/preimage.circom (circom2), make a development key, prove, verify, and
 * see a wrong public signal refused. Then a block: 20 transfers of an OpenZeppelin ERC-20 token, compiled by solc, are
 * traced, proved in chunks, and accepted by a replica that executes nothing; then three frauds, each of them refused.
 *
 * Circuits and keys go to .cache, so that the second run is short.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tokenTransfers } from "./contracts/scenarios.mjs";

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
20 transfers of an ERC-20 token (OpenZeppelin's, compiled by solc) among several accounts. The sequencer executes and
traces them:`);
const token = await tokenTransfers(20);
writeFileSync(`${dir}/token.json`, JSON.stringify(token.json));
part("2. trace", ["trace", "token.json", "-o", "block.trace", "--snapshot", "before.json"]);
console.log("\nKeys for the circuits of the block prover, made once, and the key set that replicas get:");
part("   circuits and keys", ["keys", "--export", "keyset.json"]);
console.log("\nThe proof:");
part("   proof", ["prove", "block.trace", "-o", "block.proof"]);
console.log(`
A replica has the state before the block and the key set. It executes nothing:`);
const replica = ["--state", "before.json", "--keys", "keyset.json", "--allow-development-keys"];
part("   verification by a replica", ["verify", "block.proof", ...replica, "-o", "after.json"]);

const { decodeBlockProof, encodeBlockProof } = await import("../dist/verifier/encoding.js");
const proof = decodeBlockProof(readFileSync(`${dir}/block.proof`));
const { claims } = proof;
/** Has the replica look at a proof that was tampered with. */
function fraud(name, story, forged) {
  console.log(`\n${story}`);
  const file = `fraud-${name}.proof`;
  writeFileSync(`${dir}/${file}`, encodeBlockProof(forged));
  part(`   refusal: ${name}`, ["verify", file, ...replica], 1);
}
const [slot, ...otherSlots] = claims.cells.slots;
const richer = { ...slot, value: slot.value + 10n ** 18n };
fraud("balance", "First fraud: the same proof, but an account ends with one token more.", {
  ...proof,
  claims: { ...claims, cells: { ...claims.cells, slots: [richer, ...otherSlots] } },
});
const [transfer, ...others] = claims.transactions;
const { end } = transfer;
if (end === undefined) throw new Error("the first transfer runs no code");
const [log] = end.logs.entries;
const data = Uint8Array.from(log.data);
data[31] ^= 1;
const event = { ...end, logs: { ...end.logs, entries: [{ ...log, data }] } };
fraud("event", "Second fraud: the first transfer's event tells of another amount.", {
  ...proof,
  claims: { ...claims, transactions: [{ ...transfer, end: event }, ...others] },
});
fraud("chunk", "Third fraud: a chunk is left out, and with it what its steps would have to show.", {
  ...proof,
  chunks: proof.chunks.slice(1),
});

title("Times");
for (const [name, ms] of times) console.log(`${name.padEnd(30)} ${seconds(ms).padStart(8)}`);
console.log(`${"everything".padEnd(30)} ${seconds(performance.now() - began).padStart(8)}`);
console.log(`\nThe block was proved and accepted; the frauds were refused. All files are in ${dir}`);
