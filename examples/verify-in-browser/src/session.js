/**
 * A replica behind four functions whose arguments and results are plain data: the page calls them directly, or has a worker
 * call them (see remote.js).
 *
 * @module
 */

import { follow } from "./follow.js";
import { Replica } from "./replica.js";

/** @typedef {import("./follow.js").FollowEvent} FollowEvent */
/** @typedef {import("./replica.js").Info} Info */
/** @typedef {import("./replica.js").ReplicaOptions} ReplicaOptions */
/** @typedef {import("./replica.js").Report} Report */

/**
 * @typedef {object} Session
 * @property {(options: ReplicaOptions) => Promise<Info>} open makes the replica, or another one in its place
 * @property {(proof: Uint8Array) => Promise<Report>} verify
 * @property {() => Promise<Info>} goOn
 * @property {(origin: string, every: number, signal: AbortSignal, onEvent: (event: FollowEvent) => void) => Promise<void>} follow
 * @property {() => void} close
 */

/** @returns {Session} */
export function localSession() {
  /** @type {Replica | undefined} */
  let replica;
  const opened = () => {
    if (replica === undefined) throw new Error("there is no replica yet");
    return replica;
  };
  return {
    async open(options) {
      replica = new Replica(options);
      return replica.info();
    },
    verify: async (proof) => opened().verify(proof),
    goOn: async () => opened().goOn(),
    follow: async (origin, every, signal, onEvent) => follow(opened(), origin, { every, signal, onEvent }),
    close() {},
  };
}
