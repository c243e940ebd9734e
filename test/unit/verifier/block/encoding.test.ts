import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type BlockProof, decodeBlockProof, encodeBlockProof } from "../../../../src/verifier/encoding.js";
import { VerifierError } from "../../../../src/verifier/errors.js";
import { encodeHeader } from "../../../../src/verifier/ethereum/header.js";
import { EMPTY_CODE_HASH, fromHex, toHex } from "../../../../src/verifier/ethereum/words.js";
import { blockProofFromJson, blockProofToJson } from "../../../../src/verifier/json-view.js";
import { errorOf, expectError, mutated } from "../ethereum/support.js";
import { blockProofs } from "./arbitraries.js";
import {
  ALICE,
  altered,
  BOB,
  buildBlock,
  ETHER,
  hexAddress,
  NO_LOOKUPS,
  type TestBlock,
  transfer,
  verdictOn,
} from "./support.js";

const EMPTY: BlockProof = {
  version: 2,
  keySet: new Uint8Array(32).fill(7),
  header: Uint8Array.of(0xc0),
  transactions: [],
  claims: {
    preState: new Uint8Array(32).fill(9),
    transactions: [],
    cells: { balances: [], nonces: [], accounts: [], slots: [], transients: [] },
    lookups: NO_LOOKUPS,
  },
  chunks: [],
};

let block: TestBlock;
let bytes: Uint8Array;
beforeAll(async () => {
  block = await buildBlock({
    genesis: [{ address: hexAddress(ALICE.address), balance: ETHER }],
    transactions: [transfer(ALICE, BOB.address, 5n), transfer(ALICE, ALICE.address, 0n, { nonce: 1n, type: 1 })],
  });
  bytes = encodeBlockProof(block.proof);
});

describe("the binary encoding", () => {
  it("is what the format says, byte by byte", () => {
    const claims: BlockProof["claims"] = {
      ...EMPTY.claims,
      transactions: [
        {
          senderBalance: { balance: 0x1234n, t: 200n },
          senderNonce: { nonce: 128n, createdTx: 0n, t: 1n },
          accounts: [{ codeHash: EMPTY_CODE_HASH, lastTx: 2n, t: 3n }],
          slots: [],
          recipientBalance: undefined,
          end: {
            ...{ clk: 300n, status: 1n, gas: 5n, journal: { j: 2n, t: 6n }, refund: { value: 7n, t: 8n } },
            logs: {
              t: 9n,
              entries: [
                { clk: 10n, address: 11n, topics: [1n, 256n], data: Uint8Array.of(0xaa) },
                { clk: 12n, address: 0n, topics: [], data: new Uint8Array() },
              ],
            },
            keccaks: [{ clk: 11n, data: Uint8Array.of(0xbb, 0xcc) }],
          },
          endSenderBalance: { balance: 0n, t: 4n },
          coinbaseBalance: { balance: 255n, t: 5n },
        },
      ],
      cells: {
        ...EMPTY.claims.cells,
        balances: [
          { address: 5n, balance: 1n, t: 6n },
          { address: 8n, balance: 2n, t: 7n },
        ],
        transients: [{ address: 5n, slot: 6n, value: 7n, lastTx: 1n, t: 100n }],
      },
      lookups: {
        ...EMPTY.claims.lookups,
        code: [
          { code: 1n, pc: 300n, multiplicity: 1n },
          { code: 1n, pc: 302n, multiplicity: 2n },
          { code: 3n, pc: 0n, multiplicity: 3n },
        ],
        codeid: [
          { hash: 0xabcn, multiplicity: 1n },
          { hash: 0xac0n, multiplicity: 2n },
        ],
        blockhash: [{ n: 128n, multiplicity: 3n }],
      },
    };
    const hex = toHex(encodeBlockProof({ ...EMPTY, transactions: [new Uint8Array(32).fill(8)], claims }));
    expect(hex).toBe(
      [
        "0x636b6270",
        "02",
        "07".repeat(32),
        "01c0", // header
        `0120${"08".repeat(32)}`, // transactions
        "09".repeat(32), // claims
        "01", // of one transaction
        "021234c801", // senderBalance
        "80010001", // senderNonce
        "01000203", // accounts
        "00", // slots
        "00", // recipientBalance
        "01", // end
        "ac02010502060708",
        "09", // logs
        "02",
        "0a010b02010102010001aa",
        "01000000", // 12 = 10 + 1 + 1
        "01", // keccaks
        "0b02bbcc",
        "0004", // endSenderBalance
        "0101ff05", // coinbaseBalance
        "02", // balances
        "0105010106",
        "0102010207", // 8 = 5 + 1 + 2
        "000000",
        "01", // transients
        "0105010601070164",
        "03", // code
        "01ac0201",
        "000102", // the same code, 302 = 300 + 1 + 1
        "020003",
        "000000000000",
        "02", // codeid
        "020abc01",
        "010302", // 0xac0 = 0xabc + 1 + 3
        "0000",
        "01", // blockhash
        "800103",
        "00",
        "00", // chunks
      ].join(""),
    );
  });

  it("has no transactions that are shorter than any is, and makes no objects of them", () => {
    const short = { ...EMPTY, transactions: [new Uint8Array(31)] };
    const fault = expect.objectContaining({ code: "BLOCK_MALFORMED", where: "transactions[0]" });
    expect(() => encodeBlockProof(short)).toThrow(fault);
    // 16 MiB of transactions of no bytes
    const empty = encodeBlockProof(EMPTY);
    const at = 4 + 1 + 32 + 1 + EMPTY.header.length;
    expect(empty[at]).toBe(0);
    const bomb = new Uint8Array(16 << 20);
    bomb.set(empty.subarray(0, at));
    bomb.set([0x80, 0x80, 0xc0, 0x07], at);
    const begun = performance.now();
    expect(() => decodeBlockProof(bomb)).toThrow(fault);
    expect(performance.now() - begun).toBeLessThan(500);
  });

  it("gives back every proof, and every byte string that it reads", () => {
    fc.assert(
      fc.property(blockProofs, (proof) => {
        const encoded = encodeBlockProof(proof);
        const decoded = decodeBlockProof(encoded);
        expect(decoded).toEqual(proof);
        expect(encodeBlockProof(decoded)).toEqual(encoded);
      }),
      { numRuns: 150 },
    );
  });

  it("reads no two byte strings as one proof, and fails in no other way than it says", () => {
    fc.assert(
      fc.property(blockProofs.map(encodeBlockProof).chain(mutated), (odd) => {
        try {
          expect(encodeBlockProof(decodeBlockProof(odd))).toEqual(odd);
        } catch (error) {
          if (!(error instanceof VerifierError)) throw error;
          expect(["BLOCK_MALFORMED", "BLOCK_VERSION", "CLAIM_RANGE"]).toContain(error.code);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("refuses every prefix, and bytes behind the end", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(errorOf(() => decodeBlockProof(bytes.slice(0, length))).code).toBe("BLOCK_MALFORMED");
    }
    expect(errorOf(() => decodeBlockProof(Uint8Array.of(...bytes, 0))).code).toBe("BLOCK_MALFORMED");
  });

  const at = (hex: string) => fromHex(`0x636b627002${"07".repeat(32)}${hex}`)!;
  const claims = `01c000${"09".repeat(32)}`;
  const cases: [string, string, Parameters<typeof expectError>[1], string][] = [
    ["a length in two bytes instead of one", "8100c0", "BLOCK_MALFORMED", "header"],
    ["a length beyond the end", "7fc0", "BLOCK_MALFORMED", "header"],
    ["a length of 2^69", "ffffffffffffffffff7f", "BLOCK_MALFORMED", "header"],
    ["a length that doesn't end", "ffffffffffffffffffff01", "CLAIM_RANGE", "header"],
    [
      "a number with a leading zero",
      `${claims}01020001`,
      "BLOCK_MALFORMED",
      "claims.transactions[0].senderBalance.balance",
    ],
    [
      "a number of 33 bytes",
      `${claims}0121${"01".repeat(33)}`,
      "BLOCK_MALFORMED",
      "claims.transactions[0].senderBalance.balance",
    ],
    ["a time of 2^32", `${claims}01008080808010`, "CLAIM_RANGE", "claims.transactions[0].senderBalance.t"],
    [
      "a known code hash in full",
      `${claims}010000000000${"01"}20${EMPTY_CODE_HASH.toString(16)}`,
      "BLOCK_MALFORMED",
      "claims.transactions[0].accounts[0].codeHash",
    ],
    ["a flag of 2", `${claims}010000000000000002`, "BLOCK_MALFORMED", "claims.transactions[0].recipientBalance"],
    [
      "a log of five topics",
      `${claims}01${"00".repeat(8)}01${"030100"}${"00".repeat(5)}010300050000000000`,
      "CLAIM_RANGE",
      "claims.transactions[0].end.logs.entries[0].topics",
    ],
    [
      "two hashes of one row that passes 2^28",
      `${claims}01${"00".repeat(8)}01${"030100"}${"00".repeat(6)}02ffffff7f000000`,
      "CLAIM_RANGE",
      "claims.transactions[0].end.keccaks[1].clk",
    ],
    [
      "an address of 2^160",
      `${claims}000115${"01"}${"00".repeat(20)}`,
      "CLAIM_RANGE",
      "claims.cells.balances[0].address",
    ],
    [
      "an address that passes 2^160",
      `${claims}000214${"ff".repeat(20)}00000000`,
      "CLAIM_RANGE",
      "claims.cells.balances[1].address",
    ],
    [
      "a multiplicity of 0",
      `${claims}000000000000${"000000"}010500`,
      "CLAIM_RANGE",
      "claims.lookups.env[0].multiplicity",
    ],
  ];
  for (const [name, hex, code, where] of cases) {
    it(`refuses ${name}`, () => {
      expectError(() => decodeBlockProof(at(hex)), code, where);
    });
  }

  it("refuses another version and other files", () => {
    expectError(() => decodeBlockProof(bytes.with(4, 1)), "BLOCK_VERSION", "version");
    expect(errorOf(() => decodeBlockProof(bytes.with(0, 0))).code).toBe("BLOCK_MALFORMED");
    expect(errorOf(() => decodeBlockProof("ckbp" as never)).code).toBe("BLOCK_MALFORMED");
  });

  it("refuses to write what cannot be read", () => {
    const odd: [string, unknown, Parameters<typeof expectError>[1], string][] = [
      ["version", 1, "BLOCK_VERSION", "version"],
      ["keySet", new Uint8Array(31), "BLOCK_MALFORMED", "keySet"],
      ["header", [0xc0], "BLOCK_MALFORMED", "header"],
      ["transactions", {}, "BLOCK_MALFORMED", "transactions"],
      ["transactions", [null], "BLOCK_MALFORMED", "transactions[0]"],
      ["claims", null, "BLOCK_MALFORMED", "claims"],
      ["claims", { ...EMPTY.claims, cells: [] }, "BLOCK_MALFORMED", "claims.cells"],
      ["chunks", [{ layout: 256, proof: new Uint8Array(224) }], "CLAIM_RANGE", "chunks[0].layout"],
      ["chunks", [{ layout: 0.5, proof: new Uint8Array(224) }], "BLOCK_MALFORMED", "chunks[0].layout"],
      ["chunks", [{ layout: 0, proof: new Uint8Array(223) }], "BLOCK_MALFORMED", "chunks[0].proof"],
    ];
    for (const [name, value, code, where] of odd) {
      expectError(() => encodeBlockProof({ ...EMPTY, [name]: value }), code, where);
    }
    const numbers = altered(block.proof, (proof) => Object.assign(proof.claims.cells.balances[0]!, { t: 5 }));
    expectError(() => encodeBlockProof(numbers), "BLOCK_MALFORMED", "claims.cells.balances[0].t");
    const trap = {
      ...EMPTY,
      get claims(): never {
        throw new Error("boo");
      },
    };
    expect(errorOf(() => encodeBlockProof(trap)).code).toBe("BLOCK_MALFORMED");
    expect(errorOf(() => encodeBlockProof(undefined as never)).code).toBe("BLOCK_MALFORMED");
  });
});

describe("the JSON view", () => {
  it("says what the bytes say", () => {
    fc.assert(
      fc.property(blockProofs, (proof) => {
        const text = JSON.stringify(blockProofToJson(proof));
        expect(blockProofFromJson(JSON.parse(text))).toEqual(proof);
      }),
      { numRuns: 100 },
    );
  });

  it("is readable", () => {
    const json = blockProofToJson(block.proof) as unknown as {
      claims: { cells: { nonces: unknown[] }; transactions: object[] };
    };
    expect(Object.keys(json)).toEqual(["version", "keySet", "header", "transactions", "claims", "chunks"]);
    const { claims } = json;
    expect(claims.cells.nonces).toEqual([
      { address: hexAddress(ALICE.address), nonce: "0x2", createdTx: "0x0", t: "0x40" },
    ]);
    // there are no rows
    expect(Object.keys(claims.transactions[0]!)).not.toContain("end");
  });

  it("refuses everything that it wouldn't write", () => {
    const json = () => JSON.parse(JSON.stringify(blockProofToJson(block.proof)));
    const cases: [(copy: ReturnType<typeof json>) => void, Parameters<typeof expectError>[1], string][] = [
      [(copy) => (copy.version = "2"), "BLOCK_VERSION", "version"],
      [(copy) => delete copy.keySet, "BLOCK_MALFORMED", "keySet"],
      [(copy) => (copy.claims.more = 1), "BLOCK_MALFORMED", "claims"],
      [(copy) => (copy.header = copy.header.toUpperCase()), "BLOCK_MALFORMED", "header"],
      [(copy) => (copy.claims.cells.nonces[0].t = "0x040"), "BLOCK_MALFORMED", "claims.cells.nonces[0].t"],
      [(copy) => (copy.claims.cells.nonces[0].t = 64), "BLOCK_MALFORMED", "claims.cells.nonces[0].t"],
      [(copy) => (copy.claims.cells.nonces[0].t = "0x100000000"), "CLAIM_RANGE", "claims.cells.nonces[0].t"],
      [(copy) => (copy.claims.cells.nonces[0].address = "0x05"), "BLOCK_MALFORMED", "claims.cells.nonces[0].address"],
      [(copy) => copy.claims.cells.balances.reverse(), "CLAIM_ORDER", "claims.cells.balances[1]"],
      [(copy) => (copy.chunks = {}), "BLOCK_MALFORMED", "chunks"],
      [(copy) => (copy.claims.transactions[0].end = null), "BLOCK_MALFORMED", "claims.transactions[0].end"],
    ];
    for (const [edit, code, where] of cases) {
      const copy = json();
      edit(copy);
      expectError(() => blockProofFromJson(copy), code, where);
    }
    expect(errorOf(() => blockProofFromJson(null)).code).toBe("BLOCK_MALFORMED");
  });
});

describe("verifyBlock", () => {
  it("never throws on bytes, and accepts no other bytes than the proof's", async () => {
    expect((await verdictOn(block, bytes)).valid).toBe(true);
    await fc.assert(
      fc.asyncProperty(mutated(bytes), async (odd) => {
        const verdict = await verdictOn(block, odd);
        expect(verdict.faults.length > 0).toBe(!verdict.valid);
        if (!verdict.valid) return;
        // what the parent and the transactions leave open makes another block, as good as the first
        const { header } = decodeBlockProof(odd);
        const { prevRandao, extraData, parentBeaconBlockRoot, gasLimit, timestamp } = verdict.header;
        const open = { prevRandao, extraData, parentBeaconBlockRoot, gasLimit, timestamp };
        expect(header).toEqual(encodeHeader({ ...block.header, ...open }));
        expect(odd).toEqual(encodeBlockProof({ ...block.proof, header }));
      }),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (noise) => {
        expect((await verdictOn(block, noise)).valid).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it("never throws on objects", async () => {
    const trap = new Proxy(block.proof, {
      get() {
        throw new Error("boo");
      },
    });
    for (const odd of [trap, null, undefined, 5, "proof", [], {}, { ...block.proof, claims: {} }]) {
      const verdict = await verdictOn(block, odd as never);
      expect(verdict.faults.map(({ code }) => code)[0]).toMatch(/^BLOCK_(MALFORMED|VERSION)$/);
    }
  });

  it("judges a proof that changes while it is read by what it was written as", async () => {
    let reads = 0;
    const shifty = {
      ...block.proof,
      // honest the first time only
      get transactions() {
        return reads++ === 0 ? block.proof.transactions : [];
      },
    };
    expect((await verdictOn(block, shifty)).valid).toBe(true);
    expect(reads).toBe(1);
  });
});
