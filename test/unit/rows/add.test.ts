import { add, assignAdd } from "../../../src/rows/add.js";
import { EDGE_WORDS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";

describeRow({
  template: add,
  cost: 86,
  samples: () =>
    [false, true].flatMap((isSub) =>
      EDGE_WORDS.flatMap((a, i) =>
        [a, EDGE_WORDS.at(-1 - i)!, 3n].map((b) =>
          sampleOf(add, `${a} ${isSub ? "-" : "+"} ${b}`, [5n, b, a], (m) => assignAdd(m, isSub)),
        ),
      ),
    ),
});
