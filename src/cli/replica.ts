/**
 * `chunkproof replica`: a replica node.
 *
 * @module
 */

import type { Command } from "commander";
import { FormatError } from "../errors.js";
import { openSource } from "../formats/source.js";
import type { SnapshotHead } from "../replica/node/database.js";
import { REPLICA_OPTIONS } from "../service/options.js";
import { readAs } from "./files.js";
import { service, serviceCommand } from "./service-command.js";
import { ACCEPTED, keySetOf } from "./verify.js";

/** All before the accounts of a snapshot fits. */
const HEAD_BYTES = 4096;

/** What a snapshot is of, without reading its accounts where they come last; undefined: there is no such file. */
async function snapshotHead(path: string, signal: AbortSignal): Promise<SnapshotHead | undefined> {
  const { decodeSnapshot } = await import("../trace/snapshot.js");
  try {
    const source = await openSource(path, "snapshot", signal);
    try {
      const text = new TextDecoder().decode(await source.read(0, Math.min(source.size, HEAD_BYTES)));
      const head = /^\{[^{}[\]]*"accounts":\[/.exec(text)?.[0];
      // a snapshot of no accounts says the same
      if (head !== undefined) return decodeSnapshot(new TextEncoder().encode(`${head}]}`));
    } finally {
      await source.close();
    }
    return await readAs(path, "snapshot", signal, decodeSnapshot);
  } catch (error) {
    if (error instanceof FormatError && error.code === "FILE_NOT_FOUND") return undefined;
    throw error;
  }
}

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
    const origin = path === undefined ? undefined : () => snapshotHead(path, signal);
    const { startReplica } = await import("../replica/node/start.js");
    return startReplica({ config, keys, snapshot, origin, log, signal });
  },
});

/** The command `replica`. */
export const replicaCommand = (): Command => serviceCommand(REPLICA);
