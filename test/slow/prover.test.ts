import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { bn254 } from "@noble/curves/bn254.js";
import type { CircomWitness, Progress, ProveOptions, ProvingKey, Source } from "chunkproof/prover";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalServer, prover, runModule, setup, startServer, verifier } from "../support/built.js";
import { closeSnarkjs, compileCircuit, ROOT, snarkjs, snarkjsPtau, snarkjsWitness } from "../support/circuits.js";
import { editSection } from "../support/containers.js";
import { POWER, type Specimen, specimen, temporaryFolder, ZOO, type ZooName } from "../support/zoo.js";

const { ChunkproofError, FormatError, loadProvingKey, prove, ProverError } = prover;
const { verify, assertValid, parseVerifyingKey } = verifier;
const R = bn254.fields.Fr.ORDER;
const NAMES = Object.keys(ZOO) as ZooName[];

const zoo = {} as Record<ZooName, Specimen>;
const rejections: unknown[] = [];
const onRejection = (reason: unknown) => rejections.push(reason);
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  process.on("unhandledRejection", onRejection);
  folder = await temporaryFolder();
  for (const name of NAMES) zoo[name] = await specimen(name);
});

afterAll(async () => {
  await closeSnarkjs();
  await folder.remove();
  process.off("unhandledRejection", onRejection);
  expect(rejections, "unhandled rejections").toEqual([]);
});

/** What `action` fails with. */
async function failureOf(action: () => Promise<unknown>): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

/** Expects an error of chunkproof's own with this code. */
async function expectCode(action: () => Promise<unknown>, code: string, where?: string | RegExp): Promise<void> {
  const error = await failureOf(action);
  expect(error, String((error as Error)?.stack)).toBeInstanceOf(ChunkproofError);
  expect((error as InstanceType<typeof ChunkproofError>).code).toBe(code);
  if (where !== undefined) expect((error as Error).message).toMatch(where);
}

/** Runs `work` with a loaded key and closes it. */
async function withKey<T>(source: Source, work: (key: ProvingKey) => Promise<T>, threads?: number): Promise<T> {
  const key = await loadProvingKey(source, { threads });
  try {
    return await work(key);
  } finally {
    await key.close();
  }
}

/** A proof that snarkjs and our verifier accept, or the test fails. */
async function proveSoundly(key: ProvingKey, witness: Source | CircomWitness, options?: ProveOptions) {
  const result = await prove(key, witness, options);
  expect(await snarkjs.groth16.verify(key.verifyingKey, result.publicSignals, result.proof)).toBe(true);
  assertValid(key.verifyingKey, result.publicSignals, result.proof);
  return result;
}

describe("proofs and snarkjs", () => {
  test.each(NAMES)("%s: each side's proofs verify on the other, and public signals are the same", async (name) => {
    const { zkey, vk, witnesses } = zoo[name];
    await withKey(zkey, async (key) => {
      expect(key.verifyingKey).toEqual(vk);
      expect(key.nPublic).toBe(vk.nPublic);
      const parsed = parseVerifyingKey(vk);
      for (const wtns of witnesses) {
        const ours = await prove(key, wtns);
        const theirs = await snarkjs.groth16.prove(zkey, wtns);
        expect(ours.publicSignals).toEqual(theirs.publicSignals);
        expect(Object.keys(ours.proof)).toEqual(Object.keys(theirs.proof));
        expect(await snarkjs.groth16.verify(vk, ours.publicSignals, ours.proof)).toBe(true);
        expect(verify(parsed, ours.publicSignals, ours.proof)).toBe(true);
        expect(verify(parsed, theirs.publicSignals, theirs.proof)).toBe(true);
        // the assertions above could not fail if everything verified
        const wrong = ours.publicSignals.map((s, i) => (i === 0 ? String((BigInt(s) + 1n) % R) : s));
        if (wrong.length > 0) expect(verify(parsed, wrong, ours.proof)).toBe(false);
        expect(verify(parsed, ours.publicSignals, { ...ours.proof, pi_c: ours.proof.pi_a })).toBe(false);
      }
    });
  });

  test("the same witness gives another proof in each run: A, B and C all change", async () => {
    const { zkey, witnesses } = zoo.mixed;
    await withKey(zkey, async (key) => {
      const seen = { a: new Set<string>(), b: new Set<string>(), c: new Set<string>() };
      const runs = 6;
      for (let i = 0; i < runs; i++) {
        const { proof } = await proveSoundly(key, witnesses[0]!);
        // abscissae: a point and its negative count as the same
        seen.a.add(proof.pi_a[0]);
        seen.b.add(proof.pi_b[0].join());
        seen.c.add(proof.pi_c[0]);
      }
      // Same A·B pairing means σ = 0: then C could not change either. Same A means ρ = ±1.
      expect([seen.a.size, seen.b.size, seen.c.size]).toEqual([runs, runs, runs]);
    });
  });

  test("a key with a beacon as last contribution works like any other", async () => {
    const { zkey, witnesses } = zoo.mixed;
    const beaconed = folder.path("beacon.zkey");
    await snarkjs.zKey.beacon(zkey, beaconed, "final", "0102030405060708090a0b0c0d0e0f10", 10);
    await withKey(beaconed, async (key) => {
      expect(key.verifyingKey).toEqual(await snarkjs.zKey.exportVerificationKey(beaconed));
      expect(key.verifyingKey.vk_delta_2).not.toEqual(zoo.mixed.vk.vk_delta_2);
      const { proof, publicSignals } = await proveSoundly(key, witnesses[0]!);
      expect(verify(zoo.mixed.vk, publicSignals, proof)).toBe(false);
    });
  });

  test("a key without contribution proves for snarkjs, but our verifier refuses the key", async () => {
    const { r1cs, witnesses } = zoo.mixed;
    const bare = folder.path("bare.zkey");
    await snarkjs.zKey.newZKey(r1cs, await snarkjsPtau(POWER), bare);
    await withKey(bare, async (key) => {
      const { proof, publicSignals } = await prove(key, witnesses[0]!);
      expect(await snarkjs.groth16.verify(key.verifyingKey, publicSignals, proof)).toBe(true);
      await expectCode(async () => verify(key.verifyingKey, publicSignals, proof), "VK_NO_CONTRIBUTION");
      expect(verify(key.verifyingKey, publicSignals, proof, { allowUncontributed: true })).toBe(true);
    });
  });

  test("a development key of chunkproof/setup works in snarkjs, both ways", async () => {
    const { r1cs, witnesses } = zoo.hash;
    const { zkey, verifyingKey } = await setup.setup(r1cs);
    const path = folder.path("development.zkey");
    await writeFile(path, zkey);
    await withKey(new Blob(zkey as BlobPart[]), async (key) => {
      expect(key.verifyingKey).toEqual(verifyingKey);
      await proveSoundly(key, witnesses[2]!);
      const theirs = await snarkjs.groth16.prove(path, witnesses[2]!);
      expect(verify(key.verifyingKey, theirs.publicSignals, theirs.proof)).toBe(true);
    });
  });
});

describe("sources", () => {
  let server: LocalServer;
  let zkey: Buffer;
  let wtns: Buffer;

  beforeAll(async () => {
    zkey = await readFile(zoo.mixed.zkey);
    wtns = await readFile(zoo.mixed.witnesses[0]!);
    const files: Record<string, Buffer> = { "/key.zkey": zkey, "/w.wtns": wtns };
    server = await startServer((request, response) => {
      const { pathname } = new URL(request.url!, "http://localhost");
      const file = files[pathname.replace(/^\/(chunked|short)/, "")];
      if (file === undefined) return void response.writeHead(404).end("none");
      if (pathname.startsWith("/chunked")) {
        for (let i = 0; i < file.length; i += 1000) response.write(file.subarray(i, i + 1000));
        return void response.end();
      }
      response.writeHead(200, { "content-length": file.length });
      if (!pathname.startsWith("/short")) return void response.end(file);
      response.write(file.subarray(0, file.length - 10), () => response.destroy());
    });
  });
  afterAll(() => server.close());

  /** The same file in every kind a source may have. */
  const kinds = (path: string, bytes: Buffer, name: string): [string, Source][] => [
    ["path", path],
    ["file URL", pathToFileURL(path)],
    ["file URL as string", pathToFileURL(path).href],
    ["Uint8Array", new Uint8Array(bytes)],
    [
      "Uint8Array inside a larger buffer",
      new Uint8Array(Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(5)])).subarray(3, 3 + bytes.length),
    ],
    ["Buffer", bytes],
    ["ArrayBuffer", new Uint8Array(bytes).buffer],
    ["Uint8Array over shared memory", sharedCopy(bytes)],
    ["Blob", new Blob([new Uint8Array(bytes)])],
    ["http URL", new URL(`${server.origin}/${name}`)],
    ["http URL as string", `${server.origin}/${name}?token=secret`],
    ["http answer without a length", `${server.origin}/chunked/${name}`],
    ["data URL", `data:application/octet-stream;base64,${bytes.toString("base64")}`],
  ];

  function sharedCopy(bytes: Uint8Array): Uint8Array {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    return shared;
  }

  test("a witness comes from any kind of source", async () => {
    await withKey(zoo.mixed.zkey, async (key) => {
      const expected = (await prove(key, zoo.mixed.witnesses[0]!)).publicSignals;
      for (const [kind, source] of kinds(zoo.mixed.witnesses[0]!, wtns, "w.wtns")) {
        expect((await prove(key, source)).publicSignals, kind).toEqual(expected);
      }
    });
  });

  test("a key comes from any kind of source", async () => {
    for (const [kind, source] of kinds(zoo.mixed.zkey, zkey, "key.zkey")) {
      await withKey(source, async (key) => {
        expect(key.verifyingKey, kind).toEqual(zoo.mixed.vk);
        const { proof, publicSignals } = await prove(key, wtns);
        expect(verify(zoo.mixed.vk, publicSignals, proof), kind).toBe(true);
      });
    }
  });

  test("bytes given as witness or key are left as they were", async () => {
    const [keyBytes, witnessBytes] = [new Uint8Array(zkey), new Uint8Array(wtns)];
    await withKey(keyBytes, async (key) => {
      await prove(key, witnessBytes);
      expect(zkey.equals(keyBytes) && wtns.equals(witnessBytes)).toBe(true);
      // and the key does not lean on them
      keyBytes.fill(0);
      await proveSoundly(key, witnessBytes);
    });
  });

  test("a source that is not there, or no source, is refused with its name and code", async () => {
    await expectCode(() => loadProvingKey("/no/such.zkey"), "FILE_NOT_FOUND", /^\/no\/such\.zkey: /);
    await expectCode(() => loadProvingKey(`${server.origin}/none`), "FETCH_FAILED", /\/none: .*404/);
    await expectCode(() => loadProvingKey(`${server.origin}/short/key.zkey`), "FETCH_FAILED", /\/short\/key\.zkey: /);
    for (const bad of [undefined, null, 5, {}, [], "ftp://localhost/x"]) {
      await expectCode(() => loadProvingKey(bad as never), "SOURCE_UNSUPPORTED");
    }
    await withKey(zoo.mixed.zkey, async (key) => {
      await expectCode(() => prove(key, "/no/such.wtns"), "FILE_NOT_FOUND", /^\/no\/such\.wtns: /);
      await expectCode(() => prove(key, `${server.origin}/none`), "FETCH_FAILED");
      for (const bad of [undefined, null, 5, {}, [], { wasm: zoo.mixed.wasm }, "ftp://localhost/x"]) {
        await expectCode(() => prove(key, bad as never), "SOURCE_UNSUPPORTED");
      }
      await proveSoundly(key, wtns);
    });
  });
});

describe("witness from a circuit's wasm and inputs", () => {
  const grid = [
    [1, 2, 3],
    [4, 5, 6],
  ];

  test.each(NAMES)("%s: the witness is byte for byte what snarkjs computes", async (name) => {
    const { wasm, inputs, witnesses } = zoo[name];
    for (const [i, input] of inputs.entries()) {
      const ours = await prover.calculateWitness(wasm, input as never);
      expect((await readFile(witnesses[i]!)).equals(ours), `inputs ${i}`).toBe(true);
    }
  });

  test("inputs may be numbers, bigints, booleans, decimal and hex strings, nested or flat, in any order", async () => {
    const { wasm, zkey } = zoo.arrays;
    const same: Record<string, unknown>[] = [
      { grid, flag: 1, row: [10] },
      { row: 10n, flag: true, grid: [1n, 2n, 3n, 4n, 5n, 6n] },
      {
        flag: "0x1",
        row: "0xA",
        grid: [
          ["1", "0x2", 3],
          [[4n], "5", "6"],
        ],
      },
      {
        flag: 1n - R,
        row: [10n + R],
        grid: [
          ["-0", 2n - R, 3],
          [4, 5, 6],
        ].map((r, i) => (i === 0 ? [1, ...r.slice(1)] : r)),
      },
      { flag: `${1n + 5n * R}`, row: [String(10n - R)], grid },
    ];
    await withKey(zkey, async (key) => {
      for (const inputs of same) {
        const { publicSignals } = await proveSoundly(key, { wasm, inputs: inputs as never });
        expect(publicSignals).toEqual(["106", "10"]);
      }
      const { publicSignals } = await proveSoundly(key, {
        wasm: await readFile(wasm),
        inputs: { grid, flag: -1, row: [10] },
      });
      expect(publicSignals).toEqual(["86", "10"]);
    });
  });

  const cases: [string, Record<string, unknown>, string, RegExp][] = [
    ["an unknown name", { grid, flag: 1, row: [10], extra: 1 }, "INPUT_UNKNOWN", /extra/],
    ["a name of Object.prototype", { grid, flag: 1, row: [10], toString: 1 }, "INPUT_UNKNOWN", /toString/],
    ["a missing input", { grid, row: [10] }, "INPUT_MISSING", /expected 8 values, got 7/],
    ["no inputs", {}, "INPUT_MISSING", /expected 8 values, got 0/],
    ["too few values", { grid: [1, 2, 3, 4, 5], flag: 1, row: [10] }, "INPUT_LENGTH", /grid.*expected 6, got 5/],
    ["too many values", { grid, flag: [1, 1], row: [10] }, "INPUT_LENGTH", /flag.*expected 1, got 2/],
    ["an empty array", { grid, flag: [], row: [10] }, "INPUT_LENGTH", /flag.*expected 1, got 0/],
    ["a fraction", { grid, flag: 0.5, row: [10] }, "INPUT_INVALID", /flag.*no integer/],
    ["an unsafe integer", { grid, flag: 2 ** 53, row: [10] }, "INPUT_INVALID", /flag.*beyond 2\^53/],
    ["NaN", { grid, flag: Number.NaN, row: [10] }, "INPUT_INVALID", /flag.*no integer/],
    ["infinity", { grid, flag: Number.POSITIVE_INFINITY, row: [10] }, "INPUT_INVALID", /flag/],
    ["text", { grid, flag: "one", row: [10] }, "INPUT_INVALID", /flag.*text of 3 characters/],
    ["an empty string", { grid, flag: "", row: [10] }, "INPUT_INVALID", /flag/],
    ["blanks", { grid, flag: "  ", row: [10] }, "INPUT_INVALID", /flag/],
    ["null", { grid, flag: null, row: [10] }, "INPUT_INVALID", /flag.*null/],
    ["undefined", { grid, flag: undefined, row: [10] }, "INPUT_INVALID", /flag/],
    ["an object", { grid, flag: { a: 1 }, row: [10] }, "INPUT_INVALID", /flag/],
    ["an object without prototype", { grid, flag: Object.create(null), row: [10] }, "INPUT_INVALID", /flag/],
    ["a symbol", { grid, flag: Symbol("s"), row: [10] }, "INPUT_INVALID", /flag/],
    ["a function", { grid, flag: () => 1, row: [10] }, "INPUT_INVALID", /flag/],
    [
      "a bad value deep inside",
      {
        grid: [
          [1, 2, 3],
          [4, "x", 6],
        ],
        flag: 1,
        row: [10],
      },
      "INPUT_INVALID",
      /grid\[1\]\[1\]/,
    ],
  ];
  test.each(cases)("%s is refused with its name", async (_, inputs, code, message) => {
    await expectCode(() => prover.calculateWitness(zoo.arrays.wasm, inputs as never), code, message);
  });

  test.each([
    ["7f3a-secret"],
    [123.456789],
    [Number("98765432109876543210")],
    [Symbol("7f3a-secret")],
    [["7f3a-secret"]],
  ])("the value of an input is in no error (%s)", async (secret) => {
    const error: Error = await prover
      .calculateWitness(zoo.arrays.wasm, { grid, flag: secret, row: [10] } as never)
      .catch((e) => e);
    expect(error).toMatchObject({ code: "INPUT_INVALID", where: expect.stringMatching(/^input flag/) });
    const { stack, message, cause } = error;
    for (const text of [stack, message, String(cause), JSON.stringify(error)]) {
      expect(text).not.toMatch(/7f3a|456789|98765|9876/);
    }
    const whole = await prover.calculateWitness(zoo.arrays.wasm, "7f3a-secret" as never).catch((e) => e);
    expect(`${whole.message}${whole.stack}${whole.cause}`).not.toMatch(/7f3a/);
  });

  test("arrays nested deeper than the stack are refused, not overflowed", async () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    await expectCode(
      () => prover.calculateWitness(zoo.arrays.wasm, { grid, flag: deep, row: [10] } as never),
      "INPUT_INVALID",
      /flag/,
    );
  });

  test.each([[null], [undefined], [5], ["text"], [[]], [[1]]])(
    "inputs that are no object (%j) are refused",
    async (inputs) => {
      await expectCode(() => prover.calculateWitness(zoo.arrays.wasm, inputs as never), "INPUT_INVALID", /inputs/);
    },
  );

  test("inputs that the circuit rejects give WITNESS_FAILED, and the key goes on working", async () => {
    const { wasm, zkey, inputs } = zoo.one;
    await withKey(zkey, async (key) => {
      await expectCode(() => prove(key, { wasm, inputs: { a: 2, b: 2, c: 5 } }), "WITNESS_FAILED");
      await proveSoundly(key, { wasm, inputs: inputs[0] as never });
    });
  });

  test("a wasm that is no witness calculator over BN254 is refused with CIRCUIT_WASM", async () => {
    const empty = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    await expectCode(() => prover.calculateWitness(empty, {}), "CIRCUIT_WASM");
    await expectCode(() => prover.calculateWitness(new Uint8Array(0), {}), "CIRCUIT_WASM");
    await expectCode(() => prover.calculateWitness(zoo.one.zkey, {}), "CIRCUIT_WASM", /^.*final\.zkey: /);
    const wasm = await readFile(zoo.one.wasm);
    await expectCode(() => prover.calculateWitness(wasm.subarray(0, wasm.length - 100), {}), "CIRCUIT_WASM");
    for (const prime of ["bls12381", "goldilocks"]) {
      const foreign = await compileCircuit(
        "foreign",
        "template M() { signal input a; signal output b <== a * a; } component main = M();",
        {
          opts: ["--prime", prime],
        },
      );
      await expectCode(() => prover.calculateWitness(foreign.wasm, { a: 1 }), "CIRCUIT_WASM");
    }
  });

  test("a calculator that lacks an export, or computes nothing, is refused before any input is looked at", async () => {
    const refused = async (changes: Changes, message: RegExp) =>
      expectCode(() => prover.calculateWitness(calculator(changes), null as never), "CIRCUIT_WASM", message);
    await expectCode(() => prover.calculateWitness(calculator({}), { a: 1 }), "INPUT_UNKNOWN");
    for (const name of CALCULATOR.keys()) await refused({ without: name }, new RegExp(`no export ${name}\\b`));
    for (const n of [-1, 0]) await refused({ witnessSize: n }, new RegExp(`a witness of ${n} values`));
  });

  test("a calculator that crashes gives WITNESS_FAILED with its name, however it does", async () => {
    const failed = async (changes: Changes, message: RegExp) =>
      expectCode(() => prover.calculateWitness(calculator(changes), {}), "WITNESS_FAILED", message);
    await failed({ crash: [UNREACHABLE] }, /^circuit wasm \(in memory\): the witness calculator crashed.*unreachable/);
    // calls itself: the engine throws a RangeError
    await failed({ crash: [0x10, [...CALCULATOR.keys()].indexOf("getWitness")] }, /crashed.*call stack/);
    await failed({ witnessSize: 0x7fffffff }, /crashed/);
  });

  test("the witness of another circuit is refused by its length", async () => {
    await withKey(zoo.one.zkey, (key) =>
      expectCode(() => prove(key, { wasm: zoo.less.wasm, inputs: { in: [1, 2] } }), "WITNESS_LENGTH"),
    );
  });
});

describe("threads", () => {
  test.each([1, 2, 4, 9, "auto"] as const)("loaded with %s threads, proofs are valid", async (threads) => {
    const key = await loadProvingKey(zoo.hash.zkey, { threads });
    try {
      const { threads: used, sharedMemory } = key.info();
      expect(sharedMemory).toBe(true);
      if (threads === "auto") expect(used).toBeGreaterThanOrEqual(1);
      else expect(used).toBe(threads);
      await proveSoundly(key, zoo.hash.witnesses[2]!);
      await proveSoundly(key, zoo.hash.witnesses[0]!);
    } finally {
      await key.close();
    }
  });

  test("the number may change between proofs; it holds for one proof only", async () => {
    await withKey(
      zoo.cipher.zkey,
      async (key) => {
        for (const threads of [1, 4, 2, 9, 1, "auto"] as const) {
          await proveSoundly(key, zoo.cipher.witnesses[1]!, { threads });
          expect(key.info().threads).toBe(2);
        }
        await proveSoundly(key, zoo.cipher.witnesses[1]!);
      },
      2,
    );
  });

  test.each([0, -1, 1.5, 257, Number.NaN, "2", null])("%j is THREADS_INVALID", async (threads) => {
    await expectCode(() => loadProvingKey(zoo.one.zkey, { threads: threads as never }), "THREADS_INVALID");
    await withKey(zoo.one.zkey, async (key) => {
      await expectCode(() => prove(key, zoo.one.witnesses[0]!, { threads: threads as never }), "THREADS_INVALID");
      await proveSoundly(key, zoo.one.witnesses[0]!);
    });
  });
});

describe("many proofs", () => {
  test("concurrent calls on one key each give their own witness's proof", async () => {
    const { zkey, witnesses, vk } = zoo.mixed;
    await withKey(zkey, async (key) => {
      const jobs = Array.from({ length: 12 }, (_, i) => i % witnesses.length);
      const expected = [];
      for (const wtns of witnesses) expected.push((await prove(key, wtns)).publicSignals);
      const results = await Promise.all(jobs.map((w, i) => prove(key, witnesses[w]!, { threads: 1 + (i % 3) })));
      for (const [i, { proof, publicSignals }] of results.entries()) {
        expect(publicSignals).toEqual(expected[jobs[i]!]);
        expect(verify(vk, publicSignals, proof)).toBe(true);
      }
      expect(new Set(results.map(({ proof }) => proof.pi_a[0])).size).toBe(jobs.length);
    });
  });

  test("a failing proof between others does not touch them", async () => {
    const { zkey, witnesses, vk } = zoo.mixed;
    await withKey(zkey, async (key) => {
      const results = await Promise.allSettled([
        prove(key, witnesses[0]!),
        prove(key, zoo.one.witnesses[0]!),
        prove(key, witnesses[2]!),
        prove(key, "/no/such.wtns"),
        prove(key, witnesses[3]!),
      ]);
      expect(results.map((r) => r.status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
      for (const r of results) {
        if (r.status === "fulfilled") expect(verify(vk, r.value.publicSignals, r.value.proof)).toBe(true);
      }
    });
  });

  test("two keys side by side, and the one outlives the other", async () => {
    const one = await loadProvingKey(zoo.hash.zkey, { threads: 2 });
    const other = await loadProvingKey(zoo.less.zkey, { threads: 2 });
    try {
      const [a, b] = await Promise.all([prove(one, zoo.hash.witnesses[2]!), prove(other, zoo.less.witnesses[1]!)]);
      expect(verify(zoo.hash.vk, a.publicSignals, a.proof)).toBe(true);
      expect(verify(zoo.less.vk, b.publicSignals, b.proof)).toBe(true);
      await one.close();
      await proveSoundly(other, zoo.less.witnesses[2]!);
      await expectCode(() => prove(one, zoo.hash.witnesses[2]!), "KEY_CLOSED");
    } finally {
      await Promise.all([one.close(), other.close()]);
    }
  });

  test("memory does not grow over 30 proofs, failed and aborted ones among them", async () => {
    const { zkey, witnesses } = zoo.hash;
    await withKey(
      zkey,
      async (key) => {
        // every thread has had every kind of task: their scratch memory has its final size
        for (let i = 0; i < 4; i++) await prove(key, witnesses[i % witnesses.length]!);
        const { memory } = key.info();
        for (let i = 0; i < 30; i++) {
          if (i % 5 === 3) await expectCode(() => prove(key, zoo.one.witnesses[0]!), "WITNESS_LENGTH");
          else if (i % 5 === 4) await abortAt(key, witnesses[0]!, i);
          else await prove(key, witnesses[i % witnesses.length]!);
          expect(key.info().memory, `after proof ${i}`).toBe(memory);
        }
      },
      2,
    );
  });
});

/** Aborts a proof after `units` of its progress and checks that it rejects with the signal's own reason. */
async function abortAt(key: ProvingKey, witness: Source, units: number): Promise<void> {
  const controller = new AbortController();
  const reason = new Error(`abort at ${units}`);
  const onProgress = ({ done }: Progress) => {
    if (done >= units) controller.abort(reason);
  };
  expect(await failureOf(() => prove(key, witness, { signal: controller.signal, onProgress }))).toBe(reason);
}

describe("the verifying key that proofs are meant for", () => {
  test("its own counterpart loads, with and without the redundant part", async () => {
    const { zkey, vk, witnesses } = zoo.hash;
    const { vk_alphabeta_12: _, ...points } = vk;
    for (const verifyingKey of [vk, points as typeof vk, JSON.parse(JSON.stringify(vk))]) {
      const key = await loadProvingKey(zkey, { verifyingKey });
      await proveSoundly(key, witnesses[0]!);
      await key.close();
    }
  });

  test("any other is ZKEY_UNEXPECTED, with the field", async () => {
    const { zkey, vk } = zoo.hash;
    const other = zoo.mixed.vk;
    for (const [field, value] of Object.entries({
      protocol: "plonk",
      curve: "bls12381",
      nPublic: vk.nPublic + 1,
      vk_alpha_1: vk.IC[0],
      vk_beta_2: vk.vk_gamma_2,
      vk_gamma_2: vk.vk_beta_2,
      vk_delta_2: other.vk_delta_2,
      IC: vk.IC.slice(1),
    })) {
      await expectCode(
        () => loadProvingKey(zkey, { verifyingKey: { ...vk, [field]: value } as typeof vk }),
        "ZKEY_UNEXPECTED",
        new RegExp(`${field}\\b`),
      );
    }
    for (const bad of [null, {}, [], "vk", 7]) {
      await expectCode(() => loadProvingKey(zkey, { verifyingKey: bad as never }), "ZKEY_UNEXPECTED", /protocol/);
    }
  });

  test("a key that calls private signals public does not get as far as a proof", async () => {
    const { r1cs } = await compileCircuit(
      "private-factors",
      `pragma circom 2.0.0;
       template Factors() { signal input a; signal input b; a * b === 15; }
       component main = Factors();`,
    );
    const honest = await setup.setup(r1cs);
    // nPubIn and nPrvIn of the r1cs header
    const bytes = Buffer.from(await readFile(r1cs));
    const greedy = editSection(bytes, 1, (header) => {
      const at = 4 + 32 + 8;
      header.writeUInt32LE(header.readUInt32LE(at + 4), at);
      header.writeUInt32LE(0, at + 4);
    });
    const { zkey } = await setup.setup(greedy);
    await withKey(Buffer.concat(zkey), async (key) => expect(key.nPublic).toBe(2));
    await expectCode(
      () => loadProvingKey(Buffer.concat(zkey), { verifyingKey: honest.verifyingKey }),
      "ZKEY_UNEXPECTED",
      /nPublic/,
    );
  });

  test("what a key says of itself cannot be changed", async () => {
    await withKey(zoo.hash.zkey, async (key) => {
      expect(() => Object.assign(key.verifyingKey, { nPublic: 77 })).toThrow(TypeError);
      expect(() => Object.assign(key.verifyingKey.IC[0]!, { 0: "1" })).toThrow(TypeError);
      expect(key.verifyingKey).toEqual(zoo.hash.vk);
    });
  });
});

describe("progress", () => {
  test("of loading and proving: each stage ascends from 0 to its total, one after the other", async () => {
    const events: Progress[] = [];
    const onProgress = (progress: Progress) => events.push(progress);
    const key = await loadProvingKey(zoo.hash.zkey, { onProgress });
    try {
      await prove(key, zoo.hash.witnesses[0]!, { onProgress });
      await prove(key, zoo.hash.witnesses[0]!, { onProgress, selfCheck: false });
    } finally {
      await key.close();
    }
    const runs: Progress[][] = [];
    for (const event of events) {
      if (runs.at(-1)?.at(-1)?.stage === event.stage) runs.at(-1)!.push(event);
      else runs.push([event]);
    }
    expect(runs.map((run) => run[0]!.stage)).toEqual(["load", "prove", "check", "prove"]);
    for (const run of runs) {
      const { total } = run[0]!;
      expect(total).toBeGreaterThan(0);
      expect(run.every((p) => p.total === total)).toBe(true);
      expect(run[0]!.done).toBe(0);
      expect(run.at(-1)!.done).toBe(total);
      run.slice(1).forEach((p, i) => {
        expect(p.done).toBeGreaterThan(run[i]!.done);
      });
    }
  });
});

describe("ending work early", () => {
  let bigKey: Uint8Array;
  let bigWitness: string;
  const LIMIT = 2000;

  beforeAll(async () => {
    const { r1cs, wasm } = await compileCircuit(
      "preimage",
      await readFile(`${ROOT}circuits/example/preimage.circom`, "utf8"),
    );
    bigKey = Buffer.concat((await setup.setup(r1cs)).zkey);
    bigWitness = await snarkjsWitness(wasm, { salt: 1, secret: 2 });
  });

  test("an aborted signal ends load and prove before they begin", async () => {
    const reason = { any: "value" };
    const signal = AbortSignal.abort(reason);
    expect(await failureOf(() => loadProvingKey("/no/such.zkey", { signal }))).toBe(reason);
    await withKey(zoo.one.zkey, async (key) => {
      expect(await failureOf(() => prove(key, "/no/such.wtns", { signal }))).toBe(reason);
      expect(await failureOf(() => prove(key, zoo.one.witnesses[0]!, { signal: AbortSignal.abort() }))).toMatchObject({
        name: "AbortError",
      });
      await proveSoundly(key, zoo.one.witnesses[0]!);
    });
  });

  test("an abort while loading rejects with its reason, wherever it comes", async () => {
    for (const share of [0.001, 0.2, 0.6, 0.95]) {
      const controller = new AbortController();
      const reason = new Error(`at ${share}`);
      let at = 0;
      const onProgress = ({ done, total }: Progress) => {
        if (done < share * total || controller.signal.aborted) return;
        at = performance.now();
        controller.abort(reason);
      };
      expect(await failureOf(() => loadProvingKey(bigKey, { signal: controller.signal, onProgress }))).toBe(reason);
      expect(performance.now() - at).toBeLessThan(LIMIT);
    }
  });

  test("an abort while proving rejects with its reason within two seconds, and the key proves again", async () => {
    await withKey(bigKey, async (key) => {
      for (const threads of [1, 2, 4]) {
        for (const share of [0, 0.03, 0.1, 0.5, 0.9, 1]) {
          const controller = new AbortController();
          const reason = new Error(`at ${share}`);
          let at = 0;
          const onProgress = ({ stage, done, total }: Progress) => {
            if (stage !== "prove" || done < share * total || controller.signal.aborted) return;
            at = performance.now();
            controller.abort(reason);
          };
          const { signal } = controller;
          expect(await failureOf(() => prove(key, bigWitness, { signal, onProgress, threads }))).toBe(reason);
          expect(performance.now() - at).toBeLessThan(LIMIT);
        }
        const { proof, publicSignals } = await prove(key, bigWitness, { threads });
        expect(verify(key.verifyingKey, publicSignals, proof)).toBe(true);
      }
    });
  });

  test("an abort at any time: the proof is either whole or rejected with the reason", async () => {
    await withKey(bigKey, async (key) => {
      let aborted = 0;
      for (let ms = 0; ms < 400; ms += 25) {
        const controller = new AbortController();
        const reason = new Error(`after ${ms} ms`);
        const timer = setTimeout(() => controller.abort(reason), ms);
        const result = await prove(key, bigWitness, { signal: controller.signal, selfCheck: false }).catch((e) => e);
        clearTimeout(timer);
        if (result === reason) aborted++;
        else expect(verify(key.verifyingKey, result.publicSignals, result.proof)).toBe(true);
      }
      expect(aborted).toBeGreaterThan(0);
      await proveSoundly(key, bigWitness);
    });
  });

  test("an abort while waiting behind another proof ends the wait's call only", async () => {
    await withKey(bigKey, async (key) => {
      const controller = new AbortController();
      const first = prove(key, bigWitness);
      const second = prove(key, bigWitness, { signal: controller.signal });
      const third = prove(key, bigWitness);
      controller.abort("enough");
      const [a, b, c] = await Promise.allSettled([first, second, third]);
      expect([a.status, b, c.status]).toEqual(["fulfilled", { status: "rejected", reason: "enough" }, "fulfilled"]);
    });
  });

  test("an abort of a waiting proof does not wait for the one before it, nor does a slow witness hold up others", async () => {
    const server = await startServer((_, response) => {
      response.writeHead(200, { "content-length": 1000 }).write("wtns");
    });
    try {
      await withKey(bigKey, async (key) => {
        const order: string[] = [];
        const controller = new AbortController();
        const slow = prove(key, `${server.origin}/witness`, { signal: controller.signal }).catch(() =>
          order.push("slow"),
        );
        const first = prove(key, bigWitness, { onProgress: () => order.push("first") });
        const waiting = prove(key, bigWitness, { signal: AbortSignal.timeout(1) }).catch(() => order.push("waiting"));
        await waiting;
        const at = order.indexOf("waiting");
        await first;
        expect(order.indexOf("first", at)).toBeGreaterThan(at);
        expect(order).not.toContain("slow");
        controller.abort();
        await slow;
      });
    } finally {
      await server.close();
    }
  });

  test("what onProgress throws ends the work, and the key proves again", async () => {
    for (const stage of ["load", "prove", "check"]) {
      for (const share of [0, 0.3, 1]) {
        const reason = new Error(`${stage} at ${share}`);
        const onProgress = (p: Progress) => {
          if (p.stage === stage && p.done >= share * p.total) throw reason;
        };
        if (stage === "load") expect(await failureOf(() => loadProvingKey(bigKey, { onProgress }))).toBe(reason);
        else {
          await withKey(zoo.hash.zkey, async (key) => {
            expect(await failureOf(() => prove(key, zoo.hash.witnesses[0]!, { onProgress }))).toBe(reason);
            await proveSoundly(key, zoo.hash.witnesses[0]!);
          });
        }
      }
    }
  });

  test("an abort ends a download that hangs", async () => {
    const bytes = await readFile(zoo.one.zkey);
    const asked: string[] = [];
    const server = await startServer((request, response) => {
      asked.push(request.url!);
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 100));
    });
    try {
      for (const work of [
        (signal: AbortSignal) => loadProvingKey(`${server.origin}/key`, { signal }),
        (signal: AbortSignal) => withKey(zoo.one.zkey, (key) => prove(key, `${server.origin}/witness`, { signal })),
      ]) {
        const controller = new AbortController();
        const reason = new Error("too slow");
        const count = asked.length;
        const failure = failureOf(() => work(controller.signal));
        while (asked.length === count) await delay(5);
        controller.abort(reason);
        const at = performance.now();
        expect(await failure).toBe(reason);
        expect(performance.now() - at).toBeLessThan(LIMIT);
      }
    } finally {
      await server.close();
    }
  });

  test("close() while proving rejects that proof and all that wait with KEY_CLOSED", async () => {
    // in memory: proofs are made in the order in which their witnesses are there
    const witness = await readFile(bigWitness);
    for (const share of [0, 0.05, 0.5, 1]) {
      const key = await loadProvingKey(bigKey);
      let closing: Promise<void> | undefined;
      const onProgress = ({ done, total }: Progress) => {
        if (done >= share * total) closing ??= key.close();
      };
      const proofs = [prove(key, witness, { onProgress }), prove(key, witness), prove(key, witness)];
      const results = await Promise.allSettled(proofs);
      await closing;
      const [first, ...rest] = results.map((r) =>
        r.status === "rejected" ? (r.reason as { code?: string }).code : r.value,
      );
      expect(rest).toEqual(["KEY_CLOSED", "KEY_CLOSED"]);
      // at the last unit nothing is left to end but the sum of the sums
      if (share < 1) expect(first).toBe("KEY_CLOSED");
      else if (typeof first !== "string")
        expect(verify(key.verifyingKey, first!.publicSignals, first!.proof)).toBe(true);
      else expect(first).toBe("KEY_CLOSED");
    }
  });

  test("a closed key stays closed: prove rejects with KEY_CLOSED, close() again is fine", async () => {
    const key = await loadProvingKey(zoo.one.zkey);
    await proveSoundly(key, zoo.one.witnesses[0]!);
    await Promise.all([key.close(), key.close()]);
    await key.close();
    await expectCode(async () => key.info(), "KEY_CLOSED");
    const error = await failureOf(() => prove(key, zoo.one.witnesses[0]!));
    expect(error).toBeInstanceOf(ProverError);
    expect((error as InstanceType<typeof ProverError>).code).toBe("KEY_CLOSED");
    expect((error as Error).message).toContain(zoo.one.zkey);
    expect(verify(key.verifyingKey, [], { pi_a: [] })).toBe(false);
  });

  test("a key that is disposed of is closed", async () => {
    const key = await loadProvingKey(zoo.one.zkey);
    await key[Symbol.asyncDispose]();
    await expectCode(() => prove(key, zoo.one.witnesses[0]!), "KEY_CLOSED");
  });

  test("an engine that may not take the memory it needs refuses with OUT_OF_MEMORY and leaves nothing running", async () => {
    await expectCode(() => loadProvingKey(bigKey, { maxMemory: 1 << 21 }), "OUT_OF_MEMORY");
    await expectCode(() => loadProvingKey(zoo.one.zkey, { maxMemory: 1 }), "OUT_OF_MEMORY");
    const key = await loadProvingKey(bigKey, { threads: 1 });
    const { memory } = key.info();
    await key.close();
    const tight = await loadProvingKey(bigKey, { threads: 1, maxMemory: memory });
    try {
      for (let i = 0; i < 2; i++) await expectCode(() => prove(tight, bigWitness), "OUT_OF_MEMORY");
      expect(tight.info().memory).toBeLessThanOrEqual(memory);
    } finally {
      await tight.close();
    }
  });
});

describe("whole processes", () => {
  const script = (body: string, before = "") => `${before}
    const { loadProvingKey, prove } = await import("chunkproof/prover");
    const [zkey, wtns] = ${JSON.stringify([zoo.hash.zkey, zoo.hash.witnesses[2]])};
    ${body}`;

  test("a process that forgets close() exits by itself, with every outcome of a proof", async () => {
    const { code, stdout, stderr, ms } = await runModule(
      script(`
        const key = await loadProvingKey(zkey, { threads: 4 });
        const { publicSignals } = await prove(key, wtns);
        await prove(key, "/no/such.wtns").catch(() => {});
        const controller = new AbortController();
        const onProgress = ({ done }) => { if (done === 3) controller.abort(); };
        await prove(key, wtns, { signal: controller.signal, onProgress }).catch((e) => console.log(e.name));
        const unproved = await loadProvingKey(zkey);
        console.log(publicSignals.length);`),
      { limit: 20_000 },
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "AbortError\n1\n", stderr: "" });
    expect(ms).toBeLessThan(20_000);
  });

  test("a proof under way keeps the process alive until it is done", async () => {
    const { code, stdout, stderr } = await runModule(
      script(`loadProvingKey(zkey).then((key) => prove(key, wtns)).then((r) => console.log(JSON.stringify(r)));`),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { proof, publicSignals } = JSON.parse(stdout);
    expect(await snarkjs.groth16.verify(zoo.hash.vk, publicSignals, proof)).toBe(true);
  });

  test("without SharedArrayBuffer everything runs on the calling thread: same results, same errors", async () => {
    const { code, stdout, stderr } = await runModule(
      script(
        `
        const log = (value) => console.log(JSON.stringify(value));
        const key = await loadProvingKey(zkey, { threads: 4 });
        log(key.info());
        log(await Promise.all([prove(key, wtns, { threads: 2 }), prove(key, wtns)]));
        const controller = new AbortController();
        const onProgress = ({ done }) => { if (done === 3) controller.abort("stop"); };
        log(await prove(key, wtns, { signal: controller.signal, onProgress }).catch((e) => e));
        setTimeout(() => controller.abort(), 1);
        log(await prove(key, zkey).catch((e) => e.code));
        const before = key.info().memory;
        for (let i = 0; i < 5; i++) await prove(key, wtns);
        log(key.info().memory - before);
        const closing = prove(key, wtns, { onProgress: ({ done }) => { if (done === 5) key.close(); } });
        log(await closing.catch((e) => e.code));
        log(await prove(key, wtns).catch((e) => e.code));`,
        "delete globalThis.SharedArrayBuffer;",
      ),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [info, proofs, aborted, foreign, growth, closed, after] = stdout
      .trim()
      .split("\n")
      .map((l) => JSON.parse(l));
    expect(info).toMatchObject({ backend: "wasm", threads: 1, sharedMemory: false });
    for (const { proof, publicSignals } of proofs) {
      expect(await snarkjs.groth16.verify(zoo.hash.vk, publicSignals, proof)).toBe(true);
    }
    expect([aborted, foreign, growth, closed, after]).toEqual(["stop", "BINFILE_MAGIC", 0, "KEY_CLOSED", "KEY_CLOSED"]);
  });

  test("inside a worker thread of the caller's, proofs are valid and the worker ends", async () => {
    const { code, stdout, stderr } = await runModule(
      `import { Worker } from "node:worker_threads";
      const body = ${JSON.stringify(
        script(`
        const { parentPort } = await import("node:worker_threads");
        const key = await loadProvingKey(zkey, { threads: 2 });
        parentPort.postMessage(await prove(key, wtns));`),
      )};
      const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(body.replaceAll("chunkproof/prover", import.meta.resolve("chunkproof/prover")))));
      worker.on("message", (m) => console.log(JSON.stringify(m)));
      worker.on("exit", (code) => process.exitCode = code);`,
      { limit: 20_000 },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { proof, publicSignals } = JSON.parse(stdout);
    expect(verify(zoo.hash.vk, publicSignals, proof)).toBe(true);
  });

  /** Puts another Worker class in the place of Node's before chunkproof is imported. */
  const withWorker = (members: string) => `
    import threads from "node:worker_threads";
    import { syncBuiltinESMExports } from "node:module";
    let sent = 0;
    threads.Worker = class extends threads.Worker { ${members} };
    syncBuiltinESMExports();`;

  test("threads that cannot be started are WORKER_FAILED, not a hang", async () => {
    const { code, stdout, stderr } = await runModule(
      script(
        `console.log((await loadProvingKey(zkey).catch((e) => e)).code);`,
        withWorker(`constructor() { throw new Error("no threads here"); }`),
      ),
      { limit: 20_000 },
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "WORKER_FAILED\n", stderr: "" });
  });

  test("a thread that dies during a proof is WORKER_FAILED for that proof and the key, not a hang", async () => {
    const { code, stdout, stderr } = await runModule(
      script(
        `const key = await loadProvingKey(zkey, { threads: 2 });
        const onProgress = ({ done }) => { if (done === 5) sent = Infinity; };
        console.log((await prove(key, wtns, { onProgress }).catch((e) => e)).code);
        console.log((await prove(key, wtns).catch((e) => e)).code);
        await key.close();`,
        withWorker(`postMessage(m) { if (sent === Infinity) this.terminate(); else super.postMessage(m); }`),
      ),
      { limit: 20_000 },
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "WORKER_FAILED\nWORKER_FAILED\n", stderr: "" });
  });
});

test("errors name the class they are documented with", async () => {
  expect(await failureOf(() => loadProvingKey("/no/such.zkey"))).toBeInstanceOf(FormatError);
  expect(await failureOf(() => loadProvingKey(zoo.one.zkey, { threads: 0 }))).toBeInstanceOf(ProverError);
});

const UNREACHABLE = 0x00;
/** Results and number of i32 parameters of a calculator's exports. */
const CALCULATOR = new Map<string, [parameters: number, results: number]>([
  ["init", [1, 0]],
  ["getFieldNumLen32", [0, 1]],
  ["getRawPrime", [0, 0]],
  ["readSharedRWMemory", [1, 1]],
  ["writeSharedRWMemory", [2, 0]],
  ["getInputSignalSize", [2, 1]],
  ["setInputSignal", [3, 0]],
  ["getInputSize", [0, 1]],
  ["getWitnessSize", [0, 1]],
  ["getWitness", [1, 0]],
  ["getMessageChar", [0, 1]],
]);

interface Changes {
  /** Export to leave out. */
  readonly without?: string;
  readonly witnessSize?: number;
  /** Code of `getWitness`, in front of its end. */
  readonly crash?: readonly number[];
}

/** A WebAssembly module with the exports of a calculator for a circuit without inputs; it computes zeros. */
function calculator({ without, witnessSize = 1, crash = [] }: Changes): Uint8Array {
  const leb = (value: number): number[] => {
    const bytes: number[] = [];
    for (let v = value; ; v >>= 7) {
      if (v === (v << 25) >> 25) return [...bytes, v & 0x7f];
      bytes.push((v & 0x7f) | 0x80);
    }
  };
  const unsigned = (n: number): number[] => (n < 128 ? [n] : [(n & 0x7f) | 0x80, n >> 7]);
  const vector = (items: readonly number[][]) => [...unsigned(items.length), ...items.flat()];
  const section = (id: number, items: readonly number[][]) => {
    const content = vector(items);
    return [id, ...unsigned(content.length), ...content];
  };
  const constant = (value: number) => [0x41, ...leb(value)];
  const modulus = Array.from({ length: 8 }, (_, j) => Number((R >> BigInt(32 * j)) & 0xffffffffn) | 0);
  const bodies: Record<string, number[]> = {
    getFieldNumLen32: constant(8),
    // selects word i of the modulus: word 0 if i = 0, else word 1 if i = 1, …
    readSharedRWMemory: [
      ...modulus.flatMap(constant),
      ...modulus.slice(1).flatMap((_, k) => [0x20, 0, ...constant(modulus.length - 1 - k), 0x48, 0x1b]),
    ],
    getWitnessSize: constant(witnessSize),
    getWitness: crash[0] === 0x10 ? [0x20, 0, ...crash] : [...crash],
  };
  const all = [...CALCULATOR];
  const i32 = 0x7f;
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      all.map(([, [parameters, results]]) => [
        0x60,
        parameters,
        ...Array<number>(parameters).fill(i32),
        results,
        ...Array<number>(results).fill(i32),
      ]),
    ),
    ...section(
      3,
      all.map((_, i) => [i]),
    ),
    ...section(
      7,
      all.flatMap(([name], i) => (name === without ? [] : [[name.length, ...new TextEncoder().encode(name), 0, i]])),
    ),
    ...section(
      10,
      all.map(([name, [, results]]) => {
        const body = [0, ...(bodies[name] ?? (results === 1 ? constant(0) : [])), 0x0b];
        return [...unsigned(body.length), ...body];
      }),
    ),
  ]);
}
