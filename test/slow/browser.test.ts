import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type LocalServer, startServer, verifier } from "../support/built.js";
import { closeSnarkjs, ROOT, snarkjs } from "../support/circuits.js";
import { type Specimen, specimen } from "../support/zoo.js";

vi.setConfig({ testTimeout: 30_000 });

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const missing = !existsSync(CHROMIUM);
if (missing)
  console.warn(`browser tests are skipped: there is no ${CHROMIUM} (the variable CHROMIUM may name another)`);

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

// biome-ignore lint/suspicious/noExplicitAny: lives in the page
type App = any;

const CSP =
  "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src data:";
const WORKER = "/prover/wasm/worker.js";
const TYPES: Record<string, string> = { ".js": "text/javascript", ".html": "text/html" };

let circuit: Specimen;
let browser: Browser;
let server: LocalServer;
/** Files by path, and requests for them. */
const files = new Map<string, Uint8Array>();
const requested: string[] = [];

describe.skipIf(missing)("chunkproof in a browser, bundled with esbuild", () => {
  beforeAll(async () => {
    circuit = await specimen("hash");
    const { outputFiles, warnings } = await build({
      stdin: { contents: PAGE_SCRIPT, resolveDir: ROOT },
      // esbuild leaves "new Worker(new URL(…, import.meta.url))" as it is: the worker is an entry of its own, at the path
      // that the URL leads to from where the page's script lies
      entryPoints: [{ in: join(ROOT, "dist/prover/wasm/worker.js"), out: WORKER.slice(1, -3) }],
      outdir: "/out",
      entryNames: "[dir]/[name]",
      chunkNames: "assets/[name]-[hash]",
      bundle: true,
      splitting: true,
      minify: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      // not the repository's, which leads #platform to src/; users have no such thing
      tsconfigRaw: {},
      write: false,
    });
    expect(warnings).toEqual([]);
    for (const { path, contents } of outputFiles) files.set(path.slice("/out".length), contents);
    expect([...files.keys()]).toEqual(expect.arrayContaining(["/stdin.js", WORKER]));
    // nothing of Node's may have come along
    for (const [path, contents] of files) expect(new TextDecoder().decode(contents), path).not.toMatch(/["']node:/);
    const html = `<!doctype html><title>test</title><link rel="icon" href="data:,"><script type="module" src="/stdin.js"></script>`;
    files.set("/", new TextEncoder().encode(html));
    files.set("/key.zkey", await readFile(circuit.zkey));
    files.set("/witness.wtns", await readFile(circuit.witnesses[2]!));
    files.set("/circuit.wasm", await readFile(circuit.wasm));

    server = await startServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url!, "http://localhost");
      requested.push(pathname);
      // the page's own headers come with its address; the rest is the same for every page
      response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
      if (pathname === "/") {
        if (searchParams.has("isolated")) response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
        const csp = searchParams.get("csp");
        if (csp !== null) response.setHeader("Content-Security-Policy", csp);
      }
      const isolated = searchParams.has("isolated") || /[?&]isolated/.test(request.headers.referer ?? "");
      if (isolated || pathname.endsWith(".js")) response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
      const content = files.get(pathname);
      if (content === undefined) return void response.writeHead(404).end();
      response.setHeader(
        "Content-Type",
        TYPES[pathname === "/" ? ".html" : extname(pathname)] ?? "application/octet-stream",
      );
      response.end(content);
    });
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      headless: true,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await closeSnarkjs();
  });

  /** Opens the page, runs `work`, and expects that nothing went wrong that it didn't look for. */
  async function inPage<T>(
    query: { isolated?: true; csp?: string },
    work: (page: Page) => Promise<T>,
    expected: readonly RegExp[] = [],
  ): Promise<T> {
    const page = await browser.newPage();
    page.setDefaultTimeout(20_000);
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
    try {
      const search = new URLSearchParams({
        ...(query.isolated ? { isolated: "1" } : {}),
        ...(query.csp ? { csp: query.csp } : {}),
      });
      requested.length = 0;
      await page.goto(`${server.origin}/?${search}`);
      await page.waitForFunction(() => (globalThis as App).app !== undefined);
      const result = await work(page);
      const unexpected = complaints.filter((text) => !expected.some((pattern) => pattern.test(text)));
      expect(unexpected).toEqual([]);
      return result;
    } catch (error) {
      throw complaints.length === 0 ? error : new Error(`${error}, after ${complaints.join("; ")}`, { cause: error });
    } finally {
      await page.close();
    }
  }

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
      expect(requested.includes(WORKER)).toBe(shared);
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
