import { readFile, writeFile } from "node:fs/promises";
import { bn254 } from "@noble/curves/bn254.js";
import type { ProofResult, ProveOptions, ProvingKey, Source } from "chunkproof/prover";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prover, runModule, setup, verifier } from "../support/built.js";
import { closeSnarkjs, compileCircuit, ROOT, snarkjs, snarkjsPtau, snarkjsWitness } from "../support/circuits.js";
import {
  editSection,
  flipBit,
  joinContainer,
  splitContainer,
  withoutSection,
  withSection,
} from "../support/containers.js";
import { fromBytes, fromZkeyPoint, G1, G2, Q, R, toBytes, zkeyPoint } from "../support/kernel.js";
import { randomTwistPoint } from "../support/twist.js";
import { POWER, type Specimen, specimen, temporaryFolder } from "../support/zoo.js";

const { ChunkproofError, loadProvingKey, prove } = prover;
const { verify } = verifier;

/** Sections of a zkey, see src/formats/zkey.ts. */
const SECTION = { protocol: 1, header: 2, ic: 3, coefs: 4, a: 5, b1: 6, b2: 7, c: 8, h: 9, contributions: 10 };
const COEF = 44;
/** No attempt may take longer: the circuit is tiny. */
const HANG = 20_000;

let mixed: Specimen;
let zkey: Buffer;
let wtns: Buffer;
let publicSignals: string[];
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const rejections: unknown[] = [];
const onRejection = (reason: unknown) => rejections.push(reason);

beforeAll(async () => {
  process.on("unhandledRejection", onRejection);
  folder = await temporaryFolder();
  mixed = await specimen("mixed");
  zkey = await readFile(mixed.zkey);
  wtns = await readFile(mixed.witnesses[0]!);
  ({ publicSignals } = await snarkjs.groth16.prove(mixed.zkey, mixed.witnesses[0]!));
});

afterAll(async () => {
  await closeSnarkjs();
  await folder.remove();
  process.off("unhandledRejection", onRejection);
  expect(rejections, "unhandled rejections").toEqual([]);
});

type Outcome = ProofResult | InstanceType<typeof ChunkproofError>;

/** Fails the test if `work` takes too long. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${HANG} ms`)), HANG);
  });
  return Promise.race([work, hang]).finally(() => clearTimeout(timer));
}

/** A proof, or one of chunkproof's own errors; anything else fails the test. */
async function outcomeOf(work: () => Promise<ProofResult>): Promise<Outcome> {
  try {
    return await inTime(work());
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(ChunkproofError);
    return error as InstanceType<typeof ChunkproofError>;
  }
}

/** Loads a key and proves with it. */
function attempt(key: Source, witness: Source, options?: ProveOptions): Promise<Outcome> {
  return outcomeOf(async () => {
    const loaded = await loadProvingKey(key);
    try {
      return await prove(loaded, witness, options);
    } finally {
      await loaded.close();
    }
  });
}

const isError = (outcome: Outcome): outcome is InstanceType<typeof ChunkproofError> =>
  outcome instanceof ChunkproofError;

/** Expects a rejection with this code and a message that begins with the file's name. */
function expectRejected(outcome: Outcome, code: string | RegExp, where: string | RegExp, label?: string): void {
  if (!isError(outcome)) throw new Error(`${label ?? ""}: a proof was made instead of ${code}`);
  expect(outcome.code, `${label}: ${outcome.message}`).toMatch(
    typeof code === "string" ? new RegExp(`^${code}$`) : code,
  );
  expect(outcome.message, label).toMatch(typeof where === "string" ? new RegExp(`^${where}`) : where);
}

/** Expects a proof that verifies under the key as it was before it was damaged. */
function expectSound(outcome: Outcome, label?: string): void {
  if (isError(outcome)) throw new Error(`${label ?? ""}: ${outcome.stack}`);
  expect(verify(mixed.vk, outcome.publicSignals, outcome.proof), label).toBe(true);
}

const KEY_NAME = "zkey \\(in memory\\)";
const WITNESS_NAME = "wtns \\(in memory\\)";

describe("other files", () => {
  test("a witness over another field is FOREIGN_CURVE", async () => {
    for (const prime of ["bls12381", "goldilocks", "grumpkin"]) {
      const { wasm } = await compileCircuit(
        "foreign",
        "template M() { signal input a; signal output b <== a * a; } component main = M();",
        {
          opts: ["--prime", prime],
        },
      );
      const path = await snarkjsWitness(wasm, { a: 2 });
      expectRejected(await attempt(zkey, path), "FOREIGN_CURVE", `${path}: `, prime);
    }
  });

  test("a key over another curve is FOREIGN_CURVE", async () => {
    const q = 0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaabn;
    const r = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
    const u32 = (n: number) => toBytes(BigInt(n), 4);
    const head = (q8: number, prime: bigint, order: bigint) => (data: Buffer) =>
      Buffer.concat([
        u32(q8),
        toBytes(prime, q8),
        u32(32),
        toBytes(order),
        data.subarray(72, 84),
        Buffer.alloc(3 * 2 * q8 + 3 * 4 * q8),
      ]);
    for (const [label, change] of [
      ["bls12-381", head(48, q, r)],
      ["a cycle of bn254: q and r swapped", head(32, R, Q)],
      ["another q of the same size", head(32, Q - 2n, R)],
      ["another r of the same size", head(32, Q, R - 2n)],
    ] as const) {
      expectRejected(await attempt(withSection(zkey, SECTION.header, change), wtns), "FOREIGN_CURVE", KEY_NAME, label);
    }
  });

  test("keys of other proving systems are FOREIGN_PROTOCOL", async () => {
    const path = folder.path("plonk.zkey");
    await snarkjs.plonk.setup(mixed.r1cs, await snarkjsPtau(POWER), path);
    expectRejected(await attempt(path, wtns), "FOREIGN_PROTOCOL", `${path}: .*plonk`);
    for (const id of [0, 2, 10, 2 ** 31]) {
      const foreign = editSection(zkey, SECTION.protocol, (data) => data.writeUInt32LE(id));
      expectRejected(await attempt(foreign, wtns), "FOREIGN_PROTOCOL", KEY_NAME, String(id));
    }
  });

  test("files of another format are BINFILE_MAGIC, empty and short ones SOURCE_TRUNCATED", async () => {
    const text = folder.path("text.json");
    await writeFile(text, JSON.stringify(mixed.vk));
    const empty = folder.path("empty");
    await writeFile(empty, "");
    for (const path of [mixed.r1cs, mixed.wasm, mixed.witnesses[0]!, text]) {
      expectRejected(await attempt(path, wtns), "BINFILE_MAGIC", `${path}: `);
    }
    for (const path of [mixed.r1cs, mixed.wasm, mixed.zkey, text]) {
      expectRejected(await attempt(zkey, path), "BINFILE_MAGIC", `${path}: `);
    }
    expectRejected(await attempt(empty, wtns), "SOURCE_TRUNCATED", `${empty}: `);
    expectRejected(await attempt(zkey, empty), "SOURCE_TRUNCATED", `${empty}: `);
    expectRejected(await attempt(folder.path(""), wtns), "FILE_UNREADABLE", folder.path(""));
  });
});

describe("wrong lengths", () => {
  /** Every offset in the structure and around section borders, and a sample of the rest. */
  function cuts(bytes: Buffer): number[] {
    const borders = new Set<number>([0, 1, 4, 8, 11, 12]);
    let at = 12;
    for (const { data } of splitContainer(bytes).sections) {
      for (const offset of [at - 1, at, at + 4, at + 11, at + 12, at + 13, at + 12 + data.length - 1])
        borders.add(offset);
      at += 12 + data.length;
    }
    for (let i = 0; i < bytes.length; i += 37) borders.add(i);
    return [...borders].filter((offset) => offset < bytes.length);
  }

  test("a key cut off anywhere is refused with its path", async () => {
    const path = folder.path("cut.zkey");
    for (const length of cuts(zkey)) {
      await writeFile(path, zkey.subarray(0, length));
      expectRejected(await attempt(path, wtns), "SOURCE_TRUNCATED", `${path}: `, `${length} bytes`);
    }
  });

  test("a witness cut off anywhere is refused with its path", async () => {
    const path = folder.path("cut.wtns");
    const key = await loadProvingKey(zkey);
    try {
      for (let length = 0; length < wtns.length; length++) {
        await writeFile(path, wtns.subarray(0, length));
        expectRejected(await outcomeOf(() => prove(key, path)), "SOURCE_TRUNCATED", `${path}: `, `${length} bytes`);
      }
      expectSound(await outcomeOf(() => prove(key, wtns)));
    } finally {
      await key.close();
    }
  });

  test("bytes behind the end are refused", async () => {
    for (const extra of [1, 12, 1000]) {
      const [longKey, longWitness] = [zkey, wtns].map((bytes) => Buffer.concat([bytes, Buffer.alloc(extra)]));
      expectRejected(await attempt(longKey!, wtns), "BINFILE_TRAILING_BYTES", KEY_NAME);
      expectRejected(await attempt(zkey, longWitness!), "BINFILE_TRAILING_BYTES", WITNESS_NAME);
    }
  });

  test("a missing section is named; nobody needs the contributions", async () => {
    for (const [label, id] of Object.entries(SECTION)) {
      const outcome = await attempt(withoutSection(zkey, id), wtns);
      if (id === SECTION.contributions) expectSound(outcome, label);
      else expectRejected(outcome, "BINFILE_SECTION_MISSING", `${KEY_NAME}: section ${id} `, label);
    }
    for (const id of [1, 2]) {
      expectRejected(
        await attempt(zkey, withoutSection(wtns, id)),
        "BINFILE_SECTION_MISSING",
        `${WITNESS_NAME}: section ${id} `,
      );
    }
  });

  test("a section that is a byte or a record too short or too long is named", async () => {
    const records = { protocol: 4, header: 64, ic: 64, coefs: COEF, a: 64, b1: 64, b2: 128, c: 64, h: 64 } as const;
    for (const [label, record] of Object.entries(records)) {
      const id = SECTION[label as keyof typeof records];
      for (const n of [1, record]) {
        for (const change of [
          (data: Buffer) => data.subarray(0, data.length - n),
          (data: Buffer) => Buffer.concat([data, Buffer.alloc(n)]),
        ]) {
          const outcome = await attempt(withSection(zkey, id, change), wtns);
          expectRejected(outcome, "BINFILE_SECTION_LENGTH", `${KEY_NAME}: section ${id} `, `${label} ${n}`);
        }
      }
    }
    for (const n of [1, 32]) {
      const short = withSection(wtns, 2, (data) => data.subarray(n));
      expectRejected(await attempt(zkey, short), "BINFILE_SECTION_LENGTH", `${WITNESS_NAME}: section 2 `);
      const long = withSection(wtns, 2, (data) => Buffer.concat([data, Buffer.alloc(n)]));
      expectRejected(await attempt(zkey, long), "BINFILE_SECTION_LENGTH", `${WITNESS_NAME}: section 2 `);
    }
  });

  test("sections in another order, and ones that nobody knows, do no harm", async () => {
    const { magic, version, sections } = splitContainer(zkey);
    const unknown = { id: 77, data: Buffer.alloc(5) };
    expectSound(await attempt(joinContainer(magic, version, [unknown, ...sections.reverse()]), wtns));
    const w = splitContainer(wtns);
    expectSound(await attempt(zkey, joinContainer(w.magic, w.version, [...w.sections.reverse(), unknown])));
  });

  test("counts in the header that contradict the sections are refused, however large they are", async () => {
    for (const [offset, values] of [
      [72, [0, 1, 2 ** 16, 2 ** 31, 2 ** 32 - 1]],
      [76, [0, 1, 2 ** 16, 2 ** 31, 2 ** 32 - 1]],
      [80, [0, 1, 2, 3, 2 ** 16, 2 ** 28, 2 ** 31, 2 ** 32 - 1]],
    ] as const) {
      for (const value of values) {
        const bad = editSection(zkey, SECTION.header, (data) => data.writeUInt32LE(value, offset));
        expectRejected(
          await attempt(bad, wtns),
          /^(BINFILE_SECTION_LENGTH|ZKEY_COUNTS)$/,
          KEY_NAME,
          `${offset}: ${value}`,
        );
      }
    }
    for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
      const coefs = editSection(zkey, SECTION.coefs, (data) => data.writeUInt32LE(value));
      expectRejected(await attempt(coefs, wtns), "BINFILE_SECTION_LENGTH", KEY_NAME);
      const count = editSection(wtns, 1, (data) => data.writeUInt32LE(value, 36));
      expectRejected(await attempt(zkey, count), /^(BINFILE_SECTION_LENGTH|WTNS_EMPTY)$/, WITNESS_NAME);
    }
  });

  test("the least key that a header can claim proves what it states: nothing; but not with an infinite IC", async () => {
    const nothing = splitContainer(zkey);
    const header = Buffer.from(nothing.sections.find(({ id }) => id === SECTION.header)!.data);
    header.writeUInt32LE(1, 72);
    header.writeUInt32LE(0, 76);
    header.writeUInt32LE(2, 80);
    const size = { 4: 4, 6: 64, 7: 128, 8: 0, 9: 128 } as Record<number, number>;
    const keyWith = (ic: Uint8Array) => {
      const sections = nothing.sections.map(({ id, data }) => {
        if (id === SECTION.header) return { id, data: header };
        if (id === SECTION.ic) return { id, data: ic };
        if (id === SECTION.a) return { id, data: zkeyPoint(G1, G1.coords(1n)) };
        return { id, data: id in size ? Buffer.alloc(size[id]!) : data };
      });
      return joinContainer("zkey", 1, sections);
    };
    const one = joinContainer("wtns", 2, [
      { id: 1, data: Buffer.concat([toBytes(32n, 4), toBytes(R), toBytes(1n, 4)]) },
      { id: 2, data: toBytes(1n) },
    ]);
    expectRejected(await attempt(keyWith(Buffer.alloc(64)), one), "POINT_AT_INFINITY", `${KEY_NAME}: IC\\[0\\]`);

    // A_0 = 1, the rest infinity: IC_0 = beta·A_0 / gamma, and gamma is 1
    const beta1 = header.subarray(84 + 64, 84 + 128);
    const key = await loadProvingKey(keyWith(beta1));
    try {
      const outcome = await outcomeOf(() => prove(key, one));
      if (isError(outcome)) throw outcome;
      expect(outcome.publicSignals).toEqual([]);
      expect(verify(key.verifyingKey, [], outcome.proof)).toBe(true);
    } finally {
      await key.close();
    }
  });
});

describe("wrong content of a key", () => {
  const points = { ic: G1, a: G1, b2: G2, c: G1, h: G1 } as const;

  test("a point that is off the curve or not canonical is named by section and index", async () => {
    for (const [label, group] of Object.entries(points)) {
      const id = SECTION[label as keyof typeof points];
      const size = group.bytes;
      const { data } = splitContainer(zkey).sections.find((section) => section.id === id)!;
      const last = data.length / size - 1;
      for (const index of [0, last]) {
        const at = index * size;
        for (const [fault, edit] of [
          ["y + 1", (d: Buffer) => d.set(toBytes((fromBytes(d.subarray(at + 32, at + 64)) + 1n) % Q), at + 32)],
          ["x + q", (d: Buffer) => d.set(toBytes(fromBytes(d.subarray(at, at + 32)) + Q), at)],
          ["all ones", (d: Buffer) => d.fill(0xff, at, at + size)],
          ["y = q of infinity", (d: Buffer) => d.fill(0, at, at + size).set(toBytes(Q), at + 32)],
        ] as const) {
          const outcome = await attempt(editSection(zkey, id, edit), wtns);
          const where =
            id === SECTION.ic ? `${KEY_NAME}: IC\\[${index}\\]` : `${KEY_NAME}: section ${id}, point ${index}\\b`;
          expectRejected(
            outcome,
            /^(POINT_INVALID|POINT_NOT_ON_CURVE|POINT_NOT_CANONICAL)$/,
            where,
            `${label} ${fault}`,
          );
        }
      }
    }
  });

  test("a point of the header that is no point, infinity or outside the subgroup is named", async () => {
    const fields = {
      alpha1: [84, 64],
      beta1: [148, 64],
      beta2: [212, 128],
      gamma2: [340, 128],
      delta1: [468, 64],
      delta2: [532, 128],
    } as const;
    for (const [field, [at, size]] of Object.entries(fields)) {
      const faults: [string, (d: Buffer) => void][] = [
        ["POINT_NOT_ON_CURVE", (d) => (d[at]! ^= 1)],
        ["POINT_NOT_CANONICAL", (d) => d.fill(0xff, at, at + 32)],
        ["POINT_AT_INFINITY", (d) => d.fill(0, at, at + size)],
      ];
      if (size === 128) faults.push(["POINT_NOT_IN_SUBGROUP", (d) => d.set(outsideSubgroup(), at)]);
      for (const [code, edit] of faults) {
        expectRejected(
          await attempt(editSection(zkey, SECTION.header, edit), wtns),
          code,
          `${KEY_NAME}: ${field}`,
          field,
        );
      }
    }
  });

  /** Bytes of a point of the twist that is not in G2. */
  function outsideSubgroup(): Uint8Array {
    let x = 1n;
    const { x: px, y } = randomTwistPoint(() => x++).toAffine();
    return zkeyPoint(G2, [px.c0, px.c1, y.c0, y.c1]);
  }

  test("other points of the curve make no proof, or one that is right nevertheless", async () => {
    for (const [label, group] of Object.entries(points)) {
      const id = SECTION[label as keyof typeof points];
      const { data } = splitContainer(zkey).sections.find((section) => section.id === id)!;
      const replacements: [string, Uint8Array][] = [
        ["generator", zkeyPoint(group, group.coords(1n))],
        ["infinity", new Uint8Array(group.bytes)],
      ];
      if (group === G2) replacements.push(["outside the subgroup", outsideSubgroup()]);
      let refused = 0;
      for (const [kind, point] of replacements) {
        for (let index = 0; index < data.length / group.bytes; index++) {
          const changed = !Buffer.from(data)
            .subarray(index * group.bytes, (index + 1) * group.bytes)
            .equals(point);
          const bad = editSection(zkey, id, (d) => d.set(point, index * group.bytes));
          const outcome = await attempt(bad, wtns);
          if (isError(outcome)) {
            const code =
              kind === "outside the subgroup"
                ? /^(WITNESS_UNSATISFIED|POINT_NOT_IN_SUBGROUP)$/
                : label === "ic" && kind === "infinity"
                  ? "POINT_AT_INFINITY"
                  : "WITNESS_UNSATISFIED";
            expectRejected(outcome, code, KEY_NAME, `${label} ${kind} ${index}`);
            expect(changed).toBe(true);
            refused++;
          } else expectSound(outcome, `${label} ${kind} ${index}`);
        }
      }
      expect(refused, label).toBeGreaterThan(0);
    }
  });

  test("points of the header that contradict each other make no proof", async () => {
    const at = { alpha1: 84, beta1: 148, beta2: 212, gamma2: 340, delta1: 468, delta2: 532 };
    for (const field of ["alpha1", "beta2", "gamma2", "delta2"] as const) {
      const group = field.endsWith("1") ? G1 : G2;
      const other = editSection(zkey, SECTION.header, (d) => d.set(zkeyPoint(group, group.coords(12345n)), at[field]));
      expectRejected(await attempt(other, wtns), "WITNESS_UNSATISFIED", KEY_NAME, field);
    }
    for (const field of ["beta1", "delta1"] as const) {
      // of no use to the prover: it blinds without them
      const other = editSection(zkey, SECTION.header, (d) => d.set(zkeyPoint(G1, G1.coords(12345n)), at[field]));
      expectSound(await attempt(other, wtns), field);
    }
  });

  test("what the prover does not need may be garbage: B1 and the contributions", async () => {
    for (const id of [SECTION.b1, SECTION.contributions]) {
      expectSound(
        await attempt(
          editSection(zkey, id, (d) => d.fill(0xff)),
          wtns,
        ),
      );
    }
  });

  test("coefficients out of range are refused with their position", async () => {
    const entries = splitContainer(zkey).sections.find(({ id }) => id === SECTION.coefs)!.data.length / COEF;
    const count = Math.floor(entries);
    const header = Buffer.from(splitContainer(zkey).sections.find(({ id }) => id === SECTION.header)!.data);
    const [nVars, domainSize] = [header.readUInt32LE(72), header.readUInt32LE(80)];
    for (const entry of [0, 1, count - 1]) {
      const at = 4 + entry * COEF;
      for (const [label, edit] of [
        ["matrix C", (d: Buffer) => d.writeUInt32LE(2, at)],
        ["matrix -1", (d: Buffer) => d.writeInt32LE(-1, at)],
        ["row", (d: Buffer) => d.writeUInt32LE(domainSize, at + 4)],
        ["row -1", (d: Buffer) => d.writeInt32LE(-1, at + 4)],
        ["signal", (d: Buffer) => d.writeUInt32LE(nVars, at + 8)],
        ["signal 2^31", (d: Buffer) => d.writeUInt32LE(2 ** 31, at + 8)],
        ["value r", (d: Buffer) => d.set(toBytes(R), at + 12)],
        ["value 2^256 - 1", (d: Buffer) => d.fill(0xff, at + 12, at + COEF)],
      ] as const) {
        const outcome = await attempt(editSection(zkey, SECTION.coefs, edit), wtns);
        expectRejected(outcome, "ZKEY_COEFFICIENT", `${KEY_NAME}: section 4, entry ${entry}\\b`, label);
      }
    }
  });

  test("another circuit's coefficients make no proof", async () => {
    const at = 4 + 12;
    const changed = editSection(zkey, SECTION.coefs, (d) =>
      d.set(toBytes((fromBytes(d.subarray(at, at + 32)) + 1n) % R), at),
    );
    expectRejected(await attempt(changed, wtns), "WITNESS_UNSATISFIED", KEY_NAME);
    const none = withSection(zkey, SECTION.coefs, () => Buffer.alloc(4));
    expectRejected(await attempt(none, wtns), "WITNESS_UNSATISFIED", KEY_NAME);
    const swapped = editSection(zkey, SECTION.coefs, (d) => {
      for (let i = 4; i < d.length; i += COEF) d[i]! ^= 1;
    });
    // B·A - C is the same quotient; A and B of the proof come from the points
    expectSound(await attempt(swapped, wtns));
  });

  test("a refused key leaves no thread behind", async () => {
    const bad = folder.path("refused.zkey");
    await writeFile(
      bad,
      editSection(zkey, SECTION.h, (d) => (d[d.length - 1]! ^= 1)),
    );
    const { code, stdout, stderr } = await runModule(`
      import threads from "node:worker_threads";
      import { syncBuiltinESMExports } from "node:module";
      let [started, ended] = [0, 0];
      threads.Worker = class extends threads.Worker {
        constructor(...args) {
          super(...args);
          started++;
          this.on("exit", () => ended++);
        }
        terminate() {
          const end = super.terminate();
          // an answer that was on its way when the thread was told to end
          this.emit("message", { results: [] });
          return end;
        }
      };
      syncBuiltinESMExports();
      const { loadProvingKey } = await import("chunkproof/prover");
      for (let i = 0; i < 5; i++) console.log((await loadProvingKey(${JSON.stringify(bad)}).catch((e) => e)).code);
      await new Promise((resolve) => setTimeout(resolve, 100));
      console.log(started > 0, started - ended);`);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${"POINT_INVALID\n".repeat(5)}true 0\n`, stderr: "" });
  });
});

describe("wrong content of a witness", () => {
  let key: ProvingKey;
  beforeAll(async () => {
    key = await loadProvingKey(mixed.zkey);
  });
  afterAll(() => key.close());
  const values = () => splitContainer(wtns).sections.find(({ id }) => id === 2)!.data;
  const withValue = (index: number, value: bigint) => editSection(wtns, 2, (d) => d.set(toBytes(value), 32 * index));

  test("the witness of another circuit is refused: by length, or by the self-check", async () => {
    const other = await specimen("less");
    expectRejected(
      await outcomeOf(() => prove(key, other.witnesses[0]!)),
      "WITNESS_LENGTH",
      `${other.witnesses[0]}: .*${mixed.zkey}`,
    );
    // the same number of values, satisfying another circuit
    const n = values().length / 32;
    const chain = await compileCircuit(
      "same_length",
      `template M() { signal input x; signal t[${n - 1}]; t[0] <== x; for (var i = 1; i < ${n - 1}; i++) { t[i] <== t[i - 1] * t[i - 1]; } }
      component main = M();`,
      { opts: ["--O2"] },
    );
    const path = await snarkjsWitness(chain.wasm, { x: 3 });
    expect((await readFile(path)).length).toBe(wtns.length);
    expectRejected(await outcomeOf(() => prove(key, path)), "WITNESS_UNSATISFIED", mixed.zkey);
  });

  test("any changed value is WITNESS_UNSATISFIED, unless no constraint uses it", async () => {
    const n = values().length / 32;
    const free: number[] = [];
    for (let i = 1; i < n; i++) {
      const old = fromBytes(values().subarray(32 * i, 32 * i + 32));
      for (const value of [(old + 1n) % R, R - 1n - old, 0n].filter((v) => v !== old)) {
        const changed = withValue(i, value);
        const outcome = await outcomeOf(() => prove(key, changed));
        const unchecked = await outcomeOf(() => prove(key, changed, { selfCheck: false }));
        if (isError(unchecked)) throw unchecked;
        expect(unchecked.publicSignals).toHaveLength(key.nPublic);
        if (isError(outcome)) {
          expectRejected(outcome, "WITNESS_UNSATISFIED", mixed.zkey);
          expect(verify(mixed.vk, unchecked.publicSignals, unchecked.proof), `value ${i}`).toBe(false);
          expect(await snarkjs.groth16.verify(mixed.vk, unchecked.publicSignals, unchecked.proof)).toBe(false);
        } else {
          free.push(i);
          expectSound(outcome, `value ${i}`);
          expectSound(unchecked, `value ${i}`);
        }
      }
    }
    // unusedPublic and unusedPrivate, and nothing else
    expect(new Set(free).size).toBe(2);
    expectSound(await outcomeOf(() => prove(key, wtns)));
  });

  test("a first value that is not 1 is WITNESS_NOT_ONE", async () => {
    for (const value of [0n, 2n, R - 1n, R + 1n, 1n << 255n]) {
      expectRejected(await outcomeOf(() => prove(key, withValue(0, value))), "WITNESS_NOT_ONE", WITNESS_NAME);
    }
  });

  test("a value of r or more is WITNESS_NOT_CANONICAL, with the file and its index", async () => {
    const n = values().length / 32;
    for (const index of [1, 2, n - 1]) {
      for (const value of [R, R + 1n, 2n * R, (1n << 256n) - 1n]) {
        const outcome = await outcomeOf(() => prove(key, withValue(index, value)));
        expectRejected(outcome, "WITNESS_NOT_CANONICAL", new RegExp(`^${WITNESS_NAME}: .*\\b${index}\\b`));
      }
    }
  });

  test("so it is in a long witness, wherever the value stands", async () => {
    const { r1cs, wasm } = await compileCircuit(
      "preimage",
      await readFile(`${ROOT}circuits/example/preimage.circom`, "utf8"),
    );
    const long = await readFile(await snarkjsWitness(wasm, { salt: 1, secret: 2 }));
    const big = await loadProvingKey(new Blob((await setup.setup(r1cs)).zkey as BlobPart[]));
    try {
      for (const index of [1, 4095, 4096, 5001, big.nVars - 1]) {
        const bad = editSection(long, 2, (d) => d.set(toBytes(R), 32 * index));
        expectRejected(await outcomeOf(() => prove(big, bad)), "WITNESS_NOT_CANONICAL", new RegExp(`\\b${index}\\b`));
        const wrong = editSection(long, 2, (d) => (d[32 * index]! ^= 1));
        expectRejected(
          await outcomeOf(() => prove(big, wrong)),
          "WITNESS_UNSATISFIED",
          KEY_NAME.replace("in memory", ".*"),
        );
      }
      const { proof, publicSignals: signals } = await prove(big, long);
      expect(verify(big.verifyingKey, signals, proof)).toBe(true);
    } finally {
      await big.close();
    }
  });
});

describe("flipped bits", () => {
  const codes = new Map<string, number>();
  const count = (outcome: Outcome) => {
    const label = isError(outcome) ? outcome.code : "sound proof";
    codes.set(label, (codes.get(label) ?? 0) + 1);
  };

  /** A position anywhere, each section as likely as any other: else the large ones would get nearly all. */
  const position = (bytes: () => Buffer) =>
    fc.tuple(fc.nat(), fc.nat(), fc.nat({ max: 7 })).map(([where, within, bit]) => {
      const regions: [number, number][] = [[0, 12]];
      let at = 12;
      for (const { data } of splitContainer(bytes()).sections) {
        regions.push([at, 12], [at + 12, data.length]);
        at += 12 + data.length;
      }
      const filled = regions.filter(([, size]) => size > 0);
      const [start, size] = filled[where % filled.length]!;
      return { byte: start + (within % size), bit };
    });

  const flips = (bytes: () => Buffer) => fc.array(position(bytes), { minLength: 1, maxLength: 3, size: "small" });
  const apply = (bytes: Buffer, list: readonly { byte: number; bit: number }[]) =>
    list.reduce<Uint8Array>((all, { byte, bit }) => flipBit(all, byte, bit), bytes);

  test("in a key: refused with the key's name, or the proof is right under the original key", async () => {
    await fc.assert(
      fc.asyncProperty(
        flips(() => zkey),
        async (list) => {
          const outcome = await attempt(apply(zkey, list), wtns);
          count(outcome);
          // a flipped pair of counts may make a key that only the witness contradicts
          if (isError(outcome)) expectRejected(outcome, /./, `(${KEY_NAME}|${WITNESS_NAME})`);
          else {
            expectSound(outcome);
            expect(outcome.publicSignals).toEqual(publicSignals);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("in a witness: refused with a file's name, or the proof is right", async () => {
    const key = await loadProvingKey(zkey);
    try {
      await fc.assert(
        fc.asyncProperty(
          flips(() => wtns),
          async (list) => {
            const outcome = await outcomeOf(() => prove(key, apply(wtns, list)));
            count(outcome);
            if (isError(outcome)) expectRejected(outcome, /./, `(${KEY_NAME}|${WITNESS_NAME})`);
            else expectSound(outcome);
          },
        ),
        { numRuns: 400 },
      );
    } finally {
      await key.close();
    }
  });

  test("the flips above met both outcomes and many kinds of refusal", () => {
    expect(codes.get("sound proof")).toBeGreaterThan(0);
    expect(codes.get("POINT_INVALID")).toBeGreaterThan(0);
    expect(codes.get("WITNESS_UNSATISFIED")).toBeGreaterThan(0);
    expect(codes.get("WITNESS_NOT_CANONICAL")).toBeGreaterThan(0);
    expect(codes.size, JSON.stringify([...codes])).toBeGreaterThan(10);
  });
});

test("the points of this file's key are what its helpers take them for", () => {
  const header = splitContainer(zkey).sections.find(({ id }) => id === SECTION.header)!.data;
  const [x, y] = fromZkeyPoint(header.subarray(84, 148));
  expect([String(x), String(y), "1"]).toEqual(mixed.vk.vk_alpha_1);
  bn254.G1.Point.fromAffine({ x: x!, y: y! }).assertValidity();
});
