/**
 * `chunkproof coordinator`: a network's coordinator.
 *
 * @module
 */

import type { Command } from "commander";
import { tokenOf } from "../service/config.js";
import { COORDINATOR_OPTIONS } from "../service/options.js";
import { keysOfCache, keysOfFolder } from "./key-folders.js";
import { LogOutput } from "./log-output.js";
import { service, serviceCommand } from "./service-command.js";

/** What the command runs. */
export const COORDINATOR = service({
  name: "coordinator",
  summary: "run a network's coordinator: accepts blocks, has them proved, hands out their proofs",
  table: COORDINATOR_OPTIONS,
  notes: `
Without --redis it computes everything itself. With it, start workers beside it: \`chunkproof worker\`.`,
  start: async ({ config, loaded, log, signal, hide }) => {
    const token = await tokenOf(loaded);
    hide(token);
    const { keys: folder, threads, cache } = config;
    const out = new LogOutput("coordinator", log);
    const keys =
      folder === undefined
        ? (await keysOfCache({ threads, ...(cache === undefined ? {} : { cache }) }, out, signal)).folder
        : await keysOfFolder(folder, { verify: true });
    const { startCoordinator } = await import("../network/start.js");
    return startCoordinator({ config, token, keys, log, signal });
  },
});

/** The command `coordinator`. */
export const coordinatorCommand = (): Command => serviceCommand(COORDINATOR);
