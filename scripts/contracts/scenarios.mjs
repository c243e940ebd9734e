/**
 * Scenarios with the contracts of test/contracts, in the JSON that `chunkproof trace` and `loadScenario` read: contracts as
 * their constructors leave them, and calls that succeed and fail in their ways.
 *
 * @module
 */

import { createAddressFromPrivateKey, hexToBytes } from "@ethereumjs/util";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { encodeArguments, encodeCall, selectorOf } from "./abi.mjs";
import { deploy } from "./solidity.mjs";

/** @typedef {import("./abi.mjs").Value} Value */

/**
 * A call of the contract.
 *
 * @typedef {object} Call
 * @property {string} from name of an account
 * @property {string} signature e.g. `transfer(address,uint256)`; empty for a call without calldata
 * @property {readonly Value[]} values
 * @property {string} [end] default `ok`; else the signature of the error it reverts with (`Error(string)`, `Panic(uint256)`,
 *   a custom one), `REVERT` without data, or `HALT`, an exceptional one
 * @property {number} [gas] gas limit, default 200,000
 * @property {bigint} [value] wei
 * @property {0 | 1 | 2} [type] default 2
 * @property {readonly string[]} [slots] of the contract, in the access list; type 1 or 2
 */

/**
 * A scenario and what is to come out.
 *
 * @typedef {object} ContractScenario
 * @property {object} json for `loadScenario`, as text; the contract's name in it is `contract`
 * @property {readonly Required<Pick<Call, "signature" | "end">>[]} calls one for each transaction
 */

const ETHER = 10n ** 18n;
const COINBASE = "0xc0ffee0000000000000000000000000000000000";
const DEADLINE = 1_800_000_000n;
const DEFAULT_GAS = 200_000;

const hex = (/** @type {Uint8Array} */ bytes) =>
  /** @type {`0x${string}`} */ (`0x${Buffer.from(bytes).toString("hex")}`);
const keccak = (/** @type {`0x${string}`} */ digits) => hex(keccak_256(hexToBytes(digits)));

/** Accounts with keys that everybody knows. */
const PEOPLE = ["alice", "bob", "carol", "dave", "erin", "frank"].map((name) => {
  const key = keccak_256(new TextEncoder().encode(`chunkproof contracts ${name}`));
  return { name, key: hex(key), balance: String(10n * ETHER) };
});
/** Addresses of {@link PEOPLE} by name. */
const people = Object.fromEntries(
  PEOPLE.map(({ name, key }) => [name, createAddressFromPrivateKey(hexToBytes(key)).toString()]),
);
const { alice, bob, carol, dave, erin } = /** @type {Record<string, string>} */ (people);
const NOBODY = "0x00000000000000000000000000000000000abcde";
const ZERO = "0x0000000000000000000000000000000000000000";

/**
 * @param {string} contract name in test/contracts
 * @param {readonly Value[]} values of its constructor
 * @param {readonly Call[]} calls
 * @returns {Promise<ContractScenario>}
 */
async function scenario(contract, values, calls) {
  const deployed = await deploy(contract, values);
  return {
    json: {
      name: contract,
      block: { timestamp: 1_700_000_000, coinbase: COINBASE, prevRandao: `0x${"5a".repeat(32)}` },
      accounts: [...PEOPLE, { name: "contract", nonce: 1, ...deployed }],
      transactions: calls.map(({ from, signature, values, gas = DEFAULT_GAS, value = 0n, type = 2, slots }) => ({
        from,
        to: "contract",
        type,
        data: signature === "" ? "0x" : encodeCall(signature, values),
        gas,
        value: String(value),
        ...(slots === undefined ? {} : { accessList: [{ address: "contract", storageKeys: slots }] }),
      })),
    },
    calls: calls.map(({ signature, end = "ok" }) => ({ signature, end })),
  };
}

/** @typedef {Omit<Call, "from" | "signature" | "values">} Options */
/** @param {string} from @param {string} signature @param {readonly Value[]} values @param {Options} [options] @returns {Call} */
const call = (from, signature, values = [], options = {}) => ({ from, signature, values, ...options });

const TRANSFER = "transfer(address,uint256)";
const TRANSFER_FROM = "transferFrom(address,address,uint256)";
const APPROVE = "approve(address,uint256)";
const HOLDERS = [alice, bob, carol, dave];

/** An ERC-20 token: @param {string} contract @param {Record<string, string>} errors of the implementation */
const token = (contract, errors) => () =>
  scenario(
    contract,
    [HOLDERS, 1_000_000n * ETHER],
    [
      call("alice", TRANSFER, [bob, 5n * ETHER], { type: 0 }),
      // to an account that has none yet, then all there is, so that a slot is cleared
      call("bob", TRANSFER, [NOBODY, 1n]),
      call("dave", TRANSFER, [carol, 1_000_000n * ETHER]),
      call("carol", TRANSFER, [carol, 7n]),
      call("erin", TRANSFER, [bob, 0n]),
      call("alice", TRANSFER, [bob, 1_000_001n * ETHER], { end: errors.balance }),
      ...(errors.receiver === undefined ? [] : [call("alice", TRANSFER, [ZERO, 1n], { end: errors.receiver })]),
      call("alice", APPROVE, [bob, 100n]),
      call("bob", TRANSFER_FROM, [alice, erin, 60n], { type: 1, slots: ["0x2", "0x77"] }),
      call("bob", TRANSFER_FROM, [alice, erin, 60n], { end: errors.allowance }),
      call("carol", APPROVE, [bob, (1n << 256n) - 1n]),
      call("bob", TRANSFER_FROM, [carol, erin, 3n]),
      call("alice", "balanceOf(address)", [bob]),
      call("alice", "name()"),
      // enough for the first of two writes
      call("alice", TRANSFER, [erin, 1n], { gas: 32_000, end: "HALT" }),
      call("alice", TRANSFER, [erin, 1n], { gas: 22_000, end: "HALT" }),
      call("alice", "mint(uint256)", [1n], { end: "REVERT" }),
      call("alice", TRANSFER, [bob, 1n], { value: 1n, end: "REVERT" }),
    ],
  );

const LEAVES = 8;

/** A tree over leaves (index, address, amount), hashed in sorted pairs. */
function merkleTree() {
  const accounts = [alice, bob, carol, dave, erin, NOBODY, COINBASE, NOBODY];
  const amounts = accounts.map((_, i) => BigInt(1000 + i));
  const leaf = (/** @type {number} */ i) =>
    keccak(
      keccak(
        encodeArguments(["uint256", "address", "uint256"], [i, /** @type {string} */ (accounts[i]), amounts[i] ?? 0n]),
      ),
    );
  /** @type {(`0x${string}`)[][]} */
  const levels = [Array.from({ length: LEAVES }, (_, i) => leaf(i))];
  for (let level = levels[0] ?? []; level.length > 1; ) {
    /** @type {(`0x${string}`)[]} */
    const next = [];
    for (let i = 0; i < level.length; i += 2) {
      const pair = [level[i], level[i + 1]].sort();
      next.push(keccak(`0x${pair.map((node) => node?.slice(2)).join("")}`));
    }
    levels.push(next);
    level = next;
  }
  /** Siblings from the given level up. */
  const proof = (/** @type {number} */ i, from = 0) =>
    levels.slice(from, -1).map((level, j) => /** @type {`0x${string}`} */ (level[(i >> (from + j)) ^ 1]));
  return { accounts, amounts, proof, root: /** @type {`0x${string}`} */ (levels.at(-1)?.[0]) };
}

const CLAIM = "claim(uint256,uint256,bytes32[])";

function merkle() {
  const { accounts, amounts, proof, root } = merkleTree();
  const pick = (/** @type {readonly Value[]} */ list, /** @type {readonly number[]} */ at) =>
    at.map((i) => /** @type {Value} */ (list[i]));
  const many = (/** @type {readonly number[]} */ at, /** @type {readonly Value[]} */ nodes) => [
    at,
    pick(accounts, at),
    pick(amounts, at),
    nodes,
    [true, false, false],
  ];
  const CLAIM_MANY = "claimMany(uint256[],address[],uint256[],bytes32[],bool[])";
  return scenario(
    "Airdrop",
    [root],
    [
      call("alice", CLAIM, [0n, 1000n, proof(0)]),
      call("alice", CLAIM, [0n, 1000n, proof(0)], { end: "Error(string)" }),
      call("erin", CLAIM, [4n, 1004n, proof(4)]),
      call("bob", CLAIM, [1n, 1002n, proof(1)], { end: "NotInTree(bytes32)" }),
      call("bob", CLAIM, [1n, 1001n, proof(2)], { end: "NotInTree(bytes32)" }),
      call("bob", CLAIM, [1n, 1001n, []], { end: "NotInTree(bytes32)" }),
      call("frank", CLAIM_MANY, many([2, 3], proof(2, 1))),
      call("frank", CLAIM_MANY, many([6, 7], proof(2, 1)), { end: "NotInTree(bytes32)" }),
      call("frank", CLAIM_MANY, many([6, 7], []), { end: "MerkleProofInvalidMultiproof()" }),
      call("alice", "leafOf(uint256,address,uint256)", [0n, alice, 1000n]),
      call("alice", "root()"),
    ],
  );
}

const LONG = "The quick brown fox jumps over the lazy dog, and then over it once more because it was fun.";
const text = (/** @type {string} */ letters) => hex(new TextEncoder().encode(letters));

/** @type {Readonly<Record<string, () => Promise<ContractScenario>>>} */
const SCENARIOS = {
  erc20: token("Token", {
    balance: "ERC20InsufficientBalance(address,uint256,uint256)",
    receiver: "ERC20InvalidReceiver(address)",
    allowance: "ERC20InsufficientAllowance(address,uint256,uint256)",
  }),
  erc721: () =>
    scenario(
      "Collectible",
      [alice, [alice, bob, bob, carol]],
      [
        call("alice", TRANSFER_FROM, [alice, dave, 0n]),
        call("bob", APPROVE, [carol, 1n], { type: 1, slots: ["0x3"] }),
        call("carol", TRANSFER_FROM, [bob, carol, 1n]),
        call("bob", "setApprovalForAll(address,bool)", [erin, true]),
        call("erin", TRANSFER_FROM, [bob, erin, 2n]),
        // a recipient without code is not called
        call("erin", "safeTransferFrom(address,address,uint256)", [erin, alice, 2n]),
        call("dave", TRANSFER_FROM, [carol, dave, 3n], { end: "ERC721InsufficientApproval(address,uint256)" }),
        call("carol", TRANSFER_FROM, [bob, dave, 3n], { end: "ERC721IncorrectOwner(address,uint256,address)" }),
        call("carol", TRANSFER_FROM, [carol, ZERO, 3n], { end: "ERC721InvalidReceiver(address)" }),
        call("carol", TRANSFER_FROM, [carol, dave, 9n], { end: "ERC721NonexistentToken(uint256)" }),
        call("alice", "mint(address)", [erin]),
        call("bob", "mint(address)", [erin], { end: "OwnableUnauthorizedAccount(address)" }),
        call("carol", "burn(uint256)", [3n]),
        call("erin", "tokenURI(uint256)", [4n]),
        call("alice", "supportsInterface(bytes4)", [selectorOf("supportsInterface(bytes4)")]),
        call("dave", TRANSFER_FROM, [dave, bob, 0n], { gas: 40_000, end: "HALT" }),
      ],
    ),
  swap: () => {
    const SWAP = "swap(bool,uint256,uint256,uint256)";
    const BALANCE = "InsufficientBalance(address,bool,uint256,uint256)";
    return scenario(
      "Swap",
      [[alice, bob], 10_000n * ETHER, 1_000n * ETHER, 2_000_000n * ETHER],
      [
        call("alice", SWAP, [false, ETHER, 1990n * ETHER, DEADLINE]),
        call("bob", SWAP, [true, 5000n * ETHER, 0n, DEADLINE], { type: 0 }),
        call("bob", SWAP, [false, ETHER, 3000n * ETHER, DEADLINE], { end: "Error(string)" }),
        call("bob", SWAP, [false, ETHER, 0n, 1_600_000_000n], { end: "Expired(uint256,uint256)" }),
        call("carol", SWAP, [false, ETHER, 0n, DEADLINE], { end: BALANCE }),
        call("bob", SWAP, [false, 0n, 0n, DEADLINE], { end: "Error(string)" }),
        call("bob", SWAP, [false, 1n << 255n, 0n, DEADLINE], { end: "Panic(uint256)" }),
        call("bob", "addLiquidity(uint256,uint256)", [ETHER, 2500n * ETHER]),
        call("bob", "addLiquidity(uint256,uint256)", [ETHER, 0n], { end: "REVERT" }),
        call("alice", "removeLiquidity(uint256)", [10n * ETHER]),
        call("carol", "removeLiquidity(uint256)", [ETHER], { end: "Panic(uint256)" }),
        call("alice", "quote(bool,uint256)", [true, 12345n]),
        call("alice", SWAP, [false, ETHER, 0n, DEADLINE], { gas: 40_000, end: "HALT" }),
      ],
    );
  },
  staking: () =>
    scenario(
      "Staking",
      [alice, 77n * 10n ** 15n, 1_699_999_000n, [alice, bob, carol], 1_000_000n * ETHER],
      [
        call("bob", "claim()"),
        call("bob", "claim()", [], { end: "Error(string)" }),
        call("dave", "stake(uint128)", [12345n * ETHER]),
        call("carol", "withdraw(uint128)", [1_000_000n * ETHER], { type: 0 }),
        call("carol", "claim()"),
        call("carol", "withdraw(uint128)", [1n], { end: "NotStaked(uint256,uint256)" }),
        call("alice", "setRate(uint256)", [3n]),
        call("bob", "setRate(uint256)", [3n], { end: "OwnableUnauthorizedAccount(address)" }),
        call("bob", "stake(uint128)", [(1n << 128n) - 1n], { end: "Panic(uint256)" }),
        call("alice", "pause()"),
        call("bob", "stake(uint128)", [1n], { end: "EnforcedPause()" }),
        call("alice", "stakes(address)", [bob]),
        call("alice", "withdraw(uint128)", [1n], { gas: 45_000, end: "HALT" }),
      ],
    ),
  merkle,
  text: () =>
    scenario(
      "Text",
      [LONG],
      [
        call("alice", "numbers(uint256,int256,address)", [(1n << 256n) - 1n, -(1n << 255n), alice]),
        call("alice", "reverse()", [], { gas: 500_000 }),
        call("bob", "join(string[],string)", [["one", "two", LONG, "", "four"], ", "], { gas: 400_000 }),
        // a long string becomes a short one: slots are cleared
        call("bob", "join(string[],string)", [["a", "b"], ""]),
        call("alice", "slice(bytes,uint256,uint256)", [text(LONG), 3n, 75n]),
        call("alice", "slice(bytes,uint256,uint256)", [text(LONG), 3n, 300n], { end: "REVERT" }),
        call("carol", "upper(string)", [LONG]),
        call("carol", "find(string,bytes1)", [LONG, "0x71"]),
        call("carol", "find(string,bytes1)", ["abc", "0x7a"], { end: "NotFound(string,bytes1)" }),
        call("dave", "say(string,string,uint64,bytes3,bool)", ["topic", LONG, 77n, "0xabcdef", true]),
        call("dave", "say(string,string,uint64,bytes3,bool)", ["topic", LONG, 77n, "0xabcdef", true], {
          end: "Error(string)",
        }),
        call("dave", "encode(bytes)", [text("hi")]),
        call("dave", "parse(string)", ["1234567890"]),
        call("dave", "parse(string)", ["12x4"], { end: "StringsInvalidChar()" }),
        call("dave", "stored()"),
        call("dave", "upper(string)", [LONG], { gas: 27_000, end: "HALT" }),
      ],
    ),
  assembly: async () => {
    const { json, calls } = await token("Assembly", {
      balance: "InsufficientBalance()",
      allowance: "InsufficientAllowance()",
    })();
    const more = await scenario(
      "Assembly",
      [HOLDERS, 1_000_000n * ETHER],
      [
        call("erin", "wad(int256,uint256,uint256)", [-3n * ETHER, 123n * ETHER, 7n * ETHER]),
        call("erin", "wad(int256,uint256,uint256)", [200n * ETHER, 1n, 1n], { end: "ExpOverflow()" }),
        call("erin", "roots(uint256,uint256,uint256)", [(1n << 255n) + 12345n, 10n ** 40n, (1n << 200n) + 235n], {
          gas: 400_000,
        }),
        call("erin", "roots(uint256,uint256,uint256)", [1n << 255n, 1n << 200n, 3n], { end: "FullMulDivFailed()" }),
        call("erin", "sort(uint256[])", [[5n, (1n << 256n) - 1n, 0n, 5n, 3n, 99n, 1n << 128n, 17n]], { gas: 400_000 }),
        call("erin", "write(uint256,address,string)", [(1n << 256n) - 1n, bob, " is the number of "], { gas: 400_000 }),
      ],
    );
    return {
      json: {
        ...json,
        transactions: [.../** @type {any} */ (json).transactions, .../** @type {any} */ (more.json).transactions],
      },
      calls: [...calls, ...more.calls],
    };
  },
  loops: () =>
    scenario(
      "Loops",
      [],
      [
        call("alice", "sieve(uint256)", [400n], { gas: 1_000_000 }),
        call("bob", "mix(uint256,uint256)", [100n, 12345n], { gas: 1_000_000 }),
        call("carol", "matrix(uint256,uint256)", [5n, 3n], { gas: 1_000_000 }),
        call("alice", "divide(uint256,uint256)", [100n, 7n]),
        call("alice", "divide(uint256,uint256)", [100n, 0n], { end: "Panic(uint256)" }),
        call("alice", "at(uint256[3],uint256)", [[5n, 6n, 7n], 2n]),
        call("alice", "at(uint256[3],uint256)", [[5n, 6n, 7n], 3n], { end: "Panic(uint256)" }),
        call("alice", "sieve(uint256)", [400n], { gas: 100_000, end: "HALT" }),
      ],
    ),
  facts: () =>
    scenario(
      "Facts",
      [42n],
      [
        call("alice", "", [], { value: 5n }),
        call("alice", "chain()", [], { value: ETHER }),
        ...[bob, COINBASE, "0xdeaddeaddeaddeaddeaddeaddeaddeaddeaddead"].map((of) =>
          call("bob", "other(address)", [of]),
        ),
        ...[
          "REVERT",
          "Error(string)",
          "Panic(uint256)",
          "HALT",
          "HALT",
          "HALT",
          undefined,
          "ok",
          "ok",
          "ok",
          "HALT",
        ].flatMap((end, i) =>
          end === undefined ? [] : [call("carol", "fail(uint256)", [i], { end, value: 3n, gas: 90_000 })],
        ),
        call("carol", "fail(uint256)", [11n]),
        call("carol", "nothing()", [], { end: "REVERT" }),
      ],
    ),
};

/** The names that {@link contractScenario} knows. */
export const CONTRACT_SCENARIOS = Object.keys(SCENARIOS);

/**
 * The calls of one contract as a scenario.
 *
 * @param {string} name one of {@link CONTRACT_SCENARIOS}
 * @returns {Promise<ContractScenario>}
 */
export async function contractScenario(name) {
  const make = SCENARIOS[name];
  if (make === undefined) throw new Error(`no such scenario: ${name} (there are ${CONTRACT_SCENARIOS.join(", ")})`);
  return make();
}

/**
 * A block of transfers of the OpenZeppelin token among six accounts, all of which have some.
 *
 * @param {number} count
 * @returns {Promise<ContractScenario>}
 */
export async function tokenTransfers(count) {
  const names = Object.keys(people);
  const calls = Array.from({ length: count }, (_, i) => {
    const to = /** @type {string} */ (people[names[(5 * i + 1 + Math.floor(i / 6)) % 6] ?? ""]);
    return call(names[i % 6] ?? "", TRANSFER, [to, BigInt(i + 1) * 10n ** 15n], { gas: 100_000 });
  });
  return scenario("Token", [Object.values(people), 1_000_000n * ETHER], calls);
}
