/**
 * What backends ask of the sets that they are given.
 *
 * @module
 */

import { ProverError } from "../errors.js";
import type { BaseSource, Resident } from "./backend.js";

/** @throws TypeError for something that lies in the memory of another backend. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of any parameters
export function own<T>(value: Resident, type: abstract new (...args: any[]) => T): T {
  if (value instanceof type) return value;
  throw new TypeError("this lies in the memory of another backend");
}

/** log2 of the length of a transform. @throws TypeError unless it is a power of two, 2 at least. */
export function powerOf(length: number): number {
  const power = Math.log2(length);
  if (!Number.isInteger(power) || power < 1) throw new TypeError(`${length} is no power of two`);
  return power;
}

/** @throws ProverError `WITNESS_LENGTH` unless a witness has as many values as the constraints. */
export function assertWitness(nVars: number, length: number, where: string): void {
  if (length === nVars) return;
  throw new ProverError("the witness belongs to other constraints", {
    code: "WITNESS_LENGTH",
    where,
    expected: `${nVars} values`,
    got: String(length),
  });
}

/** One more than the largest position of a scalar that bases belong to. */
export function reachOf({ count, index }: Pick<BaseSource, "count" | "index">): number {
  return index === undefined ? count : (index.at(-1) ?? -1) + 1;
}

/** @throws TypeError unless the scalars reach as far as the index of the bases. */
export function assertReach(reach: number, length: number): void {
  if (reach > length) throw new TypeError(`the bases belong to ${reach} scalars, and there are ${length}`);
}
