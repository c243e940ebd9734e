/**
 * Machines whose frame has storage, a journal and counters.
 *
 * @module
 */

import { cellKey, type Frame, openCounters } from "../../src/rows/journal.js";
import { type Machine, messagesOf } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import { halvesOf } from "../../src/rows/words.js";
import { fieldsOf, type Message } from "../../src/verifier/bus.js";
import type { TagName } from "../../src/verifier/tags.generated.js";
import { type REGISTERS, sampleOf } from "./machine.js";
import type { Sample } from "./rows.js";

/** A transaction and an account whose address has both halves. */
export const FRAME: Frame = { T: 7n, address: 0xd8da6bf2_6964af9d7eed9e03e53415d37aa96045n };

/** A slot whose number has both halves. */
export const SLOT: bigint = (0x1234n << 240n) + 0x5678n;

/** When counters and cells were last written: so long ago that both limbs of the difference are used. */
export const WRITTEN: bigint = 16n * 20_000n + 2n;

/** What a slot holds. */
export interface SlotState {
  readonly value: bigint;
  readonly orig: bigint;
  readonly lastTx: bigint;
}

/** Makes the cell of a slot live. */
export function giveSlot(m: Machine, slot: bigint, { value, orig, lastTx }: SlotState, t = WRITTEN): void {
  const { address } = FRAME;
  const [s, v, o] = [halvesOf(slot), halvesOf(value), halvesOf(orig)];
  m.give(
    "STORAGE",
    cellKey.storage(address, slot),
    { address, slotHi: s.hi, slotLo: s.lo, valueHi: v.hi, valueLo: v.lo, origHi: o.hi, origLo: o.lo, lastTx },
    t,
  );
}

/** What a live slot holds. */
export function slotOf(m: Machine, slot: bigint): SlotState {
  const { valueHi, valueLo, origHi, origLo, lastTx } = m.peek("STORAGE", cellKey.storage(FRAME.address, slot));
  return { value: (valueHi << 128n) + valueLo, orig: (origHi << 128n) + origLo, lastTx };
}

/** What a transient slot holds. */
export type TransientState = Omit<SlotState, "orig">;

/** Makes the cell of a transient slot live. */
export function giveTransient(m: Machine, slot: bigint, { value, lastTx }: TransientState, t = WRITTEN): void {
  const { address } = FRAME;
  const [s, v] = [halvesOf(slot), halvesOf(value)];
  const fields = { address, slotHi: s.hi, slotLo: s.lo, valueHi: v.hi, valueLo: v.lo, lastTx };
  m.give("TRANSIENT", cellKey.transient(address, slot), fields, t);
}

/** What a live transient slot holds. */
export function transientOf(m: Machine, slot: bigint): TransientState {
  const { valueHi, valueLo, lastTx } = m.peek("TRANSIENT", cellKey.transient(FRAME.address, slot));
  return { value: (valueHi << 128n) + valueLo, lastTx };
}

/** Refund counter of the transaction. */
export function refundOf(m: Machine): bigint {
  return m.peek("REFUND", cellKey.transaction(FRAME.T)).value;
}

/** Opens the transaction's counters: two entries in the journal, as after a transfer of value. */
export function open(m: Machine): void {
  openCounters(m, FRAME.T, WRITTEN, 2n);
}

/** The one row of a template on a machine with {@link SLOT} in a state. */
export function storageSample(
  template: RowTemplate,
  what: string,
  stack: readonly bigint[],
  state: SlotState,
  assign: (machine: Machine) => void,
  registers: Partial<typeof REGISTERS> = {},
): Sample {
  const prepared = (m: Machine): void => {
    open(m);
    giveSlot(m, SLOT, state);
    assign(m);
  };
  return sampleOf(template, what, stack, prepared, registers);
}

/** The one row of a template on a machine with the transient {@link SLOT} in a state. */
export function transientSample(
  template: RowTemplate,
  what: string,
  stack: readonly bigint[],
  state: TransientState,
  assign: (machine: Machine) => void,
): Sample {
  return sampleOf(template, what, stack, (m) => {
    open(m);
    giveTransient(m, SLOT, state);
    assign(m);
  });
}

/** The columns of an honest row with some of them changed. */
export function changed<C extends string>(
  template: RowTemplate<C>,
  columns: readonly bigint[],
  changes: Partial<Record<C, bigint>>,
): bigint[] {
  return template.columns.map((name, i) => changes[name] ?? columns[i]!);
}

/** Messages of one tag in a row, with multiplicity. */
export function messagesWith(
  template: RowTemplate,
  columns: readonly bigint[],
  tag: TagName,
): { readonly multiplicity: bigint; readonly fields: Record<string, bigint> }[] {
  return messagesOf(template, columns)
    .filter((m: Message) => m.tag === tag && m.multiplicity !== 0n)
    .map((m) => ({ multiplicity: m.multiplicity, fields: fieldsOf(m) }));
}
