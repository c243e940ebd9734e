/**
 * The node anvil, started for a test.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
// @ts-expect-error a script without types
import { encodeArguments, encodeCall } from "../../scripts/contracts/abi.mjs";
// @ts-expect-error a script without types
import { contracts } from "../../scripts/contracts/solidity.mjs";
import { type Hex, quantity, toHex, wordBytes } from "../../src/trace/read.js";
import type { Scenario } from "../../src/trace/scenarios.js";
import { ROOT } from "./circuits.js";

const BINARY = join(ROOT, "node_modules/.bin/anvil");

/** Why anvil can't be started here, if it can't. */
export const ABSENT: string | undefined = (() => {
  const { status, error, stderr } = spawnSync(BINARY, ["--version"], { encoding: "utf8" });
  if (status === 0) return undefined;
  return `anvil does not start here: ${error?.message ?? stderr.trim().split("\n")[0]}`;
})();

/** A running node. */
export interface Anvil {
  readonly url: string;
  /** Result of a call. @throws Error with what the node says */
  rpc<T = unknown>(method: string, ...params: readonly unknown[]): Promise<T>;
  /** Ten unlocked accounts with 10,000 ether. */
  readonly accounts: readonly Hex[];
  /** Mines what was sent, a second and more after the block before. */
  mine(): Promise<void>;
  /** Sends a transaction of an unlocked account; it waits to be mined. */
  send(transaction: Readonly<Record<string, unknown>>): Promise<Hex>;
  close(): Promise<void>;
}

/** How a node is started. */
export interface AnvilOptions {
  /** Default `cancun`. */
  readonly hardfork?: string;
  readonly args?: readonly string[];
}

/** Starts a node that mines when it is told to, transactions in the order in which they were sent. */
export async function startAnvil({ hardfork = "cancun", args = [] }: AnvilOptions = {}): Promise<Anvil> {
  const common = ["--hardfork", hardfork, "--port", "0", "--no-mining", "--order", "fifo"];
  const child = spawn(BINARY, [...common, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  // a test that fails before it closes the node leaves none behind
  const kill = () => child.kill();
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    const hear = (data: Buffer) => {
      said += data;
      const address = /Listening on ([\d.]+:\d+)/.exec(said)?.[1];
      if (address !== undefined) resolve(`http://${address}`);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    ended.then(() => reject(new Error(`anvil has ended: ${said}`)));
  });
  let id = 0;
  const rpc = async <T>(method: string, ...params: readonly unknown[]): Promise<T> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params });
    const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
    const { result, error } = (await response.json()) as { result: T; error?: unknown };
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  };
  return {
    url,
    rpc,
    accounts: await rpc<Hex[]>("eth_accounts"),
    async mine() {
      // two blocks of one second would not be valid
      await rpc("evm_increaseTime", 12);
      await rpc("evm_mine");
    },
    send: (transaction) => rpc("eth_sendTransaction", { gas: "0x30d40", ...transaction }),
    async close() {
      child.kill();
      await ended;
      process.off("exit", kill);
    },
  };
}

/** Deploys a contract of test/contracts in a block of its own. */
export async function deployOn(anvil: Anvil, name: string, types: readonly string[], values: unknown): Promise<Hex> {
  const { creationCode } = (await contracts())[name];
  const data = `${creationCode}${encodeArguments(types, values).slice(2)}`;
  const hash = await anvil.send({ from: anvil.accounts[0], data, gas: "0x500000" });
  await anvil.mine();
  const { contractAddress, status } = await anvil.rpc<{ contractAddress: Hex; status: Hex }>(
    "eth_getTransactionReceipt",
    hash,
  );
  if (status !== "0x1") throw new Error(`the constructor of ${name} failed`);
  return contractAddress;
}

/** Gives a node the accounts of a scenario, whose transactions come to be its second block. */
export async function playOn(anvil: Anvil, { genesis, transactions }: Scenario): Promise<void> {
  for (const { address, nonce = 0n, balance = 0n, code, storage = [] } of genesis) {
    await anvil.rpc("anvil_setNonce", address, quantity(nonce));
    await anvil.rpc("anvil_setBalance", address, quantity(balance));
    if (code !== undefined) await anvil.rpc("anvil_setCode", address, toHex(code));
    for (const [slot, value] of storage) {
      await anvil.rpc("anvil_setStorageAt", address, quantity(slot), toHex(wordBytes(value)));
    }
  }
  await anvil.mine();
  for (const raw of transactions) await anvil.rpc("eth_sendRawTransaction", toHex(raw));
  await anvil.mine();
}

/** Calldata of a call. */
export const calldata: (signature: string, values: readonly unknown[]) => Hex = encodeCall;
