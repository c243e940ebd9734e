/**
 * The machine that assigns rows: its registers, the live cells of the bus, and the rows made so far. It holds values and
 * times only; what a step does to them is told by the row modules.
 *
 * @module
 */

import type { MessageFields, TagName } from "../verifier/tags.generated.js";
import { RowError } from "./errors.js";
import type { Columns, Next, Registers, RowTemplate } from "./row.js";
import { type Halves, halvesOf } from "./words.js";

/** A tag whose messages are live cells. */
export type CellTag = { [N in TagName]: MessageFields[N] extends { t: bigint } ? N : never }[TagName];

/** Fields of a cell but its time. */
export type CellFields<N extends CellTag> = Omit<MessageFields[N], "t">;

/** When a cell was written, and the column that proves it was before now. */
export interface Taken {
  readonly tOld: bigint;
  /** `(now − tOld − 1) >> 16`. */
  readonly high: bigint;
}

/** A stack item that was taken. */
export interface TakenWord extends Taken, Halves {
  readonly value: bigint;
}

interface Live {
  readonly fields: Record<string, bigint>;
  readonly t: bigint;
}

/** Rows by the name of their template. */
export type Rows = Map<string, { readonly template: RowTemplate; readonly columns: bigint[][] }>;

/** Bytes that the verifier hashes for a row. */
export interface KeccakClaim {
  readonly clk: bigint;
  readonly data: Uint8Array;
}

/**
 * A cell as it is before the block, by tag and key; `undefined` where a cell can only be made by rows. Asked once for each,
 * when it is first touched.
 */
export type Origin = (tag: CellTag, key: string) => Record<string, bigint> | undefined;

/** See the module. */
export class Machine {
  readonly rows: Rows = new Map();
  /** Claims of KECCAK256, in the order of their rows. */
  readonly keccaks: KeccakClaim[] = [];
  readonly #cells = new Map<CellTag, Map<string, Live>>();
  readonly #origin: Origin | undefined;
  readonly #touched = new Set<string>();
  #registers: Registers;

  /** @param origin where cells that are touched for the first time come from, with t = 0; default: nowhere. */
  constructor(registers: Registers, origin?: Origin) {
    this.#registers = registers;
    this.#origin = origin;
  }

  /** The machine's state before the step being assigned. */
  get registers(): Registers {
    return this.#registers;
  }

  /** Starts a frame. */
  enter(registers: Registers): void {
    this.#registers = registers;
  }

  /** After a step: clk + 1, pc + 1 unless told otherwise. */
  advance(next: Next): void {
    const at = this.#registers;
    this.#registers = { ...at, pc: at.pc + 1n, ...next, clk: at.clk + 1n };
  }

  /** Adds a row. */
  emit<C extends string>(template: RowTemplate<C>, columns: Columns<C>): void {
    let rows = this.rows.get(template.name);
    if (rows === undefined) {
      rows = { template, columns: [] };
      this.rows.set(template.name, rows);
    }
    rows.columns.push(template.columns.map((name) => columns[name]));
  }

  #space(tag: CellTag): Map<string, Live> {
    let space = this.#cells.get(tag);
    if (space === undefined) {
      space = new Map();
      this.#cells.set(tag, space);
    }
    return space;
  }

  #live(tag: CellTag, key: string): Live | undefined {
    const space = this.#space(tag);
    const live = space.get(key);
    if (live !== undefined || this.#origin === undefined) return live;
    const name = `${tag} ${key}`;
    if (this.#touched.has(name)) return undefined;
    const fields = this.#origin(tag, key);
    if (fields === undefined) return undefined;
    this.#touched.add(name);
    const cell = { fields, t: 0n };
    space.set(key, cell);
    return cell;
  }

  /** Whether there is a live cell. */
  has(tag: CellTag, key: string): boolean {
    return this.#live(tag, key) !== undefined;
  }

  /** Looks at a live cell without taking it. @throws RowError `CELL_MISSING` */
  peek<N extends CellTag>(tag: N, key: string): MessageFields[N] {
    const live = this.#live(tag, key);
    if (live === undefined)
      throw new RowError("no such cell is live", { code: "CELL_MISSING", where: `${tag} ${key}` });
    return { ...live.fields, t: live.t } as unknown as MessageFields[N];
  }

  /**
   * Takes a live cell.
   *
   * @param key whatever names the cell within its tag.
   * @throws RowError `CELL_MISSING`, `CELL_TIME` (written at `now` or later)
   */
  take<N extends CellTag>(tag: N, key: string, now: bigint): CellFields<N> & Taken {
    const { t, ...fields } = this.peek(tag, key) as MessageFields[N] & { t: bigint };
    if (t >= now) throw new RowError("a cell from the future", { code: "CELL_TIME", where: `${tag} ${key}` });
    this.#space(tag).delete(key);
    return { ...fields, tOld: t, high: (now - t - 1n) >> 16n } as unknown as CellFields<N> & Taken;
  }

  /** Makes a cell live. @throws RowError `CELL_TWICE` when there is one already */
  give<N extends CellTag>(tag: N, key: string, fields: CellFields<N>, now: bigint): void {
    const space = this.#space(tag);
    if (space.has(key)) throw new RowError("the cell is live already", { code: "CELL_TWICE", where: `${tag} ${key}` });
    space.set(key, { fields: fields as unknown as Record<string, bigint>, t: now });
  }

  /** All live cells of a tag, in the order they were given. */
  live<N extends CellTag>(tag: N): { readonly key: string; readonly cell: MessageFields[N] }[] {
    return [...this.#space(tag)].map(([key, { fields, t }]) => ({
      key,
      cell: { ...fields, t } as unknown as MessageFields[N],
    }));
  }

  /** The word `depth` items below the top plus one: 1 is the top. Taken at port 1. */
  takeStack(depth: number): TakenWord {
    const { clk, ctx, sp } = this.#registers;
    const { hi, lo, tOld, high } = this.take("STACK", `${ctx}:${sp - BigInt(depth)}`, 16n * clk + 1n);
    return { hi, lo, tOld, high, value: (hi << 128n) + lo };
  }

  /** Puts a word at a stack index, at port 2 unless told otherwise. */
  giveStack(index: bigint, value: bigint, port = 2n): Halves {
    const { clk, ctx } = this.#registers;
    const { hi, lo } = halvesOf(value);
    this.give("STACK", `${ctx}:${index}`, { ctx, index, hi, lo }, 16n * clk + port);
    return { hi, lo };
  }

  /** The word of a memory, the running frame's unless told otherwise. Taken at port 1. */
  takeMemory(index: bigint, ctx = this.#registers.ctx): TakenWord {
    const { hi, lo, tOld, high } = this.take("MEMORY", `${ctx}:${index}`, 16n * this.#registers.clk + 1n);
    return { hi, lo, tOld, high, value: (hi << 128n) + lo };
  }

  /** Puts a word into a memory, the running frame's unless told otherwise, at port 1 unless told otherwise. */
  giveMemory(index: bigint, value: bigint, { ctx = this.#registers.ctx, port = 1n } = {}): Halves {
    const { hi, lo } = halvesOf(value);
    this.give("MEMORY", `${ctx}:${index}`, { ctx, index, hi, lo }, 16n * this.#registers.clk + port);
    return { hi, lo };
  }
}

/** Messages of a row by columns in the template's order. */
export function messagesOf(template: RowTemplate, columns: readonly bigint[]): ReturnType<typeof template.messages> {
  const { columns: names } = template;
  const cells: Record<string, bigint> = {};
  for (let i = 0; i < names.length; i++) cells[names[i]!] = columns[i]!;
  return template.messages(cells);
}
