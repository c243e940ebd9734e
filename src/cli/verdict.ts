/**
 * What is said of a block that is valid.
 *
 * @module
 */

import type { BlockValidity } from "../verifier/block.js";
import type { StateDiff } from "../verifier/boundary.js";
import { headerHash } from "../verifier/ethereum/header.js";
import { addressToHex, toHex, wordToHex } from "../verifier/ethereum/words.js";
import { countOf } from "./screen.js";

const quantity = (x: bigint): string => `0x${x.toString(16)}`;

function diffDetails({ accounts, slots }: StateDiff) {
  return {
    accounts: accounts.map(({ address, nonce, balance }) => ({
      address: addressToHex(address),
      ...(nonce === undefined ? {} : { nonce: quantity(nonce) }),
      ...(balance === undefined ? {} : { balance: quantity(balance) }),
    })),
    slots: slots.map(({ address, slot, value }) => ({
      address: addressToHex(address),
      slot: quantity(slot),
      value: quantity(value),
    })),
  };
}

/** What a valid block is, for programs. */
export function validDetails({ header, transactions, receipts, gasUsed, stateDiff }: BlockValidity & { valid: true }) {
  return {
    number: Number(header.number),
    hash: wordToHex(headerHash(header)),
    stateRoot: wordToHex(header.stateRoot),
    gasUsed: Number(gasUsed),
    receipts: receipts.map(({ type, status, cumulativeGasUsed, logs }, i) => ({
      type,
      status,
      sender: addressToHex(transactions[i]!.sender),
      to: addressToHex(transactions[i]!.transaction.to),
      gasUsed: Number(cumulativeGasUsed - (receipts[i - 1]?.cumulativeGasUsed ?? 0n)),
      cumulativeGasUsed: Number(cumulativeGasUsed),
      logs: logs.map(({ address, topics, data }) => ({
        address: addressToHex(address),
        topics: topics.map(wordToHex),
        data: toHex(data),
      })),
    })),
    stateDiff: diffDetails(stateDiff),
  };
}

/** What a valid block is, for people. */
export function describeValid(validity: BlockValidity & { valid: true }): string {
  const { header, receipts, gasUsed, stateDiff } = validity;
  const { accounts, slots } = stateDiff;
  const reverted = receipts.filter(({ status }) => status === 0).length;
  const ended = receipts.length === 0 ? "" : `, ${receipts.length - reverted} succeeded and ${reverted} reverted`;
  const changes = [
    countOf(accounts.filter(({ balance }) => balance !== undefined).length, "balance"),
    countOf(accounts.filter(({ nonce }) => nonce !== undefined).length, "nonce"),
    countOf(slots.length, "slot"),
  ];
  return [
    `OK: block ${header.number} is valid: ${wordToHex(headerHash(header))}`,
    `  ${countOf(receipts.length, "transaction")}${ended}; ${countOf(Number(gasUsed), "gas", "gas")} used`,
    `  changes ${changes.join(", ")}; state root ${wordToHex(header.stateRoot)}`,
  ].join("\n");
}
