/**
 * What is seen of the making of keys: a line for each layout.
 *
 * @module
 */

import type { Progress } from "../prover/progress.js";
import { type Canvas, countOf, duration, paint, spinner } from "./screen.js";

type State = "waiting" | "compiling" | "compiled" | "making" | "made";

interface Line {
  readonly name: string;
  state: State;
  /** ms, of the state that goes on. */
  since: number;
  compiled: number;
  made: number;
}

/** Follows `makeKeys`. */
export class KeysView {
  readonly #lines: Line[];
  readonly #now: () => number;
  #done = false;

  /** @param names of the layouts, in their order. */
  constructor(names: readonly string[], now: () => number = () => performance.now()) {
    this.#now = now;
    this.#lines = names.map((name) => ({ name, state: "waiting", since: 0, compiled: 0, made: 0 }));
  }

  /** @returns a line for those who have no terminal; undefined: nothing worth one. */
  progress({ stage }: Progress): string | undefined {
    for (const line of this.#lines) this.#end(line);
    const [kind, name] = stage.split(" ");
    const index = this.#lines.findIndex((line) => line.name === name);
    const line = this.#lines[index];
    if (kind === "keys") this.#done = true;
    if (line === undefined) return undefined;
    line.state = kind === "compile" ? "compiling" : "making";
    line.since = this.#now();
    const of = `(${index + 1} of ${this.#lines.length})`;
    return `${kind === "compile" ? "compiling the circuit" : "making the keys"} of ${line.name} ${of}`;
  }

  #end(line: Line): void {
    const took = this.#now() - line.since;
    if (line.state === "compiling") [line.state, line.compiled] = ["compiled", took];
    else if (line.state === "making") [line.state, line.made] = ["made", took];
  }

  /** The picture: see `Screen`. */
  draw(canvas: Canvas): string[] {
    const width = Math.max(0, ...this.#lines.map(({ name }) => name.length));
    const made = this.#lines.filter(({ state }) => state === "made").length;
    const head = `${paint(canvas, "bold", "keys")}  ${made} of ${countOf(this.#lines.length, "layout")}  ${duration(canvas.elapsed)}`;
    const mark = { waiting: "·", compiling: spinner(canvas), compiled: "◐", making: spinner(canvas), made: "●" };
    const color = { waiting: "dim", compiling: "cyan", compiled: "cyan", making: "yellow", made: "green" } as const;
    const times = (line: Line): string => {
      const going = this.#now() - line.since;
      if (line.state === "compiling") return `compiling  ${duration(going)}`;
      if (line.state === "compiled") return `compiled in ${duration(line.compiled)}`;
      if (line.state === "making") return `making keys  ${duration(going)}`;
      return line.state === "made" ? `keys made in ${duration(line.made)}` : "waiting";
    };
    return [
      this.#done ? paint(canvas, "green", head) : head,
      ...this.#lines.map((line) => {
        const style = color[line.state];
        return `  ${paint(canvas, style, mark[line.state])} ${line.name.padEnd(width)}  ${paint(canvas, style, times(line))}`;
      }),
    ];
  }
}
