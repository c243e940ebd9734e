/**
 * A block proof against a snapshot.
 *
 * @module
 */

import type { Snapshot } from "../trace/snapshot.js";
import { type BlockFault, type BlockValidity, verifyBlock } from "../verifier/block.js";
import type { BlockProof } from "../verifier/encoding.js";
import type { Header } from "../verifier/ethereum/header.js";
import { wordToHex } from "../verifier/ethereum/words.js";
import type { KeySet } from "../verifier/keyset.js";
import { type ReplicaOptions, snapshotState } from "./snapshot.js";

/** A snapshot says which block made it, which `verifyBlock` alone cannot know without that block's header. */
function successionFaults({ number, blockHash }: Snapshot, header: Header): BlockFault[] {
  const fault = (field: keyof Header, expected: string, got: string): BlockFault[] =>
    expected === got
      ? []
      : [
          {
            code: "HEADER_INVALID",
            where: `header.${field}`,
            message: `header.${field}: not the block after the snapshot's (expected ${expected}, got ${got})`,
          },
        ];
  return [
    ...fault("parentHash", blockHash, wordToHex(header.parentHash)),
    ...fault("number", String(number + 1n), String(header.number)),
  ];
}

/**
 * Verifies a block that must come right after the snapshot's, on the state that the snapshot holds.
 *
 * @param proof from anywhere
 * @param keys the keys to accept
 * @throws ReplicaError as `snapshotState`; VerifierError as `verifyBlock`
 */
export async function verifyOnSnapshot(
  proof: Uint8Array | BlockProof,
  snapshot: Snapshot,
  keys: KeySet,
  options: ReplicaOptions = {},
): Promise<BlockValidity> {
  const state = await snapshotState(snapshot, options);
  const validity = await verifyBlock(proof, { state, keys, chainId: snapshot.chainId });
  if (validity.header === undefined) return validity;
  const faults = successionFaults(snapshot, validity.header);
  if (faults.length === 0) return validity;
  return { valid: false, faults: [...faults, ...validity.faults], header: validity.header };
}
