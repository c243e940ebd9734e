import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { BlockFault } from "../../../../src/verifier/block.js";
import { boundaryMessages, outlineBoundary } from "../../../../src/verifier/boundary.js";
import { fieldsOf, type Message } from "../../../../src/verifier/bus.js";
import type { BlockClaims, EndClaim } from "../../../../src/verifier/claims.js";
import type { BlockProof } from "../../../../src/verifier/encoding.js";
import { Code } from "../../../../src/verifier/ethereum/code.js";
import { logsBloom } from "../../../../src/verifier/ethereum/receipts.js";
import {
  bytesToUint,
  EMPTY_CODE_HASH,
  keccak,
  uintToBytes,
  wordHalves,
} from "../../../../src/verifier/ethereum/words.js";
import type { TagName } from "../../../../src/verifier/tags.generated.js";
import {
  ALICE,
  altered,
  BOB,
  buildBlock,
  CHAIN_ID,
  ETHER,
  endOf,
  expectFaults,
  hexAddress,
  MemoryState,
  NO_LOOKUPS,
  type TestBlock,
  transfer,
  verdictOn,
  withForgedChunks,
} from "./support.js";

type Mutable<T> = T extends Uint8Array ? T : { -readonly [K in keyof T]: Mutable<T[K]> };
type Claims = Mutable<BlockClaims>;

const CONTRACT = 0xc0de_0000_0000_0000_0000_0000_0000_0000_0001n;
const LIBRARY = 0x11b0_0000_0000_0000_0000_0000_0000_0000_0002n;
const NOBODY = 0xdead_beefn << 64n;
const LIBRARY_CODE = Uint8Array.from({ length: 40 }, (_, i) => i);
const bytesOf = (address: bigint) => [...uintToBytes(address, 20)];

/** Rows begin with clk 3, one for each line. */
const STEPS = [
  ...[[0x60, 42], [0x5f], [0x52]], // MSTORE of 42
  ...[[0x60, 33], [0x5f], [0x20]], // KECCAK256 of 33 bytes: clk 8
  ...[[0x60, 0x11], [0x60, 40], [0x5f], [0xa2]], // LOG2 of 40 bytes: clk 12
  ...[[0x60, 7], [0x60, 1], [0x5d]], // TSTORE of 7 in slot 1: clk 15
  ...[[0x73, ...bytesOf(BOB.address)], [0x31]], // BALANCE: clk 17
  ...[[0x33], [0x3b]], // EXTCODESIZE of the sender: clk 19
  ...[[0x73, ...bytesOf(LIBRARY)], [0x3b]], // EXTCODESIZE: clk 21
  ...[[0x73, ...bytesOf(NOBODY)], [0x3f]], // EXTCODEHASH: clk 23
  ...[[0x60, 1], [0x40]], // BLOCKHASH of block 1: clk 25
  ...[[0x60, 3], [0x40]], // of block 3, the parent: clk 27
  ...[[0x60, 2], [0x31]], // BALANCE of a precompile: clk 29
  ...[[0x5f], [0x5f], [0xa0]], // LOG0 of nothing: clk 32
  ...[[0x38], [0x3d], [0x5f], [0x35]], // CODESIZE RETURNDATASIZE CALLDATALOAD
  [0x00],
];
const CODE = Uint8Array.from(STEPS.flat());
const END = 3n + BigInt(STEPS.length) - 1n;
const CALLDATA = Uint8Array.from({ length: 41 }, (_, i) => i + 1);
const HASHED = Uint8Array.from({ length: 33 }, (_, i) => (i === 31 ? 42 : 0));
const LOGGED = Uint8Array.from({ length: 40 }, (_, i) => (i === 31 ? 42 : 0));

const GENESIS = [
  { address: hexAddress(ALICE.address), balance: 10n * ETHER },
  { address: hexAddress(BOB.address), balance: ETHER },
  { address: hexAddress(CONTRACT), nonce: 1n, code: CODE },
  { address: hexAddress(LIBRARY), nonce: 1n, code: LIBRARY_CODE },
];

const HASHES = [keccak(CODE), keccak(LIBRARY_CODE)].sort((a, b) => (a < b ? -1 : 1));
const [OWN, FOREIGN] = [keccak(CODE), keccak(LIBRARY_CODE)].map((hash) => BigInt(HASHES.indexOf(hash))) as [
  bigint,
  bigint,
];
const ascending = <T>(items: T[], key: (item: T) => bigint) => items.sort((a, b) => (key(a) < key(b) ? -1 : 1));

const LOOKUPS: BlockClaims["lookups"] = {
  ...NO_LOOKUPS,
  ctx: [0x38n, 0x3dn].map((field) => ({ ctx: 2n, field, multiplicity: 1n })),
  range: [{ bits: 8n, value: 255n, multiplicity: 3n }],
  calldata: [0n, 40n].map((offset) => ({ ctx: 2n, offset, multiplicity: 1n })),
  codeword: [
    { code: FOREIGN, offset: 1n, multiplicity: 2n },
    { code: FOREIGN, offset: 39n, multiplicity: 1n },
  ],
  codeid: ascending(
    [
      { hash: EMPTY_CODE_HASH, multiplicity: 1n },
      { hash: keccak(LIBRARY_CODE), multiplicity: 2n },
    ],
    ({ hash }) => hash,
  ),
  pow2: [0n, 255n].map((s) => ({ s, multiplicity: 1n })),
  and: [{ a: 0xf0n, b: 0x3cn, multiplicity: 32n }],
  blockhash: [1n, 3n].map((n) => ({ n, multiplicity: 1n })),
};

const LOGS: EndClaim["logs"]["entries"] = [
  { clk: 12n, address: CONTRACT, topics: [0x11n, keccak(HASHED)], data: LOGGED },
  { clk: 32n, address: CONTRACT, topics: [], data: new Uint8Array() },
];

let block: TestBlock;
beforeAll(async () => {
  const at = (clk: bigint) => 16n * clk + 3n;
  block = await buildBlock({
    genesis: GENESIS,
    before: 3,
    precompiles: [2n],
    transactions: [
      transfer(ALICE, CONTRACT, 0n, { gasLimit: 60_000n, data: CALLDATA }),
      transfer(ALICE, BOB.address, 1n, { nonce: 1n }),
    ],
    execute: (_, __, gas) => ({
      end: endOf(
        {
          t: 19n,
          journal: { j: 8n, t: at(32n) },
          logs: { t: at(32n), entries: LOGS },
          keccaks: [{ clk: 8n, data: HASHED }],
        },
        { clk: END, gas },
      ),
      transients: [{ slot: 1n, value: 7n, t: at(15n) }],
      looked: [
        { cell: "account", address: BOB.address, t: at(17n) },
        { cell: "balance", address: BOB.address, t: at(17n) },
        { cell: "account", address: ALICE.address, t: at(19n) },
        { cell: "account", address: LIBRARY, t: at(21n) },
        { cell: "account", address: NOBODY, t: at(23n) },
        { cell: "balance", address: NOBODY, t: at(23n) },
        { cell: "nonce", address: NOBODY, t: at(23n) },
        { cell: "account", address: 2n, t: at(29n) },
        { cell: "balance", address: 2n, t: at(29n) },
      ],
    }),
    lookups: LOOKUPS,
  });
});

const boundaryOf = (claims: BlockClaims, { header, transactions, touched } = block) =>
  boundaryMessages({ chainId: CHAIN_ID, header, transactions, claims, state: touched });
const change = (edit: (claims: Claims) => void): BlockProof =>
  altered(block.proof as Mutable<BlockProof>, ({ claims }) => edit(claims)) as BlockProof;

describe("a block that hashes, logs, and looks at accounts, codes and blocks", () => {
  it("is accepted, with the logs and blooms that the EVM found", async () => {
    const verdict = await verdictOn(block, withForgedChunks(block, [{ layout: 0, d: 5n }]));
    expect(verdict.faults).toEqual([]);
    if (!verdict.valid) throw new Error("not valid");
    const logs = LOGS.map(({ address, topics, data }) => ({ address, topics, data }));
    expect(verdict.receipts.map((receipt) => receipt.logs)).toEqual([logs, []]);
    expect(verdict.receipts.map((receipt) => receipt.logsBloom)).toEqual([logsBloom(logs), new Uint8Array(256)]);
    expect(block.header.logsBloom).toEqual(logsBloom(logs));
    // what was looked at is as before
    expect(verdict.stateDiff.accounts.map(({ address }) => address)).not.toContain(NOBODY);
    expect(verdict.stateDiff.slots).toEqual([]);
  });

  it("has the messages that the protocol says", () => {
    const { value } = boundaryOf(block.proof.claims);
    const shown = (...tags: TagName[]) =>
      value!.messages
        .filter(({ tag }) => tags.includes(tag))
        .map((m) => [m.tag, m.multiplicity, ...Object.values(fieldsOf(m))]);
    const [hashHi, hashLo] = wordHalves(keccak(HASHED));
    // fields in the order of the registry
    expect(shown("CLAIM", "CLAIMWORD")).toEqual([
      ["CLAIM", 1n, 128n, 33n, hashHi, hashLo, 1n],
      ["CLAIMWORD", 1n, 128n, 0n, 0n, 42n, 1n],
      ["CLAIMWORD", 1n, 128n, 1n, 0n, 0n, 1n],
    ]);
    const none = [0n, 0n, 0n, 0n];
    expect(shown("LOGS", "LOG", "LOGDATA")).toEqual([
      ["LOGS", 1n, 19n, 1n, 0n],
      ["LOGS", -1n, 515n, 1n, 2n],
      ["LOG", -1n, 194n, 1n, 2n, 0n, 40n, 0n, 0x11n, hashHi, hashLo, CONTRACT, ...none],
      ["LOGDATA", -1n, 192n, 0n, 0n, 42n],
      ["LOGDATA", -1n, 192n, 1n, 0n, 0n],
      ["LOG", -1n, 514n, 1n, 0n, 1n, 0n, ...none, CONTRACT, ...none],
    ]);
    expect(shown("TRANSIENT")).toEqual([
      ["TRANSIENT", 1n, 0n, 0n, 1n, 0n, CONTRACT, 0n, 0n],
      ["TRANSIENT", -1n, 243n, 0n, 1n, 1n, CONTRACT, 0n, 7n],
    ]);
    const word = (bytes: Uint8Array, from: number) => {
      const padded = new Uint8Array(32);
      padded.set(bytes.subarray(from, from + 32));
      return wordHalves(bytesToUint(padded));
    };
    expect(shown("CODEWORD", "CODEID", "CTX", "BLOCKHASH", "RANGE_8", "CALLDATA", "POW2", "AND", "OPCODE")).toEqual([
      ["CODEWORD", -2n, FOREIGN, 1n, ...word(LIBRARY_CODE, 1)],
      ["CODEWORD", -1n, FOREIGN, 39n, 39n << 120n, 0n],
      ...LOOKUPS.codeid.map(({ hash, multiplicity }) =>
        hash === EMPTY_CODE_HASH
          ? ["CODEID", -multiplicity, 65_536n, 0n, ...wordHalves(hash)]
          : ["CODEID", -multiplicity, FOREIGN, 40n, ...wordHalves(hash)],
      ),
      ["CTX", -1n, 2n, 0n, BigInt(CODE.length), 0x38n],
      ["BLOCKHASH", -1n, 1n, ...wordHalves(block.state.hashes.get(1n)!)],
      ["BLOCKHASH", -1n, 3n, ...wordHalves(block.header.parentHash)],
      ["CTX", -1n, 2n, 0n, 0n, 0x3dn],
      ["RANGE_8", -3n, 255n],
      ["CALLDATA", -1n, 2n, 0n, ...word(CALLDATA, 0)],
      ["CALLDATA", -1n, 2n, 40n, 41n << 120n, 0n],
      ["POW2", -1n, 0n, 0n, 1n],
      ["POW2", -1n, 255n, 1n << 127n, 0n],
      ["AND", -32n, 0xf0n, 0x3cn, 0x30n],
    ]);
    expect(value!.codes).toEqual(HASHES);
    const state = value!.messages.find(({ tag }) => tag === "STATE")!;
    expect(fieldsOf(state).code).toBe(OWN);
    // the precompile is warm from the beginning of every transaction
    const warmed = value!.messages.filter(({ tag, coordinates }) => tag === "ACCOUNT" && coordinates[10] === 2n);
    expect(warmed.map((m) => [m.multiplicity, fieldsOf(m).t, fieldsOf(m).lastTx])).toEqual([
      [1n, 0n, 0n],
      [-1n, 16n * (END + 2n) + 1n, 2n],
      [-1n, 0n, 0n],
      [1n, 17n, 1n],
      [-1n, 467n, 1n],
      [1n, 16n * (END + 2n) + 1n, 2n],
    ]);
  });

  it("whatever is changed in its claims shows on the bus, if it is not refused at once", () => {
    const net = (messages: readonly Message[]) => {
      const sums = new Map<string, bigint>();
      for (const { tag, multiplicity, coordinates } of messages) {
        const key = `${tag} ${coordinates.join()}`;
        const sum = (sums.get(key) ?? 0n) + multiplicity;
        if (sum === 0n) sums.delete(key);
        else sums.set(key, sum);
      }
      return [...sums].map(([key, sum]) => `${key} ${sum}`).sort();
    };
    const honest = net(boundaryOf(block.proof.claims).value!.messages);
    /** Everything that can be set, but for the commitment, which is no message. */
    const places: [holder: Record<string, unknown>, name: string][] = [];
    const visit = (value: unknown) => {
      if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
      for (const [name, inner] of Object.entries(value)) {
        if (name === "preState") continue;
        places.push([value as Record<string, unknown>, name]);
        visit(inner);
      }
    };
    const own = structuredClone(block.proof.claims);
    visit(own);
    const codes = new Set<string>();
    let onTheBus = 0;
    const seed = fc.record({
      place: fc.nat(places.length - 1),
      by: fc.constantFrom(1n, -1n, 16n, 1n << 64n),
      byte: fc.nat(1000),
      way: fc.nat(2),
    });
    fc.assert(
      fc.property(seed, ({ place, by, byte, way }) => {
        const [holder, name] = places[place]!;
        const before = holder[name];
        let after: unknown;
        if (typeof before === "bigint") after = before + by;
        else if (before instanceof Uint8Array) {
          if (way === 0) after = Uint8Array.of(...before, 0);
          else if (before.length === 0) return;
          else after = way === 1 ? before.slice(1) : before.with(byte % before.length, byte % 256);
        } else if (Array.isArray(before)) {
          if (before.length === 0) return;
          const i = byte % before.length;
          after = way === 0 ? before.toSpliced(i, 1) : way === 1 ? [...before, before[i]] : before.toReversed();
        } else return;
        holder[name] = after;
        try {
          const { value, faults } = boundaryOf(own);
          for (const { code } of faults) codes.add(code);
          const same = JSON.stringify(after, (_, x) => (typeof x === "bigint" ? `${x}` : x));
          if (value === undefined || same === JSON.stringify(before, (_, x) => (typeof x === "bigint" ? `${x}` : x))) {
            return;
          }
          onTheBus++;
          expect(net(value.messages)).not.toEqual(honest);
        } finally {
          holder[name] = before;
        }
      }),
      { numRuns: 600 },
    );
    expect(onTheBus).toBeGreaterThan(100);
    for (const code of ["CLAIM_ORDER", "CLAIM_TIME", "CLAIM_COVER", "CLAIM_LOOKUP"]) expect(codes).toContain(code);
  });
});

describe("what is claimed of executions", () => {
  const where = "claims.transactions[0].end";
  type Expected = readonly (readonly [BlockFault["code"], string])[];
  const end = (edit: (end: Mutable<EndClaim>) => void) => (claims: Claims) => edit(claims.transactions[0]!.end!);
  const lookup = (edit: (lookups: Claims["lookups"]) => void) => (claims: Claims) => edit(claims.lookups);
  const none = new Uint8Array();
  const cases: Record<string, [(claims: Claims) => void, Expected]> = {
    "a hash at BEGIN": [end(({ keccaks }) => (keccaks[0]!.clk = 2n)), [["CLAIM_TIME", `${where}.keccaks[0].clk`]]],
    "a hash at the row that ends the frame": [
      end(({ keccaks }) => (keccaks[0]!.clk = END)),
      [["CLAIM_TIME", `${where}.keccaks[0].clk`]],
    ],
    "a hash in the next transaction": [
      end(({ keccaks }) => keccaks.push({ clk: END + 4n, data: none })),
      [["CLAIM_TIME", `${where}.keccaks[1].clk`]],
    ],
    "two hashes at one clk": [
      end(({ keccaks }) => keccaks.push({ clk: 8n, data: none })),
      [["CLAIM_ORDER", `${where}.keccaks[1]`]],
    ],
    "more bytes to hash than the gas pays for": [
      end(({ keccaks }) => (keccaks[0]!.data = new Uint8Array(2 ** 16))),
      [["CLAIM_SIZE", `${where}.keccaks`]],
    ],
    "more hashes than the gas pays for": [
      end((e) => (e.keccaks = Array.from({ length: 1000 }, (_, i) => ({ clk: BigInt(i), data: none })))),
      [["CLAIM_SIZE", `${where}.keccaks`]],
    ],
    "a log at BEGIN": [
      end(({ logs }) => (logs.entries[0]!.clk = 1n)),
      [["CLAIM_TIME", `${where}.logs.entries[0].clk`]],
    ],
    "a log of the next transaction": [
      end(({ logs }) => (logs.entries[1]!.clk = END + 3n)),
      [["CLAIM_TIME", `${where}.logs.entries[1].clk`]],
    ],
    "a log twice": [
      end(({ logs }) => logs.entries.push({ ...logs.entries[1]! })),
      [["CLAIM_ORDER", `${where}.logs.entries[2]`]],
    ],
    "logs in another order": [end(({ logs }) => logs.entries.reverse()), [["CLAIM_ORDER", `${where}.logs.entries[1]`]]],
    "a log of five topics": [
      end(({ logs }) => (logs.entries[1]!.topics = [1n, 2n, 3n, 4n, 5n])),
      [["CLAIM_RANGE", `${where}.logs.entries[1].topics`]],
    ],
    "a topic of 2^256": [
      end(({ logs }) => (logs.entries[0]!.topics[0] = 1n << 256n)),
      [["CLAIM_RANGE", `${where}.logs.entries[0].topics[0]`]],
    ],
    "more log data than the gas pays for": [
      end(({ logs }) => (logs.entries[0]!.data = new Uint8Array(5000))),
      [["CLAIM_SIZE", `${where}.logs.entries`]],
    ],
    "logs of a failed execution": [end((e) => (e.status = 0n)), [["CLAIM_END", `${where}.logs.entries`]]],
    "a number of logs from the future": [
      end(({ logs }) => (logs.t = 16n * (END + 1n))),
      [["CLAIM_TIME", `${where}.logs.t`]],
    ],
    "a log that wasn't made, by the receipts": [
      end(({ logs }) => (logs.entries[1]!.address = LIBRARY)),
      [
        ["HEADER_MISMATCH", "header.receiptsRoot"],
        ["HEADER_MISMATCH", "header.logsBloom"],
      ],
    ],
    "a log left out, by the receipts": [
      end(({ logs }) => logs.entries.pop()),
      [["HEADER_MISMATCH", "header.receiptsRoot"]],
    ],
    "other bytes to hash, by the bus": [end(({ keccaks }) => keccaks[0]!.data.fill(1)), [["BUS_UNBALANCED", "bus"]]],
    "another clk of a log, by the bus": [end(({ logs }) => logs.entries[0]!.clk++), [["BUS_UNBALANCED", "bus"]]],

    "transient slots of an account whose code doesn't run": [
      ({ cells }) => (cells.transients[0]!.address = LIBRARY),
      [["CLAIM_COVER", "claims.cells.transients[0]"]],
    ],
    "a transient slot twice": [
      ({ cells }) => cells.transients.push({ ...cells.transients[0]! }),
      [["CLAIM_ORDER", "claims.cells.transients[1]"]],
    ],
    "more transient slots than the gas pays for": [
      ({ cells }) => {
        // 15,000 gas or so at 100 each
        cells.transients = Array.from({ length: 300 }, (_, i) => ({ ...cells.transients[0]!, slot: BigInt(i) }));
      },
      [["CLAIM_SIZE", "claims.cells.transients[PAID]"]],
    ],
    "more accounts than the gas pays for": [
      ({ cells }) => {
        const [account] = cells.accounts;
        const more = Array.from({ length: 9 }, (_, i) => ({ ...account!, address: (1n << 160n) - BigInt(i + 1) }));
        cells.accounts = ascending([...cells.accounts, ...more], ({ address }) => address);
      },
      [["CLAIM_SIZE", "claims.cells.accounts[ACCOUNTS]"]],
    ],
    "a balance of an account that isn't listed": [
      ({ cells }) => cells.balances.push({ address: (1n << 160n) - 1n, balance: 0n, t: 0n }),
      [["CLAIM_COVER", "claims.cells.balances[BALANCES]"]],
    ],
    "a nonce of an account that isn't listed": [
      ({ cells }) => cells.nonces.push({ address: (1n << 160n) - 1n, nonce: 0n, createdTx: 0n, t: 0n }),
      [["CLAIM_COVER", "claims.cells.nonces[NONCES]"]],
    ],
    "a precompile that isn't warmed": [
      ({ transactions: [, tx] }) => tx!.accounts.shift(),
      [["CLAIM_COVER", "claims.transactions[1].accounts"]],
    ],
    "a precompile warmed, but not among the cells": [
      ({ cells }) => cells.accounts.shift(),
      [
        ["CLAIM_COVER", "claims.transactions[0].accounts"],
        ["CLAIM_COVER", "claims.transactions[1].accounts"],
      ],
    ],

    "calldata at its end": [
      lookup(({ calldata }) => (calldata[1]!.offset = 41n)),
      [["CLAIM_LOOKUP", "claims.lookups.calldata[1]"]],
    ],
    "calldata of a frame that there isn't": [
      lookup(({ calldata }) => (calldata[1]!.ctx = 3n)),
      [["CLAIM_LOOKUP", "claims.lookups.calldata[1]"]],
    ],
    "calldata of a transaction without rows": [
      lookup(({ calldata }) => (calldata[1]!.ctx = END + 3n)),
      [["CLAIM_LOOKUP", "claims.lookups.calldata[1]"]],
    ],
    "code at its end": [
      lookup(({ codeword }) => (codeword[1]!.offset = 40n)),
      [["CLAIM_LOOKUP", "claims.lookups.codeword[1]"]],
    ],
    "words of a code that there isn't": [
      lookup(({ codeword }) => codeword.push({ code: 2n, offset: 0n, multiplicity: 1n })),
      [["CLAIM_LOOKUP", "claims.lookups.codeword[2]"]],
    ],
    "the size of a code that there isn't": [
      lookup(({ ctx }) => (ctx[0]!.ctx = 1n)),
      [["CLAIM_LOOKUP", "claims.lookups.ctx[0]"]],
    ],
    "the id of a code that no account has": [
      lookup(({ codeid }) => codeid.unshift({ hash: 1n, multiplicity: 1n })),
      [["CLAIM_LOOKUP", "claims.lookups.codeid[0]"]],
    ],
    "the id of one code twice": [
      lookup(({ codeid }) => codeid.push({ ...codeid[1]! })),
      [["CLAIM_ORDER", "claims.lookups.codeid[2]"]],
    ],
    "the id of a code that only a claim has": [
      ({ cells, lookups }) => {
        // the account's hash is another in the state
        const at = cells.accounts.findIndex(({ address }) => address === NOBODY);
        cells.accounts[at]!.codeHash = 5n;
        lookups.codeid.unshift({ hash: 5n, multiplicity: 1n });
      },
      [["CLAIM_CODE", "claims.cells.accounts[NOBODY].codeHash"]],
    ],
    "a power beyond 2^255": [lookup(({ pow2 }) => (pow2[1]!.s = 256n)), [["CLAIM_RANGE", "claims.lookups.pow2[1].s"]]],
    "what isn't a byte": [lookup(({ and }) => (and[0]!.a = 256n)), [["CLAIM_RANGE", "claims.lookups.and[0].a"]]],
    "256 as 8 bits": [lookup(({ range }) => (range[0]!.value = 256n)), [["CLAIM_LOOKUP", "claims.lookups.range[0]"]]],
    "the hash of this block": [
      lookup(({ blockhash }) => blockhash.push({ n: 4n, multiplicity: 1n })),
      [["CLAIM_LOOKUP", "claims.lookups.blockhash[2]"]],
    ],
    "opcodes, though nothing failed": [
      lookup(({ opcode }) => opcode.push({ class: 1n, n: 0n, multiplicity: 1n })),
      [["CLAIM_SIZE", "claims.lookups.opcode"]],
    ],
  };
  for (const [name, [edit, expected]] of Object.entries(cases)) {
    it(`refuses ${name}`, async () => {
      const { accounts, balances, nonces } = block.proof.claims.cells;
      const { end: own } = block.proof.claims.transactions[0]!;
      const spent = block.transactions[0]!.transaction.gasLimit - block.transactions[0]!.transaction.intrinsicGas;
      const executed = spent - own!.gas;
      // those that transactions touch come on top: sender, contract, coinbase, recipient and precompile
      const places: Record<string, bigint | number> = {
        PAID: executed / 100n,
        ACCOUNTS: 5n + executed / 2600n,
        BALANCES: balances.length,
        NONCES: nonces.length,
        NOBODY: accounts.findIndex(({ address }) => address === NOBODY),
      };
      const named = expected.map(
        ([code, path]) => [code, path.replace(/\[([A-Z]+)\]/, (_, place: string) => `[${places[place]}]`)] as const,
      );
      await expectFaults(block, change(edit), named);
    });
  }

  it("refuses more code than the circuits count, whoever asks for it", () => {
    const { header, transactions, proof, touched } = block;
    const faultsOf = (own: Uint8Array, foreign: Uint8Array) => {
      const codes = new Map([
        [keccak(CODE), new Code(own)],
        [keccak(LIBRARY_CODE), new Code(foreign)],
      ]);
      const state = { ...touched, codes };
      const { faults } = boundaryMessages({ chainId: CHAIN_ID, header, transactions, claims: proof.claims, state });
      return faults.map(({ code, where }) => `${code} ${where}`);
    };
    const [most, more] = [new Uint8Array(2 ** 16 - 1), new Uint8Array(2 ** 16)];
    const at = proof.claims.cells.accounts.findIndex(({ address }) => address === LIBRARY);
    expect(faultsOf(most, most)).toEqual([]);
    expect(faultsOf(more, most)).toEqual(["TX_RECIPIENT transactions[0].to"]);
    expect(faultsOf(most, more)).toEqual([`CLAIM_CODE claims.cells.accounts[${at}].codeHash`]);
  });

  it("takes each table to the bus that nobody has asked", async () => {
    const { lookups } = block.proof.claims;
    for (const table of ["calldata", "codeword", "codeid", "pow2", "and", "blockhash", "range"] as const) {
      const more = change(({ lookups: own }) => own[table][0]!.multiplicity++);
      await expectFaults(block, more, [["BUS_UNBALANCED", "bus"]]);
      for (const multiplicity of [0n, 1n << 32n, -1n]) {
        const odd = change(({ lookups: own }) => (own[table][0]!.multiplicity = multiplicity));
        await expectFaults(block, odd, [["CLAIM_RANGE", `claims.lookups.${table}[0].multiplicity`]]);
      }
      expect(lookups[table].length).toBeGreaterThan(0);
    }
  });
});

describe("hashes of older blocks", () => {
  it("are asked of the state; without them a block is not judged", async () => {
    const proof = withForgedChunks(block, [{ layout: 0, d: 5n }]);
    const { state } = block;
    const asked: bigint[] = [];
    const observed = Object.assign(new MemoryState(GENESIS), {
      blockHash: async (n: bigint) => {
        asked.push(n);
        return state.hashes.get(n);
      },
    });
    expect((await verdictOn(block, proof, { state: observed })).valid).toBe(true);
    // the parent's hash is in the header
    expect(asked).toEqual([1n]);
    const missing = [["BLOCK_ANCESTRY", "claims.lookups.blockhash[0]"]] as const;
    await expectFaults(block, proof, missing, { state: new MemoryState(GENESIS) });
    const without = Object.assign(new MemoryState(GENESIS), { blockHash: undefined });
    await expectFaults(block, proof, missing, { state: without as never });
  });

  it("change the challenges", async () => {
    const proof = withForgedChunks(block, [{ layout: 0, d: 5n }]);
    const other = Object.assign(new MemoryState(GENESIS), { blockHash: async () => 5n });
    await expectFaults(
      block,
      proof,
      [
        ["CHUNK_INVALID", "chunks[0]"],
        ["BUS_UNBALANCED", "bus"],
      ],
      { state: other },
    );
  });

  it("are refused if they cannot be hashes", async () => {
    for (const odd of [0n, -1n, 1n << 256n, "0x", null]) {
      const state = Object.assign(new MemoryState(GENESIS), { blockHash: async () => odd as never });
      await expect(verdictOn(block, block.proof, { state }), String(odd)).rejects.toMatchObject({
        code: "STATE_INVALID",
        where: "state: hash of block 1",
      });
    }
    const state = Object.assign(new MemoryState(GENESIS), { blockHash: 5 as never });
    await expect(verdictOn(block, block.proof, { state })).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
      where: "options.state.blockHash",
    });
  });

  it("are those of 256 blocks", () => {
    const { header, transactions, proof } = block;
    const faultsOf = (number: bigint, ...asked: bigint[]) => {
      const blockhash = asked.map((n) => ({ n, multiplicity: 1n }));
      const claims = { ...proof.claims, lookups: { ...proof.claims.lookups, blockhash } };
      const outline = outlineBoundary({ chainId: CHAIN_ID, header: { ...header, number }, transactions, claims });
      return outline.faults.map(({ where }) => where);
    };
    expect(faultsOf(1000n, 744n, 999n)).toEqual([]);
    expect(faultsOf(1000n, 743n, 744n)).toEqual(["claims.lookups.blockhash[0]"]);
    expect(faultsOf(1000n, 999n, 1000n)).toEqual(["claims.lookups.blockhash[1]"]);
    expect(faultsOf(256n, 0n, 255n)).toEqual([]);
    expect(faultsOf(257n, 0n)).toEqual(["claims.lookups.blockhash[0]"]);
  });
});

describe("an execution that halts", () => {
  const HALTING = CONTRACT + 7n;
  const gasLimit = 21_600n;
  let halted: TestBlock;
  beforeAll(async () => {
    // PUSH0 INVALID: rows at clk 3 and 4, two of the undo, the end of the frame at 7
    halted = await buildBlock({
      genesis: [GENESIS[0]!, { address: hexAddress(HALTING), nonce: 1n, code: Uint8Array.of(0x5f, 0xfe) }],
      transactions: [transfer(ALICE, HALTING, 5n, { gasLimit })],
      execute: (_, __, gas) => ({
        end: endOf({ t: 19n, status: 0n, journal: { j: 0n, t: 97n } }, { clk: 7n, gas }),
        undone: { recipient: 81n, sender: 97n },
      }),
      lookups: { ...NO_LOOKUPS, opcode: [{ class: 0xfen, n: 0n, multiplicity: 1n }] },
    });
  });

  it("is accepted: all gas is gone, and nothing else happened", async () => {
    expect(halted.proof.claims.transactions[0]!.end!.gas).toBe(0n);
    const verdict = await verdictOn(halted, withForgedChunks(halted, [{ layout: 1, d: 3n }]));
    expect(verdict.faults).toEqual([]);
    if (!verdict.valid) throw new Error("not valid");
    expect(verdict.receipts).toMatchObject([{ status: 0, cumulativeGasUsed: gasLimit, logs: [] }]);
    const after = halted.state.after(verdict.stateDiff);
    expect(after.get(ALICE.address)!.balance).toBe(await halted.balanceAfter(ALICE.address));
    const opcode = boundaryOf(halted.proof.claims, halted).value!.messages.find(({ tag }) => tag === "OPCODE")!;
    expect(fieldsOf(opcode)).toEqual({ class: 0xfen, n: 0n, min: 0n, max: 1024n, defined: 0n });
  });

  const faultsOf = (edit: (claims: Claims) => void) => {
    const { header, transactions, proof } = halted;
    const claims = altered(proof.claims as Claims, edit) as BlockClaims;
    return outlineBoundary({ chainId: CHAIN_ID, header, transactions, claims }).faults.map(
      ({ code, where }) => `${code} ${where}`,
    );
  };

  it("may have hashed what it could not pay, within the memory that it paid", () => {
    const hashing = (words: number) =>
      faultsOf(({ transactions: [tx] }) => {
        tx!.end!.keccaks = [{ clk: 3n, data: new Uint8Array(32 * words) }];
      });
    // 600 gas for memory is 200 words: 1200 gas beyond the 600 for what was hashed before, and 30
    expect(hashing(300)).toEqual([]);
    expect(hashing(301)).toEqual(["CLAIM_SIZE claims.transactions[0].end.keccaks"]);
  });

  it("may have touched one cell of each kind that it could not pay", () => {
    const touching = (edit: (cells: Claims["cells"]) => void) => faultsOf(({ cells }) => edit(cells));
    const slot = (i: bigint) => ({ address: HALTING, slot: i, value: 0n, lastTx: 1n, t: 67n });
    const slots = (count: bigint) =>
      touching((cells) => {
        cells.slots = Array.from({ length: Number(count) }, (_, i) => ({ ...slot(BigInt(i)), original: 0n }));
        cells.transients = Array.from({ length: Number(count) + 6 }, (_, i) => slot(BigInt(i)));
      });
    expect(slots(1n)).toEqual([]);
    expect(slots(2n)).toEqual(["CLAIM_SIZE claims.cells.slots[1]", "CLAIM_SIZE claims.cells.transients[7]"]);
    const accounts = (count: number) =>
      touching((cells) => {
        for (let i = 0; i < count; i++) {
          const address = (1n << 160n) - BigInt(count - i);
          cells.accounts.push({ address, codeHash: EMPTY_CODE_HASH, lastTx: 1n, t: 67n });
          cells.balances.push({ address, balance: 0n, t: 67n });
        }
      });
    expect(accounts(1)).toEqual([]);
    expect(accounts(2)).toEqual(["CLAIM_SIZE claims.cells.accounts[4]"]);
  });

  it("asks about one opcode, which must be one that a byte of code can be", () => {
    const asking = (...opcodes: [number, number][]) =>
      faultsOf(({ lookups }) => {
        lookups.opcode = opcodes.map(([of, n]) => ({ class: BigInt(of), n: BigInt(n), multiplicity: 1n }));
      });
    expect(asking([0xfe, 0])).toEqual([]);
    expect(asking([0x33, 0x38])).toEqual([]);
    expect(asking([0x38, 0])).toEqual(["CLAIM_LOOKUP claims.lookups.opcode[0]"]);
    expect(asking([0x90, 17])).toEqual(["CLAIM_LOOKUP claims.lookups.opcode[0]"]);
    expect(asking([0x01, 0], [0xfe, 0])).toEqual(["CLAIM_SIZE claims.lookups.opcode"]);
  });
});
