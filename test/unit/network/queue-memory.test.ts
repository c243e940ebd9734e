import { describe, expect, it } from "vitest";
import { MemoryQueue } from "../../../src/network/queue-memory.js";
import { describeQueue, ended, job, SUITE_BACKOFF } from "../../support/queue-suite.js";

describeQueue("a queue in this process", async () => {
  const queue = new MemoryQueue({ backoff: SUITE_BACKOFF });
  return { queue: async () => queue, close: () => queue.close() };
});

describe("a queue in this process", () => {
  it("remembers so many jobs that ended and no more; parents remember their children", async () => {
    const queue = new MemoryQueue({ keep: 3 });
    queue.consume("commit", async ({ id }) => id, { concurrency: 1 });
    const children = Array.from({ length: 10 }, (_, i) => job("commit", `c${i}`, { priority: i }));
    const parent = queue.consume("challenge", async ({ children }) => (await children()).results.size, {
      concurrency: 1,
    });
    await queue.add(job("challenge", "p"), children);
    expect(await ended(queue, "challenge", "p")).toMatchObject({ result: 10 });
    expect((await queue.counts("commit")).completed).toBe(3);
    expect(await queue.status("commit", "c6")).toBeUndefined();
    expect(await queue.status("commit", "c7")).toMatchObject({ state: "completed" });
    await parent.close();
    await queue.close();
  });

  it("gives nobody what others can change", async () => {
    const queue = new MemoryQueue();
    const data = { list: [1] };
    const result = { list: [2] };
    await queue.add(job("commit", "a", { data }));
    data.list.push(9);
    queue.consume(
      "commit",
      async (delivery) => {
        expect(delivery.data).toEqual({ list: [1] });
        return result;
      },
      { concurrency: 1 },
    );
    await ended(queue, "commit", "a");
    result.list.push(9);
    const status = await queue.status("commit", "a");
    expect(status?.result).toEqual({ list: [2] });
    (status!.result as { list: number[] }).list.push(9);
    expect((await queue.status("commit", "a"))?.result).toEqual({ list: [2] });
    await queue.close();
  });
});
