/**
 * `chunkproof prove`: a block's proof from its trace.
 *
 * @module
 */

import type { Command } from "commander";
import { writeFileAtomic } from "#platform";
import type { BlockProgress } from "../block/prove.js";
import { ChunkproofError } from "../errors.js";
import type { KeyFolder } from "../keys/folder.js";
import {
  type BackendOptions,
  command,
  runCommand,
  type ThreadOptions,
  warnFallback,
  withBackend,
  withThreads,
} from "./command.js";
import { checkWritable, inFile, readAs } from "./files.js";
import { type CacheOptions, keysOfCache, keysOfFolder, withCache } from "./key-folders.js";
import { EXIT, type Output } from "./output.js";
import { ProveView } from "./prove-view.js";
import { countOf, duration } from "./screen.js";

interface ProveOptions extends ThreadOptions, CacheOptions, BackendOptions {
  readonly output: string;
  readonly keys?: string;
  readonly selfCheck: boolean;
}

/** When the stages of a proof began, in ms. */
class Stopwatch {
  readonly #began = new Map<string, number>();

  progress({ stage }: BlockProgress): void {
    if (!this.#began.has(stage)) this.#began.set(stage, performance.now());
  }

  /** Whole ms of each stage, once the last has ended; loading keys is part of `commit`. */
  times(): { readonly rows: number; readonly commit: number; readonly prove: number } {
    const ended = performance.now();
    const at = (stage: string) => this.#began.get(stage) ?? ended;
    const [begin, planned, prove] = [at("trace"), at("planned"), at("prove")];
    return {
      rows: Math.round(planned - begin),
      commit: Math.round(prove - planned),
      prove: Math.round(ended - prove),
    };
  }
}

/** Names the trace in an error that is about what is in it. */
export function inTrace<E>(path: string, error: E): E {
  const isAbout = error instanceof ChunkproofError && /^(TRACE|BLOCK|TX|HEADER)_/.test(error.code);
  return isAbout ? inFile(path, error) : error;
}

/** The folder, whose damaged plans are errors with a file's name. */
function namingPlans(folder: KeyFolder): KeyFolder {
  const plan = (index: number) =>
    folder.plan(index).catch((error) => {
      throw inFile(folder.layouts[index]!.plan, error);
    });
  return { ...folder, plan };
}

async function prove(tracePath: string, options: ProveOptions, out: Output, signal: AbortSignal): Promise<number> {
  const { output, threads, selfCheck, backend } = options;
  await checkWritable([output], [tracePath]);
  const [{ decodeTrace }, { validateTrace }, { proveBlock }] = await Promise.all([
    import("../trace/format.js"),
    import("../trace/validate.js"),
    import("../block/prove.js"),
  ]);
  const trace = await readAs(tracePath, "trace", signal, decodeTrace);
  const { folder: found, made } =
    options.keys === undefined
      ? await keysOfCache(options, out, signal, async () => {
          try {
            await validateTrace(trace, { signal });
          } catch (error) {
            throw inTrace(tracePath, error);
          }
        })
      : { folder: await keysOfFolder(options.keys), made: false };
  const folder = namingPlans(found);
  const watch = new Stopwatch();
  const show = out.view(new ProveView(`block ${trace.header.number}`));
  const onProgress = (progress: BlockProgress) => {
    watch.progress(progress);
    show(progress);
  };
  const started = performance.now();
  const work = { threads, signal, onProgress, selfCheck, backend };
  const proved = await proveBlock(trace, folder, work).catch((error) => {
    throw inTrace(tracePath, error);
  });
  const ms = performance.now() - started;
  const times = watch.times();
  await writeFileAtomic(output, [proved.bytes], signal);
  const { steps, rows, chunks, bytes, backends } = proved;
  warnFallback(out, backends);
  out.result(
    `${countOf(steps, "step")} proved in ${duration(ms)}: proof of ${countOf(chunks.length, "chunk")}, ${countOf(bytes.length, "byte")}, written to ${output}`,
    {
      proof: output,
      number: Number(trace.header.number),
      bytes: bytes.length,
      steps,
      rows,
      chunks,
      backend,
      backends,
      times,
      selfChecked: selfCheck,
      keys: folder.path,
      keysMade: made,
      keySet: folder.parsed().digest,
    },
  );
  return EXIT.ok;
}

/** The command `prove`. */
export function proveCommand(): Command {
  return withCache(withBackend(withThreads(command("prove", "prove a block from its trace"))))
    .argument("<trace>", "trace of the block, from `chunkproof trace`")
    .requiredOption("-o, --output <block.proof>", "proof to write")
    .option("--keys <dir>", "folder of keys (default: those in the cache; they are made if there are none)")
    .option("--no-self-check", "do not verify the proofs of the chunks before they are written")
    .action((tracePath: string, options: ProveOptions) =>
      runCommand("prove", options, (out, signal) => prove(tracePath, options, out, signal)),
    );
}
