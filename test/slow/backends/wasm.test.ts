import { prover } from "../../support/built.js";
import { describeBackend } from "../../support/conformance.js";

describeBackend("WebAssembly, fused floating point", "wasm", false, () => prover.openBackend("wasm"));
describeBackend("WebAssembly, integers, one thread", "wasm", false, () =>
  prover.openBackend("wasm", { arithmetic: "int", threads: 1 }),
);
