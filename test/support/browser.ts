/**
 * Pages in Debian's Chromium: a script bundled with esbuild as users bundle it, files beside it, a server with or without the headers
 * for shared memory.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { expect } from "vitest";
import { type LocalServer, startServer } from "./built.js";
import { ROOT } from "./circuits.js";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why there is no browser; undefined if there is one. */
export const missingBrowser = existsSync(CHROMIUM)
  ? undefined
  : `there is no ${CHROMIUM} (the variable CHROMIUM may name another)`;

/** A policy that allows no more than is needed. */
export const CSP =
  "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src data:";
/** Where the worker of the WebAssembly engine lies. */
export const WORKER = "/prover/wasm/worker.js";

/** What the page's script puts on `globalThis`. */
// biome-ignore lint/suspicious/noExplicitAny: lives in the page
export type App = any;

/** How a page is served. */
export interface PageQuery {
  /** Whether it gets shared memory. */
  readonly isolated?: true;
  /** Its content security policy. */
  readonly csp?: string;
}

const TYPES: Record<string, string> = { ".js": "text/javascript", ".html": "text/html" };
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser, and a server of one page. */
export class Pages {
  /** Requests for paths since the page was opened. */
  readonly requested: string[] = [];
  readonly #browser: Browser;
  readonly #server: LocalServer;

  private constructor(
    browser: Browser,
    server: LocalServer,
    requested: string[],
    /** By path; what a test changes is served so. */
    readonly files: Map<string, Uint8Array>,
  ) {
    this.#browser = browser;
    this.#server = server;
    this.requested = requested;
  }

  /**
   * @param script of the page; it sets `globalThis.app`.
   * @param others files by path.
   * @param flags of Chromium.
   */
  static async open(
    script: string,
    others: Readonly<Record<string, Uint8Array>>,
    flags: readonly string[],
  ): Promise<Pages> {
    const files = await bundle(script);
    const html = `<!doctype html><title>test</title><link rel="icon" href="data:,"><script type="module" src="/stdin.js"></script>`;
    files.set("/", new TextEncoder().encode(html));
    for (const [path, content] of Object.entries(others)) files.set(path, content);
    const requested: string[] = [];
    const server = await serve(files, requested);
    try {
      const args = [...FLAGS, ...flags];
      const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args });
      return new Pages(browser, server, requested, files);
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /** Opens the page, runs `work`, and expects that nothing went wrong that it didn't look for. */
  async inPage<T>(query: PageQuery, work: (page: Page) => Promise<T>, expected: readonly RegExp[] = []): Promise<T> {
    const page = await this.#browser.newPage();
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
      this.requested.length = 0;
      await page.goto(`${this.#server.origin}/?${search}`);
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

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#server.close();
  }
}

/** The script and the engine's worker, by path. */
async function bundle(script: string): Promise<Map<string, Uint8Array>> {
  const { outputFiles, warnings } = await build({
    stdin: { contents: script, resolveDir: ROOT },
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
  const files = new Map<string, Uint8Array>();
  for (const { path, contents } of outputFiles) files.set(path.slice("/out".length), contents);
  expect([...files.keys()]).toEqual(expect.arrayContaining(["/stdin.js", WORKER]));
  // nothing of Node's may have come along
  for (const [path, contents] of files) expect(new TextDecoder().decode(contents), path).not.toMatch(/["']node:/);
  return files;
}

const serve = (files: ReadonlyMap<string, Uint8Array>, requested: string[]): Promise<LocalServer> =>
  startServer((request, response) => {
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
