/**
 * The commands of the network as processes: exit codes, signals, configuration, doctor. What the network as a whole survives is
 * `network.test.ts`'s business.
 */

import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeTrace } from "../../../src/trace/format.js";
import { loadScenario, runScenario } from "../../../src/trace/scenarios.js";
import { encodeSnapshot } from "../../../src/trace/snapshot.js";
import { startNode } from "../../support/built.js";
import { ROOT } from "../../support/circuits.js";
import { type ServiceProcess, TestNetwork, TOKEN, until } from "../../support/network.js";
import { freePort, redisMissing, startRedis } from "../../support/redis.js";

const CLI = join(ROOT, "dist", "cli", "main.js");
let dir: string;
const here = (name: string) => join(dir, name);
/** Runs a command to its end. */
const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  startNode([CLI, ...args], {
    cwd: dir,
    env: { CHUNKPROOF_CACHE: join(ROOT, ".cache"), CHUNKPROOF_TOKEN: TOKEN, ...env },
  }).done;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "chunkproof-network-cli-"));
  const { trace, before } = await runScenario(loadScenario("transfer"));
  await writeFile(here("block.trace"), encodeTrace(trace));
  await writeFile(here("before.json"), encodeSnapshot(before));
  expect((await run(["keys", "--export", "keyset.json", "-q"])).code).toBe(0);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Until a service has logged this. */
const logged = (service: ServiceProcess, message: string) =>
  until(`"${message}" of ${service.name}`, async () => {
    const found = service.logs.find(({ msg }) => msg === message);
    if (found === undefined && !service.running) throw new Error(`it ended:\n${service.stdout}\n${service.stderr}`);
    return found;
  });

describe("a coordinator that works alone, submit and a replica", () => {
  let network: TestNetwork;
  let coordinator: ServiceProcess;
  beforeAll(async () => {
    network = new TestNetwork({ dir: here("alone") });
    coordinator = await network.coordinator(["--drain-timeout", "20s"]);
  });
  afterAll(() => network.close());

  test("a block is proved; the proof is the one that verify takes", async () => {
    const submitted = await run([
      "submit",
      "block.trace",
      "--coordinator",
      network.origin,
      "-o",
      "block.proof",
      "--json",
    ]);
    expect(submitted.code).toBe(0);
    const result = JSON.parse(submitted.stdout);
    expect(result).toMatchObject({ ok: true, state: "proved", output: "block.proof" });
    const verified = await run([
      "verify",
      "block.proof",
      "--state",
      "before.json",
      "--keys",
      "keyset.json",
      "--allow-development-keys",
    ]);
    expect(verified.code).toBe(0);
    // the same trace again is the same block
    const again = await run(["submit", "block.trace", "--coordinator", network.origin, "--wait"]);
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining(`PROVED: block 1 (${result.id})`)]);
  });

  test("who may not, gets nothing: 2", async () => {
    const submit = ["submit", "block.trace", "--coordinator", network.origin];
    const wrong = await run(submit, { CHUNKPROOF_TOKEN: "another-token-of-nobody" });
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/\[FORBIDDEN\]/)]);
    const none = await run(submit, { CHUNKPROOF_TOKEN: "" });
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/\[UNAUTHORIZED\]/)]);
    const gone = await run(["submit", "block.trace", "--coordinator", "http://127.0.0.1:1"]);
    expect([gone.code, gone.stderr]).toEqual([70, expect.stringMatching(/\[COORDINATOR_UNAVAILABLE\]/)]);
  });

  test("doctor finds it good, and says what is not", async () => {
    const good = await run(["doctor", "--coordinator", network.origin, "--json"]);
    expect(good.code).toBe(0);
    const { checks } = JSON.parse(good.stdout) as { checks: { name: string; level: string }[] };
    expect(checks.map(({ name, level }) => `${name} ${level}`)).toEqual([
      "memory ok",
      "threads ok",
      "coordinator ok",
      "coordinator-clock ok",
      "token ok",
      "network ok",
    ]);
    const bad = await run(["doctor", "--coordinator", network.origin, "--keys", dir], {
      CHUNKPROOF_TOKEN: "not-the-token-at-all",
    });
    expect(bad.code).toBe(1);
    expect(bad.stderr).toMatch(/token +FAILS: refused\n +what to do: /);
    expect(bad.stderr).toMatch(/keys +FAILS: .*\[KEYS_MISSING\]/);
  });

  test("a replica follows it, and ends with 0", async () => {
    const [rpc, metrics] = [await freePort(), await freePort()];
    await writeFile(
      here("replica.json"),
      JSON.stringify({
        data: here("replica"),
        snapshot: here("before.json"),
        keys: here("keyset.json"),
        poll: "200ms",
      }),
    );
    const replica = network.start("replica", ["replica", "--config", here("replica.json"), "--feed", network.origin], {
      CHUNKPROOF_RPC: `127.0.0.1:${rpc}`,
      CHUNKPROOF_METRICS: `127.0.0.1:${metrics}`,
      CHUNKPROOF_ALLOW_DEVELOPMENT_KEYS: "true",
      CHUNKPROOF_FED: "misspelt",
    });
    await logged(replica, "a block is valid");
    expect((await fetch(`http://127.0.0.1:${metrics}/ready`)).status).toBe(200);
    expect(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()).toMatch(/^chunkproof_replica_head 1$/m);
    const answer = await fetch(`http://127.0.0.1:${rpc}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}',
    });
    expect(await answer.json()).toMatchObject({ result: "0x1" });
    expect(replica.logs.find(({ msg }) => msg === "variables that no option has")).toMatchObject({
      variables: ["CHUNKPROOF_FED"],
    });
    expect(await replica.stop()).toEqual({ code: 0, signal: null });

    // the state is there: no snapshot, and other keys than those that it may accept
    const start = ["replica", "--data", here("replica"), "--feed", network.origin, "--keys", here("keyset.json")];
    const refused = await run(start);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/\[KEYSET_INSECURE\]/)]);
    const other = await run([...start, "--allow-development-keys", "--accept-keys", "ab".repeat(32)]);
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/\[KEYSET_DIGEST\]/)]);
    const empty = await run([...start.slice(0, 2), here("empty"), ...start.slice(3), "--allow-development-keys"]);
    expect([empty.code, empty.stderr]).toEqual([2, expect.stringMatching(/\[DATABASE_EMPTY\]/)]);
  });

  test("no log has the token in it; it ends with 0 when nothing is left to do", async () => {
    expect(coordinator.stdout).not.toContain(TOKEN);
    expect(await coordinator.stop()).toEqual({ code: 0, signal: null });
    expect(coordinator.logs.at(-1)).toMatchObject({ msg: "ended", finished: true });
    expect(coordinator.stderr).toBe("");
  });
});

test("a coordinator makes its own token, for its user only, and keeps it", async () => {
  const network = new TestNetwork({ dir: here("token") });
  try {
    const start = async () => {
      const coordinator = network.start(
        "coordinator",
        ["coordinator", "--data", network.data, "--listen", "127.0.0.1:0"],
        { CHUNKPROOF_TOKEN: "" },
      );
      await logged(coordinator, "takes blocks");
      const token = (await readFile(join(network.data, "token"), "utf8")).trim();
      expect(coordinator.stdout).not.toContain(token);
      expect(await coordinator.stop()).toEqual({ code: 0, signal: null });
      return token;
    };
    const token = await start();
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect((await stat(join(network.data, "token"))).mode & 0o777).toBe(0o600);
    expect(await start()).toBe(token);
  } finally {
    await network.close();
  }
});

describe("signals", () => {
  test("work that is not finished in time is left: the signal's code; a second signal ends at once", async () => {
    const network = new TestNetwork({ dir: here("signals") });
    try {
      const late = await network.coordinator(["--drain-timeout", "1ms"]);
      // large enough to be caught in the middle of it
      const { trace } = await runScenario(loadScenario("demo"));
      await network.submit(encodeTrace(trace));
      await until("a job", async () => {
        const metrics = await (await network.api("/metrics")).text();
        return /^chunkproof_jobs_active\{kind="(commit|prove)"\} 1$/m.test(metrics) ? true : undefined;
      });
      expect(await late.stop()).toEqual({ code: 143, signal: null });
      // what it had accepted it brings to its end the next time
      const next = await network.coordinator(["--drain-timeout", "10m"]);
      await until("a job", async () => {
        const metrics = await (await network.api("/metrics")).text();
        return /^chunkproof_jobs_active\{kind="(commit|prove)"\} 1$/m.test(metrics) ? true : undefined;
      });
      next.kill("SIGTERM");
      await logged(next, "told to end: finishing what was begun");
      next.kill("SIGINT");
      // at once, unless its job had just ended
      const { code } = await next.ended;
      expect([130, 0]).toContain(code);
    } finally {
      await network.close();
    }
  });
});

describe.skipIf(redisMissing !== undefined)(
  `with Redis${redisMissing === undefined ? "" : ` (${redisMissing})`}`,
  () => {
    test("a worker waits for its coordinator, says so, and can be ended meanwhile", async () => {
      const redis = await startRedis();
      const network = new TestNetwork({ dir: here("waiting"), redis: redis.url });
      try {
        const listen = await freePort();
        const worker = network.start("worker", [
          ...["worker", "--redis", redis.url, "--store", "http://127.0.0.1:1", "--listen", `127.0.0.1:${listen}`],
        ]);
        await logged(worker, "no coordinator has described the network yet; waiting");
        expect((await fetch(`http://127.0.0.1:${listen}/health`)).status).toBe(200);
        const ready = await fetch(`http://127.0.0.1:${listen}/ready`);
        expect([ready.status, await ready.json()]).toEqual([
          503,
          { ready: false, reasons: ["fetching the keys of the network"] },
        ]);
        expect(await worker.stop()).toEqual({ code: 143, signal: null });
      } finally {
        await network.close();
        await redis.stop();
      }
    });

    test("a Redis that throws jobs away is refused: 2, and doctor says what to do", async () => {
      const redis = await startRedis({ args: ["--maxmemory-policy", "allkeys-lru"] });
      try {
        const ended = await run([
          "coordinator",
          "--data",
          here("unsafe"),
          "--redis",
          redis.url,
          "--listen",
          "127.0.0.1:0",
        ]);
        expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(/noeviction.*\[QUEUE_UNSAFE\]/)]);
        const doctor = await run(["doctor", "--redis", redis.url]);
        expect(doctor.code).toBe(1);
        expect(doctor.stderr).toMatch(/redis-memory +FAILS: .*allkeys-lru\n +what to do: CONFIG SET/);
      } finally {
        await redis.stop();
      }
    });
  },
);
