/**
 * What is seen of a block that a network proves: how far it is, and who did what.
 *
 * @module
 */

import type { BlockStatus, Followed } from "../network/client.js";
import { type Canvas, count, countOf, duration, paint, spinner } from "./screen.js";

const BAR = 28;
/** What a job that is done made of a chunk. */
const DONE: Readonly<Record<string, string>> = { commit: "committed", prove: "proved" };

/** What one worker did while we watched. */
interface Tally {
  commits: number;
  proofs: number;
  last: string;
}

type Stage = Pick<BlockStatus, "state" | "chunks" | "committed" | "proved">;

/** Follows a block. */
export class SubmitView {
  readonly #name: string;
  readonly #workers = new Map<string, Tally>();
  #status: BlockStatus | undefined;
  #stage: Stage = { state: "queued", chunks: 0, committed: 0, proved: 0 };
  #lost = false;

  /** @param name of what is proved. */
  constructor(name: string) {
    this.#name = name;
  }

  /** @returns a line for those who have no terminal; undefined: nothing worth one. */
  progress(event: Followed): string | undefined {
    const wasLost = this.#lost;
    this.#lost = event.type === "lost";
    if (event.type === "lost") {
      return wasLost ? undefined : `${this.#name}: the coordinator does not answer; trying again`;
    }
    if (event.type === "progress") {
      const { chunk, done, worker } = event.progress;
      const line = this.#enter(event.progress);
      const what = chunk === undefined || done === undefined ? undefined : DONE[done];
      if (what === undefined) return line;
      if (worker !== undefined) this.#credit(worker, done!, `chunk ${chunk! + 1} ${what}`);
      return `chunk ${chunk! + 1} of ${this.#stage.chunks} ${what}${worker === undefined ? "" : ` by ${worker}`}`;
    }
    this.#status = event.status;
    const line = this.#enter(event.status);
    return line ?? (wasLost ? `${this.#name}: the coordinator answers again` : undefined);
  }

  #enter(stage: Stage): string | undefined {
    const before = this.#stage;
    this.#stage = stage;
    if (stage.state === before.state) return undefined;
    const chunks = stage.chunks > 0 && before.chunks === 0 ? `, ${countOf(stage.chunks, "chunk")}` : "";
    return `${this.#name}: ${stage.state}${chunks}`;
  }

  #credit(worker: string, kind: string, last: string): void {
    const tally = this.#workers.get(worker) ?? { commits: 0, proofs: 0, last };
    if (kind === "commit") tally.commits++;
    else tally.proofs++;
    tally.last = last;
    this.#workers.set(worker, tally);
  }

  /** The picture: see `Screen`. */
  draw(canvas: Canvas): string[] {
    const { state, chunks, committed, proved } = this.#stage;
    const time = duration(canvas.elapsed);
    const name = paint(canvas, "bold", this.#name);
    const ended = state === "proved" || state === "failed" || state === "cancelled";
    const style = this.#lost || state === "failed" ? "red" : state === "proved" ? "green" : "cyan";
    const now = this.#lost ? "the coordinator does not answer; trying again" : state;
    const { steps, rows } = this.#status ?? {};
    const size =
      steps && rows ? `  ${countOf(steps, "step")}, ${countOf(rows, "row")}, ${countOf(chunks, "chunk")}` : "";
    const head = `${name}  ${paint(canvas, style, ended ? now : `${spinner(canvas)} ${now}`)}${size}  ${time}`;
    if (chunks === 0) return [head];
    return [head, this.#bar(canvas), ...this.#tallies(canvas), this.#foot(canvas, chunks, committed, proved)];
  }

  #bar(canvas: Canvas): string {
    const { chunks, committed, proved } = this.#stage;
    const filled = Math.floor((BAR * proved) / chunks);
    const shaded = Math.max(0, Math.floor((BAR * committed) / chunks) - filled);
    return (
      `  ${paint(canvas, "green", "█".repeat(filled))}${paint(canvas, "cyan", "▒".repeat(shaded))}` +
      paint(canvas, "dim", "·".repeat(BAR - filled - shaded))
    );
  }

  #tallies(canvas: Canvas): string[] {
    const workers = [...this.#workers].sort(([a], [b]) => (a < b ? -1 : 1));
    const width = Math.max(0, ...workers.map(([name]) => name.length));
    const room = Math.max(0, canvas.rows - 4);
    const lines = workers.map(([name, { commits, proofs, last }]) => {
      const done = `committed ${count(commits)}, proved ${count(proofs)}`;
      return `  ${name.padEnd(width)}  ${done}  ${paint(canvas, "dim", last)}`;
    });
    if (lines.length <= room) return lines;
    const shown = lines.slice(0, Math.max(0, room - 1));
    return [...shown, `  ${paint(canvas, "dim", `… and ${countOf(lines.length - shown.length, "worker")} more`)}`];
  }

  #foot(canvas: Canvas, chunks: number, committed: number, proved: number): string {
    const text = `committed ${count(committed)}/${count(chunks)}   proved ${count(proved)}/${count(chunks)}`;
    return `  ${paint(canvas, proved === chunks ? "green" : "dim", text)}`;
  }
}

/** How a block ended, or how far it is, for people. */
export function describeStatus(status: BlockStatus): string {
  const { id, number, state, steps, chunks, failure, workers = [], work } = status;
  const name = `block ${number}`;
  if (state === "failed" || state === "cancelled") {
    const why = failure ? `: ${failure.message} [${failure.code}]` : "";
    const parts = failure?.chunks?.slice(0, 20).map((one) => `  chunk ${one.chunk + 1}: ${one.message} [${one.code}]`);
    return [`${state.toUpperCase()}: ${name} (${id})${why}`, ...(parts ?? [])].join("\n");
  }
  if (state !== "proved") return `${name} is ${state}: ${id}`;
  const by = workers.length === 0 ? "" : ` by ${countOf(workers.length, "worker")}`;
  const again = work === undefined ? 0 : work.repeated + work.refused;
  const repeated = again === 0 ? "" : `, ${countOf(again, "job")} done again`;
  const size = steps ? `: ${countOf(steps, "step")}, ${countOf(chunks, "chunk")}` : "";
  return `PROVED: ${name} (${id})${size}${by}${repeated}`;
}
