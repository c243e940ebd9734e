/**
 * Field elements and points between bigint and the kernel's memory.
 *
 * @module
 */

import {
  bigintToBytesLE,
  decodeG1,
  decodeG2,
  encodeG1,
  encodeG2,
  FIELD_SIZE,
  G1_SIZE,
  type G1Affine,
  G2_SIZE,
  type G2Affine,
} from "../../formats/bn254.js";
import { B_G1, B_G2, BETA_G1, BETA_G2 } from "./constants.js";
import type { Engine } from "./engine.js";
import type { Kernel } from "./kernel.js";

/** A group as the kernel names it. */
export type Group = "g1" | "g2";

/** Bytes of a point in a zkey. */
export const POINT_BYTES: Record<Group, number> = { g1: G1_SIZE, g2: G2_SIZE };

/** A kernel export by name. */
export function kernelFunction(kernel: Kernel, name: string): (...args: number[]) => number {
  const f = kernel[name];
  if (f === undefined) throw new Error(`the kernel has no export ${name}`);
  return f;
}

/** Constants of the engine's memory: addresses. */
export interface Constants {
  /** Curve coefficient b. */
  readonly b: Record<Group, number>;
  /** Endomorphism factor β. */
  readonly beta: Record<Group, number>;
}

/** Puts an element of fq or fr into memory, in Montgomery form. */
export function putField(engine: Engine, field: "fq" | "fr", address: number, value: bigint): void {
  const bytes = engine.heap.alloc(FIELD_SIZE);
  engine.heap.view(bytes, FIELD_SIZE).set(bigintToBytesLE(value, FIELD_SIZE));
  kernelFunction(engine.kernel, `${field}_fromBytes`)(address, bytes);
  kernelFunction(engine.kernel, `${field}_toMont`)(address, address);
  engine.heap.free(bytes);
}

/** Puts the constants that loading and checking points need into memory, for as long as the engine lives. */
export function putConstants(engine: Engine): Constants {
  const { heap, kernel } = engine;
  const at = () => heap.alloc(80);
  const constants = { b: { g1: at(), g2: at() }, beta: { g1: at(), g2: at() } };
  putField(engine, "fq", constants.b.g1, B_G1);
  putField(engine, "fq", constants.beta.g1, BETA_G1);
  putField(engine, "fq", constants.beta.g2, BETA_G2);
  const [c0, c1] = [at(), at()];
  putField(engine, "fq", c0, B_G2.c0);
  putField(engine, "fq", c1, B_G2.c1);
  kernelFunction(kernel, "fq2_join")(constants.b.g2, c0, c1);
  heap.free(c0);
  heap.free(c1);
  return constants;
}

/** Single points on the calling thread: Jacobian, at addresses that `free` gives back. */
export class PointSpace {
  readonly #engine: Engine;
  readonly #constants: Constants;
  readonly #blocks: number[] = [];

  constructor(engine: Engine, constants: Constants) {
    this.#engine = engine;
    this.#constants = constants;
  }

  #alloc(size: number): number {
    const address = this.#engine.heap.alloc(size);
    this.#blocks.push(address);
    return address;
  }

  #call(group: Group, name: string, ...args: number[]): number {
    return kernelFunction(this.#engine.kernel, `${group}_${name}`)(...args);
  }

  /** A Jacobian point that is not initialised. */
  blank(group: Group): number {
    return this.#alloc(this.#call(group, "jacobianSize"));
  }

  /** A point on the curve as a Jacobian point. */
  put(group: "g1", point: G1Affine): number;
  put(group: "g2", point: G2Affine): number;
  put(group: Group, point: G1Affine | G2Affine): number {
    const bytes = group === "g1" ? encodeG1(point as G1Affine) : encodeG2(point as G2Affine);
    const [raw, affine, out] = [
      this.#alloc(bytes.length),
      this.#alloc(this.#call(group, "pointSize")),
      this.blank(group),
    ];
    this.#engine.heap.view(raw, bytes.length).set(bytes);
    if (this.#call(group, "fromBytes", affine, raw, this.#constants.b[group]) !== 0)
      throw new Error("not on the curve");
    this.#call(group, "fromAffine", out, affine);
    return out;
  }

  /** out = a + b. */
  add(group: Group, out: number, a: number, b: number): void {
    this.#call(group, "add", out, a, b);
  }

  /** out = scalar·a. */
  mul(group: Group, out: number, a: number, scalar: bigint): void {
    const bytes = this.#alloc(FIELD_SIZE);
    this.#engine.heap.view(bytes, FIELD_SIZE).set(bigintToBytesLE(scalar, FIELD_SIZE));
    this.#call(group, "mul", out, a, bytes);
  }

  /** out = Σ 2^(bits·w)·windows[w]. */
  horner(group: Group, out: number, windows: number, n: number, bits: number): void {
    this.#call(group, "horner", out, windows, n, bits);
  }

  #bytes(group: Group, point: number): Uint8Array {
    const affine = this.#alloc(this.#call(group, "pointSize"));
    const raw = this.#alloc(POINT_BYTES[group]);
    this.#call(group, "toAffine", affine, point);
    this.#call(group, "toBytes", raw, affine);
    return this.#engine.heap.view(raw, POINT_BYTES[group]).slice();
  }

  /** Affine coordinates of a point of G1; `where` is what messages call it. @throws FormatError `POINT_AT_INFINITY`. */
  getG1(point: number, where: string, allowInfinity = false): G1Affine {
    return decodeG1(this.#bytes("g1", point), 0, { where, allowInfinity });
  }

  /** Affine coordinates of a point of G2; `where` is what messages call it. @throws FormatError `POINT_AT_INFINITY`. */
  getG2(point: number, where: string, allowInfinity = false): G2Affine {
    return decodeG2(this.#bytes("g2", point), 0, { where, allowInfinity });
  }

  /** Gives everything back. */
  free(): void {
    for (const block of this.#blocks.splice(0)) this.#engine.heap.free(block);
  }
}
