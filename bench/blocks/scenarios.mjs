/**
 * Blocks to prove: transfers of an ERC-20 token, the built-in demo, and longer ones of its contracts.
 *
 * @module
 */

import { loadScenario } from "chunkproof/trace";
import { COUNTER, FIBONACCI, SORT } from "../../dist/trace/contracts.js";
import { tokenTransfers } from "../../scripts/contracts/scenarios.mjs";

const SENDERS = 10;
const ETHER = String(10n ** 18n);

/** Distinct words in no order. */
const words = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => (2654435761 * (i + 1)) % 100003);

/**
 * One Fibonacci number, one array sorted in memory, and calls of a storage counter by several accounts.
 *
 * @param {{ fibonacci: number, sort: number, calls: number }} sizes rounds, words, transactions
 */
function mixed({ fibonacci, sort, calls }) {
  const people = Array.from({ length: SENDERS }, (_, key) => ({ name: `p${key}`, key, balance: ETHER }));
  const from = (/** @type {number} */ i) => `p${i % SENDERS}`;
  const gas = 10_000_000;
  return {
    block: { gasLimit: 60_000_000 },
    accounts: [
      ...people,
      { name: "fibonacci", nonce: 1, code: FIBONACCI },
      { name: "sort", nonce: 1, code: SORT },
      { name: "counter", nonce: 1, code: COUNTER, storage: { 0: 41 } },
    ],
    transactions: [
      ...(fibonacci > 0 ? [{ from: from(0), to: "fibonacci", data: [fibonacci], gas }] : []),
      ...(sort > 0 ? [{ from: from(1), to: "sort", data: [sort, ...words(sort)], gas }] : []),
      ...Array.from({ length: calls }, (_, i) => ({ from: from(i), to: "counter" })),
    ],
  };
}

/** Transfers of OpenZeppelin's ERC-20 token, compiled by solc. */
async function transfers(/** @type {number} */ count) {
  return loadScenario(JSON.stringify((await tokenTransfers(count)).json));
}

/**
 * Scenarios by name. Steps are in the results.
 *
 * @type {Record<string, () => import("chunkproof/trace").Scenario | Promise<import("chunkproof/trace").Scenario>>}
 */
export const BLOCKS = {
  "20 transfers": () => transfers(20),
  "100 transfers": () => transfers(100),
  counter: () => loadScenario("counter"),
  demo: () => loadScenario("demo"),
  "100 calls": () => loadScenario(JSON.stringify(mixed({ fibonacci: 0, sort: 0, calls: 100 }))),
  "mixed 20k": () => loadScenario(JSON.stringify(mixed({ fibonacci: 660, sort: 29, calls: 20 }))),
  "mixed 100k": () => loadScenario(JSON.stringify(mixed({ fibonacci: 3300, sort: 65, calls: 50 }))),
};
