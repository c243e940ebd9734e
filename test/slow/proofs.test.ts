/**
 * Proofs of whole blocks against replicas: honest ones, frauds by name, noise. What is wrong with keys, weights and σ is in
 * test/unit/verifier/chunk-attacks.test.ts; what rows alone can be made to say, in test/unit/block.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuiltBlock } from "../../src/block/build.js";
import type { KeyFolder } from "../../src/keys/folder.js";
import type { ScenarioRun } from "../../src/trace/index.js";
import type { BlockClaims } from "../../src/verifier/claims.js";
import type { BlockProof } from "../../src/verifier/encoding.js";
import type { Header } from "../../src/verifier/ethereum/header.js";
import type { TranscriptInput } from "../../src/verifier/transcript.js";
import { closeSnarkjs, snarkjs } from "../support/circuits.js";
import {
  allInvalid,
  altered,
  blockRows,
  boundaryInput,
  boundaryMessages,
  busSum,
  CACHE,
  CHAIN_ID,
  challenges,
  counterBlock,
  decodeBlockProof,
  decodeChunkProof,
  decodeHeader,
  edit,
  encodeBlockProof,
  encodeHeader,
  expectFaults,
  type Fault,
  type Forged,
  fill,
  forge,
  freshCache,
  loadScenario,
  type Mutable,
  makeKeys,
  mod,
  parseKeySet,
  proveBlock,
  R,
  type Replica,
  replicaOf,
  runScenario,
  SMALL,
  snapshotState,
  stopBlock,
  verifyBlock,
  verifyChunks,
} from "../support/proofs.js";
import { temporaryFolder } from "../support/zoo.js";

let keys: KeyFolder;
let run: ScenarioRun;
let replica: Replica;
let proof: BlockProof;

beforeAll(async () => {
  keys = await makeKeys({ cache: CACHE, layouts: SMALL });
  run = await counterBlock();
  replica = await replicaOf(run, keys);
  ({ proof } = await proveBlock(run.trace, keys, { threads: 2 }));
});

afterAll(closeSnarkjs);

/** What each chunk commits to. */
const commitments = ({ chunks }: BlockProof) =>
  chunks.map(({ layout, proof: bytes }) => `${layout} ${Buffer.from(bytes.subarray(128, 192)).toString("hex")}`);
const CHUNKS = 4;
/** Transaction whose chunk is looked at closely, and its chunk. */
const [LAST, LAST_CHUNK] = [2, 3];

describe("with the keys of the package", () => {
  let all: KeyFolder;
  beforeAll(async () => {
    all = await makeKeys({ cache: CACHE });
  });

  test.each([
    ["empty", 0],
    ["transfer", 1],
    ["counter", 1],
    ["demo", 7],
  ])("scenario %s is proved and accepted", async (name, transactions) => {
    const made = await runScenario(loadScenario(name));
    const proved = await proveBlock(made.trace, all, { threads: 2 });
    const verdict = await verifyBlock(proved.bytes, await replicaOf(made, all));
    expect(verdict.faults).toEqual([]);
    if (!verdict.valid) throw new Error("unreachable");
    expect(verdict.transactions.length).toBe(transactions);
    expect(verdict.gasUsed).toBe(made.trace.header.gasUsed);
    expect(verdict.receipts.map(({ status }) => status)).toEqual(made.trace.executions.map(({ status }) => status));
    for (const { address, slot, value } of verdict.stateDiff.slots) {
      expect(await made.postState.slot(`0x${address.toString(16).padStart(40, "0")}`, slot)).toBe(value);
    }
    // one proof, one byte string
    expect(encodeBlockProof(decodeBlockProof(proved.bytes))).toEqual(proved.bytes);
    expect(decodeBlockProof(proved.bytes)).toEqual(proved.proof);
  });

  test("snarkjs accepts the points of a chunk with all public signals given", async () => {
    const made = await runScenario(loadScenario("counter"));
    const { proof: block } = await proveBlock(made.trace, all, { threads: 2 });
    const { layout, proof: bytes } = block.chunks[0]!;
    const { a, b, c, sum } = decodeChunkProof(bytes, layout);
    const built = blockRows(made.trace);
    const { value } = boundaryMessages(boundaryInput(built, block.claims));
    const drawn = challenges(transcriptOf(block, value!.messages));
    const { columns } = fill(all, built.rows);
    const decimal = ({ x, y }: { x: bigint; y: bigint }) => [String(x), String(y), "1"];
    const points = {
      pi_a: decimal(a),
      pi_b: [
        [String(b.x.c0), String(b.x.c1)],
        [String(b.y.c0), String(b.y.c1)],
        ["1", "0"],
      ],
      pi_c: decimal(c),
      protocol: "groth16",
      curve: "bn128",
    };
    const signals = [sum, drawn.alpha, drawn.beta, ...columns[0]!].map(String);
    const vk = await snarkjs.zKey.exportVerificationKey(all.layouts[layout]!.zkey);
    expect(vk.nPublic).toBe(signals.length);
    expect(await snarkjs.groth16.verify(vk, signals, points)).toBe(true);
    for (const i of [0, 1, 3, signals.length - 1]) {
      const wrong = signals.with(i, String(mod(BigInt(signals[i]!) + 1n)));
      expect(await snarkjs.groth16.verify(vk, wrong, points), `signal ${i}`).toBe(false);
    }
  });
});

/** What the challenges of a proof are drawn from. */
function transcriptOf({ keySet, header, claims, chunks }: BlockProof, messages: TranscriptInput["messages"]) {
  const { preState } = claims;
  const points = chunks.map(({ layout, proof: bytes }) => ({
    layout,
    d: bytes.subarray(128, 160),
    p: bytes.subarray(160, 192),
  }));
  return { keySet, chainId: CHAIN_ID, header, preState, messages, chunks: points };
}

test("a block of four chunks is accepted", async () => {
  expect(proof.chunks.map(({ layout }) => layout)).toEqual([0, 1, 1, 1]);
  expect((await verifyBlock(proof, replica)).faults).toEqual([]);
});

test("commitments are the same from every prover, proofs are not", async () => {
  for (const threads of [1, 2]) {
    const again = await proveBlock(run.trace, keys, { threads });
    expect(commitments(again.proof)).toEqual(commitments(proof));
    expect(again.proof.chunks[0]!.proof.slice(0, 128)).not.toEqual(proof.chunks[0]!.proof.slice(0, 128));
    expect(again.proof.claims).toEqual(proof.claims);
  }
});

describe("another pre-state", () => {
  test("with another commitment is reported as such", async () => {
    const other = { ...replica, state: await snapshotState((await counterBlock(6)).before) };
    await expectFaults(proof, other, [["BLOCK_PRE_STATE", "claims.preState"]]);
    await expectFaults(
      altered(proof, ({ claims }) => {
        claims.preState[0]! ^= 1;
      }),
      replica,
      [["BLOCK_PRE_STATE", "claims.preState"]],
    );
  });

  test("under the same commitment is other challenges", async () => {
    const { state } = replica;
    const states = {
      slot: { ...state, slot: async () => 6n },
      balance: {
        ...state,
        account: async (address: bigint) => {
          const account = await state.account(address);
          return account && { ...account, balance: account.balance + 1n };
        },
      },
      nonce: {
        ...state,
        account: async (address: bigint) => {
          const account = await state.account(address);
          return account && { ...account, nonce: account.nonce + 1n };
        },
      },
    };
    for (const other of Object.values(states)) {
      await expectFaults(proof, { ...replica, state: other }, allInvalid(CHUNKS));
    }
  });
});

describe("chunks", () => {
  const frauds: [string, (copy: Mutable<BlockProof>) => void, () => Fault[]][] = [
    ["dropped", ({ chunks }) => chunks.pop(), () => allInvalid(3)],
    ["all dropped", ({ chunks }) => chunks.splice(0), () => [["BUS_UNBALANCED", "bus"]]],
    ["duplicated", ({ chunks }) => chunks.push(structuredClone(chunks[1]!)), () => allInvalid(5)],
    [
      "swapped",
      ({ chunks }) => {
        [chunks[1], chunks[2]] = [chunks[2]!, chunks[1]!];
      },
      () => allInvalid(4),
    ],
    ["in another order", ({ chunks }) => chunks.reverse(), () => allInvalid(4)],
    [
      "under another layout's index",
      ({ chunks }) => {
        chunks[0]!.layout = 1;
      },
      // its P was made with the σ of its own key
      () => allInvalid(4, [["CHUNK_COMMITMENT", "chunks[0].p"]]),
    ],
    [
      "under no layout's index",
      ({ chunks }) => {
        chunks[0]!.layout = 2;
      },
      () => allInvalid(4, [["CHUNK_LAYOUT", "chunks[0].layout"]]),
    ],
  ];
  test.each(frauds)("%s", async (_, change, expected) => {
    await expectFaults(altered(proof, change), replica, expected());
  });

  test("of another block", async () => {
    const other = (await proveBlock((await counterBlock(6)).trace, keys, { threads: 2 })).proof;
    const mixed = { ...proof, chunks: proof.chunks.with(LAST_CHUNK, other.chunks[LAST_CHUNK]!) };
    await expectFaults(mixed, replica, allInvalid(CHUNKS));
    await expectFaults({ ...proof, chunks: other.chunks }, replica, allInvalid(CHUNKS));
  });

  /** A change of the bytes of one chunk: A 0, B 32, C 96, D 128, P 160, sum 192; the highest bit of a point is its sign. */
  const bytesOf = (change: (bytes: Uint8Array) => void) =>
    altered(proof, ({ chunks }) => change(chunks[LAST_CHUNK]!.proof));
  const at = `chunks[${LAST_CHUNK}]`;
  const negated = (...offsets: number[]) =>
    bytesOf((bytes) => {
      for (const offset of offsets) bytes[offset]! ^= 0x80;
    });
  const setSum = (bytes: Uint8Array, change: bigint) => {
    const sum = mod(BigInt(`0x${Buffer.from(bytes.subarray(192)).toString("hex")}`) + change);
    bytes.set(Buffer.from(sum.toString(16).padStart(64, "0"), "hex"), 192);
  };

  test("with another sum, also where the sums of two chunks make up for each other", async () => {
    await expectFaults(
      bytesOf((bytes) => setSum(bytes, 1n)),
      replica,
      [
        ["CHUNK_INVALID", at],
        ["BUS_UNBALANCED", "bus"],
      ],
    );
    const shifted = altered(proof, ({ chunks }) => {
      setSum(chunks[1]!.proof, 5n);
      setSum(chunks[2]!.proof, -5n);
    });
    await expectFaults(shifted, replica, [
      ["CHUNK_INVALID", "chunks[1]"],
      ["CHUNK_INVALID", "chunks[2]"],
    ]);
    await expectFaults(
      bytesOf((bytes) => bytes.fill(0xff, 192)),
      replica,
      [["CHUNK_NON_CANONICAL", `${at}.sum`]],
    );
  });

  test("with another point", async () => {
    // A, B and C are not in the transcript
    for (const offset of [0, 32, 96]) await expectFaults(negated(offset), replica, [["CHUNK_INVALID", at]]);
    for (const offset of [0, 96]) {
      const borrowed = bytesOf((bytes) => bytes.set(proof.chunks[1]!.proof.subarray(offset, offset + 32), offset));
      await expectFaults(borrowed, replica, [["CHUNK_INVALID", at]]);
    }
    // -(A, B) is as good as (A, B), and nobody says that a proof has one form only
    expect((await verifyBlock(negated(0, 32), replica)).faults).toEqual([]);
    for (const offset of [128, 160]) {
      await expectFaults(negated(offset), replica, allInvalid(CHUNKS, [["CHUNK_COMMITMENT", `${at}.p`]]));
    }
    // a commitment to the opposite of all columns
    await expectFaults(negated(128, 160), replica, allInvalid(CHUNKS));
  });
});

describe("claims", () => {
  type Change = (claims: Mutable<BlockClaims>) => void;
  const invalid = () => allInvalid(CHUNKS);
  const frauds: [string, Change, () => Fault[]][] = [
    ["final value of a slot", ({ cells }) => cells.slots[0]!.value++, invalid],
    ["final time of a slot", ({ cells }) => cells.slots[0]!.t--, invalid],
    ["original value of a slot", ({ cells }) => cells.slots[0]!.original++, invalid],
    ["final balance", ({ cells }) => cells.balances[1]!.balance++, invalid],
    ["final nonce", ({ cells }) => cells.nonces[0]!.nonce++, invalid],
    ["time of a live cell", ({ transactions }) => transactions[1]!.senderBalance.t++, invalid],
    ["end of an execution", ({ transactions }) => transactions[LAST]!.end!.clk++, () => LATER],
    [
      "status",
      ({ transactions }) => {
        transactions[LAST]!.end!.status = 0n;
      },
      () => [["HEADER_MISMATCH", "header.receiptsRoot"]],
    ],
    [
      "gas left",
      ({ transactions }) => transactions[LAST]!.end!.gas++,
      () => [
        ["HEADER_MISMATCH", "header.receiptsRoot"],
        ["HEADER_MISMATCH", "header.gasUsed"],
      ],
    ],
    [
      "refund",
      ({ transactions }) => transactions[LAST]!.end!.refund.value++,
      () => [
        ["HEADER_MISMATCH", "header.receiptsRoot"],
        ["HEADER_MISMATCH", "header.gasUsed"],
      ],
    ],
    ["multiplicity of a code lookup", ({ lookups }) => lookups.code[0]!.multiplicity++, invalid],
    ["multiplicity of a range lookup", ({ lookups }) => lookups.range[0]!.multiplicity--, invalid],
    ["a range lookup less", ({ lookups }) => lookups.range.pop(), invalid],
    [
      "multiplicity 0",
      ({ lookups }) => {
        lookups.ctx[0]!.multiplicity = 0n;
      },
      () => [["CLAIM_RANGE", "claims.lookups.ctx[0].multiplicity"]],
    ],
    [
      "a cell twice",
      ({ cells }) => cells.slots.push(structuredClone(cells.slots[0]!)),
      () => [["CLAIM_ORDER", "claims.cells.slots[1]"]],
    ],
  ];
  // what its successors look up hangs on when they start: the transfer looks up nothing
  const LATER = allInvalid(CHUNKS);

  test.each(frauds)("%s", async (_, change, expected) => {
    // not with `altered`: what has no bytes is refused before that
    const copy = structuredClone(proof) as Mutable<BlockProof>;
    change(copy.claims);
    await expectFaults(copy, replica, expected());
  });
});

describe("the header", () => {
  const MISMATCH = ["transactionsRoot", "receiptsRoot", "logsBloom", "gasUsed"];
  const INVALID = ["ommersHash", "difficulty", "nonce"];
  const UNSUPPORTED = ["withdrawalsRoot", "blobGasUsed"];
  const fields = (): (keyof Header)[] => Object.keys(decodeHeader(proof.header)) as (keyof Header)[];

  test("every field of it", async () => {
    expect(fields().length).toBe(20);
    for (const field of fields()) {
      const header = decodeHeader(proof.header) as Mutable<Header>;
      const value = header[field];
      const other =
        typeof value === "bigint" ? value + 1n : value.length === 0 ? Uint8Array.of(1) : value.map((byte) => byte ^ 1);
      Object.assign(header, { [field]: other });
      const code = MISMATCH.includes(field)
        ? "HEADER_MISMATCH"
        : INVALID.includes(field)
          ? "HEADER_INVALID"
          : UNSUPPORTED.includes(field)
            ? "HEADER_UNSUPPORTED"
            : undefined;
      // everything else is what the transcript is for
      let expected: Fault[] = code === undefined ? allInvalid(CHUNKS) : [[code, `header.${field}`]];
      if (field === "beneficiary") {
        // the cell of another one is missing; this one's may be there, as steps may touch any account
        expected = (["balances", "accounts"] as const).map((list): Fault => ["CLAIM_COVER", `claims.cells.${list}`]);
      }
      await expectFaults({ ...proof, header: encodeHeader(header) }, replica, expected);
    }
  });
});

describe("transactions and identities", () => {
  const withTransactions = (change: (list: readonly Uint8Array[]) => readonly Uint8Array[]) => ({
    ...proof,
    transactions: change(proof.transactions),
  });

  test("reordered, dropped, duplicated, replaced", async () => {
    const [a, b, c, d] = proof.transactions as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    await expectFaults(
      withTransactions(() => [b, a, c, d]),
      replica,
      [
        ["CLAIM_COVER", "claims.transactions[0].slots"],
        ["CLAIM_COVER", "claims.transactions[1].slots"],
      ],
    );
    await expectFaults(
      withTransactions(() => [a, b, c]),
      replica,
      [["CLAIM_COVER", "claims.transactions"]],
    );
    await expectFaults(
      withTransactions(() => [a, b, c, c]),
      replica,
      [["TX_NONCE", "transactions[3].nonce"]],
    );
    await expectFaults(
      withTransactions(() => [a, b, c, d, d]),
      replica,
      [["CLAIM_COVER", "claims.transactions"]],
    );
    // signed by the same account, for another value
    const { trace } = await counterBlock(5);
    const other = (await transferOf(8)).transactions[3]!;
    expect(trace.transactions[3]).toEqual(d);
    await expectFaults(
      withTransactions(() => [a, b, c, other]),
      replica,
      [["HEADER_MISMATCH", "header.transactionsRoot"]],
    );
    // with everything claimed for it, down to the root
    const block = await transferOf(8);
    const fitted: BlockProof = {
      ...(await proveBlock(block, keys, { threads: 2 })).proof,
      chunks: proof.chunks,
    };
    await expectFaults(fitted, replica, allInvalid(CHUNKS));
  });

  /** The block with another value in its last transaction. */
  const transferOf = async (value: number) => (await counterBlock(5, value)).trace;

  test("on another chain", async () => {
    await expectFaults(
      proof,
      { ...replica, chainId: CHAIN_ID + 1n },
      proof.transactions.map((_, i) => ["TX_CHAIN_ID", `transactions[${i}].chainId`]),
    );
    // a block without transactions has the chain id in its transcript only, and no chunk to prove anything with
    const empty = await runScenario(loadScenario("empty"));
    const { proof: nothing } = await proveBlock(empty.trace, keys, { threads: 1 });
    const elsewhere = { ...(await replicaOf(empty, keys)), chainId: CHAIN_ID + 1n };
    expect((await verifyBlock(nothing, elsewhere)).valid).toBe(true);
  });

  test("for other keys, or keys that are not accepted", async () => {
    const flipped = altered(proof, ({ keySet }) => {
      keySet[31]! ^= 1;
    });
    await expectFaults(flipped, replica, [["BLOCK_KEY_SET", "keySet"]]);

    // the same keys in another order, and the same called secure, are other sets
    const { keySet } = keys;
    const others = [
      { ...keySet, keys: keySet.keys.toReversed() },
      { ...keySet, insecure: false },
    ].map((json) => parseKeySet(json, { allowInsecure: true }));
    for (const [i, other] of others.entries()) {
      await expectFaults(proof, { ...replica, keys: other }, [["BLOCK_KEY_SET", "keySet"]]);
      const renamed = { ...proof, keySet: new Uint8Array(Buffer.from(other.digest, "hex")) };
      const foreign = allInvalid(
        CHUNKS,
        i === 0 ? proof.chunks.map((_, j): Fault => ["CHUNK_COMMITMENT", `chunks[${j}].p`]) : [],
      );
      await expectFaults(renamed, { ...replica, keys: other }, foreign);
    }
    const refusal = { code: "KEYSET_INSECURE", where: "keySet.insecure" };
    expect(() => parseKeySet(keySet)).toThrow(expect.objectContaining(refusal));
    expect(() => parseKeySet(keySet, { digests: [keys.parsed().digest] })).toThrow(expect.objectContaining(refusal));
  });

  test("for keys of the same circuits that somebody else made", async () => {
    const folder = await temporaryFolder();
    try {
      const own = await makeKeys({ cache: await freshCache(folder.path("own")), layouts: SMALL });
      const renamed = { ...proof, keySet: new Uint8Array(Buffer.from(own.parsed().digest, "hex")) };
      await expectFaults(proof, { ...replica, keys: own.parsed() }, [["BLOCK_KEY_SET", "keySet"]]);
      const foreign = proof.chunks.map((_, i): Fault => ["CHUNK_COMMITMENT", `chunks[${i}].p`]);
      await expectFaults(renamed, { ...replica, keys: own.parsed() }, allInvalid(CHUNKS, foreign));
    } finally {
      await folder.remove();
    }
  });
});

describe("a sequencer that cheats", () => {
  let truth: BuiltBlock;
  beforeAll(() => {
    truth = blockRows(run.trace);
  });
  /** Rows and claims to be made false, and what is proved of them. */
  const attack = (change: (built: BuiltBlock) => void, from = run.trace) => {
    const built = blockRows(from);
    change(built);
    const { rows, claims } = built;
    return { truth, transactions: run.trace.transactions, rows, claims: { ...claims, preState: truth.preState } };
  };
  const claimSlot = (built: BuiltBlock, value: bigint) => {
    (built.claims.cells.slots[0] as { value: bigint }).value = value;
  };

  test("is accepted where it does not cheat", async () => {
    const { proof: honest } = await forge(
      keys,
      attack(() => {}),
    );
    expect((await verifyBlock(honest, replica)).faults).toEqual([]);
    expect(commitments(honest)).toEqual(commitments(proof));
  });

  test("a write of 9 where 8 is on the stack: the chunks are proved, the bus does not balance", async () => {
    const { proof: false9 } = await forge(
      keys,
      attack((built) => {
        edit(built.rows, "sstore", LAST, "newLo", () => 9n);
        claimSlot(built, 9n);
      }),
    );
    await expectFaults(false9, replica, [["BUS_UNBALANCED", "bus"]]);
  });

  test("7 + 1 = 9, all else as if it were so: the bus balances, the chunk cannot be proved", async () => {
    const wrongSum = attack((built) => {
      edit(built.rows, "add", LAST, "c0", () => 9n);
      edit(built.rows, "sstore", LAST, "newLo", () => 9n);
      claimSlot(built, 9n);
    });
    await expect(forge(keys, { ...wrongSum, selfCheck: true })).rejects.toMatchObject({ code: "WITNESS_UNSATISFIED" });
    const { proof: unproved } = await forge(keys, wrongSum);
    await expectFaults(unproved, replica, [["CHUNK_INVALID", `chunks[${LAST_CHUNK}]`]]);
  });

  test("PUSH 2 where the code says 1: every row is right, the code is not", async () => {
    const { proof: wrongCode } = await forge(
      keys,
      attack((built) => {
        edit(built.rows, "push", 3 * LAST + 1, "lo", () => 2n);
        edit(built.rows, "add", LAST, "aLo", () => 2n);
        edit(built.rows, "add", LAST, "c0", () => 9n);
        edit(built.rows, "sstore", LAST, "newLo", () => 9n);
        claimSlot(built, 9n);
      }),
    );
    await expectFaults(wrongCode, replica, [["BUS_UNBALANCED", "bus"]]);
  });

  test("an honest execution on another state, under the commitment of this one", async () => {
    const { proof: elsewhere } = await forge(
      keys,
      attack(() => {}, (await counterBlock(6)).trace),
    );
    await expectFaults(elsewhere, replica, [["BUS_UNBALANCED", "bus"]]);
  });

  describe("† that chooses a storage value after the challenge", () => {
    const { min, max } = { min: 0n, max: 1n << 128n };
    const within = (x: bigint) => x >= min && x < max;
    const [HI, LO] = [11, 12];
    let forged: Forged;
    /** Position of the message that takes the slot at the end. */
    let final: number;

    /** (hi, lo) below 2^128 with hi + beta·lo = y: a point of a lattice in a square. */
    function split(beta: bigint, y: bigint): [bigint, bigint] | undefined {
      type Vector = [bigint, bigint];
      const dot = (a: Vector, b: Vector) => a[0] * b[0] + a[1] * b[1];
      const round = (n: bigint, d: bigint) => {
        const [p, q] = d < 0n ? [-n, -d] : [n, d];
        const shifted = 2n * p + q;
        return shifted >= 0n ? shifted / (2n * q) : -((-shifted + 2n * q - 1n) / (2n * q));
      };
      // Gauss: the two shortest vectors with x + beta·y = 0 mod r
      let [u, v]: Vector[] = [
        [R, 0n],
        [mod(-beta), 1n],
      ] as [Vector, Vector];
      for (;;) {
        if (dot(u!, u!) < dot(v!, v!)) [u, v] = [v, u];
        const k = round(dot(u!, v!), dot(v!, v!));
        if (k === 0n) break;
        u = [u![0] - k * v![0], u![1] - k * v![1]];
      }
      const determinant = u![0] * v![1] - u![1] * v![0];
      // (y, 0) minus the lattice's point that brings it closest to the middle of the square
      const to: Vector = [y - max / 2n, -max / 2n];
      const a = round(to[0] * v![1] - to[1] * v![0], determinant);
      const b = round(u![0] * to[1] - u![1] * to[0], determinant);
      for (let i = a - 3n; i <= a + 3n; i++) {
        for (let j = b - 3n; j <= b + 3n; j++) {
          const [hi, lo] = [y - i * u![0] - j * v![0], -i * u![1] - j * v![1]];
          if (within(hi) && within(lo)) return [hi, lo];
        }
      }
      return undefined;
    }

    const power = (x: bigint, n: bigint): bigint => {
      let result = 1n;
      for (let base = x; n > 0n; n >>= 1n, base = (base * base) % R) if (n & 1n) result = (result * base) % R;
      return result;
    };
    const inverse = (x: bigint) => power(x, R - 2n);

    /** Of the messages, the transcript of a careless verifier sees all but the final value of the slot. */
    const careless = (input: TranscriptInput) => {
      const messages = input.messages.map((m) => {
        const isFinal = m.tag === "STORAGE" && m.multiplicity === -1n && m.coordinates[0] === finalTime;
        return isFinal ? { ...m, coordinates: m.coordinates.with(HI, 0n).with(LO, 0n) } : m;
      });
      return challenges({ ...input, messages });
    };
    let finalTime: bigint;

    test("is believed by a verifier that does not hash it, for any false write, and not by this one", async () => {
      const cheat = attack((built) => {
        edit(built.rows, "sstore", LAST, "newLo", () => 1_000_000n);
      });
      finalTime = cheat.claims.cells.slots[0]!.t;
      forged = await forge(keys, { ...cheat, draw: careless });
      const { drawn, messages, sums } = forged;
      final = messages.findIndex(
        (m) => m.tag === "STORAGE" && m.multiplicity === -1n && m.coordinates[0] === finalTime,
      );
      const cell = messages[final]!;

      // everything else on the bus, which 1/(alpha + f) of this one has to equal
      const rest = mod(busSum(messages.toSpliced(final, 1), drawn) + sums.reduce((x, y) => x + y, 0n));
      const { alpha, beta } = drawn;
      const empty = { ...cell, multiplicity: 1n, coordinates: cell.coordinates.with(HI, 0n).with(LO, 0n) };
      const base = mod(inverse(busSum([empty], drawn)) - alpha);
      const wanted = mod((inverse(rest) - alpha - base) * inverse(power(beta, BigInt(HI))));
      const [hi, lo] = split(beta, wanted)!;

      const chosen = { ...cell, coordinates: cell.coordinates.with(HI, hi).with(LO, lo) };
      const chunks = forged.proof.chunks.map(({ layout, proof: bytes }) => decodeChunkProof(bytes, layout));
      const total = busSum(messages.with(final, chosen), drawn) + sums.reduce((x, y) => x + y, 0n);
      expect(mod(total)).toBe(0n);
      expect(verifyChunks(keys.parsed(), drawn, chunks)).toEqual({ valid: true, invalid: [] });
      expect(careless({ ...transcriptOf(forged.proof, messages.with(final, chosen)) })).toEqual(drawn);

      const lie = altered(forged.proof, ({ claims }) => {
        claims.cells.slots[0]!.value = (hi << 128n) + lo;
      });
      await expectFaults(lie, replica, allInvalid(CHUNKS));
    });

    test("every claimed number and every commitment moves both challenges, or is refused before", () => {
      const honest = transcriptOf(proof, boundaryMessages(boundaryInput(truth, proof.claims)).value!.messages);
      const first = challenges(honest);
      const seen = new Set([first.alpha, first.beta]);
      let drawn = 1;
      const expectOther = (input: TranscriptInput, what: string) => {
        const { alpha, beta } = challenges(input);
        seen.add(alpha).add(beta);
        expect(seen.size, what).toBe(2 * ++drawn);
      };

      const refused: Record<string, Set<string>> = {};
      const names = new Set<string>();
      const visit = (value: unknown, path: string, put: (other: unknown) => BlockClaims): void => {
        if (typeof value === "bigint") {
          const name = path.replace(/\[\d+\]/g, "");
          names.add(name);
          const { value: boundary, faults } = boundaryMessages(boundaryInput(truth, put(value ^ 1n)));
          if (boundary === undefined) refused[name] = (refused[name] ?? new Set()).add(faults[0]!.code);
          else expectOther({ ...honest, messages: boundary.messages }, path);
        } else if (Array.isArray(value)) {
          for (const [i, entry] of value.entries()) {
            visit(entry, `${path}[${i}]`, (other) => put(value.with(i, other)));
          }
        } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
          for (const [key, entry] of Object.entries(value)) {
            visit(entry, path === "" ? key : `${path}.${key}`, (other) => put({ ...value, [key]: other }));
          }
        }
      };
      visit(proof.claims, "", (claims) => claims as BlockClaims);
      expect(Object.fromEntries(Object.entries(refused).map(([name, codes]) => [name, [...codes].sort()]))).toEqual({
        "transactions.senderNonce.nonce": ["TX_NONCE"],
        "transactions.accounts.lastTx": ["CLAIM_WARMTH"],
        "transactions.accounts.codeHash": ["CLAIM_CODE", "CLAIM_PRESENCE", "TX_SENDER_CODE"],
        "transactions.end.clk": ["CLAIM_LOOKUP"],
        "cells.balances.address": ["CLAIM_COVER"],
        "cells.nonces.address": ["CLAIM_COVER"],
        "cells.accounts.address": ["CLAIM_COVER"],
        "cells.slots.address": ["CLAIM_COVER"],
        "cells.slots.slot": ["CLAIM_COVER"],
        "lookups.code.code": ["CLAIM_LOOKUP", "CLAIM_ORDER"],
        "lookups.code.pc": ["CLAIM_ORDER"],
        "lookups.ctx.ctx": ["CLAIM_LOOKUP", "CLAIM_ORDER"],
        "lookups.ctx.field": ["CLAIM_LOOKUP"],
        "lookups.range.bits": ["CLAIM_LOOKUP", "CLAIM_ORDER"],
        "lookups.range.value": ["CLAIM_ORDER"],
        "lookups.range.multiplicity": ["CLAIM_RANGE"],
      });
      expect(names.size).toBe(52);
      // of most of them there are several
      expect(drawn).toBeGreaterThan(names.size);

      for (const [i, chunk] of honest.chunks.entries()) {
        const put = (other: Partial<typeof chunk>) => ({
          ...honest,
          chunks: honest.chunks.with(i, { ...chunk, ...other }),
        });
        expectOther(put({ layout: chunk.layout + 1 }), `chunk ${i}: layout`);
        for (const field of ["d", "p"] as const) {
          for (const at of [0, 1, 31]) {
            expectOther(put({ [field]: chunk[field].with(at, chunk[field][at]! ^ 1) }), `chunk ${i}: ${field}[${at}]`);
          }
        }
      }
      expectOther({ ...honest, chainId: 1n }, "chain id");
      for (const field of ["keySet", "preState", "header"] as const) {
        // the header's fields one by one: above
        for (const at of [0, 1, honest[field].length - 1]) {
          expectOther({ ...honest, [field]: honest[field].with(at, honest[field][at]! ^ 1) }, `${field}[${at}]`);
        }
      }
    });
  });
});

describe("noise", () => {
  let bytes: Uint8Array;
  let other: Replica;
  beforeAll(async () => {
    const stop = await stopBlock();
    ({ bytes } = await proveBlock(stop.trace, keys, { threads: 2 }));
    other = await replicaOf(stop, keys);
    expect((await verifyBlock(bytes, other)).valid).toBe(true);
  });
  /** Longer than any verification of a block of one chunk takes. */
  const HANG = 10_000;
  const expectRefused = async (noise: Uint8Array, what: string) => {
    const started = performance.now();
    const { valid, faults } = await verifyBlock(noise, other);
    expect(valid, what).toBe(false);
    expect(faults.length, what).toBeGreaterThan(0);
    expect(performance.now() - started, what).toBeLessThan(HANG);
  };
  /** Numerical Recipes' generator: the same noise every time. */
  let state = 1;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };

  test("a proof cut off anywhere is refused", async () => {
    for (let length = 0; length < bytes.length; length++) {
      await expectRefused(bytes.subarray(0, length), `${length} bytes`);
    }
  });

  test("hundreds of flipped bits, lost, doubled and foreign bytes are refused", async () => {
    for (let i = 0; i < 240; i++) {
      const [at, bit] = [random(bytes.length), random(8)];
      // both signs of A and B together would do; one of them never does
      await expectRefused(bytes.with(at, bytes[at]! ^ (1 << bit)), `byte ${at}, bit ${bit}`);
    }
    for (let i = 0; i < 60; i++) {
      const [from, length] = [random(bytes.length), 1 + random(40)];
      const [head, piece, tail] = [bytes.slice(0, from), bytes.slice(from, from + length), bytes.slice(from + length)];
      const noise = Uint8Array.from({ length: piece.length }, () => random(256));
      for (const [what, pieces] of Object.entries({
        lost: [head, tail],
        doubled: [head, piece, piece, tail],
        foreign: [head, noise, tail],
      })) {
        const damaged = new Uint8Array(Buffer.concat(pieces));
        if (Buffer.compare(damaged, bytes) === 0) continue;
        await expectRefused(damaged, `${what}: ${length} bytes at ${from}`);
      }
    }
  });
});
