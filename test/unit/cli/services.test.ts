import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { COORDINATOR } from "../../../src/cli/coordinator.js";
import { doctorCommand } from "../../../src/cli/doctor.js";
import { LogOutput } from "../../../src/cli/log-output.js";
import { makeProgram } from "../../../src/cli/program.js";
import { REPLICA } from "../../../src/cli/replica.js";
import { runServiceCommand, type ServiceCommand, service } from "../../../src/cli/service-command.js";
import { WORKER } from "../../../src/cli/worker.js";
import { NetworkError } from "../../../src/network/errors.js";
import { choice, describeOptions, duration, type OptionTable, text } from "../../../src/service/config.js";
import { createLog, LOG_LEVELS } from "../../../src/service/log.js";
import { CLIENT_OPTIONS, DOCTOR_OPTIONS } from "../../../src/service/options.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chunkproof-services-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let stderr = "";
beforeEach(() => {
  stderr = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** Help as an operator sees it. */
async function helpOf(...args: string[]): Promise<string> {
  let command: Command = await makeProgram(args);
  for (const name of args) command = command.commands.find((one) => one.name() === name)!;
  let written = "";
  command.configureOutput({ writeOut: (text) => (written += text), getOutHelpWidth: () => 120 });
  command.exitOverride();
  try {
    command.outputHelp();
  } catch {
    // it ends
  }
  return written;
}

describe("help", () => {
  test("names every option of a service, and how else it can be said", async () => {
    for (const { name, table } of [COORDINATOR, WORKER, REPLICA] as { name: string; table: OptionTable }[]) {
      const help = await helpOf(name);
      for (const { flags } of describeOptions(table)) expect(help, name).toContain(flags);
      for (const word of ["--config <file>", "CHUNKPROOF_", "512MiB", "SIGTERM", "70"]) expect(help).toContain(word);
    }
  });

  test("says defaults as people write them, and what is required", async () => {
    const coordinator = await helpOf("coordinator");
    for (const part of [
      /--listen <host:port> +where .*\(default: 127\.0\.0\.1:8080\)/,
      /--data <dir> .*\(required\)/,
      /--max-trace <size> .*256MiB/,
      /--job-timeout <time> .*10m/,
      /--lease <time>[^-]*30s/,
    ]) {
      expect(coordinator).toMatch(part);
    }
    expect(coordinator).not.toMatch(/\[object|undefined|NaN/);
    expect(await helpOf("worker")).toMatch(/--kinds <list>.*\(default: commit,prove\)/);
    expect(await helpOf("replica")).toMatch(/--rpc <host:port> .*127\.0\.0\.1:8545/);
    expect(await helpOf("submit")).toMatch(/--coordinator <url> .*http:\/\/127\.0\.0\.1:8080/);
  });

  test("of the whole command has all of them, whether or not they are loaded", async () => {
    const program = await makeProgram([]);
    for (const [name, words] of [
      ["submit", "prove a block"],
      ["coordinator", "coordinator"],
      ["worker", "worker"],
      ["replica", "JSON-RPC"],
    ] as const) {
      const stub = program.commands.find((command) => command.name() === name)!;
      expect(stub.summary()).toContain(words);
      expect(stub.options).toEqual([]);
      const whole = (await makeProgram([name])).commands.find((command) => command.name() === name)!;
      expect(whole.summary()).toBe(stub.summary());
      expect(whole.options.length).toBeGreaterThan(3);
    }
  });

  test("of doctor has the options of its table", () => {
    const flags = doctorCommand().options.map((option) => option.flags);
    for (const option of describeOptions(DOCTOR_OPTIONS)) expect(flags).toContain(option.flags);
    expect(Object.keys(CLIENT_OPTIONS)).toEqual(["coordinator", "token", "tokenFile"]);
  });
});

describe("what ends a service before it begins", () => {
  const quiet = { logLevel: "silent" };
  const ends = async (command: unknown, flags: object, code: number, said: RegExp) => {
    stderr = "";
    expect(await runServiceCommand(command as ServiceCommand<OptionTable>, { ...quiet, ...flags })).toBe(code);
    expect(stderr).toMatch(said);
    expect(stderr.trim().split("\n").length).toBe(1);
  };

  test("options: 2, with the place", async () => {
    await ends(COORDINATOR, {}, 2, /^error: --data: is needed .*CHUNKPROOF_DATA.* \[CONFIG_INVALID\]$/m);
    await ends(COORDINATOR, { data: "x", listen: "8080" }, 2, /^error: --listen: .*\[CONFIG_INVALID\]$/m);
    await ends(COORDINATOR, { data: "x", maxMemory: "1GB" }, 2, /^error: --max-memory: .*such as 512MiB/m);
    await ends(COORDINATOR, { data: "x", kinds: "plan,cook" }, 2, /^error: --kinds: .*plan, commit, challenge/m);
    await ends(COORDINATOR, { data: "x", logLevel: "loud" }, 2, /^error: --log-level: /m);
    await ends(COORDINATOR, { data: "x", token: "short" }, 2, /^error: --token: .*a text that is not shown/m);
    await ends(COORDINATOR, { data: "x", config: join(folder, "none") }, 2, /none: cannot be read .*ENOENT/m);
    await ends(WORKER, {}, 2, /^error: --redis: is needed/m);
    await ends(WORKER, { redis: "redis://a" }, 2, /^error: --store: is needed/m);
    await ends(WORKER, { redis: "http://:hidden@a", store: "b" }, 2, /^error: --redis: (?!.*hidden).*CONFIG_INVALID/m);
    await ends(WORKER, { redis: "redis://a", store: "ftp://b" }, 2, /^error: --store: /m);
    await ends(REPLICA, { data: "x", feed: "y" }, 2, /^error: --keys: is needed/m);
    await ends(REPLICA, { data: "x", feed: "y", keys: "z", acceptKeys: "abc" }, 2, /^error: --accept-keys: /m);
    await ends(REPLICA, { data: "x", feed: "y", keys: "z", poll: "2" }, 2, /^error: --poll: .*such as 500ms/m);
  });

  test("variables and files are named too", async () => {
    vi.stubEnv("CHUNKPROOF_MAX_BLOCKS", "lots");
    await ends(COORDINATOR, { data: "x" }, 2, /^error: CHUNKPROOF_MAX_BLOCKS: /m);
    vi.unstubAllEnvs();
    const config = join(folder, "worker.json");
    await writeFile(config, JSON.stringify({ redis: "redis://a", store: "/b", thread: 2 }));
    await ends(WORKER, { config }, 2, /worker\.json: thread: no such option/);
  });

  test("tokens and keys that are not there: 2", async () => {
    const none = join(folder, "none");
    await ends(COORDINATOR, { data: folder, tokenFile: none }, 2, /none: cannot be read.*\[CONFIG_INVALID\]/);
    await ends(COORDINATOR, { data: folder, keys: none }, 2, /\[KEYS_MISSING\]/);
    await ends(WORKER, { redis: "redis://a", store: "b", keys: none }, 2, /\[KEYS_MISSING\]/);
    await ends(REPLICA, { data: "x", feed: "y", keys: none }, 2, /\[FILE_NOT_FOUND\]/);
    const broken = join(folder, "keyset.json");
    await writeFile(broken, "{}");
    await ends(REPLICA, { data: "x", feed: "y", keys: broken }, 2, /\[KEYSET_MALFORMED\]/);
  });
});

describe("a service under way", () => {
  const TABLE = {
    name: { kind: text("<name>"), help: "its name", default: "it" },
    secret: { kind: text("<text>"), help: "hidden", secret: true },
    drainTimeout: { kind: duration(0), help: "to finish", default: 1000 },
    logLevel: { kind: choice("<level>", LOG_LEVELS), help: "how much", default: "silent" },
  } as const satisfies OptionTable;
  const of = (start: ServiceCommand<typeof TABLE>["start"]) =>
    service({ name: "it", summary: "", table: TABLE, start });

  test("ends with 0 when everything was finished", async () => {
    const close = vi.fn(async () => {});
    const running = runServiceCommand(
      of(async ({ config }) => {
        expect(config.name).toBe("other");
        setTimeout(() => process.emit("SIGTERM", "SIGTERM"), 10);
        return { close };
      }),
      { name: "other" },
    );
    expect(await running).toBe(0);
    expect(close).toHaveBeenCalledOnce();
    expect(process.listenerCount("SIGTERM")).toBe(0);
  });

  test("with the signal's code when it was not", async () => {
    for (const [signal, code] of [
      ["SIGTERM", 143],
      ["SIGINT", 130],
    ] as const) {
      const hangs = of(async () => {
        setTimeout(() => process.emit(signal, signal), 5);
        return { close: (abandon) => new Promise((resolve) => abandon.addEventListener("abort", () => resolve())) };
      });
      expect(await runServiceCommand(hangs, { drainTimeout: "10ms" })).toBe(code);
      const starts = of(async ({ signal: stop }) => {
        setTimeout(() => process.emit(signal, signal), 5);
        return new Promise((_, reject) => stop.addEventListener("abort", () => reject(stop.reason)));
      });
      expect(await runServiceCommand(starts, {})).toBe(code);
    }
    expect(stderr).toBe("");
  });

  test.each([
    ["NETWORK_KEYS", 2],
    ["NETWORK_VERSION", 2],
    ["NETWORK_PROTOCOL", 2],
    ["QUEUE_UNSAFE", 2],
    ["MEMORY_LIMIT", 2],
    ["STORE_FORBIDDEN", 2],
    ["DATABASE_LOCKED", 2],
    ["DATABASE_EMPTY", 2],
    ["QUEUE_UNAVAILABLE", 70],
    ["STORE_UNAVAILABLE", 70],
    ["STORE_FULL", 70],
    ["EXECUTOR_LOST", 70],
    ["NETWORK_BANNED", 70],
    ["DATABASE_DAMAGED", 70],
  ])("%s ends it with %i", async (code, expected) => {
    const error = new NetworkError("why", { code });
    expect(
      await runServiceCommand(
        of(() => Promise.reject(error)),
        {},
      ),
    ).toBe(expected);
    const ended = Promise.reject(error);
    const close = vi.fn(async () => {});
    expect(
      await runServiceCommand(
        of(async () => ({ close, ended })),
        {},
      ),
    ).toBe(expected);
    expect(close).toHaveBeenCalledOnce();
    expect(stderr).toBe(`error: why [${code}]\n`.repeat(2));
  });

  test("a bug is 70, with its stack", async () => {
    expect(
      await runServiceCommand(
        of(() => Promise.reject(new TypeError("oops"))),
        {},
      ),
    ).toBe(70);
    expect(stderr).toMatch(/^error: oops\nTypeError: oops\n +at /);
  });
});

test("what commands say goes into the log", async () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: "info", name: "it", stream: { write: (line) => lines.push(JSON.parse(line)) } });
  const out = new LogOutput("it", log);
  out.warn("careful");
  out.note("making keys");
  out.view<number>({ progress: (n) => (n > 1 ? `step ${n}` : undefined), draw: () => [] })(1);
  out.view<number>({ progress: (n) => (n > 1 ? `step ${n}` : undefined), draw: () => [] })(2);
  expect(await out.progress()).toBeUndefined();
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    ["warn", "careful"],
    ["info", "making keys"],
    ["info", "step 2"],
  ]);
  expect(stderr).toBe("");
});
