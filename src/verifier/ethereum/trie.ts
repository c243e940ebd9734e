/**
 * The root of an ordered Merkle-Patricia trie (Yellow Paper, appendix D): how a header commits to the lists of
 * transactions and receipts. Keys are `rlp(index)`, so no key is a prefix of another, and no branch has a value.
 *
 * @module
 */

import { encodeRlp, encodeRlpList } from "./rlp.js";
import { keccak, uintToBytes } from "./words.js";

/** Root of the trie without entries: keccak-256 of `rlp("")`. */
export const EMPTY_TRIE_ROOT = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421n;

const EMPTY_STRING = Uint8Array.of(0x80);

/** An entry: the nibbles of its key, and its value encoded as an item of RLP. */
interface Entry {
  readonly key: readonly number[];
  readonly value: Uint8Array;
}

/** Nibbles with their parity and the leaf flag in front ("hex prefix"), as an item of RLP. */
function hexPrefix(nibbles: readonly number[], leaf: boolean): Uint8Array {
  const flag = leaf ? 2 : 0;
  const padded = nibbles.length % 2 === 0 ? [flag, 0, ...nibbles] : [flag + 1, ...nibbles];
  const bytes = new Uint8Array(padded.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = padded[2 * i]! * 16 + padded[2 * i + 1]!;
  return encodeRlp(bytes);
}

/** How a parent holds a node: as it is if it is shorter than a hash. */
const reference = (node: Uint8Array): Uint8Array =>
  node.length < 32 ? node : encodeRlp(uintToBytes(keccak(node), 32));

/** The node for `entries[from..to)`, at least one, sorted, with the same first `depth` nibbles. */
function encodeNode(entries: readonly Entry[], from: number, to: number, depth: number): Uint8Array {
  const { key, value } = entries[from]!;
  if (to - from === 1) return encodeRlpList([hexPrefix(key.slice(depth), true), value]);
  // in sorted order, what the first and the last have in common is common to all
  const last = entries[to - 1]!.key;
  let fork = depth;
  while (key[fork] === last[fork]) fork++;
  if (fork > depth) {
    return encodeRlpList([hexPrefix(key.slice(depth, fork), false), reference(encodeNode(entries, from, to, fork))]);
  }
  const items: Uint8Array[] = [];
  for (let nibble = 0, start = from; nibble < 16; nibble++) {
    let end = start;
    while (end < to && entries[end]!.key[depth] === nibble) end++;
    items.push(end === start ? EMPTY_STRING : reference(encodeNode(entries, start, end, depth + 1)));
    start = end;
  }
  return encodeRlpList([...items, EMPTY_STRING]);
}

/**
 * The root of the trie that maps `rlp(i)` to `values[i]`.
 *
 * @param values non-empty byte strings: canonical transactions or receipts
 * @returns keccak-256 of the root node
 */
export function orderedTrieRoot(values: readonly Uint8Array[]): bigint {
  if (values.length === 0) return EMPTY_TRIE_ROOT;
  // rlp(0) = 0x80 lies behind 1..127, which stand for themselves, and before all the longer ones
  const first = Math.min(values.length, 128);
  const order = [...values.keys()];
  order.splice(0, first, ...order.slice(1, first), 0);
  const entries = order.map((i): Entry => {
    const key = [...encodeRlp(BigInt(i))].flatMap((byte) => [byte >> 4, byte & 15]);
    return { key, value: encodeRlp(values[i]!) };
  });
  return keccak(encodeNode(entries, 0, entries.length, 0));
}
