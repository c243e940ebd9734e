/**
 * Progress of long work.
 *
 * @module
 */

/** How far a `loadProvingKey`, `prove` or `setup` has come. */
export interface Progress {
  /** What is being done, e.g. `"load"`, `"prove"`, `"check"`. */
  readonly stage: string;
  /** Units done, ascending; `total` when the stage is over. */
  readonly done: number;
  readonly total: number;
}

/** Receives progress; what it throws ends the work. */
export type OnProgress = (progress: Progress) => void;

/** Counts units of one stage and reports them. */
export class Stage {
  readonly #report: OnProgress | undefined;
  readonly #stage: string;
  readonly #total: number;
  #done = 0;

  constructor(report: OnProgress | undefined, stage: string, total: number) {
    this.#report = report;
    this.#stage = stage;
    this.#total = total;
    this.advance(0);
  }

  /** Reports `units` more. */
  advance(units = 1): void {
    this.#done += units;
    this.#report?.({ stage: this.#stage, done: this.#done, total: this.#total });
  }
}
