/**
 * The built package as its users get it: `chunkproof/…` of `dist/`, outside the test runner's module graph, where
 * `#platform` and worker URLs resolve as Node resolves them. Run `npm run build` first.
 *
 * Also what such users have around it: child processes and HTTP servers.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

/** Root of the repository. */
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** By way of a data: URL, which the test runner leaves to Node: it would take dist/ apart and give it src/platform. */
const load = (name: string): Promise<unknown> =>
  import(/* @vite-ignore */ `data:text/javascript,export * from ${JSON.stringify(import.meta.resolve(name))}`);

export const prover = (await load("chunkproof/prover")) as typeof import("chunkproof/prover");
export const verifier = (await load("chunkproof/verifier")) as typeof import("chunkproof/verifier");
export const setup = (await load("chunkproof/setup")) as typeof import("chunkproof/setup");

/** How a child process ended. */
export interface Finished {
  /** Exit code; null if a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Wall time in ms. */
  readonly ms: number;
}

/** A child process under way. */
export interface Running {
  readonly done: Promise<Finished>;
  kill(signal: NodeJS.Signals): void;
}

/** Options of {@link startNode}. */
export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Kills the process after this time; default 60,000 ms. */
  readonly limit?: number;
}

/** Starts Node with these arguments; stdin is empty, stdout and stderr are pipes. */
export function startNode(args: readonly string[], options: ChildOptions = {}): Running {
  const { cwd = ROOT, env = {}, limit = 60_000 } = options;
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, NODE_OPTIONS: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limit,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const done = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr, ms: performance.now() - started }));
  });
  return { done, kill: (signal) => child.kill(signal) };
}

/** Runs an ES module given as text; bare names resolve as in the repository's root. */
export function runModule(code: string, options: ChildOptions = {}): Promise<Finished> {
  return startNode(["--input-type=module", "-e", code], options).done;
}

/** A local HTTP server. */
export interface LocalServer {
  /** `http://localhost:port`, without a slash at the end. */
  readonly origin: string;
  close(): Promise<void>;
}

/** Starts a server on a free port of this machine. */
export async function startServer(listener: RequestListener): Promise<LocalServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://localhost:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
