/**
 * `ethereum/tests` GeneralStateTests/VMTests as direct transactions. There, a contract calls the one that is tested: here the
 * called code, its account and the calldata of that call are lifted into a transaction of their own.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createBlock } from "@ethereumjs/block";
import type { EVM, InterpreterStep } from "@ethereumjs/evm";
import { MerkleStateManager } from "@ethereumjs/statemanager";
import { createTxFromRLP } from "@ethereumjs/tx";
import { createAccount, createAddressFromString, hexToBytes, setLengthLeft } from "@ethereumjs/util";
import { createVM } from "@ethereumjs/vm";
import type { GenesisAccount, SequencerOptions } from "../../src/trace/ethereumjs.js";
import type { Hex } from "../../src/trace/read.js";
import { cancun } from "../../src/trace/transaction.js";

const FOLDER = fileURLToPath(
  new URL("../../../shared/vectors/ethereum-tests/GeneralStateTests/VMTests", import.meta.url),
);

/** Why the tests can't run here, if they can't. */
export const ABSENT: string | undefined = existsSync(FOLDER)
  ? undefined
  : "ethereum/tests is not at ../shared/vectors/ethereum-tests";

interface FileCase {
  readonly env: Readonly<Record<string, Hex>>;
  readonly pre: Readonly<Record<Hex, { balance: Hex; nonce: Hex; code: Hex; storage: Readonly<Record<Hex, Hex>> }>>;
  readonly transaction: { readonly secretKey: Hex };
  readonly post: {
    readonly Cancun: readonly { readonly txbytes: Hex; readonly indexes: Readonly<Record<string, number>> }[];
  };
}

/** One case of a file. */
export interface VmCase {
  /** E.g. `vmArithmeticTest/exp data 3, gas 0, value 0`. */
  readonly name: string;
  readonly file: FileCase;
  readonly raw: Hex;
}

/** All cases, by file. */
export function vmCases(): Map<string, VmCase[]> {
  const cases = new Map<string, VmCase[]>();
  for (const folder of readdirSync(FOLDER).sort()) {
    for (const name of readdirSync(join(FOLDER, folder)).sort()) {
      const files = JSON.parse(readFileSync(join(FOLDER, folder, name), "utf8")) as Record<string, FileCase>;
      const title = `${folder}/${name.replace(".json", "")}`;
      const list = Object.values(files).flatMap((file) =>
        file.post.Cancun.map(({ txbytes, indexes }) => {
          const which = Object.entries(indexes).map(([key, i]) => `${key} ${i}`);
          return { name: `${title} ${which.join(", ")}`, file, raw: txbytes };
        }),
      );
      cases.set(title, list);
    }
  }
  return cases;
}

/** The transaction that runs the tested code directly. */
export interface Lifted {
  readonly to: Hex;
  readonly data: Uint8Array;
  /** What the call was given, as far as it has so much. */
  readonly gas: bigint;
  readonly value: bigint;
  readonly genesis: readonly GenesisAccount[];
  readonly header: NonNullable<SequencerOptions["header"]>;
  readonly secretKey: Uint8Array;
}

/** Opcodes that call, and where the size of what they hand over lies on the stack, with the offset above it. */
const CALLS: Readonly<Record<string, number>> = { CALL: 5, CALLCODE: 5, DELEGATECALL: 4, STATICCALL: 4 };

/** The first call of the transaction: what it runs, and on which data. */
export async function lift({ file, raw }: VmCase): Promise<Lifted> {
  const common = cancun(1n);
  const stateManager = new MerkleStateManager({ common });
  for (const [address, { balance, nonce, code, storage }] of Object.entries(file.pre)) {
    const key = createAddressFromString(address);
    await stateManager.putAccount(key, createAccount({ nonce: BigInt(nonce), balance: BigInt(balance) }));
    if (code !== "0x") await stateManager.putCode(key, hexToBytes(code));
    for (const [slot, value] of Object.entries(storage)) {
      await stateManager.putStorage(key, setLengthLeft(hexToBytes(slot as Hex), 32), hexToBytes(value));
    }
  }
  const vm = await createVM({ common, stateManager });
  const { env } = file;
  const block = createBlock(
    {
      header: {
        number: BigInt(env.currentNumber!),
        gasLimit: 2n ** 63n,
        timestamp: BigInt(env.currentTimestamp!),
        coinbase: env.currentCoinbase!,
        baseFeePerGas: BigInt(env.currentBaseFee!),
        mixHash: env.currentRandom!,
        excessBlobGas: 0n,
        blobGasUsed: 0n,
        parentBeaconBlockRoot: `0x${"00".repeat(32)}`,
      },
      withdrawals: [],
    },
    { common },
  );
  const tx = createTxFromRLP(hexToBytes(raw), { common });
  let to = tx.to!.toString() as Hex;
  let called = to;
  let data: Uint8Array = tx.data;
  let gas = tx.gasLimit;
  let value = tx.value;
  let found = false;
  const watch = ({ opcode, depth, stack, memory }: InterpreterStep, next?: (error?: Error) => void) => {
    const operands = CALLS[opcode.name];
    if (!found && depth === 0 && operands !== undefined) {
      found = true;
      const [inSize, inOffset] = stack.slice(-operands) as [bigint, bigint];
      called = `0x${BigInt.asUintN(160, stack.at(-2)!).toString(16).padStart(40, "0")}`;
      if (opcode.name === "CALL") {
        to = called;
        value = stack.at(-3)!;
      }
      gas = stack.at(-1)! < gas ? stack.at(-1)! : gas;
      const bytes = memory.slice(Number(inOffset), Number(inOffset + inSize));
      data = new Uint8Array(Number(inSize));
      data.set(bytes);
    }
    next?.();
  };
  (vm.evm as EVM).events.on("step", watch);
  // enough gas to get to the call; whatever happens then is of no interest
  const caller = tx.getSenderAddress();
  await vm.evm.runCall({
    caller,
    origin: caller,
    to: tx.to!,
    data: tx.data,
    value: tx.value,
    gasLimit: 200_000n,
    block,
  });
  return {
    to,
    data,
    gas,
    value,
    genesis: Object.entries(file.pre).map(([address, { balance, nonce, code, storage }]) => ({
      address: address as Hex,
      nonce: BigInt(nonce),
      balance: BigInt(balance) + 10n ** 18n,
      // a DELEGATECALL runs another account's code as this one
      code: hexToBytes(address === to ? (file.pre[called]?.code ?? "0x") : code),
      storage: Object.entries(storage).map(([slot, value]) => [BigInt(slot), BigInt(value)] as const),
    })),
    header: {
      coinbase: env.currentCoinbase!,
      timestamp: BigInt(env.currentTimestamp!),
      gasLimit: BigInt(env.currentGasLimit!),
      prevRandao: env.currentRandom!,
      baseFeePerGas: BigInt(env.currentBaseFee!),
    },
    secretKey: hexToBytes(file.transaction.secretKey),
  };
}
