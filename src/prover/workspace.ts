/**
 * Buffers of one piece of work in an engine's memory, and multi-scalar multiplications among them.
 *
 * @module
 */

import { FIELD_SIZE, type G1Affine } from "../formats/bn254.js";
import { type OnProgress, Stage } from "./progress.js";
import type { Engine, Task } from "./wasm/engine.js";
import { type Constants, PointSpace } from "./wasm/field.js";
import {
  type Bases,
  type Digits,
  digitsSize,
  digitTasks,
  msmTasks,
  sumWindows,
  windowBits,
  windowCount,
  windowParts,
} from "./wasm/msm.js";

/** A multi-scalar multiplication: tasks to run, then {@link Workspace.total}. */
export interface Sum {
  readonly tasks: readonly Task[];
  readonly bases: Bases;
  readonly digits: Digits;
  readonly parts: number;
  /** See `msmTasks`. */
  readonly results: number;
}

/** How {@link Workspace.sumAll} is run. */
export interface SumOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Name of the stage. */
  readonly stage: string;
}

/** Hands out memory that {@link Workspace.free} gives back at once. */
export class Workspace {
  readonly #engine: Engine;
  readonly #constants: Constants;
  readonly #blocks: number[] = [];

  constructor(engine: Engine, constants: Constants) {
    this.#engine = engine;
    this.#constants = constants;
  }

  /** Address of `size` bytes. @throws ProverError `OUT_OF_MEMORY`. */
  alloc(size: number): number {
    const address = this.#engine.heap.alloc(size);
    this.#blocks.push(address);
    return address;
  }

  /** Gives everything back. */
  free(): void {
    for (const block of this.#blocks.splice(0)) this.#engine.heap.free(block);
  }

  /** Room for the digits of `n` scalars, for sums of up to `used` bases. */
  digits(n: number, used: number): Digits {
    const bits = windowBits(used);
    return { address: this.alloc(digitsSize(n, bits)), n, bits, windows: windowCount(bits) };
  }

  /** A sum over scalars that are digits by the time its tasks run. */
  sum(bases: Bases, digits: Digits): Sum {
    const { kernel, threads } = this.#engine;
    const parts = windowParts(threads);
    const results = this.alloc(parts * digits.windows * kernel[`${bases.group}_jacobianSize`]!());
    return { bases, digits, parts, results, tasks: msmTasks(kernel, bases, digits, parts, results) };
  }

  /** The value of a sum whose tasks are done: address of a point of the space. */
  total(points: PointSpace, { bases, digits, parts, results }: Sum): number {
    return sumWindows(points, this.#engine.kernel, bases.group, digits, parts, results);
  }

  /**
   * Sums over the same scalars, which become digits once.
   *
   * @param scalars `n × 32` bytes, little-endian.
   * @param first index of the base that belongs to the first scalar.
   * @param lists bases in G1; no other index than `first` to `first + n - 1`.
   * @param refuse makes the error for a scalar, given its position, that is not canonical.
   * @returns a point for each list; infinity is (0, 0).
   */
  async sumAll(
    scalars: Uint8Array,
    first: number,
    lists: readonly Bases[],
    refuse: (position: number) => Error,
    options: SumOptions,
  ): Promise<G1Affine[]> {
    const engine = this.#engine;
    const { signal } = options;
    const n = first + scalars.length / FIELD_SIZE;
    const values = this.alloc(n * FIELD_SIZE);
    const digits = this.digits(n, Math.max(1, ...lists.map(({ count }) => count)));
    const prepare = digitTasks(this.alloc(n * engine.fieldBytes), values, digits);
    const sums = lists.map((bases) => this.sum(bases, digits));
    // after the last allocation: a plain memory loses its views when it grows
    engine.heap.view(values, first * FIELD_SIZE).fill(0);
    engine.heap.view(values + first * FIELD_SIZE, scalars.length).set(scalars);
    const tasks = sums.flatMap((sum) => sum.tasks);
    const stage = new Stage(options.onProgress, options.stage, prepare.length + tasks.length);
    const onTask = () => stage.advance();
    const bad = firstBad(await engine.run(prepare, { signal, onTask }));
    if (bad !== undefined) throw refuse(bad - first);
    await engine.run(tasks, { signal, onTask });
    const points = new PointSpace(engine, this.#constants);
    try {
      return sums.map((sum) => points.getG1(this.total(points, sum), "sum", true));
    } finally {
      points.free();
    }
  }
}

/** From the answers of `digitTasks` the position of a scalar that is not canonical, if there is one. */
export function firstBad(answers: readonly number[][]): number | undefined {
  return answers.map(([first]) => first!).find((first) => first >= 0);
}
