/**
 * The whole network on one machine: Redis, a coordinator, two workers and a replica, each a process of its own, started with
 * the commands that an operator would type. Three blocks are submitted, proved by both workers, and accepted by the replica,
 * which executes nothing.
 *
 * `node scripts/network.mjs --stay` leaves it running until Ctrl-C. Everything lies in .cache/network.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { tokenChain } from "./contracts/chain.mjs";

const BLOCKS = 3;
const TRANSFERS = 10;
const root = fileURLToPath(new URL("../", import.meta.url));
const dir = `${root}.cache/network`;
const stay = process.argv.includes("--stay");
const env = { ...process.env, CHUNKPROOF_CACHE: `${root}.cache` };

rmSync(dir, { recursive: true, force: true });
mkdirSync(`${dir}/redis`, { recursive: true });

/** @type {{ name: string, child: import("node:child_process").ChildProcess }[]} */
const services = [];
let ending = false;

/** Ends everything that was started, the last first. */
async function end() {
  ending = true;
  for (const { child } of [...services].reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await Promise.race([ended, sleep(15_000).then(() => child.kill("SIGKILL"))]);
  }
}

async function fail(message) {
  console.error(`network: ${message}`);
  await end();
  process.exit(1);
}
process.on("SIGINT", () => end().then(() => process.exit(0)));
process.on("SIGTERM", () => end().then(() => process.exit(0)));

/** Starts a service whose output goes to a file. */
function start(name, file, args, more = {}) {
  const log = `${dir}/${name}.log`;
  const out = openSync(log, "w");
  const child = spawn(file, args, { cwd: dir, env: { ...env, ...more }, stdio: ["ignore", out, out] });
  services.push({ name, child });
  child.once("exit", (code, signal) => {
    if (!ending) void fail(`${name} ended (${signal ?? code}); its log: ${log}\n${tail(log)}`);
  });
  console.log(`  ${name.padEnd(12)} log: ${log.slice(root.length)}`);
}

const tail = (file) => readFileSync(file, "utf8").trimEnd().split("\n").slice(-8).join("\n");
const cli = (name, args) => start(name, process.execPath, [`${root}bin/cli/main.js`, ...args]);

/** Runs a command to its end, and shows it. */
function run(args) {
  console.log(`\n$ chunkproof ${args.join(" ")}`);
  const { status } = spawnSync(process.execPath, [`${root}bin/cli/main.js`, ...args], {
    cwd: dir,
    env: { ...env, CHUNKPROOF_TOKEN: token() },
    stdio: "inherit",
  });
  return status;
}

const token = () => {
  try {
    return readFileSync(`${dir}/coordinator/token`, "utf8").trim();
  } catch {
    return "";
  }
};

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });

/** Asks again until there is an answer. */
async function until(what, ask, seconds = 60) {
  for (const limit = performance.now() + seconds * 1000; performance.now() < limit; await sleep(100)) {
    const found = await ask().catch(() => undefined);
    if (found !== undefined) return found;
  }
  return fail(`${what}: not within ${seconds} s`);
}

const ready = (url) => async () => ((await fetch(`${url}/ready`)).ok ? true : undefined);

/** Redis, from the system or from Debian's packages; undefined: there is none, and why. */
function findRedis() {
  const has = () => spawnSync("redis-server", ["--version"]).status === 0;
  if (has()) return true;
  if (process.getuid?.() === 0 && spawnSync("apt-get", ["--version"]).status === 0) {
    console.log("redis-server is not installed: installing Debian's package");
    spawnSync("sh", ["-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server"], {
      env: { ...env, DEBIAN_FRONTEND: "noninteractive" },
    });
    return has();
  }
  return false;
}

const withRedis = findRedis();
if (!withRedis) {
  console.log(
    "There is no redis-server on this machine, and it could not be installed: instead of two workers on a queue in",
  );
  console.log("Redis, the coordinator proves two chunks at a time by itself. Install redis-server to see the workers.");
}

console.log(
  `\nA sequencer executes ${BLOCKS} blocks of ${TRANSFERS} transfers of an ERC-20 token each, and writes their traces.`,
);
const chain = await tokenChain(BLOCKS, TRANSFERS);
writeFileSync(`${dir}/before.json`, chain.snapshot);
for (const [i, trace] of chain.traces.entries()) writeFileSync(`${dir}/block-${i + 1}.trace`, trace);

if (run(["keys", "--export", "keyset.json"]) !== 0) await fail("no keys");

console.log("\nThe network:");
const [redisPort, port, rpcPort] = [await freePort(), await freePort(), await freePort()];
const coordinator = `http://127.0.0.1:${port}`;
const redis = `redis://127.0.0.1:${redisPort}`;
const queue = withRedis ? ["--redis", redis] : ["--concurrency", "2"];
if (withRedis) {
  const safe = ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--bind", "127.0.0.1"];
  start("redis", "redis-server", ["--port", String(redisPort), "--dir", `${dir}/redis`, ...safe]);
  await sleep(300);
}
cli("coordinator", ["coordinator", "--data", "coordinator", "--listen", `127.0.0.1:${port}`, ...queue]);
await until("the coordinator", ready(coordinator));
if (withRedis) {
  const threads = String(Math.max(1, Math.floor(availableParallelism() / 2)));
  for (const name of ["worker-1", "worker-2"]) {
    const store = ["--store", coordinator, "--token-file", "coordinator/token"];
    cli(name, ["worker", "--name", name, "--redis", redis, ...store, "--threads", threads]);
  }
}
const keys = ["--keys", "keyset.json", "--allow-development-keys"];
const from = ["--data", "replica", "--snapshot", "before.json", "--feed", coordinator, "--poll", "200ms"];
cli("replica", ["replica", ...from, ...keys, "--rpc", `127.0.0.1:${rpcPort}`]);

for (const i of chain.traces.keys()) {
  const status = run(["submit", `block-${i + 1}.trace`, "--coordinator", coordinator, "--wait"]);
  if (status !== 0) await fail(`block ${i + 1} was not proved`);
}

const rpc = async (method, params = []) => {
  const response = await fetch(`http://127.0.0.1:${rpcPort}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  return (await response.json()).result;
};
await until("the replica", async () => (Number(await rpc("eth_blockNumber")) === BLOCKS ? true : undefined));
const head = await rpc("eth_getBlockByNumber", ["latest", false]);
const agrees = head.stateRoot === chain.stateRoots.at(-1) && head.hash === chain.hashes.at(-1);
console.log(`\nThe replica verified ${BLOCKS} blocks and executed none. Its state root: ${head.stateRoot}`);
if (!agrees) await fail(`the sequencer's is ${chain.stateRoots.at(-1)}`);
console.log("It is the sequencer's.");

if (stay) {
  console.log(`\nRunning until Ctrl-C.
  submit blocks    chunkproof submit <trace> --coordinator ${coordinator} --token-file ${dir}/coordinator/token --wait
  metrics          ${coordinator}/metrics
  JSON-RPC         http://127.0.0.1:${rpcPort}`);
} else {
  await end();
}
