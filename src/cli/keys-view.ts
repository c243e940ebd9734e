/**
 * What is seen of the making of keys: a line for each layout.
 *
 * @module
 */

import { type Canvas, countOf, duration, paint, spinner } from "./screen.js";

/** What happens to layouts. Circuits may be compiled side by side; keys are made one after the other. */
export type KeysProgress =
  | { readonly layout: string; readonly state: "compiling" | "compiled" | "making" }
  | { readonly state: "made" };

type State = "waiting" | "compiling" | "compiled" | "making" | "made";

interface Line {
  readonly name: string;
  state: State;
  /** When the state began, ms. */
  since: number;
  /** How long the state before took, ms. */
  took: number;
}

const MARKS = { waiting: "·", compiled: "◐", made: "●" } as const;
const STYLES = { waiting: "dim", compiling: "cyan", compiled: "cyan", making: "yellow", made: "green" } as const;

/** Follows the making of keys. */
export class KeysView {
  readonly #lines: Line[];
  readonly #now: () => number;

  /** @param names of the layouts, in their order. */
  constructor(names: readonly string[], now: () => number = () => performance.now()) {
    this.#now = now;
    this.#lines = names.map((name) => ({ name, state: "waiting", since: now(), took: 0 }));
  }

  /** @returns a line for those who have no terminal; undefined: nothing worth one. */
  progress(progress: KeysProgress): string | undefined {
    if (progress.state === "making" || progress.state === "made") {
      for (const line of this.#lines) if (line.state === "making") this.#enter(line, "made");
    }
    if (progress.state === "made") return undefined;
    const index = this.#lines.findIndex(({ name }) => name === progress.layout);
    const line = this.#lines[index];
    if (line === undefined) return undefined;
    this.#enter(line, progress.state);
    if (progress.state === "compiled") return undefined;
    const what = progress.state === "compiling" ? "compiling the circuit" : "making the keys";
    return `${what} of ${line.name} (${index + 1} of ${this.#lines.length})`;
  }

  #enter(line: Line, state: State): void {
    const now = this.#now();
    [line.state, line.took, line.since] = [state, now - line.since, now];
  }

  /** The picture: see `Screen`. */
  draw(canvas: Canvas): string[] {
    const width = Math.max(0, ...this.#lines.map(({ name }) => name.length));
    const all = this.#lines.length;
    const made = this.#lines.filter(({ state }) => state === "made").length;
    const compiled = this.#lines.filter(({ state }) => state !== "waiting" && state !== "compiling").length;
    const counts = `${countOf(all, "layout")}, ${compiled} compiled, keys of ${made} made`;
    const time = (line: Line): string => {
      const going = duration(this.#now() - line.since);
      if (line.state === "compiling") return `compiling  ${going}`;
      if (line.state === "compiled") return `compiled in ${duration(line.took)}`;
      if (line.state === "making") return `making keys  ${going}`;
      return line.state === "made" ? `keys made in ${duration(line.took)}` : "waiting";
    };
    return [
      `${paint(canvas, "bold", "keys")}  ${counts}  ${duration(canvas.elapsed)}`,
      ...this.#lines.map((line) => {
        const { state } = line;
        const mark = state === "compiling" || state === "making" ? spinner(canvas) : MARKS[state];
        return `  ${paint(canvas, STYLES[state], mark)} ${line.name.padEnd(width)}  ${paint(canvas, STYLES[state], time(line))}`;
      }),
    ];
  }
}
