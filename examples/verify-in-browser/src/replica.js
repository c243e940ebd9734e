/**
 * A replica: keys, a state, and the block that it stands at. It uses nothing but `chunkproof/verifier` and what every
 * JavaScript runtime has, so it works in pages, workers, Node, Deno, Bun and at the edge.
 *
 * @module
 */

import { headerHash, parseKeySet, verifyBlock } from "chunkproof/verifier";
import { wordToHex } from "./ethereum.js";
import { MemoryState } from "./state.js";

/** @typedef {import("chunkproof/verifier").BlockFault} BlockFault */
/** @typedef {import("chunkproof/verifier").BlockValidity} BlockValidity */
/** @typedef {import("chunkproof/verifier").Header} Header */
/** @typedef {import("./state.js").Head} Head */

/**
 * What a replica is made from: all of it trusted.
 *
 * @typedef {object} ReplicaOptions
 * @property {string} keySet text of a keyset.json
 * @property {string | undefined} [digest] the only key set to accept; default: whichever this is
 * @property {boolean | undefined} [allowInsecure] accept development keys, whose maker can forge proofs
 * @property {string} snapshot text of a snapshot
 */

/**
 * @typedef {object} Info
 * @property {bigint} chainId
 * @property {Head} head
 * @property {number} accounts
 * @property {{ digest: string, insecure: boolean, names: string[] }} keys
 */

/**
 * The verdict on a proof, and what it took. `hash` is that of the block, if there was one to read.
 *
 * @typedef {BlockValidity & { hash: bigint | undefined, bytes: number, ms: number }} Report
 */

export class Replica {
  #keys;
  #state;
  /** The head's header, which the snapshot doesn't have. @type {Header | undefined} */
  #parent;
  /** The first valid one among the proofs that were judged on this state. @type {(BlockValidity & { valid: true }) | undefined} */
  #next;

  /**
   * @param {ReplicaOptions} options
   * @throws ChunkproofError as `parseKeySet` and `MemoryState` do
   */
  constructor({ keySet, digest, allowInsecure, snapshot }) {
    let json;
    try {
      json = JSON.parse(keySet);
    } catch {
      // refused as what it is: not a set of keys
    }
    this.#keys = parseKeySet(json, { allowInsecure, digests: digest === undefined ? undefined : [digest] });
    this.#state = new MemoryState(snapshot);
  }

  /** @returns {Info} */
  info() {
    const { digest, insecure, keys } = this.#keys;
    const { chainId, head, size: accounts } = this.#state;
    return { chainId, head, accounts, keys: { digest, insecure, names: keys.map(({ name }) => name) } };
  }

  /**
   * Judges the proof of the block after the head. The state stays as it is.
   *
   * @param {Uint8Array} proof from anywhere
   * @returns {Promise<Report>}
   */
  async verify(proof) {
    const began = performance.now();
    const { chainId } = this.#state;
    const validity = this.#succeed(
      await verifyBlock(proof, { state: this.#state, keys: this.#keys, chainId, parent: this.#parent }),
    );
    if (validity.valid) this.#next ??= validity;
    const hash = validity.header && headerHash(validity.header);
    return { ...validity, hash, bytes: proof.length, ms: performance.now() - began };
  }

  /** Goes on to the state after the block that was found valid; without one it stays where it is. */
  goOn() {
    if (this.#next !== undefined) {
      const { header, stateDiff } = this.#next;
      this.#state.apply(stateDiff, { number: header.number, hash: headerHash(header), stateRoot: header.stateRoot });
      this.#parent = header;
      this.#next = undefined;
    }
    return this.info();
  }

  /**
   * A snapshot names the block that made it, which `verifyBlock` cannot know without that block's header.
   *
   * @param {BlockValidity} validity
   * @returns {BlockValidity}
   */
  #succeed(validity) {
    const { header } = validity;
    if (this.#parent !== undefined || header === undefined) return validity;
    const { number, hash } = this.#state.head;
    const fault = (/** @type {string} */ field, /** @type {string} */ expected, /** @type {string} */ got) => {
      const where = `header.${field}`;
      const message = `${where}: not the block after the snapshot's (expected ${expected}, got ${got})`;
      return expected === got ? [] : [/** @type {BlockFault} */ ({ code: "HEADER_INVALID", where, message })];
    };
    const faults = [
      ...fault("parentHash", wordToHex(hash), wordToHex(header.parentHash)),
      ...fault("number", String(number + 1n), String(header.number)),
    ];
    return faults.length === 0 ? validity : { valid: false, faults: [...faults, ...validity.faults], header };
  }
}
