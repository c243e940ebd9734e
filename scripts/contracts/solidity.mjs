/**
 * The contracts in test/contracts, compiled by solc and deployed without a chain: `@ethereumjs/vm` executes the constructor
 * once, and code and storage go into the state before the block.
 *
 * What solc makes lies in .cache/contracts, by digest of sources, versions and settings: loading solc takes longer than
 * reading it.
 *
 * @module
 */

import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { createBlock } from "@ethereumjs/block";
import { Common, Hardfork, Mainnet } from "@ethereumjs/common";
import { createEVM } from "@ethereumjs/evm";
import { createAddressFromString, hexToBytes } from "@ethereumjs/util";
import { encodeArguments } from "./abi.mjs";

const require = createRequire(import.meta.url);
const SOURCES = fileURLToPath(new URL("../../test/contracts/", import.meta.url));
const CACHE = fileURLToPath(new URL("../../.cache/contracts/", import.meta.url));

/** Nothing that depends on paths or time gets into the code. */
const SETTINGS = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "cancun",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: { "*": { "": [], "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

/**
 * What solc says about a contract.
 *
 * @typedef {object} Artefact
 * @property {readonly { type: string, inputs?: readonly { type: string }[] }[]} abi
 * @property {`0x${string}`} creationCode
 * @property {`0x${string}`} runtimeCode immutables are zeros
 */

/** @param {string} name */
const versionOf = (name) => /** @type {string} */ (require(`${name}/package.json`).version);

/** @type {Promise<Readonly<Record<string, Artefact>>> | undefined} */
let artefacts;

/** The contracts by their name, compiled now or before. */
export function contracts() {
  artefacts ??= load();
  return artefacts;
}

async function load() {
  const files = (await readdir(SOURCES)).filter((name) => name.endsWith(".sol")).sort();
  /** @type {Record<string, { content: string }>} */
  const sources = {};
  for (const name of files) sources[name] = { content: await readFile(`${SOURCES}${name}`, "utf8") };
  const versions = ["solc", "@openzeppelin/contracts", "solady"].map((name) => [name, versionOf(name)]);
  const digest = createHash("sha256").update(JSON.stringify({ versions, sources, SETTINGS })).digest("hex");
  const path = `${CACHE}${digest.slice(0, 24)}.json`;
  const cached = await readFile(path, "utf8").catch(() => undefined);
  if (cached !== undefined) return /** @type {Record<string, Artefact>} */ (JSON.parse(cached));
  const made = await compile(sources);
  await mkdir(CACHE, { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  await writeFile(temporary, JSON.stringify(made));
  await rename(temporary, path);
  return made;
}

/** @param {Record<string, { content: string }>} sources */
async function compile(sources) {
  const { readFileSync } = await import("node:fs");
  const solc = require("solc");
  const input = { language: "Solidity", sources, settings: SETTINGS };
  const resolve = (/** @type {string} */ path) => {
    try {
      return { contents: readFileSync(require.resolve(path), "utf8") };
    } catch (error) {
      return { error: /** @type {Error} */ (error).message };
    }
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: resolve }));
  const errors = (output.errors ?? []).filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ formattedMessage }) => formattedMessage).join("\n"));
  /** @type {Record<string, Artefact>} */
  const made = {};
  for (const file of Object.keys(sources)) {
    for (const [name, { abi, evm }] of Object.entries(output.contracts[file])) {
      const [creationCode, runtimeCode] = [`0x${evm.bytecode.object}`, `0x${evm.deployedBytecode.object}`];
      made[name] = /** @type {Artefact} */ ({ abi, creationCode, runtimeCode });
    }
  }
  return made;
}

/** Who deploys, as far as constructors and addresses are concerned. */
const DEPLOYER = "0x00000000000000000000000000000000de910a00";
/** Seconds: a week before the blocks that follow. */
const DEPLOYED_AT = 1_700_000_000n - 604_800n;

/**
 * A contract as it is after its constructor.
 *
 * @typedef {object} Deployed
 * @property {`0x${string}`} address
 * @property {`0x${string}`} code
 * @property {Record<string, string>} storage slots to values, both `0x…`
 */

/**
 * Executes the constructor of a contract.
 *
 * @param {string} name
 * @param {readonly import("./abi.mjs").Value[]} [values] the constructor's arguments
 * @param {number} [nth] the deployer's nonce: another address for each
 * @returns {Promise<Deployed>}
 */
export async function deploy(name, values = [], nth = 0) {
  const artefact = (await contracts())[name];
  if (artefact === undefined) throw new Error(`no contract ${name} in test/contracts`);
  const inputs = artefact.abi.find(({ type }) => type === "constructor")?.inputs ?? [];
  const encoded = encodeArguments(
    inputs.map(({ type }) => type),
    values,
  );
  const common = new Common({ chain: Mainnet, hardfork: Hardfork.Cancun });
  const evm = await createEVM({ common });
  const caller = createAddressFromString(DEPLOYER);
  await evm.stateManager.modifyAccountFields(caller, { nonce: BigInt(nth), balance: 10n ** 18n });
  /** @type {Set<bigint>} */
  const slots = new Set();
  evm.events.on("step", ({ opcode, stack }) => {
    if (opcode.name === "SSTORE") slots.add(/** @type {bigint} */ (stack.at(-1)));
  });
  const { createdAddress, execResult } = await evm.runCall({
    caller,
    data: hexToBytes(`${artefact.creationCode}${encoded.slice(2)}`),
    gasLimit: 100_000_000n,
    block: createBlock({ header: { timestamp: DEPLOYED_AT, number: 1n } }, { common }),
  });
  if (execResult.exceptionError !== undefined || createdAddress === undefined) {
    throw new Error(`the constructor of ${name} failed: ${execResult.exceptionError?.error}`);
  }
  const hex = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString("hex");
  /** @type {Record<string, string>} */
  const storage = {};
  for (const slot of [...slots].sort((a, b) => (a < b ? -1 : 1))) {
    const digits = slot.toString(16).padStart(64, "0");
    const value = BigInt(`0x0${hex(await evm.stateManager.getStorage(createdAddress, hexToBytes(`0x${digits}`)))}`);
    if (value !== 0n) storage[`0x${slot.toString(16)}`] = `0x${value.toString(16)}`;
  }
  return {
    address: /** @type {`0x${string}`} */ (createdAddress.toString()),
    code: `0x${hex(await evm.stateManager.getCode(createdAddress))}`,
    storage,
  };
}
