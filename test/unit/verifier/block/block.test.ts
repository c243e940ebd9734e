import { describe, expect, it } from "vitest";
import { encodeBlockProof } from "../../../../src/verifier/encoding.js";
import {
  ALICE,
  type BlockOptions,
  BOB,
  buildBlock,
  CAROL,
  ETHER,
  GWEI,
  hexAddress,
  MINER,
  transfer,
  verdictOn,
} from "./support.js";

const GENESIS = [ALICE, BOB, CAROL].map(({ address }) => ({ address: hexAddress(address), balance: 10n * ETHER }));
const NOBODY = 0xdead_beefn << 64n;

const slots = [5n, 7n, 5n];
const LIST = [
  { address: hexAddress(NOBODY), storageKeys: slots },
  { address: hexAddress(BOB.address), storageKeys: [] },
  { address: hexAddress(NOBODY), storageKeys: [1n << 255n] },
];

/** Blocks of plain transfers. */
const BLOCKS: Record<string, Omit<BlockOptions, "genesis">> = {
  "no transactions": { transactions: [] },
  "one transfer of type 2": { transactions: [transfer(ALICE, BOB.address, ETHER)] },
  "one of each type": {
    transactions: [
      transfer(ALICE, BOB.address, ETHER, { type: 0 }),
      transfer(BOB, CAROL.address, ETHER, { type: 1 }),
      transfer(CAROL, ALICE.address, ETHER, { type: 2 }),
    ],
  },
  "several of one sender to one recipient": {
    transactions: [0n, 1n, 2n].map((nonce) => transfer(ALICE, BOB.address, nonce * GWEI, { nonce })),
  },
  "the sender is the recipient": {
    transactions: [transfer(ALICE, ALICE.address, ETHER), transfer(ALICE, ALICE.address, 0n, { nonce: 1n })],
  },
  "the sender is the coinbase": {
    transactions: [transfer(ALICE, BOB.address, ETHER), transfer(BOB, ALICE.address, 1n)],
    coinbase: ALICE.address,
  },
  "the recipient is the coinbase": {
    transactions: [transfer(ALICE, MINER.address, ETHER), transfer(BOB, MINER.address, 0n)],
  },
  "sender, recipient and coinbase are one": {
    transactions: [transfer(ALICE, ALICE.address, ETHER)],
    coinbase: ALICE.address,
  },
  "an account that did not exist, with value and without": {
    transactions: [transfer(ALICE, NOBODY, 1n), transfer(ALICE, NOBODY + 1n, 0n, { nonce: 1n })],
  },
  "money that is passed on": {
    transactions: [transfer(ALICE, NOBODY, ETHER), transfer(ALICE, BOB.address, 8n * ETHER, { nonce: 1n })],
  },
  "no fee for the coinbase": {
    transactions: [transfer(ALICE, BOB.address, 1n, { maxFeePerGas: 2n * GWEI, maxPriorityFeePerGas: 0n })],
  },
  "calldata and more gas than needed": {
    transactions: [transfer(ALICE, BOB.address, 1n, { data: Uint8Array.of(0, 1, 0, 255), gasLimit: 100_000n })],
  },
  "access lists with repetitions": {
    transactions: [
      transfer(ALICE, BOB.address, 1n, { type: 1, accessList: LIST, gasLimit: 50_000n }),
      transfer(BOB, NOBODY, 1n, { type: 2, accessList: LIST, gasLimit: 60_000n }),
    ],
  },
};

describe("blocks of plain transfers", () => {
  for (const [name, options] of Object.entries(BLOCKS)) {
    it(`accepts ${name}, and finds what the EVM finds`, async () => {
      const block = await buildBlock({ genesis: GENESIS, ...options });
      const verdict = await verdictOn(block, encodeBlockProof(block.proof));
      expect(verdict.faults).toEqual([]);
      if (!verdict.valid) throw new Error("not valid");
      const after = block.state.after(verdict.stateDiff);
      for (const { address } of block.proof.claims.cells.balances) {
        expect(after.get(address)?.balance ?? 0n).toBe(await block.balanceAfter(address));
      }
      expect(verdict.gasUsed).toBe(block.header.gasUsed);
      expect(verdict.receipts.length).toBe(options.transactions.length);
      expect(verdict.stateDiff.slots).toEqual([]);
    });
  }
});
