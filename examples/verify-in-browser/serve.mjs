/**
 * Serves the example on this machine. For a look at it, not for the world: any server of static files will do.
 *
 *     node serve.mjs [--port 8090] [--files <folder>] [--coordinator <url>]
 *
 * `--files`: a folder whose files lie under /files/; default: .cache/demo of the repository, if it is there.
 * `--coordinator`: passes the two questions of a follower, feed and proof, on to that coordinator, so that it need not allow
 * this page's origin (its option --cors).
 *
 * @module
 */

import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
const demo = fileURLToPath(new URL("../../.cache/demo/", import.meta.url));

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8090" },
    files: { type: "string" },
    coordinator: { type: "string" },
  },
});
const folders = { "/": `${here}dist`, "/files/": values.files ?? demo };
const { coordinator } = values;

if (!existsSync(join(folders["/"], "main.js"))) {
  process.stderr.write("serve: the example is not built yet: node examples/verify-in-browser/build.mjs\n");
  process.exit(2);
}

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
};
const HEADERS = {
  // the verifier needs no eval, no WebAssembly, nothing inline; "connect-src" is for coordinators
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src data:; connect-src 'self' http: https:; base-uri 'none'; form-action 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
};
const FILE = /^(\/|\/files\/)([A-Za-z0-9_-][A-Za-z0-9._-]*)?$/;
const PASSED_ON = /^\/v1\/(feed|blocks\/[0-9a-f]+\/proof)$/;

/** What there is under an address. @param {URL} url @returns {Promise<{ status: number, type: string, body: Uint8Array | string }>} */
async function answer({ pathname, search }) {
  const none = { status: 404, type: "text/plain", body: "not found\n" };
  if (coordinator !== undefined && PASSED_ON.test(pathname)) {
    const response = await fetch(new URL(pathname + search, coordinator), { signal: AbortSignal.timeout(30_000) });
    const type = response.headers.get("content-type") ?? "application/octet-stream";
    return { status: response.status, type, body: new Uint8Array(await response.arrayBuffer()) };
  }
  const [, folder, name = "index.html"] = FILE.exec(pathname) ?? [];
  if (folder === undefined || !existsSync(join(folders[folder], name))) return none;
  const type = TYPES[extname(name)] ?? "application/octet-stream";
  return { status: 200, type, body: await readFile(join(folders[folder], name)) };
}

const server = createServer(async (request, response) => {
  try {
    if (request.method !== "GET" && request.method !== "HEAD") return void response.writeHead(405, HEADERS).end();
    const { status, type, body } = await answer(new URL(request.url ?? "/", "http://localhost"));
    response.writeHead(status, { ...HEADERS, "Content-Type": type }).end(request.method === "HEAD" ? undefined : body);
  } catch (error) {
    response.writeHead(502, { ...HEADERS, "Content-Type": "text/plain" }).end(`${error}\n`);
  }
});
server.on("error", ({ message }) => {
  process.stderr.write(`serve: ${message}\n`);
  process.exit(1);
});
server.listen(Number(values.port), "localhost", async () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const origin = `http://localhost:${port}/`;
  process.stdout.write(`${origin}\n`);
  const found = await readdir(folders["/files/"]).catch(() => /** @type {string[]} */ ([]));
  if (!found.includes("keyset.json") || !found.includes("before.json")) return;
  const proofs = found.filter((name) => name.endsWith(".proof")).map((name) => `&proof=files/${name}`);
  process.stdout.write(`${origin}?keys=files/keyset.json&state=files/before.json${proofs.join("")}\n`);
});
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
  });
}
