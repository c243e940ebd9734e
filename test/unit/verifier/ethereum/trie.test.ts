import { genTransactionsTrieRoot } from "@ethereumjs/block";
import { MerklePatriciaTrie } from "@ethereumjs/mpt";
import { RLP } from "@ethereumjs/rlp";
import { bytesToBigInt, KECCAK256_RLP } from "@ethereumjs/util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EMPTY_TRIE_ROOT, orderedTrieRoot } from "../../../../src/verifier/ethereum/trie.js";

async function reference(values: readonly Uint8Array[]): Promise<bigint> {
  const trie = new MerklePatriciaTrie();
  for (const [i, value] of values.entries()) await trie.put(RLP.encode(i), value);
  return bytesToBigInt(trie.root());
}

/** Values that fit into their parents, and values that don't; many are equal, so that only their places differ. */
const value = fc.oneof(
  fc.integer({ min: 0, max: 255 }).map((byte) => Uint8Array.of(byte)),
  fc.uint8Array({ minLength: 1, maxLength: 80 }),
  fc.integer({ min: 26, max: 34 }).map((length) => new Uint8Array(length).fill(1)),
);

describe("the root of an ordered trie", () => {
  it("of nothing", async () => {
    expect(orderedTrieRoot([])).toBe(EMPTY_TRIE_ROOT);
    expect(EMPTY_TRIE_ROOT).toBe(bytesToBigInt(KECCAK256_RLP));
    expect(EMPTY_TRIE_ROOT).toBe(bytesToBigInt(await genTransactionsTrieRoot([])));
  });

  it("is the reference's for every number of values up to 20 and around the lengths of keys", async () => {
    for (const count of [...Array(21).keys(), 126, 127, 128, 129, 130, 143, 144, 145, 255, 256, 257, 300]) {
      const values = Array.from({ length: count }, (_, i) => new Uint8Array(1 + (i % 60)).fill(i + 1));
      expect(orderedTrieRoot(values), `${count} values`).toBe(await reference(values));
    }
  });

  it("is the reference's for values of all lengths", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 150 }), async (values) => {
        expect(orderedTrieRoot(values)).toBe(await reference(values));
      }),
      { numRuns: 30 },
    );
  });

  it("depends on the order", () => {
    const values = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
    expect(orderedTrieRoot(values)).not.toBe(orderedTrieRoot([values[1]!, values[0]!, values[2]!]));
    expect(orderedTrieRoot(values)).not.toBe(orderedTrieRoot(values.slice(0, 2)));
  });
});
