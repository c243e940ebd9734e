/**
 * What the commands have in common on the way out: exit codes, errors, progress, results.
 *
 * @module
 */

import { setMaxListeners } from "node:events";
import type { SingleBar } from "cli-progress";
import { ChunkproofError } from "../errors.js";
import type { OnProgress } from "../prover/index.js";
import { type Canvas, Screen } from "./screen.js";

/** Exit codes of the CLI. */
export const EXIT = {
  ok: 0,
  /** `verify`, `check`: the files are fine, what they claim is not. */
  invalid: 1,
  /** Bad input or usage. */
  usage: 2,
  /** A bug, or the machine failed: nothing the caller wrote is wrong. */
  internal: 70,
  /** 128 + SIGINT. */
  SIGINT: 130,
  /** 128 + SIGTERM. */
  SIGTERM: 143,
} as const;

/** Codes of errors that other input would not have prevented: the machine, Node or chunkproof itself fails. */
const INTERNAL = new Set([
  "ARITHMETIC_UNSUPPORTED",
  "BATCH_INCONSISTENT",
  // the trace was found sound before rows were made of it
  "BLOCK_TRACE",
  "BLOCK_UNBALANCED",
  // a coordinator that is away, or has more to do than it takes
  "BUSY",
  "COORDINATOR_MALFORMED",
  "COORDINATOR_UNAVAILABLE",
  // a replica's own files
  "DATABASE_DAMAGED",
  "DATABASE_UNAVAILABLE",
  "EXECUTOR_LOST",
  "FEED_TIMEOUT",
  "FEED_UNAVAILABLE",
  // asked for by name, on a machine that lacks it
  "GPUJS_UNAVAILABLE",
  "KEYS_CONTRADICT",
  "KEY_CLOSED",
  // a machine whose results were bad
  "NETWORK_BANNED",
  "NO_RANDOMNESS",
  "OUT_OF_MEMORY",
  "QUEUE_UNAVAILABLE",
  "RANDOMNESS_UNAVAILABLE",
  "STORE_FULL",
  "STORE_UNAVAILABLE",
  "TRACE_EVM",
  "VERIFIER_LOST",
  "VERIFIER_TIMEOUT",
  "WASM_UNSUPPORTED",
  "WEBGPU_UNAVAILABLE",
  // a machine whose results are bad by its own check
  "WORKER_BROKEN",
  "WORKER_FAILED",
]);

/** Options that every command has. */
export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Something that is followed by {@link Output.view}. */
export interface View<P> {
  /** Takes a step in; returns a line for logs, if it is worth one. */
  progress(progress: P): string | undefined;
  draw(canvas: Canvas): readonly string[];
}

/** Says what a command found: one line for people on stderr, or one JSON object on stdout. */
export class Output {
  readonly #command: string;
  readonly #options: OutputOptions;
  readonly #started = performance.now();
  #bar: SingleBar | undefined;
  #stage: string | undefined;
  #screen: Screen | undefined;

  constructor(command: string, options: OutputOptions) {
    this.#command = command;
    this.#options = options;
  }

  /** A picture on a terminal that moves, lines in a log, nothing with `--json` or `--quiet`. */
  view<P>(view: View<P>): (progress: P) => void {
    const { json, quiet } = this.#options;
    this.#endBar();
    if (json || quiet) return () => {};
    const { TERM, NO_COLOR } = process.env;
    if (!process.stderr.isTTY || TERM === "dumb") {
      return (progress) => {
        const line = view.progress(progress);
        if (line !== undefined) process.stderr.write(`${line}\n`);
      };
    }
    const screen = new Screen(process.stderr, NO_COLOR === undefined || NO_COLOR === "", (canvas) => view.draw(canvas));
    this.#screen = screen;
    // however the process ends, the terminal gets its cursor back
    process.once("exit", () => screen.stop());
    return (progress) => {
      view.progress(progress);
      screen.changed();
    };
  }

  /** A bar on a terminal, nothing elsewhere. */
  async progress(): Promise<OnProgress | undefined> {
    const { json, quiet } = this.#options;
    if (json || quiet || !process.stderr.isTTY) return undefined;
    const { Presets, SingleBar } = await import("cli-progress");
    // however the process ends, the terminal gets its cursor back
    process.once("exit", () => this.#endBar());
    return ({ stage, done, total }) => {
      if (stage !== this.#stage) {
        this.#endBar();
        this.#stage = stage;
        this.#bar = new SingleBar(
          {
            format: `${stage.padEnd(8)} {bar} {percentage}%`,
            hideCursor: true,
            stream: process.stderr,
            clearOnComplete: true,
          },
          Presets.shades_classic,
        );
        this.#bar.start(total, done);
      } else {
        this.#bar?.update(done);
      }
    };
  }

  #endBar(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#screen?.stop();
    this.#screen = undefined;
  }

  /** A warning for people; with `--json` it goes into the result. */
  warn(message: string): void {
    this.#endBar();
    if (!this.#options.json) process.stderr.write(`warning: ${message}\n`);
  }

  /** A line for people while the work goes on. */
  note(message: string): void {
    const { json, quiet } = this.#options;
    this.#endBar();
    if (!json && !quiet) process.stderr.write(`${message}\n`);
  }

  /** The result of a command that did what it should. */
  result(message: string, details: Readonly<Record<string, unknown>> = {}, ok = true): void {
    this.#endBar();
    if (this.#options.json) {
      const ms = Math.round(performance.now() - this.#started);
      process.stdout.write(`${JSON.stringify({ command: this.#command, ok, ...details, ms })}\n`);
    } else if (!this.#options.quiet) {
      process.stderr.write(`${message}\n`);
    }
  }

  /** Reports an error and says with which code to exit. */
  error(error: unknown): number {
    this.#endBar();
    const known = error instanceof ChunkproofError;
    const interrupted = error instanceof Interrupted;
    const message = error instanceof Error ? error.message : String(error);
    if (this.#options.json) {
      const { code, where, expected, got } = known ? error : { code: interrupted ? "INTERRUPTED" : "INTERNAL" };
      const details = { code, message, where, expected, got };
      process.stdout.write(`${JSON.stringify({ command: this.#command, ok: false, error: details })}\n`);
    } else {
      process.stderr.write(known ? `error: ${message} [${error.code}]\n` : `error: ${message}\n`);
      if (!known && !interrupted && error instanceof Error && error.stack) process.stderr.write(`${error.stack}\n`);
    }
    if (interrupted) return EXIT[error.signal];
    return known && !INTERNAL.has(error.code) ? EXIT.usage : EXIT.internal;
  }
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** The reason of the signal that Ctrl-C aborts. */
export class Interrupted extends Error {
  constructor(readonly signal: (typeof SIGNALS)[number]) {
    super("interrupted");
  }
}

/** A signal that Ctrl-C and SIGTERM abort; a second one, of either kind, ends the process at once. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  // every chunk of a block listens, and what is loaded for it
  setMaxListeners(0, controller.signal);
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT[name]);
      controller.abort(new Interrupted(name));
    });
  }
  return controller.signal;
}
