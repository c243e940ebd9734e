/**
 * Consecutive blocks of token transfers, with the state before the first: what a replica follows. Needs dist/.
 *
 * @module
 */

import { encodeSnapshot, encodeTrace, loadScenario, Sequencer } from "../../dist/trace/index.js";
import { tokenTransfers } from "./scenarios.mjs";

/**
 * @param {number} blocks how many
 * @param {number} transfers in each
 * @returns {Promise<{ snapshot: Uint8Array, traces: Uint8Array[], stateRoots: string[], hashes: string[] }>}
 */
export async function tokenChain(blocks, transfers) {
  const { json } = await tokenTransfers(blocks * transfers);
  const { chainId, genesis, header, transactions } = loadScenario(JSON.stringify(json));
  const sequencer = await Sequencer.create({ chainId, genesis, header });
  const snapshot = encodeSnapshot(await sequencer.snapshot());
  const traces = [];
  const stateRoots = [];
  const hashes = [];
  for (let i = 0; i < blocks; i++) {
    const { trace, block, postState } = await sequencer.buildBlock(
      transactions.slice(i * transfers, (i + 1) * transfers),
    );
    traces.push(encodeTrace(trace));
    stateRoots.push(postState.stateRoot);
    hashes.push(`0x${Buffer.from(block.hash()).toString("hex")}`);
  }
  return { snapshot, traces, stateRoots, hashes };
}
