/**
 * Machines whose frame knows accounts.
 *
 * @module
 */

import { cellKey, type Entry } from "../../src/rows/journal.js";
import type { Machine } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import { halvesOf } from "../../src/rows/words.js";
import { EMPTY_CODE_HASH } from "../../src/verifier/ethereum/words.js";
import { machineWith } from "./machine.js";
import type { Sample } from "./rows.js";
import { FRAME, open, WRITTEN } from "./storage.js";

/** An address with all of its 20 bytes. */
export const OTHER = 0xfe3b557e_8fb62b89f4916b721be55ceb828dbd73n;

/** A stack word that names {@link OTHER}: what is above the low 160 bits does not matter. */
export const DIRTY: bigint = (0xdeadbeef_cafebabe_12345678n << 160n) + OTHER;

/** A code, and the hash of it as far as rows can tell. */
export const CODE = { hash: (0x1111n << 240n) + (0x77n << 128n) + 0x2222n, id: 3n, bytes: new Uint8Array(1234) };

/** The codes of a block: {@link CODE} and no code. */
export const codeOf = (hash: bigint): { readonly id: bigint; readonly bytes: Uint8Array } => {
  if (hash === CODE.hash) return CODE;
  if (hash === EMPTY_CODE_HASH) return { id: 65_536n, bytes: new Uint8Array() };
  throw new Error(`no code has the hash ${hash}`);
};

/** What an account is; not given: not there, and touched never. */
export interface AccountState {
  readonly hash?: bigint;
  readonly lastTx?: bigint;
  readonly balance?: bigint;
  readonly nonce?: bigint;
}

/** Makes the cells of an account live, written at different times. */
export function giveAccount(
  m: Machine,
  address: bigint,
  { hash = EMPTY_CODE_HASH, lastTx = 0n, balance = 0n, nonce = 0n }: AccountState = {},
): void {
  const key = cellKey.account(address);
  const [code, money] = [halvesOf(hash), halvesOf(balance)];
  m.give("ACCOUNT", key, { address, lastTx, hashHi: code.hi, hashLo: code.lo }, WRITTEN);
  m.give("BALANCE", key, { address, ...money }, WRITTEN - 70_000n);
  m.give("NONCE", key, { address, nonce, createdTx: 0n }, WRITTEN - 140_000n);
}

/** The one row of a template on a machine with {@link OTHER} in a state and a word that names it on the stack. */
export function accountSample(
  template: RowTemplate,
  what: string,
  state: AccountState,
  assign: (machine: Machine) => void,
  word = OTHER,
): Sample {
  const m = machineWith([9n, word]);
  open(m);
  giveAccount(m, word % (1n << 160n), state);
  assign(m);
  const rows = m.rows.get(template.name)?.columns ?? [];
  if (rows.length !== 1) throw new Error(`${rows.length} rows of ${template.name}`);
  return { what, columns: rows[0]! };
}

/** States that every row that touches an account meets, once cold and once warm. */
export const coldAndWarm = (state: AccountState): AccountState[] =>
  [0n, 6n, FRAME.T].map((lastTx) => ({ ...state, lastTx }));

/** Entry of the journal for a cold account. */
export const warmed = (address: bigint, hash: bigint, lastTx: bigint): Partial<Entry> => {
  const { hi, lo } = halvesOf(hash);
  return { space: 3n, address, lastTx, valueHi: hi, valueLo: lo };
};
