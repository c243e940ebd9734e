/**
 * The commands that work on blocks, as processes of the built package. Circuits and keys lie in the repository's cache;
 * where they are not there yet, the first test waits for them.
 */

import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { decodeSnapshot, decodeTrace, loadScenario } from "../../src/trace/index.js";
import { type BlockProof, decodeBlockProof, encodeBlockProof } from "../../src/verifier/encoding.js";
import { parseKeySet } from "../../src/verifier/keyset.js";
import { type ChildOptions, type Finished, startNode } from "../support/built.js";
import { ROOT } from "../support/circuits.js";
import { temporaryFolder } from "../support/zoo.js";

const require = createRequire(import.meta.url);
const BIN = join(ROOT, require("../../package.json").bin.chunkproof);
const CACHE = join(ROOT, ".cache");
/** Keys that are made for the first time: compiling the circuits takes long. */
const FIRST_TIME = 900_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
/** Files that all tests may read. */
let good: { trace: string; snapshot: string; proof: string; keys: string };
/** The folder of keys. */
let keyFolder: string;
/** A layout of which the demo's block has a chunk. */
let needed: string;

/** Runs the command in an empty folder of the test's own. */
let cwd: string;
const start = (args: readonly string[], options: ChildOptions = {}) =>
  startNode([BIN, ...args], { cwd, ...options, env: { CHUNKPROOF_CACHE: CACHE, ...options.env } });
const cli = (...args: string[]) => start(args).done;
const files = async () => (await readdir(cwd)).sort();
const here = (name: string) => join(cwd, name);
const replica = () => ["--state", good.snapshot, "--keys", good.keys, "--allow-development-keys"];

beforeAll(async () => {
  folder = await temporaryFolder();
  cwd = folder.path("good");
  await mkdir(cwd);
  good = {
    trace: here("block.trace"),
    snapshot: here("before.json"),
    proof: here("block.proof"),
    keys: here("keyset.json"),
  };
  const keys = await start(["keys", "--export", good.keys, "--json"], { limit: FIRST_TIME }).done;
  expect(keys.code, keys.stdout).toBe(0);
  keyFolder = JSON.parse(keys.stdout).keys;
  const traced = await cli("trace", "demo", "-o", good.trace, "--snapshot", good.snapshot);
  expect(traced.code, traced.stderr).toBe(0);
  const proved = await cli("prove", good.trace, "-o", good.proof, "--json");
  expect(proved.code, proved.stdout).toBe(0);
  needed = JSON.parse(proved.stdout).chunks[0];
}, FIRST_TIME);

afterAll(() => folder.remove());

let counter = 0;
beforeEach(async () => {
  cwd = folder.path(`test-${counter++}`);
  await mkdir(cwd);
});

/** Expects an exit code, nothing on stdout, and that the last line on stderr matches; returns what comes before it. */
function expectEnd({ code, stdout, stderr }: Finished, expected: number, line: RegExp): string[] {
  expect({ code, stdout }, stderr).toEqual({ code: expected, stdout: "" });
  const lines = stderr.trimEnd().split("\n");
  expect(lines.at(-1)).toMatch(line);
  return lines.slice(0, -1);
}

/** Expects exit code 2, one line of error with this code, and no file that was not there before. */
async function expectRefused(args: readonly string[], code: string, message = /^error: /): Promise<void> {
  const before = await files();
  const { code: exit, stdout, stderr } = await start(args).done;
  const label = `chunkproof ${args.join(" ")}`;
  expect({ exit, stdout }, `${label}: ${stderr}`).toEqual({ exit: 2, stdout: "" });
  const errors = stderr.split("\n").filter((text) => text !== "" && !text.startsWith("warning: "));
  expect(errors, label).toEqual([expect.stringMatching(new RegExp(`\\[${code}\\]$`))]);
  expect(errors[0], label).toMatch(message);
  expect(await files(), label).toEqual(before);
}

/** The one object on stdout. */
function resultOf({ stdout, stderr }: Finished) {
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^[^\n]+\n$/);
  return JSON.parse(stdout);
}

const ms = expect.any(Number);

describe("the way of a block through every command", () => {
  test(
    "trace, check, prove, verify: a line for each stage, and the replica's next state",
    async () => {
      expect(
        expectEnd(
          await cli("trace", "demo", "-o", "b.trace", "--snapshot", "s.json"),
          0,
          /^7 transactions, 1,947 steps, .* trace of block 1 written to b\.trace, the state before it to s\.json$/,
        ),
      ).toEqual([]);
      expect(await readFile(here("b.trace"))).toEqual(await readFile(good.trace));
      expect(await readFile(here("s.json"))).toEqual(await readFile(good.snapshot));

      const checked = await start(["check", "b.trace"], { limit: FIRST_TIME }).done;
      expect(expectEnd(checked, 0, /^OK: all constraints hold and the bus balances: 1,947 steps, /)).toEqual([]);

      const log = expectEnd(
        await cli("prove", "b.trace", "-o", "b.proof", "--threads", "2"),
        0,
        /^1,947 steps proved in .*proof of \d+ chunks, [\d,]+ bytes, written to b\.proof$/,
      );
      expect(log[0]).toMatch(/^block 1: 1,947 steps, [\d,]+ rows, \d+ chunks$/);
      const chunks = Number(/(\d+) chunks$/.exec(log[0]!)![1]);
      for (const state of ["committed", "proved"]) {
        for (let i = 1; i <= chunks; i++) {
          const line = new RegExp(`^chunk ${i} of ${chunks} \\([a-z]+-\\d+\\) ${state}$`);
          expect(log.filter((text) => line.test(text)).length).toBe(1);
        }
      }
      expect(log.length).toBe(1 + 2 * chunks);

      const verdict = await cli("verify", "b.proof", ...replica(), "-o", "after.json");
      const [warning, ok, transactions, changes] = expectEnd(verdict, 0, /^ {2}state after it written to after\.json$/);
      expect(warning).toMatch(/^warning: DEVELOPMENT KEYS are accepted/);
      expect(ok).toMatch(/^OK: block 1 is valid: 0x[0-9a-f]{64}$/);
      expect(transactions).toBe("  7 transactions, 6 succeeded and 1 reverted; 288,341 gas used");
      expect(changes).toMatch(/^ {2}changes 4 balances, 3 nonces, 5 slots; state root 0x[0-9a-f]{64}$/);
      const after = decodeSnapshot(await readFile(here("after.json")));
      const { header } = decodeTrace(await readFile(here("b.trace")));
      expect({ number: after.number, root: after.stateRoot }).toEqual({ number: 1n, root: header.stateRoot });
      const { counter: address } = loadScenario("demo").addresses;
      expect(after.accounts.find((account) => account.address === address)!.storage[0]).toEqual([0n, 44n]);

      // the block is not the next one after itself
      const again = await cli("verify", "b.proof", ...replica().with(1, "after.json"));
      expect(again.code).toBe(1);
      for (const code of ["HEADER_INVALID", "BLOCK_PRE_STATE"])
        expect(again.stderr).toMatch(new RegExp(`\\[${code}\\]$`, "m"));
      expect(await files()).toEqual(["after.json", "b.proof", "b.trace", "s.json"]);
    },
    FIRST_TIME,
  );

  test("--json: one object with everything, and nothing else", async () => {
    const traced = resultOf(await cli("trace", "demo", "-o", "b.trace", "--snapshot", "s.json", "--json"));
    expect(traced).toEqual({
      command: "trace",
      ok: true,
      ms,
      trace: "b.trace",
      snapshot: "s.json",
      scenario: "demo",
      number: 1,
      transactions: 7,
      steps: 1947,
      gasUsed: 288341,
    });
    const checked = resultOf(await cli("check", "b.trace", "--json"));
    expect(checked).toMatchObject({ command: "check", ok: true, holds: true, faults: [], unmatched: [], refusals: [] });
    const proved = resultOf(await cli("prove", "b.trace", "-o", "b.proof", "--json", "--no-self-check"));
    expect(proved).toMatchObject({ command: "prove", ok: true, ms, steps: 1947, selfChecked: false, keysMade: false });
    expect(proved.bytes).toBe((await readFile(here("b.proof"))).length);
    expect(Object.keys(proved.times)).toEqual(["rows", "commit", "prove"]);
    const valid = resultOf(await cli("verify", "b.proof", ...replica(), "--json"));
    expect(valid).toMatchObject({
      command: "verify",
      ok: true,
      valid: true,
      faults: [],
      insecure: true,
      gasUsed: 288341,
    });
    expect(valid.receipts.map(({ status }: { status: number }) => status)).toEqual([1, 1, 1, 1, 1, 0, 1]);
    expect(valid.receipts.reduce((sum: number, { gasUsed }: { gasUsed: number }) => sum + gasUsed, 0)).toBe(288341);
    expect(valid.stateDiff.slots.length).toBe(5);
    expect(valid.stateDiff.accounts.length).toBeGreaterThan(3);
    expect(valid.chunks).toBe(proved.chunks.length);
    expect(valid.keySet).toBe(proved.keySet);
    const keys = resultOf(await cli("keys", "--json"));
    expect(keys).toMatchObject({ command: "keys", ok: true, made: false, checked: false, keySet: proved.keySet });
    expect(keys.warning).toMatch(/NOT FOR PRODUCTION/);
    const failed = await cli("verify", "none", ...replica(), "--json");
    expect(failed.code).toBe(2);
    expect(resultOf(failed)).toMatchObject({
      command: "verify",
      ok: false,
      error: { code: "FILE_NOT_FOUND", where: "none" },
    });
  });

  test("--quiet: warnings and errors only", async () => {
    for (const args of [
      ["trace", "demo", "-o", "b.trace", "-q"],
      ["prove", "b.trace", "-o", "b.proof", "--quiet"],
    ]) {
      const { code, stdout, stderr } = await cli(...args);
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    }
    expectEnd(await cli("verify", "b.proof", ...replica(), "-q"), 0, /^warning: DEVELOPMENT KEYS/);
    expectEnd(await cli("keys", "-q"), 0, /^warning: these are DEVELOPMENT KEYS, NOT FOR PRODUCTION/);
    expectEnd(await cli("prove", "none", "-o", "b.proof", "-q"), 2, /^error: none: .*\[FILE_NOT_FOUND\]$/);
  });

  test("a block of no transactions has no chunks, and is proved and verified", async () => {
    expect((await cli("trace", "empty", "-o", "b.trace", "--snapshot", "s.json")).code).toBe(0);
    expectEnd(await cli("check", "b.trace"), 0, /^OK: .*: 0 steps, /);
    expectEnd(await cli("prove", "b.trace", "-o", "b.proof"), 0, /^0 steps proved in .*proof of 0 chunks/);
    const verdict = await cli("verify", "b.proof", ...replica().with(1, "s.json"), "-o", "after.json");
    expect(expectEnd(verdict, 0, /written to after\.json$/).at(-2)).toBe("  0 transactions; 0 gas used");
    const [before, after] = await Promise.all(["s.json", "after.json"].map((name) => readFile(here(name))));
    expect(decodeSnapshot(after!).accounts).toEqual(decodeSnapshot(before!).accounts);
    expect(decodeSnapshot(after!).number).toBe(1n);
  });

  test("transfers alone, and a scenario of one's own", async () => {
    await writeFile(
      here("mine.json"),
      JSON.stringify({
        name: "mine",
        accounts: [
          { name: "alice", key: 0, balance: "1000000000000000000" },
          { name: "store", nonce: 1, code: "0 CALLDATALOAD 5 SSTORE" },
        ],
        transactions: [{ from: "alice", to: "store", data: [7] }],
      }),
    );
    for (const scenario of ["transfer", "mine.json"]) {
      expectEnd(await cli("trace", scenario, "-o", "b.trace", "--snapshot", "s.json"), 0, /^1 transaction, /);
      expect((await cli("prove", "b.trace", "-o", "b.proof", "--keys", keyFolder)).code).toBe(0);
      // the folder of keys holds the key set too
      const state = ["--state", "s.json", "--keys", keyFolder, "--allow-development-keys"];
      const verdict = resultOf(await cli("verify", "b.proof", ...state, "--json"));
      expect(verdict.valid).toBe(true);
      if (scenario === "mine.json")
        expect(verdict.stateDiff.slots).toEqual([{ address: expect.any(String), slot: "0x5", value: "0x7" }]);
    }
  });

  test.runIf(existsSync("/usr/bin/script"))(
    "on a terminal the block is drawn in its place, and the cursor comes back",
    async () => {
      const command = [process.execPath, BIN, "prove", good.trace, "-o", "p.proof"].join(" ");
      const terminal = `
      const { spawnSync } = require("node:child_process");
      const { status, stdout } = spawnSync("script", ["-qec", ${JSON.stringify(command)}, "/dev/null"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
      process.stdout.write(stdout);
      process.exitCode = status;`;
      const env = { TERM: "xterm", NO_COLOR: "1", CHUNKPROOF_CACHE: CACHE };
      const { code, stdout } = await startNode(["-e", terminal], { cwd, env }).done;
      expect(code, stdout).toBe(0);
      const ESC = "\u001b";
      expect(stdout).toContain(`${ESC}[?25l`);
      expect(stdout.lastIndexOf(`${ESC}[?25h`)).toBeGreaterThan(stdout.lastIndexOf(`${ESC}[?25l`));
      expect(stdout).toContain("█▒");
      expect(stdout).toMatch(/proving \d+%/);
      expect(stdout).toMatch(/committed (\d+)\/\1 {3}proved \1\/\1/);
      expect(stdout.split(`${ESC}[?25h`)[1]).toMatch(/^1,947 steps proved in .*written to p\.proof\r\n$/);
      // NO_COLOR is heard
      expect(stdout).not.toMatch(new RegExp(`${ESC}\\[[0-9;]*m`));
    },
  );
});

describe("keys", () => {
  test("--check reads every file; --export writes what parseKeySet reads", async () => {
    const checked = await cli("keys", "--check", "--export", "set.json");
    expectEnd(checked, 0, /^keys for \d+ layouts checked: .*; key set [0-9a-f]{64} written to set\.json$/);
    expect(await readFile(here("set.json"))).toEqual(await readFile(good.keys));
    const set = parseKeySet(JSON.parse(await readFile(good.keys, "utf8")), { allowInsecure: true });
    expect(checked.stderr).toContain(set.digest);
    await writeFile(here("set.bin"), set.toBytes());
    expect((await cli("verify", good.proof, ...replica().with(3, "set.bin"))).code).toBe(0);
  });

  test("--check makes none, and says where they are missing", async () => {
    await expectRefused(["keys", "--check", "--cache", "new"], "KEYS_MISSING", /^error: new: .*`chunkproof keys`/);
  });

  test("a cache that cannot be one is bad input, before anything is compiled", async () => {
    await writeFile(here("file"), "");
    const at = performance.now();
    const { code, stderr } = await cli("keys", "--cache", "file");
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/\nerror: .*\[[A-Z_]+\]\n$/) });
    expect(performance.now() - at).toBeLessThan(20_000);
  });

  test("a damaged file is found by --check, and by the prover", async () => {
    const damaged = here("keys");
    await mkdir(damaged);
    for (const name of await readdir(keyFolder)) await symlink(join(keyFolder, name), join(damaged, name));
    const manifest = JSON.parse(await readFile(join(keyFolder, "manifest.json"), "utf8"));
    const prove = ["prove", good.trace, "-o", "p.proof", "--keys", "keys"];

    const replaced = async (name: string, content: string | Uint8Array, action: () => Promise<void>) => {
      const { rename, rm } = await import("node:fs/promises");
      await rename(join(damaged, name), join(damaged, ".kept"));
      await writeFile(join(damaged, name), content);
      await action();
      await rm(join(damaged, name));
      await rename(join(damaged, ".kept"), join(damaged, name));
    };
    const set = await readFile(join(keyFolder, "keyset.json"), "utf8");
    await replaced("keyset.json", `${set} `, () => expectRefused(prove, "KEYS_DAMAGED"));
    await replaced("manifest.json", "{", () => expectRefused(prove, "KEYS_MALFORMED"));
    for (const bad of ["null", "[]", JSON.stringify({ ...manifest, layouts: [null] })]) {
      await replaced("manifest.json", bad, () => expectRefused(prove, "KEYS_MALFORMED"));
    }
    for (const kind of ["zkey", "ckey", "plan"]) {
      const file = `${needed}.${kind}`;
      const whole = await readFile(join(keyFolder, file));
      await replaced(file, whole.subarray(0, whole.length - 100), async () => {
        const { code, stderr } = await cli(...prove);
        const message = new RegExp(`error: .*${needed}.${kind}: .*\\[[A-Z_]+\\]\n$`);
        expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(message) });
        expect(await files()).toEqual(["keys"]);
      });
    }
    await replaced("manifest.json", JSON.stringify({ ...manifest, format: "chunkproof keys 99" }), () =>
      expectRefused(prove, "KEYS_MALFORMED"),
    );
    await replaced("manifest.json", JSON.stringify({ ...manifest, digest: "00".repeat(32) }), () =>
      expectRefused(prove, "KEYS_FOREIGN", /other circuits/),
    );
    await expectRefused(["prove", good.trace, "-o", "p.proof", "--keys", "."], "KEYS_MISSING");
    await expectRefused(["prove", good.trace, "-o", "p.proof", "--keys", good.keys], "KEYS_MISSING");
    await expectRefused(["prove", good.trace, "-o", "p.proof", "--keys", "none"], "KEYS_MISSING");
    // nothing of it is left behind, and the whole folder proves
    expectEnd(await cli(...prove), 0, /written to p\.proof$/);
  });

  test("Ctrl-C while circuits are compiled: 130, one line more, no folder of keys", async () => {
    const running = start(["keys", "--cache", "cache"]);
    // the compilers have begun by then
    await delay(2500);
    running.kill("SIGINT");
    const { code, stdout, stderr } = await running.done;
    expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
    expect(stderr).toMatch(/\nerror: interrupted\n$/);
    expect(existsSync(here("cache/keys")) ? await readdir(here("cache/keys")) : []).toEqual([]);
  });

  test("without circom2 the error says how to install it; a folder of keys is proved with all the same", async () => {
    // as where the package is installed alone: a copy without node_modules/circom2
    const root = here("alone");
    await mkdir(join(root, "node_modules"), { recursive: true });
    for (const name of ["package.json", "bin", "circuits"]) await symlink(join(ROOT, name), join(root, name));
    await copyAlone(root);
    const alone = (...args: string[]) =>
      startNode(["--preserve-symlinks", "--preserve-symlinks-main", join(root, "bin/cli/main.js"), ...args], {
        cwd,
        env: { CHUNKPROOF_CACHE: here("nothing") },
      }).done;
    const keys = await alone("keys");
    expect(keys.code, keys.stderr).toBe(2);
    expect(keys.stderr).toMatch(/npm install circom2@\d.*\[CIRCOM_MISSING\]\n$/);
    const verdict = await alone("verify", good.proof, "--state", good.snapshot);
    expect(verdict.stderr).toMatch(/--keys.*\[KEYS_MISSING\]\n$/);
    expect(verdict.code).toBe(2);
    expect((await alone("verify", good.proof, ...replica())).code).toBe(0);
    expectEnd(await alone("prove", good.trace, "-o", "p.proof", "--keys", keyFolder), 0, /written to p\.proof$/);
  });
});

/** Links to all packages but circom2. */
async function copyAlone(root: string): Promise<void> {
  for (const name of await readdir(join(ROOT, "node_modules"))) {
    if (name.startsWith(".") || name === "circom2") continue;
    await symlink(join(ROOT, "node_modules", name), join(root, "node_modules", name));
  }
}

describe("what a replica refuses", () => {
  /** Verifies a changed proof; the codes of the faults. */
  async function faultsOf(change: (proof: BlockProof) => BlockProof): Promise<string[]> {
    const proof = decodeBlockProof(new Uint8Array(await readFile(good.proof)));
    await writeFile(here("forged.proof"), encodeBlockProof(change(proof)));
    const finished = await cli("verify", "forged.proof", ...replica(), "--json", "-o", "after.json");
    expect(finished.code, finished.stdout).toBe(1);
    const { valid, ok, faults } = resultOf(finished);
    expect({ valid, ok, written: existsSync(here("after.json")) }).toEqual({ valid: false, ok: false, written: false });
    for (const fault of faults)
      expect(fault).toEqual({ code: expect.any(String), where: expect.any(String), message: expect.any(String) });
    return faults.map(({ code }: { code: string }) => code);
  }

  test("one storage value that is another: exit code 1, and every fault with where it was found", async () => {
    const codes = await faultsOf((proof) => {
      const { cells } = proof.claims;
      const slots = cells.slots.map((cell, i) => (i === 0 ? { ...cell, value: cell.value + 1n } : cell));
      return { ...proof, claims: { ...proof.claims, cells: { ...cells, slots } } };
    });
    expect(codes).toContain("BUS_UNBALANCED");
    expect(codes).toContain("CHUNK_INVALID");
    const { code, stderr } = await cli("verify", "forged.proof", ...replica());
    expect(code).toBe(1);
    expect(stderr).toMatch(/^INVALID: the block is refused for \d+ reasons:$/m);
    expect(stderr).toMatch(/^ {2}chunks\[0\]: .*\[CHUNK_INVALID\]$/m);
    expect(stderr).toMatch(/^ {2}bus: .*\[BUS_UNBALANCED\]$/m);
  });

  test("a chunk less, another key set, a header of its own", async () => {
    expect(await faultsOf((proof) => ({ ...proof, chunks: proof.chunks.slice(1) }))).toContain("BUS_UNBALANCED");
    expect(await faultsOf((proof) => ({ ...proof, keySet: new Uint8Array(32) }))).toContain("BLOCK_KEY_SET");
    const [code] = await faultsOf((proof) => ({ ...proof, header: proof.header.slice(0, -1) }));
    expect(code).toBe("HEADER_MALFORMED");
  });

  test("a block on another state", async () => {
    expect((await cli("trace", "counter", "-o", "b.trace", "--snapshot", "s.json")).code).toBe(0);
    const { code, stderr } = await cli("verify", good.proof, ...replica().with(1, "s.json"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/\[BLOCK_PRE_STATE\]$/m);
  });
});

describe("bad input is 2: one line, and nothing is written", () => {
  const verifyWith = (changed: { proof?: string; state?: string; keys?: string }) => [
    "verify",
    changed.proof ?? good.proof,
    "--state",
    changed.state ?? good.snapshot,
    "--keys",
    changed.keys ?? good.keys,
    "--allow-development-keys",
    "-o",
    "after.json",
  ];
  const prove = (trace: string) => ["prove", trace, "-o", "p.proof"];

  test("files that are missing, folders, or of another kind", async () => {
    for (const args of [
      prove("none"),
      ["check", "none"],
      verifyWith({ proof: "none" }),
      verifyWith({ state: "none" }),
      verifyWith({ keys: "none" }),
    ]) {
      await expectRefused(args, "FILE_NOT_FOUND", /^error: none: /);
    }
    for (const args of [prove("."), ["check", "."], verifyWith({ proof: "." }), verifyWith({ state: "." })]) {
      await expectRefused(args, "FILE_UNREADABLE");
    }
    await expectRefused(["trace", "nothing", "-o", "t"], "TRACE_SCENARIO", /demo, empty, transfer, counter/);
    // each kind of file where another one belongs
    for (const [args, code] of [
      [prove(good.proof), "TRACE_JSON"],
      [prove(good.snapshot), "TRACE_FIELD"],
      [prove(good.keys), "TRACE_FIELD"],
      [["check", good.proof], "TRACE_JSON"],
      [["check", good.snapshot], "TRACE_FIELD"],
      [verifyWith({ proof: good.trace }), "BLOCK_MALFORMED"],
      [verifyWith({ proof: good.snapshot }), "BLOCK_MALFORMED"],
      [verifyWith({ proof: good.keys }), "BLOCK_MALFORMED"],
      [verifyWith({ state: good.proof }), "TRACE_JSON"],
      [verifyWith({ state: good.trace }), "TRACE_VERSION"],
      [verifyWith({ state: good.keys }), "TRACE_FIELD"],
      [verifyWith({ keys: good.proof }), "KEYSET_MALFORMED"],
      [verifyWith({ keys: good.trace }), "KEYSET_VERSION"],
      [verifyWith({ keys: good.snapshot }), "KEYSET_MALFORMED"],
      [["trace", good.proof, "-o", "t"], "TRACE_SCENARIO"],
      [["trace", good.trace, "-o", "t"], "TRACE_SCENARIO"],
      [["trace", good.snapshot, "-o", "t"], "TRACE_SCENARIO"],
    ] as const) {
      await expectRefused(args, code);
    }
  });

  test("unknown versions", async () => {
    const trace = (await readFile(good.trace, "utf8")).replace('"version":2', '"version":3');
    const snapshot = (await readFile(good.snapshot, "utf8")).replace('"version":1', '"version":99');
    const proof = new Uint8Array(await readFile(good.proof));
    expect(proof[4]).toBe(2);
    proof[4] = 1;
    const keys = { ...JSON.parse(await readFile(good.keys, "utf8")), version: 2 };
    await writeFile(here("b.trace"), trace);
    await writeFile(here("s.json"), snapshot);
    await writeFile(here("b.proof"), proof);
    await writeFile(here("keys.json"), JSON.stringify(keys));
    await expectRefused(prove("b.trace"), "TRACE_VERSION", /expected 2, got 3/);
    await expectRefused(["check", "b.trace"], "TRACE_VERSION");
    await expectRefused(verifyWith({ state: "s.json" }), "TRACE_VERSION", /expected 1, got 99/);
    await expectRefused(verifyWith({ proof: "b.proof" }), "BLOCK_VERSION", /expected 2, got 1/);
    await expectRefused(verifyWith({ keys: "keys.json" }), "KEYSET_VERSION", /expected 1, got 2/);
  });

  test("truncated files: at the end, in the middle, at the beginning, empty", async () => {
    for (const [kind, name, args] of [
      ["trace", good.trace, prove("cut")],
      ["proof", good.proof, verifyWith({ proof: "cut" })],
      ["state", good.snapshot, verifyWith({ state: "cut" })],
      ["keys", good.keys, verifyWith({ keys: "cut" })],
    ] as const) {
      const whole = await readFile(name);
      const code = { trace: "TRACE_JSON", proof: "BLOCK_MALFORMED", state: "TRACE_JSON", keys: "KEYSET_MALFORMED" }[
        kind
      ];
      for (const length of [0, 3, Math.floor(whole.length / 2), whole.length - 2]) {
        await writeFile(here("cut"), whole.subarray(0, length));
        await expectRefused(args, code, /^error: cut: /);
      }
    }
    await writeFile(here("long"), Buffer.concat([await readFile(good.proof), Buffer.of(0)]));
    await expectRefused(verifyWith({ proof: "long" }), "BLOCK_MALFORMED", /bytes behind the end/);
  });

  test("a trace that contradicts itself is named with transaction and step", async () => {
    const text = await readFile(good.trace, "utf8");
    const at = text.indexOf('"SSTORE"');
    const line = text.lastIndexOf("\n", at);
    const gas = /"0x[0-9a-f]+"/.exec(text.slice(at))![0];
    await writeFile(here("b.trace"), text.slice(0, at) + text.slice(at).replace(gas, '"0x1"'));
    expect(line).toBeGreaterThan(0);
    for (const args of [prove("b.trace"), ["check", "b.trace"]]) {
      await expectRefused(args, "TRACE_GAS", /^error: b\.trace: transaction \d+, step \d+ \(SSTORE at pc \d+\): /);
    }
    // also where keys would have to be made first
    await expectRefused([...prove("b.trace"), "--cache", "new"], "TRACE_GAS");
  });

  test("a snapshot whose accounts do not make up its root", async () => {
    const text = await readFile(good.snapshot, "utf8");
    await writeFile(here("s.json"), text.replace('["0x0","0x29"]', '["0x0","0x2a"]'));
    expect(await readFile(here("s.json"), "utf8")).not.toBe(text);
    await expectRefused(verifyWith({ state: "s.json" }), "SNAPSHOT_ROOT", /^error: s\.json: stateRoot: /);
  });

  test("development keys, unless they are allowed", async () => {
    const strict = verifyWith({}).filter((arg) => arg !== "--allow-development-keys");
    await expectRefused(strict, "KEYSET_INSECURE", /--allow-development-keys/);
    const folderOfKeys = strict.with(5, keyFolder);
    await expectRefused(folderOfKeys, "KEYSET_INSECURE");
    // a key set that only says that it is none
    const keys = { ...JSON.parse(await readFile(good.keys, "utf8")), insecure: false };
    await writeFile(here("lying.json"), JSON.stringify(keys));
    const { code, stdout } = await cli(...strict.with(5, "lying.json"), "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout).faults[0].code).toBe("BLOCK_KEY_SET");
  });

  test("what cannot be proved is refused by name: calls and other opcodes, creations", async () => {
    const scenario = (code: string, transaction: object = {}) =>
      JSON.stringify({
        accounts: [
          { name: "alice", key: 0, balance: "1000000000000000000" },
          { name: "it", nonce: 1, code },
        ],
        transactions: [{ from: "alice", to: "it", ...transaction }],
      });
    // code that begins with 0x would be taken for bytes
    const huge = String(2n ** 200n);
    for (const [code, error] of [
      ["0 0 0 0 0 0 GAS CALL", "TRACE_UNSUPPORTED_OPCODE"],
      ["0 0 0 CREATE", "TRACE_UNSUPPORTED_OPCODE"],
      ["CALLER SELFDESTRUCT", "TRACE_UNSUPPORTED_OPCODE"],
      [`${huge} BLOBHASH`, "TRACE_UNSUPPORTED_OPCODE"],
    ] as const) {
      await writeFile(here("s.json"), scenario(code));
      await expectRefused(["trace", "s.json", "-o", "t", "--snapshot", "x"], error, /^error: s\.json: transaction 0/);
    }
    for (const [text, error] of [
      ["{", "TRACE_SCENARIO"],
      ["{}", "TRACE_SCENARIO"],
      [scenario("NONSENSE"), "TRACE_ASSEMBLY"],
      [scenario("STOP", { from: "nobody" }), "TRACE_SCENARIO"],
      [scenario("STOP", { gas: 1 }), "TRACE_TRANSACTION"],
    ] as const) {
      await writeFile(here("s.json"), text);
      await expectRefused(["trace", "s.json", "-o", "t"], error, /^error: s\.json: /);
    }
  });

  test("output that cannot be written, or that would replace an input or another output", async () => {
    await copyFile(good.trace, here("b.trace"));
    await copyFile(good.snapshot, here("s.json"));
    await copyFile(good.proof, here("b.proof"));
    await symlink("b.trace", here("link"));
    for (const args of [
      ["trace", "demo", "-o", "none/t"],
      ["trace", "demo", "-o", "."],
      ["trace", "demo", "-o", "t", "--snapshot", "none/s"],
      ["trace", "demo", "-o", "t", "--snapshot", "./t"],
      ["trace", "s.json", "-o", "s.json"],
      ["prove", "b.trace", "-o", "none/p"],
      ["prove", "b.trace", "-o", "b.trace"],
      ["prove", "b.trace", "-o", "link"],
      ["prove", "link", "-o", "./b.trace"],
      ["keys", "--export", "none/k"],
      ["keys", "--export", "."],
      verifyWith({}).with(-1, "none/a"),
      [...verifyWith({ state: "s.json" }).slice(0, -1), "s.json"],
      [...verifyWith({ proof: "b.proof" }).slice(0, -1), "b.proof"],
    ]) {
      await expectRefused(args, "FILE_UNWRITABLE");
    }
    expect(await readFile(here("b.trace"))).toEqual(await readFile(good.trace));
    expect(await readFile(here("s.json"))).toEqual(await readFile(good.snapshot));
    expect(await readFile(here("b.proof"))).toEqual(await readFile(good.proof));
    if (process.getuid?.() !== 0) {
      await mkdir(here("closed"));
      await chmod(here("closed"), 0o500);
      await expectRefused(["prove", "b.trace", "-o", "closed/p"], "FILE_UNWRITABLE");
    }
  });

  test("an old output stays as it was when a command fails", async () => {
    await writeFile(here("p.proof"), "old");
    await writeFile(here("after.json"), "old");
    await writeFile(here("bad"), "{}");
    await expectRefused(prove("bad"), "TRACE_FIELD");
    await expectRefused(verifyWith({ state: "bad" }), "TRACE_FIELD");
    for (const name of ["p.proof", "after.json"]) expect(await readFile(here(name), "utf8")).toBe("old");
  });
});

describe("fuzzed files", () => {
  /** Exit codes of many runs in one process: what a command does with each of these files, one after the other. */
  async function runs(
    command: "check" | "verify",
    files: readonly Uint8Array[],
  ): Promise<{ code: number; error: string }[]> {
    const names: string[] = [];
    for (const [i, bytes] of files.entries()) {
      names.push(here(`fuzzed-${i}`));
      await writeFile(names[i]!, bytes);
    }
    const line = (name: string) =>
      command === "check" ? ["check", name, "--json"] : ["verify", name, ...replica(), "--json"];
    // a process each would take a second each
    const code = `
      import { main } from ${JSON.stringify(join(ROOT, "dist/cli/program.js"))};
      for (const args of ${JSON.stringify(names.map(line))}) {
        process.exitCode = 0;
        let out = "";
        const { write } = process.stdout;
        process.stdout.write = (text) => ((out += text), true);
        process.argv = [process.execPath, "chunkproof", ...args];
        await main();
        process.stdout.write = write;
        console.log(JSON.stringify({ code: process.exitCode, error: out }));
      }
      process.exitCode = 0;`;
    await writeFile(here("runs.mjs"), code);
    const finished = await startNode([here("runs.mjs")], {
      cwd,
      env: { CHUNKPROOF_CACHE: CACHE },
      limit: 280_000,
    }).done;
    expect(finished.code, finished.stderr).toBe(0);
    return finished.stdout
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text));
  }

  /** Damage of all sorts: bits, bytes, pieces gone, pieces doubled, pieces of nothing. */
  function damaged(whole: Uint8Array, times: number, seed: number): Uint8Array[] {
    const kinds = fc.tuple(
      fc.constantFrom("flip", "set", "cut", "double", "zero"),
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(255),
    );
    return fc.sample(kinds, { numRuns: times, seed }).map(([kind, at, length, byte]) => {
      const before = whole.subarray(0, at);
      const piece = whole.subarray(at, at + length);
      const after = whole.subarray(at + length);
      const copy = whole.slice();
      if (kind === "flip") copy[at]! ^= 1 << (byte & 7);
      if (kind === "set") copy[at] = byte;
      if (kind === "zero") copy.fill(0, at, at + length);
      if (kind === "cut") return Buffer.concat([before, after]);
      if (kind === "double") return Buffer.concat([before, piece, piece, after]);
      return copy;
    });
  }

  test("proofs: never valid unless they are the one that was made, never a crash", async () => {
    const whole = new Uint8Array(await readFile(good.proof));
    const fuzzed = damaged(whole, 120, 1);
    const ends = await runs("verify", fuzzed);
    expect(ends.length).toBe(fuzzed.length);
    for (const [i, { code, error }] of ends.entries()) {
      const same = Buffer.compare(fuzzed[i]!, whole) === 0;
      expect(same ? [0] : [1, 2], error).toContain(code);
    }
    expect(new Set(ends.map(({ code }) => code)).size).toBeGreaterThan(1);
  });

  test("traces: refused or as before, never a crash", async () => {
    const whole = new Uint8Array(await readFile(good.trace));
    const fuzzed = damaged(whole, 60, 2);
    const ends = await runs("check", fuzzed);
    for (const { code, error } of ends) expect([0, 1, 2], error).toContain(code);
    expect(ends.filter(({ code }) => code === 2).length).toBeGreaterThan(40);
  });
});

describe("interrupts", () => {
  test("at any time of prove: 130 and no file, or 0 and a whole one", async () => {
    const { ms: whole } = await cli("prove", good.trace, "-o", "whole.proof");
    for (const share of [0.2, 0.4, 0.6, 0.8, 0.95]) {
      const name = `${share}.proof`;
      const running = start(["prove", good.trace, "-o", name]);
      await delay(share * whole);
      running.kill(share > 0.5 ? "SIGTERM" : "SIGINT");
      const { code, signal, stderr } = await running.done;
      // while Node starts and ends there is nobody to hear it
      expect([0, 130, 143, "SIGINT", "SIGTERM"], stderr).toContain(code ?? signal);
      const there = existsSync(here(name));
      if (code !== null) expect(there).toBe(code === 0);
      if (there) expect((await cli("verify", name, ...replica())).code).toBe(0);
    }
    expect((await files()).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("check: 130", async () => {
    const running = start(["check", good.trace]);
    await delay(1500);
    running.kill("SIGINT");
    const { code, stderr } = await running.done;
    if (code !== 0) expect({ code, stderr }).toEqual({ code: 130, stderr: "error: interrupted\n" });
  });
});

describe("usage", () => {
  test("--help names every command, argument and option", async () => {
    for (const [args, texts] of [
      [["--help"], [/keys/, /trace/, /check/, /prove/, /verify/, /groth16/]],
      [
        ["keys", "--help"],
        [/--cache <dir>/, /--threads <n>/, /--check/, /--export <keyset\.json>/, /NOT FOR PRODUCTION/],
      ],
      [
        ["trace", "--help"],
        [
          /\[scenario\]/,
          /--rpc <url>/,
          /--block <n>/,
          /--struct-logs <file>/,
          /--output <block\.trace>/,
          /--snapshot <before\.json>/,
          /demo, empty/,
        ],
      ],
      [
        ["check", "--help"],
        [/<trace>/, /--cache <dir>/],
      ],
      [
        ["prove", "--help"],
        [/<trace>/, /--output <block\.proof>/, /--keys <dir>/, /--no-self-check/, /--threads <n>/],
      ],
      [
        ["verify", "--help"],
        [
          /<block\.proof>/,
          /--state <before\.json>/,
          /--keys <keyset\.json>/,
          /--allow-development-keys/,
          /--output <after\.json>/,
        ],
      ],
    ] as const) {
      const { code, stdout, stderr } = await start(args).done;
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
      for (const text of texts) expect(stdout).toMatch(text);
      for (const option of args.length > 1 ? [/--json/, /--quiet/] : []) expect(stdout).toMatch(option);
    }
  });

  test("wrong usage is 2", async () => {
    for (const [args, message] of [
      [["trace", "-o", "t"], /missing required argument 'scenario'/],
      [["trace", "demo", "-o", "t", "--rpc", "http://localhost"], /exclude each other/],
      [["trace", "-o", "t", "--rpc", "http://localhost"], /--rpc needs --block/],
      [["trace", "demo", "-o", "t", "--block", "1"], /--block needs --rpc/],
      [["trace", "-o", "t", "--rpc", "http://localhost", "--block", "-1"], /expected a number, latest/],
      [["trace", "demo"], /required option '-o, --output <block\.trace>' not specified/],
      [["prove", good.trace], /required option '-o, --output/],
      [["prove", good.trace, "-o", "p", "--threads", "0"], /--threads/],
      [["verify", good.proof], /required option '--state/],
      [["verify", good.proof, "--state"], /argument missing/],
      [["check"], /missing required argument 'trace'/],
      [["keys", "more"], /too many arguments/],
      [["keys", "--fast"], /unknown option '--fast'/],
    ] as const) {
      const { code, stdout, stderr } = await start(args).done;
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
      expect(stderr).toMatch(message);
    }
    expect(await files()).toEqual([]);
  });
});
