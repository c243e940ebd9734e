/** WebGPU on a software adapter: the conformance suite, as tuned by default and as differently as it can be. */

import { prover } from "../../support/built.js";
import { describeBackend } from "../../support/conformance.js";
import { skipWithoutGpu } from "../../support/gpu.js";

const skip = await skipWithoutGpu();

describeBackend("WebGPU", "webgpu", skip, () => prover.openBackend("webgpu"));
describeBackend("WebGPU, other limbs, small workgroups, runs, windows and slices", "webgpu", skip, () =>
  prover.openBackend("webgpu", {
    maxBufferSize: 2 ** 18,
    tuning: { limbBits: 14, unroll: false, spell: "none", workgroup: 32, windowBits: 5, run: 4, slice: 100, layers: 3 },
  }),
);
