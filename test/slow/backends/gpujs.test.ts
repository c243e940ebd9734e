import { prover } from "../../support/built.js";
import { describeBackend } from "../../support/conformance.js";

describeBackend("gpu.js, its own WebAssembly", "gpujs", false, () => prover.openBackend("gpujs", { mode: "webasm" }));
