import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SPLITS } from "../../../src/prover/split.js";
import { type App, CSP, missingBrowser, type PageQuery, Pages } from "../../support/browser.js";
import { verifier } from "../../support/built.js";
import { closeSnarkjs, snarkjs } from "../../support/circuits.js";
import { type Specimen, specimen } from "../../support/zoo.js";

// a software device takes its time to compile, and more of it on a busy machine
const SLOW = 120_000;
vi.setConfig({ testTimeout: SLOW, hookTimeout: SLOW });

/** What a device of a browser is on a machine without GPU. */
const SOFTWARE = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  // compilers may take longer than it allows
  "--disable-gpu-watchdog",
];

const PAGE_SCRIPT = `
  import { loadProvingKey, openBackend, prove } from "chunkproof/prover";
  import { verify } from "chunkproof/verifier";

  globalThis.app = {
    /** What of a browser is there: the adapter's name, and whether WebGL2 is. */
    async devices() {
      const adapter = await navigator.gpu?.requestAdapter();
      const webgl2 = new OffscreenCanvas(1, 1).getContext("webgl2") !== null;
      return { webgpu: adapter ? [adapter.info.vendor, adapter.info.architecture].join(" ") : null, webgl2 };
    },
    /** A proof with a backend. */
    async prove(backend) {
      const key = await loadProvingKey("/key.zkey");
      try {
        const { proof, publicSignals, backend: made } = await prove(key, "/witness.wtns", { backend });
        return { proof, publicSignals, made, valid: verify(key.verifyingKey, publicSignals, proof) };
      } finally {
        await key.close();
      }
    },
    /** The same with one that is opened before, and what that ran on. */
    async proveOn(name) {
      const backend = await openBackend(name);
      try {
        return { ...(await app.prove(backend)), info: backend.info() };
      } finally {
        await backend.close();
      }
    },
    /** The code that opening and proving by this name end with. */
    codeOf: (name) => app.prove(name).then(() => "no error", (error) => error.code ?? String(error)),
  };
`;

let circuit: Specimen;
let pages: Pages;

describe.skipIf(missingBrowser !== undefined)("devices of a browser", () => {
  beforeAll(async () => {
    circuit = await specimen("hash");
    const files = {
      "/key.zkey": await readFile(circuit.zkey),
      "/witness.wtns": await readFile(circuit.witnesses[2]!),
    };
    pages = await Pages.open(PAGE_SCRIPT, files, SOFTWARE);
  });

  afterAll(async () => {
    await pages?.close();
    await closeSnarkjs();
  });

  const call = (query: PageQuery, method: string, argument?: string): Promise<App> =>
    pages.inPage({ ...query, csp: CSP }, (page) =>
      page.evaluate(([name, given]) => (globalThis as App).app[name!](given), [method, argument]),
    );

  /** The page's proof is one here too, and in snarkjs. */
  const expectSound = async ({ proof, publicSignals, valid }: App) => {
    expect(valid).toBe(true);
    expect(verifier.verify(circuit.vk, publicSignals, proof)).toBe(true);
    expect(await snarkjs.groth16.verify(circuit.vk, publicSignals, proof)).toBe(true);
  };

  test("a proof on WebGPU, in a page with threads", async ({ skip }) => {
    const { webgpu } = await call({ isolated: true }, "devices");
    if (webgpu === null) skip("this Chromium gives no WebGPU adapter");
    const result = await call({ isolated: true }, "prove", "webgpu");
    expect(result.made).toEqual({ split: SPLITS.webgpu });
    await expectSound(result);
  });

  test("a proof on gpu.js, on WebGL2, in a page without", async ({ skip }) => {
    const { webgl2 } = await call({}, "devices");
    if (!webgl2) skip("this Chromium gives no WebGL2 context");
    const result = await call({}, "proveOn", "gpujs");
    expect(result.info).toMatchObject({ backend: "gpujs", details: { mode: "webgl2", backend: "webgl2" } });
    expect(result.made).toEqual({ split: SPLITS.gpujs });
    await expectSound(result);
  });
});

describe.skipIf(missingBrowser !== undefined)("a browser without WebGPU", () => {
  let plain: Pages;
  beforeAll(async () => {
    circuit = await specimen("hash");
    const files = {
      "/key.zkey": await readFile(circuit.zkey),
      "/witness.wtns": await readFile(circuit.witnesses[2]!),
    };
    plain = await Pages.open(PAGE_SCRIPT, files, ["--disable-gpu", "--disable-features=WebGPU"]);
  });
  afterAll(() => plain?.close());

  test("says so when it is asked for by name", async () => {
    const code = await plain.inPage(
      { isolated: true, csp: CSP },
      (page) => page.evaluate(() => (globalThis as App).app.codeOf("webgpu")),
      // Chromium's own words about adapters
      [/adapter/i],
    );
    expect(code).toBe("WEBGPU_UNAVAILABLE");
  });
});
