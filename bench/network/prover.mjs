/**
 * A process that proves blocks by itself: what a network is compared with.
 *
 * @module
 */

import { BlockProver } from "chunkproof/block";
import { openKeys } from "chunkproof/keys";
import { decodeTrace } from "chunkproof/trace";
import { answer } from "./stage.mjs";

/** @type {BlockProver} */
let prover;

answer({
  async open({ keys, threads }) {
    prover = new BlockProver(await openKeys(keys), { threads });
  },
  /** Block after block; from traces as they are handed in to proofs as they are handed out. */
  async prove({ traces }) {
    const proofs = [];
    for (const trace of traces) {
      const { bytes, chunks, times } = await prover.prove(decodeTrace(trace));
      proofs.push({ bytes, chunks: chunks.length, times });
    }
    return proofs;
  },
});
