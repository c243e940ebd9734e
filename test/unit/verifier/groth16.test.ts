import { bn254 } from "@noble/curves/bn254.js";
import { describe, expect, it } from "vitest";
import {
  assertValid,
  ChunkproofError,
  parseProof,
  parsePublicSignals,
  parseVerifyingKey,
  VerifierError,
  type VerifierErrorCode,
  verify,
  verifyBatch,
} from "../../../src/verifier/index.js";
import { g1Json, g2Json, type Mutable, makeInstance, Q, R, scalarSource } from "../../support/groth16.js";
import { multiply, randomTwistPoint } from "../../support/twist.js";

const next = scalarSource("groth16.test");
const instance = makeInstance(3);
const vk = parseVerifyingKey(instance.vk);
const signals = instance.signals();
const proof = instance.prove(signals);

/** The VerifierError that `action` throws; anything else fails the test. */
function refusal(action: () => unknown): VerifierError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(VerifierError);
    expect(error).toBeInstanceOf(ChunkproofError);
    return error as VerifierError;
  }
  throw new Error("nothing was thrown");
}

/** `verify` says no and `assertValid` says why. */
function expectRefused(publicSignals: unknown, bad: unknown, code: VerifierErrorCode, where: string): VerifierError {
  const error = refusal(() => assertValid(vk, publicSignals, bad));
  expect([error.code, error.where]).toEqual([code, where]);
  expect(verify(vk, publicSignals, bad)).toBe(false);
  return error;
}

type ProofFields = ReturnType<typeof instance.prove>;
const tampered = (change: (p: ProofFields) => void): ProofFields => {
  const p = structuredClone(proof);
  change(p);
  return p;
};
type KeyFields = (typeof instance)["vk"];
const keyRefusal = (change: (k: KeyFields) => void): VerifierError => {
  const k = structuredClone(instance.vk);
  change(k);
  const error = refusal(() => parseVerifyingKey(k));
  // a bad key is the caller's fault: verify doesn't turn it into `false`
  expect(refusal(() => verify(k, signals, proof)).code).toBe(error.code);
  return error;
};
const set = (object: unknown, path: readonly (string | number)[], value: unknown): void => {
  const parent = path.slice(0, -1).reduce((node, key) => (node as never)[key], object);
  (parent as Record<string | number, unknown>)[path.at(-1)!] = value;
};
const get = (object: unknown, path: readonly (string | number)[]): string =>
  path.reduce((node, key) => (node as never)[key], object) as unknown as string;
const text = (path: readonly (string | number)[]) =>
  path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");

type PointG1 = InstanceType<typeof bn254.G1.Point>;
type PointG2 = InstanceType<typeof bn254.G2.Point>;
const pointG1 = ([x, y]: readonly string[]): PointG1 => bn254.G1.Point.fromAffine({ x: BigInt(x!), y: BigInt(y!) });
const pointG2 = ([x, y]: readonly (readonly string[])[]): PointG2 =>
  bn254.G2.Point.fromAffine({
    x: { c0: BigInt(x![0]!), c1: BigInt(x![1]!) },
    y: { c0: BigInt(y![0]!), c1: BigInt(y![1]!) },
  });
const jsonG1 = (point: PointG1): string[] => {
  const { x, y } = point.toAffine();
  return [`${x}`, `${y}`, "1"];
};
const jsonG2 = (point: PointG2): string[][] => {
  const { x, y } = point.toAffine();
  return [
    [`${x.c0}`, `${x.c1}`],
    [`${y.c0}`, `${y.c1}`],
    ["1", "0"],
  ];
};

const offSubgroup = jsonG2(randomTwistPoint(next));
const smallOrder = jsonG2(multiply(multiply(randomTwistPoint(next), R), bn254.G2.Point.CURVE().h / 10069n));

const BAD_NUMBERS: [string, string][] = [
  ["+q", `${Q + 5n}`],
  ["q itself", `${Q}`],
  ["negative", "-1"],
  ["minus zero", "-0"],
  ["plus sign", "+1"],
  ["leading zero", "01"],
  ["hexadecimal", "0x1"],
  ["leading blank", " 1"],
  ["trailing newline", "1\n"],
  ["empty", ""],
  ["exponent", "1e3"],
  ["fraction", "1.0"],
  ["separator", "1_000"],
  ["bigint suffix", "1n"],
  ["Arabic-Indic digit", "\u0661"],
  ["full-width digit", "\uff11"],
  ["a megabyte of digits", "1".repeat(1_000_000)],
];
const WRONG_TYPES: unknown[] = [1, 1n, null, undefined, true, ["1"], { value: "1" }, Symbol("1"), () => "1"];

const PROOF_COORDINATES: (string | number)[][] = [
  ["pi_a", 0],
  ["pi_a", 1],
  ["pi_b", 0, 0],
  ["pi_b", 0, 1],
  ["pi_b", 1, 0],
  ["pi_b", 1, 1],
  ["pi_c", 0],
  ["pi_c", 1],
];

describe("valid proofs", () => {
  it.each([0, 1, 2, 7, 20])("are accepted with %i public signals", (nPublic) => {
    const other = makeInstance(nPublic);
    const key = parseVerifyingKey(other.vk);
    for (let i = 0; i < 2; i++) {
      const s = other.signals();
      const p = other.prove(s);
      expect(verify(key, s, p)).toBe(true);
      expect(verify(other.vk, s, JSON.parse(JSON.stringify(p)))).toBe(true);
      expect(verify(key, s, parseProof(p))).toBe(true);
      expect(assertValid(key, s, p)).toBeUndefined();
    }
  });

  it("are accepted for edge values of the signals", () => {
    for (const s of [
      ["0", "0", "0"],
      ["1", "0", `${R - 1n}`],
      [`${R - 1n}`, `${R - 1n}`, `${R - 1n}`],
    ]) {
      expect(verify(vk, s, instance.prove(s))).toBe(true);
    }
  });

  it("are accepted when X = IC_0 + Σ s·IC is infinity", () => {
    const other = makeInstance(2, "infinite X", { ic: [R - 6n, 2n, 7n] });
    const key = parseVerifyingKey(other.vk);
    expect(verify(key, ["3", "0"], other.prove(["3", "0"]))).toBe(true);
    expect(verify(key, ["4", "0"], other.prove(["3", "0"]))).toBe(false);
  });

  it("may lack `curve` and carry further properties; vk_alphabeta_12 is ignored", () => {
    const { curve: _, ...withoutCurve } = proof;
    expect(verify(vk, signals, { ...withoutCurve, extra: { pi_a: 1 } })).toBe(true);
    expect(verify({ ...instance.vk, vk_alphabeta_12: "nonsense" }, signals, proof)).toBe(true);
  });

  it("are refused for another key of the same shape", () => {
    const other = parseVerifyingKey(makeInstance(3, "another key").vk);
    expect(verify(other, signals, proof)).toBe(false);
  });
});

describe("tampered proofs", () => {
  it.each(PROOF_COORDINATES)("refuses every change of %s %s %s", (...args) => {
    const path = args.filter((key) => key !== undefined);
    const original = BigInt(get(proof, path));
    const where = `proof${text(path)}`;
    for (const value of [original + 1n, original - 1n, Q - original, 0n, 1n].map((n) => ((n % Q) + Q) % Q)) {
      const bad = tampered((p) => set(p, path, `${value}`));
      const error = refusal(() => assertValid(vk, signals, bad));
      const point = path[0] as string;
      // -y is on the curve again, everything else leaves it
      const onCurve = value === Q - original && (path[0] === "pi_b" ? false : path[1] === 1);
      expect([error.code, error.where]).toEqual(
        onCurve ? ["PROOF_INVALID", "proof"] : ["PROOF_POINT_NOT_ON_CURVE", `proof.${point}`],
      );
      expect(verify(vk, signals, bad)).toBe(false);
    }
    expectRefused(
      signals,
      tampered((p) => set(p, path, `${original + Q}`)),
      "PROOF_NON_CANONICAL",
      where,
    );
    for (const [, value] of BAD_NUMBERS) {
      const error = expectRefused(
        signals,
        tampered((p) => set(p, path, value)),
        "PROOF_NON_CANONICAL",
        where,
      );
      expect(error.message.length).toBeLessThan(400);
    }
    for (const value of WRONG_TYPES) {
      const bad = { ...tampered(() => {}) };
      set(bad, path, value);
      expectRefused(signals, bad, "PROOF_MALFORMED", where);
    }
  });

  it("refuses negated points and swapped limbs of pi_b", () => {
    const minus = (y: string) => `${Q - BigInt(y)}`;
    expectRefused(
      signals,
      tampered((p) => {
        p.pi_a[1] = minus(p.pi_a[1]!);
      }),
      "PROOF_INVALID",
      "proof",
    );
    expectRefused(
      signals,
      tampered((p) => {
        p.pi_c[1] = minus(p.pi_c[1]!);
      }),
      "PROOF_INVALID",
      "proof",
    );
    expectRefused(
      signals,
      tampered((p) => {
        p.pi_b[1] = p.pi_b[1]!.map(minus);
      }),
      "PROOF_INVALID",
      "proof",
    );
    for (const rows of [[0], [1], [0, 1]]) {
      const bad = tampered((p) => {
        for (const row of rows) p.pi_b[row]!.reverse();
      });
      expectRefused(signals, bad, "PROOF_POINT_NOT_ON_CURVE", "proof.pi_b");
    }
  });

  it("cannot tell a proof from others that anybody makes of it: Groth16 is malleable", () => {
    const [a, b, c] = [pointG1(proof.pi_a), pointG2(proof.pi_b), pointG1(proof.pi_c)];
    const { vk_delta_2 } = instance.vk;
    for (const [pi_a, pi_b, pi_c] of [
      [a.negate(), b.negate(), c],
      [a.multiply(3n), b.multiply(bn254.fields.Fr.inv(3n)), c],
      [a, b.add(pointG2(vk_delta_2)), c.add(a)],
    ] as const) {
      const twin = { ...proof, pi_a: jsonG1(pi_a), pi_b: jsonG2(pi_b), pi_c: jsonG1(pi_c) };
      expect(twin).not.toEqual(proof);
      expect(verify(vk, signals, twin)).toBe(true);
      // the statement is not malleable
      expect(verify(vk, [signals[1], signals[0], signals[2]], twin)).toBe(false);
    }
  });

  it("refuses other points of the right groups", () => {
    for (const k of [1n, R - 1n, next()]) {
      expectRefused(signals, { ...proof, pi_a: g1Json(k) }, "PROOF_INVALID", "proof");
      expectRefused(signals, { ...proof, pi_b: g2Json(k) }, "PROOF_INVALID", "proof");
      expectRefused(signals, { ...proof, pi_c: g1Json(k) }, "PROOF_INVALID", "proof");
    }
    expectRefused(signals, { ...proof, pi_a: proof.pi_c, pi_c: proof.pi_a }, "PROOF_INVALID", "proof");
  });

  it("refuses the trivial forgery A = alpha, B = beta with X and C cancelling out only by chance", () => {
    const forged = { ...proof, pi_a: instance.vk.vk_alpha_1, pi_b: instance.vk.vk_beta_2, pi_c: g1Json(1n) };
    expectRefused(signals, forged, "PROOF_INVALID", "proof");
  });

  it("refuses points at infinity, and (0, 0), which some libraries take for infinity", () => {
    for (const field of ["pi_a", "pi_c"] as const) {
      expectRefused(signals, { ...proof, [field]: ["0", "1", "0"] }, "PROOF_POINT_AT_INFINITY", `proof.${field}`);
      expectRefused(signals, { ...proof, [field]: ["0", "0", "1"] }, "PROOF_POINT_NOT_ON_CURVE", `proof.${field}`);
      expectRefused(signals, { ...proof, [field]: ["0", "0", "0"] }, "PROOF_NON_CANONICAL", `proof.${field}[2]`);
    }
    const zero = ["0", "0"];
    expectRefused(signals, { ...proof, pi_b: [zero, ["1", "0"], zero] }, "PROOF_POINT_AT_INFINITY", "proof.pi_b");
    expectRefused(signals, { ...proof, pi_b: [zero, zero, ["1", "0"]] }, "PROOF_POINT_NOT_ON_CURVE", "proof.pi_b");
    expectRefused(signals, { ...proof, pi_b: [zero, zero, zero] }, "PROOF_NON_CANONICAL", "proof.pi_b[2]");
  });

  it("refuses every third coordinate but 1", () => {
    for (const z of ["0", "2", `${Q - 1n}`]) {
      expectRefused(
        signals,
        tampered((p) => set(p, ["pi_a", 2], z)),
        "PROOF_NON_CANONICAL",
        "proof.pi_a[2]",
      );
      expectRefused(
        signals,
        tampered((p) => set(p, ["pi_b", 2, 0], z)),
        "PROOF_NON_CANONICAL",
        "proof.pi_b[2]",
      );
    }
    expectRefused(
      signals,
      tampered((p) => set(p, ["pi_b", 2, 1], "1")),
      "PROOF_NON_CANONICAL",
      "proof.pi_b[2]",
    );
  });

  it("refuses pi_b on the twist but outside G2", () => {
    expectRefused(signals, { ...proof, pi_b: offSubgroup }, "PROOF_POINT_NOT_IN_SUBGROUP", "proof.pi_b");
    expectRefused(signals, { ...proof, pi_b: smallOrder }, "PROOF_POINT_NOT_IN_SUBGROUP", "proof.pi_b");
  });

  it("refuses arrays of other lengths, holes, and look-alikes", () => {
    const cases: [string, unknown][] = [
      ["proof.pi_a", [...proof.pi_a, "0"]],
      ["proof.pi_a", proof.pi_a.slice(0, 2)],
      ["proof.pi_a", []],
      ["proof.pi_a", { ...proof.pi_a, length: 3 }],
      ["proof.pi_a", proof.pi_a.join()],
      ["proof.pi_a", null],
      ["proof.pi_a", new Array(2 ** 32 - 1)],
    ];
    for (const [where, value] of cases) expectRefused(signals, { ...proof, pi_a: value }, "PROOF_MALFORMED", where);
    // a hole that the prototype would fill
    const holed = Object.assign(new Array(3), { 0: proof.pi_a[0], 2: "1" });
    Object.setPrototypeOf(holed, Object.assign(Object.create(Array.prototype), { 1: proof.pi_a[1] }));
    expectRefused(signals, { ...proof, pi_a: holed }, "PROOF_MALFORMED", "proof.pi_a[1]");
    expectRefused(signals, Object.create(proof), "PROOF_MALFORMED", "proof.protocol");
    expectRefused(
      signals,
      tampered((p) => p.pi_b[0]!.push("0")),
      "PROOF_MALFORMED",
      "proof.pi_b[0]",
    );
    for (const value of [null, undefined, 1, "proof", [], [proof], JSON.stringify(proof), () => proof]) {
      expect(refusal(() => parseProof(value)).code).toBe("PROOF_MALFORMED");
      expect(verify(vk, signals, value)).toBe(false);
    }
  });

  it("refuses other protocols and curves", () => {
    expectRefused(signals, { ...proof, protocol: "plonk" }, "PROOF_PROTOCOL", "proof.protocol");
    expectRefused(signals, { ...proof, protocol: 1 }, "PROOF_MALFORMED", "proof.protocol");
    expectRefused(signals, { ...proof, curve: "bls12381" }, "PROOF_CURVE", "proof.curve");
    expectRefused(signals, { ...proof, curve: null }, "PROOF_MALFORMED", "proof.curve");
  });
});

describe("hostile objects", () => {
  const trap = (): never => {
    throw new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error("trap in the thrown value");
        },
      },
    );
  };
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy;
  };

  it("cannot throw through verify", () => {
    const allTraps = new Proxy({}, { get: trap, has: trap, getOwnPropertyDescriptor: trap, getPrototypeOf: trap });
    const badLength = (length: unknown) =>
      new Proxy(["1", "2", "3"], { get: (target, key) => (key === "length" ? length : (target as never)[key]) });
    const values = [allTraps, revoked(), badLength(Symbol("3")), badLength({ valueOf: trap }), badLength(Number.NaN)];
    for (const value of values) {
      expect(verify(vk, signals, value)).toBe(false);
      expect(verify(vk, value, proof)).toBe(false);
      expect(refusal(() => parseProof(value)).code).toBe("PROOF_MALFORMED");
      for (const field of ["pi_a", "pi_b", "pi_c", "protocol", "curve"]) {
        expectRefused(
          signals,
          { ...proof, [field]: value },
          "PROOF_MALFORMED",
          refusal(() => parseProof({ ...proof, [field]: value })).where!,
        );
      }
      expect(verify(vk, [value, ...signals.slice(1)], proof)).toBe(false);
      expect(refusal(() => parseVerifyingKey(value)).code).toBe("VK_MALFORMED");
    }
    const getter = Object.defineProperty({ ...proof }, "pi_b", { get: trap, enumerable: true });
    expectRefused(signals, getter, "PROOF_MALFORMED", "proof");
  });

  it("cannot answer for their own length", () => {
    const length = { valueOf: () => 4, toString: trap };
    const shape = new Proxy([], { get: (target, key) => (key === "length" ? length : (target as never)[key]) });
    expect(verify(vk, signals, { ...proof, pi_a: shape })).toBe(false);
    expect(verify(vk, shape, proof)).toBe(false);
    expect(refusal(() => parseVerifyingKey({ ...instance.vk, IC: shape })).code).toBe("VK_MALFORMED");
  });

  it("cannot make the verifier convert endless numbers", () => {
    const digits = "1".repeat(20_000_000);
    const start = performance.now();
    expectRefused([digits, "0", "0"], proof, "SIGNALS_NON_CANONICAL", "publicSignals[0]");
    // the conversion alone takes seconds
    expect(performance.now() - start).toBeLessThan(500);
  });

  it("cannot show one value to the check and another to the computation", () => {
    let reads = 0;
    const twoFaced = Object.defineProperty({ ...proof }, "pi_c", {
      get: () => (reads++ === 0 ? proof.pi_c : ["0", "1", "0"]),
      enumerable: true,
    });
    expect(verify(vk, signals, twoFaced)).toBe(true);
    expect(reads).toBe(1);
  });

  it("cannot pass for parsed objects", () => {
    expect(verify(vk, signals, Object.create(Object.getPrototypeOf(parseProof(proof))))).toBe(false);
    const fake = Object.create(Object.getPrototypeOf(vk));
    expect(refusal(() => verify(fake, signals, proof)).code).toBe("VK_MALFORMED");
    expect(refusal(() => parsePublicSignals(signals, fake)).code).toBe("VK_MALFORMED");
  });

  it("cannot make parsed objects with the constructors of others", () => {
    const make = (parsed: object, ...args: unknown[]) => Reflect.construct(parsed.constructor as never, args);
    const points = { a: bn254.G1.Point.BASE, b: { lines: [] }, c: bn254.G1.Point.ZERO };
    const key = { nPublic: 0, combineIC: () => bn254.G1.Point.ZERO };
    for (const token of [undefined, null, Symbol("parseProof"), Symbol("parseVerifyingKey")]) {
      expect(refusal(() => make(parseProof(proof), token, points)).code).toBe("PROOF_MALFORMED");
      expect(refusal(() => make(vk, token, key, true)).code).toBe("VK_MALFORMED");
    }
    expect(refusal(() => make(parseProof(proof), points)).code).toBe("PROOF_MALFORMED");
    expect(refusal(() => make(vk, key, true)).code).toBe("VK_MALFORMED");
  });
});

describe("public signals", () => {
  it("are returned as numbers", () => {
    expect(parsePublicSignals(["0", "7", `${R - 1n}`], vk)).toEqual([0n, 7n, R - 1n]);
  });

  it.each([0, 1, 2])("refuses every change of signal %i", (i) => {
    const changed = (value: unknown) => signals.map((s, j) => (j === i ? value : s));
    const s = BigInt(signals[i]!);
    expectRefused(changed(`${(s + 1n) % R}`), proof, "PROOF_INVALID", "proof");
    expectRefused(changed(`${R - s}`), proof, "PROOF_INVALID", "proof");
    expectRefused(changed("0"), proof, "PROOF_INVALID", "proof");
    for (const value of [`${s + R}`, `${R}`, `${Q}`, ...BAD_NUMBERS.map(([, v]) => v)]) {
      expectRefused(changed(value), proof, "SIGNALS_NON_CANONICAL", `publicSignals[${i}]`);
    }
    for (const value of WRONG_TYPES) {
      expectRefused(changed(value), proof, "SIGNALS_MALFORMED", `publicSignals[${i}]`);
    }
    expectRefused(signals.toSpliced(i, 1), proof, "SIGNALS_COUNT", "publicSignals");
  });

  it("refuses swapped, missing and superfluous signals", () => {
    expectRefused([signals[1], signals[0], signals[2]], proof, "PROOF_INVALID", "proof");
    expectRefused([...signals, "0"], proof, "SIGNALS_COUNT", "publicSignals");
    expectRefused([], proof, "SIGNALS_COUNT", "publicSignals");
    expectRefused(new Array(2 ** 32 - 1), proof, "SIGNALS_COUNT", "publicSignals");
    // a trailing zero adds nothing to X: only the count tells the statements apart
    const zeroTail = [signals[0]!, signals[1]!, "0"];
    const zeroProof = instance.prove(zeroTail);
    expect(verify(vk, zeroTail, zeroProof)).toBe(true);
    expectRefused(zeroTail.slice(0, 2), zeroProof, "SIGNALS_COUNT", "publicSignals");
    for (const value of [null, undefined, {}, "1,2,3", { ...signals, length: 3 }, new Set(signals)]) {
      expectRefused(value, proof, "SIGNALS_MALFORMED", "publicSignals");
    }
    expectRefused(new Array(3), proof, "SIGNALS_MALFORMED", "publicSignals[0]");
  });
});

describe("verifying keys", () => {
  type Key = { alpha: PointG1; beta: PointG2; gamma: PointG2; delta: PointG2 };
  const expectKey = (change: (k: KeyFields) => void, code: VerifierErrorCode, where: string) => {
    const error = keyRefusal(change);
    expect([error.code, error.where]).toEqual([code, where]);
  };

  it("have a count and are immutable", () => {
    expect(vk.nPublic).toBe(3);
    expect(vk.contributed).toBe(true);
    expect(Object.isFrozen(vk)).toBe(true);
    // the key must not change when the JSON it came from does
    const json = structuredClone(instance.vk);
    const key = parseVerifyingKey(json);
    json.IC[0] = g1Json(5n);
    expect(verify(key, signals, proof)).toBe(true);
  });

  it("refuses foreign protocols and curves", () => {
    expectKey(
      (k) => {
        k.protocol = "plonk";
      },
      "VK_PROTOCOL",
      "vk.protocol",
    );
    expectKey(
      (k) => {
        k.curve = "bls12381";
      },
      "VK_CURVE",
      "vk.curve",
    );
    expectKey(
      (k) => {
        delete (k as { curve?: string }).curve;
      },
      "VK_MALFORMED",
      "vk.curve",
    );
  });

  it("refuses a count that is none, or not that of IC", () => {
    for (const value of ["3", -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, null, 3n]) {
      expectKey((k) => set(k, ["nPublic"], value), "VK_MALFORMED", "vk.nPublic");
    }
    expectKey(
      (k) => {
        k.nPublic = 2;
      },
      "VK_NPUBLIC_MISMATCH",
      "vk.IC",
    );
    expectKey(
      (k) => {
        k.nPublic = 4;
      },
      "VK_NPUBLIC_MISMATCH",
      "vk.IC",
    );
    expectKey(
      (k) => {
        k.IC.pop();
      },
      "VK_NPUBLIC_MISMATCH",
      "vk.IC",
    );
    expectKey(
      (k) => {
        k.IC = [];
      },
      "VK_NPUBLIC_MISMATCH",
      "vk.IC",
    );
    expectKey((k) => set(k, ["IC"], { length: 4 }), "VK_MALFORMED", "vk.IC");
    expectKey((k) => set(k, ["IC", 1], null), "VK_MALFORMED", "vk.IC[1]");
  });

  it.each([
    ["vk_alpha_1", 0],
    ["vk_alpha_1", 1],
    ["vk_beta_2", 0, 1],
    ["vk_gamma_2", 1, 0],
    ["vk_delta_2", 1, 1],
    ["IC", 0, 0],
    ["IC", 3, 1],
  ])("refuses bad numbers in %s %s %s", (...args) => {
    const path = args.filter((key) => key !== undefined);
    const original = BigInt(get(instance.vk, path));
    const where = `vk${text(path)}`;
    for (const value of [`${original + Q}`, ...BAD_NUMBERS.map(([, v]) => v)]) {
      expectKey((k) => set(k, path, value), "VK_NON_CANONICAL", where);
    }
    expectKey((k) => set(k, path, Number(original)), "VK_MALFORMED", where);
    const point = path[0] === "IC" ? `vk.IC[${path[1]}]` : `vk.${path[0]}`;
    expectKey((k) => set(k, path, `${(original + 1n) % Q}`), "VK_POINT_NOT_ON_CURVE", point);
  });

  it("refuses G2 points outside the subgroup and any point at infinity", () => {
    for (const field of ["vk_beta_2", "vk_gamma_2", "vk_delta_2"] as const) {
      expectKey(
        (k) => {
          k[field] = offSubgroup;
        },
        "VK_POINT_NOT_IN_SUBGROUP",
        `vk.${field}`,
      );
      expectKey(
        (k) => {
          k[field] = g2Json(0n);
        },
        "VK_POINT_AT_INFINITY",
        `vk.${field}`,
      );
    }
    expectKey(
      (k) => {
        k.vk_alpha_1 = g1Json(0n);
      },
      "VK_POINT_AT_INFINITY",
      "vk.vk_alpha_1",
    );
    // with IC[j] infinite any value of signal j would do
    for (const i of instance.vk.IC.keys()) {
      expectKey(
        (k) => {
          k.IC[i] = g1Json(0n);
        },
        "VK_POINT_AT_INFINITY",
        `vk.IC[${i}]`,
      );
    }
  });

  // each forgery is made of nothing but points of the key and X, which everybody knows
  const { beta: b } = instance.trapdoors;
  it.each([
    ["delta = beta", "vk_delta_2", { delta: b }, (k: Key, x: PointG1) => [x, k.gamma, k.alpha.negate()]],
    ["delta = -beta", "vk_delta_2", { delta: R - b }, (k: Key, x: PointG1) => [x, k.gamma, k.alpha]],
    [
      "gamma = beta",
      "vk_gamma_2",
      { gamma: b },
      ({ alpha, beta, delta }: Key, x: PointG1) => [alpha.add(x), beta.add(delta), alpha.add(x)],
    ],
    [
      "gamma = -beta",
      "vk_gamma_2",
      { gamma: R - b },
      ({ alpha, beta, delta }: Key, x: PointG1) => [alpha.subtract(x), beta.add(delta), alpha.subtract(x)],
    ],
  ] as const)("refuses a key that anybody can forge proofs for: %s", (_, field, change, forge) => {
    const weak = makeInstance(2, "coinciding points", { beta: b, ...change });
    const s = ["1234", "5678"];
    const [ic0, ic1, ic2] = weak.vk.IC.map(pointG1);
    const key = {
      alpha: pointG1(weak.vk.vk_alpha_1),
      beta: pointG2(weak.vk.vk_beta_2),
      gamma: pointG2(weak.vk.vk_gamma_2),
      delta: pointG2(weak.vk.vk_delta_2),
    };
    const x = ic0!.add(ic1!.multiply(1234n)).add(ic2!.multiply(5678n));
    const [piA, piB, piC] = forge(key, x) as [PointG1, PointG2, PointG1];
    // it satisfies the equation
    const pairs = [
      { g1: piA, g2: piB },
      { g1: key.alpha.negate(), g2: key.beta },
      { g1: x.negate(), g2: key.gamma },
      { g1: piC.negate(), g2: key.delta },
    ];
    expect(bn254.fields.Fp12.eql(bn254.pairingBatch(pairs), bn254.fields.Fp12.ONE)).toBe(true);

    const forged = { ...proof, pi_a: jsonG1(piA), pi_b: jsonG2(piB), pi_c: jsonG1(piC) };
    for (const options of [undefined, { allowUncontributed: true }]) {
      const error = refusal(() => parseVerifyingKey(weak.vk, options));
      expect([error.code, error.where]).toEqual(["VK_POINTS_COINCIDE", "vk.vk_beta_2"]);
      expect(error.expected).toBe(`a point other than ±${field}`);
      expect(refusal(() => verify(weak.vk, s, forged, options)).code).toBe("VK_POINTS_COINCIDE");
      const batch = [{ vk: weak.vk, publicSignals: s, proof: forged }];
      expect(refusal(() => verifyBatch(batch, options)).code).toBe("VK_POINTS_COINCIDE");
    }
  });

  it("refuses beta = gamma = delta even where keys without contribution are allowed", () => {
    const weak = makeInstance(1, "all the same", { beta: 1n, gamma: 1n, delta: 1n });
    expect(refusal(() => parseVerifyingKey(weak.vk, { allowUncontributed: true })).code).toBe("VK_POINTS_COINCIDE");
  });

  it.each([
    ["delta = gamma", 1n],
    ["delta = -gamma", R - 1n],
  ])("refuses a key without phase-2 contribution: %s", (_, delta) => {
    const weak = makeInstance(1, "uncontributed", { gamma: 1n, delta });
    const error = refusal(() => parseVerifyingKey(weak.vk));
    expect([error.code, error.where]).toEqual(["VK_NO_CONTRIBUTION", "vk.vk_delta_2"]);
    // why: A = alpha, B = beta, C = ∓X satisfies the equation for any signals
    const s = weak.signals();
    const x = weak.trapdoors.ic[0]! + weak.trapdoors.ic[1]! * BigInt(s[0]!);
    const forged: Mutable<typeof proof> = {
      ...proof,
      pi_a: weak.vk.vk_alpha_1,
      pi_b: weak.vk.vk_beta_2,
      pi_c: g1Json(delta === 1n ? R - (x % R) : x),
    };
    expect(refusal(() => verify(weak.vk, s, forged)).code).toBe("VK_NO_CONTRIBUTION");
    const key = parseVerifyingKey(weak.vk, { allowUncontributed: true });
    expect(key.contributed).toBe(false);
    expect(verify(key, s, forged)).toBe(true);
    expect(verify(weak.vk, s, forged, { allowUncontributed: true })).toBe(true);
  });

  it("take `allowUncontributed` as an own property and true only", () => {
    const weak = makeInstance(0, "options", { gamma: 1n, delta: 1n });
    const bad = [undefined, null, true, "allowUncontributed", [], {}, { allowUncontributed: 1 }, () => true];
    for (const options of [...bad, Object.create({ allowUncontributed: true })]) {
      const parse = () => parseVerifyingKey(weak.vk, options as never);
      expect(refusal(parse).code).toBe("VK_NO_CONTRIBUTION");
      expect(refusal(() => verify(weak.vk, [], proof, options as never)).code).toBe("VK_NO_CONTRIBUTION");
    }
    const prototype = Object.prototype as { allowUncontributed?: boolean };
    prototype.allowUncontributed = true;
    try {
      expect(refusal(() => parseVerifyingKey(weak.vk)).code).toBe("VK_NO_CONTRIBUTION");
      expect(refusal(() => parseVerifyingKey(weak.vk, {})).code).toBe("VK_NO_CONTRIBUTION");
    } finally {
      delete prototype.allowUncontributed;
    }
    expect(parseVerifyingKey(weak.vk, { allowUncontributed: true }).contributed).toBe(false);
  });
});

describe("error messages", () => {
  it("name the field, the expectation and the finding", () => {
    expect(expectRefused(signals, { ...proof, pi_a: ["1", "2"] }, "PROOF_MALFORMED", "proof.pi_a").message).toBe(
      "proof.pi_a: not an array of the right length (expected array of length 3, got array of length 2)",
    );
    expect(expectRefused(["1"], proof, "SIGNALS_COUNT", "publicSignals").message).toBe(
      "publicSignals: wrong number of public signals (expected 3, got 1)",
    );
    expect(refusal(() => parseProof(null)).name).toBe("VerifierError");
  });
});
