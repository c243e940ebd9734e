import { assignDup, dup } from "../../../src/rows/dup.js";
import { EDGE_WORDS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";

describeRow({
  template: dup,
  cost: 40,
  samples: () => [1, 2, 8].map((n) => sampleOf(dup, `DUP${n}`, EDGE_WORDS, (m) => assignDup(m, n))),
});
