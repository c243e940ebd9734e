/**
 * The replica's own state, and reading from it what a block touches.
 *
 * @module
 */

import type { BoundaryOutline, StateAccount, StateDiff, TouchedState } from "./boundary.js";
import { VerifierError } from "./errors.js";
import { Code } from "./ethereum/code.js";
import { addressToHex, EMPTY_CODE_HASH, keccak, wordToHex } from "./ethereum/words.js";
import { describe } from "./json.js";

/** A state at rest: while a block is verified, all answers must be of the state that the block starts from. */
export interface BlockState {
  /** 32 bytes that name the state's contents; for an Ethereum state its root. */
  commitment(): Promise<Uint8Array>;
  /** undefined: there is no such account. */
  account(address: bigint): Promise<StateAccount | undefined>;
  /** Code of an account; none: no bytes. */
  code(address: bigint): Promise<Uint8Array>;
  /** A word below 2^256; 0 for a slot that doesn't exist. */
  slot(address: bigint, slot: bigint): Promise<bigint>;
  /**
   * Hash of one of the 256 blocks before, the parent excepted, as BLOCKHASH gives it; undefined: not known here. Without it
   * no block is accepted that looks further back than its parent.
   */
  blockHash?(number: bigint): Promise<bigint | undefined>;
  /** The root of the state with these changes, where the caller can compute it. */
  postStateRoot?(diff: StateDiff): Promise<bigint>;
}

const NO_ACCOUNT: StateAccount = { nonce: 0n, balance: 0n, codeHash: EMPTY_CODE_HASH };

/** The caller's state, not the proof, is at fault. */
const invalid = (message: string, where: string, expected: string, got: string): VerifierError =>
  new VerifierError(message, { code: "STATE_INVALID", where: `state: ${where}`, expected, got });

function numberOf(value: unknown, bits: bigint, where: string): bigint {
  if (typeof value === "bigint" && value >= 0n && value >> bits === 0n) return value;
  throw invalid("not a number of its kind", where, `bigint below 2^${bits}`, describe(value));
}

/** @throws VerifierError `STATE_INVALID`; what the state throws */
export async function readCommitment(state: BlockState): Promise<Uint8Array> {
  const commitment: unknown = await state.commitment();
  if (commitment instanceof Uint8Array && commitment.length === 32) return commitment.slice();
  throw invalid("not a commitment", "commitment", "32 bytes", describe(commitment));
}

/** @throws VerifierError `STATE_INVALID`; what the state throws */
export async function readAccount(state: BlockState, address: bigint): Promise<StateAccount> {
  const where = addressToHex(address);
  const account: unknown = await state.account(address);
  if (account === undefined) return NO_ACCOUNT;
  if (typeof account !== "object" || account === null) {
    throw invalid("not an account", where, "object or undefined", describe(account));
  }
  const { nonce, balance, codeHash } = account as StateAccount;
  const hash = numberOf(codeHash, 256n, `${where}.codeHash`);
  if (hash === 0n) throw invalid("not the hash of a code", `${where}.codeHash`, wordToHex(EMPTY_CODE_HASH), "0");
  return {
    nonce: numberOf(nonce, 64n, `${where}.nonce`),
    balance: numberOf(balance, 256n, `${where}.balance`),
    codeHash: hash,
  };
}

/**
 * Reads what the cells and codes of a block are in the state, and hashes of older blocks. All lists are bounded by the
 * block's gas, the last one by 255.
 *
 * @throws VerifierError `STATE_INVALID` for a state that contradicts itself; what the state throws
 */
export async function readTouchedState(state: BlockState, outline: BoundaryOutline): Promise<TouchedState> {
  const { balances, nonces, accounts: warmed, slots: touched } = outline.claims.cells;
  const accounts = new Map<bigint, StateAccount>();
  const addresses = new Set([...balances, ...nonces, ...warmed].map(({ address }) => address));
  await Promise.all(
    [...addresses].map(async (address) => {
      accounts.set(address, await readAccount(state, address));
    }),
  );

  const slots = new Map<bigint, Map<bigint, bigint>>();
  await Promise.all(
    touched.map(async ({ address, slot }) => {
      const value: unknown = await state.slot(address, slot);
      const ofAddress = slots.get(address) ?? new Map<bigint, bigint>();
      slots.set(address, ofAddress);
      ofAddress.set(slot, numberOf(value, 256n, `${addressToHex(address)} ${wordToHex(slot)}`));
    }),
  );

  const codes = new Map<bigint, Code>();
  for (const { hash, address } of outline.codes) {
    // a hash that isn't the account's is the proof's fault: there is no code for it
    if (accounts.get(address)!.codeHash !== hash) continue;
    const bytes: unknown = await state.code(address);
    const where = `code of ${addressToHex(address)}`;
    if (!(bytes instanceof Uint8Array)) throw invalid("not code", where, "Uint8Array", describe(bytes));
    const code = new Code(bytes);
    const found = keccak(code.bytes);
    if (found !== hash) throw invalid("code and code hash differ", where, wordToHex(hash), wordToHex(found));
    codes.set(hash, code);
  }

  const blockHashes = new Map<bigint, bigint>();
  for (const number of outline.ancestors) {
    const found: unknown = await state.blockHash?.(number);
    if (found === undefined) continue;
    const where = `hash of block ${number}`;
    const hash = numberOf(found, 256n, where);
    // what stands for a block that BLOCKHASH doesn't know must not be taken for the hash of one that it does
    if (hash === 0n) throw invalid("not the hash of a block", where, "a hash, or undefined", "0");
    blockHashes.set(number, hash);
  }
  return { accounts, slots, codes, blockHashes };
}
