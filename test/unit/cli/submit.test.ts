import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Output } from "../../../src/cli/output.js";
import type { Canvas } from "../../../src/cli/screen.js";
import { submit } from "../../../src/cli/submit.js";
import { describeStatus, SubmitView } from "../../../src/cli/submit-view.js";
import type { BlockStatus } from "../../../src/network/client.js";
import { digestOf } from "../../../src/network/store.js";
import { encodeTrace } from "../../../src/trace/format.js";
import { loadScenario, runScenario } from "../../../src/trace/scenarios.js";

const TOKEN = "0123456789abcdef";
const id = "0123456789abcdef0123456789abcdef";
const proof = new Uint8Array([1, 2, 3]);
const status = (change: Partial<BlockStatus> = {}): BlockStatus => ({
  id,
  number: 7,
  hash: `0x${"ab".repeat(32)}`,
  state: "queued",
  chunks: 0,
  committed: 0,
  proved: 0,
  ...change,
});
const proved = status({
  ...{ state: "proved", steps: 1947, rows: 2004, chunks: 3, committed: 3, proved: 3 },
  work: { commits: 3, proofs: 3, repeated: 1, refused: 1 },
  workers: ["w1", "w2"],
  proof: { digest: digestOf(proof), bytes: 3 },
});

let folder: string;
let trace: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chunkproof-submit-"));
  trace = join(folder, "block.trace");
  await writeFile(trace, await traceBytes());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let server: Server;
let coordinator: string;
let answer: (url: string, response: ServerResponse) => void;
let stdout: string;
let stderr: string;
beforeEach(async () => {
  server = createServer((request, response) => {
    request.resume();
    if (request.method !== "GET" && request.headers.authorization !== `Bearer ${TOKEN}`) {
      return void response.writeHead(401).end();
    }
    answer(`${request.method} ${request.url}`, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  coordinator = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  [stdout, stderr] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
});

/** As the command does it. */
async function run(options: Record<string, unknown> = {}, path = trace): Promise<number> {
  const all = { coordinator, token: TOKEN, ...options } as Parameters<typeof submit>[1];
  const out = new Output("submit", all);
  try {
    return await submit(path, all, out, new AbortController().signal);
  } catch (error) {
    return out.error(error);
  }
}
const json = (response: ServerResponse, code: number, body: unknown) =>
  response.writeHead(code).end(JSON.stringify(body));

describe("submit", () => {
  test("hands a trace in and says its name", async () => {
    const seen: string[] = [];
    answer = (url, response) => {
      seen.push(url);
      json(response, 202, status());
    };
    expect(await run()).toBe(0);
    expect(stderr).toBe(`block 7 is queued: ${id}\n`);
    expect(seen).toEqual(["POST /v1/blocks"]);
    expect(await run({ json: true })).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ command: "submit", ok: true, id, state: "queued", coordinator });
  });

  test("--wait follows it to its end, says who did what; -o has the proof", async () => {
    let now = status({ state: "committing", chunks: 3 });
    answer = (url, response) => {
      if (url === "POST /v1/blocks") json(response, 202, status());
      else if (url.endsWith("/proof")) response.end(proof);
      else if (url.endsWith("/events")) {
        const send = (name: string, data: object) =>
          response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
        response.writeHead(200).write(":\n\n");
        setTimeout(() => {
          send("chunk", { ...now, committed: 1, chunk: 0, done: "commit", worker: "w1" });
          send("state", { ...now, state: "proving", committed: 3 });
          send("chunk", { ...now, state: "proving", committed: 3, proved: 1, chunk: 2, done: "prove", worker: "w2" });
          now = proved;
          send("end", proved);
        }, 50);
      } else json(response, 200, now);
    };
    const output = join(folder, "block.proof");
    expect(await run({ output })).toBe(0);
    expect(stderr.split("\n")).toEqual([
      `block 7 accepted by ${coordinator}: ${id}`,
      "block 7: committing, 3 chunks",
      "chunk 1 of 3 committed by w1",
      "block 7: proving",
      "chunk 3 of 3 proved by w2",
      "block 7: proved",
      `PROVED: block 7 (${id}): 1,947 steps, 3 chunks by 2 workers, 2 jobs done again`,
      `  proof of 3 bytes written to ${output}`,
      "",
    ]);
    expect(new Uint8Array(await readFile(output))).toEqual(proof);
  });

  test("a block that failed or was cancelled: 1", async () => {
    const failure = {
      code: "CHUNKS_FAILED",
      message: "it did not work",
      chunks: [{ chunk: 2, code: "JOB_LOST", message: "lost" }],
    };
    for (const state of ["failed", "cancelled"] as const) {
      answer = (_url, response) => json(response, 200, status({ state, failure }));
      expect(await run({ wait: true })).toBe(1);
      expect(stderr).toContain(`${state.toUpperCase()}: block 7 (${id}): it did not work [CHUNKS_FAILED]\n`);
      expect(stderr).toContain("  chunk 3: lost [JOB_LOST]\n");
      stdout = "";
      expect(await run({ json: true })).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({ ok: false, state, failure: { code: "CHUNKS_FAILED" } });
    }
  });

  test("bad input: 2", async () => {
    answer = (_url, response) => json(response, 422, { error: { code: "TRACE_GAS", message: "not the gas" } });
    const broken = join(folder, "broken.trace");
    await writeFile(broken, "{}");
    for (const [options, path, said] of [
      [{}, join(folder, "none"), /\[FILE_NOT_FOUND\]/],
      [{}, broken, /broken\.trace: .*\[TRACE_/],
      [{}, trace, /block\.trace: .*not the gas \[TRACE_GAS\]/],
      [{ output: join(folder, "no", "such.proof") }, trace, /\[FILE_UNWRITABLE\]/],
      [{ output: trace }, trace, /\[FILE_UNWRITABLE\]/],
      [{ coordinator: "localhost:8080" }, trace, /--coordinator: .*\[CONFIG_INVALID\]/],
      [{ token: "no" }, trace, /--token: .*\[CONFIG_INVALID\]/],
      [{ token: undefined }, trace, /\[UNAUTHORIZED\]/],
    ] as const) {
      stderr = "";
      expect(await run(options, path), String(said)).toBe(2);
      expect(stderr).toMatch(said);
    }
  });
});

async function traceBytes(): Promise<Uint8Array> {
  const { trace } = await runScenario(loadScenario("empty"));
  return encodeTrace(trace);
}

describe("what is seen", () => {
  const canvas: Canvas = { columns: 80, rows: 12, color: false, elapsed: 1234 };
  const progress = (change: object) => ({
    type: "progress" as const,
    progress: { state: "proving" as const, chunks: 4, committed: 4, proved: 0, ...change },
  });

  test("the picture: how far it is, who does what", () => {
    const view = new SubmitView("block 7");
    expect(view.draw(canvas)).toEqual([expect.stringMatching(/^block 7 {2}. queued {2}1\.2 s$/)]);
    view.progress({
      type: "status",
      status: status({ state: "proving", steps: 1947, rows: 2004, chunks: 4, committed: 4 }),
    });
    view.progress(progress({ chunk: 0, done: "prove", worker: "worker-b", proved: 1 }));
    view.progress(progress({ chunk: 2, done: "prove", worker: "a", proved: 2 }));
    expect(view.draw(canvas)).toEqual([
      expect.stringMatching(/^block 7 {2}. proving {2}1,947 steps, 2,004 rows, 4 chunks {2}1\.2 s$/),
      `  ${"█".repeat(14)}${"▒".repeat(14)}`,
      "  a         committed 0, proved 1  chunk 3 proved",
      "  worker-b  committed 0, proved 1  chunk 1 proved",
      "  committed 4/4   proved 2/4",
    ]);
    view.progress({ type: "status", status: proved });
    expect(view.draw(canvas)[0]).toMatch(/^block 7 {2}proved {2}/);
  });

  test("a lost connection is told once, and when it is back", () => {
    const view = new SubmitView("block 7");
    const lost = { type: "lost" as const, error: undefined as never };
    expect(view.progress(lost)).toBe("block 7: the coordinator does not answer; trying again");
    expect(view.progress(lost)).toBeUndefined();
    expect(view.draw(canvas)[0]).toContain("does not answer");
    expect(view.progress({ type: "status", status: status() })).toBe("block 7: the coordinator answers again");
    expect(view.draw(canvas)[0]).toContain("queued");
  });

  test("many workers fit", () => {
    const view = new SubmitView("block 7");
    for (let i = 0; i < 50; i++) view.progress(progress({ chunk: i, done: "commit", worker: `w${i}`, chunks: 50 }));
    const lines = view.draw(canvas);
    expect(lines.length).toBeLessThanOrEqual(canvas.rows - 1);
    expect(lines.at(-2)).toBe("  … and 43 workers more");
  });

  test("words", () => {
    expect(describeStatus(proved)).toBe(
      `PROVED: block 7 (${id}): 1,947 steps, 3 chunks by 2 workers, 2 jobs done again`,
    );
    expect(describeStatus(status({ state: "cancelled" }))).toBe(`CANCELLED: block 7 (${id})`);
  });
});
