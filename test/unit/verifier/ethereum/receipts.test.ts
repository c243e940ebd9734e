import { Bloom, encodeReceipt as encodeReferenceReceipt } from "@ethereumjs/vm";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  blockBloom,
  encodeReceipt,
  type Log,
  logsBloom,
  type Receipt,
  receiptOf,
} from "../../../../src/verifier/ethereum/receipts.js";
import { uintToBytes } from "../../../../src/verifier/ethereum/words.js";
import { bytes, uint } from "./support.js";

const log: fc.Arbitrary<Log> = fc.record({
  address: uint(160),
  topics: fc.array(uint(256), { maxLength: 4 }),
  data: bytes(),
});
const receipt: fc.Arbitrary<Receipt> = fc
  .record({
    type: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
    status: fc.constantFrom<0 | 1>(0, 1),
    cumulativeGasUsed: fc.bigInt(1n, 2n ** 40n),
    logs: fc.array(log, { maxLength: 4 }),
  })
  .map(receiptOf);

function referenceBloom(logs: readonly Log[]): Uint8Array {
  const bloom = new Bloom();
  for (const { address, topics } of logs) {
    bloom.add(uintToBytes(address, 20));
    for (const topic of topics) bloom.add(uintToBytes(topic, 32));
  }
  return bloom.bitvector;
}

it("receipts are encoded as by the reference", () => {
  fc.assert(
    fc.property(receipt, (value) => {
      const { type, status, cumulativeGasUsed, logs } = value;
      const reference = encodeReferenceReceipt(
        {
          status,
          cumulativeBlockGasUsed: cumulativeGasUsed,
          bitvector: referenceBloom(logs),
          logs: logs.map(({ address, topics, data }) => [
            uintToBytes(address, 20),
            topics.map((topic) => uintToBytes(topic, 32)),
            data,
          ]),
        } as never,
        type,
      );
      expect(encodeReceipt(value)).toEqual(reference);
    }),
  );
});

it("blooms are the reference's", () => {
  fc.assert(
    fc.property(fc.array(receipt, { maxLength: 4 }), (receipts) => {
      for (const { logs, logsBloom: own } of receipts) {
        expect(own).toEqual(referenceBloom(logs));
        expect(logsBloom(logs)).toEqual(own);
      }
      expect(blockBloom(receipts)).toEqual(referenceBloom(receipts.flatMap(({ logs }) => logs)));
    }),
  );
  expect(blockBloom([])).toEqual(new Uint8Array(256));
});
