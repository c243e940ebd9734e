/**
 * A network of real processes: coordinator, workers and replica, started with the built command line. Run `npm run build`
 * first.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { ROOT } from "./circuits.js";
import { freePort } from "./redis.js";

/** Token of all test networks. */
export const TOKEN = "token-of-the-tests-0123456789";
const CLI = join(ROOT, "dist", "cli", "main.js");

/** Asks until there is an answer. @throws when there is none in time */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, limit = 60_000): Promise<T> {
  let last: unknown;
  for (const end = performance.now() + limit; performance.now() < end; await sleep(50)) {
    try {
      const found = await ask();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`${what}: not within ${limit} ms`, { cause: last });
}

/** How a service ended. */
export interface ServiceEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A service under way. */
export class ServiceProcess {
  readonly name: string;
  readonly ended: Promise<ServiceEnd>;
  readonly #child: ChildProcess;
  #end: ServiceEnd | undefined;
  #stdout = "";
  #stderr = "";

  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.name = name;
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: {
        ...process.env,
        NODE_OPTIONS: "",
        CHUNKPROOF_CACHE: join(ROOT, ".cache"),
        CHUNKPROOF_TOKEN: TOKEN,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    child.stdout!.setEncoding("utf8").on("data", (text) => {
      this.#stdout += text;
    });
    child.stderr!.setEncoding("utf8").on("data", (text) => {
      this.#stderr += text;
    });
    this.ended = new Promise((resolve) => {
      child.on("close", (code, signal) => {
        this.#end = { code, signal };
        resolve(this.#end);
      });
    });
  }

  get running(): boolean {
    return this.#end === undefined;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** What it logged, in the order of its lines. */
  get logs(): Record<string, unknown>[] {
    return this.#stdout
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** @returns how it ended, after SIGTERM or by itself. */
  async stop(limit = 20_000): Promise<ServiceEnd> {
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), limit);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }

  /** Whatever state it is in. */
  async end(): Promise<void> {
    if (this.running) this.kill("SIGKILL");
    await this.ended;
  }
}

/** Status of a block, as far as tests look at it. */
export interface BlockStatus {
  readonly id: string;
  readonly number: number;
  readonly state: string;
  readonly chunks: number;
  readonly failure?: { readonly code: string; readonly message: string };
  readonly work: {
    readonly commits: number;
    readonly proofs: number;
    readonly repeated: number;
    readonly refused: number;
  };
  readonly workers: readonly string[];
  readonly proof?: { readonly digest: string; readonly bytes: number };
}

/** Options of {@link TestNetwork}. */
export interface TestNetworkOptions {
  /** Folder for all data. */
  readonly dir: string;
  /** Address of Redis; undefined: an in-process queue. */
  readonly redis?: string | undefined;
  /** Folder of keys; default those of the cache. */
  readonly keys?: string | undefined;
  /** Of jobs, `2s`. */
  readonly lease?: string | undefined;
  /** Of the coordinator, for workers that are started before it; default a free one. */
  readonly port?: number | undefined;
}

/** Coordinator, workers and replica around one data folder. */
export class TestNetwork {
  readonly services = new Set<ServiceProcess>();
  readonly data: string;
  #port: number;

  constructor(readonly options: TestNetworkOptions) {
    this.#port = options.port ?? 0;
    this.data = join(options.dir, "coordinator");
    mkdirSync(this.data, { recursive: true });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts a command of the CLI as a service. */
  start(name: string, args: readonly string[], env?: Readonly<Record<string, string>>): ServiceProcess {
    return this.#keep(new ServiceProcess(name, [CLI, ...args], env));
  }

  /** Starts a script of the tests. */
  script(name: string, path: string, args: readonly string[]): ServiceProcess {
    return this.#keep(new ServiceProcess(name, [path, ...args]));
  }

  #keep(service: ServiceProcess): ServiceProcess {
    this.services.add(service);
    return service;
  }

  /** The same port every time, so that the others find it again. */
  async coordinator(args: readonly string[] = []): Promise<ServiceProcess> {
    this.#port ||= await freePort();
    const { redis, keys, lease } = this.options;
    const service = this.start("coordinator", [
      ...["coordinator", "--data", this.data, "--listen", `127.0.0.1:${this.#port}`],
      ...(redis === undefined ? [] : ["--redis", redis]),
      ...(keys === undefined ? [] : ["--keys", keys]),
      ...(lease === undefined ? [] : ["--lease", lease]),
      ...args,
    ]);
    await this.up(service);
    return service;
  }

  /** Waits until the coordinator answers. */
  async up(service: ServiceProcess): Promise<void> {
    await until("the coordinator", async () => {
      if (!service.running) throw new Error(`it ended:\n${service.stdout}\n${service.stderr}`);
      return (await fetch(`${this.origin}/ready`)).ok ? true : undefined;
    });
  }

  worker(name: string, args: readonly string[] = []): ServiceProcess {
    const { redis, keys, lease } = this.options;
    return this.start(name, [
      ...["worker", "--name", name, "--redis", redis!, "--store", this.origin, "--threads", "1"],
      ...(keys === undefined ? [] : ["--keys", keys]),
      ...(lease === undefined ? [] : ["--lease", lease]),
      ...args,
    ]);
  }

  async api(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string> | undefined) };
    return fetch(`${this.origin}${path}`, { ...init, headers });
  }

  /** Submits a trace. @returns the block's id */
  async submit(trace: Uint8Array): Promise<string> {
    const response = await this.api("/v1/blocks", {
      method: "POST",
      body: trace as BodyInit,
      headers: { "content-type": "application/json" },
    });
    const answer = (await response.json()) as { id?: string };
    if (!response.ok || answer.id === undefined) throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
    return answer.id;
  }

  async status(id: string): Promise<BlockStatus> {
    return (await (await this.api(`/v1/blocks/${id}`)).json()) as BlockStatus;
  }

  /** Waits until a block is proved, or failed. */
  finished(id: string, limit = 120_000): Promise<BlockStatus> {
    return until(
      `block ${id}`,
      async () => {
        const status = await this.status(id);
        return ["proved", "failed", "cancelled"].includes(status.state) ? status : undefined;
      },
      limit,
    );
  }

  async proof(id: string): Promise<Uint8Array> {
    const response = await this.api(`/v1/blocks/${id}/proof`);
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Ends everything. */
  async close(): Promise<void> {
    await Promise.all([...this.services].map((service) => service.end()));
  }
}

/** Blocks and what their state roots are; `snapshot` is the state before them. */
export interface TokenChain {
  readonly snapshot: Uint8Array;
  readonly traces: readonly Uint8Array[];
  readonly stateRoots: readonly string[];
  readonly hashes: readonly string[];
}

/** Consecutive blocks of token transfers: see scripts/contracts/chain.mjs. */
export async function tokenChain(blocks: number, transfers: number): Promise<TokenChain> {
  const url = pathToFileURL(join(ROOT, "scripts", "contracts", "chain.mjs")).href;
  // outside the test runner's module graph, as what it imports from dist/
  const { tokenChain: make } = (await import(
    /* @vite-ignore */ `data:text/javascript,export * from ${JSON.stringify(url)}`
  )) as { tokenChain(blocks: number, transfers: number): Promise<TokenChain> };
  return make(blocks, transfers);
}
