/**
 * The queue that is measured: what coordinators and workers open with `--redis`. Chosen here and nowhere else.
 *
 * @module
 */

export { RedisQueue as MeasuredQueue } from "../../dist/network/queue-redis.js";
