import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, type ContextManager, context, ROOT_CONTEXT, SpanStatusCode, trace } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parentOfBlock, span, traceparent } from "../../../src/service/telemetry.js";

/** What the SDK for Node brings: the context follows asynchronous calls. */
class AsyncContext implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }
  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    inside: Context,
    work: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(inside, () => work.call(self as never, ...args));
  }
  bind<T>(_context: Context, target: T): T {
    return target;
  }
  enable(): this {
    return this;
  }
  disable(): this {
    return this;
  }
}

test("without an SDK nothing happens, and the work is done all the same", async () => {
  expect(traceparent()).toBeUndefined();
  const result = await span("job", { block: "ab" }, async (own) => {
    own.set({ more: 1 });
    return [own.traceparent, traceparent(), 7];
  });
  expect(result).toEqual([undefined, undefined, 7]);
  const parent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  await expect(span("job", {}, () => Promise.reject(new Error("fails")), parent)).rejects.toThrow("fails");
});

describe("with an SDK", () => {
  const exporter = new InMemorySpanExporter();
  beforeAll(() => {
    context.setGlobalContextManager(new AsyncContext());
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  });
  afterAll(() => {
    trace.disable();
    context.disable();
  });
  afterEach(() => exporter.reset());
  const finished = (name: string) => exporter.getFinishedSpans().find((one) => one.name === name)!;

  test("spans nest, also across what is waited for", async () => {
    await span("block", { block: "ab", nothing: undefined }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await Promise.all([
        span("commit", { chunk: 0 }, async (own) => own.set({ backend: "wasm" })),
        span("commit 1", { chunk: 1 }, () => {}),
      ]);
    });
    const block = finished("block");
    expect(block.attributes).toEqual({ block: "ab" });
    expect(block.parentSpanContext).toBeUndefined();
    for (const name of ["commit", "commit 1"]) {
      expect(finished(name).parentSpanContext?.spanId).toBe(block.spanContext().spanId);
      expect(finished(name).spanContext().traceId).toBe(block.spanContext().traceId);
    }
    expect(finished("commit").attributes).toEqual({ chunk: 0, backend: "wasm" });
  });

  test("a job carries its parent to another process", async () => {
    // what Redis keeps is JSON
    const queue: string[] = [];
    await span("submit", {}, async (own) => {
      expect(traceparent()).toBe(own.traceparent);
      queue.push(JSON.stringify({ kind: "prove", traceparent: traceparent() }));
    });
    expect(traceparent()).toBeUndefined();
    const job = JSON.parse(queue[0]!) as { traceparent: string };
    expect(job.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    await span("prove", {}, () => {}, job.traceparent);
    const [submit, prove] = [finished("submit"), finished("prove")];
    expect(prove.spanContext().traceId).toBe(submit.spanContext().traceId);
    expect(prove.parentSpanContext).toMatchObject({ spanId: submit.spanContext().spanId, isRemote: true });
  });

  test("jobs of a block share a trace, whose id is the block's", async () => {
    const block = "0123456789abcdef0123456789abcdef";
    await span("plan", {}, () => {}, parentOfBlock(block));
    await span("commit", {}, () => {}, parentOfBlock(block));
    expect(finished("plan").spanContext().traceId).toBe(block);
    expect(finished("commit").spanContext().traceId).toBe(block);
    expect(finished("commit").spanContext().spanId).not.toBe(finished("plan").spanContext().spanId);
    expect([parentOfBlock("0".repeat(32)), parentOfBlock("nonsense")]).toEqual([undefined, undefined]);
  });

  test("what a stranger sends as a parent is ignored unless it is one", async () => {
    for (const parent of [
      "",
      "nonsense",
      `00-${"0".repeat(32)}-${"b".repeat(16)}-01`,
      `00-${"a".repeat(32)}-${"0".repeat(16)}-01`,
      `01-${"a".repeat(32)}-${"b".repeat(16)}-01`,
      `00-${"A".repeat(32)}-${"b".repeat(16)}-01`,
      `00-${"a".repeat(32)}-${"b".repeat(16)}-01${"x".repeat(1000)}`,
    ]) {
      await span("root", {}, () => {}, parent);
      expect(finished("root").parentSpanContext, parent).toBeUndefined();
      exporter.reset();
    }
  });

  test("an error marks the span and is thrown on; a span that was not sampled stays so", async () => {
    const error = new Error("no");
    await expect(span("fails", {}, () => Promise.reject(error))).rejects.toBe(error);
    const failed = finished("fails");
    expect(failed.status).toEqual({ code: SpanStatusCode.ERROR, message: "no" });
    expect(failed.events[0]?.name).toBe("exception");
    await expect(
      span("throws at once", {}, () => {
        throw error;
      }),
    ).rejects.toBe(error);
    await expect(span("no error", {}, () => Promise.reject("text"))).rejects.toBe("text");
    expect(finished("no error").status.message).toBe("text");
    exporter.reset();
    await span("unseen", {}, () => {}, `00-${"a".repeat(32)}-${"b".repeat(16)}-00`);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});
