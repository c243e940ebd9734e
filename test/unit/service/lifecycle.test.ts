import { EventEmitter } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { runService, StartInterrupted } from "../../../src/service/lifecycle.js";

/** A process that can be sent signals and says what it was ended with. */
class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

afterEach(() => vi.useRealTimers());

const until = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a service that is told to end", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("finishes what was begun: %s", async (signal) => {
    const host = new FakeProcess();
    const done: string[] = [];
    const running = runService(
      async () => ({
        close: async (giveUp) => {
          await turn();
          done.push(`closed ${giveUp.aborted}`);
        },
      }),
      { drain: 1000, process: host },
    );
    await turn();
    expect(host.listenerCount(signal)).toBe(1);
    host.emit(signal);
    expect(await running).toEqual({ how: "drained", signal });
    expect(done).toEqual(["closed false"]);
    // nothing is left behind, and nobody was thrown out
    expect([host.listenerCount("SIGTERM"), host.listenerCount("SIGINT"), host.exits]).toEqual([0, 0, []]);
  });

  test("leaves the rest to others after the bound", async () => {
    const host = new FakeProcess();
    const running = runService(async () => ({ close: until }), { drain: 20, process: host });
    host.emit("SIGTERM");
    expect(await running).toEqual({ how: "abandoned", signal: "SIGTERM" });
    expect(host.exits).toEqual([]);
  });

  test("is left when it does not even end then", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const host = new FakeProcess();
    const running = runService(async () => ({ close: () => new Promise(() => {}) }), { drain: 60_000, process: host });
    host.emit("SIGTERM");
    await vi.advanceTimersByTimeAsync(59_999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(5001);
    expect(await running).toEqual({ how: "abandoned", signal: "SIGTERM" });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("ends at once at the second signal, of either kind", async () => {
    for (const [second, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      const host = new FakeProcess();
      let finish = () => {};
      const running = runService(
        async () => ({
          close: () =>
            new Promise((resolve) => {
              finish = resolve;
            }),
        }),
        { drain: 10_000, process: host },
      );
      host.emit("SIGTERM");
      await turn();
      expect(host.exits).toEqual([]);
      host.emit(second);
      expect(host.exits).toEqual([code]);
      finish();
      await running;
    }
  });
});

describe("a service that is told to end before it has started", () => {
  test("stops starting", async () => {
    const host = new FakeProcess();
    const running = runService(
      async (signal) => {
        await until(signal);
        throw signal.reason;
      },
      { drain: 1000, process: host },
    );
    host.emit("SIGINT");
    await expect(running).rejects.toMatchObject({ name: "StartInterrupted", signal: "SIGINT" });
    expect(host.listenerCount("SIGINT")).toBe(0);
  });

  test("is closed if it started all the same", async () => {
    const host = new FakeProcess();
    const close = vi.fn(async () => {});
    const running = runService(
      async (signal) => {
        await until(signal);
        return { close };
      },
      { drain: 1000, process: host },
    );
    host.emit("SIGTERM");
    expect(await running).toEqual({ how: "drained", signal: "SIGTERM" });
    expect(close).toHaveBeenCalledOnce();
    expect(new StartInterrupted("SIGTERM").message).toBe("interrupted by SIGTERM");
  });

  test("an error of starting is thrown on", async () => {
    const host = new FakeProcess();
    await expect(runService(() => Promise.reject(new Error("no")), { drain: 1, process: host })).rejects.toThrow("no");
    expect(host.listenerCount("SIGTERM")).toBe(0);
  });
});

describe("a service that ends by itself", () => {
  test("is closed", async () => {
    const host = new FakeProcess();
    const close = vi.fn(async () => {});
    const running = runService(async () => ({ close, ended: Promise.resolve() }), { drain: 1000, process: host });
    expect(await running).toEqual({ how: "itself", signal: undefined });
    expect(close).toHaveBeenCalledOnce();
  });

  test("because it can't go on: closed, and the reason is thrown", async () => {
    const host = new FakeProcess();
    const close = vi.fn(async () => {});
    const ended = Promise.reject(new Error("banned"));
    await expect(runService(async () => ({ close, ended }), { drain: 1000, process: host })).rejects.toThrow("banned");
    expect(close).toHaveBeenCalledOnce();
    expect(host.listenerCount("SIGTERM")).toBe(0);
  });

  test("what close throws is thrown on", async () => {
    const host = new FakeProcess();
    const close = () => Promise.reject(new Error("disk full"));
    const running = runService(async () => ({ close }), { drain: 1000, process: host });
    host.emit("SIGTERM");
    await expect(running).rejects.toThrow("disk full");
  });
});
