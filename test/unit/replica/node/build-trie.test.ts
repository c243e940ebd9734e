import { createMPT } from "@ethereumjs/mpt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildTrie, type TrieEntry } from "../../../../src/replica/node/build-trie.js";
import { EMPTY_TRIE_ROOT } from "../../../../src/verifier/ethereum/trie.js";
import { bytesToUint, keccak } from "../../../../src/verifier/ethereum/words.js";

function build(entries: TrieEntry[]) {
  const nodes = new Map<string, Uint8Array>();
  const iterator = buildTrie(entries);
  for (let next = iterator.next(); ; next = iterator.next()) {
    if (next.done) return { root: next.value, nodes };
    nodes.set(Buffer.from(next.value.hash).toString("hex"), next.value.bytes);
  }
}

describe("a trie from all of its entries", () => {
  test("has the root that ethereumjs finds entry by entry, and its nodes under their hashes", async () => {
    // few different nibbles: long common prefixes, and leaves that their parents hold as they are
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const near = fc.tuple(fc.nat(63), fc.nat(15), fc.nat(63), fc.nat(15)).map(([i, a, j, b]) =>
      Uint8Array.from({ length: 32 }, (_, at) =>
        [
          [i, a],
          [j, b],
        ].reduce((byte, [n, x]) => (n! >> 1 === at ? byte | (x! << (n! % 2 === 0 ? 4 : 0)) : byte), 0),
      ),
    );
    const value = fc.uint8Array({ minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.record({ key: fc.oneof(key, near), value }), {
          selector: (entry) => Buffer.from(entry.key).toString("hex"),
          maxLength: 40,
        }),
        async (entries) => {
          const trie = await createMPT();
          for (const entry of entries) await trie.put(entry.key, entry.value);
          const { root, nodes } = build([...entries]);
          expect(root).toBe(bytesToUint(trie.root()));
          for (const [hash, bytes] of nodes) expect(keccak(bytes)).toBe(BigInt(`0x${hash}`));
          if (entries.length > 0) expect(nodes.has(root.toString(16).padStart(64, "0"))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("without entries there is no node", () => {
    expect(build([])).toEqual({ root: EMPTY_TRIE_ROOT, nodes: new Map() });
  });
});
