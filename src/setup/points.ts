/**
 * The point sections of a key: scalars times the generators of G1 and G2, by fixed-base tables that all threads share.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { encodeG1, encodeG2, FIELD_SIZE, FR_MODULUS, G2_SIZE } from "../formats/bn254.js";
import { allDone } from "../prover/concurrency.js";
import type { Stage } from "../prover/progress.js";
import { invMod, powMod, rootOfUnity } from "../prover/wasm/constants.js";
import { type Group, kernelFunction, POINT_BYTES, putConstants, putField } from "../prover/wasm/field.js";
import { type Call, SCRATCH } from "../prover/wasm/kernel.js";
import { type Job, lagrangeFactor, type Polynomials } from "./evaluate.js";
import { allocate, CHUNK, type Plan } from "./plan.js";
import type { Trapdoors } from "./trapdoors.js";

/** Point sections, see `formats/zkey.ts`. */
export interface PointSections {
  readonly ic: Uint8Array;
  readonly a: Uint8Array;
  readonly b1: Uint8Array;
  readonly b2: Uint8Array;
  readonly c: Uint8Array;
  readonly h: Uint8Array;
}

/** A point of G2 takes about as long as three of G1. */
const COST: Record<Group, number> = { g1: 1, g2: 3 };

/** Number of units that {@link makePoints} reports. */
export function pointUnits({ nVars, domainSize }: Plan): number {
  return nVars * (3 * COST.g1 + COST.g2) + domainSize * COST.g1;
}

/** Empty sections of a key. */
export function allocateSections(name: string, plan: Plan): PointSections {
  const { nVars, nPublic, domainSize } = plan;
  const points = (group: Group, n: number) => allocate(name, plan, n * POINT_BYTES[group]);
  return {
    ic: points("g1", nPublic + 1),
    a: points("g1", nVars),
    b1: points("g1", nVars),
    b2: points("g2", nVars),
    c: points("g1", nVars - nPublic - 1),
    h: points("g1", domainSize),
  };
}

/** Memory of one task under way. */
interface Lane {
  /** CHUNK scalars of 32 bytes. */
  readonly scalars: number;
  /** CHUNK elements. */
  readonly elements: number;
  /** One element. */
  readonly first: number;
  /** CHUNK points. */
  readonly out: number;
}

/** At most CHUNK points of a section. */
interface Piece {
  readonly group: Group;
  readonly section: Uint8Array;
  /** First point in the section. */
  readonly from: number;
  readonly n: number;
  /** Calls that put the scalars into the lane. */
  scalars(lane: Lane): Call[];
}

/** Fills the sections from the polynomials at τ. */
export async function makePoints(
  job: Job,
  { a, b, c }: Polynomials,
  trapdoors: Trapdoors,
  sections: PointSections,
  stage: Stage,
): Promise<void> {
  const { engine, plan, signal } = job;
  const { heap, kernel } = engine;
  const { nVars, nPublic, power, domainSize } = plan;
  const tables = await makeTables(job);
  const put = (value: bigint): number => {
    const address = heap.alloc(engine.fieldBytes);
    putField(engine, "fr", address, value);
    return address;
  };
  const inverseDelta = invMod(trapdoors.delta, FR_MODULUS);
  const [alpha, beta, tau] = [put(trapdoors.alpha), put(trapdoors.beta), put(trapdoors.tau)];
  const [one, perDelta] = [put(1n), put(inverseDelta)];
  // the Lagrange polynomials of the domain of size 2n at its odd points, which H is given by
  const root = rootOfUnity(power + 1);
  const step = put((root * root) % FR_MODULUS);
  const factor = put((lagrangeFactor(power + 1, trapdoors.tau) * inverseDelta) % FR_MODULUS);

  const bytes =
    (elements: number, from: number, n: number) =>
    (lane: Lane): Call[] => [["setup_bytes", lane.scalars, elements + from * engine.fieldBytes, n]];
  function* range(
    group: Group,
    section: Uint8Array,
    calls: (from: number, n: number) => Piece["scalars"],
  ): Generator<Piece> {
    const count = section.length / POINT_BYTES[group];
    for (let from = 0; from < count; from += CHUNK) {
      const n = Math.min(CHUNK, count - from);
      yield { group, section, from, n, scalars: calls(from, n) };
    }
  }
  /** β·A + α·B + C of signals from `signal` on. */
  const combined = (section: Uint8Array, first: number, scale: number) =>
    range("g1", section, (from, n) => ({ scalars }) => {
      const at = (first + from) * engine.fieldBytes;
      return [["setup_combine", scalars, a + at, b + at, c + at, n, alpha, beta, scale]];
    });
  function* pieces(): Generator<Piece> {
    yield* range("g2", sections.b2, (from, n) => bytes(b, from, n));
    yield* range("g1", sections.a, (from, n) => bytes(a, from, n));
    yield* range("g1", sections.b1, (from, n) => bytes(b, from, n));
    yield* combined(sections.c, nPublic + 1, perDelta);
    yield* combined(sections.ic, 0, one);
    const stride = powMod(root, 2n * BigInt(CHUNK), FR_MODULUS);
    let first = root;
    for (const piece of range("g1", sections.h, (_, n) => {
      const x = first;
      return ({ scalars, elements, first: at }) => {
        putField(engine, "fr", at, x);
        return [
          ["setup_lagrange", elements, n, at, step, tau, factor, SCRATCH],
          ["setup_bytes", scalars, elements, n],
        ];
      };
    })) {
      yield piece;
      first = (first * stride) % FR_MODULUS;
    }
  }

  const scratch = Math.max(
    CHUNK * engine.fieldBytes,
    kernelFunction(kernel, "g1_fixedScratch")(),
    kernelFunction(kernel, "g2_fixedScratch")(),
  );
  const most = Math.min(CHUNK, Math.max(nVars, domainSize));
  const rest = pieces();
  let failed = false;
  const work = async (lane: Lane): Promise<void> => {
    for (;;) {
      const next = failed ? undefined : rest.next();
      if (next === undefined || next.done) return;
      const { group, section, from, n, scalars } = next.value;
      try {
        const calls: Call[] = [
          ...scalars(lane),
          [`${group}_fixedMul`, lane.out, lane.scalars, n, tables[group], SCRATCH],
        ];
        await engine.run([{ calls, scratch }], { signal });
      } catch (error) {
        failed = true;
        throw error;
      }
      section.set(heap.view(lane.out, n * POINT_BYTES[group]), from * POINT_BYTES[group]);
      stage.advance(n * COST[group]);
    }
  };
  // one more than threads: the next task waits in the engine while this thread copies points
  const lanes = Array.from({ length: engine.threads + 1 }, () => ({
    scalars: heap.alloc(most * FIELD_SIZE),
    elements: heap.alloc(most * engine.fieldBytes),
    first: heap.alloc(engine.fieldBytes),
    out: heap.alloc(most * G2_SIZE),
  }));
  await allDone(lanes.map(work));
}

/** Addresses of the tables of both generators. */
async function makeTables({ engine, signal }: Job): Promise<Record<Group, number>> {
  const { heap, kernel } = engine;
  const { b } = putConstants(engine);
  const generators = {
    g1: encodeG1(bn254.G1.Point.BASE.toAffine()),
    g2: encodeG2(bn254.G2.Point.BASE.toAffine()),
  };
  const make = (group: Group) => {
    const raw = heap.alloc(POINT_BYTES[group]);
    heap.view(raw, POINT_BYTES[group]).set(generators[group]);
    const point = heap.alloc(kernelFunction(kernel, `${group}_pointSize`)());
    const table = heap.alloc(kernelFunction(kernel, `${group}_fixedTableSize`)());
    const calls: Call[] = [
      [`${group}_fromBytes`, point, raw, b[group]],
      [`${group}_fixedTable`, table, point, SCRATCH],
    ];
    return { table, task: { calls, scratch: kernelFunction(kernel, `${group}_fixedScratch`)() } };
  };
  const [g1, g2] = [make("g1"), make("g2")];
  await engine.run([g1.task, g2.task], { signal });
  return { g1: g1.table, g2: g2.table };
}
