/**
 * Whole proofs with every backend, of the built package: the same statement, checked by our verifier and by snarkjs'; and with
 * devices that fail, which must never make a proof wrong, late or lost.
 */

import type { Backend, BackendName, ProofResult, ProvingKey } from "chunkproof/prover";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { prover, verifier } from "../../support/built.js";
import { closeSnarkjs, snarkjs } from "../../support/circuits.js";
import { type Faults, faultyGpu } from "../../support/faults.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { type Specimen, specimen } from "../../support/zoo.js";

const { loadProvingKey, openBackend, prove } = prover;
const skip = await skipWithoutGpu();

const ON_THREADS = { a: "wasm", b2: "wasm", c: "wasm", quotient: "wasm", h: "wasm" };
const SPLIT: Record<BackendName, object> = {
  wasm: ON_THREADS,
  webgpu: { a: "webgpu", b2: "webgpu", c: "webgpu", quotient: "webgpu", h: "webgpu" },
  gpujs: { ...ON_THREADS, quotient: "gpujs" },
};

let circuit: Specimen;
let key: ProvingKey;

async function expectValid({ proof, publicSignals }: ProofResult, { vk }: Specimen = circuit): Promise<void> {
  expect(verifier.verify(vk, publicSignals, proof)).toBe(true);
  expect(await snarkjs.groth16.verify(vk, publicSignals, proof)).toBe(true);
}

beforeAll(async () => {
  circuit = await specimen("hash");
  key = await loadProvingKey(circuit.zkey);
});

afterAll(async () => {
  await key?.close();
  await closeSnarkjs();
});

describe.each([
  ["wasm", false],
  ["gpujs", false],
  ["webgpu", skip],
] as const)("proofs by %s", (backend, without) => {
  test.skipIf(without).each(["one", "mixed", "constant", "hash"] as const)("of the circuit %s", async (name) => {
    const other = await specimen(name);
    await using own = await loadProvingKey(other.zkey);
    for (const witness of other.witnesses) {
      const result = await prove(own, witness, { backend });
      expect(result.backend).toEqual({ split: SPLIT[backend] });
      await expectValid(result, other);
    }
  });

  test.skipIf(without)(
    "are refused for a witness that does not satisfy the circuit, and are made after that",
    async () => {
      const bad = await specimen("mixed");
      const error = await prove(key, bad.witnesses[0]!, { backend }).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "WITNESS_LENGTH" });
      const { readFile } = await import("node:fs/promises");
      const wtns = new Uint8Array(await readFile(circuit.witnesses[2]!));
      // the lowest byte of the last value
      wtns[wtns.length - 32]! ^= 1;
      await expect(prove(key, wtns, { backend })).rejects.toMatchObject({ code: "WITNESS_UNSATISFIED" });
      const unchecked = prove(key, wtns, { backend, selfCheck: false });
    // a device's proof is checked in any case
    if (backend === "wasm") await expect(unchecked).resolves.toHaveProperty("proof");
    else await expect(unchecked).rejects.toMatchObject({ code: "WITNESS_UNSATISFIED" });
    await expectValid(await prove(key, circuit.witnesses[2]!, { backend, selfCheck: false }));
    },
  );

  test.skipIf(without)("side by side, and with an abort in between", async () => {
    const reason = new Error("enough");
    const aborted = prove(key, circuit.witnesses[0]!, { backend, signal: AbortSignal.abort(reason) });
    const [first, second] = [
      prove(key, circuit.witnesses[1]!, { backend }),
      prove(key, circuit.witnesses[2]!, { backend }),
    ];
    await expect(aborted).rejects.toBe(reason);
    await expectValid(await first);
    await expectValid(await second);
    const controller = new AbortController();
    const late = prove(key, circuit.witnesses[1]!, {
      backend,
      signal: controller.signal,
      onProgress: ({ stage, done }) => {
        if (stage === "prove" && done === 2) controller.abort(reason);
      },
    });
    await expect(late).rejects.toBe(reason);
    await expectValid(await prove(key, circuit.witnesses[1]!, { backend }));
  });
});

test("no such backend", async () => {
  for (const backend of ["cuda", 7, {}] as never[]) {
    await expect(prove(key, circuit.witnesses[0]!, { backend })).rejects.toMatchObject({ code: "BACKEND_UNKNOWN" });
  }
  await expect(openBackend("cuda" as never)).rejects.toMatchObject({ code: "BACKEND_UNKNOWN" });
});

describe.skipIf(skip)("a GPU that", () => {
  let opened: Backend | undefined;
  const broken = async (faults: Faults, options: object = {}) => {
    opened = await openBackend("webgpu", { gpu: faultyGpu(faults), ...options });
    return opened;
  };
  afterEach(async () => {
    await opened?.close();
    opened = undefined;
  });

  /** The proof must be valid all the same, and say what happened. */
  async function expectFallback(backend: Backend, code: string): Promise<void> {
    const result = await prove(key, circuit.witnesses[2]!, { backend });
    expect(result.backend).toMatchObject({ split: ON_THREADS, fallback: { from: "webgpu", code } });
    expect(result.backend.fallback!.message).not.toBe("");
    await expectValid(result);
  }

  test("works, given as an object", async () => {
    const result = await prove(key, circuit.witnesses[2]!, { backend: await broken({}) });
    expect(result.backend).toEqual({ split: SPLIT.webgpu });
    await expectValid(result);
    const again = await prove(key, circuit.witnesses[1]!, { backend: opened! });
    expect(again.backend).toEqual({ split: SPLIT.webgpu });
    expect(opened!.info().memory).toBeGreaterThan(0);
  });

  test.each([1, 3, 6])("is lost at submission %i", async (last) => {
    const backend = await broken({
      onSubmit: (count, device) => {
        if (count === last) device.destroy();
      },
    });
    await expectFallback(backend, "DEVICE_LOST");
    await expectFallback(backend, "DEVICE_LOST");
    await expect(backend.putScalars(new Uint8Array(32))).rejects.toMatchObject({ code: "DEVICE_LOST" });
  });

  test("has wrong numbers in what is read back", async () => {
    const flips = { at: 0 };
    const backend = await broken({
      onRead: (bytes) => {
        bytes[flips.at % bytes.length]! ^= 4;
      },
    });
    for (const at of [0, 40, 100]) {
      flips.at = at;
      await expectFallback(backend, "DEVICE_WRONG_RESULT");
    }
  });

  test("takes one window's sum for another", async () => {
    const backend = await broken({
      onRead: (bytes) => {
        // points of the curve, all of them: only the proof's check can tell
        const half = bytes.length >> 1;
        const low = bytes.slice(0, half);
        bytes.copyWithin(0, half);
        bytes.set(low, half);
      },
    });
    await expectFallback(backend, "DEVICE_WRONG_RESULT");
  });

  test("runs out of memory", async () => {
    const backend = await broken({ outOfMemoryAfter: 4 });
    await expectFallback(backend, "DEVICE_OUT_OF_MEMORY");
    // only once: the next proof finds some
    const result = await prove(key, circuit.witnesses[1]!, { backend });
    expect(result.backend).toEqual({ split: SPLIT.webgpu });
    await expectValid(result);
  });

  test("has too small buffers", async () => {
    await expectFallback(await broken({}, { maxBufferSize: 1024 }), "BUFFER_TOO_LARGE");
  });

  test("refuses a kernel", async () => {
    const backend = await broken({ onKernel: (code) => code.replace("fn main", "fn other") });
    await expectFallback(backend, "DEVICE_FAILED");
  });

  test("answers nothing", async () => {
    const backend = await broken({ silent: true }, { timeout: 1000 });
    const began = performance.now();
    await expectFallback(backend, "DEVICE_LOST");
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  test("is closed in the middle", async () => {
    const backend = await broken({ onSubmit: (count) => void (count === 2 && backend.close()) });
    const result = await prove(key, circuit.witnesses[2]!, { backend });
    expect(result.backend.split).toEqual(ON_THREADS);
    await expectValid(result);
  });

  test("is not there", async () => {
    for (const missing of ["adapter", "device"] as const) {
      await expect(broken({ missing })).rejects.toMatchObject({ code: "WEBGPU_UNAVAILABLE" });
    }
  });

  test("is in use when the key is closed", async () => {
    const own = await loadProvingKey(circuit.zkey);
    const backend = await broken({ onSubmit: (count) => void (count === 3 && own.close()) });
    await expect(prove(own, circuit.witnesses[2]!, { backend })).rejects.toMatchObject({ code: "KEY_CLOSED" });
    await own.close();
    // and goes on with others
    await expectValid(await prove(key, circuit.witnesses[2]!, { backend }));
  });
});
