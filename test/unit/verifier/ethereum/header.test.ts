import { type BlockHeader, createBlockHeader, createBlockHeaderFromRLP, type HeaderData } from "@ethereumjs/block";
import { bytesToBigInt, createAddressFromBigInt, KECCAK256_RLP_ARRAY } from "@ethereumjs/util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VerifierError } from "../../../../src/verifier/errors.js";
import {
  blobBaseFee,
  checkHeader,
  decodeHeader,
  EMPTY_OMMERS_HASH,
  encodeHeader,
  type Header,
  headerHash,
  nextBaseFee,
  nextExcessBlobGas,
} from "../../../../src/verifier/ethereum/header.js";
import { encodeRlp } from "../../../../src/verifier/ethereum/rlp.js";
import { EMPTY_TRIE_ROOT } from "../../../../src/verifier/ethereum/trie.js";
import { uintToBytes } from "../../../../src/verifier/ethereum/words.js";
import { bytes, COMMON, expectError, mutated, uint } from "./support.js";

const PARENT: Header = {
  parentHash: 1n,
  ommersHash: EMPTY_OMMERS_HASH,
  beneficiary: 0xc0n,
  stateRoot: 2n,
  transactionsRoot: EMPTY_TRIE_ROOT,
  receiptsRoot: EMPTY_TRIE_ROOT,
  logsBloom: new Uint8Array(256),
  difficulty: 0n,
  number: 41n,
  gasLimit: 30_000_000n,
  gasUsed: 20_000_000n,
  timestamp: 1000n,
  extraData: new Uint8Array(32),
  prevRandao: 3n,
  nonce: 0n,
  baseFeePerGas: 1_000_000_000n,
  withdrawalsRoot: EMPTY_TRIE_ROOT,
  blobGasUsed: 393_216n,
  excessBlobGas: 131_072n,
  parentBeaconBlockRoot: 0n,
};

/** A header that may follow `parent`. */
const following = (parent: Header, changes: Partial<Header> = {}): Header => ({
  ...PARENT,
  parentHash: headerHash(parent),
  number: parent.number + 1n,
  timestamp: parent.timestamp + 12n,
  gasLimit: parent.gasLimit,
  gasUsed: 0n,
  baseFeePerGas: nextBaseFee(parent),
  blobGasUsed: 0n,
  excessBlobGas: nextExcessBlobGas(parent),
  ...changes,
});

const word = (value: bigint) => uintToBytes(value, 32);

/** The same header as the reference's. */
function reference(header: Header): BlockHeader {
  const data: HeaderData = {
    parentHash: word(header.parentHash),
    uncleHash: word(header.ommersHash),
    coinbase: createAddressFromBigInt(header.beneficiary),
    stateRoot: word(header.stateRoot),
    transactionsTrie: word(header.transactionsRoot),
    receiptTrie: word(header.receiptsRoot),
    logsBloom: header.logsBloom,
    difficulty: header.difficulty,
    number: header.number,
    gasLimit: header.gasLimit,
    gasUsed: header.gasUsed,
    timestamp: header.timestamp,
    extraData: header.extraData,
    mixHash: word(header.prevRandao),
    nonce: uintToBytes(header.nonce, 8),
    baseFeePerGas: header.baseFeePerGas,
    withdrawalsRoot: word(header.withdrawalsRoot),
    blobGasUsed: header.blobGasUsed,
    excessBlobGas: header.excessBlobGas,
    parentBeaconBlockRoot: word(header.parentBeaconBlockRoot),
  };
  return createBlockHeader(data, { common: COMMON, skipConsensusFormatValidation: true });
}

const anyHeader: fc.Arbitrary<Header> = fc
  .record({
    parentHash: uint(256),
    ommersHash: uint(256),
    beneficiary: uint(160),
    stateRoot: uint(256),
    transactionsRoot: uint(256),
    receiptsRoot: uint(256),
    logsBloom: fc.uint8Array({ minLength: 256, maxLength: 256 }),
    difficulty: uint(256),
    number: uint(64),
    gas: fc.tuple(uint(64), uint(64)),
    timestamp: uint(64),
    extraData: bytes(),
    prevRandao: uint(256),
    nonce: uint(64),
    baseFeePerGas: uint(256),
    withdrawalsRoot: uint(256),
    blobGasUsed: uint(64),
    excessBlobGas: uint(64),
    parentBeaconBlockRoot: uint(256),
  })
  .map(({ gas: [a, b], ...rest }) => ({ ...rest, gasLimit: a > b ? a : b, gasUsed: a > b ? b : a }));

describe("encoding", () => {
  it("is the reference's, as is the hash, and decodes to the same header", () => {
    fc.assert(
      fc.property(anyHeader, (header) => {
        const expected = reference(header);
        const encoded = encodeHeader(header);
        expect(encoded).toEqual(expected.serialize());
        expect(decodeHeader(encoded)).toEqual(header);
        expect(headerHash(header)).toBe(bytesToBigInt(expected.hash()));
      }),
    );
  });

  it("is copied: the caller may reuse the buffer", () => {
    const buffer = Buffer.from(encodeHeader(PARENT));
    const header = decodeHeader(buffer);
    buffer.fill(0xff);
    expect(header).toEqual(PARENT);
  });

  it("has 20 fields", () => {
    const items = [...Array(21).keys()].map((i) => word(BigInt(i)));
    for (const count of [0, 15, 16, 17, 19, 21]) {
      expectError(() => decodeHeader(encodeRlp(items.slice(0, count)), "h"), "HEADER_MALFORMED", "h");
    }
    expectError(() => decodeHeader(new Uint8Array(), "h"), "HEADER_MALFORMED", "h");
    expectError(() => decodeHeader(Uint8Array.of(0x80), "h"), "HEADER_MALFORMED", "h");
    expectError(() => decodeHeader(Uint8Array.from([...encodeHeader(PARENT), 0]), "h"), "HEADER_MALFORMED", "h");
  });

  it("every field has its own length or range", () => {
    const names = Object.keys(PARENT) as (keyof Header)[];
    const raw = reference(PARENT).raw() as Uint8Array[];
    const widths: Partial<Record<keyof Header, number>> = { difficulty: 256, baseFeePerGas: 256 };
    for (const name of ["number", "gasLimit", "gasUsed", "timestamp", "blobGasUsed", "excessBlobGas"] as const) {
      widths[name] = 64;
    }
    expect(names.length).toBe(20);
    for (const [i, name] of names.entries()) {
      const read = (value: Uint8Array | bigint | []) => () =>
        decodeHeader(encodeRlp(raw.map((item, j) => (i === j ? value : item))), "h");
      const bits = widths[name];
      expectError(read([]), "HEADER_MALFORMED", `h.${name}`);
      if (bits !== undefined) {
        expect(read((1n << BigInt(bits)) - 1n)()[name]).toBe((1n << BigInt(bits)) - 1n);
        expectError(read(1n << BigInt(bits)), "HEADER_MALFORMED", `h.${name}`);
        expectError(read(Uint8Array.of(0)), "HEADER_MALFORMED", `h.${name}`);
      } else if (name !== "extraData") {
        expectError(read(raw[i]!.subarray(1)), "HEADER_MALFORMED", `h.${name}`);
        expectError(read(Uint8Array.from([...raw[i]!, 1])), "HEADER_MALFORMED", `h.${name}`);
        expectError(read(new Uint8Array()), "HEADER_MALFORMED", `h.${name}`);
      }
    }
  });

  it("any bytes: only VerifierError escapes, and the reference accepts all that we accept", () => {
    const input = fc.oneof(fc.uint8Array({ maxLength: 40 }), mutated(encodeHeader(PARENT)));
    fc.assert(
      fc.property(input, (encoded) => {
        let header: Header;
        try {
          header = decodeHeader(encoded);
        } catch (error) {
          expect(error, String((error as Error)?.stack)).toBeInstanceOf(VerifierError);
          expect((error as VerifierError).code).toBe("HEADER_MALFORMED");
          return;
        }
        expect(encodeHeader(header)).toEqual(encoded);
        const parsed = () => createBlockHeaderFromRLP(encoded, { common: COMMON, skipConsensusFormatValidation: true });
        if (header.gasUsed <= header.gasLimit) expect(parsed().serialize()).toEqual(encoded);
        for (const parent of [undefined, PARENT]) {
          try {
            checkHeader(header, parent);
          } catch (error) {
            expect(error, String((error as Error)?.stack)).toBeInstanceOf(VerifierError);
            expect((error as VerifierError).code).toMatch(/^HEADER_(INVALID|UNSUPPORTED)$/);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what follows from the parent", () => {
  const gas = fc.tuple(fc.bigInt(5000n, 2n ** 40n), fc.integer({ min: 0, max: 8 })).chain(([gasLimit, eighth]) =>
    fc.record({
      gasLimit: fc.constant(gasLimit),
      gasUsed: fc.oneof(
        fc.constantFrom((gasLimit * BigInt(eighth)) / 8n, gasLimit / 2n - 1n, gasLimit / 2n + 1n),
        fc.bigInt(0n, gasLimit),
      ),
    }),
  );

  it("the base fee is the reference's", () => {
    fc.assert(
      fc.property(gas, uint(200), (used, baseFeePerGas) => {
        const parent = { ...PARENT, ...used, baseFeePerGas };
        expect(nextBaseFee(parent)).toBe(reference(parent).calcNextBaseFee());
      }),
    );
  });

  it("the excess of blob gas is the reference's", () => {
    const blobs = fc.integer({ min: 0, max: 6 }).map((count) => BigInt(count) * 131_072n);
    fc.assert(
      fc.property(fc.oneof(blobs, uint(40)), blobs, (excessBlobGas, blobGasUsed) => {
        const parent = { ...PARENT, excessBlobGas, blobGasUsed };
        const expected = reference(parent);
        expect(nextExcessBlobGas(parent)).toBe(expected.calcNextExcessBlobGas(expected.common));
      }),
    );
    expect(nextExcessBlobGas({ excessBlobGas: 0n, blobGasUsed: 393_215n })).toBe(0n);
    expect(nextExcessBlobGas({ excessBlobGas: 1n, blobGasUsed: 393_216n })).toBe(1n);
  });

  it("the price of blob gas is the reference's", () => {
    const excess = fc.oneof(fc.constantFrom(0n, 1n, 2n ** 29n, 2_314_057n, 2_314_058n), fc.bigInt(0n, 2n ** 29n));
    fc.assert(
      fc.property(excess, (excessBlobGas) => {
        expect(blobBaseFee(excessBlobGas)).toBe(reference({ ...PARENT, excessBlobGas }).getBlobGasPrice());
      }),
    );
    expect(blobBaseFee(2_314_057n)).toBe(1n);
    expect(blobBaseFee(2_314_058n)).toBe(2n);
    expect(blobBaseFee(2n ** 29n) < 2n ** 233n).toBe(true);
  });
});

describe("rules", () => {
  const check = (changes: Partial<Header>, parent: Header | undefined = PARENT) => {
    checkHeader(following(PARENT, changes), parent, "h");
  };
  const passes = (changes: Partial<Header>, parent?: Header) => expect(() => check(changes, parent)).not.toThrow();

  it("a header after its parent passes, with the parent and without", () => {
    passes({});
    checkHeader(following(PARENT));
    const grandchild = following(following(PARENT));
    expect(() => checkHeader(grandchild, following(PARENT))).not.toThrow();
    expect(EMPTY_OMMERS_HASH).toBe(bytesToBigInt(KECCAK256_RLP_ARRAY));
  });

  it.each<[keyof Header, bigint]>([
    ["ommersHash", 0n],
    ["difficulty", 1n],
    ["nonce", 1n],
    ["number", 0n],
    ["number", 41n],
    ["number", 43n],
    ["gasUsed", 30_000_001n],
    ["timestamp", 1000n],
    ["timestamp", 999n],
    ["parentHash", 0n],
    ["baseFeePerGas", 1_000_000_000n],
    ["baseFeePerGas", 0n],
    ["excessBlobGas", 0n],
    ["excessBlobGas", 131_073n],
  ])("%s can't be %i", (field, value) => {
    expectError(() => check({ [field]: value }), "HEADER_INVALID", `h.${field}`);
  });

  it("the genesis block is never verified, with or without a parent", () => {
    expectError(() => checkHeader(following(PARENT, { number: 0n }), undefined, "h"), "HEADER_INVALID", "h.number");
  });

  it("extra data of at most 32 bytes", () => {
    passes({ extraData: new Uint8Array(32) });
    expectError(() => check({ extraData: new Uint8Array(33) }), "HEADER_INVALID", "h.extraData");
  });

  it("the gas limit's bounds are the reference's", () => {
    for (const parentLimit of [0n, 1n, 1023n, 4999n, 5000n, 5001n, 5119n, 5120n, 30_000_000n, 2n ** 63n - 1n]) {
      const parent = { ...PARENT, gasLimit: parentLimit, gasUsed: 0n };
      const bound = parentLimit / 1024n;
      const limits = [0n, 4998n, 4999n, 5000n, 5001n, parentLimit, parentLimit + 1n, parentLimit - 1n];
      limits.push(parentLimit + bound, parentLimit + bound - 1n, parentLimit - bound, parentLimit - bound + 1n);
      for (const gasLimit of limits.filter((limit) => limit >= 0n)) {
        const header: Header = {
          ...following(PARENT, { gasLimit }),
          parentHash: headerHash(parent),
          baseFeePerGas: parentLimit < 2n ? 0n : nextBaseFee(parent),
        };
        let expected = gasLimit <= 2n ** 63n - 1n;
        try {
          reference(header).validateGasLimit(reference(parent));
        } catch {
          expected = false;
        }
        const at = `parent ${parentLimit}, header ${gasLimit}`;
        if (expected) expect(() => checkHeader(header, parent, "h"), at).not.toThrow();
        else expectError(() => checkHeader(header, parent, "h"), "HEADER_INVALID", "h.gasLimit");
      }
    }
    expectError(
      () => checkHeader(following(PARENT, { gasLimit: 2n ** 63n }), undefined, "h"),
      "HEADER_INVALID",
      "h.gasLimit",
    );
    expect(() => checkHeader(following(PARENT, { gasLimit: 2n ** 63n - 1n }))).not.toThrow();
  });

  it("what only this verifier refuses", () => {
    expectError(() => check({ withdrawalsRoot: 5n }), "HEADER_UNSUPPORTED", "h.withdrawalsRoot");
    expectError(() => check({ blobGasUsed: 131_072n }), "HEADER_UNSUPPORTED", "h.blobGasUsed");
    expectError(() => check({ excessBlobGas: 2n ** 29n + 1n }), "HEADER_UNSUPPORTED", "h.excessBlobGas");
    expect(() => checkHeader(following(PARENT, { excessBlobGas: 2n ** 29n }))).not.toThrow();
  });

  it("any beacon root is a matter of the block", () => passes({ parentBeaconBlockRoot: 2n ** 256n - 1n }));

  it("without the parent, what depends on it is left alone", () => {
    const changes = {
      parentHash: 0n,
      number: 1n,
      timestamp: 0n,
      baseFeePerGas: 1n,
      excessBlobGas: 0n,
      gasLimit: 5000n,
    };
    expect(() => checkHeader(following(PARENT, changes))).not.toThrow();
  });
});
