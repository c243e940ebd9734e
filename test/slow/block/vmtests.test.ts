/**
 * `ethereum/tests` GeneralStateTests/VMTests as direct transactions under `check`: each is proved right, or refused with a
 * reason.
 */

import { describe, expect, it } from "vitest";
import { Sequencer, signTransaction, validateTrace } from "../../../src/trace/index.js";
import { ChunkproofError } from "../../../src/verifier/errors.js";
import { expectHonest } from "../../support/blocks.js";
import { ABSENT, lift, type VmCase, vmCases } from "../../support/vmtests.js";

/** More than nearly all cases need. Those of vmPerformance loop for as long as there is gas: a few rounds of them will do. */
const MAX_GAS = { vmPerformance: 15_000n, other: 300_000n };

/** What became of a case: `right`, or why it is refused. */
async function outcome(vmCase: VmCase): Promise<string> {
  const { to, data, gas, value, genesis, header, secretKey } = await lift(vmCase);
  const sequencer = await Sequencer.create({ chainId: 1n, genesis, header });
  const most = vmCase.name.startsWith("vmPerformance") ? MAX_GAS.vmPerformance : MAX_GAS.other;
  const gasLimit = 21_000n + 16n * BigInt(data.length) + (gas < most ? gas : most);
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

    it("are all proved right, but for those that call or destroy", () => {
      const counts = Object.fromEntries([...outcomes].map(([result, names]) => [result, names.length]));
      expect(counts).toEqual({
        right: 645,
        "TRACE_UNSUPPORTED_OPCODE: CALL": 3,
        "TRACE_UNSUPPORTED_OPCODE: SELFDESTRUCT": 3,
      });
    });
  },
);
