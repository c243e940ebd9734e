/**
 * The queue that is measured: what coordinators and workers open with `--redis`. Chosen here and nowhere else.
 *
 * @module
 */

export { BullQueue as MeasuredQueue } from "../../dist/network/queue-bullmq.js";
