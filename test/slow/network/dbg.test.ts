import { it } from "vitest";
import { Redis } from "ioredis";
import { RedisQueue } from "../../../src/network/queue-redis.js";
import { startRedis } from "../../support/redis.js";
import { aborted, job, sleep, until } from "../../support/queue-suite.js";
it("x", async () => {
  const redis = await startRedis();
  const raw = new Redis(redis.url);
  const queue = await RedisQueue.open(redis.url, { prefix: "n", lockDuration: 1000 });
  const signals: AbortSignal[] = [];
  queue.consume("prove", async ({ signal, attempt }) => { signals.push(signal); console.log("handler", attempt); if (attempt === 0) await aborted(signal); return attempt; }, { concurrency: 2 });
  await queue.add(job("prove", "a"));
  await until(() => signals.length === 1);
  await raw.set(`n:prove:a:lock`, "foreign", "PX", 300);
  for (let i = 0; i < 10; i++) { await sleep(300); console.log(i, signals[0]!.aborted, await queue.status("prove", "a"), await raw.get("n:prove:a:lock"), await raw.smembers("n:prove:stalled"), await raw.lrange("n:prove:active",0,-1)); }
  await queue.close(); raw.disconnect(); await redis.stop();
});
