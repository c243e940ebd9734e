import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type App, CSP, missingBrowser, type PageQuery, Pages, WORKER } from "../support/browser.js";
import { verifier } from "../support/built.js";
import { closeSnarkjs, snarkjs } from "../support/circuits.js";
import { type Specimen, specimen } from "../support/zoo.js";

vi.setConfig({ testTimeout: 30_000 });

if (missingBrowser !== undefined) console.warn(`browser tests are skipped: ${missingBrowser}`);

/** What the tests call in the page: everything is plain data that Playwright can hand over. */
const PAGE_SCRIPT = `
  import { loadProvingKey, prove } from "chunkproof/prover";
  import { verify } from "chunkproof/verifier";

  const codeOf = (promise) => promise.then(() => "no error", (error) => error.code ?? String(error));

  globalThis.app = {
    /** Loads, proves and verifies. */
    async prove(zkey, wtns, options = {}) {
      const stages = new Set();
      const onProgress = ({ stage }) => stages.add(stage);
      const key = await loadProvingKey(zkey, { ...options, onProgress });
      const { proof, publicSignals } = await prove(key, wtns, { onProgress });
      const info = key.info();
      await key.close();
      const vk = key.verifyingKey;
      const forged = [String(BigInt(publicSignals[0]) + 1n), ...publicSignals.slice(1)];
      const verdicts = [verify(vk, publicSignals, proof), verify(vk, forged, proof)];
      return { isolated: crossOriginIsolated, info, stages: [...stages], proof, publicSignals, verdicts };
    },
    /** The code that loading and proving end with. */
    async codeOf(zkey, wtns) {
      return codeOf(loadProvingKey(zkey).then((key) => prove(key, wtns).finally(() => key.close())));
    },
    /** What an abort and a close during proofs end with, and whether the key worked in between. */
    async endEarly(zkey, wtns) {
      const key = await loadProvingKey(zkey);
      const controller = new AbortController();
      const abort = ({ done }) => { if (done === 5) controller.abort("enough"); };
      const aborted = await prove(key, wtns, { signal: controller.signal, onProgress: abort }).catch((e) => e);
      const { proof, publicSignals } = await prove(key, wtns);
      const works = verify(key.verifyingKey, publicSignals, proof);
      const close = ({ done }) => { if (done === 5) key.close(); };
      return { aborted, works, closed: await codeOf(prove(key, wtns, { onProgress: close })), after: await codeOf(prove(key, wtns)) };
    },
    async fetchBlob(url) {
      return (await fetch(url)).blob();
    },
  };
`;

let circuit: Specimen;
let pages: Pages;

describe.skipIf(missingBrowser !== undefined)("chunkproof in a browser, bundled with esbuild", () => {
  beforeAll(async () => {
    circuit = await specimen("hash");
    const files = {
      "/key.zkey": await readFile(circuit.zkey),
      "/witness.wtns": await readFile(circuit.witnesses[2]!),
      "/circuit.wasm": await readFile(circuit.wasm),
    };
    pages = await Pages.open(PAGE_SCRIPT, files, ["--disable-gpu"]);
  });

  afterAll(async () => {
    await pages?.close();
    await closeSnarkjs();
  });

  const inPage = <T>(query: PageQuery, work: (page: Page) => Promise<T>, expected: readonly RegExp[] = []) =>
    pages.inPage(query, work, expected);

  const call = (page: Page, options: object = {}): Promise<App> =>
    page.evaluate(
      (given) => (globalThis as App).app.prove("/key.zkey", new URL("/witness.wtns", location.href), given),
      options,
    );

  /** Expects that the page's proof is one here too. */
  async function expectSound({ proof, publicSignals, verdicts, stages }: App): Promise<void> {
    expect(verdicts).toEqual([true, false]);
    expect(stages).toEqual(["load", "prove", "check"]);
    expect(await snarkjs.groth16.verify(circuit.vk, publicSignals, proof)).toBe(true);
    expect(verifier.verify(circuit.vk, publicSignals, proof)).toBe(true);
    const theirs = await snarkjs.groth16.prove(circuit.zkey, circuit.witnesses[2]);
    expect(publicSignals).toEqual(theirs.publicSignals);
  }

  describe.each([
    ["cross-origin isolated: threads over shared memory", { isolated: true as const }, true],
    ["not isolated: no shared memory, everything on the page's thread", {}, false],
  ])("%s", (_, query, shared) => {
    test("a proof from fetched key and witness verifies in the page, here, and in snarkjs", async () => {
      await inPage(query, async (page) => {
        const result = await call(page, { threads: 2 });
        expect(result.isolated).toBe(shared);
        expect(result.info).toMatchObject({ backend: "wasm", sharedMemory: shared, threads: shared ? 2 : 1 });
        await expectSound(result);
      });
      expect(pages.requested.includes(WORKER)).toBe(shared);
    });

    test.each(["int", "auto"])("so it does with the arithmetic %s", async (arithmetic) => {
      await inPage(query, async (page) => expectSound(await call(page, { arithmetic })));
    });

    test("under a strict content security policy", async () => {
      await inPage({ ...query, csp: CSP }, async (page) => {
        const result = await call(page);
        expect(result.info.sharedMemory).toBe(shared);
        await expectSound(result);
      });
    });

    test("key as Blob, witness from the circuit's wasm and inputs", async () => {
      await inPage(query, async (page) => {
        const input = circuit.inputs[2]!;
        const inputs = { inputs: (input.inputs as bigint[]).map(String) };
        const result = await page.evaluate(async (values) => {
          const { app } = globalThis as App;
          return app.prove(await app.fetchBlob("/key.zkey"), { wasm: "/circuit.wasm", inputs: values });
        }, inputs);
        await expectSound(result);
      });
    });

    test("abort and close end a proof under way", async () => {
      await inPage(query, async (page) => {
        const ends = await page.evaluate(() => (globalThis as App).app.endEarly("/key.zkey", "/witness.wtns"));
        expect(ends).toEqual({ aborted: "enough", works: true, closed: "KEY_CLOSED", after: "KEY_CLOSED" });
      });
    });

    test("what cannot work ends with its code", async () => {
      await inPage(
        query,
        async (page) => {
          const codeOf = (...args: string[]) =>
            page.evaluate((given) => (globalThis as App).app.codeOf(...given), args);
          expect(await codeOf("/none.zkey", "/witness.wtns")).toBe("FETCH_FAILED");
          expect(await codeOf("/witness.wtns", "/witness.wtns")).toBe("BINFILE_MAGIC");
          expect(await codeOf("/key.zkey", "/key.zkey")).toBe("BINFILE_MAGIC");
          expect(await codeOf("file:///key.zkey", "/witness.wtns")).toBe("SOURCE_UNSUPPORTED");
          expect(await codeOf("/key.zkey", "/witness.wtns")).toBe("no error");
        },
        [/404|none\.zkey/],
      );
    });
  });

  test("a policy without wasm-unsafe-eval is WASM_UNSUPPORTED", async () => {
    const csp = CSP.replace(" 'wasm-unsafe-eval'", "");
    await inPage(
      { isolated: true, csp },
      async (page) => {
        const code = await page.evaluate(() => (globalThis as App).app.codeOf("/key.zkey", "/witness.wtns"));
        expect(code).toBe("WASM_UNSUPPORTED");
      },
      [/Content Security Policy|wasm/i],
    );
  });

  test("a worker that a policy forbids, or that isn't where it should be, is WORKER_FAILED, not a hang", async () => {
    const forbidden = CSP.replace("worker-src 'self'", "worker-src 'none'");
    const { files } = pages;
    const worker = files.get(WORKER)!;
    for (const [csp, prepare] of [
      [forbidden, () => {}],
      [CSP, () => files.delete(WORKER)],
      [CSP, () => files.set(WORKER, new TextEncoder().encode("throw new Error('not the worker');"))],
    ] as const) {
      prepare();
      try {
        await inPage(
          { isolated: true, csp },
          async (page) => {
            const code = await page.evaluate(() => (globalThis as App).app.codeOf("/key.zkey", "/witness.wtns"));
            expect(code).toBe("WORKER_FAILED");
          },
          [/Content Security Policy|404|worker/i],
        );
      } finally {
        files.set(WORKER, worker);
      }
    }
  });
});
