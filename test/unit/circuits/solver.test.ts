import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { checkWitness } from "../../../src/circuits/check.js";
import { SolverError } from "../../../src/circuits/errors.js";
import { decodePlan, encodePlan, planSolver, type SolverPlan, solve } from "../../../src/circuits/solver.js";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import { readR1cs } from "../../../src/formats/r1cs.js";
import { readWtns } from "../../../src/formats/wtns.js";
import { runCalculator } from "../../../src/prover/witness.js";
import { closeSnarkjs, compileCircuit, snarkjsWitness } from "../../support/circuits.js";
import { PRODUCTS, ROWS, residue, SYSTEM, system, toValues, ZEROS } from "./systems.js";

afterAll(closeSnarkjs);

type Inputs = Record<string, bigint | bigint[] | bigint[][]>;

function solverErrorOf(action: () => unknown): SolverError {
  try {
    action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(SolverError);
    return error as SolverError;
  }
  throw new Error("expected a SolverError, but nothing was thrown");
}

function expectRefusal(action: () => unknown, code: string, where?: string): void {
  const error = solverErrorOf(action);
  expect({ code: error.code, where: where === undefined ? undefined : error.where }).toEqual({ code, where });
}

/** The circuit with a plan, and circom's calculator. */
async function load(name: string, source: string, optimisation = "--O2") {
  const files = await compileCircuit(`solver-${name}`, source, { opts: [optimisation] });
  const r1cs = await readR1cs(files.r1cs);
  const oracle = async (inputs: Inputs): Promise<Uint8Array> =>
    (await readWtns(await runCalculator(files.wasm, inputs))).values;
  return { r1cs, plan: planSolver(r1cs), oracle, wasm: files.wasm };
}

/** Inputs in the order of their declaration, which is that of the wires. */
const flat = (inputs: Inputs): bigint[] => (Object.values(inputs) as unknown[]).flat(2) as bigint[];

/** The solver's witness is circom's, and where a fraction of the inputs has no value neither makes one. */
async function expectAgreementOrPole(circuit: Awaited<ReturnType<typeof load>>, inputs: Inputs): Promise<void> {
  try {
    await expectAgreement(circuit, inputs);
  } catch (error) {
    if (!(error instanceof SolverError)) throw error;
    // challenges at the edges, such as alpha = 0 with a message of zeros, make denominators 0
    expect(error.code).toBe("SOLVER_DIVISION_BY_ZERO");
    await expect(circuit.oracle(inputs)).rejects.toMatchObject({ code: "WITNESS_FAILED" });
  }
}

/** The solver's witness is circom's. */
async function expectAgreement(circuit: Awaited<ReturnType<typeof load>>, inputs: Inputs): Promise<bigint[]> {
  const ours = solve(circuit.plan, flat(inputs));
  expect(toValues(ours)).toEqual(toValues(await circuit.oracle(inputs)));
  expect(checkWitness(circuit.r1cs, ours)).toEqual([]);
  return toValues(ours);
}

const any = fc.bigInt({ min: 0n, max: FR_MODULUS - 1n });
const edge = fc.oneof(fc.constantFrom(0n, 1n, FR_MODULUS - 1n, 1n << 128n), any);

describe("the same witness as circom's calculator", () => {
  for (const optimisation of ["--O0", "--O1", "--O2"]) {
    test(`products, ${optimisation}`, async () => {
      const circuit = await load("products", PRODUCTS, optimisation);
      await fc.assert(
        fc.asyncProperty(edge, edge, edge, async (a, b, c) => {
          await expectAgreementOrPole(circuit, { a, b, c });
        }),
        { numRuns: 20 },
      );
    });

    test(`rows of fractions, ${optimisation}`, async () => {
      const circuit = await load("rows", ROWS(5), optimisation);
      const row = fc
        .tuple(edge, edge, edge, edge, edge, edge, fc.bigInt({ min: 0n, max: 1n }))
        .map((columns): bigint[] => columns);
      const columns = fc.array(row, { minLength: 5, maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(any, any, columns, async (alpha, beta, cells) => {
          await expectAgreementOrPole(circuit, { alpha, beta, columns: cells });
        }),
        { numRuns: 20 },
      );
    });

    test(`is-zero, ${optimisation}`, async () => {
      const circuit = await load("zeros", ZEROS, optimisation);
      const [alpha, beta] = [123456789n, FR_MODULUS - 17n];
      // is[0], is[1], is[2] and check, each both ways
      const cases: [x: bigint[], zeros: number][] = [
        [[0n, 7n, 9n, 5n], 3],
        [[0n, 9n, 3n, 6n], 2],
        [[0n, 7n, 8n, 6n], 2],
        [[4n, 11n, 8n, 5n], 2],
        [[4n, 0n, 8n, 5n], 2],
        [[4n, 12n, 8n, 0n], 0],
        [[FR_MODULUS - 7n, 0n, 8n, 5n], 3],
      ];
      for (const [x, zeros] of cases) {
        const isZero = [
          x[0]!,
          residue(x[1]! - x[0]! - 7n),
          residue(3n * (x[0] === 0n ? x[2]! : 0n) - x[1]!),
          x[3]! - 5n,
        ];
        expect(isZero.filter((value) => value === 0n)).toHaveLength(zeros);
        await expectAgreement(circuit, { alpha, beta, x, z: x[3] === 5n ? 1n : 0n });
      }
    });

    test(`linear systems, ${optimisation}`, async () => {
      const circuit = await load("system", SYSTEM, optimisation);
      await fc.assert(
        fc.asyncProperty(any, any, edge, edge, edge, edge, async (alpha, beta, a, b, c, d) => {
          await expectAgreementOrPole(circuit, { alpha, beta, a, b, c, d });
        }),
        { numRuns: 20 },
      );
    });
  }

  test("snarkjs runs the calculator to the same end", async () => {
    const { plan, wasm } = await load("system", SYSTEM);
    const inputs = { alpha: 1n << 250n, beta: 99n, a: 2n, b: FR_MODULUS - 3n, c: 5n, d: 7n };
    expect(solve(plan, flat(inputs))).toEqual((await readWtns(await snarkjsWitness(wasm, inputs))).values);
  });

  test("what is no number divided by 0 is refused by both", async () => {
    const circuit = await load("rows", ROWS(5), "--O0");
    const none = Array.from({ length: 5 }, () => Array.from({ length: 7 }, () => 0n));
    const inputs = { alpha: 0n, beta: 0n, columns: none };
    expectRefusal(() => solve(circuit.plan, flat(inputs)), "SOLVER_DIVISION_BY_ZERO");
    await expectAgreementOrPole(circuit, inputs);
  });

  test("0 divided by 0 is 0", async () => {
    const circuit = await load("rows", ROWS(1));
    // f of the last fraction is c[0] - 65536 c[5], that of the first one c[0] + 5 beta^8 + 0
    const alpha = residue(-(11n + 5n * 3n ** 8n));
    const witness = await expectAgreement(circuit, { alpha, beta: 3n, columns: [[11n, 0n, 0n, 0n, 9n, 1n, 0n]] });
    expect(witness.slice(2, 4)).toEqual([alpha, 3n]);
  });
});

describe("plans", () => {
  test("all fractions of the bus are one batch, and everything else comes around it", async () => {
    const { plan } = await load("rows", ROWS(5));
    expect(plan.slots).toHaveLength(2 * 25);
    expect(plan.levels).toHaveLength(2 * 2);
    expect([plan.levels[1], plan.levels[3]]).toEqual([25, 25]);
    expect(plan.nTemporaries).toBe(0);
  });

  test("an is-zero is decided in its own level: fractions that depend on it are in the first batch still", async () => {
    const { plan } = await load("zeros", ZEROS);
    expect(plan.levels[1]).toBe(plan.slots.length / 2);
  });

  test("linear systems are solved when no constraint alone determines a wire", () => {
    // w3·w3 = w1 + w2 + w5, w4·w4 = w1 - w2, w3·w4 = w5 - 2 w1 + 3
    const plan = planSolver(
      system({ nWires: 6, nOutputs: 2, nInputs: 2 }, [
        [{ 3: 1 }, { 3: 1 }, { 1: 1, 2: 1, 5: 1 }],
        [{ 4: 1 }, { 4: 1 }, { 1: 1, 2: -1 }],
        [{ 3: 1 }, { 4: 1 }, { 5: 1, 1: -2, 0: 3 }],
      ]),
    );
    expect(plan.nTemporaries).toBe(2);
    const [, w1, w2, w3, w4, w5] = toValues(solve(plan, [5n, 7n])) as [bigint, bigint, bigint, bigint, bigint, bigint];
    expect([w3, w4]).toEqual([5n, 7n]);
    expect([residue(w1 + w2 + w5), residue(w1 - w2), residue(w5 - 2n * w1)]).toEqual([25n, 49n, 32n]);
  });

  test("systems of quotients too, in the batch of the others", () => {
    // w3·(w1 + w2) = 1, (w4 + 2)·(w1 - w2) = w3
    const r1cs = system({ nWires: 5, nOutputs: 2, nInputs: 2 }, [
      [{ 3: 1 }, { 1: 1, 2: 1 }, { 0: 1 }],
      [{ 1: 3, 2: -3 }, { 4: 1, 0: 2 }, { 3: 1 }],
    ]);
    const plan = planSolver(r1cs);
    expect([...plan.levels]).toEqual([0, 2, 3, 2]);
    expect(checkWitness(r1cs, solve(plan, [5n, 7n]))).toEqual([]);
  });

  test("products are preferred: x·z === y does not define z where an is-zero does", () => {
    // z = w3 from x = w1 alone; x·z === w2 comes first
    const r1cs = system({ nWires: 5, nInputs: 2 }, [
      [{ 1: 1 }, { 3: 1 }, { 2: 1 }],
      [{ 1: -2 }, { 4: 1 }, { 0: 1, 3: -1 }],
      [{ 3: 1 }, { 1: 5 }, {}],
    ]);
    const plan = planSolver(r1cs);
    expect(toValues(solve(plan, [0n, 0n])).slice(3)).toEqual([1n, 0n]);
    expect(toValues(solve(plan, [9n, 0n]))[3]).toBe(0n);
    expect(checkWitness(r1cs, solve(plan, [9n, 0n]))).toEqual([]);
    expect(checkWitness(r1cs, solve(plan, [9n, 1n])).map(({ constraint }) => constraint)).toEqual([0]);
  });
});

describe("circuits without a solution in order", () => {
  test("private inputs", () => {
    expectRefusal(() => planSolver(system({ nWires: 2, nPrivate: 1 }, [])), "SOLVER_PRIVATE_INPUTS", "system");
  });

  const refusals: [what: string, constraints: Parameters<typeof system>[1], where: string][] = [
    ["a square root", [[{ 2: 1 }, { 2: 1 }, { 1: 1 }]], "system: constraint 0"],
    ["a wire in a factor and in C", [[{ 1: 1 }, { 2: 1 }, { 2: 1 }]], "system: constraint 0"],
    ["a wire that only x·w === 0 mentions", [[{ 1: 1 }, { 2: 1 }, {}]], "system: constraint 0"],
    ["a wire times 0", [[{}, { 2: 1 }, {}]], "system"],
    ["a wire in no constraint", [[{ 1: 1 }, { 1: 1 }, { 0: 1 }]], "system"],
    ["a wire that cancels out", [[{ 0: 1 }, { 2: 1, 1: 1 }, { 2: 1 }]], "system"],
  ];
  for (const [what, constraints, where] of refusals) {
    test(what, () => {
      expectRefusal(() => planSolver(system({ nWires: 3, nInputs: 1 }, constraints)), "SOLVER_UNDETERMINED", where);
    });
  }

  test("the constraint with the fewest unknown wires is named, and the wires", () => {
    const constraints: Parameters<typeof system>[1] = [
      [{ 1: 1 }, { 1: 1 }, { 2: 1 }],
      [{ 3: 1 }, { 4: 1 }, { 5: 1 }],
      [{ 3: 1 }, { 2: 1, 4: 1 }, { 0: 1 }],
    ];
    const error = solverErrorOf(() => planSolver(system({ nWires: 6, nInputs: 1 }, constraints)));
    expect(error.message).toBe(
      "system: constraint 2: constraints do not determine all wires (expected at most one unknown wire, outside of " +
        "one factor or of C only, got wires 3, 4 unknown, 3 in all)",
    );
  });

  test("is-zero with another x in its second half", () => {
    const constraints: Parameters<typeof system>[1] = [
      [{ 1: 1 }, { 3: 1 }, { 0: 1, 4: -1 }],
      [{ 2: 1 }, { 4: 1 }, {}],
    ];
    const action = () => planSolver(system({ nWires: 5, nInputs: 2 }, constraints));
    expectRefusal(action, "SOLVER_UNDETERMINED", "system: constraint 1");
  });

  test("constants that contradict each other", () => {
    const constraints: Parameters<typeof system>[1] = [
      [{ 0: 2 }, { 0: 3 }, { 0: 6 }],
      [{ 0: 2 }, { 0: 3 }, { 0: 7 }],
    ];
    const action = () => planSolver(system({ nWires: 1 }, constraints));
    expectRefusal(action, "SOLVER_CONTRADICTION", "system: constraint 1");
    expect(toValues(solve(planSolver(system({ nWires: 1 }, constraints.slice(0, 1))), []))).toEqual([1n]);
  });
});

describe("inputs", () => {
  const fraction = system({ nWires: 5, nOutputs: 1, nInputs: 2 }, [
    [{ 4: 1 }, { 0: 1 }, { 2: 1 }],
    [{ 4: 1, 0: -5 }, { 1: 1 }, { 3: 2 }],
  ]);
  const plan = planSolver(fraction);

  test("a fraction with denominator 0", () => {
    expectRefusal(() => solve(plan, [5n, 1n]), "SOLVER_DIVISION_BY_ZERO", "constraint 1");
    expect(toValues(solve(plan, [5n, 0n]))).toEqual([1n, 0n, 5n, 0n, 5n]);
    expect(toValues(solve(plan, [6n, 4n]))).toEqual([1n, 8n, 6n, 4n, 6n]);
  });

  test("a denominator of 0 does not spoil the other fractions of its batch", () => {
    const many = planSolver(
      system({ nWires: 7, nInputs: 3 }, [
        [{ 1: 1 }, { 4: 1 }, { 0: 6 }],
        [{ 2: 1 }, { 5: 1 }, { 2: 1 }],
        [{ 3: 1 }, { 6: 1 }, { 0: 6 }],
      ]),
    );
    expect(toValues(solve(many, [2n, 0n, 3n])).slice(4)).toEqual([3n, 0n, 2n]);
  });

  test("another number of them", () => {
    expectRefusal(() => solve(plan, [1n]), "SOLVER_INPUT_COUNT", "inputs");
    expectRefusal(() => solve(plan, [1n, 2n, 3n]), "SOLVER_INPUT_COUNT", "inputs");
  });

  test("numbers that are not canonical", () => {
    expectRefusal(() => solve(plan, [1n, FR_MODULUS]), "SOLVER_INPUT_NOT_CANONICAL", "inputs[1]");
    expectRefusal(() => solve(plan, [-1n, 1n]), "SOLVER_INPUT_NOT_CANONICAL", "inputs[0]");
    expectRefusal(() => solve(plan, [1n, 1 as never]), "SOLVER_INPUT_NOT_CANONICAL", "inputs[1]");
  });
});

describe("plans as bytes", () => {
  // products, an is-zero and a fraction, and a temporary
  const small = planSolver(
    system({ nWires: 9, nOutputs: 1, nInputs: 2 }, [
      [{ 2: 1 }, { 3: 1 }, { 4: 1, 5: 1 }],
      [{ 2: 1 }, { 2: 1 }, { 4: 1, 5: -1 }],
      [{ 2: 1 }, { 7: 1 }, { 0: 1, 6: -1 }],
      [{ 2: 1 }, { 6: 1 }, {}],
      [{ 4: 1, 6: 77 }, { 8: 1 }, { 3: 1 }],
      [{ 0: 1 }, { 8: 1, 6: 1 }, { 1: 1 }],
    ]),
  );
  const bytes = encodePlan(small);
  const DIGEST = 32;
  const HEADER = 44;

  /** With a digest that fits. */
  function sealed(change: (view: DataView) => void): Uint8Array {
    const copy = bytes.slice();
    change(new DataView(copy.buffer));
    copy.set(sha256(copy.subarray(0, -DIGEST)), copy.length - DIGEST);
    return copy;
  }
  const wordAt = (index: number) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(4 * index, true);

  test("come back the same, from any alignment", async () => {
    for (const plan of [small, (await load("rows", ROWS(5))).plan, (await load("system", SYSTEM)).plan]) {
      const encoded = encodePlan(plan);
      const shifted = new Uint8Array(encoded.length + 1);
      shifted.set(encoded, 1);
      expect(decodePlan(encoded)).toEqual(plan);
      expect(decodePlan(shifted.subarray(1))).toEqual(plan);
      expect(encodePlan(decodePlan(encoded))).toEqual(encoded);
    }
    expect(solve(decodePlan(bytes), [3n, 4n])).toEqual(solve(small, [3n, 4n]));
    expect(small.nTemporaries).toBeGreaterThan(0);
  });

  test("every damaged byte is noticed", () => {
    for (let i = 0; i < bytes.length; i++) {
      const damaged = bytes.slice();
      damaged[i]! ^= 1 << (i % 8);
      const { code } = solverErrorOf(() => decodePlan(damaged));
      const expected = i < 4 ? "PLAN_MALFORMED" : i < 8 ? "PLAN_VERSION" : i < 24 ? "PLAN_DIGEST" : undefined;
      expect(["PLAN_MALFORMED", "PLAN_DIGEST", "PLAN_VERSION"]).toContain(code);
      if (expected !== undefined) expect(code, `byte ${i}`).toBe(expected);
      if (i >= HEADER) expect(code, `byte ${i}`).toBe("PLAN_DIGEST");
    }
  });

  test("every other length is refused", () => {
    for (let n = 0; n < bytes.length; n++) {
      expectRefusal(() => decodePlan(bytes.subarray(0, n)), "PLAN_MALFORMED", "solver plan: length");
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expectRefusal(() => decodePlan(longer), "PLAN_MALFORMED", "solver plan: length");
  });

  test("another version", () => {
    expectRefusal(() => decodePlan(sealed((view) => view.setUint32(4, 2, true))), "PLAN_VERSION", "solver plan");
  });

  test("whatever is decoded computes every wire: no number of a plan can be changed into nonsense", () => {
    const values = small.nWires + small.nTemporaries;
    let refused = 0;
    let accepted = 0;
    for (let at = 8; at + 4 <= bytes.length - DIGEST; at += 4) {
      for (const value of [0, 1, 2, values - 1, values, 0xffffffff]) {
        if (wordAt(at / 4) === value) continue;
        let plan: SolverPlan;
        try {
          plan = decodePlan(sealed((view) => view.setUint32(at, value, true)));
        } catch (error) {
          expect((error as SolverError).code, `offset ${at}: ${error}`).toBe("PLAN_MALFORMED");
          refused++;
          continue;
        }
        accepted++;
        // another plan, but one that runs through
        try {
          const witness = solve(plan, new Array(plan.nInputs).fill(3n));
          expect(witness).toHaveLength(32 * plan.nWires);
        } catch (error) {
          expect((error as SolverError).code, `offset ${at}: ${error}`).toBe("SOLVER_DIVISION_BY_ZERO");
        }
      }
    }
    expect(refused).toBeGreaterThan(200);
    expect(accepted).toBeGreaterThan(20);
  });

  test("a value used before it is computed", () => {
    const steps = HEADER + 32 * small.coefficients.length + 4 * small.levels.length;
    const terms = steps + 4 * (small.steps.length + small.slots.length);
    const last = small.steps[small.steps.length - 5]!;
    const used = sealed((view) => view.setUint32(terms, last, true));
    expectRefusal(() => decodePlan(used), "PLAN_MALFORMED", "solver plan: step 0");
    const twice = sealed((view) => view.setUint32(steps, 2, true));
    expectRefusal(() => decodePlan(twice), "PLAN_MALFORMED", "solver plan: step 0");
  });
});
