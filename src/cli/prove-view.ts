/**
 * What is seen of a block that is being proved: a line for each chunk, whose bar is first shaded, when its columns are
 * committed to, and then filled by its proof. A block with more chunks than the terminal has lines becomes a map of them.
 *
 * @module
 */

import type { BlockProgress } from "../block/prove.js";
import { type Canvas, count, countOf, duration, paint, spinner } from "./screen.js";

/** From 0 to 1 each. */
interface ChunkLine {
  readonly layout: string;
  commit: number;
  prove: number;
  /** Has begun. */
  committing: boolean;
  proving: boolean;
}

type State = "waiting" | "committing" | "committed" | "proving" | "proved";

const STYLE = { waiting: "dim", committing: "cyan", committed: "cyan", proving: "yellow", proved: "green" } as const;
/** One character for a chunk of the map. */
const MARK = { waiting: "·", committing: "░", committed: "▒", proving: "▓", proved: "█" } as const;
const BAR = 28;

function stateOf({ commit, prove, committing, proving }: ChunkLine): State {
  if (prove >= 1) return "proved";
  if (proving) return "proving";
  return commit >= 1 ? "committed" : committing ? "committing" : "waiting";
}

/** Follows `BlockProver.prove`. */
export class ProveView {
  readonly #name: string;
  #stage: "trace" | "rows" | "chunks" = "trace";
  #steps = 0;
  #rows = 0;
  #chunks: ChunkLine[] = [];

  /** @param name of what is proved. */
  constructor(name: string) {
    this.#name = name;
  }

  /** @returns a line for those who have no terminal; undefined: nothing worth one. */
  progress(progress: BlockProgress): string | undefined {
    switch (progress.stage) {
      case "trace":
      case "rows":
        this.#stage = progress.stage;
        return undefined;
      case "planned": {
        this.#stage = "chunks";
        this.#steps = progress.steps;
        this.#rows = progress.rows;
        this.#chunks = progress.chunks.map((layout) => ({
          layout,
          commit: 0,
          prove: 0,
          committing: false,
          proving: false,
        }));
        return `${this.#name}: ${this.#totals()}`;
      }
      default: {
        const chunk = this.#chunks[progress.chunk];
        if (chunk === undefined) return undefined;
        const before = stateOf(chunk);
        chunk[progress.stage] = progress.done;
        if (progress.stage === "prove") chunk.proving = true;
        else chunk.committing = true;
        const state = stateOf(chunk);
        if (state === before || (state !== "committed" && state !== "proved")) return undefined;
        return `chunk ${progress.chunk + 1} of ${this.#chunks.length} (${chunk.layout}) ${state}`;
      }
    }
  }

  #totals(): string {
    return `${countOf(this.#steps, "step")}, ${countOf(this.#rows, "row")}, ${countOf(this.#chunks.length, "chunk")}`;
  }

  /** The picture: see `Screen`. */
  draw(canvas: Canvas): string[] {
    const time = duration(canvas.elapsed);
    const name = paint(canvas, "bold", this.#name);
    if (this.#stage !== "chunks") {
      const what = this.#stage === "trace" ? "checking the trace" : "laying out rows";
      return [`${name}  ${paint(canvas, "cyan", `${spinner(canvas)} ${what}`)}  ${time}`];
    }
    const head = `${name}  ${this.#totals()}`;
    const foot = this.#foot(canvas, time);
    const whole = this.#chunks.length + 2 <= canvas.rows;
    return [head, ...(whole ? this.#all(canvas) : this.#map(canvas)), foot];
  }

  #foot(canvas: Canvas, time: string): string {
    const states = this.#chunks.map(stateOf);
    const proved = states.filter((state) => state === "proved").length;
    const committed = this.#chunks.filter(({ commit }) => commit >= 1).length;
    const all = this.#chunks.length;
    const text = `committed ${count(committed)}/${count(all)}   proved ${count(proved)}/${count(all)}   ${time}`;
    return `  ${paint(canvas, proved === all ? "green" : "dim", text)}`;
  }

  #line(canvas: Canvas, index: number, width: number): string {
    const chunk = this.#chunks[index]!;
    const state = stateOf(chunk);
    const style = STYLE[state];
    const filled = Math.floor(BAR * chunk.prove);
    const shaded = Math.max(0, Math.floor(BAR * chunk.commit) - filled);
    const bar =
      paint(canvas, style, "█".repeat(filled)) +
      paint(canvas, "cyan", "▒".repeat(shaded)) +
      paint(canvas, "dim", "·".repeat(BAR - filled - shaded));
    const number = String(index + 1).padStart(String(this.#chunks.length).length);
    const percent = state === "proving" ? ` ${Math.floor(100 * chunk.prove)}%` : "";
    return `  ${paint(canvas, "dim", number)} ${chunk.layout.padEnd(width)}  ${bar}  ${paint(canvas, style, state)}${percent}`;
  }

  #nameWidth(): number {
    return Math.max(0, ...this.#chunks.map(({ layout }) => layout.length));
  }

  #all(canvas: Canvas): string[] {
    const width = this.#nameWidth();
    return this.#chunks.map((_, i) => this.#line(canvas, i, width));
  }

  /** One character a chunk, and lines for those that are being worked on. */
  #map(canvas: Canvas): string[] {
    const across = Math.max(8, canvas.columns - 4);
    const lines: string[] = [];
    for (let from = 0; from < this.#chunks.length; from += across) {
      const marks = this.#chunks.slice(from, from + across).map((chunk) => {
        const state = stateOf(chunk);
        return paint(canvas, STYLE[state], MARK[state]);
      });
      lines.push(`  ${marks.join("")}`);
    }
    const active = this.#chunks.flatMap((chunk, i) => {
      const state = stateOf(chunk);
      return state === "proving" || state === "committing" ? [i] : [];
    });
    const width = this.#nameWidth();
    const room = Math.max(0, canvas.rows - 2);
    const shown = active.slice(0, Math.ceil(room / 2)).map((i) => this.#line(canvas, i, width));
    // of thousands of chunks the end of the map is left out
    return [...shown, ...lines.slice(0, room - shown.length)];
  }
}
