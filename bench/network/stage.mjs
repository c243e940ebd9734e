/**
 * Processes of a measurement: started, watched, measured from outside, and ended whatever happens. When one of them ends by
 * itself, everything that waits hears of it, with the end of its log.
 *
 * @module
 */

import { fork, spawn, spawnSync } from "node:child_process";
import { openSync, readFileSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../_machine.mjs";

/** Milliseconds of a clock tick in /proc. */
const TICK = 10;
/** Milliseconds that a process has to end after SIGTERM. */
const PATIENCE = 15_000;

/** What cannot be helped here: no Redis, no Linux. */
export class CannotRunError extends Error {}

/** Milliseconds since 1970 with fractions, the same clock in all processes of this machine. */
export const now = () => performance.timeOrigin + performance.now();

/** A port that nobody listens on. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** A line of numbers of /proc, behind the name in brackets. */
const fieldsOf = (/** @type {string} */ path) => readFileSync(path, "utf8").split(") ").at(-1)?.split(" ") ?? [];

/** Processor time of the whole machine so far, whoever used it (ms). */
export function machineCpu() {
  const [, ...ticks] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0].split(/\s+/);
  const [user, nice, system, , , irq, softirq] = ticks.map(Number);
  return TICK * (user + nice + system + irq + softirq);
}

/** One process. */
export class Process {
  /** @type {string} */ name;
  /** @type {string} */ log;
  /** @type {import("node:child_process").ChildProcess} */ child;
  ended = false;
  #exited;

  constructor(/** @type {string} */ name, /** @type {string} */ log, /** @type {any} */ child) {
    this.name = name;
    this.log = log;
    this.child = child;
    this.#exited = new Promise((resolve) => child.once("close", resolve));
    child.once("close", () => {
      this.ended = true;
    });
  }

  /** Processor time of all its threads so far (ms); 0 when it has ended. */
  cpu() {
    try {
      // state is the first field; utime and stime are 14 and 15 of the line
      const fields = fieldsOf(`/proc/${this.child.pid}/stat`);
      return TICK * (Number(fields[11]) + Number(fields[12]));
    } catch {
      return 0;
    }
  }

  /** Peak resident memory so far (MB of 10⁶ bytes). */
  maxRss() {
    try {
      const found = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${this.child.pid}/status`, "utf8"));
      return found ? (Number(found[1]) * 1024) / 1e6 : 0;
    } catch {
      return 0;
    }
  }

  /** The end of its log. */
  tail(lines = 15) {
    try {
      return readFileSync(this.log, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
    } catch {
      return "";
    }
  }

  /** Ends it. */
  async stop() {
    if (this.ended) return;
    this.child.kill("SIGTERM");
    const killed = new AbortController();
    const kill = sleep(PATIENCE, undefined, { signal: killed.signal }).then(
      () => this.child.kill("SIGKILL"),
      () => {},
    );
    await this.#exited;
    killed.abort();
    await kill;
  }
}

/** See the module. */
export class Stage {
  /** @type {string} */ dir;
  /** @type {Process[]} */ #processes = [];
  #ending = false;
  #broken = false;
  /** @type {(error: Error) => void} */ #fail = () => {};
  /** Rejects when a process ends by itself. @type {Promise<never>} */ #failed;

  constructor(/** @type {string} */ dir) {
    this.dir = dir;
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => {});
    process.once("exit", this.#kill);
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, this.#interrupted);
  }

  /** A stage with a folder of its own. */
  static async open() {
    if (process.platform !== "linux") throw new CannotRunError("processes are measured by /proc, which only Linux has");
    const parent = join(ROOT, ".cache", "bench", "network");
    await mkdir(parent, { recursive: true });
    return new Stage(await mkdtemp(join(parent, "run-")));
  }

  #kill = () => {
    for (const { child, ended } of this.#processes) if (!ended) child.kill("SIGKILL");
  };

  #interrupted = (/** @type {NodeJS.Signals} */ signal) => {
    this.#kill();
    try {
      rmSync(this.dir, { recursive: true, force: true });
    } catch {
      // somebody who has not ended yet writes into it
    }
    process.exit(signal === "SIGINT" ? 130 : 143);
  };

  #add(/** @type {string} */ name, /** @type {(out: number) => import("node:child_process").ChildProcess} */ begin) {
    const log = join(this.dir, `${name}.log`);
    const started = new Process(name, log, begin(openSync(log, "w")));
    this.#processes.push(started);
    const end = (/** @type {string} */ how) => {
      if (this.#ending) return;
      this.#broken = true;
      this.#fail(new Error(`${name} ended (${how}); ${relative(ROOT, log)}:\n${started.tail()}`));
    };
    started.child.once("error", (error) => end(error.message));
    started.child.once("close", (code, signal) => {
      if (!stopped.has(started)) end(signal ?? String(code));
    });
    return started;
  }

  /** Runs a command whose output goes to a file. */
  spawn(
    /** @type {string} */ name,
    /** @type {string} */ file,
    /** @type {string[]} */ args,
    /** @type {Record<string, string>} */ env = {},
  ) {
    return this.#add(name, (out) =>
      spawn(file, args, {
        cwd: this.dir,
        env: { ...process.env, NODE_OPTIONS: "", ...env },
        stdio: ["ignore", out, out],
      }),
    );
  }

  /** Runs `chunkproof …`. */
  chunkproof(/** @type {string} */ name, /** @type {string[]} */ args, /** @type {Record<string, string>} */ env = {}) {
    return this.spawn(name, process.execPath, [join(ROOT, "bin", "cli", "main.js"), ...args], env);
  }

  /**
   * Runs a module beside this one, which answers messages.
   *
   * @returns {Peer}
   */
  peer(/** @type {string} */ name, /** @type {string} */ module) {
    const started = this.#add(name, (out) =>
      fork(join(ROOT, "bench", "network", module), [], {
        cwd: this.dir,
        execArgv: [],
        env: { ...process.env, NODE_OPTIONS: "" },
        stdio: ["ignore", out, out, "ipc"],
        serialization: "advanced",
      }),
    );
    return new Peer(this, started);
  }

  /** A Redis as docs/network.md asks for it, with its data in the stage's folder. */
  async redis(/** @type {string} */ name, /** @type {string[]} */ more = []) {
    if (spawnSync("redis-server", ["--version"]).status !== 0)
      throw new CannotRunError("redis-server is not installed");
    const port = await freePort();
    const dir = join(this.dir, name);
    await mkdir(dir);
    const safe = ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""];
    const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", dir, ...safe, ...more];
    const started = this.spawn(name, "redis-server", args);
    await this.until("Redis", () => connects(port));
    return { url: `redis://127.0.0.1:${port}`, port, process: started };
  }

  /** What is awaited, unless a process ends first. */
  race(/** @type {Promise<any>} */ promise) {
    return Promise.race([promise, this.#failed]);
  }

  /** Asks again until there is an answer. @returns {Promise<any>} */
  async until(/** @type {string} */ what, /** @type {() => Promise<any>} */ ask, seconds = 60) {
    let last;
    for (const limit = performance.now() + 1000 * seconds; performance.now() < limit; ) {
      const found = await this.race(
        ask().catch((error) => {
          last = error;
        }),
      );
      if (found !== undefined && found !== false) return found;
      await this.race(sleep(50));
    }
    this.#broken = true;
    const logs = this.#processes.map(({ name, tail }, i) => `--- ${name}\n${tail.call(this.#processes[i], 5)}`);
    throw new Error(`${what}: not within ${seconds} s\n${logs.join("\n")}`, { cause: last });
  }

  /** Fails when it takes longer. */
  async within(/** @type {string} */ what, /** @type {Promise<any>} */ promise, /** @type {number} */ seconds) {
    const timer = new AbortController();
    const late = sleep(1000 * seconds, undefined, { signal: timer.signal }).then(() => {
      this.#broken = true;
      const logs = this.#processes.map((one) => `--- ${one.name}\n${one.tail(5)}`);
      throw new Error(`${what}: not within ${seconds} s\n${logs.join("\n")}`);
    });
    late.catch(() => {});
    try {
      return await this.race(Promise.race([promise, late]));
    } finally {
      timer.abort();
    }
  }

  /** Ends one process, which is then no accident. */
  async stop(/** @type {Process} */ one) {
    stopped.add(one);
    await one.stop();
  }

  /** Ends all processes, the last first, and removes the folder unless something went wrong. */
  async close(failed = false) {
    this.#ending = true;
    for (const one of [...this.#processes].reverse()) await one.stop();
    process.off("exit", this.#kill);
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, this.#interrupted);
    if (failed || this.#broken) console.error(`The logs are in ${relative(process.cwd(), this.dir)}.`);
    else await rm(this.dir, { recursive: true, force: true });
  }
}

/** Processes that were stopped before their stage ended. @type {WeakSet<Process>} */
const stopped = new WeakSet();

/** Has something done on a stage of its own, which is cleared afterwards. */
export async function onStage(/** @type {(stage: Stage) => Promise<any>} */ work) {
  const stage = await Stage.open();
  let failed = true;
  try {
    const result = await work(stage);
    failed = false;
    return result;
  } finally {
    await stage.close(failed);
  }
}

/** A process that is asked, and tells. */
export class Peer {
  /** @type {Process} */ process;
  #stage;
  #next = 0;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */ #pending = new Map();
  /** @type {(told: any) => void} Hears what it tells without being asked. */ onTold = () => {};

  constructor(/** @type {Stage} */ stage, /** @type {Process} */ started) {
    this.#stage = stage;
    this.process = started;
    started.child.on("message", (/** @type {any} */ { id, result, error, told }) => {
      if (told !== undefined) return this.onTold(told);
      const { resolve, reject } = this.#pending.get(id) ?? {};
      this.#pending.delete(id);
      if (error === undefined) resolve?.(result);
      else reject?.(new Error(`${started.name}: ${error}`));
    });
  }

  /** @returns {Promise<any>} what it answers */
  ask(/** @type {string} */ what, /** @type {any} */ input = {}) {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.process.child.send({ id, what, input });
    });
    return this.#stage.race(answer);
  }
}

/**
 * The other side of {@link Peer}: answers by these functions until the parent is gone.
 *
 * @param {Record<string, (input: any) => any>} answers
 * @returns {(told: any) => void} tells the parent something
 */
export function answer(answers) {
  const send = (/** @type {any} */ message) => {
    if (process.connected) process.send?.(message, undefined, {}, () => {});
  };
  process.on("message", async (/** @type {any} */ { id, what, input }) => {
    try {
      send({ id, result: await answers[what](input) });
    } catch (error) {
      send({ id, error: /** @type {any} */ (error).stack });
    }
  });
  process.on("disconnect", () => process.exit(1));
  return (told) => send({ told });
}

/** Whether somebody listens there. */
function connects(/** @type {number} */ port) {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const end = (/** @type {boolean} */ is) => {
      socket.destroy();
      resolve(is);
    };
    socket.on("connect", () => end(true)).on("error", () => end(false));
  });
}
