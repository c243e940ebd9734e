/**
 * The end of a frame. Mirrors `circuits/frame.circom`.
 *
 * @module
 */

import { type Message, message, received } from "../verifier/bus.js";
import { type Columns, inRange32, type Registers } from "./row.js";

/** Field of CTX that holds the transaction's number T. */
export const FIELD_T = 0x100n;

/** How a transaction's rows ended: in which row, with how much gas left. */
export interface Ended {
  readonly clk: bigint;
  readonly gas: bigint;
  /** 1: success. */
  readonly status: bigint;
}

/** `EndRoot` of `frame.circom`; `gas` is what is left. */
export function endRoot(
  { clk, ctx }: Registers,
  { gasHigh, T }: Columns<"gasHigh" | "T">,
  gas: bigint,
  status: bigint,
  act: bigint,
): Message[] {
  const none = { code: 0n, pc: 0n, sp: 0n, gas: 0n, msize: 0n, parent: 0n, j0: 0n, refund0: 0n, log0: 0n };
  return [
    message("CTX", { ctx, hi: 0n, lo: T, field: FIELD_T }, act),
    received(message("FRAME", { ctx, ...none }, act)),
    message("TXEND", { clk, ctx, gas, T, status }, act),
    ...inRange32(gas, gasHigh),
  ];
}
