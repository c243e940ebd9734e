/**
 * A picture of lines on a terminal that is drawn again in its own place, and what such lines are made of.
 *
 * @module
 */

const ESC = "\u001b";
const HIDE_CURSOR = `${ESC}[?25l`;
const SHOW_CURSOR = `${ESC}[?25h`;
const CLEAR_LINE = `${ESC}[2K`;
const CLEAR_BELOW = `${ESC}[0J`;
/** Frames come this many ms apart at the most, and with every change at the soonest. */
const INTERVAL = 90;

/** What a picture may use. */
export interface Canvas {
  readonly columns: number;
  readonly rows: number;
  readonly color: boolean;
  /** ms since the picture appeared. */
  readonly elapsed: number;
}

/** A terminal, as far as it is needed here. */
export interface Terminal {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** Text in a style, where there are colours. */
export function paint(canvas: Canvas, style: keyof typeof STYLES, text: string): string {
  return canvas.color && text !== "" ? `${ESC}[${STYLES[style]}m${text}${ESC}[0m` : text;
}

const PIECES = new RegExp(`${ESC}\\[[0-9;]*m|.`, "gu");

/** The first `width` characters; styles take no place, and end where the text is cut. */
export function clip(line: string, width: number): string {
  let [room, out, styled] = [width, "", false];
  for (const [piece] of line.matchAll(PIECES)) {
    if (piece.startsWith(ESC)) {
      styled = piece !== `${ESC}[0m`;
      out += piece;
    } else if (room-- > 0) out += piece;
    else return styled ? `${out}${ESC}[0m` : out;
  }
  return out;
}

/** A wheel that turns as time goes by. */
export function spinner({ elapsed }: Canvas): string {
  return [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"][Math.floor(elapsed / INTERVAL) % 10]!;
}

/** A time as people say it: `0.4 s`, `12.3 s`, `2:05 min`. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

/** `1,947` */
export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 chunk`, `1,947 steps` */
export function countOf(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Draws a picture, again and again, until it is stopped; the last one stays. */
export class Screen {
  readonly #terminal: Terminal;
  readonly #draw: (canvas: Canvas) => readonly string[];
  readonly #color: boolean;
  readonly #started = performance.now();
  readonly #timer: NodeJS.Timeout;
  #lines = 0;
  #drawn = Number.NEGATIVE_INFINITY;
  #stopped = false;

  /** @param draw the lines of the picture; those that the terminal has no room for are left out. */
  constructor(terminal: Terminal, color: boolean, draw: (canvas: Canvas) => readonly string[]) {
    this.#terminal = terminal;
    this.#color = color;
    this.#draw = draw;
    this.#timer = setInterval(() => this.#frame(), INTERVAL);
    this.#timer.unref();
    terminal.write(HIDE_CURSOR);
    this.#frame();
  }

  /** The picture has changed: draws it, unless that was done just now. */
  changed(): void {
    if (performance.now() - this.#drawn >= INTERVAL) this.#frame();
  }

  #frame(): void {
    if (this.#stopped) return;
    // a terminal that does not know its size says 0
    const columns = this.#terminal.columns || 80;
    const rows = this.#terminal.rows || 24;
    const elapsed = performance.now() - this.#started;
    // a picture as high as the terminal would scroll, and leave its first line behind
    const lines = this.#draw({ columns, rows: Math.max(2, rows - 1), color: this.#color, elapsed })
      .slice(0, Math.max(2, rows - 1))
      .map((line) => `${CLEAR_LINE}${clip(line, Math.max(1, columns - 1))}\n`);
    const up = this.#lines > 0 ? `${ESC}[${this.#lines}A` : "";
    this.#terminal.write(`${up}${lines.join("")}${lines.length < this.#lines ? CLEAR_BELOW : ""}`);
    this.#lines = lines.length;
    this.#drawn = performance.now();
  }

  /** Draws the last picture and gives the cursor back. */
  stop(): void {
    if (this.#stopped) return;
    this.#frame();
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#terminal.write(SHOW_CURSOR);
  }
}
