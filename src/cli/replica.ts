/**
 * `chunkproof replica`: a replica node.
 *
 * @module
 */

import type { Command } from "commander";
import { REPLICA_OPTIONS } from "../service/options.js";
import { readAs } from "./files.js";
import { service, serviceCommand } from "./service-command.js";
import { ACCEPTED, keySetOf } from "./verify.js";

/** What the command runs. */
export const REPLICA = service({
  name: "replica",
  summary: "run a replica: verifies the proofs of a feed, keeps the state, answers JSON-RPC; executes nothing",
  table: REPLICA_OPTIONS,
  start: async ({ config, log, signal }) => {
    const keys = await keySetOf(config, signal);
    if (keys.insecure) log.warn({ keySet: keys.digest }, ACCEPTED);
    const { snapshot: path } = config;
    const snapshot =
      path === undefined
        ? undefined
        : async () => readAs(path, "snapshot", signal, (await import("../trace/snapshot.js")).decodeSnapshot);
    const { startReplica } = await import("../replica/node/start.js");
    return startReplica({ config, keys, snapshot, log, signal });
  },
});

/** The command `replica`. */
export const replicaCommand = (): Command => serviceCommand(REPLICA);
