import { beforeAll, describe, expect, it } from "vitest";
import type { BlockFault } from "../../../../src/verifier/block.js";
import type { EndClaim } from "../../../../src/verifier/claims.js";
import type { BlockProof } from "../../../../src/verifier/encoding.js";
import { decodeHeader, encodeHeader, type Header } from "../../../../src/verifier/ethereum/header.js";
import { orderedTrieRoot } from "../../../../src/verifier/ethereum/trie.js";
import { uintToBytes } from "../../../../src/verifier/ethereum/words.js";
import {
  ALICE,
  altered,
  BOB,
  buildBlock,
  CAROL,
  CHAIN_ID,
  ETHER,
  endOf,
  expectFaults,
  hexAddress,
  KEYS,
  MemoryState,
  MINER,
  OTHER_KEYS,
  type TestBlock,
  transfer,
  verdictOn,
} from "./support.js";

/** What tests may write to. */
type Mutable<T> = T extends Uint8Array ? T : { -readonly [K in keyof T]: Mutable<T[K]> };
type Change = (proof: Mutable<BlockProof>) => void;
type Expected = readonly (readonly [BlockFault["code"], string])[];

const GENESIS = [ALICE, BOB, CAROL].map(({ address }) => ({ address: hexAddress(address), balance: 10n * ETHER }));
const SLOTS = [{ address: hexAddress(BOB.address), storageKeys: [5n, 9n] }];

let block: TestBlock;
beforeAll(async () => {
  block = await buildBlock({
    genesis: GENESIS,
    transactions: [
      transfer(ALICE, BOB.address, ETHER),
      transfer(ALICE, BOB.address, ETHER, { nonce: 1n, type: 1, gasLimit: 40_000n, accessList: SLOTS }),
      transfer(CAROL, CAROL.address, 1n),
    ],
  });
});

const change = (edit: Change): BlockProof => altered(block.proof, edit as (proof: BlockProof) => void);
const changeHeader = (edit: (header: Mutable<Header>) => void) =>
  change((proof) => {
    const header = decodeHeader(proof.header);
    edit(header as Mutable<Header>);
    proof.header = encodeHeader(header);
  });
/** The header fitted to the changed transactions, as a forger would. */
const fitRoot = (proof: Mutable<BlockProof>) => {
  const header = decodeHeader(proof.header) as Mutable<Header>;
  header.transactionsRoot = orderedTrieRoot(proof.transactions);
  proof.header = encodeHeader(header as Header);
};

/** Cases of changes of the claims. */
const claims: Record<string, [Change, Expected]> = {
  "a balance listed twice: a double spend": [
    ({ claims: { cells } }) => cells.balances.splice(1, 0, { ...cells.balances[0]! }),
    [["CLAIM_ORDER", "claims.cells.balances[1]"]],
  ],
  "balances out of order": [
    ({ claims: { cells } }) => cells.balances.reverse(),
    [["CLAIM_ORDER", "claims.cells.balances[1]"]],
  ],
  "a nonce listed twice": [
    ({ claims: { cells } }) => cells.nonces.push({ ...cells.nonces.at(-1)! }),
    [["CLAIM_ORDER", "claims.cells.nonces[2]"]],
  ],
  "an account listed twice": [
    ({ claims: { cells } }) => cells.accounts.push({ ...cells.accounts.at(-1)! }),
    [["CLAIM_ORDER", "claims.cells.accounts[4]"]],
  ],
  "slots out of order": [({ claims: { cells } }) => cells.slots.reverse(), [["CLAIM_ORDER", "claims.cells.slots[1]"]]],
  "a balance that nobody touches": [
    ({ claims: { cells } }) => cells.balances.unshift({ address: 1n, balance: 0n, t: 0n }),
    [["CLAIM_COVER", "claims.cells.balances[0]"]],
  ],
  "a touched balance left out": [
    ({ claims: { cells } }) => cells.balances.pop(),
    [["CLAIM_COVER", "claims.cells.balances"]],
  ],
  "a nonce that nobody touches": [
    ({ claims: { cells } }) => cells.nonces.unshift({ address: 1n, nonce: 0n, createdTx: 0n, t: 0n }),
    [["CLAIM_COVER", "claims.cells.nonces[0]"]],
  ],
  "a touched account left out": [
    ({ claims: { cells } }) => cells.accounts.shift(),
    [["CLAIM_COVER", "claims.cells.accounts"]],
  ],
  "a slot of an account without code that nobody touches": [
    ({ claims: { cells } }) => cells.slots.push({ ...cells.slots[1]!, slot: 77n }),
    [["CLAIM_COVER", "claims.cells.slots[2]"]],
  ],
  "a touched slot left out": [({ claims: { cells } }) => cells.slots.pop(), [["CLAIM_COVER", "claims.cells.slots"]]],
  "claims for fewer transactions": [
    ({ claims }) => claims.transactions.pop(),
    [["CLAIM_COVER", "claims.transactions"]],
  ],
  "an account warmed twice": [
    ({ claims }) => claims.transactions[0]!.accounts.push({ ...claims.transactions[0]!.accounts[0]! }),
    [["CLAIM_COVER", "claims.transactions[0].accounts"]],
  ],
  "a slot warmed twice": [
    ({ claims }) => claims.transactions[1]!.slots.push({ ...claims.transactions[1]!.slots[0]! }),
    [["CLAIM_COVER", "claims.transactions[1].slots"]],
  ],
  "an execution without code": [
    ({ claims }) => {
      claims.transactions[0]!.end = endOf({ t: 0n }, { clk: 3n, gas: 0n }) as Mutable<EndClaim>;
    },
    [["CLAIM_PRESENCE", "claims.transactions[0].end"]],
  ],
  "a recipient's balance though it is the sender": [
    ({ claims }) => {
      claims.transactions[2]!.recipientBalance = { balance: 0n, t: 0n };
    },
    [["CLAIM_PRESENCE", "claims.transactions[2].recipientBalance"]],
  ],
  "no recipient's balance": [
    ({ claims }) => {
      claims.transactions[0]!.recipientBalance = undefined;
    },
    [["CLAIM_PRESENCE", "claims.transactions[0].recipientBalance"]],
  ],
  "no coinbase's balance": [
    ({ claims }) => {
      claims.transactions[1]!.coinbaseBalance = undefined;
    },
    [["CLAIM_PRESENCE", "claims.transactions[1].coinbaseBalance"]],
  ],
  "a balance of 2^256": [
    ({ claims }) => {
      claims.cells.balances[1]!.balance = 1n << 256n;
    },
    [["CLAIM_RANGE", "claims.cells.balances[1].balance"]],
  ],
  "a negative balance": [
    ({ claims }) => {
      claims.transactions[0]!.senderBalance.balance = -1n;
    },
    [["CLAIM_RANGE", "claims.transactions[0].senderBalance.balance"]],
  ],
  "an address of 2^160": [
    ({ claims }) => {
      claims.cells.accounts.at(-1)!.address = 1n << 160n;
    },
    [["CLAIM_RANGE", "claims.cells.accounts[3].address"]],
  ],
  "a time of 2^32": [
    ({ claims }) => {
      claims.cells.nonces[0]!.t = 1n << 32n;
    },
    [["CLAIM_RANGE", "claims.cells.nonces[0].t"]],
  ],
  "a balance so large that the fee overflows it": [
    ({ claims }) => {
      claims.transactions[0]!.coinbaseBalance!.balance = (1n << 256n) - 1n;
    },
    [["TX_BALANCE", "transactions[0]"]],
  ],
  "a balance too small for gas and value": [
    ({ claims }) => {
      claims.transactions[1]!.senderBalance.balance = ETHER;
    },
    [["TX_BALANCE", "transactions[1]"]],
  ],
  "another nonce": [
    ({ claims }) => {
      claims.transactions[1]!.senderNonce.nonce = 0n;
    },
    [["TX_NONCE", "transactions[1].nonce"]],
  ],
  "a sender with code": [
    ({ claims }) => {
      // accounts ascend; all have no code, so the recipient's first
      for (const account of claims.transactions[2]!.accounts) account.codeHash = 5n;
    },
    [
      ["TX_SENDER_CODE", "transactions[2]"],
      ["CLAIM_PRESENCE", "claims.transactions[2].end"],
    ],
  ],
  "warmed by this very transaction": [
    ({ claims }) => {
      claims.transactions[1]!.accounts[0]!.lastTx = 2n;
      claims.transactions[1]!.slots[1]!.lastTx = 3n;
    },
    [
      ["CLAIM_WARMTH", "claims.transactions[1].accounts[0].lastTx"],
      ["CLAIM_WARMTH", "claims.transactions[1].slots[1].lastTx"],
    ],
  ],
  "lookups, but no rows": [
    ({ claims: { lookups } }) => {
      lookups.code.push({ code: 0n, pc: 0n, multiplicity: 1n });
      lookups.ctx.push({ ctx: 2n, field: 0x33n, multiplicity: 1n });
      lookups.txenv.push({ T: 1n, field: 0x32n, multiplicity: 1n });
      lookups.range.push({ bits: 16n, value: 0n, multiplicity: 1n });
    },
    [
      ["CLAIM_SIZE", "claims.lookups.code"],
      ["CLAIM_LOOKUP", "claims.lookups.ctx[0]"],
      ["CLAIM_LOOKUP", "claims.lookups.txenv[0]"],
      ["CLAIM_SIZE", "claims.lookups.range"],
    ],
  ],
  "a multiplicity of 0": [
    ({ claims: { lookups } }) => lookups.env.push({ field: 0x41n, multiplicity: 0n }),
    [["CLAIM_RANGE", "claims.lookups.env[0].multiplicity"]],
  ],
  "a multiplicity of 2^32": [
    ({ claims: { lookups } }) => lookups.env.push({ field: 0x41n, multiplicity: 1n << 32n }),
    [["CLAIM_RANGE", "claims.lookups.env[0].multiplicity"]],
  ],
  "a field that the block's environment doesn't have": [
    ({ claims: { lookups } }) => lookups.env.push({ field: 0x47n, multiplicity: 1n }),
    [["CLAIM_LOOKUP", "claims.lookups.env[0]"]],
  ],
  "a lookup that nobody asked for": [
    ({ claims: { lookups } }) => lookups.env.push({ field: 0x41n, multiplicity: 1n }),
    [["BUS_UNBALANCED", "bus"]],
  ],
};

/** One number of the claims with another canonical value: everything fits, only the bus doesn't. */
const onTheBus: Record<string, Change> = {
  "the final balance": ({ claims }) => claims.cells.balances[0]!.balance++,
  "the final balance's time": ({ claims }) => claims.cells.balances[0]!.t--,
  "the final nonce": ({ claims }) => claims.cells.nonces[0]!.nonce++,
  "the final nonce's creator": ({ claims }) => claims.cells.nonces[0]!.createdTx++,
  "the final code hash": ({ claims }) => claims.cells.accounts[0]!.codeHash++,
  "the final warmth": ({ claims }) => claims.cells.accounts[0]!.lastTx--,
  "the final value of a slot": ({ claims }) => claims.cells.slots[0]!.value++,
  "the final original of a slot": ({ claims }) => claims.cells.slots[1]!.original++,
  "the final time of a slot": ({ claims }) => claims.cells.slots[1]!.t++,
  "more money than the sender has": ({ claims }) => claims.transactions[0]!.senderBalance.balance++,
  "an older balance spent again": ({ claims }) => {
    // what Alice had at first, in her second transaction
    claims.transactions[1]!.senderBalance = { ...claims.transactions[0]!.senderBalance };
  },
  "a recipient that had more": ({ claims }) => claims.transactions[0]!.recipientBalance!.balance++,
  "a slot warmed from another value": ({ claims }) => claims.transactions[1]!.slots[0]!.value++,
  "an account warmed earlier": ({ claims }) => claims.transactions[1]!.accounts[0]!.t--,
  "a coinbase that had more": ({ claims }) => claims.transactions[0]!.coinbaseBalance!.balance++,
  "a sender that had more at the end": ({ claims }) => claims.transactions[2]!.endSenderBalance.balance++,
};

describe("claims", () => {
  for (const [name, [edit, expected]] of Object.entries(claims)) {
    it(`refuses ${name}`, () => expectFaults(block, change(edit), expected));
  }
  for (const [name, edit] of Object.entries(onTheBus)) {
    it(`refuses ${name}, by the bus`, () => expectFaults(block, change(edit), [["BUS_UNBALANCED", "bus"]]));
  }

  it("names what doesn't match where no chunk could have it", async () => {
    const [fault] = await expectFaults(block, change(onTheBus["the final nonce"]!), [["BUS_UNBALANCED", "bus"]]);
    expect(fault!.message).toMatch(/NONCE received \(t \d+, .*nonce 2, .*NONCE sent \(t \d+, .*nonce 1, /);
  });

  // t = 16·clk + port with clk 1, 4 and 7 at the start of the three, and 3, 6 and 9 at their ends
  const times: [string, (claims: Mutable<BlockProof>["claims"], t: bigint) => void, bigint][] = [
    ["[0].senderBalance", ({ transactions: [tx] }, t) => (tx!.senderBalance.t = t), 16n],
    ["[1].senderBalance", ({ transactions: [, tx] }, t) => (tx!.senderBalance.t = t), 64n],
    ["[1].senderNonce", ({ transactions: [, tx] }, t) => (tx!.senderNonce.t = t), 64n],
    ["[1].accounts[2]", ({ transactions: [, tx] }, t) => (tx!.accounts[2]!.t = t), 65n],
    ["[1].slots[0]", ({ transactions: [, tx] }, t) => (tx!.slots[0]!.t = t), 65n],
    ["[1].recipientBalance", ({ transactions: [, tx] }, t) => (tx!.recipientBalance!.t = t), 67n],
    ["[2].endSenderBalance", ({ transactions: [, , tx] }, t) => (tx!.endSenderBalance.t = t), 145n],
    ["[2].coinbaseBalance", ({ transactions: [, , tx] }, t) => (tx!.coinbaseBalance!.t = t), 146n],
  ];
  for (const [path, set, now] of times) {
    it(`refuses transactions${path} from its own time or later, and takes any earlier one to the bus`, async () => {
      const where = `claims.transactions${path}.t`;
      await expectFaults(
        block,
        change(({ claims }) => set(claims, now)),
        [["CLAIM_TIME", where]],
      );
      await expectFaults(
        block,
        change(({ claims }) => set(claims, now + 5n)),
        [["CLAIM_TIME", where]],
      );
      await expectFaults(
        block,
        change(({ claims }) => set(claims, now - 1n)),
        [["BUS_UNBALANCED", "bus"]],
      );
    });
  }
});

describe("transactions", () => {
  it("refuses a transaction played twice, and its nonce claimed to be free again", async () => {
    const replayed = change((proof) => {
      proof.transactions[1] = proof.transactions[0]!;
      proof.claims.transactions[1]!.slots = [];
      proof.claims.cells.slots = [];
      fitRoot(proof);
    });
    await expectFaults(block, replayed, [["TX_NONCE", "transactions[1].nonce"]]);
    const two = await buildBlock({
      genesis: GENESIS,
      transactions: [transfer(ALICE, BOB.address, 1n), transfer(ALICE, BOB.address, 1n, { nonce: 1n })],
    });
    const forged = altered(two.proof as Mutable<BlockProof>, (proof) => {
      proof.transactions[1] = proof.transactions[0]!;
      proof.claims.transactions[1]!.senderNonce.nonce = 0n;
      fitRoot(proof);
    });
    await expectFaults(two, forged as BlockProof, [["BUS_UNBALANCED", "bus"]]);
  });

  it("refuses a transaction signed for another chain, or altered", async () => {
    const foreign = change((proof) => {
      proof.transactions[0] = transfer(ALICE, BOB.address, ETHER, {}, 5n);
    });
    await expectFaults(block, foreign, [["TX_CHAIN_ID", "transactions[0].chainId"]]);
    await expectFaults(
      block,
      block.proof,
      [0, 1, 2].map((i) => ["TX_CHAIN_ID", `transactions[${i}].chainId`]),
      {
        chainId: CHAIN_ID + 1n,
      },
    );
    const broken = change((proof) => {
      proof.transactions[1] = proof.transactions[1]!.slice(0, -1);
      proof.transactions[2] = new Uint8Array(32).fill(0x80);
    });
    await expectFaults(block, broken, [
      ["TX_MALFORMED", "transactions[1]"],
      ["TX_MALFORMED", "transactions[2]"],
    ]);
  });

  it("refuses transactions in another order, another number or by others", async () => {
    const swapped = change((proof) => {
      const [first, second, third] = proof.transactions;
      proof.transactions = [third!, second!, first!];
    });
    // the first two are to BOB, the last to its own sender: one account less
    await expectFaults(block, swapped, [
      ["CLAIM_COVER", "claims.transactions[0].accounts"],
      ["CLAIM_COVER", "claims.transactions[2].accounts"],
    ]);
    await expectFaults(
      block,
      change((proof) => proof.transactions.pop()),
      [["CLAIM_COVER", "claims.transactions"]],
    );
    const stranger = change((proof) => {
      proof.transactions[0] = transfer(CAROL, BOB.address, ETHER);
      fitRoot(proof);
    });
    await expectFaults(block, stranger, [["BUS_UNBALANCED", "bus"]]);
  });

  it("refuses another transaction of the same sender and nonce by the root, or by the bus", async () => {
    const other = transfer(ALICE, BOB.address, 2n * ETHER);
    const edit = (proof: Mutable<BlockProof>) => {
      proof.transactions[0] = other;
    };
    await expectFaults(block, change(edit), [["HEADER_MISMATCH", "header.transactionsRoot"]]);
    const fitted = change((proof) => {
      edit(proof);
      fitRoot(proof);
    });
    await expectFaults(block, fitted, [["BUS_UNBALANCED", "bus"]]);
  });

  it("refuses more transactions than the gas used pays for before it looks at them", async () => {
    const crowded = changeHeader((header) => {
      header.gasUsed = 2n * 16_800n;
    });
    await expectFaults(block, crowded, [["CLAIM_SIZE", "transactions"]]);
  });

  it("refuses more gas than the block has left", async () => {
    // the first uses 21000 of the 30 million
    const wide = (gasLimit: bigint) =>
      change((proof) => {
        proof.transactions[1] = transfer(ALICE, BOB.address, ETHER, {
          nonce: 1n,
          gasLimit,
          type: 1,
          accessList: SLOTS,
        });
        fitRoot(proof);
      });
    await expectFaults(block, wide(29_979_001n), [["TX_BLOCK_GAS", "transactions[1].gasLimit"]]);
    await expectFaults(block, wide(29_979_000n), [["BUS_UNBALANCED", "bus"]]);
  });

  it("refuses precompiled contracts as recipients", async () => {
    const one = await buildBlock({ genesis: GENESIS, transactions: [transfer(ALICE, 0xbn, 1n)] });
    const precompile = altered(one.proof as Mutable<BlockProof>, (proof) => {
      proof.transactions = [transfer(ALICE, 0xan, 1n)];
      for (const list of [proof.claims.cells.balances, proof.claims.cells.accounts]) list[0]!.address = 0xan;
      fitRoot(proof);
    });
    await expectFaults(one, precompile as BlockProof, [["TX_RECIPIENT", "transactions[0].to"]]);
  });
});

describe("the header", () => {
  const fields: [keyof Header, (header: Mutable<Header>) => void, BlockFault["code"]][] = [
    ["parentHash", (header) => header.parentHash++, "HEADER_INVALID"],
    ["number", (header) => header.number++, "HEADER_INVALID"],
    ["timestamp", (header) => (header.timestamp = 5n), "HEADER_INVALID"],
    ["baseFeePerGas", (header) => header.baseFeePerGas++, "HEADER_INVALID"],
    ["gasLimit", (header) => (header.gasLimit *= 2n), "HEADER_INVALID"],
    ["withdrawalsRoot", (header) => header.withdrawalsRoot++, "HEADER_UNSUPPORTED"],
    ["transactionsRoot", (header) => header.transactionsRoot++, "HEADER_MISMATCH"],
    ["receiptsRoot", (header) => header.receiptsRoot++, "HEADER_MISMATCH"],
    ["logsBloom", (header) => (header.logsBloom[3] = 1), "HEADER_MISMATCH"],
    ["gasUsed", (header) => header.gasUsed++, "HEADER_MISMATCH"],
    ["stateRoot", (header) => header.stateRoot++, "HEADER_MISMATCH"],
  ];
  for (const [field, edit, code] of fields) {
    it(`refuses another ${field}`, () => expectFaults(block, changeHeader(edit), [[code, `header.${field}`]]));
  }

  it("collects what doesn't follow from the contents", () =>
    expectFaults(
      block,
      changeHeader((header) => {
        header.gasUsed++;
        header.receiptsRoot = 0n;
      }),
      [
        ["HEADER_MISMATCH", "header.receiptsRoot"],
        ["HEADER_MISMATCH", "header.gasUsed"],
      ],
    ));

  it("refuses another coinbase, and bytes that aren't a header", async () => {
    const robbed = changeHeader((header) => {
      header.beneficiary = ALICE.address;
    });
    // Alice is the sender of the first two already: one account less to warm
    await expectFaults(block, robbed, [
      ["CLAIM_COVER", "claims.transactions[0].accounts"],
      ["CLAIM_COVER", "claims.transactions[1].accounts"],
    ]);
    const broken = change((proof) => {
      proof.header = proof.header.slice(1);
    });
    await expectFaults(block, broken, [["HEADER_MALFORMED", "header"]]);
  });

  it("takes the header's word for what only the parent knows, if there is no parent", async () => {
    const moved = changeHeader((header) => {
      header.parentHash = 5n;
      header.timestamp++;
    });
    expect((await verdictOn(block, moved, { parent: undefined })).valid).toBe(true);
    await expectFaults(block, moved, [["HEADER_INVALID", "header.parentHash"]]);
  });

  it("takes the header's word for the state's root if the state cannot compute it", async () => {
    const unknown = changeHeader((header) => {
      header.stateRoot = 1n;
    });
    const { state } = block;
    const poor = {
      commitment: () => state.commitment(),
      account: (address: bigint) => state.account(address),
      code: (address: bigint) => state.code(address),
      slot: (address: bigint, slot: bigint) => state.slot(address, slot),
    };
    expect((await verdictOn(block, unknown, { state: poor })).valid).toBe(true);
  });
});

describe("the replica's side", () => {
  it("tells a block on another state from a forgery", async () => {
    const other = new MemoryState([...GENESIS, { address: hexAddress(1n << 100n), balance: 1n }]);
    await expectFaults(block, block.proof, [["BLOCK_PRE_STATE", "claims.preState"]], { state: other });
    const moved = change(({ claims }) => {
      claims.preState[0]!++;
    });
    await expectFaults(block, moved, [["BLOCK_PRE_STATE", "claims.preState"]]);
  });

  it("refuses a block whose commitment is this state's but whose cells aren't", async () => {
    const richer = new MemoryState(GENESIS.map((account) => ({ ...account, balance: 11n * ETHER })));
    const state = Object.assign(richer, { commitment: () => block.state.commitment() });
    await expectFaults(block, block.proof, [["BUS_UNBALANCED", "bus"]], { state });
  });

  it("refuses a proof for other keys", async () => {
    await expectFaults(block, block.proof, [["BLOCK_KEY_SET", "keySet"]], { keys: OTHER_KEYS });
  });

  it("refuses blocks where the beacon roots contract would run", async () => {
    const beacon = { address: "0x000f3df6d732807ef1319fb7b8bb8522d0beac02", code: Uint8Array.of(0) } as const;
    const state = Object.assign(new MemoryState([...GENESIS, beacon]), { commitment: () => block.state.commitment() });
    await expectFaults(block, block.proof, [["HEADER_UNSUPPORTED", "header.parentBeaconBlockRoot"]], { state });
  });

  it("throws what is wrong on the caller's side", async () => {
    const state = (parts: object) => Object.assign(new MemoryState(GENESIS), parts);
    const cases: [object, string, string][] = [
      [{ chainId: 1 }, "OPTIONS_INVALID", "options.chainId"],
      [{ chainId: -1n }, "OPTIONS_INVALID", "options.chainId"],
      [{ parent: 5 }, "OPTIONS_INVALID", "options.parent"],
      [{ state: undefined }, "OPTIONS_INVALID", "options.state"],
      [{ state: { commitment() {} } }, "OPTIONS_INVALID", "options.state.account"],
      [{ keys: { digest: KEYS.digest } }, "KEYSET_MALFORMED", "keySet"],
      [{ state: state({ commitment: async () => uintToBytes(1n, 31) }) }, "STATE_INVALID", "state: commitment"],
      [
        { state: state({ slot: async () => -1n }) },
        "STATE_INVALID",
        `state: ${hexAddress(BOB.address)} 0x${"5".padStart(64, "0")}`,
      ],
      [
        { state: state({ account: async () => ({ nonce: 0n, balance: 0n, codeHash: 0n }) }) },
        "STATE_INVALID",
        "state: 0x000f3df6d732807ef1319fb7b8bb8522d0beac02.codeHash",
      ],
    ];
    for (const [options, code, where] of cases) {
      await expect(verdictOn(block, block.proof, options), where).rejects.toMatchObject({ code, where });
    }
    const broken = state({ account: () => Promise.reject(new Error("the disk is gone")) });
    await expect(verdictOn(block, block.proof, { state: broken })).rejects.toThrow("the disk is gone");
  });
});

it("gives the coinbase its fees only", async () => {
  const greedy = change(({ claims }) => {
    const cell = claims.cells.balances.find(({ address }) => address === MINER.address)!;
    cell.balance += 1n;
  });
  await expectFaults(block, greedy, [["BUS_UNBALANCED", "bus"]]);
});
