/**
 * `chunkproof worker`: a network's worker.
 *
 * @module
 */

import type { Command } from "commander";
import { tokenOf } from "../service/config.js";
import { WORKER_OPTIONS } from "../service/options.js";
import { cacheFolder, keysOfFolder } from "./key-folders.js";
import { service, serviceCommand } from "./service-command.js";

/** What the command runs. */
export const WORKER = service({
  name: "worker",
  summary: "run a network's worker: computes what the coordinator's queue asks for",
  table: WORKER_OPTIONS,
  start: async ({ config, loaded, log, signal, hide }) => {
    const token = await tokenOf(loaded);
    hide(token);
    const keys = config.keys === undefined ? undefined : await keysOfFolder(config.keys, { verify: true });
    const cache = await cacheFolder(config.cache === undefined ? {} : { cache: config.cache });
    const { startWorker } = await import("../network/start.js");
    return startWorker({ config, token, keys, cache, log, signal });
  },
});

/** The command `worker`. */
export const workerCommand = (): Command => serviceCommand(WORKER);
