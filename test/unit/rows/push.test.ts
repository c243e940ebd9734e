import { assignPush, push } from "../../../src/rows/push.js";
import { EDGE_WORDS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";

describeRow({
  template: push,
  cost: 34,
  samples: () => [
    sampleOf(push, "PUSH0", [], (m) => assignPush(m, 0, 0n)),
    ...EDGE_WORDS.map((word) => sampleOf(push, `PUSH32 ${word}`, [7n, 8n], (m) => assignPush(m, 32, word))),
  ],
});
