import { describe, expect, test } from "vitest";
import { NetworkError } from "../../../src/network/errors.js";
import { createLog, redactText, silentLog } from "../../../src/service/log.js";

function logTo(options: { level?: "debug" | "info"; secrets?: string[] } = {}) {
  const lines: string[] = [];
  const log = createLog({ level: "info", name: "worker", stream: { write: (line) => lines.push(line) }, ...options });
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

describe("lines", () => {
  test("are JSON with level, time and name; children say what they are about", () => {
    const { log, lines, last } = logTo();
    log.child({ block: "ab", chunk: 3, job: "ab-1-prove-3", worker: "w1" }).info({ ms: 12 }, "proved");
    expect(last()).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      name: "worker",
      pid: process.pid,
      block: "ab",
      chunk: 3,
      job: "ab-1-prove-3",
      worker: "w1",
      ms: 12,
      msg: "proved",
    });
    log.debug("not at this level");
    expect(lines.length).toBe(1);
    expect(lines[0]!.endsWith("\n")).toBe(true);
  });

  test("errors keep their code and details, under either name", () => {
    const { log, last } = logTo();
    const error = new NetworkError("too large", { code: "STORE_TOO_LARGE", where: "blob", expected: "1", got: "2" });
    for (const name of ["err", "error"]) {
      log.error({ [name]: error }, "failed");
      expect(last()[name]).toMatchObject({ type: "NetworkError", code: "STORE_TOO_LARGE", where: "blob", got: "2" });
    }
  });

  test("a silent log writes nothing", () => {
    expect(silentLog().isLevelEnabled("fatal")).toBe(false);
  });
});

describe("what is not written", () => {
  const secret = "correct-horse-battery";

  test("fields that hold secrets", () => {
    const { log, lines } = logTo();
    log.info({ token: secret, config: { token: secret, password: secret } }, "starting");
    log.info(
      { headers: { authorization: secret }, req: { headers: { authorization: secret, cookie: secret } } },
      "asked",
    );
    log.child({ token: secret }).info("child");
    expect(lines.join("")).not.toContain(secret);
    expect(lines.length).toBe(3);
  });

  test("credentials in texts and errors of others", () => {
    const { log, lines, last } = logTo();
    log.info(`connecting to redis://default:${secret}@redis:6379/0`);
    expect(last().msg).toBe("connecting to redis://[redacted]@redis:6379/0");
    log.error({ err: new Error(`refused: Authorization: Bearer ${secret}`) }, "failed");
    log.error({ err: new Error("outer", { cause: new Error(`https://u:${secret}@host/x`) }) }, "failed");
    expect(lines.join("")).not.toContain(secret);
  });

  test("known secrets wherever they appear, in each way of writing them", () => {
    const odd = 'quo"te\\back/slash+&';
    const { log, lines } = logTo({ secrets: [secret, odd, "abc"] });
    log.info({ list: [secret], odd }, `a ${secret} b ${encodeURIComponent(odd)} abc`);
    for (const line of lines) {
      expect(line).not.toContain(secret);
      expect(line).not.toContain("back/slash");
      expect(line).not.toContain("back%2Fslash");
      // too short to be told from other words
      expect(line).toContain("abc");
      expect(() => JSON.parse(line)).not.toThrow();
    }
  });

  test("long texts take no long time", () => {
    const started = performance.now();
    redactText("http://".repeat(50_000) + "Bearer ".repeat(50_000) + "@".repeat(50_000));
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
