/**
 * Blocks that call the contracts in test/contracts, as solc compiles them.
 *
 * @module
 */

// @ts-expect-error a script without types
import * as scripts from "../../scripts/contracts/scenarios.mjs";
import { loadScenario, type Scenario } from "../../src/trace/scenarios.js";

/** What a transaction is to do; the signatures are those of Solidity. */
export interface ExpectedCall {
  /** Empty for a call without calldata. */
  readonly signature: string;
  /** `ok`, the signature of an error, `REVERT` without data, or `HALT`, an exceptional one. */
  readonly end: string;
}

/** A scenario and what is to come out. The contract's name among the addresses is `contract`. */
export interface ContractScenario {
  readonly scenario: Scenario;
  /** One for each transaction. */
  readonly calls: readonly ExpectedCall[];
}

/** The names that {@link contractScenario} knows. */
export const CONTRACT_SCENARIOS: readonly string[] = scripts.CONTRACT_SCENARIOS;

/** The calls of one contract, all of them or those that are kept. */
export async function contractScenario(
  name: string,
  keep: (call: number) => boolean = () => true,
): Promise<ContractScenario> {
  const { json, calls } = await scripts.contractScenario(name);
  const kept = <T>(list: readonly T[]): T[] => list.filter((_, i) => keep(i));
  return loaded({ json: { ...json, transactions: kept(json.transactions) }, calls: kept(calls) });
}

/** A block of so many transfers of an ERC-20 token. */
export async function tokenTransfers(count: number): Promise<ContractScenario> {
  return loaded(await scripts.tokenTransfers(count));
}

function loaded({ json, calls }: { json: object; calls: readonly ExpectedCall[] }): ContractScenario {
  return { scenario: loadScenario(JSON.stringify(json)), calls };
}
