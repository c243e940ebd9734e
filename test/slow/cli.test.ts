import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, open, readdir, readFile, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { writeFilesAtomic } from "../../src/platform/node.js";
import {
  type ChildOptions,
  type Finished,
  type LocalServer,
  runModule,
  startNode,
  startServer,
  verifier,
} from "../support/built.js";
import { closeSnarkjs, compileCircuit, ROOT, snarkjs, snarkjsPtau, snarkjsWitness } from "../support/circuits.js";
import { editSection } from "../support/containers.js";
import { POWER, type Specimen, specimen, temporaryFolder } from "../support/zoo.js";

const require = createRequire(import.meta.url);
const BIN = join(ROOT, require("../../package.json").bin.chunkproof);
const SNARKJS = join(ROOT, "node_modules/snarkjs/cli.js");
const OUTPUT = pathToFileURL(join(ROOT, "dist/cli/output.js")).href;
const VERSION: string = require("../../package.json").version;

let circuit: Specimen;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
/** Files that all tests may read: verifying key, valid proof and public signals. */
let good: { vkey: string; proof: string; public: string; input: string };

/** Runs the command with these arguments in an empty folder of the test's own. */
let cwd: string;
const cli = (args: readonly string[], options: ChildOptions = {}) =>
  startNode([BIN, ...args], { cwd, ...options }).done;
const groth16 = (...args: string[]) => cli(["groth16", ...args]);
const json = async (path: string) => JSON.parse(await readFile(join(cwd, path), "utf8"));
const files = async () => (await readdir(cwd)).sort();

beforeAll(async () => {
  folder = await temporaryFolder();
  circuit = await specimen("mixed");
  cwd = folder.path("good");
  await mkdir(cwd);
  good = {
    vkey: join(cwd, "vkey.json"),
    proof: join(cwd, "proof.json"),
    public: join(cwd, "public.json"),
    input: join(cwd, "input.json"),
  };
  await writeFile(good.vkey, JSON.stringify(circuit.vk));
  const { proof, publicSignals } = await snarkjs.groth16.prove(circuit.zkey, circuit.witnesses[0]);
  await writeFile(good.proof, JSON.stringify(proof));
  await writeFile(good.public, JSON.stringify(publicSignals));
  await writeFile(good.input, JSON.stringify(circuit.inputs[0]));
});

afterAll(async () => {
  await closeSnarkjs();
  await folder.remove();
});

let counter = 0;
beforeEach(async () => {
  cwd = folder.path(`test-${counter++}`);
  await mkdir(cwd);
});

/** Expects an exit code, nothing on stdout, and one line on stderr. */
function expectLine({ code, stdout, stderr }: Finished, expected: number, line: RegExp): void {
  expect({ code, stdout, stderr }).toEqual({ code: expected, stdout: "", stderr: expect.stringMatching(/^[^\n]+\n$/) });
  expect(stderr).toMatch(line);
}

describe("the way of a circuit through every command", () => {
  test("setup, vkey, prove, fullprove, verify: quiet when piped, and snarkjs' own CLI accepts the files", async () => {
    const setup = await groth16("setup", circuit.r1cs, "key.zkey");
    expect({ code: setup.code, stdout: setup.stdout }).toEqual({ code: 0, stdout: "" });
    expect(setup.stderr).toMatch(/^warning: .*NOT FOR PRODUCTION.*\n.*key\.zkey\n$/);

    expectLine(await groth16("vkey", "key.zkey", "vkey.json"), 0, /4 public signals.*vkey\.json/);
    const theirs = await snarkjs.zKey.exportVerificationKey(join(cwd, "key.zkey"));
    expect((await readFile(join(cwd, "vkey.json"), "utf8")).trimEnd()).toBe(JSON.stringify(theirs, null, 1));

    const wtns = circuit.witnesses[0]!;
    expectLine(
      await groth16("prove", "key.zkey", wtns, "proof.json", "public.json"),
      0,
      /proof\.json.*4.*public\.json/,
    );
    expectLine(await groth16("verify", "vkey.json", "public.json", "proof.json"), 0, /^OK/);

    const full = ["fullprove", good.input, circuit.wasm, "key.zkey", "proof2.json", "public2.json"];
    expectLine(await groth16(...full), 0, /proof2\.json.*4.*public2\.json/);
    expect(await json("public2.json")).toEqual(await json("public.json"));
    expect(await json("public.json")).toEqual(JSON.parse(await readFile(good.public, "utf8")));
    expect(await json("proof2.json")).not.toEqual(await json("proof.json"));

    for (const [signals, proof] of [
      ["public.json", "proof.json"],
      ["public2.json", "proof2.json"],
    ] as const) {
      const verdict = await startNode([SNARKJS, "groth16", "verify", "vkey.json", signals, proof], { cwd }).done;
      expect(verdict.stdout).toMatch(/OK!/);
      expect(verdict.code).toBe(0);
      // layout: snarkjs' indentation, one proof one file
      const text = await readFile(join(cwd, proof), "utf8");
      expect(text.trimEnd()).toBe(JSON.stringify(JSON.parse(text), null, 1));
    }
    expect(await files()).toEqual([
      "key.zkey",
      "proof.json",
      "proof2.json",
      "public.json",
      "public2.json",
      "vkey.json",
    ]);
  });

  test("what snarkjs' CLI proves with our key, we verify: arguments stand in the same order", async () => {
    await groth16("setup", circuit.r1cs, "key.zkey");
    await groth16("vkey", "key.zkey", "vkey.json");
    const run = (...args: string[]) => startNode([SNARKJS, "groth16", ...args], { cwd }).done;
    const prove = ["prove", "key.zkey", circuit.witnesses[0]!, "proof.json", "public.json"];
    expect((await run(...prove)).code).toBe(0);
    expectLine(await groth16("verify", "vkey.json", "public.json", "proof.json"), 0, /^OK/);
    const full = ["fullprove", good.input, circuit.wasm, "key.zkey", "proof.json", "public.json"];
    expect((await run(...full)).code).toBe(0);
    expectLine(await groth16("verify", "vkey.json", "public.json", "proof.json"), 0, /^OK/);
    // and the same lines are ours
    expect((await groth16(...prove)).code).toBe(0);
    expect((await groth16(...full)).code).toBe(0);
    expect((await run("verify", "vkey.json", "public.json", "proof.json")).code).toBe(0);
  });

  test("the command also runs by way of a link, as npm installs it", async () => {
    await symlink(BIN, join(cwd, "chunkproof"));
    const { code, stdout } = await startNode([join(cwd, "chunkproof"), "--version"], { cwd }).done;
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${VERSION}\n` });
    expect(await readFile(BIN, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  test.runIf(existsSync("/usr/bin/script"))("on a terminal there is a progress bar, and the process ends", async () => {
    const command = [
      process.execPath,
      BIN,
      "groth16",
      "prove",
      circuit.zkey,
      circuit.witnesses[0]!,
      "p.json",
      "s.json",
    ];
    const terminal = `
      const { spawnSync } = require("node:child_process");
      const { status, stdout } = spawnSync("script", ["-qec", ${JSON.stringify(command.join(" "))}, "/dev/null"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
      process.stdout.write(stdout);
      process.exitCode = status;`;
    const { code, stdout } = await startNode(["-e", terminal], { cwd, env: { TERM: "xterm" } }).done;
    expect(code).toBe(0);
    expect(stdout).toMatch(/load .*\d+%/);
    expect(stdout).toMatch(/prove .*\d+%/);
    expect(await files()).toEqual(["p.json", "s.json"]);
  });
});

describe("--json and --quiet", () => {
  /** The one object on stdout. */
  function resultOf({ stdout, stderr }: Finished) {
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^[^\n]+\n$/);
    return JSON.parse(stdout);
  }
  const ms = expect.any(Number);

  test("--json prints one object with command, ok, ms and what was done, nothing else", async () => {
    const setup = resultOf(await groth16("setup", circuit.r1cs, "key.zkey", "--json"));
    expect(setup).toMatchObject({ command: "groth16 setup", ok: true, ms, zkey: "key.zkey", nPublic: 4 });
    expect(setup.warning).toMatch(/NOT FOR PRODUCTION/);
    for (const field of ["nConstraints", "nVars", "domainSize"]) expect(setup[field]).toBeGreaterThan(0);

    const vkey = resultOf(await groth16("vkey", "key.zkey", "vkey.json", "--json"));
    expect(vkey).toEqual({ command: "groth16 vkey", ok: true, ms, vkey: "vkey.json", nPublic: 4 });

    const options = ["--json", "--threads", "2"];
    const proved = resultOf(await groth16("prove", "key.zkey", circuit.witnesses[0]!, "p.json", "s.json", ...options));
    expect(proved).toMatchObject({
      command: "groth16 prove",
      ok: true,
      ms,
      proof: "p.json",
      public: "s.json",
      nPublic: 4,
    });
    expect(proved).toMatchObject({ selfChecked: true, backend: "wasm", threads: 2, sharedMemory: true });

    const full = resultOf(
      await groth16("fullprove", good.input, circuit.wasm, "key.zkey", "p.json", "s.json", "--json", "--no-self-check"),
    );
    expect(full).toMatchObject({ command: "groth16 fullprove", ok: true, selfChecked: false });

    const valid = await groth16("verify", "vkey.json", "s.json", "p.json", "--json");
    expect(valid.code).toBe(0);
    expect(resultOf(valid)).toEqual({ command: "groth16 verify", ok: true, valid: true, ms });

    const invalid = await groth16("verify", good.vkey, "s.json", "p.json", "--json");
    expect(invalid.code).toBe(1);
    expect(resultOf(invalid)).toMatchObject({
      command: "groth16 verify",
      ok: false,
      valid: false,
      reason: "PROOF_INVALID",
      ms,
    });

    const failed = await groth16("verify", "none.json", "s.json", "p.json", "--json");
    expect(failed.code).toBe(2);
    const { command, ok, error } = resultOf(failed);
    expect({ command, ok }).toEqual({ command: "groth16 verify", ok: false });
    expect(error).toMatchObject({
      code: "FILE_NOT_FOUND",
      where: "none.json",
      message: expect.stringContaining("none.json"),
    });
  });

  test("--quiet leaves errors and the warning of setup", async () => {
    const setup = await groth16("setup", circuit.r1cs, "key.zkey", "--quiet");
    expectLine(setup, 0, /^warning: .*NOT FOR PRODUCTION/);
    for (const args of [
      ["vkey", "key.zkey", "vkey.json", "-q"],
      ["prove", "key.zkey", circuit.witnesses[0]!, "p.json", "s.json", "--quiet"],
      ["verify", "vkey.json", "s.json", "p.json", "-q"],
    ]) {
      const { code, stdout, stderr } = await groth16(...args);
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    }
    expectLine(await groth16("vkey", "none.zkey", "vkey.json", "-q"), 2, /^error: none\.zkey: .*\[FILE_NOT_FOUND\]$/m);
  });
});

test("setup warns NOT FOR PRODUCTION on each run, and the key says so itself", async () => {
  for (let i = 0; i < 2; i++) {
    expect((await groth16("setup", circuit.r1cs, "key.zkey")).stderr).toMatch(/NOT FOR PRODUCTION/);
  }
  expect((await readFile(join(cwd, "key.zkey"))).includes("NOT FOR PRODUCTION")).toBe(true);
});

describe("verify: 0 valid, 1 not valid, 2 the files are not what they should be", () => {
  /** Runs verify with changed content of the good files; text is written as it is. */
  async function verifyWith(changed: { vkey?: unknown; public?: unknown; proof?: unknown }, ...options: string[]) {
    const paths: string[] = [];
    for (const name of ["vkey", "public", "proof"] as const) {
      if (!(name in changed)) {
        paths.push(good[name]);
        continue;
      }
      const content = changed[name];
      await writeFile(join(cwd, `${name}.json`), typeof content === "string" ? content : JSON.stringify(content));
      paths.push(`${name}.json`);
    }
    return groth16("verify", ...paths, ...options);
  }
  const load = async (name: keyof typeof good) => JSON.parse(await readFile(good[name], "utf8"));

  test("1: another statement, another proof, points and numbers that are none; the file is named", async () => {
    const proof = await load("proof");
    const signals: string[] = await load("public");
    const q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
    const r = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
    const cases: [string, string, { public?: unknown; proof?: unknown }][] = [
      ["wrong signal", "PROOF_INVALID", { public: [String(BigInt(signals[0]!) + 1n), ...signals.slice(1)] }],
      ["swapped signals", "PROOF_INVALID", { public: [signals[1], signals[0], ...signals.slice(2)] }],
      ["one signal less", "SIGNALS_COUNT", { public: signals.slice(1) }],
      ["one signal more", "SIGNALS_COUNT", { public: [...signals, "0"] }],
      ["no signals", "SIGNALS_COUNT", { public: [] }],
      ["signal + r", "SIGNALS_NON_CANONICAL", { public: [String(BigInt(signals[0]!) + r), ...signals.slice(1)] }],
      ["A for C", "PROOF_INVALID", { proof: { ...proof, pi_c: proof.pi_a } }],
      ["A off the curve", "PROOF_POINT_NOT_ON_CURVE", { proof: { ...proof, pi_a: ["1", "3", "1"] } }],
      [
        "A + q",
        "PROOF_NON_CANONICAL",
        { proof: { ...proof, pi_a: [String(BigInt(proof.pi_a[0]) + q), ...proof.pi_a.slice(1)] } },
      ],
      ["A infinity", "PROOF_POINT_AT_INFINITY", { proof: { ...proof, pi_a: ["0", "1", "0"] } }],
    ];
    for (const [label, code, changed] of cases) {
      const { code: exit, stdout, stderr } = await verifyWith(changed);
      expect({ label, exit, stdout }).toEqual({ label, exit: 1, stdout: "" });
      // of the file it is about: with other signals the equation fails, which is said of the proof
      const named = code.startsWith("SIGNALS_") ? "public" : "proof";
      const path = named in changed ? `${named}.json` : good[named];
      expect(stderr, label).toMatch(new RegExp(`^INVALID: ${path}: [^\\n]*\\[${code}\\]\\n$`));
    }
  });

  test("2: what is no proof or no signals of Groth16 over BN254 at all, whatever the other file is", async () => {
    const proof = await load("proof");
    const signals: string[] = await load("public");
    const cases: [string, { public?: unknown; proof?: unknown }][] = [
      ["SIGNALS_MALFORMED", { public: {} }],
      ["SIGNALS_MALFORMED", { public: "null" }],
      ["SIGNALS_MALFORMED", { public: signals.map(Number) }],
      ["SIGNALS_MALFORMED", { public: {}, proof: { ...proof, pi_a: ["1", "3", "1"] } }],
      ["PROOF_MALFORMED", { proof: { ...proof, pi_b: undefined } }],
      ["PROOF_MALFORMED", { proof: {} }],
      ["PROOF_MALFORMED", { proof: [] }],
      ["PROOF_MALFORMED", { proof: "null" }],
      ["PROOF_MALFORMED", { proof: "5" }],
      ["PROOF_MALFORMED", { public: signals.slice(1), proof: {} }],
      ["PROOF_PROTOCOL", { proof: { ...proof, protocol: "plonk" } }],
      ["PROOF_CURVE", { proof: { ...proof, curve: "bls12381" } }],
    ];
    for (const [code, changed] of cases) {
      const path = code.startsWith("SIGNALS_") ? "public.json" : "proof.json";
      expectLine(await verifyWith(changed), 2, new RegExp(`^error: ${path}: .*\\[${code}\\]$`, "m"));
    }
    const asJson = await verifyWith({ proof: {} }, "--json");
    expect(asJson.code).toBe(2);
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      ok: false,
      error: {
        code: "PROOF_MALFORMED",
        where: "proof.json: proof.protocol",
        message: expect.stringMatching(/^proof\.json: proof\.protocol: /),
      },
    });
  });

  test("2: a file is missing, not JSON, or the key is no key", async () => {
    const vkey = await load("vkey");
    expectLine(
      await groth16("verify", "none.json", good.public, good.proof),
      2,
      /^error: none\.json: .*\[FILE_NOT_FOUND\]$/m,
    );
    expectLine(
      await groth16("verify", good.vkey, "none.json", good.proof),
      2,
      /^error: none\.json: .*\[FILE_NOT_FOUND\]$/m,
    );
    expectLine(
      await groth16("verify", good.vkey, good.public, "none.json"),
      2,
      /^error: none\.json: .*\[FILE_NOT_FOUND\]$/m,
    );
    for (const name of ["vkey", "public", "proof"] as const) {
      expectLine(
        await verifyWith({ [name]: "{" }),
        2,
        new RegExp(`^error: ${name}\\.json: .*\\[JSON_MALFORMED\\]$`, "m"),
      );
      expectLine(
        await verifyWith({ [name]: "" }),
        2,
        new RegExp(`^error: ${name}\\.json: .*\\[JSON_MALFORMED\\]$`, "m"),
      );
    }
    for (const [code, bad] of [
      ["VK_MALFORMED", {}],
      ["VK_MALFORMED", []],
      ["VK_MALFORMED", "null"],
      ["VK_MALFORMED", await load("proof")],
      ["VK_PROTOCOL", { ...vkey, protocol: "plonk" }],
      ["VK_CURVE", { ...vkey, curve: "bls12381" }],
      ["VK_NPUBLIC_MISMATCH", { ...vkey, nPublic: 3 }],
      ["VK_POINT_NOT_ON_CURVE", { ...vkey, vk_alpha_1: ["1", "3", "1"] }],
    ] as const) {
      expectLine(await verifyWith({ vkey: bad }), 2, new RegExp(`^error: vkey\\.json: vk.*\\[${code}\\]$`, "m"));
    }
  });

  test("a key without contribution is refused, unless it is asked for", async () => {
    const bare = join(cwd, "bare.zkey");
    await snarkjs.zKey.newZKey(circuit.r1cs, await snarkjsPtau(POWER), bare);
    expectLine(await groth16("prove", "bare.zkey", circuit.witnesses[0]!, "p.json", "s.json"), 0, /p\.json/);
    expectLine(await groth16("vkey", "bare.zkey", "v.json"), 0, /v\.json/);
    expectLine(await groth16("verify", "v.json", "s.json", "p.json"), 2, /\[VK_NO_CONTRIBUTION\]$/m);
    expectLine(await groth16("verify", "v.json", "s.json", "p.json", "--allow-uncontributed"), 0, /^OK/);
  });
});

describe("bad input is 2, and nothing is written", () => {
  test("prove: each file is named, and existing output stays as it was", async () => {
    await writeFile(join(cwd, "p.json"), "old proof");
    await writeFile(join(cwd, "s.json"), "old signals");
    const unsatisfied = join(cwd, "unsatisfied.wtns");
    const wtns = await readFile(circuit.witnesses[0]!);
    await writeFile(
      unsatisfied,
      editSection(wtns, 2, (data) => (data[32]! ^= 1)),
    );
    const cut = join(cwd, "cut.zkey");
    const zkey = await readFile(circuit.zkey);
    await writeFile(cut, zkey.subarray(0, zkey.length - 1000));
    const before = await files();
    for (const [key, witness, message] of [
      ["none.zkey", circuit.witnesses[0]!, /^error: none\.zkey: .*\[FILE_NOT_FOUND\]$/m],
      [circuit.zkey, "none.wtns", /^error: none\.wtns: .*\[FILE_NOT_FOUND\]$/m],
      [circuit.witnesses[0]!, circuit.zkey, /witness\.wtns: .*\[BINFILE_MAGIC\]$/m],
      [cut, circuit.witnesses[0]!, /cut\.zkey: .*\[SOURCE_TRUNCATED\]$/m],
      [".", circuit.witnesses[0]!, /\[FILE_UNREADABLE\]$/m],
      [circuit.zkey, unsatisfied, /\[WITNESS_UNSATISFIED\]$/m],
    ] as const) {
      expectLine(await groth16("prove", key, witness, "p.json", "s.json"), 2, message);
    }
    expect(await readFile(join(cwd, "p.json"), "utf8")).toBe("old proof");
    expect(await readFile(join(cwd, "s.json"), "utf8")).toBe("old signals");
    expect(await files()).toEqual(before);

    // without the self-check the wrong proof is the caller's business
    expectLine(await groth16("prove", circuit.zkey, unsatisfied, "p.json", "s.json", "--no-self-check"), 0, /p\.json/);
    expect((await groth16("verify", good.vkey, "s.json", "p.json")).code).toBe(1);
    expect(await files()).toEqual(before);
  });

  test("fullprove: inputs that are none, or that the circuit rejects", async () => {
    const input = circuit.inputs[0]!;
    for (const [content, code] of [
      ["{", "JSON_MALFORMED"],
      ["null", "INPUT_INVALID"],
      ["[]", "INPUT_INVALID"],
      ["5", "INPUT_INVALID"],
      ["{}", "INPUT_MISSING"],
      [JSON.stringify({ ...input, x: "one" }), "INPUT_INVALID"],
      [JSON.stringify({ ...input, x: null }), "INPUT_INVALID"],
      [JSON.stringify({ ...input, x: [1, 2] }), "INPUT_LENGTH"],
      [JSON.stringify({ ...input, z: 1 }), "INPUT_UNKNOWN"],
      [`{"x":${"[".repeat(50_000)}1${"]".repeat(50_000)}}`, "INPUT_INVALID"],
    ] as const) {
      await writeFile(join(cwd, "input.json"), content);
      const result = await groth16("fullprove", "input.json", circuit.wasm, circuit.zkey, "p.json", "s.json");
      expectLine(result, 2, new RegExp(`^error: input\\.json: .*\\[${code}\\]$`, "m"));
      expect(await files()).toEqual(["input.json"]);
    }
    const wasm = await groth16("fullprove", good.input, circuit.r1cs, circuit.zkey, "p.json", "s.json");
    expectLine(wasm, 2, /^error: [^:]*mixed\.r1cs: .*\[CIRCUIT_WASM\]$/m);
    const { wasm: otherWasm, inputs } = await specimen("one");
    await writeFile(join(cwd, "input.json"), JSON.stringify(inputs[0]));
    const other = await groth16("fullprove", "input.json", otherWasm, circuit.zkey, "p.json", "s.json");
    expectLine(other, 2, /^error: witness of .*one\.wasm: .*final\.zkey.*\[WITNESS_LENGTH\]$/m);
    expect(await files()).toEqual(["input.json"]);
  });

  test("setup and vkey: each file is named, existing output stays", async () => {
    await writeFile(join(cwd, "out"), "old");
    expectLine(await groth16("vkey", circuit.r1cs, "out"), 2, /mixed\.r1cs: .*\[BINFILE_MAGIC\]$/m);
    for (const [r1cs, message] of [
      ["none.r1cs", /\nerror: none\.r1cs: .*\[FILE_NOT_FOUND\]\n$/],
      [circuit.zkey, /\nerror: .*final\.zkey: .*\[BINFILE_MAGIC\]\n$/],
    ] as const) {
      const { code, stdout, stderr } = await groth16("setup", r1cs, "out");
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toMatch(message);
    }
    expect(await readFile(join(cwd, "out"), "utf8")).toBe("old");
    expect(await files()).toEqual(["out"]);
  });

  test("output that cannot be written is noticed before any work, and no half of a pair is replaced", async () => {
    await writeFile(join(cwd, "old.json"), "old");
    const prove = ["prove", circuit.zkey, circuit.witnesses[0]!];
    expectLine(await groth16(...prove, "none/p.json", "old.json"), 2, /^error: none\/p\.json: .*\[FILE_UNWRITABLE\]$/m);
    expectLine(await groth16(...prove, "old.json", "none/s.json"), 2, /^error: none\/s\.json: .*\[FILE_UNWRITABLE\]$/m);
    expectLine(await groth16(...prove, ".", "old.json"), 2, /a directory.*\[FILE_UNWRITABLE\]$/m);
    expectLine(await groth16("vkey", circuit.zkey, "none/v.json"), 2, /\[FILE_UNWRITABLE\]$/m);
    expect((await groth16("setup", circuit.r1cs, "none/k.zkey")).code).toBe(2);
    for (const bad of ["", "new/", "http://localhost/p.json", "file://host/p.json", "file:p%ZZ.json"]) {
      expectLine(await groth16(...prove, bad, "old.json"), 2, /^error: .*cannot be written.*\[FILE_UNWRITABLE\]$/m);
    }
    // the missing key isn't even looked for
    expectLine(await groth16("prove", "none.zkey", "none.wtns", "none/p.json", "old.json"), 2, /\[FILE_UNWRITABLE\]$/m);
    expect(await readFile(join(cwd, "old.json"), "utf8")).toBe("old");
    expect(await files()).toEqual(["old.json"]);
  });
});

describe("no output takes the place of another one or of an input", () => {
  beforeEach(async () => {
    await mkdir(join(cwd, "folder"));
    for (const [name, path] of [
      ["k.zkey", circuit.zkey],
      ["w.wtns", circuit.witnesses[0]!],
      ["c.r1cs", circuit.r1cs],
      ["c.wasm", circuit.wasm],
      ["in.json", good.input],
    ] as const) {
      await copyFile(path, join(cwd, name));
    }
    await symlink("k.zkey", join(cwd, "link.zkey"));
    await symlink(".", join(cwd, "here"));
  });

  test("however their names are written", async () => {
    const contents = async () =>
      Object.fromEntries(
        await Promise.all(
          ["k.zkey", "w.wtns", "c.r1cs", "c.wasm", "in.json"].map(async (name) => [
            name,
            createHash("sha256")
              .update(await readFile(join(cwd, name)))
              .digest("hex"),
          ]),
        ),
      );
    const [before, names] = [await contents(), await files()];
    for (const args of [
      ["prove", "k.zkey", "w.wtns", "p.json", "p.json"],
      ["prove", "k.zkey", "w.wtns", "p.json", "./p.json"],
      ["prove", "k.zkey", "w.wtns", "folder/../p.json", "p.json"],
      ["prove", "k.zkey", "w.wtns", "p.json", join(cwd, "p.json")],
      ["prove", "k.zkey", "w.wtns", "p.json", "here/p.json"],
      ["prove", "k.zkey", "w.wtns", pathToFileURL(join(cwd, "p.json")).href, "p.json"],
      ["prove", "k.zkey", "w.wtns", "k.zkey", "s.json"],
      ["prove", "k.zkey", "w.wtns", "p.json", "./w.wtns"],
      ["prove", "link.zkey", "w.wtns", "p.json", "k.zkey"],
      ["prove", "k.zkey", "w.wtns", "link.zkey", "s.json"],
      ["prove", pathToFileURL(join(cwd, "k.zkey")).href, "w.wtns", "k.zkey", "s.json"],
      ["fullprove", "in.json", "c.wasm", "k.zkey", "in.json", "s.json"],
      ["fullprove", "in.json", "c.wasm", "k.zkey", "p.json", "here/c.wasm"],
      ["fullprove", "in.json", "c.wasm", "k.zkey", "p.json", "here/k.zkey"],
      ["vkey", "k.zkey", "here/k.zkey"],
    ]) {
      const message =
        /^error: .*cannot be written \(expected a file of its own, got the same file as the (in|out)put .*\[FILE_UNWRITABLE\]$/m;
      expectLine(await groth16(...args), 2, message);
      expect(await files(), args.join(" ")).toEqual(names);
    }
    const setup = await groth16("setup", "c.r1cs", "./c.r1cs");
    expect(setup.code).toBe(2);
    expect(setup.stderr).toMatch(/the same file as the input c\.r1cs.*\[FILE_UNWRITABLE\]\n$/);
    expect(await contents()).toEqual(before);
  });

  test("neither of two files is replaced unless both can be: the second one fails when it is written", async () => {
    const old = join(cwd, "old.json");
    await writeFile(old, "old");
    const files = (second: string) => [
      { path: old, pieces: [new TextEncoder().encode("new")] },
      { path: second, pieces: [new Uint8Array(5)] },
    ];
    const missing = join(cwd, "none", "s.json");
    await expect(writeFilesAtomic(files(missing))).rejects.toMatchObject({ code: "FILE_UNWRITABLE", where: missing });
    expect(await readFile(old, "utf8")).toBe("old");
    const abort = new AbortController();
    const late = [
      files("x")[0]!,
      {
        path: join(cwd, "s.json"),
        get pieces() {
          abort.abort("enough");
          return [];
        },
      },
    ];
    await expect(writeFilesAtomic(late, abort.signal)).rejects.toBe("enough");
    expect(await readFile(old, "utf8")).toBe("old");
    await writeFilesAtomic(files(join(cwd, "s.json")));
    expect(await readFile(old, "utf8")).toBe("new");
    expect((await readdir(cwd)).filter((name) => /tmp|s\.json|old/.test(name))).toEqual([
      "folder",
      "old.json",
      "s.json",
    ]);
  });
});

describe("exit codes that are no verdict", () => {
  const PROVER = pathToFileURL(join(ROOT, "dist/prover/index.js")).href;

  test("70: the machine, Node or chunkproof itself fails", async () => {
    const { stdout } = await runModule(`
      import { Output } from ${JSON.stringify(OUTPUT)};
      import { ProverError } from ${JSON.stringify(PROVER)};
      const out = new Output("test", { quiet: true });
      const codes = ["OUT_OF_MEMORY", "WORKER_FAILED", "WASM_UNSUPPORTED", "ARITHMETIC_UNSUPPORTED", "NO_RANDOMNESS",
        "RANDOMNESS_UNAVAILABLE", "KEY_CLOSED", "WITNESS_LENGTH", "INPUT_INVALID"];
      console.log(JSON.stringify(codes.map((code) => out.error(new ProverError("test", { code })))));
    `);
    expect(JSON.parse(stdout)).toEqual([70, 70, 70, 70, 70, 70, 70, 2, 2]);
  });

  /** The command in a process where this code has run before it. */
  const runAfter = (code: string, ...args: string[]) =>
    startNode(["--import", `data:text/javascript,${encodeURIComponent(code)}`, BIN, "groth16", ...args], { cwd }).done;

  test("70 from whole commands", async () => {
    const noRandomness = "globalThis.crypto.getRandomValues = () => { throw new Error('broken'); };";
    const setup = await runAfter(noRandomness, "setup", circuit.r1cs, "k.zkey");
    expect({ code: setup.code, files: await files() }).toEqual({ code: 70, files: [] });
    const verify = ["verify", good.vkey, good.public, good.proof];
    // thrown where no command catches it, rejected where nobody listens, and before the command line is read
    const later = (code: string) =>
      `const { parse } = JSON; JSON.parse = (text) => { setTimeout(() => { ${code} }); return parse(text); };`;
    for (const [broken, message] of [
      [later("throw new Error('a bug');"), /a bug/],
      [later("Promise.reject(new Error('a bug'));"), /a bug/],
      ["JSON.parse = () => { throw new Error('a bug'); };", /a bug/],
    ] as const) {
      const { code, stderr } = await runAfter(broken, ...verify);
      expect({ code, stderr }).toEqual({ code: 70, stderr: expect.stringMatching(message) });
    }
  });

  test("a reader that has seen enough changes no exit code, and a result that is lost is 70", async () => {
    const verify = ["groth16", "verify", good.vkey, good.public, good.proof, "--json"];
    for (const stream of ["stdout", "stderr"] as const) {
      const args = stream === "stdout" ? verify : verify.slice(0, -1);
      const child = spawn(process.execPath, [BIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
      child[stream].destroy();
      let rest = "";
      child[stream === "stdout" ? "stderr" : "stdout"].on("data", (text) => {
        rest += text;
      });
      const code = await new Promise((resolve) => child.on("close", resolve));
      expect({ code, rest }).toEqual({ code: 0, rest: "" });
    }
    if (existsSync("/dev/full")) {
      const full = await open("/dev/full", "w");
      const child = spawn(process.execPath, [BIN, ...verify], { stdio: ["ignore", full.fd, "inherit"] });
      expect(await new Promise((resolve) => child.on("close", resolve))).toBe(70);
      await full.close();
    }
  });
});

describe("usage", () => {
  test("--help and --version are 0, on stdout, and name every command and argument in snarkjs' order", async () => {
    for (const [args, text] of [
      [["--help"], /groth16/],
      [["-h"], /groth16/],
      [["help"], /groth16/],
      [["groth16", "--help"], /prove[\s\S]*fullprove[\s\S]*verify[\s\S]*setup[\s\S]*NOT FOR PRODUCTION[\s\S]*vkey/],
      [["groth16", "prove", "--help"], /prove \[options\] <zkey> <wtns> <proof\.json> <public\.json>/],
      [["groth16", "fullprove", "--help"], /<input\.json> <wasm> <zkey> <proof\.json>\s+<public\.json>/],
      [["groth16", "verify", "--help"], /verify \[options\] <vkey\.json> <public\.json> <proof\.json>/],
      [["groth16", "setup", "--help"], /setup \[options\] <r1cs> <zkey>[\s\S]*NOT FOR PRODUCTION/],
      [["groth16", "vkey", "--help"], /vkey \[options\] <zkey> <vkey\.json>/],
      [["--version"], new RegExp(`^${VERSION.replaceAll(".", "\\.")}\n$`)],
    ] as const) {
      const { code, stdout, stderr } = await cli(args);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
      expect(stdout).toMatch(text);
    }
  });

  test("wrong usage is 2 and says what is wrong on stderr", async () => {
    const prove = ["groth16", "prove", circuit.zkey, circuit.witnesses[0]!, "p.json", "s.json"];
    for (const [args, message] of [
      [[], /Usage: chunkproof/],
      [["fullprove"], /unknown command 'fullprove'/],
      [["plonk"], /unknown command 'plonk'/],
      [["groth16"], /Usage: chunkproof groth16/],
      [["groth16", "contribute"], /unknown command 'contribute'/],
      [["groth16", "prove"], /missing required argument 'zkey'/],
      [["groth16", "verify", good.vkey, good.public], /missing required argument 'proof\.json'/],
      [[...prove, "more"], /too many arguments/],
      [[...prove, "--fast"], /unknown option '--fast'/],
      [["--json"], /unknown option '--json'/],
      ...["0", "-1", "1.5", "257", "1e2", "two", "", " 2", "0x2"].map(
        (n) => [[...prove, "--threads", n], /'--threads|-t/] as const,
      ),
      [[...prove, "--threads"], /argument missing/],
    ] as const) {
      const { code, stdout, stderr } = await cli(args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
      expect(stderr).toMatch(message);
    }
    expect(await files()).toEqual([]);
  });

  test("--threads 1, 3 and auto prove", async () => {
    for (const threads of ["1", "3", "auto"]) {
      expectLine(
        await groth16("prove", circuit.zkey, circuit.witnesses[0]!, "p.json", "s.json", "-t", threads),
        0,
        /p\.json/,
      );
      expect(verifier.verify(circuit.vk, await json("s.json"), await json("p.json"))).toBe(true);
    }
  });
});

describe("interrupts", () => {
  let server: LocalServer;
  let asked: string[] = [];
  /** Files that the server has; others hang after some bytes. */
  let whole: Record<string, Buffer>;

  beforeAll(async () => {
    whole = { "/key.zkey": await readFile(circuit.zkey), "/input.json": await readFile(good.input) };
    const endless = endlessModule();
    server = await startServer((request, response) => {
      const content = whole[request.url!];
      if (content !== undefined) return void response.end(content);
      if (request.url === "/endless.wasm") {
        asked.push(request.url);
        return void response.end(endless);
      }
      response.writeHead(200, { "content-length": 10_000 });
      response.write("zkey");
      asked.push(request.url!);
    });
  });
  afterAll(() => server.close());
  beforeEach(() => {
    asked = [];
  });

  test("while the witness is computed, which never pauses", async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      asked = [];
      const wasm = `${server.origin}/endless.wasm`;
      const child = startNode([BIN, "groth16", "fullprove", good.input, wasm, circuit.zkey, "p.json", "s.json"], {
        cwd,
      });
      while (asked.length === 0) await delay(10);
      // the calculator has begun by then
      await delay(500);
      const at = performance.now();
      child.kill(signal);
      expectLine(await child.done, signal === "SIGINT" ? 130 : 143, /^error: interrupted$/m);
      expect(performance.now() - at).toBeLessThan(1000);
      expect(await files()).toEqual([]);
    }
  });

  test("a second signal, of either kind, ends a process at once that does not react to the first", async () => {
    for (const [first, second, code] of [
      ["SIGINT", "SIGINT", 130],
      ["SIGINT", "SIGTERM", 143],
      ["SIGTERM", "SIGINT", 130],
      ["SIGTERM", "SIGTERM", 143],
    ] as const) {
      const { code: exit, stdout } = await runModule(`
        import { interruptSignal } from ${JSON.stringify(OUTPUT)};
        const signal = interruptSignal();
        signal.addEventListener("abort", () => {
          console.log("aborted");
          setTimeout(() => process.kill(process.pid, "${second}"), 10);
        });
        process.kill(process.pid, "${first}");
        setTimeout(() => process.exit(5), 10_000);
      `);
      expect({ exit, stdout }).toEqual({ exit: code, stdout: "aborted\n" });
    }
  });

  /** The process's end after a signal that is sent while it waits for a download. */
  async function interrupted(args: readonly string[], signal: NodeJS.Signals): Promise<Finished> {
    const child = startNode([BIN, ...args], { cwd });
    while (asked.length === 0) await delay(10);
    await delay(50);
    const at = performance.now();
    child.kill(signal);
    const result = await child.done;
    expect(performance.now() - at).toBeLessThan(5000);
    return result;
  }

  test("SIGINT and SIGTERM end every command that works with 130 and 143, one line, and no file", async () => {
    const url = (name: string) => `${server.origin}/${name}`;
    for (const [args, signal] of [
      [["groth16", "prove", url("slow.zkey"), circuit.witnesses[0]!, "p.json", "s.json"], "SIGINT"],
      [["groth16", "prove", url("slow.zkey"), circuit.witnesses[0]!, "p.json", "s.json"], "SIGTERM"],
      // with the key loaded and its threads alive
      [["groth16", "prove", url("key.zkey"), url("slow.wtns"), "p.json", "s.json", "-t", "4"], "SIGINT"],
      [["groth16", "fullprove", url("slow.json"), circuit.wasm, circuit.zkey, "p.json", "s.json"], "SIGINT"],
      [["groth16", "fullprove", url("input.json"), url("slow.wasm"), circuit.zkey, "p.json", "s.json"], "SIGINT"],
      [["groth16", "verify", url("slow.json"), good.public, good.proof], "SIGINT"],
      [["groth16", "vkey", url("slow.zkey"), "v.json"], "SIGINT"],
    ] as const) {
      asked = [];
      expectLine(await interrupted(args, signal), signal === "SIGINT" ? 130 : 143, /^error: interrupted$/m);
      expect(await files()).toEqual([]);
    }
    asked = [];
    const setup = await interrupted(["groth16", "setup", url("slow.r1cs"), "k.zkey"], "SIGINT");
    expect({ code: setup.code, stdout: setup.stdout }).toEqual({ code: 130, stdout: "" });
    expect(setup.stderr).toMatch(/\nerror: interrupted\n$/);
    expect(await files()).toEqual([]);
    asked = [];
    const asJson = await interrupted(["groth16", "vkey", url("slow.zkey"), "v.json", "--json"], "SIGINT");
    expect(asJson.code).toBe(130);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ ok: false, error: { code: "INTERRUPTED" } });
  });

  test("at any time of setup and prove: 130 and no file, or 0 and a whole one; never a part", async () => {
    const source = await readFile(`${ROOT}circuits/example/preimage.circom`, "utf8");
    const { r1cs, wasm } = await compileCircuit("preimage", source);
    const wtns = await snarkjsWitness(wasm, { salt: 1, secret: 2 });
    expect((await groth16("setup", r1cs, "whole.zkey")).code).toBe(0);
    const { size } = await stat(join(cwd, "whole.zkey"));
    const { ms: setupTime } = await groth16("setup", r1cs, "whole.zkey");
    const { ms: proveTime } = await groth16("prove", "whole.zkey", wtns, "whole.json", "whole-public.json");
    /**
     * How the command ended. While Node starts and while it ends there is no handler, and the signal kills the process: at
     * the end the files are there already.
     */
    const interruptAt = async (ms: number, args: string[]): Promise<0 | 130 | "SIGINT"> => {
      const child = startNode([BIN, "groth16", ...args], { cwd });
      await delay(ms);
      child.kill("SIGINT");
      const { code, signal, stderr } = await child.done;
      expect([0, 130, "SIGINT"], stderr).toContain(code ?? signal);
      return (code ?? signal) as 0 | 130 | "SIGINT";
    };
    const expectWhole = (ended: 0 | 130 | "SIGINT", there: boolean[]) => {
      expect(new Set(there).size).toBe(1);
      if (ended !== "SIGINT") expect(there[0]).toBe(ended === 0);
    };
    const sizeOf = async (name: string) => (await stat(join(cwd, name)).catch(() => undefined))?.size;
    for (const share of [0.3, 0.5, 0.7, 0.9, 0.97]) {
      const ended = await interruptAt(share * setupTime, ["setup", r1cs, `${share}.zkey`]);
      const found = await sizeOf(`${share}.zkey`);
      expect([undefined, size]).toContain(found);
      expectWhole(ended, [found !== undefined]);
    }
    for (const share of [0.5, 0.7, 0.9]) {
      const paths = [`${share}.json`, `${share}-public.json`];
      const ended = await interruptAt(share * proveTime, ["prove", "whole.zkey", wtns, ...paths]);
      expectWhole(
        ended,
        paths.map((path) => existsSync(join(cwd, path))),
      );
    }
    expect((await files()).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("the package", () => {
  test("holds what has a source, no maps to sources that it lacks, and no binary twice", async () => {
    const npm = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: ROOT, encoding: "utf8" });
    const packed: { path: string; size: number }[] = JSON.parse(npm.stdout)[0].files;
    const built = packed.filter(({ path }) => path.startsWith("dist/"));
    expect(built.length).toBeGreaterThan(50);
    for (const { path, size } of built) {
      const source = path.replace(/^dist\//, "src/").replace(/(\.d)?\.[jt]s$/, ".ts");
      expect(existsSync(join(ROOT, source)), path).toBe(true);
      if (path.endsWith(".d.ts")) expect(size, path).toBeLessThan(20_000);
      else expect(await readFile(join(ROOT, path), "utf8"), path).not.toMatch(/sourceMappingURL/);
    }
  });

  test("its types compile where no declaration file is skipped, and show nothing internal", async () => {
    const modules = join(cwd, "node_modules");
    await mkdir(modules);
    await symlink(ROOT, join(modules, "chunkproof"));
    await symlink(await realpath(join(ROOT, "node_modules/@types")), join(modules, "@types"));
    const source = `
      import { loadProvingKey, prove, type ProvingKey } from "chunkproof/prover";
      import { DEVELOPMENT_WARNING, setup, type SetupResult } from "chunkproof/setup";
      import { parseKeySet, parseVerifyingKey, verify, verifyBatch, verifyBlock, type BlockState } from "chunkproof/verifier";
      import { BlockProver } from "chunkproof/block";
      import { makeKeys } from "chunkproof/keys";
      import { decodeTrace, type Trace } from "chunkproof/trace";
      import { applyDiff, decodeSnapshot, type KeySet, type Snapshot, verifyOnSnapshot } from "chunkproof/replica";
      export async function follow(proof: Uint8Array, before: Uint8Array, keys: KeySet): Promise<Snapshot> {
        const snapshot = decodeSnapshot(before);
        const validity = await verifyOnSnapshot(proof, snapshot, keys);
        return validity.valid ? applyDiff(snapshot, validity.stateDiff, validity.header) : snapshot;
      }
      export async function block(bytes: Uint8Array, state: BlockState): Promise<boolean> {
        const trace: Trace = decodeTrace(bytes);
        const folder = await makeKeys({ cache: "cache" });
        const { bytes: proof } = await new BlockProver(folder, { threads: 2 }).prove(trace);
        const keys = parseKeySet(folder.keySet, { allowInsecure: true });
        return (await verifyBlock(proof, { state, keys, chainId: trace.chainId })).valid;
      }
      export async function use(): Promise<boolean> {
        const made: SetupResult = await setup("c.r1cs");
        const key: ProvingKey = await loadProvingKey("c.zkey", { threads: 2 });
        try {
          const { proof, publicSignals } = await prove(key, { wasm: "c.wasm", inputs: { a: [1, 2n, "3"] } });
          const vk = parseVerifyingKey(key.verifyingKey);
          verifyBatch([{ vk, publicSignals, proof }]);
          return verify(vk, publicSignals, proof) && made.nPublic > DEVELOPMENT_WARNING.length;
        } finally {
          await key.close();
        }
      }
      declare const key: ProvingKey;
      // @ts-expect-error: how the key works inside is nobody's business
      export const { engine } = key;
      // @ts-expect-error
      export const { memory } = key;`;
    await writeFile(join(cwd, "package.json"), JSON.stringify({ type: "module" }));
    await writeFile(join(cwd, "use.ts"), source);
    for (const options of [
      { module: "nodenext", types: ["node"] },
      {
        module: "esnext",
        moduleResolution: "bundler",
        lib: ["es2022", "dom", "esnext.disposable"],
        types: [],
      },
    ]) {
      const compilerOptions = {
        ...options,
        target: "es2022",
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
      };
      await writeFile(join(cwd, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
      const { code, stdout } = await startNode([join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "."], { cwd })
        .done;
      expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    }
  });
});

/** A WebAssembly module with the exports of a circom 2 witness calculator, all of them one function that never returns. */
function endlessModule(): Uint8Array {
  const names = [
    "init",
    "getFieldNumLen32",
    "getRawPrime",
    "readSharedRWMemory",
    "writeSharedRWMemory",
    "getInputSignalSize",
    "setInputSignal",
    "getInputSize",
    "getWitnessSize",
    "getWitness",
    "getMessageChar",
  ];
  const section = (id: number, content: number[]) => {
    expect(content.length).toBeLessThan(1 << 14);
    return [id, (content.length & 0x7f) | 0x80, content.length >> 7, ...content];
  };
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]),
    ...section(3, [1, 0]),
    ...section(7, [names.length, ...names.flatMap((name) => [name.length, ...new TextEncoder().encode(name), 0, 0])]),
    // loop, br 0
    ...section(10, [1, 7, 0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b]),
  ]);
}
