import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { addressText, HealthServer } from "../../../src/service/health.js";
import { workerMetrics } from "../../../src/service/metrics.js";
import { VERSION } from "../../../src/version.js";

const servers: HealthServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(ready: () => readonly string[] | Promise<readonly string[]> = () => []) {
  const metrics = workerMetrics();
  const server = await HealthServer.start({ host: "127.0.0.1", port: 0 }, { service: "worker", ready, metrics });
  servers.push(server);
  return { server, metrics, origin: `http://${addressText(server.address)}` };
}

/** Sends bytes and reads until the server ends the connection. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.setEncoding("latin1").on("data", (data) => {
      answer += data;
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

describe("answers", () => {
  test("health, readiness and metrics", async () => {
    let why: string[] = [];
    const { origin, metrics } = await serve(() => why);
    metrics.jobsActive.set({ kind: "prove" }, 1);
    const health = await fetch(`${origin}/health`);
    expect([health.status, await health.json()]).toEqual([
      200,
      { status: "alive", service: "worker", version: VERSION, uptime: expect.any(Number) },
    ]);
    const ready = await fetch(`${origin}/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true, reasons: [] }]);
    why = ["Redis does not answer"];
    const not = await fetch(`${origin}/ready`);
    expect([not.status, await not.json()]).toEqual([503, { ready: false, reasons: why }]);
    const text = await fetch(`${origin}/metrics`);
    expect(text.headers.get("content-type")).toBe(metrics.contentType);
    expect(await text.text()).toContain('chunkproof_jobs_active{kind="prove"} 1');
    expect((await fetch(`${origin}/health`, { method: "HEAD" })).status).toBe(200);
  });

  test("a check that throws or hangs is a reason", async () => {
    const thrown = await serve(() => Promise.reject(new Error("the queue is closed")));
    expect(await (await fetch(`${thrown.origin}/ready`)).json()).toEqual({
      ready: false,
      reasons: ["the queue is closed"],
    });
    const hung = await serve(() => new Promise(() => {}));
    const answer = await fetch(`${hung.origin}/ready`);
    expect([answer.status, await answer.json()]).toEqual([503, { ready: false, reasons: ["no answer within 3 s"] }]);
  });
});

describe("strangers", () => {
  test("get short answers", async () => {
    const { origin, server } = await serve();
    for (const [path, init, status, code] of [
      ["/other", {}, 404, "NOT_FOUND"],
      ["/health", { method: "POST", body: "x" }, 404, "NOT_FOUND"],
      ["/health/%ff", {}, 400, "BAD_REQUEST"],
    ] as const) {
      const answer = await fetch(origin + path, init);
      expect([path, answer.status]).toEqual([path, status]);
      expect(await answer.json()).toMatchObject({ error: { code } });
    }
    const { port } = server.address;
    expect(await raw(port, `GET /health HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 /,
    );
    expect(await raw(port, "nonsense\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
    expect((await fetch(`${origin}/health`)).status).toBe(200);
  });

  test("who says nothing does not keep it from ending", async () => {
    const { server } = await serve();
    const idle = connect(server.address.port, "127.0.0.1");
    await new Promise((resolve) => idle.once("connect", resolve));
    idle.on("error", () => {});
    const closed = new Promise((resolve) => idle.once("close", resolve));
    const started = performance.now();
    await server.close();
    await closed;
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

test("an address that is taken, or that nobody has", async () => {
  const { server } = await serve();
  const options = { service: "worker", ready: () => [], metrics: workerMetrics() };
  await expect(HealthServer.start(server.address, options)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    where: addressText(server.address),
  });
  await expect(HealthServer.start({ host: "192.0.2.1", port: 0 }, options)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    where: "192.0.2.1:0",
  });
  expect(addressText({ host: "::1", port: 80 })).toBe("[::1]:80");
});
