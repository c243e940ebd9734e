/**
 * `chunkproof submit`: has a network prove a block.
 *
 * @module
 */

import type { Command } from "commander";
import { writeFileAtomic } from "#platform";
import type { BlockStatus } from "../network/client.js";
import { CLIENT_OPTIONS } from "../service/options.js";
import { command, runCommand } from "./command.js";
import { checkWritable, inFile, readBytes } from "./files.js";
import { EXIT, type Output, type OutputOptions } from "./output.js";
import { countOf } from "./screen.js";
import { addOptions } from "./service-command.js";
import { describeStatus, SubmitView } from "./submit-view.js";

interface SubmitOptions extends OutputOptions {
  readonly wait?: boolean;
  readonly output?: string;
}

/** The work of the command. */
export async function submit(
  tracePath: string,
  options: SubmitOptions,
  out: Output,
  signal: AbortSignal,
): Promise<number> {
  const { output } = options;
  const wait = options.wait === true || output !== undefined;
  await checkWritable(output === undefined ? [] : [output], [tracePath]);
  const [{ CoordinatorClient, isFinal }, { decodeTrace }, { loadConfig, tokenOf }] = await Promise.all([
    import("../network/client.js"),
    import("../trace/format.js"),
    import("../service/config.js"),
  ]);
  const loaded = await loadConfig(CLIENT_OPTIONS, { ...options }, { ignoreFile: true });
  const client = new CoordinatorClient(loaded.config.coordinator, { token: await tokenOf(loaded) });
  const bytes = await readBytes(tracePath, "trace", signal);
  try {
    decodeTrace(bytes);
  } catch (error) {
    throw inFile(tracePath, error);
  }
  let status = await client.submit(bytes, signal).catch((error) => {
    throw /^(TRACE|BLOCK|TX|HEADER)_/.test((error as { code?: string }).code ?? "") ? inFile(tracePath, error) : error;
  });
  if (wait && !isFinal(status)) {
    out.note(`block ${status.number} accepted by ${client.name}: ${status.id}`);
    const show = out.view(new SubmitView(`block ${status.number}`));
    for await (const event of client.follow(status.id, signal)) {
      show(event);
      if (event.type === "status") status = event.status;
    }
  }
  const ended = status.state === "failed" || status.state === "cancelled";
  const details = { ...status, coordinator: client.name };
  if (ended) {
    out.result(describeStatus(status), details, false);
    return EXIT.invalid;
  }
  const written = output === undefined ? "" : await fetchProof(client, status, output, signal);
  out.result(`${describeStatus(status)}${written}`, { ...details, ...(output === undefined ? {} : { output }) });
  return EXIT.ok;
}

async function fetchProof(
  client: { proof(status: BlockStatus, signal: AbortSignal): Promise<Uint8Array> },
  status: BlockStatus,
  output: string,
  signal: AbortSignal,
): Promise<string> {
  const proof = await client.proof(status, signal);
  await writeFileAtomic(output, [proof], signal);
  return `\n  proof of ${countOf(proof.length, "byte")} written to ${output}`;
}

/** The command `submit`. */
export function submitCommand(): Command {
  const c = command(
    "submit",
    `have a network prove a block; with --wait exit code ${EXIT.ok} proved, ${EXIT.invalid} failed or cancelled, ${EXIT.internal} no answer`,
  )
    .argument("<trace>", "trace of the block, from `chunkproof trace`")
    .option("--wait", "until the block has ended")
    .option("-o, --output <block.proof>", "write the proof when it is there; waits for it");
  return addOptions(c, CLIENT_OPTIONS)
    .addHelpText(
      "after",
      `
The same trace handed in twice is the same block, so a submission that was interrupted can be made again: it goes on following
where it was. Ctrl-C ends following, not the block.`,
    )
    .action((tracePath: string, options: SubmitOptions) =>
      runCommand("submit", options, (out, signal) => submit(tracePath, options, out, signal)),
    );
}
