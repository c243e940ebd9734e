/**
 * What blocks, operators and strangers meet: real processes, once with the queue in the coordinator and once with BullMQ.
 */

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyFolder } from "../../../src/keys/folder.js";
import { parseEvents } from "../../../src/network/client.js";
import { BLOCK_STATES } from "../../../src/network/registry.js";
import { decodeTrace, encodeTrace, type Trace } from "../../../src/trace/format.js";
import { ROOT } from "../../support/circuits.js";
import {
  type BlockStatus,
  type ServiceEnd,
  type ServiceProcess,
  TestNetwork,
  TOKEN,
  type TokenChain,
  tokenChain,
  until,
} from "../../support/network.js";
import { type Family, parsePrometheus, sumOf } from "../../support/prometheus.js";
import { altered, CACHE, counterBlock, type Mutable, makeKeys, SMALL } from "../../support/proofs.js";
import { freePort, redisMissing, startRedis, type TestRedis } from "../../support/redis.js";

/** Modules of dist/, outside the test runner's module graph: see built.ts. */
const load = (path: string): Promise<unknown> => {
  const url = pathToFileURL(join(ROOT, "dist", path)).href;
  return import(/* @vite-ignore */ `data:text/javascript,export * from ${JSON.stringify(url)}`);
};
const { BullQueue } = (await load("network/queue-bullmq.js")) as typeof import("../../../src/network/queue-bullmq.js");
const { Compute } = (await load("network/compute.js")) as typeof import("../../../src/network/compute.js");

const PASSWORD = "pass+word-of-redis/0123456789=";
const WRONG_TOKEN = "wrong-token-of-the-tests-0123456789";
const WRONG_PASSWORD = "wrong-password-of-redis";
/** What must be in no log, in whatever form. */
const SECRETS = [TOKEN, WRONG_TOKEN, PASSWORD, WRONG_PASSWORD].flatMap((secret) => [
  secret,
  encodeURIComponent(secret),
]);

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

/** Blocks of the tests; the last two of `chain` have a transaction each and are for nobody else. */
let chain: TokenChain;
/** Two chunks of 2^14 rows, two of 2^16: enough to end something in the middle. */
let short: Uint8Array;
let long: Uint8Array;
let keys: KeyFolder;

/** The same transactions in another block: other challenges, the same chunks. */
const twin = (trace: Uint8Array, later: bigint): Uint8Array =>
  changed(trace, ({ header }) => {
    header.timestamp += later;
  });
const changed = (trace: Uint8Array, change: (trace: Mutable<Trace>) => void) =>
  encodeTrace(altered(decodeTrace(trace), change));
const untrue = (trace: Uint8Array): Uint8Array =>
  changed(trace, ({ executions }) => {
    executions[0]!.steps[5]!.gas -= 1n;
  });

beforeAll(async () => {
  keys = await makeKeys({ cache: CACHE });
  chain = await tokenChain(4, 1);
  [short, long] = [(await tokenChain(1, 2)).traces[0]!, (await tokenChain(1, 8)).traces[0]!];
});

/** Starts a command and waits for its end. */
async function cli(network: TestNetwork, args: readonly string[], env?: Record<string, string>) {
  const service = network.start("cli", args, env);
  const { code } = await service.ended;
  const { stdout, stderr } = service;
  return { code, stdout, stderr };
}

interface SentEvent {
  readonly id: string | undefined;
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the server sends
  readonly data: any;
}

/** Follows events until they end or `stop` is called. */
async function follow(network: TestNetwork, path: string) {
  const controller = new AbortController();
  const response = await network.api(path, { signal: controller.signal });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
  const events: SentEvent[] = [];
  const read = async () => {
    for await (const event of parseEvents(response.body as unknown as AsyncIterable<Uint8Array>)) events.push(event);
  };
  const ended = read().catch(() => {});
  return { events, ended, stop: () => controller.abort() };
}

/** The states that a block was in, in their order; each comes once, and is not before the one before it. */
function expectOrder(events: readonly SentEvent[], last: string): void {
  const states = events.map(({ data }) => BLOCK_STATES.indexOf(data.state));
  expect(states).toEqual([...states].sort((a, b) => a - b));
  expect(events.map(({ name }) => name).indexOf("end")).toBe(events.length - 1);
  expect(events.at(-1)!.data.state).toBe(last);
}

/** Blobs of the coordinator's store. */
async function blobs(network: TestNetwork): Promise<string[]> {
  const root = join(network.data, "store");
  const found: string[] = [];
  for (const shard of await readdir(root)) {
    if (shard.length === 2) found.push(...(await readdir(join(root, shard))).map((name) => shard + name));
  }
  return found.sort();
}

interface JobLine {
  readonly job: string;
  readonly kind: string;
  readonly outcome: string;
}

/** Jobs of a block that have ended in any process, as the logs say. */
const jobsOf = (network: TestNetwork, id: string): JobLine[] =>
  [...network.services]
    .flatMap(({ logs }) => logs)
    .filter(({ msg, job }) => msg === "a job ended" && String(job).startsWith(id)) as unknown as JobLine[];

const scrape = async (origin: string): Promise<Map<string, Family>> => {
  const response = await fetch(`${origin}/metrics`);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parsePrometheus(await response.text());
};
const proving = (origin: string) => () =>
  scrape(origin).then((metrics) =>
    sumOf(metrics, "chunkproof_jobs_active", { kind: "prove" }) > 0 ? true : undefined,
  );

const ready = async (origin: string): Promise<{ status: number; reasons: string[] }> => {
  const response = await fetch(`${origin}/ready`);
  const { ready: is, reasons } = (await response.json()) as { ready: boolean; reasons: string[] };
  expect(is).toBe(response.status === 200);
  return { status: response.status, reasons };
};

/** A block's status as long as it has not ended. */
const underWay = async (network: TestNetwork, id: string, states: readonly string[]): Promise<BlockStatus> =>
  until(`block ${id} ${states}`, async () => {
    const status = await network.status(id);
    if (["proved", "failed"].includes(status.state)) throw new Error(`it is ${status.state} already`);
    return states.includes(status.state) ? status : undefined;
  });

const end = (code: number): ServiceEnd => ({ code, signal: null });

/** A copy of the keys in which some files are others; the manifest says what they are. */
async function keysWith(path: string, replaced: Readonly<Record<string, (bytes: Buffer) => Buffer>>): Promise<string> {
  await mkdir(path);
  const manifest = JSON.parse(await readFile(join(keys.path, "manifest.json"), "utf8"));
  for (const name of await readdir(keys.path)) {
    if (name === "manifest.json") continue;
    const change = replaced[name];
    if (change === undefined) {
      await symlink(join(keys.path, name), join(path, name));
      continue;
    }
    const bytes = change(await readFile(join(keys.path, name)));
    await writeFile(join(path, name), bytes);
    manifest.files[name] = sha256(bytes);
  }
  await writeFile(join(path, "manifest.json"), JSON.stringify(manifest));
  return path;
}

/** Exchanges two points of a zkey's h: it loads, and what it proves is wrong. */
function exchangePoints(zkey: Buffer): Buffer {
  for (let at = 12; at < zkey.length; at += 12 + Number(zkey.readBigUInt64LE(at + 4))) {
    if (zkey.readUInt32LE(at) !== 9) continue;
    const first = Buffer.from(zkey.subarray(at + 12, at + 76));
    zkey.copy(zkey, at + 12, at + 76, at + 140);
    first.copy(zkey, at + 76);
    return zkey;
  }
  throw new Error("no points of h");
}

/** What logs must be, whatever happened. */
function expectLogs(services: Iterable<ServiceProcess>): void {
  let lines = 0;
  for (const { name, stdout, stderr } of services) {
    for (const secret of SECRETS) {
      expect(stdout.includes(secret) || stderr.includes(secret), `a secret in what ${name} says`).toBe(false);
    }
    if (name === "cli") continue;
    for (const text of stdout.split("\n")) {
      if (text === "") continue;
      const line = JSON.parse(text) as Record<string, unknown>;
      lines++;
      expect(line).toMatchObject({ time: expect.any(String), msg: expect.any(String), pid: expect.any(Number) });
      expect(["trace", "debug", "info", "warn", "error", "fatal"]).toContain(line.level);
      expect(new Date(line.time as string).toISOString()).toBe(line.time);
      if (
        /^(accepted|block (proved|failed|cancelled)|the block has failed|.*it is begun again)$/.test(line.msg as string)
      ) {
        expect(line.block).toMatch(/^[0-9a-f]{32}$/);
      }
      if ("job" in line) expect(line.job).toMatch(/^[0-9a-f]{32}-\d+-(plan|commit|challenge|prove|assemble)/);
    }
  }
  expect(lines).toBeGreaterThan(100);
}

/** Every method of every address. */
const ROUTES: readonly [path: string, open: readonly string[], secret: readonly string[]][] = [
  ["/v1/blocks", ["GET", "HEAD"], ["POST"]],
  ["/v1/blocks/<id>", ["GET", "HEAD"], ["DELETE"]],
  ["/v1/blocks/<id>/retry", [], ["POST"]],
  ["/v1/blocks/<id>/proof", ["GET", "HEAD"], []],
  ["/v1/blocks/<id>/events", ["GET"], []],
  ["/v1/events", ["GET"], []],
  ["/v1/feed", ["GET", "HEAD"], []],
  ["/v1/network", ["GET", "HEAD"], []],
  ["/v1/blobs/<blob>", [], ["GET", "HEAD", "PUT"]],
  ["/health", ["GET", "HEAD"], []],
  ["/ready", ["GET", "HEAD"], []],
  ["/metrics", ["GET", "HEAD"], []],
  ["/", [], []],
  ["/v1/nothing", [], []],
];
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MOVE", "PURGE"];

/** The status of an answer to any method; `fetch` does not know all of them. */
function ask(origin: string, method: string, path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const body = ["GET", "HEAD"].includes(method) ? "" : "body";
    // said here, because Node does not for all methods
    const own = body === "" ? headers : { ...headers, "content-length": String(body.length) };
    const asked = request(`${origin}${path}`, { method, headers: own, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** What is the same whatever the queue. */
interface Place {
  readonly dir: string;
  readonly network: TestNetwork;
  coordinator: ServiceProcess;
  /** Who proves. */
  readonly provers: readonly string[];
  /** Digests of blobs that are there for the workers. */
  readonly published: readonly string[];
}

function suite(place: () => Place): void {
  const submit = (args: readonly string[], env?: Record<string, string>) =>
    cli(place().network, ["submit", "--coordinator", place().network.origin, ...args], env);
  const ids: Record<string, string> = {};

  it("has a block proved", async () => {
    const { dir, network } = place();
    const everything = await follow(network, "/v1/events");
    const [trace, proof] = [join(dir, "1.trace"), join(dir, "1.proof")];
    await writeFile(trace, chain.traces[0]!);
    await writeFile(join(dir, "before.json"), chain.snapshot);
    const submitted = submit([trace, "--wait", "-o", proof]);
    const { id } = await until("the block", async () => {
      const { blocks } = (await (await network.api("/v1/blocks")).json()) as { blocks: BlockStatus[] };
      return blocks[0];
    });
    ids.first = id;
    const own = await follow(network, `/v1/blocks/${id}/events`);
    const { code, stderr } = await submitted;
    expect([code, stderr]).toEqual([0, expect.stringContaining(`PROVED: block 1 (${id})`)]);
    await own.ended;
    expectOrder(own.events, "proved");
    everything.stop();
    await everything.ended;
    expectOrder(everything.events, "proved");
    // all of it is told once, to who listens from the beginning
    const states = everything.events.filter(({ name }) => name === "state").map(({ data }) => data.state);
    expect([states[0], new Set(states).size]).toEqual(["queued", states.length]);
    const told = everything.events.filter(({ name }) => name === "chunk").map(({ data }) => [data.chunk, data.done]);
    expect(told).toEqual([
      [0, "commit"],
      [0, "prove"],
    ]);
    expect(new Set(everything.events.map(({ id: seq }) => seq)).size).toBe(everything.events.length);

    const status = await network.status(id);
    const bytes = await network.proof(id);
    expect(status).toMatchObject({
      ...{ id, number: 1, hash: chain.hashes[0], state: "proved", chunks: 1, committed: 1, proved: 1, run: 0 },
      work: { commits: 1, proofs: 1, repeated: 0, refused: 0 },
      proof: { digest: sha256(bytes), bytes: bytes.length },
    });
    expect(status.workers.every((worker) => place().provers.some((name) => worker.startsWith(name)))).toBe(true);
    expect(sha256(await readFile(proof))).toBe(sha256(bytes));
    const etag = `"${sha256(bytes)}"`;
    const again = await network.api(`/v1/blocks/${id}/proof`, { headers: { "if-none-match": etag } });
    expect([again.status, again.headers.get("etag")]).toEqual([304, etag]);
    // a replica takes it
    const after = join(dir, "after.json");
    const verified = await cli(network, [
      ...["verify", proof, "--state", join(dir, "before.json"), "--allow-development-keys", "--json", "-o", after],
    ]);
    expect([verified.code, JSON.parse(verified.stdout)]).toEqual([
      0,
      expect.objectContaining({ valid: true, number: 1, hash: chain.hashes[0], stateRoot: chain.stateRoots[0] }),
    ]);
    const feed = await (await fetch(`${network.origin}/v1/feed?from=1`)).json();
    const { parentHash } = decodeTrace(chain.traces[0]!).header;
    expect(feed).toEqual({
      ...{ chainId: "1337", tip: 1 },
      blocks: [{ number: 1, hash: chain.hashes[0], parentHash, id, state: "proved", proof: sha256(bytes) }],
    });
  });

  it("takes the same trace for the same block", async () => {
    const { dir, network } = place();
    const id = ids.first!;
    const [before, jobs] = [await network.status(id), jobsOf(network, id).length];
    expect(jobs).toBe(5);
    expect(await network.submit(chain.traces[0]!)).toBe(id);
    const { code, stdout } = await submit([join(dir, "1.trace"), "--wait", "--json", "-o", join(dir, "again.proof")]);
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ ok: true, id, state: "proved" })]);
    expect(sha256(await readFile(join(dir, "again.proof")))).toBe(before.proof!.digest);
    expect(await network.status(id)).toEqual(before);
    expect(jobsOf(network, id).length).toBe(jobs);
  });

  it("has the next block proved, and one with the chunks of another", async () => {
    const { dir, network } = place();
    const [next, one, other] = await Promise.all(
      [chain.traces[1]!, short, twin(short, 7n)].map((trace) => network.submit(trace)),
    );
    const blocks = await Promise.all([next, one, other].map((id) => network.finished(id!)));
    expect(blocks.map(({ state, failure }) => [state, failure])).toEqual(blocks.map(() => ["proved", undefined]));
    expect(blocks.map(({ chunks }) => chunks)).toEqual([1, 2, 2]);
    expect(new Set([one, other]).size).toBe(2);
    await writeFile(join(dir, "short.json"), (await tokenChain(1, 2)).snapshot);
    for (const [id, state] of [
      [next, "after.json"],
      [other, "short.json"],
    ] as const) {
      const path = join(dir, "other.proof");
      await writeFile(path, await network.proof(id!));
      const { code, stderr } = await cli(network, [
        ...["verify", path, "--state", join(dir, state), "--allow-development-keys"],
      ]);
      expect([code, stderr]).toEqual([0, expect.any(String)]);
    }
    const { blocks: fed } = (await (await fetch(`${network.origin}/v1/feed`)).json()) as {
      blocks: { number: number }[];
    };
    expect(fed.map(({ number }) => number)).toEqual([1, 1, 1, 2]);
  });

  it("refuses what is no trace", async () => {
    const { dir, network } = place();
    const before = [await blobs(network), await (await network.api("/v1/blocks")).text()];
    const post = async (body: Uint8Array | string, type = "application/json") => {
      const headers = { "content-type": type };
      const response = await network.api("/v1/blocks", { method: "POST", body: body as BodyInit, headers });
      return [response.status, ((await response.json()) as { error: object }).error] as const;
    };
    const text = new TextDecoder().decode(chain.traces[2]!);
    const wrongField = text.replace('"number":"0x3"', '"number":"three"');
    expect(wrongField).not.toBe(text);
    const cases = [
      [await post("no JSON"), 400, { code: "TRACE_JSON" }],
      [await post(""), 400, { code: "TRACE_JSON" }],
      [await post(text.slice(0, -20)), 400, { code: "TRACE_JSON" }],
      [await post(wrongField), 422, { code: "TRACE_FIELD", where: "header.number" }],
      [await post(text.replace('"version":2', '"version":9')), 422, { code: "TRACE_VERSION", where: "version" }],
      [await post(text.replace('"0x539"', '"0x1"')), 422, { code: "BLOCK_CHAIN", where: "chainId", expected: "1337" }],
      [await post(text, "text/plain"), 415, { code: "MEDIA_TYPE", where: "content-type" }],
    ] as const;
    for (const [[status, error], expected, details] of cases) {
      expect([status, error]).toEqual([expected, expect.objectContaining({ ...details, message: expect.any(String) })]);
    }
    expect([await blobs(network), await (await network.api("/v1/blocks")).text()]).toEqual(before);
    // the command does not even ask
    for (const [name, bytes, code] of [
      ["none", "no JSON", "TRACE_JSON"],
      ["field", wrongField, "TRACE_FIELD"],
    ] as const) {
      await writeFile(join(dir, name), bytes);
      const told = await submit([join(dir, name), "--wait", "-o", join(dir, `${name}.proof`)]);
      expect([told.code, told.stderr]).toEqual([2, expect.stringContaining(`[${code}]`)]);
      expect(told.stderr).toContain(join(dir, name));
    }
    expect((await readdir(dir)).filter((name) => /^(none|field)\.proof/.test(name))).toEqual([]);
  });

  it("fails a block whose trace is not true, for good", async () => {
    const { dir, network } = place();
    const [trace, proof] = [join(dir, "untrue.trace"), join(dir, "untrue.proof")];
    await writeFile(trace, untrue(chain.traces[2]!));
    const { code, stdout } = await submit([trace, "--json", "-o", proof]);
    const said = JSON.parse(stdout) as BlockStatus;
    expect([code, said]).toEqual([
      1,
      expect.objectContaining({ ok: false, state: "failed", failure: expect.objectContaining({ code: "TRACE_GAS" }) }),
    ]);
    expect((await readdir(dir)).includes("untrue.proof")).toBe(false);
    const { id } = said;
    ids.failed = id;
    const status = await network.status(id);
    expect(status).toMatchObject({ state: "failed", chunks: 0, run: 0, failure: { code: "TRACE_GAS", chunks: [] } });
    expect(status.failure!.message).toContain("transaction 0, step 5");
    expect((await network.api(`/v1/blocks/${id}/proof`)).status).toBe(404);
    // once, because no other attempt could end otherwise
    expect(jobsOf(network, id).map(({ kind, outcome }) => [kind, outcome])).toEqual([["plan", "failed"]]);
    // begun again it fails again; handed in again it does not
    expect(await network.submit(untrue(chain.traces[2]!))).toBe(id);
    expect(jobsOf(network, id).length).toBe(1);
    const events = await follow(network, "/v1/events");
    const retried = await network.api(`/v1/blocks/${id}/retry`, { method: "POST" });
    expect([retried.status, await retried.json()]).toEqual([
      202,
      expect.objectContaining({ id, state: "queued", run: 1 }),
    ]);
    await until("the end", async () => (events.events.some(({ name }) => name === "end") ? true : undefined));
    events.stop();
    expectOrder(events.events, "failed");
    expect(await network.status(id)).toMatchObject({ state: "failed", run: 1, failure: { code: "TRACE_GAS" } });
    // it cannot be cancelled, and a proved one not begun again
    for (const [path, method] of [
      [`/v1/blocks/${id}`, "DELETE"],
      [`/v1/blocks/${ids.first}`, "DELETE"],
      [`/v1/blocks/${ids.first}/retry`, "POST"],
    ]) {
      const response = await network.api(path!, { method: method! });
      expect([response.status, await response.json()]).toEqual([
        409,
        { error: expect.objectContaining({ code: "BLOCK_STATE" }) },
      ]);
    }
  });

  it("cancels a block in the middle, and begins it again", async () => {
    const { network } = place();
    const id = await network.submit(long);
    await underWay(network, id, ["proving"]);
    const events = await follow(network, `/v1/blocks/${id}/events`);
    const cancelled = await network.api(`/v1/blocks/${id}`, { method: "DELETE" });
    expect([cancelled.status, await cancelled.json()]).toEqual([200, expect.objectContaining({ state: "cancelled" })]);
    await events.ended;
    expectOrder(events.events, "cancelled");
    expect((await network.api(`/v1/blocks/${id}`, { method: "DELETE" })).status).toBe(200);
    expect((await network.api(`/v1/blocks/${id}/proof`)).status).toBe(404);
    // handed in again it stays cancelled
    expect(await network.submit(long)).toBe(id);
    expect((await network.status(id)).state).toBe("cancelled");
    expect((await network.api(`/v1/blocks/${id}/retry`, { method: "POST" })).status).toBe(202);
    const { state, failure, chunks } = await network.finished(id);
    expect([state, failure, chunks]).toEqual(["proved", undefined, 2]);
  });

  it("leaves nothing behind but proofs, and what can be begun again", async () => {
    const { network, published } = place();
    const { blocks } = (await (await network.api("/v1/blocks")).json()) as { blocks: BlockStatus[] };
    const expected = [
      ...published,
      ...blocks.flatMap(({ proof }) => (proof === undefined ? [] : [proof.digest])),
      sha256(untrue(chain.traces[2]!)),
    ].sort();
    expect(blocks.map(({ state }) => state).sort()).toEqual(["failed", ...Array.from({ length: 5 }, () => "proved")]);
    await until("tidied up", async () => {
      const found = await blobs(network);
      if (found.join() !== expected.join()) throw new Error(`${found.length} blobs, not ${expected.length}`);
      return true;
    });
    // of a run that was given up not even what has failed stays, after the next look at all blocks
    const metrics = await until("an empty queue", async () => {
      const found = await scrape(network.origin);
      return sumOf(found, "chunkproof_queue_depth") === 1 ? found : undefined;
    });
    expect(sumOf(metrics, "chunkproof_queue_depth", { kind: "plan", state: "failed" })).toBe(1);
    expect(sumOf(metrics, "chunkproof_blocks_unfinished")).toBe(0);
    expect(sumOf(metrics, "chunkproof_blocks_total", { result: "proved" })).toBe(5);
    expect(sumOf(metrics, "chunkproof_blocks_total", { result: "failed" })).toBe(2);
    expect(sumOf(metrics, "chunkproof_blocks_total", { result: "cancelled" })).toBe(1);
    expect(sumOf(metrics, "chunkproof_results_refused_total")).toBe(0);
  });

  it("does nothing for strangers", async () => {
    const { network } = place();
    const blob = sha256("body");
    const state = async () => [await blobs(network), await (await network.api("/v1/blocks")).text()];
    const before = await state();
    let asked = 0;
    for (const [pattern, open, secret] of ROUTES) {
      const path = pattern.replace("<id>", ids.failed!).replace("<blob>", blob);
      for (const method of METHODS) {
        if (open.includes(method)) continue;
        const expected = secret.includes(method) ? [401, 403, 403, 401] : [];
        const statuses: number[] = [];
        for (const authorization of [
          undefined,
          `Bearer ${WRONG_TOKEN}`,
          `Bearer ${TOKEN.slice(0, -1)}`,
          `Basic ${Buffer.from(`user:${TOKEN}`).toString("base64")}`,
        ]) {
          const headers = { "content-type": "application/json", ...(authorization ? { authorization } : {}) };
          statuses.push(await ask(network.origin, method, path, headers));
          asked++;
        }
        if (expected.length > 0) expect([method, path, statuses]).toEqual([method, path, expected]);
        else
          expect([method, path, statuses.filter((status) => status !== 404 && status !== 405)]).toEqual([
            method,
            path,
            [],
          ]);
      }
    }
    expect(asked).toBeGreaterThan(400);
    expect(await state()).toEqual(before);
    // and the one who has the token
    const authorization = `bearer ${TOKEN}`;
    expect(await ask(network.origin, "GET", `/v1/blobs/${blob}`, { authorization })).toBe(404);
    // `submit` says what is missing
    const missing = await submit([join(place().dir, "1.trace")], { CHUNKPROOF_TOKEN: "" });
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringMatching(/token/i)]);
    const wrong = await submit([join(place().dir, "1.trace")], { CHUNKPROOF_TOKEN: WRONG_TOKEN });
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("[FORBIDDEN]")]);
  });
}

/** Health, readiness, metrics of a service that works. */
async function expectObserved(origin: string, service: string): Promise<Map<string, Family>> {
  const health = await fetch(`${origin}/health`);
  expect([health.status, await health.json()]).toEqual([
    200,
    { status: "alive", service, version: expect.any(String), uptime: expect.any(Number) },
  ]);
  expect(await ready(origin)).toEqual({ status: 200, reasons: [] });
  const metrics = await scrape(origin);
  for (const { name, samples } of metrics.values()) {
    for (const { labels } of samples) {
      for (const label of ["block", "job", "worker", "chunk", "id"])
        expect([name, label in labels]).toEqual([name, false]);
    }
  }
  expect(sumOf(metrics, "chunkproof_build_info", { service })).toBe(1);
  expect(sumOf(metrics, "chunkproof_jobs_total", { outcome: "completed" })).toBeGreaterThan(0);
  expect(sumOf(metrics, "chunkproof_memory_limit_bytes")).toBeGreaterThan(2 ** 28);
  // written as others compute with them
  for (const name of metrics.keys()) expect(name).toMatch(/^(chunkproof|process|nodejs)_[a-z0-9_]+$/);
  return metrics;
}

describe("with the queue in the coordinator", () => {
  let dir: string;
  let network: TestNetwork;
  let coordinator: ServiceProcess;
  const ARGS = ["--concurrency", "2", "--threads", "2", "--log-level", "debug"];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "chunkproof-flow-"));
    network = new TestNetwork({ dir });
    coordinator = await network.coordinator(ARGS);
  });

  afterAll(async () => {
    await network?.close();
    await rm(dir, { recursive: true, force: true });
  });

  suite(() => ({ dir, network, coordinator, provers: ["coordinator-"], published: [] }));

  it("is observed", async () => {
    const metrics = await expectObserved(network.origin, "coordinator");
    expect(sumOf(metrics, "chunkproof_jobs_total", { kind: "prove", outcome: "completed" })).toBeGreaterThan(4);
    expect(sumOf(metrics, "chunkproof_keys_loaded_bytes")).toBeGreaterThan(0);
  });

  it("ends what is in hand, and goes on after a restart", async () => {
    const id = await network.submit(twin(long, 11n));
    await underWay(network, id, ["proving"]);
    await until("a proof in hand", proving(network.origin));
    coordinator.kill("SIGTERM");
    await until("the news", async () => {
      const { status, reasons } = await ready(network.origin);
      return status === 503 && reasons.includes("it is ending") ? true : undefined;
    });
    expect(await coordinator.ended).toEqual(end(0));
    // what was in hand was done, and nothing else was begun
    expect(jobsOf(network, id).filter(({ kind, outcome }) => kind === "prove" && outcome !== "completed")).toEqual([]);
    coordinator = await network.coordinator(ARGS);
    // the jobs are gone, but not the block
    const status = await network.finished(id);
    expect(status).toMatchObject({ state: "proved", chunks: 2, run: 1 });
    expect(status.work.repeated).toBeGreaterThan(2);
    expect(coordinator.logs.some(({ msg, block }) => block === id && String(msg).includes("begun again"))).toBe(true);
  });

  it("ends at once when told twice, or when it may not wait; nothing is lost", async () => {
    const id = await network.submit(twin(long, 12n));
    await underWay(network, id, ["proving"]);
    coordinator.kill("SIGTERM");
    await sleep(200);
    expect(coordinator.running).toBe(true);
    const told = performance.now();
    coordinator.kill("SIGTERM");
    expect(await coordinator.ended).toEqual(end(143));
    expect(performance.now() - told).toBeLessThan(1000);

    coordinator = await network.coordinator([...ARGS, "--drain-timeout", "0s"]);
    await underWay(network, id, ["proving"]);
    const again = performance.now();
    coordinator.kill("SIGTERM");
    expect(await coordinator.ended).toEqual(end(143));
    expect(performance.now() - again).toBeLessThan(3000);
    coordinator = await network.coordinator(ARGS);
    expect(await network.finished(id)).toMatchObject({ state: "proved", chunks: 2, run: 2 });
  });

  it("keeps its secrets, and logs JSON", async () => {
    expect(await coordinator.stop()).toEqual(end(0));
    expectLogs(network.services);
  });
});

describe("with keys that pass every check and prove nothing", () => {
  let dir: string;
  let network: TestNetwork | undefined;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "chunkproof-flow-"));
  });

  afterAll(async () => {
    await network?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it("fails blocks with the cause, and ends when it is clear whose fault it is; good keys put it right", async () => {
    const bad = await keysWith(join(dir, "keys"), { "mixed-14.zkey": exchangePoints });
    network = new TestNetwork({ dir });
    const args = ["--attempts", "1", "--log-level", "debug"];
    const coordinator = await network.coordinator([...args, "--keys", bad]);
    const first = await network.submit(chain.traces[0]!);
    const { state, failure, workers } = await network.finished(first);
    expect([state, failure]).toEqual([
      "failed",
      {
        ...{ code: "CHUNKS_FAILED", message: expect.stringMatching(/^chunk 0: .* \[WITNESS_UNSATISFIED\]$/) },
        chunks: [expect.objectContaining({ chunk: 0, kind: "prove", code: "WITNESS_UNSATISFIED", worker: workers[0] })],
      },
    ]);
    // three different chunks in a row
    const second = await network.submit(short);
    expect((await coordinator.ended).code).toBe(70);
    expect(coordinator.stderr).toContain("[WORKER_BROKEN]");
    const good = await network.coordinator(args);
    // the keys of both folders verify the same proofs, so the blocks go on
    expect((await network.api(`/v1/blocks/${first}/retry`, { method: "POST" })).status).toBe(202);
    for (const id of [first, second]) expect((await network.finished(id)).state).toBe("proved");
    expect(await good.stop()).toEqual(end(0));
  });

  it("a chunk that was swapped for another one is found by what does not balance", async () => {
    const small = await makeKeys({ cache: CACHE, layouts: SMALL });
    const compute = new Compute({ folder: small, threads: 1, share: 1 });
    const { signal } = new AbortController();
    try {
      const [block, other] = await Promise.all(
        [await counterBlock(5), await counterBlock(6)].map(({ trace }) => compute.plan(encodeTrace(trace), signal)),
      );
      const columns = block!.chunks.map((chunk) => chunk.columns);
      const swapped = block!.chunks.findIndex(
        ({ columns: own }, i) => sha256(own) !== sha256(other!.chunks[i]!.columns),
      );
      columns[swapped] = other!.chunks[swapped]!.columns;
      const { skeleton, state } = block!;
      const alternate = false;
      const committed = [];
      for (const [i, { layout }] of block!.chunks.entries()) {
        const { d, p } = await compute.commit({ layout, columns: columns[i]!, alternate }, signal);
        committed.push({ layout, d, p });
      }
      const { alpha, beta, invalid } = await compute.challenge({ skeleton, state, chunks: committed });
      expect(invalid).toEqual([]);
      const drawn = { alpha: alpha!, beta: beta! };
      const proved = [];
      for (const [i, chunk] of committed.entries()) {
        const { proof } = await compute.prove({ ...chunk, ...drawn, columns: columns[i]!, alternate }, signal);
        proved.push({ ...chunk, proof: proof! });
      }
      // see "to other columns that are proved as well" of handlers.test.ts
      await expect(compute.assemble({ skeleton, state, ...drawn, chunks: proved })).rejects.toMatchObject({
        code: "BLOCK_UNBALANCED",
      });
      // the one whose columns these are not disputes the commitment
      const { layout, columns: own } = block!.chunks[swapped]!;
      const { d, p } = committed[swapped]!;
      const { proof } = await compute.prove({ layout, d, p, ...drawn, columns: own, alternate }, signal);
      expect(proof).toBe(null);
    } finally {
      await compute.close();
    }
  });
});

const why = redisMissing === undefined ? "" : ` (${redisMissing})`;
describe.skipIf(redisMissing !== undefined)(`with BullMQ and two workers${why}`, () => {
  let dir: string;
  let redis: TestRedis;
  let address: string;
  let network: TestNetwork;
  let coordinator: ServiceProcess;
  let away: ServiceProcess;
  let awaySince: number;
  const workers = new Map<string, ServiceProcess>();
  const origins = new Map<string, string>();
  let published: string[];

  const hire = async (name: string, args: readonly string[] = []): Promise<ServiceProcess> => {
    const port = origins.has(name) ? Number(new URL(origins.get(name)!).port) : await freePort();
    origins.set(name, `http://127.0.0.1:${port}`);
    const worker = network.worker(name, ["--listen", `127.0.0.1:${port}`, "--log-level", "debug", ...args]);
    workers.set(name, worker);
    return worker;
  };
  const isReady = (name: string) =>
    until(`worker ${name}`, async () => ((await ready(origins.get(name)!)).status === 200 ? true : undefined));
  const COORDINATOR = ["--log-level", "debug"];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "chunkproof-flow-"));
    redis = await startRedis({ appendonly: true, args: ["--requirepass", PASSWORD] });
    address = `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${redis.port}`;
    network = new TestNetwork({ dir, redis: address, lease: "2s", port: await freePort() });
    const manifest = await readFile(join(keys.path, "manifest.json"));
    published = [sha256(manifest), ...Object.values(JSON.parse(manifest.toString()).files as Record<string, string>)];
    // long before anybody waits for it
    const nowhere = `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${await freePort()}`;
    awaySince = performance.now();
    away = network.start("away", ["worker", "--redis", nowhere, "--store", "http://127.0.0.1:9", "--name", "away"]);
  });

  afterAll(async () => {
    await network?.close();
    await redis?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("waits for a coordinator", async () => {
    await hire("one", ["--keys", keys.path]);
    await hire("two");
    for (const [name, reason] of [
      ["one", /^no coordinator has described the network yet$/],
      ["two", /^fetching the keys of the network$/],
    ] as const) {
      await until(`worker ${name} waits`, async () => {
        const { status, reasons } = await ready(origins.get(name)!);
        return status === 503 && reasons.some((text) => reason.test(text)) ? true : undefined;
      });
    }
    expect((await fetch(`${origins.get("one")}/health`)).status).toBe(200);
    coordinator = await network.coordinator(COORDINATOR);
    await Promise.all([isReady("one"), isReady("two")]);
    const { workers: there, keySet } = (await (await network.api("/v1/network")).json()) as {
      workers: { id: string; kinds: string[] }[];
      keySet: string;
    };
    expect(keySet).toBe(keys.parsed().digest);
    expect(
      there
        .filter(({ kinds }) => kinds.includes("prove"))
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["one", "two"]);
  });

  suite(() => ({ dir, network, coordinator, provers: ["one", "two", "coordinator-"], published }));

  it("is observed", async () => {
    const metrics = await expectObserved(network.origin, "coordinator");
    expect(sumOf(metrics, "chunkproof_redis_up")).toBe(1);
    expect(sumOf(metrics, "chunkproof_workers")).toBe(2);
    let proofs = 0;
    for (const name of ["one", "two"]) {
      const own = await expectObserved(origins.get(name)!, "worker");
      proofs += sumOf(own, "chunkproof_jobs_total", { kind: "prove", outcome: "completed" });
      // a worker's server has nothing else
      for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
        expect(await ask(origins.get(name)!, method, "/metrics", {})).toBe(404);
      }
    }
    expect(proofs).toBeGreaterThan(4);
  });

  it("turns workers away that do not fit", async () => {
    const { version, protocol, keySet, manifest } = (await (await network.api("/v1/network")).json()) as Record<
      string,
      string
    >;
    const describe = async (prefix: string, changes: object) => {
      const queue = await BullQueue.open(address, { prefix });
      await queue.describe({
        version: version!,
        protocol: protocol!,
        keySet: keySet!,
        manifest: manifest!,
        ...changes,
      });
      await queue.close();
    };
    await describe("versions", { version: "9.8.7" });
    await describe("protocols", { protocol: "jobs 9" });
    const other = await keysWith(join(dir, "other-keys"), {
      "keyset.json": (bytes) => {
        const set = JSON.parse(bytes.toString());
        set.keys[0].layout = sha256("another circuit");
        return Buffer.from(JSON.stringify(set));
      },
    });
    const small = await makeKeys({ cache: CACHE, layouts: SMALL });
    const wrong = `redis://:${WRONG_PASSWORD}@127.0.0.1:${redis.port}`;
    const cases: [
      name: string,
      args: string[],
      code: number,
      says: (string | RegExp)[],
      env?: Record<string, string>,
    ][] = [
      ["versions", ["--redis-prefix", "versions", "--keys", keys.path], 2, ["NETWORK_VERSION", "9.8.7", version!]],
      ["protocols", ["--redis-prefix", "protocols", "--keys", keys.path], 2, ["NETWORK_PROTOCOL", "jobs 9", protocol!]],
      ["protocols-fetch", ["--redis-prefix", "protocols"], 2, ["NETWORK_PROTOCOL", "jobs 9", protocol!]],
      ["keys", ["--keys", other], 2, ["NETWORK_KEYS", keySet!, /got [0-9a-f]{64}/]],
      ["small-keys", ["--keys", small.path], 2, ["KEYS_FOREIGN", keys.digest, small.digest]],
      ["no-keys", ["--keys", join(dir, "nothing")], 2, ["KEYS_MISSING", join(dir, "nothing")]],
      ["memory", ["--keys", keys.path, "--max-memory", "256MiB"], 2, ["MEMORY_LIMIT", /256 MiB/, /got .*\d+ MiB/]],
      ["password", ["--redis", wrong], 70, ["QUEUE_UNAVAILABLE", "WRONGPASS"]],
      ["token", ["--cache", join(dir, "empty-cache")], 2, ["STORE_FORBIDDEN"], { CHUNKPROOF_TOKEN: WRONG_TOKEN }],
    ];
    // two at a time: there are two cores
    const rest = cases.values();
    const lane = async () => {
      for (const [name, args, code, says, env] of rest) {
        const given = args.includes("--redis") ? [] : ["--redis", address];
        const worker = network.start(
          name,
          ["worker", "--name", name, "--store", network.origin, ...given, ...args],
          env,
        );
        const started = performance.now();
        expect([name, await worker.ended, worker.stderr]).toEqual([name, end(code), expect.any(String)]);
        expect(performance.now() - started).toBeLessThan(15_000);
        for (const text of says)
          expect(worker.stderr).toMatch(text instanceof RegExp ? text : new RegExp(escaped(text)));
        // who reads the log learns it, too
        const fatal = worker.logs.find(({ level }) => level === "fatal") as { err: { code: string } } | undefined;
        expect([name, fatal?.err.code]).toEqual([name, says[0]]);
        expect(worker.logs.some(({ msg }) => msg === "takes jobs")).toBe(false);
      }
    };
    await Promise.all([lane(), lane()]);
    // and none of them is left in the list
    const { workers: there } = (await (await network.api("/v1/network")).json()) as { workers: { id: string }[] };
    expect(
      there
        .filter(({ id }) => !id.startsWith("coordinator-"))
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["one", "two"]);
  });

  it("hands back what a worker may not end, and drains what it may", async () => {
    // one that may not wait
    expect(await workers.get("two")!.stop()).toEqual(end(0));
    const hasty = await hire("two", ["--keys", keys.path, "--drain-timeout", "0s"]);
    await isReady("two");
    const first = await network.submit(twin(long, 21n));
    await until("a proof in hand", proving(origins.get("two")!));
    const told = performance.now();
    hasty.kill("SIGTERM");
    expect(await hasty.ended).toEqual(end(143));
    expect(performance.now() - told).toBeLessThan(3000);
    const back = hasty.logs.filter(({ msg, outcome }) => msg === "a job ended" && outcome === "handed_back");
    expect(back.length).toBe(1);
    const block = await network.finished(first);
    // nobody had to wait for a lease, and no attempt was lost
    expect(block).toMatchObject({ state: "proved", run: 0, work: { repeated: 0, refused: 0 } });
    const done = jobsOf(network, first).filter(({ job }) => job === back[0]!.job);
    expect(done.map(({ outcome }) => outcome).sort()).toEqual(["completed", "handed_back"]);

    // one that ends what it has
    await hire("two", ["--keys", keys.path]);
    await isReady("two");
    const second = await network.submit(twin(long, 22n));
    await until("a proof in hand", proving(origins.get("two")!));
    const drained = workers.get("two")!;
    drained.kill("SIGTERM");
    await until("the news", async () =>
      (await ready(origins.get("two")!)).reasons[0] === "it is ending" ? true : undefined,
    );
    expect(await drained.ended).toEqual(end(0));
    const own = drained.logs.filter(({ msg, kind }) => msg === "a job ended" && kind === "prove");
    expect(own.map(({ outcome }) => outcome)).toEqual(["completed"]);
    expect(await network.finished(second)).toMatchObject({
      state: "proved",
      run: 0,
      work: { repeated: 0, refused: 0 },
    });
  });

  it("goes on when a worker and the coordinator end in the middle", async () => {
    await hire("two", ["--keys", keys.path]);
    await isReady("two");
    const id = await network.submit(twin(long, 23n));
    await until("a proof in hand", proving(origins.get("two")!));
    const worker = workers.get("two")!;
    worker.kill("SIGTERM");
    coordinator.kill("SIGTERM");
    await sleep(200);
    const told = performance.now();
    worker.kill("SIGTERM");
    expect(await worker.ended).toEqual(end(143));
    expect(performance.now() - told).toBeLessThan(1000);
    expect(await coordinator.ended).toEqual(end(0));
    coordinator = await network.coordinator([...COORDINATOR, "--drain-timeout", "3s"]);
    const { state, run, workers: who, work } = (await network.finished(id)) as BlockStatus & { run: number };
    // the queue had the jobs all the time; the one whose worker has gone is done again when its lease has run out
    expect([state, run, work.refused]).toEqual(["proved", 0, 0]);
    expect(who).toContain("one");
  });

  it("says that Redis is away, and ends all the same", async () => {
    await redis.kill9();
    const says = async (origin: string, reason: RegExp) => {
      const { reasons } = await until("the news", async () => {
        const said = await ready(origin);
        return said.status === 503 ? said : undefined;
      });
      expect(reasons.join()).toMatch(reason);
      expect((await fetch(`${origin}/health`)).status).toBe(200);
    };
    await says(network.origin, /^redis:\/\/127\.0\.0\.1:\d+ does not answer/);
    expect(sumOf(await scrape(network.origin), "chunkproof_redis_up")).toBe(0);
    const told = performance.now();
    const ended = coordinator.stop(30_000);
    // a worker notices it when it wants to say that it is there
    await says(origins.get("one")!, /^the queue does not answer: /);
    // who cannot take leave of Redis in time goes without
    expect((await ended).code).toBeOneOf([0, 143]);
    expect(performance.now() - told).toBeLessThan(20_000);
    const one = workers.get("one")!;
    one.kill("SIGTERM");
    await sleep(200);
    one.kill("SIGTERM");
    expect((await one.ended).code).toBeOneOf([0, 143]);
    // the one that never found it has given up
    expect(await away.ended).toEqual(end(70));
    expect(performance.now() - awaySince).toBeGreaterThan(29_000);
    expect(away.stderr).toContain("[QUEUE_UNAVAILABLE]");
    await redis.restart();
  });

  it("keeps its secrets, and logs JSON", () => {
    expectLogs(network.services);
  });
});

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
