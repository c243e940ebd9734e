import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FQ_MODULUS, FR_MODULUS } from "../../../src/formats/bn254.js";
import { powMod } from "../../../src/prover/wasm/constants.js";
import { Device } from "../../../src/prover/webgpu/device.js";
import {
  constant,
  type Field,
  fieldSource,
  type LimbBits,
  makeField,
  stepsBetweenCarries,
  toLimbs,
} from "../../../src/prover/webgpu/wgsl/field.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { fromWords, randomNumbers, runKernel } from "../../support/kernels.js";
import { SEED } from "../../support/seed.js";

const skip = await skipWithoutGpu();
const GROUP = 64;

/** A function of a field: its call, and what it says about operands with these bounds (in multiples of p). */
interface Operation {
  readonly call: string;
  /** Undefined where the operands are not allowed. */
  expected(field: Field, a: bigint, b: bigint, c: bigint, d: bigint): Expected | undefined;
}
/** A value modulo p with a bound for it, or an exact value. */
type Expected = { readonly residue: bigint; readonly below: bigint } | { readonly exactly: bigint };

const product = (field: Field, sum: bigint): Expected | undefined =>
  sum <= BigInt(field.slack) * field.modulus ** 2n
    ? { residue: sum * powMod(field.r % field.modulus, field.modulus - 2n, field.modulus), below: 2n * field.modulus }
    : undefined;

function operations(f: string): Operation[] {
  return [
    { call: `${f}_mul(a, b)`, expected: (field, a, b) => product(field, a * b) },
    { call: `${f}_mul_add(a, b, c, d)`, expected: (field, a, b, c, d) => product(field, a * b + c * d) },
    { call: `${f}_add(a, b)`, expected: (field, a, b) => (a + b < field.r ? { exactly: a + b } : undefined) },
    ...[2n, 4n, 8n].map((k) => ({
      call: `${f}_sub${k}(a, b)`,
      expected: ({ modulus: p, r }: Field, a: bigint, b: bigint) =>
        b <= k * p && a + k * p < r ? { exactly: a + k * p - b } : undefined,
    })),
    ...[1n, 2n, 4n, 8n].map((k) => ({
      call: `${f}_reduce${k}(a)`,
      expected: ({ modulus: p }: Field, a: bigint) => ({ exactly: a >= k * p ? a - k * p : a }),
    })),
    {
      call: `${f}_canonical(a)`,
      expected: ({ modulus: p }, a) => (a < 16n * p ? { exactly: a % p } : undefined),
    },
    {
      call: `${f}_pick(a, b, (a[0] & 1u) == 1u)`,
      expected: (_, a, b) => ({ exactly: a & 1n ? b : a }),
    },
    {
      call: `${f}_truth(${f}_is_zero(a))`,
      expected: ({ modulus: p }, a) => (a < 16n * p ? { exactly: a % p === 0n ? 1n : 0n } : undefined),
    },
    { call: `${f}_truth(${f}_is_literal_zero(a))`, expected: (_, a) => ({ exactly: a === 0n ? 1n : 0n }) },
    {
      call: `${f}_round_trip(a)`,
      expected: (_, a) => (a < 1n << 256n ? { exactly: a } : undefined),
    },
  ];
}

function testKernel(field: Field, unroll: boolean): string {
  const { name: f, type, limbs } = field;
  const load = (x: string, k: number) => `var ${x}: ${type};
for (var j = 0u; j < ${limbs}u; j++) { ${x}[j] = inputs[(4u * i + ${k}u) * ${limbs}u + j]; }`;
  const calls = operations(f);
  const stores = calls.map(
    ({ call }, k) => `{ let r = ${call};
for (var j = 0u; j < ${limbs}u; j++) { outputs[(${calls.length}u * i + ${k}u) * ${limbs}u + j] = r[j]; } }`,
  );
  return `${fieldSource(field, { unroll })}
fn ${f}_truth(a: bool) -> ${type} {
if (a) { return ${constant(field, 1n)}; }
return ${constant(field, 0n)};
}
fn ${f}_round_trip(a: ${type}) -> ${type} { let w = ${f}_pack(a); return ${f}_unpack(w[0], w[1]); }
@group(0) @binding(0) var<storage, read> inputs: array<u32>;
@group(0) @binding(1) var<storage, read_write> outputs: array<u32>;
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
let i = id.x;
if (4u * ${limbs}u * i >= arrayLength(&inputs)) { return; }
${["a", "b", "c", "d"].map(load).join("\n")}
${stores.join("\n")}
}`;
}

/** Four operands each: what is on an edge with what is on an edge, and random ones within random bounds. */
function operands({ modulus: p, r, slack }: Field): bigint[][] {
  const edges = [0n, 1n, p - 1n, p, p + 1n, 2n * p - 1n, 2n * p, 4n * p, 8n * p - 1n, 8n * p, 16n * p - 1n];
  edges.push((1n << 256n) - 1n, (1n << 255n) + 1n, r - p, r - 1n);
  const random = randomNumbers(SEED);
  const sets = edges.flatMap((a, i) => edges.map((b, j) => [a, b, edges[(i + j) % 9]!, edges[(3 * i + j) % 9]!]));
  // the largest that the bounds allow
  const root = BigInt(Math.floor(Math.sqrt(slack / 2)));
  sets.push(
    [root * p, root * p, root * p, root * p],
    [BigInt(slack) * p, p, 0n, 0n],
    [p, BigInt(slack - 2) * p, p, 2n * p],
    [BigInt(slack >> 1) * p - 1n, 2n * p, 0n, r - 1n],
  );
  const bounds = [p, 2n * p, 4n * p, 8n * p];
  for (let i = 0; i < 200; i++) sets.push([0, 1, 2, 3].map(() => random(bounds[Number(random(4n))]!)));
  return sets;
}

describe.skipIf(skip)("fields on a GPU", () => {
  let device: Device;
  beforeAll(async () => {
    device = await Device.open();
  });
  afterAll(() => device?.close());

  const cases = [
    ["fq", FQ_MODULUS],
    ["fr", FR_MODULUS],
  ] as const;
  for (const [name, modulus] of cases) {
    for (const bits of [12, 13, 14, 15] as const) {
      // every limb size and both ways of writing, each for one of the fields at least
      for (const unroll of name === "fq" ? [false, true] : bits === 13 ? [true] : [false]) {
        test(`${name}, limbs of ${bits} bits, ${unroll ? "unrolled" : "looped"}`, async () => {
          const field = makeField(name, modulus, bits);
          const sets = operands(field);
          const calls = operations(name);
          const inputs = new Uint32Array(sets.flat().flatMap((value) => toLimbs(field, value)));
          const size = sets.length * calls.length * field.limbs;
          const code = testKernel(field, unroll);
          const output = await runKernel(device, code, [inputs], size, Math.ceil(sets.length / GROUP));
          const checked = new Map<string, number>();
          const wrong: string[] = [];
          sets.forEach(([a, b, c, d], i) => {
            calls.forEach(({ call, expected }, k) => {
              const wanted = expected(field, a!, b!, c!, d!);
              if (wanted === undefined) return;
              checked.set(call, (checked.get(call) ?? 0) + 1);
              const at = (calls.length * i + k) * field.limbs;
              const got = fromWords(output, at, field.limbs, bits);
              const where = `${call} of ${[a, b, c, d].join(", ")}`;
              const right =
                "exactly" in wanted
                  ? got === wanted.exactly
                  : got < wanted.below && (got - wanted.residue) % modulus === 0n;
              const normalised = output.subarray(at, at + field.limbs).every((limb) => limb < 2 ** bits);
              if (!right || !normalised) wrong.push(where);
            });
          });
          expect(wrong).toEqual([]);
          for (const { call } of calls) expect(checked.get(call), call).toBeGreaterThan(60);
        });
      }
    }
  }
});

describe("limbs", () => {
  test.each([12, 13, 14, 15] as const)("of %i bits leave room for what a product adds up", (bits: LimbBits) => {
    const field = makeField("fq", FQ_MODULUS, bits);
    expect(field.slack).toBeGreaterThanOrEqual(64);
    expect(field.r >= 64n * FQ_MODULUS).toBe(true);
    for (const products of [2, 3]) {
      const steps = Math.min(field.limbs, stepsBetweenCarries(bits, products));
      expect(steps).toBeGreaterThanOrEqual(1);
      const most = BigInt(steps) * BigInt(products) * (2n ** BigInt(bits) - 1n) ** 2n;
      // a limb, and the carry of the column below after a step and after a row of carries
      expect(most + 2n ** BigInt(bits) + 2n * 2n ** BigInt(32 - bits)).toBeLessThan(2n ** 32n);
    }
  });
});
