/**
 * A Redis server, started for a test.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why Redis can't be started here, if it can't. */
export const redisMissing: string | undefined = (() => {
  const { status, error, stderr } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  if (status === 0) return undefined;
  return `redis-server does not start here: ${error?.message ?? stderr.trim().split("\n")[0]}`;
})();

/** How a server is started. */
export interface RedisOptions {
  /** Writes everything to disk at once; default: keeps nothing. */
  readonly appendonly?: boolean;
  readonly args?: readonly string[];
}

/** A running server. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Stops the server and removes its folder. */
  stop(): Promise<void>;
  /** Ends the server as SIGKILL does. */
  kill9(): Promise<void>;
  /** Starts the server again on its port, after ending it if it runs; with what it has on disk. */
  restart(): Promise<void>;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether a server answers. */
async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", () => socket.write("PING\r\n"));
    // also one that asks for a password
    socket.on("data", (data) => end(/^(\+PONG|-NOAUTH)/.test(data.toString())));
    socket.on("error", () => end(false));
    socket.setTimeout(1000, () => end(false));
  });
}

/** Starts a server on a free port, with its data in a folder of its own. */
export async function startRedis({ appendonly = false, args = [] }: RedisOptions = {}): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), "chunkproof-redis-"));
  const port = await freePort();
  const disk = appendonly ? ["--appendonly", "yes", "--appendfsync", "always"] : [];
  let child: ChildProcess;
  let ended: Promise<void>;
  const kill = () => child?.kill("SIGKILL");
  // a test that fails before it stops the server leaves none behind
  process.once("exit", kill);
  const start = async () => {
    const common = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir];
    child = spawn("redis-server", [...common, ...disk, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on("data", (data) => {
        said += data;
      });
    }
    let running = true;
    ended = new Promise((resolve) => {
      child.once("exit", () => {
        running = false;
        resolve();
      });
    });
    while (!(await answers(port))) {
      if (!running) throw new Error(`redis-server has ended: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await ended;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid!;
    },
    async stop() {
      process.off("exit", kill);
      await end("SIGKILL");
      await rm(dir, { recursive: true, force: true });
    },
    kill9: () => end("SIGKILL"),
    async restart() {
      await end("SIGTERM");
      await start();
    },
  };
}
