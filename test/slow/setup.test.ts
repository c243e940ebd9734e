/**
 * Keys of our setup under snarkjs: everything it can do with one of its own, and its verification of the whole key against
 * a phase 1 made for the same trapdoors.
 */

import { readFile } from "node:fs/promises";
import { bn254 } from "@noble/curves/bn254.js";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { FR_MODULUS as R } from "../../src/formats/bn254.js";
import type { ProofJson } from "../../src/formats/json.js";
import { writePtau } from "../../src/formats/ptau.js";
import { openZkey, readContributions } from "../../src/formats/zkey.js";
import type { SetupResult } from "../../src/setup/index.js";
import type { Trapdoors } from "../../src/setup/trapdoors.js";
import * as built from "../support/built.js";
import { closeSnarkjs, compileCircuit, snarkjs, snarkjsWitness } from "../support/circuits.js";
import { editSection, splitContainer } from "../support/containers.js";
import { g1Bytes, g2Bytes, TRAPDOORS } from "../unit/setup/reference.js";

const { setup, exportVerifyingKey } = built.setup;
const { loadProvingKey, prove } = built.prover;
const { parseVerifyingKey, verify } = built.verifier;
const { Fr } = bn254.fields;

afterAll(closeSnarkjs);
afterEach(() => {
  vi.restoreAllMocks();
});

interface Example {
  source: string;
  input: Record<string, unknown>;
  nPublic: number;
  opts?: string[];
}

/** `main` without anything public, with inputs only, outputs only, both; unused inputs; 1 constraint and many. */
const EXAMPLES: Record<string, Example> = {
  hidden: {
    source: `template Hidden() { signal input a; signal input b; a * b === 15; } component main = Hidden();`,
    input: { a: 3, b: 5 },
    nPublic: 0,
  },
  output: {
    source: `template Product() { signal input a; signal input b; signal output c; c <== a * b; } component main = Product();`,
    input: { a: 3, b: 5 },
    nPublic: 1,
  },
  unused: {
    source: `template Unused() {
      signal input a; signal input b; signal input spare[3]; signal output c; signal output d;
      c <== a * b; d <== c * c - a;
    } component main { public [a, spare] } = Unused();`,
    input: { a: 3, b: 5, spare: [8, 9, 10] },
    nPublic: 6,
    opts: ["--O0"],
  },
  chain: {
    source: `template Chain(n) {
      signal input x; signal input k; signal output y; signal s[n + 1];
      s[0] <== x;
      for (var i = 0; i < n; i++) s[i + 1] <== (s[i] + k + i) * (s[i] - 3 * k);
      y <== s[n];
    } component main { public [k] } = Chain(700);`,
    input: { x: 12345, k: -7 },
    nPublic: 2,
  },
};

interface Made {
  r1cs: string;
  wtns: string;
  key: SetupResult;
  bytes: Uint8Array;
}
const made = new Map<string, Made>();
/** A file of snarkjs in memory; whoever writes to it leaves the content in `data`. */
const memory = (data: Uint8Array = new Uint8Array(0)): { type: "mem"; data: Uint8Array } => ({ type: "mem", data });

beforeAll(async () => {
  for (const [name, { source, input, opts = [] }] of Object.entries(EXAMPLES)) {
    const { r1cs, wasm } = await compileCircuit(`setup_${name}`, `pragma circom 2.0.0;\n${source}\n`, { opts });
    const key = await setup(r1cs, { threads: 2 });
    made.set(name, { r1cs, wtns: await snarkjsWitness(wasm, input), key, bytes: Buffer.concat(key.zkey) });
  }
});

describe.each(Object.keys(EXAMPLES))("the key of %s", (name) => {
  test("has the counts that snarkjs reads", async () => {
    const { r1cs, key, bytes } = made.get(name)!;
    const info = await snarkjs.r1cs.info(r1cs);
    expect(key).toMatchObject({
      nConstraints: info.nConstraints,
      nVars: info.nVars,
      nPublic: info.nOutputs + info.nPubInputs,
    });
    expect(key.nPublic).toBe(EXAMPLES[name]!.nPublic);
    const json = await snarkjs.zKey.exportJson(memory(bytes));
    expect({ ...json, IC: json.IC.length, hExps: json.hExps.length, A: json.A.length }).toMatchObject({
      protocol: "groth16",
      nVars: key.nVars,
      nPublic: key.nPublic,
      domainSize: key.domainSize,
      IC: key.nPublic + 1,
      hExps: key.domainSize,
      A: key.nVars,
    });
  });

  test("exports the verifying key that snarkjs exports", async () => {
    const { key, bytes } = made.get(name)!;
    const exported = await snarkjs.zKey.exportVerificationKey(memory(bytes));
    expect(key.verifyingKey).toEqual(JSON.parse(JSON.stringify(exported)));
    expect(await exportVerifyingKey(bytes)).toEqual(key.verifyingKey);
  });

  test("proves in snarkjs and here, and both verifiers accept both", async () => {
    const { key, bytes, wtns } = made.get(name)!;
    const vk = key.verifyingKey;
    const proofs: { proof: ProofJson; publicSignals: string[] }[] = [await snarkjs.groth16.prove(memory(bytes), wtns)];
    await using ours = await loadProvingKey(bytes, { threads: 2 });
    proofs.push(await prove(ours, wtns));
    for (const { proof, publicSignals } of proofs) {
      expect(verify(parseVerifyingKey(vk), publicSignals, proof)).toBe(true);
      // snarkjs' verifier fails on every key without public signals, its own ones too
      if (publicSignals.length === 0) continue;
      expect(await snarkjs.groth16.verify(vk, publicSignals, proof)).toBe(true);
      const wrong = publicSignals.with(0, String(BigInt(publicSignals[0]!) + 1n));
      expect(await snarkjs.groth16.verify(vk, wrong, proof)).toBe(false);
      expect(verify(parseVerifyingKey(vk), wrong, proof)).toBe(false);
    }
    expect(proofs[1]!.publicSignals).toEqual(proofs[0]!.publicSignals);
  });

  test("refuses a witness that does not satisfy the circuit", async () => {
    const { bytes, wtns } = made.get(name)!;
    const wrong = editSection(await readFile(wtns), 2, (values) => values.writeUInt8(values[32]! ^ 1, 32));
    await using ours = await loadProvingKey(bytes, { threads: 2 });
    await expect(prove(ours, wrong)).rejects.toMatchObject({ code: "WITNESS_UNSATISFIED" });
  });

  test("takes a further contribution", async () => {
    const { key, bytes, wtns } = made.get(name)!;
    const next = memory();
    await snarkjs.zKey.contribute(memory(bytes), next, "somebody else", "entropy");
    const vk = await snarkjs.zKey.exportVerificationKey(memory(next.data));
    expect(vk.vk_delta_2).not.toEqual(key.verifyingKey.vk_delta_2);
    const { proof, publicSignals } = await snarkjs.groth16.prove(memory(next.data), wtns);
    expect(verify(parseVerifyingKey(vk), publicSignals, proof)).toBe(true);
    const { contributions } = await readContributions(await openZkey(next.data));
    expect(contributions.map((c) => c.name)).toEqual([
      "chunkproof development key, NOT FOR PRODUCTION",
      "somebody else",
    ]);
  });
});

/** Phase 1 for these trapdoors, prepared for phase 2. */
function ptauOf(power: number, { tau, alpha, beta }: Trapdoors): Uint8Array {
  const n = 2 ** power;
  const powers = (count: number, factor: bigint) =>
    Array.from({ length: count }, (_, i) => Fr.mul(factor, Fr.pow(tau, BigInt(i))));
  /** Lagrange bases of sizes 1, 2, 4, … up to 2^last. */
  const lagrange = (last: number, factor: bigint) =>
    Array.from({ length: last + 1 }, (_, bits) => {
      const size = 1n << BigInt(bits);
      const root = Fr.pow(5n, (R - 1n) / size);
      const scale = Fr.mul(factor, Fr.div(Fr.sub(Fr.pow(tau, size), 1n), size));
      return Array.from({ length: Number(size) }, (_, i) => {
        const x = Fr.pow(root, BigInt(i));
        return Fr.mul(scale, Fr.div(x, Fr.sub(tau, x)));
      });
    }).flat();
  const g1 = (scalars: bigint[]) => scalars.map(g1Bytes);
  const g2 = (scalars: bigint[]) => scalars.map(g2Bytes);
  return writePtau({
    power,
    points: {
      tauG1: g1(powers(2 * n - 1, 1n)),
      tauG2: g2(powers(n, 1n)),
      alphaTauG1: g1(powers(n, alpha)),
      betaTauG1: g1(powers(n, beta)),
      betaG2: g2([beta]),
      lagrangeTauG1: g1(lagrange(power + 1, 1n)),
      lagrangeTauG2: g2(lagrange(power, 1n)),
      lagrangeAlphaTauG1: g1(lagrange(power, alpha)),
      lagrangeBetaTauG1: g1(lagrange(power, beta)),
    },
  });
}

describe("against a phase 1 for the same trapdoors", () => {
  const ptau = () => memory(ptauOf(4, TRAPDOORS));
  const section = (zkey: Uint8Array, id: number) => splitContainer(zkey).sections.find((s) => s.id === id)!.data;

  test.each(["hidden", "output", "unused"])("snarkjs makes the same key for %s, and verifies ours", async (name) => {
    const { r1cs } = made.get(name)!;
    const key = await setup(r1cs, { threads: 2, randomness: TRAPDOORS, insecureDeterministic: true });
    const ours = Buffer.concat(key.zkey);
    const initial = memory();
    await snarkjs.zKey.newZKey(r1cs, ptau(), initial);
    // everything that delta has no part in
    for (const id of [1, 3, 4, 5, 6, 7]) {
      const [mine, theirs] = [section(ours, id), section(initial.data, id)];
      expect(Buffer.from(mine).equals(Buffer.from(theirs)), `section ${id}`).toBe(true);
    }
    expect(Buffer.from(section(ours, 2).subarray(0, 84))).toEqual(
      Buffer.from(section(initial.data, 2).subarray(0, 84)),
    );

    // C, H and the proof of knowledge; the circuit hash of a development key is its own
    const hash = section(ours, 10).subarray(0, 64);
    const expected = editSection(initial.data, 10, (data) => data.set(hash));
    const check = (zkey: Uint8Array) => snarkjs.zKey.verifyFromInit(memory(expected), ptau(), memory(zkey));
    expect(await check(ours)).toBe(true);
    const next = memory();
    await snarkjs.zKey.contribute(memory(ours), next, "somebody else", "entropy");
    expect(await check(next.data)).toBe(true);

    // it would have said so, and does on the console: transcript, deltaAfter, a point of H
    vi.spyOn(console, "log").mockReturnValue();
    expect(await check(editSection(ours, 10, (data) => data.writeUInt8(data[68 + 320]! ^ 1, 68 + 320)))).toBe(false);
    expect(await check(editSection(ours, 10, (data) => data.set(g1Bytes(3n), 68)))).toBe(false);
    expect(await check(editSection(ours, 9, (data) => data.set(g1Bytes(3n), 64)))).toBe(false);
  });
});
