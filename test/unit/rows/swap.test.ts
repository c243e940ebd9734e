import { assignSwap, swap } from "../../../src/rows/swap.js";
import { EDGE_WORDS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";

describeRow({
  template: swap,
  cost: 48,
  samples: () => [1, 3, 7].map((n) => sampleOf(swap, `SWAP${n}`, EDGE_WORDS, (m) => assignSwap(m, n))),
});
