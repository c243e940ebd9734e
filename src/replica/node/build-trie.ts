/**
 * Tries made from all of their entries at once, from the leaves up: every node is made exactly once.
 *
 * @module
 */

import { encodeRlp, encodeRlpList } from "../../verifier/ethereum/rlp.js";
import { EMPTY_TRIE_ROOT } from "../../verifier/ethereum/trie.js";
import { keccak, uintToBytes } from "../../verifier/ethereum/words.js";

/** An entry of a trie with hashed keys. */
export interface TrieEntry {
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A node and its hash. */
export interface TrieNode {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

const EMPTY_STRING = Uint8Array.of(0x80);

const nibble = (key: Uint8Array, i: number): number => (i % 2 === 0 ? key[i >> 1]! >> 4 : key[i >> 1]! & 15);

/** Nibbles `from` to `to` of a key with their parity and the leaf flag in front, as an item of RLP. */
function hexPrefix(key: Uint8Array, from: number, to: number, leaf: boolean): Uint8Array {
  const odd = (to - from) % 2;
  const bytes = new Uint8Array((to - from - odd) / 2 + 1);
  bytes[0] = (leaf ? 0x20 : 0) + (odd === 1 ? 0x10 + nibble(key, from) : 0);
  for (let i = 1, at = from + odd; at < to; i++, at += 2) bytes[i] = nibble(key, at) * 16 + nibble(key, at + 1);
  return encodeRlp(bytes);
}

/** How a parent holds a node: as it is if it is shorter than a hash. */
function* reference(bytes: Uint8Array): Generator<TrieNode, Uint8Array> {
  if (bytes.length < 32) return bytes;
  const hash = uintToBytes(keccak(bytes), 32);
  yield { hash, bytes };
  return encodeRlp(hash);
}

/** The node for `entries[from..to)`, at least one, sorted, with the same first `depth` nibbles; yields those below it. */
function* nodeOf(
  entries: readonly TrieEntry[],
  from: number,
  to: number,
  depth: number,
): Generator<TrieNode, Uint8Array> {
  const { key, value } = entries[from]!;
  if (to - from === 1) return encodeRlpList([hexPrefix(key, depth, 64, true), encodeRlp(value)]);
  // in sorted order, what the first and the last have in common is common to all
  const last = entries[to - 1]!.key;
  let fork = depth;
  while (nibble(key, fork) === nibble(last, fork)) fork++;
  if (fork > depth) {
    const below = yield* reference(yield* nodeOf(entries, from, to, fork));
    return encodeRlpList([hexPrefix(key, depth, fork, false), below]);
  }
  const items: Uint8Array[] = [];
  for (let digit = 0, start = from; digit < 16; digit++) {
    let end = start;
    while (end < to && nibble(entries[end]!.key, depth) === digit) end++;
    items.push(end === start ? EMPTY_STRING : yield* reference(yield* nodeOf(entries, start, end, depth + 1)));
    start = end;
  }
  return encodeRlpList([...items, EMPTY_STRING]);
}

/**
 * The nodes of a trie, the root last.
 *
 * @param entries in any order, with different keys; sorted in place.
 * @returns the root's hash
 */
export function* buildTrie(entries: TrieEntry[]): Generator<TrieNode, bigint> {
  if (entries.length === 0) return EMPTY_TRIE_ROOT;
  entries.sort((a, b) => Buffer.compare(a.key, b.key));
  const bytes = yield* nodeOf(entries, 0, entries.length, 0);
  const root = keccak(bytes);
  yield { hash: uintToBytes(root, 32), bytes };
  return root;
}
