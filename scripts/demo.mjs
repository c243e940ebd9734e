/**
 * The bundled example end to end, with the commands a user would type: compile circuits/example/preimage.circom (circom2),
 * make a development key, prove, verify, and see a wrong public signal refused.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const dir = `${root}.cache/demo`;
mkdirSync(dir, { recursive: true });

/** Runs one command in the demo's folder, shows it, and checks its exit code. */
function run(label, file, args, expected = 0) {
  console.log(`\n$ ${label}`);
  const started = performance.now();
  const { status } = spawnSync(process.execPath, [`${root}${file}`, ...args], {
    cwd: dir,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== expected) {
    console.error(`demo: exit code ${status} instead of ${expected}`);
    process.exit(1);
  }
  console.log(`  (${((performance.now() - started) / 1000).toFixed(2)} s, exit code ${status})`);
}

const chunkproof = (args, expected) => run(`chunkproof ${args.join(" ")}`, "bin/cli/main.js", args, expected);

run("circom2 preimage.circom --r1cs --wasm", "node_modules/circom2/cli.js", [
  `${root}circuits/example/preimage.circom`,
  "--r1cs",
  "--wasm",
  "-o",
  ".",
]);
chunkproof(["groth16", "setup", "preimage.r1cs", "preimage.zkey"]);
chunkproof(["groth16", "vkey", "preimage.zkey", "verification_key.json"]);
writeFileSync(`${dir}/input.json`, JSON.stringify({ salt: "42", secret: "1234567890" }));
chunkproof([
  "groth16",
  "fullprove",
  "input.json",
  "preimage_js/preimage.wasm",
  "preimage.zkey",
  "proof.json",
  "public.json",
]);
chunkproof(["groth16", "verify", "verification_key.json", "public.json", "proof.json"]);

const signals = JSON.parse(readFileSync(`${dir}/public.json`, "utf8"));
writeFileSync(`${dir}/forged.json`, JSON.stringify([signals[0], "43"]));
chunkproof(["groth16", "verify", "verification_key.json", "forged.json", "proof.json"], 1);
console.log(`\nproved: hash ${signals[0]} with salt ${signals[1]}; the same proof for salt 43 was refused.`);
