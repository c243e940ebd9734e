/**
 * Whole proofs with every backend, of the built package: the same statement, checked by our verifier and by snarkjs'; and with
 * devices that fail, which must never make a proof wrong, late or lost.
 */

import type { Backend, BackendChoice, BackendName, Progress, ProofResult, ProvingKey } from "chunkproof/prover";
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
/** For all tests that it survives: its kernels take long to compile. By name it is opened in test/slow/backends/browser.test.ts. */
let gpu: Backend;
/** Of {@link gpu}, for as long as a test lasts. */
const faults: Faults = {};

async function expectValid({ proof, publicSignals }: ProofResult, { vk }: Specimen = circuit): Promise<void> {
  expect(verifier.verify(vk, publicSignals, proof)).toBe(true);
  expect(await snarkjs.groth16.verify(vk, publicSignals, proof)).toBe(true);
}

beforeAll(async () => {
  circuit = await specimen("hash");
  key = await loadProvingKey(circuit.zkey);
  if (!skip) gpu = await openBackend("webgpu", { gpu: faultyGpu(faults) });
});

afterAll(async () => {
  await key?.close();
  await gpu?.close();
  await closeSnarkjs();
});

describe.each([
  ["wasm", false],
  ["gpujs", false],
  ["webgpu", skip],
] as const)("proofs by %s", (name, without) => {
  let backend: BackendChoice;
  beforeAll(() => {
    backend = name === "webgpu" ? gpu : name;
  });

  test.skipIf(without).each(["one", "mixed", "constant", "hash"] as const)("of the circuit %s", async (of) => {
    const other = await specimen(of);
    await using own = await loadProvingKey(other.zkey);
    for (const witness of other.witnesses) {
      const result = await prove(own, witness, { backend });
      expect(result.backend).toEqual({ split: SPLIT[name] });
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
      if (name === "wasm") await expect(unchecked).resolves.toHaveProperty("proof");
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
  afterEach(async () => {
    for (const name of Object.keys(faults)) delete faults[name as keyof Faults];
    await opened?.close();
    opened = undefined;
  });
  /** A device of its own, for faults that it does not survive. */
  const broken = async (own: Faults, options: object = {}) => {
    opened = await openBackend("webgpu", { gpu: faultyGpu(own), ...options });
    return opened;
  };

  /** The proof must be valid all the same, and say what happened. */
  async function expectFallback(backend: Backend, code: string): Promise<void> {
    const result = await prove(key, circuit.witnesses[2]!, { backend });
    expect(result.backend).toMatchObject({ split: ON_THREADS, fallback: { from: "webgpu", code } });
    expect(result.backend.fallback!.message).not.toBe("");
    await expectValid(result);
  }

  test("works, given as an object", async () => {
    for (const witness of [2, 1]) {
      const result = await prove(key, circuit.witnesses[witness]!, { backend: gpu });
      expect(result.backend).toEqual({ split: SPLIT.webgpu });
      await expectValid(result);
    }
    expect(gpu.info().memory).toBeGreaterThan(0);
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
    for (const at of [0, 40, 100]) {
      faults.onRead = (bytes) => {
        bytes[at]! ^= 4;
      };
      await expectFallback(gpu, "DEVICE_WRONG_RESULT");
    }
  });

  test.each(["msm-g1-fold", "msm-g2-fold"])("loses buckets before %s", async (kernel) => {
    let lost = 0;
    faults.onDispatch = (next, encoder, buffers) => {
      if (next !== kernel) return;
      // infinity is a point like any other
      encoder.clearBuffer(buffers.get("msm-buckets")!, 0, 4096);
      lost++;
    };
    await expectFallback(gpu, "DEVICE_WRONG_RESULT");
    expect(lost).toBeGreaterThan(0);
  });

  test("is not to blame for what progress throws", async () => {
    const reason = new Error("enough");
    for (const last of [3, 5]) {
      const onProgress = ({ stage, done }: Progress) => {
        if (stage === "prove" && done === last) throw reason;
      };
      await expect(prove(key, circuit.witnesses[2]!, { backend: gpu, onProgress })).rejects.toBe(reason);
    }
    expect((await prove(key, circuit.witnesses[2]!, { backend: gpu })).backend).toEqual({ split: SPLIT.webgpu });
  });

  test("takes one window's sum for another", async () => {
    faults.onRead = (bytes) => {
      // points of the curve, all of them: only the proof's check can tell
      const half = bytes.length >> 1;
      const low = bytes.slice(0, half);
      bytes.copyWithin(0, half);
      bytes.set(low, half);
    };
    await expectFallback(gpu, "DEVICE_WRONG_RESULT");
    delete faults.onRead;
    const result = await prove(key, circuit.witnesses[1]!, { backend: gpu });
    expect(result.backend).toEqual({ split: SPLIT.webgpu });
    await expectValid(result);
  });

  test("runs out of memory", async () => {
    faults.outOfMemory = true;
    await expectFallback(gpu, "DEVICE_OUT_OF_MEMORY");
    // the next proof finds some
    const result = await prove(key, circuit.witnesses[1]!, { backend: gpu });
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

  test("refuses a kernel and never says why", async () => {
    const faults = { sullen: true, onKernel: (code: string) => code.replace("fn main", "fn other") };
    await expectFallback(await broken(faults, { timeout: 1000 }), "DEVICE_LOST");
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
    for (const missing of ["adapter", "device", "answer"] as const) {
      await expect(broken({ missing }, { timeout: 500 })).rejects.toMatchObject({ code: "WEBGPU_UNAVAILABLE" });
    }
  });

  test("is in use when the key is closed", async () => {
    const own = await loadProvingKey(circuit.zkey);
    faults.onSubmit = () => void own.close();
    await expect(prove(own, circuit.witnesses[2]!, { backend: gpu })).rejects.toMatchObject({ code: "KEY_CLOSED" });
    await own.close();
    // and goes on with others
    await expectValid(await prove(key, circuit.witnesses[2]!, { backend: gpu }));
  });
});
