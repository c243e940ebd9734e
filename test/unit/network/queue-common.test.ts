import { describe, expect, it } from "vitest";
import { NetworkError } from "../../../src/network/errors.js";
import { JobError } from "../../../src/network/queue.js";
import { backoffOf, decodeFailure, isJobId, thrown } from "../../../src/network/queue-common.js";
import { reasonOf, redisAddress } from "../../../src/network/redis.js";

describe("failures", () => {
  it("are what a handler says, or may pass", () => {
    const failure = { code: "BLOCK_TRACE", message: "no", retryable: false, worker: "w" };
    expect(thrown(new JobError(failure))).toEqual(failure);
    expect(thrown(new NetworkError("full", { code: "STORE_FULL" }))).toMatchObject({
      code: "STORE_FULL",
      retryable: true,
    });
    expect(thrown("text")).toEqual({ code: "INTERNAL", message: "text", retryable: true });
    expect(thrown(new Error("x".repeat(10_000))).message).toHaveLength(2000);
  });

  it("are read from whatever was written", () => {
    const failure = { code: "ROWS", message: "no", retryable: true, worker: "w", backend: "wasm" };
    expect(decodeFailure(JSON.stringify(failure))).toEqual(failure);
    expect(decodeFailure(JSON.stringify({ ...failure, more: 1 }))).toEqual(failure);
    expect(decodeFailure("job stalled more than allowable limit")).toMatchObject({ code: "JOB_LOST" });
    for (const text of ["", "{", "null", "[]", '{"code":1}', '{"code":"A","message":"b"}', "x".repeat(9999)]) {
      expect(decodeFailure(text)).toEqual({ code: "INTERNAL", message: text.slice(0, 2000), retryable: false });
    }
  });
});

it("attempts wait twice as long each time, spread, and not for ever", () => {
  for (let failures = 1; failures < 80; failures++) {
    const most = Math.min(500 * 2 ** (failures - 1), 60_000);
    for (let i = 0; i < 20; i++) {
      const delay = backoffOf(failures, 500);
      expect(delay).toBeGreaterThanOrEqual(most / 2);
      expect(delay).toBeLessThanOrEqual(most);
    }
  }
});

it("jobs are not called as BullMQ's own keys are", () => {
  expect(isJobId(`${"ab".repeat(16)}-0-prove-12-3`)).toBe(true);
  for (const id of ["wait", "waiting-children", "meta", "marker", "", "a:b", "a b", "x".repeat(201)]) {
    expect(isJobId(id)).toBe(false);
  }
});

describe("addresses of Redis", () => {
  it("are shown without what must not be seen", () => {
    const address = redisAddress("rediss://user:p%40ss@example.com:6380/2");
    expect(address.name).toBe("rediss://example.com:6380/2");
    expect(address.redact("with args beginning with: 'AUTH' 'user' 'p@ss' or p%40ss")).not.toMatch(/p@ss|p%40ss/);
    expect(redisAddress("redis://localhost").name).toBe("redis://localhost:6379");
    expect(redisAddress("redis://[::1]:7000/").name).toBe("redis://[::1]:7000");
    const error = new Error("NOPERM p@ss");
    expect(reasonOf(error, address)).toBe("NOPERM ***");
    expect(reasonOf(new AggregateError([new Error("connect ECONNREFUSED")], ""), address)).toBe("connect ECONNREFUSED");
  });

  it("are refused if they are none", () => {
    for (const url of ["", "localhost", "localhost:6379", "http://localhost", "redis://", "redis:///1"]) {
      expect(() => redisAddress(url)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID", where: "redis" }));
    }
  });
});
