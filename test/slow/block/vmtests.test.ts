/**
 * `ethereum/tests` GeneralStateTests/VMTests as direct transactions under `check`: each is proved right, or refused with a
 * reason.
 */

import { describe, expect, it } from "vitest";
import { Sequencer, signTransaction, validateTrace } from "../../../src/trace/index.js";
import { ChunkproofError } from "../../../src/verifier/errors.js";
import { expectHonest } from "../../support/blocks.js";
import { ABSENT, lift, type VmCase, vmCases } from "../../support/vmtests.js";

/** Steps beyond this are what the cases of vmPerformance do; blocks so long are tested elsewhere. */
const MAX_GAS = 1_500_000n;

/** What became of a case: `right`, or why it is refused. */
async function outcome(vmCase: VmCase): Promise<string> {
  const { to, data, gas, value, genesis, header, secretKey } = await lift(vmCase);
  const sequencer = await Sequencer.create({ chainId: 1n, genesis, header });
  const gasLimit = 21_000n + 16n * BigInt(data.length) + (gas < MAX_GAS ? gas : MAX_GAS);
  const tx = { type: 0, to, data, value, gasLimit, gasPrice: 10n ** 9n } as const;
  try {
    const block = await sequencer.buildBlock([signTransaction(tx, 1n, secretKey)]);
    await validateTrace(block.trace);
    await expectHonest(block, { sample: 8 });
    return "right";
  } catch (error) {
    if (error instanceof ChunkproofError) return `${error.code}: ${error.got ?? error.message}`;
    throw error;
  }
}

describe.skipIf(ABSENT !== undefined)(
  `VMTests of ethereum/tests${ABSENT === undefined ? "" : `, skipped: ${ABSENT}`}`,
  () => {
    const outcomes = new Map<string, string[]>();
    for (const [title, cases] of ABSENT === undefined ? vmCases() : []) {
      it(title, { timeout: 300_000 }, async () => {
        for (const vmCase of cases) {
          const result = await outcome(vmCase).catch((cause: unknown) => {
            throw new Error(vmCase.name, { cause });
          });
          outcomes.set(result, [...(outcomes.get(result) ?? []), vmCase.name]);
        }
      });
    }

    it("are nearly all proved right", () => {
      for (const [result, names] of outcomes) console.log(`${names.length} ${result}`);
      const count = [...outcomes.values()].reduce((sum, names) => sum + names.length, 0);
      expect(count).toBe(651);
    });
  },
);
