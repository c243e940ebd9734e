import { beforeAll, describe, expect, it } from "vitest";
import type { BlockChunk, BlockProof } from "../../../../src/verifier/encoding.js";
import { encodeHeader } from "../../../../src/verifier/ethereum/header.js";
import {
  ALICE,
  altered,
  buildBlock,
  ETHER,
  endOf,
  expectFaults,
  hexAddress,
  type TestBlock,
  transfer,
  verdictOn,
  withForgedChunks,
} from "./support.js";

/** PUSH1 42, 20 JUMPDESTs, STOP. */
const CODE = Uint8Array.of(0x60, 42, ...new Array<number>(20).fill(0x5b), 0x00);
const CONTRACT = 0xc0den << 96n;

let block: TestBlock;
let honest: BlockProof;
beforeAll(async () => {
  block = await buildBlock({
    genesis: [
      { address: hexAddress(ALICE.address), balance: ETHER },
      { address: hexAddress(CONTRACT), nonce: 1n, code: CODE },
    ],
    transactions: [transfer(ALICE, CONTRACT, 1n, { gasLimit: 30_000n })],
    execute: (_, __, gas) => ({ end: endOf({ t: 19n }, { clk: 24n, gas }) }),
  });
  honest = withForgedChunks(block, [
    { layout: 0, d: 5n },
    { layout: 1, d: 6n },
    { layout: 0, d: 7n },
  ]);
});

const withChunks = (edit: (chunks: BlockChunk[]) => void): BlockProof => {
  const chunks = honest.chunks.map(({ layout, proof }) => ({ layout, proof: proof.slice() }));
  edit(chunks);
  return { ...honest, chunks };
};
const invalid = (...indices: number[]) => indices.map((i) => ["CHUNK_INVALID", `chunks[${i}]`] as const);
const UNBALANCED = ["BUS_UNBALANCED", "bus"] as const;

describe("chunks", () => {
  it("are accepted when all are valid and the bus balances", async () => {
    const verdict = await verdictOn(block, honest);
    expect(verdict.faults).toEqual([]);
    expect(verdict.valid).toBe(true);
  });

  // the challenges depend on every chunk, so that all others fail with it
  it("are refused dropped, swapped, duplicated or added", async () => {
    await expectFaults(
      block,
      withChunks((chunks) => chunks.pop()),
      [...invalid(0, 1), UNBALANCED],
    );
    await expectFaults(
      block,
      withChunks((chunks) => chunks.reverse()),
      [...invalid(0, 1, 2), UNBALANCED],
    );
    await expectFaults(
      block,
      withChunks((chunks) => chunks.push(chunks[0]!)),
      [...invalid(0, 1, 2, 3), UNBALANCED],
    );
    await expectFaults(block, { ...honest, chunks: [] }, [UNBALANCED]);
  });

  it("of another block are refused", async () => {
    const other = withForgedChunks(block, [{ layout: 0, d: 8n }]);
    await expectFaults(block, { ...honest, chunks: [honest.chunks[0]!, other.chunks[0]!] }, [
      ...invalid(0, 1),
      UNBALANCED,
    ]);
  });

  it("are named when only one proof is wrong", async () => {
    // the last byte of the sum: not part of the transcript
    const sum = withChunks((chunks) => (chunks[1]!.proof[223]! ^= 1));
    await expectFaults(block, sum, [...invalid(1), UNBALANCED]);
    // C of another chunk: the commitments, and with them the challenges, stay
    const mixed = withChunks((chunks) => chunks[2]!.proof.set(chunks[1]!.proof.subarray(96, 128), 96));
    await expectFaults(block, mixed, invalid(2));
  });

  it("are refused under another commitment, which moves the challenges", async () => {
    const moved = withChunks((chunks) => {
      chunks[0]!.proof.set(chunks[2]!.proof.subarray(128, 192), 128);
    });
    await expectFaults(block, moved, [...invalid(0, 1, 2), UNBALANCED]);
    const unproved = withChunks((chunks) => {
      chunks[0]!.proof.set(chunks[1]!.proof.subarray(160, 192), 160);
    });
    await expectFaults(block, unproved, [["CHUNK_COMMITMENT", "chunks[0].p"], ...invalid(1, 2), UNBALANCED]);
  });

  it("are refused with a key that isn't theirs, or that isn't there", async () => {
    const exchanged = withChunks((chunks) => {
      chunks[0] = { ...chunks[0]!, layout: 1 };
    });
    await expectFaults(block, exchanged, [["CHUNK_COMMITMENT", "chunks[0].p"], ...invalid(1, 2), UNBALANCED]);
    const missing = withChunks((chunks) => {
      chunks[2] = { ...chunks[2]!, layout: 2 };
    });
    await expectFaults(block, missing, [...invalid(0, 1), ["CHUNK_LAYOUT", "chunks[2].layout"], UNBALANCED]);
  });

  it("are all named that cannot be read", async () => {
    const broken = withChunks(([a, b]) => {
      a!.proof.fill(0xff, 0, 32);
      b!.proof.fill(0xff, 192, 224);
    });
    await expectFaults(block, broken, [
      ["CHUNK_NON_CANONICAL", "chunks[0].a"],
      ["CHUNK_NON_CANONICAL", "chunks[1].sum"],
    ]);
  });

  it("prove one block on one header, one claim, one chain", async () => {
    const claim = altered(honest, (proof) => {
      Object.assign(proof.claims.cells.balances[0]!, { t: proof.claims.cells.balances[0]!.t + 1n });
    });
    await expectFaults(block, claim, [...invalid(0, 1, 2), UNBALANCED]);
    const extraData = { ...honest, header: encodeHeader({ ...block.header, extraData: Uint8Array.of(1) }) };
    await expectFaults(block, extraData, [...invalid(0, 1, 2), UNBALANCED]);
  });
});
