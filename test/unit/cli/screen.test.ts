import { describe, expect, test } from "vitest";
import type { BlockProgress } from "../../../src/block/prove.js";
import { KeysView } from "../../../src/cli/keys-view.js";
import { ProveView } from "../../../src/cli/prove-view.js";
import { type Canvas, clip, count, countOf, duration, paint, Screen } from "../../../src/cli/screen.js";

const ESC = "\u001b";
const canvas: Canvas = { columns: 80, rows: 24, color: false, elapsed: 2000 };
const colored: Canvas = { ...canvas, color: true };

/** A terminal that understands what `Screen` writes, and nothing else. */
class FakeTerminal {
  lines: string[] = [""];
  row = 0;
  cursor = true;
  columns: number | undefined = 80;
  rows: number | undefined = 24;

  write(text: string): void {
    for (const [piece] of text.matchAll(new RegExp(`${ESC}\\[\\??[0-9;]*[a-zA-Z]|\n|[^\n${ESC}]+`, "gu"))) {
      const control = piece.startsWith(ESC) ? piece.slice(2) : undefined;
      if (piece === "\n") {
        this.row++;
        this.lines[this.row] ??= "";
      } else if (control === "?25l") this.cursor = false;
      else if (control === "?25h") this.cursor = true;
      else if (control === "2K") this.lines[this.row] = "";
      else if (control === "0J") this.lines.splice(this.row, Number.POSITIVE_INFINITY, "");
      else if (control?.endsWith("A")) this.row -= Number(control.slice(0, -1));
      else if (control?.endsWith("m")) continue;
      else if (control !== undefined) throw new Error(`unknown sequence ${control}`);
      else this.lines[this.row] += piece;
      if (this.row < 0) throw new Error("above the screen");
    }
  }
}

describe("words and numbers", () => {
  test("counts have separators and the right number", () => {
    expect([0, 7, 999, 1000, 1947, 1234567].map(count)).toEqual(["0", "7", "999", "1,000", "1,947", "1,234,567"]);
    expect(countOf(1, "chunk")).toBe("1 chunk");
    expect(countOf(0, "chunk")).toBe("0 chunks");
    expect(countOf(2000, "gas", "gas")).toBe("2,000 gas");
  });

  test("durations", () => {
    expect([0, 449, 12_345, 59_940, 59_960, 125_000].map(duration)).toEqual([
      "0.0 s",
      "0.4 s",
      "12.3 s",
      "59.9 s",
      "1:00 min",
      "2:05 min",
    ]);
  });

  test("styles take no place, are closed where a line is cut, and are left out without colours", () => {
    expect(paint(canvas, "red", "x")).toBe("x");
    const red = paint(colored, "red", "12345");
    expect(clip(red, 5)).toBe(red);
    expect(clip(`${red}67`, 3)).toBe(`${ESC}[31m123${ESC}[0m`);
    expect(clip(`${red}67`, 6)).toBe(`${red}6`);
    expect(clip("plain", 3)).toBe("pla");
    expect(clip("", 3)).toBe("");
  });
});

describe("a picture on a terminal", () => {
  test("is drawn in its own place, and leaves nothing behind when it becomes smaller", () => {
    const terminal = new FakeTerminal();
    terminal.write("before\n");
    let lines = ["one", "two", "three"];
    const screen = new Screen(terminal, true, () => lines);
    expect({ lines: terminal.lines, cursor: terminal.cursor }).toEqual({
      lines: ["before", "one", "two", "three", ""],
      cursor: false,
    });
    lines = ["uno", "dos"];
    screen.stop();
    expect({ lines: terminal.lines, cursor: terminal.cursor }).toEqual({
      lines: ["before", "uno", "dos", ""],
      cursor: true,
    });
    lines = ["late"];
    screen.changed();
    screen.stop();
    terminal.write("after\n");
    expect(terminal.lines).toEqual(["before", "uno", "dos", "after", ""]);
  });

  test("never has more lines or columns than the terminal", () => {
    const terminal = new FakeTerminal();
    [terminal.columns, terminal.rows] = [10, 4];
    const screen = new Screen(terminal, false, ({ rows, columns }) => {
      expect({ rows, columns }).toEqual({ rows: 3, columns: 10 });
      return Array.from({ length: 20 }, (_, i) => `${i} and more than ten`);
    });
    screen.stop();
    expect(terminal.lines).toEqual(["0 and mor", "1 and mor", "2 and mor", ""]);
  });
});

test("a terminal that does not know its size is 80 by 24", () => {
  for (const unknown of [0, undefined]) {
    const terminal = new FakeTerminal();
    [terminal.columns, terminal.rows] = [unknown, unknown];
    new Screen(terminal, false, ({ columns, rows }) => [`${columns} ${rows}`]).stop();
    expect(terminal.lines).toEqual(["80 23", ""]);
  }
});

/** Steps of a block with two chunks. */
const steps: BlockProgress[] = [
  { stage: "trace" },
  { stage: "rows" },
  { stage: "planned", steps: 1947, rows: 2015, chunks: ["mixed-14", "flow-16"] },
  { stage: "commit", chunk: 1, done: 1 },
  { stage: "commit", chunk: 0, done: 1 },
  { stage: "prove", chunk: 1, done: 0 },
  { stage: "prove", chunk: 1, done: 0.5 },
  { stage: "prove", chunk: 0, done: 0 },
  { stage: "prove", chunk: 1, done: 1 },
  { stage: "prove", chunk: 0, done: 1 },
];

describe("a block that is proved", () => {
  test("in a log: how large it is, and a line whenever a chunk is committed to or proved", () => {
    const view = new ProveView("block 3");
    expect(steps.map((step) => view.progress(step)).filter((line) => line !== undefined)).toEqual([
      "block 3: 1,947 steps, 2,015 rows, 2 chunks",
      "chunk 2 of 2 (flow-16) committed",
      "chunk 1 of 2 (mixed-14) committed",
      "chunk 2 of 2 (flow-16) proved",
      "chunk 1 of 2 (mixed-14) proved",
    ]);
  });

  test("on a terminal: a line for each chunk, whose bar is shaded and then filled", () => {
    const view = new ProveView("block 3");
    const pictures = steps.map((step) => {
      view.progress(step);
      return view.draw(canvas);
    });
    expect(pictures[0]).toEqual([expect.stringMatching(/^block 3 {2}. checking the trace {2}2\.0 s$/)]);
    expect(pictures[1]).toEqual([expect.stringMatching(/^block 3 {2}. laying out rows {2}2\.0 s$/)]);
    const bar = (full: number, shaded: number) =>
      `${"█".repeat(full)}${"▒".repeat(shaded)}${"·".repeat(28 - full - shaded)}`;
    const picture = (first: string, second: string, counts: string) => [
      "block 3  1,947 steps, 2,015 rows, 2 chunks",
      `  1 mixed-14  ${first}`,
      `  2 flow-16   ${second}`,
      `  ${counts}   2.0 s`,
    ];
    const waiting = `${bar(0, 0)}  waiting`;
    const committed = `${bar(0, 28)}  committed`;
    expect(pictures[2]).toEqual(picture(waiting, waiting, "committed 0/2   proved 0/2"));
    expect(pictures[3]).toEqual(picture(waiting, committed, "committed 1/2   proved 0/2"));
    expect(pictures[5]).toEqual(picture(committed, `${bar(0, 28)}  proving 0%`, "committed 2/2   proved 0/2"));
    expect(pictures[6]).toEqual(picture(committed, `${bar(14, 14)}  proving 50%`, "committed 2/2   proved 0/2"));
    const proved = `${bar(28, 0)}  proved`;
    expect(pictures.at(-1)).toEqual(picture(proved, proved, "committed 2/2   proved 2/2"));
  });

  test("a block without chunks has a picture too", () => {
    const view = new ProveView("block 1");
    expect(view.progress({ stage: "planned", steps: 0, rows: 0, chunks: [] })).toBe(
      "block 1: 0 steps, 0 rows, 0 chunks",
    );
    expect(view.draw(canvas)).toEqual(["block 1  0 steps, 0 rows, 0 chunks", "  committed 0/0   proved 0/0   2.0 s"]);
  });

  test("more chunks than lines: a map of them, with the lines of those at work, and never higher than the terminal", () => {
    for (const chunks of [22, 23, 100, 5000]) {
      const view = new ProveView("block 1");
      const names = Array.from({ length: chunks }, () => "mixed-14");
      view.progress({ stage: "planned", steps: 1, rows: 1, chunks: names });
      view.progress({ stage: "commit", chunk: 0, done: 1 });
      view.progress({ stage: "commit", chunk: 1, done: 0 });
      view.progress({ stage: "prove", chunk: 2, done: 0.25 });
      view.progress({ stage: "prove", chunk: 3, done: 1 });
      const picture = view.draw(canvas);
      expect(picture.length).toBeLessThanOrEqual(24);
      if (chunks > 22) {
        expect(picture[1]).toMatch(/^ +2 mixed-14 .* committing$/);
        expect(picture[2]).toMatch(/^ +3 mixed-14 .* proving 25%$/);
        expect(picture[3]).toBe(`  ▒░▓█${"·".repeat(Math.min(72, chunks - 4))}`);
      } else {
        expect(picture.length).toBe(24);
      }
    }
  });

  test("colours change nothing but colours", () => {
    const view = new ProveView("block 3");
    for (const step of steps.slice(0, 7)) view.progress(step);
    const styles = new RegExp(`${ESC}\\[[0-9;]*m`, "g");
    expect(view.draw(colored).join("\n")).toMatch(styles);
    expect(view.draw(colored).map((line) => line.replace(styles, ""))).toEqual(view.draw(canvas));
  });
});

describe("keys that are made", () => {
  test("in a log and on a terminal, compilers side by side", () => {
    let now = 0;
    const view = new KeysView(["mixed-12", "flow-16"], () => now);
    const lines = () => view.draw(canvas);
    expect(lines()).toEqual([
      "keys  2 layouts, 0 compiled, keys of 0 made  2.0 s",
      "  · mixed-12  waiting",
      "  · flow-16   waiting",
    ]);
    expect(view.progress({ layout: "flow-16", state: "compiling" })).toBe("compiling the circuit of flow-16 (2 of 2)");
    expect(view.progress({ layout: "mixed-12", state: "compiling" })).toBe(
      "compiling the circuit of mixed-12 (1 of 2)",
    );
    now = 1500;
    expect(view.progress({ layout: "mixed-12", state: "compiled" })).toBeUndefined();
    now = 2500;
    expect(lines()).toEqual([
      "keys  2 layouts, 1 compiled, keys of 0 made  2.0 s",
      "  ◐ mixed-12  compiled in 1.5 s",
      expect.stringMatching(/^ {2}. flow-16 {3}compiling {2}2\.5 s$/),
    ]);
    view.progress({ layout: "flow-16", state: "compiled" });
    expect(view.progress({ layout: "mixed-12", state: "making" })).toBe("making the keys of mixed-12 (1 of 2)");
    now = 3000;
    expect(view.progress({ layout: "flow-16", state: "making" })).toBe("making the keys of flow-16 (2 of 2)");
    now = 3200;
    expect(lines()).toEqual([
      "keys  2 layouts, 2 compiled, keys of 1 made  2.0 s",
      "  ● mixed-12  keys made in 0.5 s",
      expect.stringMatching(/^ {2}. flow-16 {3}making keys {2}0\.2 s$/),
    ]);
    expect(view.progress({ state: "made" })).toBeUndefined();
    expect(lines().slice(1)).toEqual(["  ● mixed-12  keys made in 0.5 s", "  ● flow-16   keys made in 0.2 s"]);
    // a layout that nobody announced changes nothing
    expect(view.progress({ layout: "other", state: "making" })).toBeUndefined();
    expect(lines()[0]).toBe("keys  2 layouts, 2 compiled, keys of 2 made  2.0 s");
  });
});
