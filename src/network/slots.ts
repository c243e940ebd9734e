/**
 * Memory admission, so that a machine never swaps: lanes that each do one job at a time, keys that stay loaded in them, and a
 * budget for all of it. A job is taken when there is a free lane and its key and its work fit; keys that nobody uses are
 * evicted for it, those first that were not used for longest.
 *
 * This module only keeps books; who loads and evicts keys is told by its callbacks.
 *
 * Measured on Node 20, x64, with this package's keys (MiB). One lane is one worker thread; its keys were loaded one after the
 * other, each with several commitments and proofs; "grows by" is what the process had more of afterwards, "most" what it had
 * more of meanwhile:
 *
 * | layout   | zkey | WebAssembly: loaded | after commit | after prove | grows by   | most | `estimate`, key + work |
 * | -------- | ---- | ------------------- | ------------ | ----------- | ---------- | ---- | ---------------------- |
 * | mixed-12 |  2.0 |                 5.4 |          5.4 |         6.4 | 17         |   17 |               22 +   1 |
 * | rare-12  |  2.0 |                 5.4 |          5.4 |         6.3 | 17         |   17 |               22 +   1 |
 * | mixed-14 |  7.9 |                18.3 |         19.6 |        24.4 | 36 to 43   |   45 |               41 +   4 |
 * | arith-14 |  8.0 |                19.4 |         19.8 |        24.0 | 35         |   36 |               41 +   4 |
 * | bytes-14 |  7.8 |                18.9 |         19.3 |        23.4 | 34         |   34 |               40 +   4 |
 * | state-14 |  7.8 |                19.3 |         19.5 |        23.6 | 30 to 34   |   34 |               40 +   4 |
 * | mixed-16 | 31.6 |                61.9 |         64.4 |        81.3 | 110        |  123 |              116 +  16 |
 * | stack-16 | 31.9 |                62.4 |         64.9 |        84.1 | 87 to 98   |  104 |              117 +  16 |
 *
 * - Each further thread of a key: 10 to 11 (2^12), 13 (2^14), 15 (2^16), of which about 9 are the thread itself.
 * - The process: 42, and 106 with one lane that has imported what it needs, 59 for each further lane; V8's own heap grows
 *   by 15 to 35 in a lane that proves.
 * - All of mixed-16, stack-16, mixed-14, arith-14 and mixed-12 in one lane: 416 in the end, 497 by the formula; of the first
 *   three in two lanes: 660, by the formula 802 and 32 for the work.
 * - Planning a block, with a trace of 0.3 MiB (6000 steps): 49; 1.2: 129; 1.6: 155; 6.1 (110,000 steps): 376.
 * - A closed key's memory is only given back when V8 collects garbage, which it puts off: without {@link collectGarbage}
 *   a lane that changed its key five times grew by 440.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { totalmem } from "node:os";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { KeyFolder } from "../keys/folder.js";
import { NetworkError } from "./errors.js";
import type { JobKind } from "./jobs.js";

const MIB = 2 ** 20;

/** Part of a machine's memory that is used unless told otherwise. */
const SHARE = 0.8;
/** The process without lanes: queue, store, health server. */
const PROCESS_BYTES = 64 * MIB;
/** A lane without keys: its thread, what that has imported, and its heap while it proves. */
const LANE_BYTES = 96 * MIB;
/** Of a key, whatever its size: tables, and its part of V8's heap. */
const KEY_BYTES = 4 * MIB;
/** A thread of a key, whatever the key's size. */
const THREAD_BYTES = 12 * MIB;
/** Sums in buckets of one thread, in sizes of the zkey. */
const THREAD_FACTOR = 0.15;
/** What a key takes once it was used, and the work with it, in sizes of the zkey. */
const FACTOR = { commit: { key: 2.25, work: 0.25 }, prove: { key: 3, work: 0.5 } } as const;
/** Jobs on whole blocks: a constant, and for each byte of the trace. */
const BLOCK_BYTES = 64 * MIB;
const TRACE_FACTOR = 64;
/** Where nobody says how long the trace is: enough for 3 MiB, 50,000 steps. */
const UNKNOWN_TRACE = 3 * MIB;

/** What a job needs. */
export interface Need {
  /** Bytes of its key, which stay taken afterwards. */
  readonly key: number;
  /** Bytes while it runs. */
  readonly work: number;
}

/** What {@link estimate} goes by. */
export interface Estimated {
  /** Bytes of the layout's zkey; undefined for jobs that need no key. */
  readonly zkey?: number | undefined;
  /** Threads of each key. */
  readonly threads: number;
  /** Bytes of the trace, if known: for jobs on whole blocks. */
  readonly trace?: number | undefined;
}

/** Estimates what a job needs, with a margin: see the table above. */
export function estimate(kind: JobKind, { zkey, threads, trace }: Estimated): Need {
  // those on whole blocks commit and prove themselves when something that was handed in is bad
  const own = kind === "commit" || kind === "prove";
  const { key, work } = FACTOR[kind === "commit" || kind === "challenge" ? "commit" : "prove"];
  const block = kind === "plan" ? BLOCK_BYTES + TRACE_FACTOR * (trace ?? UNKNOWN_TRACE) : BLOCK_BYTES;
  return {
    key: zkey === undefined ? 0 : Math.ceil(key * zkey + KEY_BYTES + threads * (THREAD_BYTES + THREAD_FACTOR * zkey)),
    work: Math.ceil(work * (zkey ?? 0) + (own ? 0 : block)),
  };
}

/** A layout, as far as memory is concerned. */
export interface SizedLayout {
  readonly name: string;
  /** Bytes of its zkey. */
  readonly zkey: number;
}

/** Sizes of a folder's layouts, in the order of the key set. */
export function layoutSizes({ layouts }: KeyFolder): Promise<SizedLayout[]> {
  return Promise.all(layouts.map(async ({ layout: { name }, zkey }) => ({ name, zkey: (await stat(zkey)).size })));
}

let collect: (() => void) | undefined;

/** Has V8 give back what nobody refers to, which takes some 40 ms. To be called on the thread that closed a key. */
export async function collectGarbage(): Promise<void> {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  // what has just been awaited is still on the stack
  await new Promise((resolve) => setImmediate(resolve));
  collect();
}

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/** A limit of a control group; unlimited ones are "max" or beyond all memory. */
function readBytes(path: string): number | undefined {
  const text = readText(path)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** A field of files with a name and a number in each line. */
function field(text: string | undefined, name: string): number | undefined {
  const found = new RegExp(`^${name}:?\\s+(\\d+)( kB)?$`, "m").exec(text ?? "");
  return found === null ? undefined : Number(found[1]) * (found[2] === undefined ? 1 : 1024);
}

/** Limits of the control groups that this process is in. */
function controlGroups(root: string): { limit: number; free: number }[] {
  const groups = /^(\d+):([^:\n]*):(.*)$/gm;
  const found: { limit: number; free: number }[] = [];
  for (const [, id, controllers, path] of (readText(join(root, "proc/self/cgroup")) ?? "").matchAll(groups)) {
    const v2 = id === "0" && controllers === "";
    if (!v2 && !controllers!.split(",").includes("memory")) continue;
    const base = join(root, "sys/fs/cgroup", v2 ? "" : "memory");
    const names = v2
      ? { limit: "memory.max", usage: "memory.current", inactive: "inactive_file", active: "active_file" }
      : {
          limit: "memory.limit_in_bytes",
          usage: "memory.usage_in_bytes",
          inactive: "total_inactive_file",
          active: "total_active_file",
        };
    // a group is bound by those above it; in a container its path may be the host's, which is not there
    for (let folder = join(base, join("/", path!)); ; folder = dirname(folder)) {
      const limit = readBytes(join(folder, names.limit));
      if (limit !== undefined) {
        const text = readText(join(folder, "memory.stat"));
        // cached files go when memory is needed
        const cached = (field(text, names.inactive) ?? 0) + (field(text, names.active) ?? 0);
        const usage = readBytes(join(folder, names.usage)) ?? 0;
        found.push({ limit, free: Math.max(0, limit - Math.max(0, usage - cached)) });
      }
      if (folder.length <= base.length) break;
    }
  }
  return found;
}

/** Where {@link memoryLimit} and {@link availableMemory} look. */
export interface MemorySource {
  /** Above `proc` and `sys`; for tests. */
  readonly root?: string | undefined;
  /** Bytes of the machine. */
  readonly total?: number | undefined;
}

/**
 * Memory that keys and jobs may take unless told otherwise: 80 % of what is available to this process now, in the control
 * groups that it is in and on the machine; where the system does not say, of all memory.
 */
export function memoryLimit({ root = "/", total = totalmem() }: MemorySource = {}): number {
  const available = field(readText(join(root, "proc/meminfo")), "MemAvailable");
  const limits = controlGroups(root).map(({ limit }) => limit);
  return Math.floor(SHARE * Math.min(total, available ?? total, ...limits));
}

/** Bytes that can be taken now without swapping; undefined where the system does not say. */
export function availableMemory({ root = "/" }: MemorySource = {}): number | undefined {
  const available = field(readText(join(root, "proc/meminfo")), "MemAvailable");
  if (available === undefined) return undefined;
  return Math.min(available, ...controlGroups(root).map(({ free }) => free));
}

/** A job, as far as memory is concerned. */
export interface Demand {
  readonly kind: JobKind;
  /** Whose keys it uses: one to commit and to prove; any of several for the other kinds. Unknown ones do not count. */
  readonly layouts: readonly number[];
  /** Computed otherwise than usual, with a key of its own. */
  readonly alternate?: boolean | undefined;
  /** Bytes of the trace, if known. */
  readonly trace?: number | undefined;
}

/** A lane for one job. */
export interface Lease {
  readonly lane: number;
  /** When what is evicted for it is gone. Never rejects. */
  readonly ready: Promise<void>;
  /** The job has ended: to be called once, more do nothing. */
  release(): void;
}

/** Options of {@link Slots}. */
export interface SlotsOptions {
  readonly lanes: number;
  /** Bytes for everything, the process itself included. */
  readonly limit: number;
  /** In the order of the key set. */
  readonly layouts: readonly SizedLayout[];
  /** Of each key. */
  readonly threads: number;
  /** Lets go of a layout's keys in a lane; of one that is not loaded too. If it rejects, the lane is taken for empty. */
  readonly evict: (lane: number, layout: number) => Promise<void>;
  /** Default {@link availableMemory}. */
  readonly available?: (() => number | undefined) | undefined;
  /** Milliseconds. */
  readonly now?: (() => number) | undefined;
}

/** What is taken, in bytes. */
export interface SlotsStatus {
  readonly limit: number;
  /** By all of it: never above the limit. */
  readonly used: number;
  /** By keys, by the estimate. */
  readonly keys: number;
  readonly lanes: number;
  readonly free: number;
}

/** Keys of one layout in one lane. */
interface Loaded {
  readonly lane: number;
  readonly layout: number;
  usual: number;
  alternate: number;
  /** Position in the order of uses. */
  used: number;
}

interface Grant {
  readonly lane: number;
  readonly layouts: readonly number[];
  readonly work: number;
  /** What the machine has less of soon. */
  readonly fresh: number;
  readonly since: number;
}

/** A demand that did not fit. */
interface Refused {
  readonly first: number;
  readonly last: number;
  /** What it needs if nothing of it is there. */
  readonly bytes: number;
}

/** Milliseconds that a demand is refused before the others wait for it. */
const PATIENCE = 20_000;
/** Milliseconds after which a demand that does not come again is forgotten: others did it. */
const FORGET = 30_000;
/** Milliseconds until a key is in memory, and `available` knows. */
const SETTLE = 15_000;

const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

/** See the module. */
export class Slots {
  readonly lanes: number;
  readonly limit: number;
  readonly #layouts: readonly SizedLayout[];
  readonly #threads: number;
  readonly #fixed: number;
  readonly #evict: SlotsOptions["evict"];
  readonly #available: () => number | undefined;
  readonly #now: () => number;
  readonly #loaded = new Map<string, Loaded>();
  readonly #grants = new Map<number, Grant>();
  readonly #evictions = new Set<Promise<void>>();
  /** Demands that did not fit, by name. */
  readonly #refused = new Map<string, Refused>();
  #uses = 0;
  #refusal: { readonly reason: string; readonly at: number } | undefined;

  /** @throws NetworkError `MEMORY_LIMIT` if not even the lanes fit. */
  constructor(options: SlotsOptions) {
    this.lanes = options.lanes;
    this.limit = options.limit;
    this.#layouts = options.layouts;
    this.#threads = options.threads;
    this.#evict = options.evict;
    this.#available = options.available ?? (() => availableMemory());
    this.#now = options.now ?? (() => performance.now());
    this.#fixed = PROCESS_BYTES + this.lanes * LANE_BYTES;
    if (this.#fixed > this.limit) throw this.#never(`${this.lanes} lanes`, this.#fixed);
  }

  /** Lanes that nobody has. */
  get free(): number {
    return this.lanes - this.#grants.size;
  }

  /** Why a demand was refused for want of memory; undefined if one was granted since, or that is long ago. */
  get refusal(): string | undefined {
    return this.#refusal !== undefined && this.#now() - this.#refusal.at <= FORGET ? this.#refusal.reason : undefined;
  }

  status(): SlotsStatus {
    const keys = this.#keys();
    return { limit: this.limit, used: this.#used(), keys, lanes: this.lanes, free: this.free };
  }

  /** @throws NetworkError `MEMORY_LIMIT` if a job of these kinds can never fit, with any layout. */
  check(kinds: readonly JobKind[]): void {
    const layouts = this.#layouts.map((_, i) => i);
    for (const kind of kinds) {
      if (kind === "plan") this.#need({ kind, layouts: [] });
      else for (const layout of layouts) this.#need({ kind, layouts: [layout] });
    }
  }

  /**
   * Takes a lane for a job, if there is one and the memory it needs.
   *
   * @throws NetworkError `MEMORY_LIMIT` if it can never fit.
   */
  take(demand: Demand): Lease | undefined {
    const need = this.#need(demand);
    if (this.free === 0) return undefined;
    const now = this.#now();
    const name = JSON.stringify([demand.kind, demand.layouts, demand.alternate === true]);
    const variant = demand.alternate === true ? "alternate" : "usual";
    // jobs on whole blocks rarely need a key, and let go of it
    const layout = demand.kind === "commit" || demand.kind === "prove" ? this.#known(demand.layouts)[0] : undefined;
    const lane = this.#choose(layout, variant);
    const first = this.#starving(now);
    if (first !== undefined && first.name !== name) {
      // others only beside it: when what is under way ends, it is its turn
      if (this.#inUse() + need.key + need.work + first.bytes > this.limit) {
        this.#refusal = { reason: "a job that has been waiting for memory goes first", at: now };
        return undefined;
      }
    }
    // a key that is not kept counts as work
    const work = layout === undefined ? need.key + need.work : need.work;
    const own = layout === undefined ? undefined : this.#loaded.get(nameOf(lane, layout));
    const has = own?.[variant] ?? 0;
    let kept = layout === undefined ? 0 : Math.max(0, need.key - has);
    let evicted = this.#room(kept + work, has > 0 ? own : undefined, now);
    if (evicted === undefined && has > 0) {
      // the other key of the layout may be what there is no room for; they go together
      kept = need.key;
      evicted = this.#room(kept + work, undefined, now);
    }
    if (evicted === undefined) {
      this.#remember(name, need, now);
      return undefined;
    }

    this.#refused.delete(name);
    this.#refusal = undefined;
    let freed = 0;
    for (const loaded of evicted) {
      freed += loaded.usual + loaded.alternate;
      this.#loaded.delete(nameOf(loaded.lane, loaded.layout));
      this.#start(loaded.lane, loaded.layout);
    }
    if (layout !== undefined) {
      // it may have been among those that went
      const loaded = this.#loaded.get(nameOf(lane, layout)) ?? { lane, layout, usual: 0, alternate: 0, used: 0 };
      loaded[variant] += kept;
      loaded.used = ++this.#uses;
      this.#loaded.set(nameOf(lane, layout), loaded);
    }
    const layouts = this.#known(demand.layouts);
    const grant: Grant = { lane, layouts, work, fresh: Math.max(0, kept + work - freed), since: now };
    this.#grants.set(lane, grant);
    return {
      lane,
      // those for others too: until they are gone, their memory is taken twice
      ready: Promise.all(this.#evictions).then(() => {}),
      release: () => this.#release(grant, layout),
    };
  }

  /** The thread of a lane has ended, and its keys with it. */
  forget(lane: number): void {
    for (const [name, loaded] of this.#loaded) {
      if (loaded.lane !== lane) continue;
      if (!this.#isUsed(loaded)) this.#loaded.delete(name);
    }
  }

  #known(layouts: readonly number[]): number[] {
    return layouts.filter((layout) => layout < this.#layouts.length);
  }

  /** What a job needs: of several keys that of the largest. @throws NetworkError `MEMORY_LIMIT` */
  #need({ kind, layouts, trace }: Demand): Need {
    const threads = this.#threads;
    const largest = this.#known(layouts).sort((a, b) => this.#layouts[b]!.zkey - this.#layouts[a]!.zkey)[0];
    const need = estimate(kind, {
      threads,
      trace,
      ...(largest === undefined ? {} : { zkey: this.#layouts[largest]!.zkey }),
    });
    const total = this.#fixed + need.key + need.work;
    if (total <= this.limit) return need;
    throw this.#never(largest === undefined ? kind : `${kind} ${this.#layouts[largest]!.name}`, total);
  }

  #never(where: string, bytes: number): NetworkError {
    return new NetworkError("needs more memory than it may take; see --max-memory and --concurrency", {
      code: "MEMORY_LIMIT",
      where,
      expected: `at most ${this.limit} bytes (${mib(this.limit)})`,
      got: `${bytes} bytes (${mib(bytes)})`,
    });
  }

  /** The free lane that has the key, else the one with the smallest keys. */
  #choose(layout: number | undefined, variant: "usual" | "alternate"): number {
    let best: { lane: number; used: number; bytes: number } | undefined;
    for (let lane = 0; lane < this.lanes; lane++) {
      if (this.#grants.has(lane)) continue;
      const own = layout === undefined ? undefined : this.#loaded.get(nameOf(lane, layout));
      const used = own !== undefined && own[variant] > 0 ? own.used : 0;
      let bytes = 0;
      for (const loaded of this.#loaded.values()) if (loaded.lane === lane) bytes += loaded.usual + loaded.alternate;
      const better = best === undefined || used > best.used || (used === best.used && bytes < best.bytes);
      if (better) best = { lane, used, bytes };
    }
    return best!.lane;
  }

  /** What must go so that there is room for so much more, the least recently used first; undefined: there is none. */
  #room(fresh: number, kept: Loaded | undefined, now: number): Loaded[] | undefined {
    const lacking = Math.max(this.#used() + fresh - this.limit, this.#lacking(fresh, now));
    const idle = [...this.#loaded.values()]
      .filter((loaded) => loaded !== kept && !this.#isUsed(loaded))
      .sort((a, b) => a.used - b.used);
    const evicted: Loaded[] = [];
    let freed = 0;
    for (const loaded of idle) {
      if (freed >= lacking) break;
      freed += loaded.usual + loaded.alternate;
      evicted.push(loaded);
    }
    return freed >= lacking ? evicted : undefined;
  }

  /** What the machine lacks so that it could give so much. */
  #lacking(fresh: number, now: number): number {
    const available = this.#available();
    if (available === undefined) return 0;
    let coming = 0;
    for (const grant of this.#grants.values()) if (now - grant.since < SETTLE) coming += grant.fresh;
    return fresh + coming - available;
  }

  /** A demand that does not fit now. */
  #remember(name: string, need: Need, now: number): void {
    const bytes = need.key + need.work;
    if (this.#inUse() + bytes > this.limit) {
      this.#refused.set(name, { first: this.#refused.get(name)?.first ?? now, last: now, bytes });
      this.#refusal = { reason: `${mib(bytes)} do not fit beside the jobs in hand`, at: now };
    } else {
      // the memory is others', perhaps for long: no job here is to wait for that
      this.#refused.delete(name);
      const available = mib(this.#available() ?? 0);
      this.#refusal = { reason: `${mib(bytes)} are needed, and the machine has ${available}`, at: now };
    }
  }

  /** The demand that the others wait for. */
  #starving(now: number): (Refused & { readonly name: string }) | undefined {
    let oldest: (Refused & { readonly name: string }) | undefined;
    for (const [name, refused] of this.#refused) {
      if (now - refused.last > FORGET) this.#refused.delete(name);
      else if (now - refused.first >= PATIENCE && refused.first < (oldest?.first ?? Number.POSITIVE_INFINITY)) {
        oldest = { name, ...refused };
      }
    }
    return oldest;
  }

  #isUsed({ lane, layout }: Loaded): boolean {
    return this.#grants.get(lane)?.layouts.includes(layout) === true;
  }

  #keys(): number {
    let bytes = 0;
    for (const { usual, alternate } of this.#loaded.values()) bytes += usual + alternate;
    return bytes;
  }

  #used(): number {
    let bytes = this.#fixed + this.#keys();
    for (const { work } of this.#grants.values()) bytes += work;
    return bytes;
  }

  /** What cannot be evicted. */
  #inUse(): number {
    let bytes = this.#used();
    for (const loaded of this.#loaded.values()) if (!this.#isUsed(loaded)) bytes -= loaded.usual + loaded.alternate;
    return bytes;
  }

  #start(lane: number, layout: number): void {
    const eviction = this.#evict(lane, layout)
      // a lane that cannot evict has lost its thread
      .catch(() => this.forget(lane))
      .finally(() => this.#evictions.delete(eviction));
    this.#evictions.add(eviction);
  }

  #release(grant: Grant, layout: number | undefined): void {
    const { lane, layouts } = grant;
    if (this.#grants.get(lane) !== grant) return;
    this.#grants.delete(lane);
    if (layout !== undefined) return;
    // keys that it may have needed, and that are in no book
    for (const used of layouts) if (!this.#loaded.has(nameOf(lane, used))) this.#start(lane, used);
  }
}

const nameOf = (lane: number, layout: number): string => `${lane} ${layout}`;
