/**
 * A WebAssembly kernel on a memory of its own, with the conversions and oracles that tests of it need. Nothing here uses the
 * kernel's own conversions: elements are put into and read from memory limb by limb.
 *
 * Blocks are filled with garbage and followed by a guard; every {@link TestKernel.scope} ends with a check that no guard and
 * no constant of the module was overwritten.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { beforeAll, describe } from "vitest";
import { ProverError } from "../../src/errors.js";
import { type Arithmetic, compileKernel, instantiateKernel, type Kernel, PAGE } from "../../src/prover/wasm/kernel.js";

// ---------------------------------------------------------------- builds

/** One of the binaries made from `assembly/`. */
export interface Build {
  readonly name: string;
  readonly arithmetic: Arithmetic;
  readonly layout: Layout;
  readonly shared: boolean;
  /** How often to try a property: the code of both memories is the same, so that one of them is tried less. */
  runs(n: number): number;
}

export const BUILDS: readonly Build[] = (["int", "fma"] as const).flatMap((arithmetic) =>
  [false, true].map((shared) => ({
    name: `${arithmetic}, ${shared ? "shared" : "plain"} memory`,
    arithmetic,
    get layout() {
      return LAYOUTS[arithmetic];
    },
    shared,
    runs: (n: number) => (shared ? Math.ceil(n / 5) : n),
  })),
);

const unsupported = new Set<Arithmetic>();
await compileKernel(false, "fma").catch((error) => {
  if (!(error instanceof ProverError) || error.code !== "ARITHMETIC_UNSUPPORTED") throw error;
  unsupported.add("fma");
});

/**
 * The same tests for every build; those that cannot run on this machine (no relaxed SIMD, no fused multiply-add) are shown
 * as skipped.
 *
 * @param suite gets the build, and the kernel once tests run.
 */
export function describeBuilds(
  suite: (build: Build, kernel: () => TestKernel) => void,
  arithmetics: readonly Arithmetic[] = ["int", "fma"],
): void {
  for (const build of BUILDS.filter(({ arithmetic }) => arithmetics.includes(arithmetic))) {
    describe.skipIf(unsupported.has(build.arithmetic))(build.name, () => {
      let kernel: TestKernel;
      beforeAll(async () => {
        kernel = await TestKernel.open(build);
      });
      suite(build, () => kernel);
    });
  }
}

// ---------------------------------------------------------------- fields

/** A field of the kernel: `fq` (noble `Fp`) or `fr`. */
export interface Field {
  readonly name: "fq" | "fr";
  readonly p: bigint;
}

export const FQ: Field = { name: "fq", p: bn254.fields.Fp.ORDER };
export const FR: Field = { name: "fr", p: bn254.fields.Fr.ORDER };
export const Q: bigint = FQ.p;
export const R: bigint = FR.p;

export const mod = (a: bigint, p: bigint): bigint => ((a % p) + p) % p;

/** Math.min for bigints. */
export function lesser(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** Inverse modulo a prime, 0 for 0. */
export function inverse(a: bigint, p: bigint): bigint {
  let [x, y, u, v] = [mod(a, p), p, 1n, 0n];
  while (x !== 0n) {
    const k = y / x;
    [x, y, u, v] = [y - k * x, x, v - k * u, u];
  }
  return mod(v, p);
}

/** How elements stand in memory: limbs of `bits` bits each, `bytes` bytes apart; limbs of a pair alternate. */
export interface Layout {
  readonly arithmetic: Arithmetic;
  readonly limbs: number;
  readonly bits: bigint;
  readonly bytes: 4 | 8;
  /** The Montgomery factor. */
  readonly radix: bigint;
  /** Limbs of an integer; the last takes what is left. int: not negative. fma: balanced, all but the last in [-2^50, 2^50). */
  split(value: bigint): bigint[];
  /** Whether limbs are those of a normal element; not whether the integer is. */
  normal(limbs: readonly bigint[]): boolean;
  /** Integers of normal elements for the residue `raw` of [0, p), the canonical one first. */
  representations(raw: bigint, p: bigint): bigint[];
}

/** The integer with these limbs, normal or not. */
export const joinLimbs = ({ bits }: Layout, limbs: readonly bigint[]): bigint =>
  limbs.reduceRight((sum, limb) => (sum << bits) + limb, 0n);

const INT_LIMB = 1n << 29n;
/** `scripts/field-int.mjs`: normal is [0, 2p). */
export const INT: Layout = {
  arithmetic: "int",
  limbs: 9,
  bits: 29n,
  bytes: 4,
  radix: 1n << 261n,
  split: (value) =>
    Array.from({ length: 9 }, (_, i) => {
      const rest = value >> BigInt(29 * i);
      return i < 8 ? rest % INT_LIMB : rest;
    }),
  normal: (limbs) => limbs.every((limb) => limb >= 0n && limb < INT_LIMB),
  representations: (raw, p) => [raw, raw + p],
};

const FMA_HALF = 1n << 50n;
/** `scripts/field-fma.mjs`: normal is within 0.51p of 0. */
export const FMA: Layout = {
  arithmetic: "fma",
  limbs: 5,
  bits: 51n,
  bytes: 8,
  radix: 1n << 255n,
  split(value) {
    const out: bigint[] = [];
    let rest = value;
    for (let i = 0; i < 4; i++) {
      const limb = BigInt.asIntN(51, rest);
      out.push(limb);
      rest = (rest - limb) >> 51n;
    }
    return [...out, rest];
  },
  normal: (limbs) => limbs.slice(0, 4).every((limb) => limb >= -FMA_HALF && limb <= FMA_HALF),
  representations(raw, p) {
    const nearest = raw > p / 2n ? raw - p : raw;
    const other = nearest > 0n ? nearest - p : nearest + p;
    return [nearest, other].filter((value) => 100n * value <= 51n * p && 100n * value >= -51n * p);
  },
};

const LAYOUTS: Record<Arithmetic, Layout> = { int: INT, fma: FMA };

/** Little-endian bytes. */
export function toBytes(value: bigint, length = 32): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

export const fromBytes = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((sum, byte) => (sum << 8n) + BigInt(byte), 0n);

// ---------------------------------------------------------------- groups

/** Coordinates of an affine point, x before y, c0 before c1; none for infinity. */
export type Coords = readonly bigint[];

/** A group, whose points tests mostly know by their discrete logarithms to the generator. */
export interface Group {
  readonly name: "g1" | "g2";
  /** Elements of fq in a coordinate. */
  readonly degree: 1 | 2;
  /** Bytes of a point in a zkey. */
  readonly bytes: number;
  /** k times the generator. */
  coords(k: bigint): Coords;
  /** Sum of any two points of the curve, in the group or not. */
  sum(a: Coords, b: Coords): Coords;
  negate(a: Coords): Coords;
  /** Points with this abscissa, of which there may be none. */
  lift(x: Coords): Coords | undefined;
}

const { Fp, Fp2 } = bn254.fields;
const G1Point = bn254.G1.Point;
const G2Point = bn254.G2.Point;
const fq2 = (c0: bigint, c1: bigint) => Fp2.create({ c0, c1 });

function cached(compute: (k: bigint) => Coords): (k: bigint) => Coords {
  const known = new Map<bigint, Coords>();
  return (k) => {
    const reduced = mod(k, R);
    let coords = known.get(reduced);
    if (coords === undefined) {
      coords = reduced === 0n ? [] : compute(reduced);
      known.set(reduced, coords);
    }
    return coords;
  };
}

const fromG1 = (point: InstanceType<typeof G1Point>): Coords => {
  if (point.is0()) return [];
  const { x, y } = point.toAffine();
  return [x, y];
};
const toG1 = ([x, y]: Coords) => (x === undefined ? G1Point.ZERO : G1Point.fromAffine({ x, y: y! }));
const fromG2 = (point: InstanceType<typeof G2Point>): Coords => {
  if (point.is0()) return [];
  const { x, y } = point.toAffine();
  return [x.c0, x.c1, y.c0, y.c1];
};
const toG2 = (c: Coords) =>
  c.length === 0 ? G2Point.ZERO : G2Point.fromAffine({ x: fq2(c[0]!, c[1]!), y: fq2(c[2]!, c[3]!) });

export const G1: Group = {
  name: "g1",
  degree: 1,
  bytes: 64,
  coords: cached((k) => fromG1(G1Point.BASE.multiply(k))),
  sum: (a, b) => fromG1(toG1(a).add(toG1(b))),
  negate: (a) => fromG1(toG1(a).negate()),
  lift([x]) {
    const right = Fp.add(Fp.mul(Fp.sqr(x!), x!), 3n);
    const y = Fp.pow(right, (Q + 1n) / 4n);
    return Fp.eql(Fp.sqr(y), right) ? [x!, y] : undefined;
  },
};

export const G2: Group = {
  name: "g2",
  degree: 2,
  bytes: 128,
  coords: cached((k) => fromG2(G2Point.BASE.multiply(k))),
  sum: (a, b) => fromG2(toG2(a).add(toG2(b))),
  negate: (a) => fromG2(toG2(a).negate()),
  lift([c0, c1]) {
    const x = fq2(c0!, c1!);
    try {
      const y = Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), G2Point.CURVE().b));
      return [x.c0, x.c1, y.c0, y.c1];
    } catch {
      return undefined;
    }
  },
};

export const GROUPS = [G1, G2] as const;

/** λ of the endomorphism, a root of λ² + λ + 1 mod r. */
export const LAMBDA = 4407920970296243842393367215006156084916469457145843978461n;

// ---------------------------------------------------------------- kernel

const GUARD = 64;
const GUARD_BYTE = 0xa5;
const GARBAGE = 0xee;

/** See the module's comment. */
export class TestKernel {
  readonly kernel: Kernel;
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
  /** Bytes of an element, and of two with alternating limbs. */
  readonly element: number;
  readonly pair: number;
  readonly #constants: Buffer;
  readonly #guards: number[] = [];
  #next: number;
  #bytes: Buffer;
  #view: DataView;
  /** Addresses of curve constants in the form that the kernel takes: b and β of each group. */
  readonly curve: Readonly<Record<"g1" | "g2", { b: number; beta: number }>>;

  private constructor(module: WebAssembly.Module, { layout, shared }: Build) {
    this.memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared });
    this.layout = layout;
    this.element = this.layout.limbs * this.layout.bytes;
    this.pair = 2 * this.element;
    this.#bytes = Buffer.from(this.memory.buffer);
    this.#view = new DataView(this.memory.buffer);
    this.kernel = instantiateKernel(module, this.memory);
    this.#next = Math.ceil(this.call("heapBase") / GUARD) * GUARD;
    this.call("setTls", this.alloc(this.call("tlsSize")));
    this.#constants = Buffer.from(this.#bytes.subarray(0, this.call("heapBase")));
    const [b1, beta1, b2, beta2] = [this.elements(1), this.elements(1), this.pairs(1), this.elements(1)];
    this.put(FQ, b1, 3n);
    const { c0, c1 } = G2Point.CURVE().b;
    this.put(FQ, b2, c0, 0);
    this.put(FQ, b2, c1, 1);
    for (const [group, at] of [
      [G1, beta1],
      [G2, beta2],
    ] as const) {
      // λ·(x, y) = (βx, y) with β in fq
      const generator = group.coords(1n);
      this.put(FQ, at, Fp.div(group.coords(LAMBDA)[0]!, generator[0]!));
    }
    this.curve = { g1: { b: b1, beta: beta1 }, g2: { b: b2, beta: beta2 } };
  }

  static async open(build: Build): Promise<TestKernel> {
    return new TestKernel(await compileKernel(build.shared, build.arithmetic), build);
  }

  /** Calls an export; no result becomes 0. */
  call(name: string, ...args: number[]): number {
    const f = this.kernel[name];
    if (f === undefined) throw new Error(`no export ${name}`);
    return f(...args) ?? 0;
  }

  // ---- memory

  /** A block of `size` bytes of garbage. */
  alloc(size: number): number {
    const address = Math.ceil(this.#next / GUARD) * GUARD;
    const end = address + size + GUARD;
    const missing = end - this.memory.buffer.byteLength;
    if (missing > 0) {
      this.memory.grow(Math.ceil(missing / PAGE) + 64);
      this.#bytes = Buffer.from(this.memory.buffer);
      this.#view = new DataView(this.memory.buffer);
    }
    this.#bytes.fill(GARBAGE, address, address + size);
    this.#bytes.fill(GUARD_BYTE, address + size, end);
    this.#guards.push(address + size);
    this.#next = end;
    return address;
  }

  /** A block of n elements. */
  elements(n: number): number {
    return this.alloc(n * this.element);
  }

  /** A block of n pairs. */
  pairs(n: number): number {
    return this.alloc(n * this.pair);
  }

  /** Runs `body`, checks the guards, and takes back what it allocated. */
  scope<T>(body: () => T): T {
    const next = this.#next;
    const guards = this.#guards.length;
    try {
      const result = body();
      this.check();
      return result;
    } finally {
      this.#next = next;
      this.#guards.length = guards;
    }
  }

  /** Throws if a guard or a constant of the module was overwritten. */
  check(): void {
    for (const guard of this.#guards) {
      for (let i = guard; i < guard + GUARD; i++) {
        if (this.#bytes[i] !== GUARD_BYTE) throw new Error(`the kernel wrote ${i - guard} bytes behind a block`);
      }
    }
    if (!this.#constants.equals(this.#bytes.subarray(0, this.#constants.length))) {
      throw new Error("the kernel wrote to its constants");
    }
  }

  /** A copy of memory. */
  read(address: number, length: number): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(address, address + length));
  }

  write(address: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, address);
  }

  fill(address: number, length: number, byte: number): void {
    this.#bytes.fill(byte, address, address + length);
  }

  /** Copies within memory. */
  move(to: number, from: number, length: number): void {
    this.#bytes.copyWithin(to, from, from + length);
  }

  u32(address: number): number {
    return this.#view.getUint32(address, true);
  }

  putU32(address: number, ...values: number[]): void {
    for (const [i, value] of values.entries()) this.#view.setUint32(address + 4 * i, value, true);
  }

  i16(address: number): number {
    return this.#view.getInt16(address, true);
  }

  /** A new block with these bytes. */
  bytes(data: Uint8Array): number {
    const at = this.alloc(data.length);
    this.write(at, data);
    return at;
  }

  /** A new block with these scalars or integers, 32 bytes each. */
  scalars(values: readonly bigint[]): number {
    const at = this.alloc(32 * values.length);
    for (const [i, value] of values.entries()) this.write(at + 32 * i, toBytes(value));
    return at;
  }

  readScalars(at: number, n: number): bigint[] {
    return Array.from({ length: n }, (_, i) => fromBytes(this.#bytes.subarray(at + 32 * i, at + 32 * i + 32)));
  }

  // ---- elements; `lane` is a lane of a pair

  /** Montgomery form, in [0, p). */
  toMont({ p }: Field, value: bigint): bigint {
    return mod(value * this.layout.radix, p);
  }

  /** The value of an integer in Montgomery form. */
  fromMont({ name, p }: Field, raw: bigint): bigint {
    this.#radixInverse[name] ??= inverse(this.layout.radix, p);
    return mod(raw * this.#radixInverse[name], p);
  }
  readonly #radixInverse: Partial<Record<"fq" | "fr", bigint>> = {};

  putLimbs(at: number, limbs: readonly bigint[], lane?: 0 | 1): void {
    const { bytes } = this.layout;
    const [first, stride] = lane === undefined ? [at, bytes] : [at + bytes * lane, 2 * bytes];
    for (const [i, limb] of limbs.entries()) {
      if (bytes === 8) this.#view.setFloat64(first + stride * i, Number(limb), true);
      else if (limb < 0n || limb >> 32n !== 0n) throw new RangeError(`limb ${limb}`);
      else this.#view.setUint32(first + stride * i, Number(limb), true);
    }
  }

  getLimbs(at: number, lane?: 0 | 1): bigint[] {
    const { bytes, limbs } = this.layout;
    const [first, stride] = lane === undefined ? [at, bytes] : [at + bytes * lane, 2 * bytes];
    return Array.from({ length: limbs }, (_, i) => {
      const address = first + stride * i;
      // BigInt refuses what is no integer
      return BigInt(bytes === 8 ? this.#view.getFloat64(address, true) : this.#view.getUint32(address, true));
    });
  }

  /** Puts an integer with normal limbs. */
  putRaw(at: number, value: bigint, lane?: 0 | 1): void {
    this.putLimbs(at, this.layout.split(value), lane);
  }

  /** The integer at an address; its limbs must be normal. */
  getRaw(at: number, lane?: 0 | 1): bigint {
    const limbs = this.getLimbs(at, lane);
    if (!this.layout.normal(limbs)) throw new Error(`limbs ${limbs} are not normal`);
    return joinLimbs(this.layout, limbs);
  }

  /** The canonical representation of a field element. */
  canonical(field: Field, value: bigint): bigint {
    return this.layout.representations(this.toMont(field, value), field.p)[0]!;
  }

  /** The field element at an address; it must be canonical (fma: close to p/2 both representations are). */
  getCanonical(field: Field, at: number, lane?: 0 | 1): bigint {
    const raw = this.getRaw(at, lane);
    const value = this.get(field, at, lane);
    if (this.layout.arithmetic === "int" && raw >= field.p) throw new Error(`${raw} is not canonical`);
    return value;
  }

  /** Puts a field element in Montgomery form. */
  put(field: Field, at: number, value: bigint, lane?: 0 | 1): void {
    this.putRaw(at, this.canonical(field, value), lane);
  }

  /** The field element at an address; it must be normal. */
  get(field: Field, at: number, lane?: 0 | 1): bigint {
    const raw = this.getRaw(at, lane);
    if (!this.layout.representations(mod(raw, field.p), field.p).includes(raw)) throw new Error(`${raw} is not normal`);
    return this.fromMont(field, raw);
  }

  // ---- points

  /** Puts an affine point. With `other`, coordinates that a point may have in a second representation stand in that one. */
  putAffine(group: Group, at: number, coords: Coords, other = false): void {
    this.fill(at, this.call(`${group.name}_pointSize`), 0);
    for (const [i, value] of coords.entries()) {
      const [usual, second] = this.layout.representations(this.toMont(FQ, value), Q);
      // points of int are below 1.001p
      const raw = other && second !== undefined && 1000n * second <= 1001n * Q ? second : usual!;
      if (group.degree === 1) this.putRaw(at + this.element * i, raw);
      else this.putRaw(at + this.pair * (i >> 1), raw, (i & 1) as 0 | 1);
    }
  }

  /** A new affine point. */
  affine(group: Group, coords: Coords, other = false): number {
    const at = this.alloc(this.call(`${group.name}_pointSize`));
    this.putAffine(group, at, coords, other);
    return at;
  }

  /** Coordinates of an affine point; infinity must be zero bit for bit. */
  getAffine(group: Group, at: number): Coords {
    const size = this.call(`${group.name}_pointSize`);
    if (this.#bytes.subarray(at, at + size).every((byte) => byte === 0)) return [];
    return group.degree === 1
      ? [this.get(FQ, at), this.get(FQ, at + this.element)]
      : [0, 1, 2, 3].map((i) => this.get(FQ, at + this.pair * (i >> 1), (i & 1) as 0 | 1));
  }

  /** A new Jacobian point with the given Z (in fq). */
  jacobian(group: Group, coords: Coords, z = 1n): number {
    const { name, degree } = group;
    const size = this.call(`${name}_jacobianSize`);
    const out = this.alloc(size);
    this.fill(out, size, 0);
    if (coords.length === 0) {
      // X and Y of infinity may be anything
      this.fill(out, 2 * degree * this.element, 1);
      return out;
    }
    const all = coords.map((value, i) => Fp.mul(value, i < degree ? Fp.sqr(z) : Fp.mul(Fp.sqr(z), z)));
    this.putAffine(group, out, all);
    this.put(FQ, out + 2 * degree * this.element, z, degree === 2 ? 0 : undefined);
    return out;
  }

  /** Affine coordinates of a Jacobian point, by BigInt. */
  getJacobian({ degree }: Group, at: number): Coords {
    const get = (i: number): bigint[] =>
      degree === 1
        ? [this.get(FQ, at + this.element * i)]
        : [this.get(FQ, at + this.pair * i, 0), this.get(FQ, at + this.pair * i, 1)];
    const zAt = at + 2 * degree * this.element;
    if (this.#bytes.subarray(zAt, zAt + degree * this.element).every((byte) => byte === 0)) return [];
    const [x, y, z] = [0, 1, 2].map((i) => {
      const [c0, c1 = 0n] = get(i);
      return fq2(c0!, c1);
    });
    const inverted = Fp2.inv(z!);
    const squared = Fp2.sqr(inverted);
    const [ax, ay] = [Fp2.mul(x!, squared), Fp2.mul(y!, Fp2.mul(squared, inverted))];
    return degree === 1 ? [ax.c0, ay.c0] : [ax.c0, ax.c1, ay.c0, ay.c1];
  }
}

/** Bytes of a point in a zkey: Montgomery form with R = 2^256. */
export function zkeyPoint(group: Group, coords: Coords): Uint8Array {
  const out = new Uint8Array(group.bytes);
  for (const [i, value] of coords.entries()) out.set(toBytes((value << 256n) % Q), 32 * i);
  return out;
}

const R256_INVERSE = Fp.inv(Fp.create(1n << 256n));

/** The inverse of {@link zkeyPoint}; coordinates must be canonical. */
export function fromZkeyPoint(bytes: Uint8Array): Coords {
  if (bytes.every((byte) => byte === 0)) return [];
  return Array.from({ length: bytes.length / 32 }, (_, i) => {
    const value = fromBytes(bytes.subarray(32 * i, 32 * i + 32));
    if (value >= Q) throw new Error(`coordinate ${i} is not canonical`);
    return Fp.mul(value, R256_INVERSE);
  });
}
