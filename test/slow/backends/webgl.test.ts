import { existsSync } from "node:fs";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import { type LocalServer, startServer } from "../../support/built.js";
import { ROOT } from "../../support/circuits.js";
import { bytesOf, valuesOf, witnessLike } from "../../support/conformance.js";
import { transformed } from "../../support/transforms.js";

vi.setConfig({ testTimeout: 60_000 });

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const missing = !existsSync(CHROMIUM);
if (missing) console.warn(`WebGL is not tested: there is no ${CHROMIUM} (the variable CHROMIUM may name another)`);

const r = FR_MODULUS;
const POWER = 5;
const a = witnessLike(2 ** POWER, 1n);
const b = new Array<bigint>(2 ** POWER).fill(r - 1n);

/** The page's own script, so that its policy applies: what is run by the debugger is exempt from it. */
const script = `
  import { GpuJsDevice } from "./src/prover/gpujs/gpu.js";
  import { Products } from "./src/prover/gpujs/field.js";
  import { Domain } from "./src/prover/gpujs/ntt.js";
  const [a, b] = ${JSON.stringify([a, b].map((values) => [...bytesOf(values)]))}.map((bytes) => Uint8Array.from(bytes));
  const run = async (mode) => {
    const device = await GpuJsDevice.open({ mode });
    const domain = new Domain(device, ${POWER});
    const products = new Products(device, ${2 ** POWER});
    const results = {};
    for (const transform of ["forward", "inverse", "coset"]) results[transform] = await domain.transform(a, transform);
    results.quotient = await domain.quotient(a, b);
    results.product = await products.multiply(a, b);
    const { details } = device;
    await device.close();
    return { details, results: Object.entries(results).map(([name, bytes]) => [name, [...bytes]]) };
  };
  globalThis.results = (async () => {
    const results = {};
    for (const mode of location.pathname === "/wasm" ? ["webasm"] : ["auto", "webasm", "cpu"]) {
      results[mode] = await run(mode).catch(({ code, got }) => ({ code, got }));
    }
    return results;
  })();
`;

interface Ran {
  readonly details: object;
  readonly results: [string, number[]][];
}

let browser: Browser;
let server: LocalServer;
let code = "";

describe.skipIf(missing)("gpu.js in a browser, bundled and minified", () => {
  beforeAll(async () => {
    const { outputFiles } = await build({
      stdin: { contents: script, resolveDir: ROOT, loader: "ts" },
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      platform: "browser",
      alias: { "#platform": `${ROOT}/src/platform/web.ts` },
    });
    code = outputFiles[0]!.text;
    const policies: Record<string, string> = {
      "/strict": "default-src 'none'; script-src 'self'",
      "/wasm": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'",
    };
    server = await startServer(({ url = "" }, response) => {
      const policy = policies[url];
      if (policy !== undefined) response.setHeader("content-security-policy", policy);
      response.setHeader("content-type", policy === undefined ? "text/javascript" : "text/html");
      response.end(policy === undefined ? code : '<script type="module" src="/script.js"></script>');
    });
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const results = async (path: string): Promise<Record<string, Ran>> => {
    const page: Page = await browser.newPage();
    await page.goto(server.origin + path);
    await page.waitForFunction("globalThis.results !== undefined");
    const all = await page.evaluate("globalThis.results");
    await page.close();
    return all as Record<string, Ran>;
  };

  const c = a.map((value, i) => (value * b[i]!) % r);
  const [onA, onB, onC] = [a, b, c].map((values) => transformed(values, "coset"));
  const expected = {
    forward: transformed(a, "forward"),
    inverse: transformed(a, "inverse"),
    coset: onA,
    quotient: onA!.map((value, i) => (((value * onB![i]! - onC![i]!) % r) + r) % r),
    product: c,
  };
  const values = ({ results }: Ran) =>
    Object.fromEntries(results.map(([name, bytes]) => [name, valuesOf(Uint8Array.from(bytes))]));

  test("WebGL2 is what it takes, and needs nothing of the page's policy; the rest is refused by it", async () => {
    const { auto, webasm, cpu } = await results("/strict");
    expect(auto!.details).toEqual({ mode: "webgl2", threads: true, executor: "generic", backend: "webgl2" });
    expect(values(auto!)).toEqual(expected);
    expect(webasm).toMatchObject({ code: "DEVICE_FAILED", got: expect.stringContaining("Content Security") });
    expect(cpu).toMatchObject({ code: "DEVICE_FAILED" });
  });

  test("its WebAssembly needs wasm-unsafe-eval", async () => {
    const { webasm } = await results("/wasm");
    expect(webasm!.details).toMatchObject({ executor: "fused-sync", backend: "webasm" });
    expect(values(webasm!)).toEqual(expected);
  });
});
