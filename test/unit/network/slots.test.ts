import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { KeyFolder } from "../../../src/keys/folder.js";
import type { JobKind } from "../../../src/network/jobs.js";
import {
  availableMemory,
  collectGarbage,
  type Demand,
  estimate,
  type Lease,
  layoutSizes,
  memoryLimit,
  Slots,
  type SlotsOptions,
} from "../../../src/network/slots.js";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const SMALL = 0;
const MIDDLE = 1;
const LARGE = 2;
const LAYOUTS = [
  { name: "mixed-12", zkey: 2 * MIB },
  { name: "mixed-14", zkey: 8 * MIB },
  { name: "mixed-16", zkey: 32 * MIB },
];
/** What `lanes` lanes take with nothing in them. */
const fixedOf = (lanes: number) => slots({ lanes, limit: 100 * GIB }).slots.status().used;

const temporary: string[] = [];
afterEach(() => {
  for (const path of temporary.splice(0)) rmSync(path, { recursive: true });
});

function folder(files: Record<string, string | Uint8Array>): string {
  const root = mkdtempSync(join(tmpdir(), "chunkproof-slots-"));
  temporary.push(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

/** Slots with a clock of their own, on a machine that has memory enough. */
function slots(options: Partial<SlotsOptions> = {}) {
  const evicted: string[] = [];
  const clock = { now: 0 };
  const made = new Slots({
    lanes: 2,
    limit: 4 * GIB,
    layouts: LAYOUTS,
    threads: 1,
    evict: async (lane, layout) => void evicted.push(`${lane} ${layout}`),
    available: () => undefined,
    now: () => clock.now,
    ...options,
  });
  return { slots: made, evicted, clock };
}

const prove = (layout: number, alternate = false): Demand => ({ kind: "prove", layouts: [layout], alternate });
const commit = (layout: number): Demand => ({ kind: "commit", layouts: [layout] });
const needOf = ({ kind, layouts }: Demand) => {
  const { key, work } = estimate(kind, { threads: 1, zkey: LAYOUTS[layouts[0]!]!.zkey });
  return key + work;
};

describe("estimates", () => {
  it("what was measured fits, with one thread and with four", () => {
    const measured = [
      { zkey: 2_065_216, one: 17, four: 48 },
      { zkey: 8_299_984, one: 43, four: 78 },
      { zkey: 33_156_724, one: 110, four: 155 },
      { zkey: 33_487_420, one: 98, four: 150 },
    ];
    for (const { zkey, one, four } of measured) {
      expect(estimate("prove", { zkey, threads: 1 }).key).toBeGreaterThan(0.94 * one * MIB);
      expect(estimate("prove", { zkey, threads: 1 }).key).toBeLessThan(1.4 * one * MIB);
      expect(estimate("prove", { zkey, threads: 4 }).key).toBeGreaterThan(four * MIB);
    }
    for (const [trace, most] of [
      [347_997, 49],
      [1_246_217, 129],
      [1_713_018, 155],
      [6_444_087, 376],
    ] as const) {
      expect(estimate("plan", { threads: 1, trace }).work).toBeGreaterThan(most * MIB);
    }
  });

  it("a commitment takes less than a proof; jobs without keys take none", () => {
    const of = (kind: JobKind, zkey?: number) => estimate(kind, { threads: 2, zkey });
    expect(of("commit", 32 * MIB).key).toBeLessThan(of("prove", 32 * MIB).key);
    expect(of("commit", 32 * MIB).work).toBeLessThan(of("prove", 32 * MIB).work);
    for (const kind of ["plan", "challenge", "assemble"] as const) {
      expect(of(kind).key).toBe(0);
      expect(of(kind).work).toBeGreaterThan(0);
    }
  });

  it("sizes of a folder's layouts", async () => {
    const path = folder({ "a.zkey": new Uint8Array(123), "b.zkey": new Uint8Array(7) });
    const layouts = ["a", "b"].map((name) => ({ layout: { name }, zkey: join(path, `${name}.zkey`) }));
    await expect(layoutSizes({ layouts } as unknown as KeyFolder)).resolves.toEqual([
      { name: "a", zkey: 123 },
      { name: "b", zkey: 7 },
    ]);
  });
});

describe("the memory of the machine", () => {
  const meminfo = "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\n";
  const available = 8_000_000 * 1024;

  it("80 % of what is available, or of all where the system does not say", () => {
    expect(memoryLimit({ root: folder({ "proc/meminfo": meminfo }), total: 16 * GIB })).toBe(
      Math.floor(0.8 * available),
    );
    expect(memoryLimit({ root: folder({}), total: 1000 })).toBe(800);
    expect(availableMemory({ root: folder({ "proc/meminfo": meminfo }) })).toBe(available);
    expect(availableMemory({ root: folder({}) })).toBeUndefined();
    expect(memoryLimit()).toBeGreaterThan(0);
    expect(memoryLimit()).toBeLessThanOrEqual(0.8 * totalmem());
  });

  it("control groups, version 2: the narrowest of all above", () => {
    const root = folder({
      "proc/meminfo": meminfo,
      "proc/self/cgroup": "0::/system.slice/chunkproof\n",
      "sys/fs/cgroup/system.slice/memory.max": `${2 * GIB}\n`,
      "sys/fs/cgroup/system.slice/memory.current": `${GIB}\n`,
      "sys/fs/cgroup/system.slice/memory.stat": `anon 5\nfile 9\ninactive_file ${GIB / 4}\nactive_file ${GIB / 4}\n`,
      "sys/fs/cgroup/system.slice/chunkproof/memory.max": "max\n",
    });
    expect(memoryLimit({ root })).toBe(Math.floor(0.8 * 2 * GIB));
    // cached files do not count
    expect(availableMemory({ root })).toBe(2 * GIB - GIB / 2);
  });

  it("a container that sees its own group as the root, or knows only its path on the host", () => {
    for (const path of ["/", "/docker/0123", "/../../user"]) {
      const root = folder({
        "proc/meminfo": meminfo,
        "proc/self/cgroup": `0::${path}\n`,
        "sys/fs/cgroup/memory.max": String(GIB),
      });
      expect(memoryLimit({ root })).toBe(Math.floor(0.8 * GIB));
      expect(availableMemory({ root })).toBe(GIB);
    }
  });

  it("control groups, version 1, beside an empty version 2", () => {
    const root = folder({
      "proc/meminfo": meminfo,
      "proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/api/x\n0::/\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "sys/fs/cgroup/memory/api/x/memory.limit_in_bytes": String(GIB),
      "sys/fs/cgroup/memory/api/x/memory.usage_in_bytes": String(GIB / 2),
      "sys/fs/cgroup/memory/api/x/memory.stat": `cache 1\ntotal_inactive_file ${GIB / 8}\ntotal_active_file 0\n`,
    });
    expect(memoryLimit({ root })).toBe(Math.floor(0.8 * GIB));
    expect(availableMemory({ root })).toBe(GIB / 2 + GIB / 8);
  });

  it("garbage is collected when asked for", async () => {
    const thing = new WeakRef({ large: new Uint8Array(1000) });
    await new Promise((resolve) => setImmediate(resolve));
    await collectGarbage();
    expect(thing.deref()).toBeUndefined();
  });
});

describe("lanes", () => {
  it("each is taken once, and free again when it is released, once", () => {
    const { slots: s } = slots();
    const [a, b] = [s.take(prove(SMALL))!, s.take(prove(SMALL))!];
    expect([a.lane, b.lane].sort()).toEqual([0, 1]);
    expect(s.free).toBe(0);
    expect(s.take(prove(SMALL))).toBeUndefined();
    // no lane is no want of memory
    expect(s.refusal).toBeUndefined();
    a.release();
    const c = s.take(prove(SMALL))!;
    expect(c.lane).toBe(a.lane);
    a.release();
    expect(s.free).toBe(0);
  });

  it("the one that has the key is preferred, else the one with the smallest keys", () => {
    const { slots: s, evicted } = slots({ lanes: 3 });
    const use = (...demands: Demand[]) => {
      const leases = demands.map((demand) => s.take(demand)!);
      for (const lease of leases) lease.release();
      return leases.map(({ lane }) => lane);
    };
    const [large, middle, small] = use(prove(LARGE), prove(MIDDLE), prove(SMALL));
    for (let i = 0; i < 3; i++) {
      expect(use(commit(MIDDLE))).toEqual([middle]);
      expect(use(prove(LARGE))).toEqual([large]);
      expect(use(prove(SMALL))).toEqual([small]);
    }
    // the one that has it is taken: a second copy, where there is least
    expect(use(commit(SMALL), prove(SMALL))).toEqual([small, middle]);
    expect(evicted).toEqual([]);
  });

  it("what a key takes grows when it proves, and stays", () => {
    const { slots: s } = slots();
    const empty = s.status().used;
    s.take(commit(LARGE))!.release();
    const { key } = estimate("commit", { threads: 1, zkey: 32 * MIB });
    expect(s.status()).toMatchObject({ keys: key, used: empty + key, lanes: 2, free: 2 });
    const lease = s.take(prove(LARGE))!;
    expect(s.status().used - empty).toBe(needOf(prove(LARGE)));
    lease.release();
    s.take(commit(LARGE))!.release();
    expect(s.status().keys).toBe(estimate("prove", { threads: 1, zkey: 32 * MIB }).key);
  });
});

describe("the budget", () => {
  it("what can never fit is refused for good, with layout and bytes", () => {
    const limit = fixedOf(1) + needOf(prove(LARGE)) - 1;
    const { slots: s } = slots({ lanes: 1, limit });
    const error = expect.objectContaining({
      code: "MEMORY_LIMIT",
      where: "prove mixed-16",
      expected: expect.stringContaining(`at most ${limit} bytes`),
      got: expect.stringContaining(`${limit + 1} bytes`),
    });
    expect(() => s.take(prove(LARGE))).toThrowError(error);
    expect(() => s.check(["prove"])).toThrowError(error);
    s.check(["commit"]);
    expect(s.take(commit(LARGE))).toBeDefined();
    expect(() => slots({ lanes: 1, limit: fixedOf(1) - 1 })).toThrowError(
      expect.objectContaining({ code: "MEMORY_LIMIT", where: "1 lanes" }),
    );
    expect(() => slots({ lanes: 1, limit: fixedOf(1) + 100 * MIB }).slots.check(["plan"])).toThrowError(
      expect.objectContaining({ code: "MEMORY_LIMIT", where: "plan" }),
    );
  });

  it("idle keys go, the least recently used first; the job waits until they are gone", async () => {
    const gone: (() => void)[] = [];
    const calls: string[] = [];
    const { slots: s } = slots({
      lanes: 1,
      limit: fixedOf(1) + needOf(prove(LARGE)) + estimate("prove", { threads: 1, zkey: 2 * MIB }).key,
      evict: (lane, layout) => {
        calls.push(`${lane} ${layout}`);
        return new Promise((resolve) => gone.push(resolve));
      },
    });
    s.take(prove(MIDDLE))!.release();
    s.take(prove(SMALL))!.release();
    const lease = s.take(prove(LARGE))!;
    expect(calls).toEqual([`0 ${MIDDLE}`]);
    let ready = false;
    void lease.ready.then(() => {
      ready = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(ready).toBe(false);
    for (const resolve of gone) resolve();
    await lease.ready;
    // and is loaded again when it is needed
    lease.release();
    s.take(prove(MIDDLE));
    expect(calls).toEqual([`0 ${MIDDLE}`, `0 ${SMALL}`, `0 ${LARGE}`].slice(0, calls.length));
    expect(calls.length).toBeGreaterThan(1);
  });

  it("keys in use stay: a job that does not fit beside them is refused until they are idle", () => {
    const { slots: s, evicted } = slots({ limit: fixedOf(2) + needOf(prove(LARGE)) + needOf(prove(SMALL)) });
    const large = s.take(prove(LARGE))!;
    expect(s.take(prove(MIDDLE))).toBeUndefined();
    expect(s.refusal).toContain("beside the jobs in hand");
    const small = s.take(prove(SMALL))!;
    expect(s.refusal).toBeUndefined();
    small.release();
    expect(evicted).toEqual([]);
    large.release();
    expect(s.take(prove(MIDDLE))).toBeDefined();
    expect(evicted.length).toBeGreaterThan(0);
  });

  it("an alternate key is one more, which goes together with the usual one", () => {
    const { key } = estimate("prove", { threads: 1, zkey: 32 * MIB });
    const { slots: s, evicted } = slots({ lanes: 1, limit: fixedOf(1) + 2 * needOf(prove(LARGE)) });
    s.take(prove(LARGE))!.release();
    s.take(prove(LARGE, true))!.release();
    expect(s.status().keys).toBe(2 * key);
    s.take(prove(LARGE))!.release();
    expect(evicted).toEqual([]);

    const tight = slots({ lanes: 1, limit: fixedOf(1) + needOf(prove(LARGE)) });
    tight.slots.take(commit(LARGE))!.release();
    for (const alternate of [true, false, true]) {
      tight.slots.take(prove(LARGE, alternate))!.release();
      expect(tight.slots.status().keys).toBe(key);
    }
    expect(tight.evicted).toEqual([`0 ${LARGE}`, `0 ${LARGE}`, `0 ${LARGE}`]);
  });

  it("both keys of a layout: one that grows takes the other's place, instead of waiting for ever", () => {
    const committed = estimate("commit", { threads: 1, zkey: 32 * MIB }).key;
    const { slots: s, evicted } = slots({ lanes: 1, limit: fixedOf(1) + committed + needOf(prove(LARGE)) - 1 });
    s.take(commit(LARGE))!.release();
    s.take({ ...commit(LARGE), alternate: true })!.release();
    expect(s.status().keys).toBe(2 * committed);
    expect(s.take(prove(LARGE))).toBeDefined();
    expect(evicted).toEqual([`0 ${LARGE}`]);
  });

  it("jobs on whole blocks may use keys, which are let go of unless they were there", () => {
    const { slots: s, evicted } = slots({ lanes: 1 });
    s.take(prove(SMALL))!.release();
    const before = s.status().used;
    const lease = s.take({ kind: "assemble", layouts: [SMALL, LARGE, 77] })!;
    const { key, work } = estimate("assemble", { threads: 1, zkey: 32 * MIB });
    expect(s.status().used - before).toBe(key + work);
    lease.release();
    expect(evicted).toEqual([`0 ${LARGE}`]);
    expect(s.status().used).toBe(before);
  });

  it("layouts that there are none of, and planning, need no key", () => {
    const { slots: s } = slots();
    for (const demand of [prove(77), { kind: "plan", layouts: [] } as const]) {
      s.take(demand)!.release();
      expect(s.status().keys).toBe(0);
    }
  });

  it("a thread that ended takes its keys along, and so does one that cannot evict", async () => {
    const { slots: s } = slots();
    const [a, b] = [s.take(prove(LARGE))!, s.take(prove(MIDDLE))!];
    s.forget(a.lane);
    expect(s.status().keys).toBe(
      estimate("prove", { threads: 1, zkey: 32 * MIB }).key + estimate("prove", { threads: 1, zkey: 8 * MIB }).key,
    );
    a.release();
    b.release();
    s.forget(a.lane);
    expect(s.status().keys).toBe(estimate("prove", { threads: 1, zkey: 8 * MIB }).key);

    const broken = slots({
      lanes: 1,
      limit: fixedOf(1) + needOf(prove(LARGE)) + 1,
      evict: async () => Promise.reject(new Error("no thread")),
    });
    broken.slots.take(prove(SMALL))!.release();
    const lease = broken.slots.take(prove(LARGE))!;
    await lease.ready;
    lease.release();
    expect(broken.slots.status().keys).toBe(estimate("prove", { threads: 1, zkey: 32 * MIB }).key);
  });
});

describe("the machine", () => {
  it("no job is taken that it has no memory for, whatever the budget says", () => {
    let free = needOf(prove(LARGE)) - 1;
    const { slots: s, clock } = slots({ available: () => free });
    expect(s.take(prove(LARGE))).toBeUndefined();
    expect(s.refusal).toContain("the machine has");
    // it is others who have the memory: nobody here waits for that
    clock.now += 25_000;
    expect(s.take(prove(LARGE))).toBeUndefined();
    expect(s.take(prove(SMALL))).toBeDefined();
    free = needOf(prove(LARGE)) + needOf(prove(SMALL));
    expect(s.take(prove(LARGE))).toBeDefined();
  });

  it("what was just granted is not there any more, though nobody sees that yet", () => {
    let free = needOf(prove(LARGE)) + needOf(prove(MIDDLE)) - 1;
    const { slots: s, clock } = slots({ available: () => free });
    s.take(prove(LARGE));
    expect(s.take(prove(MIDDLE))).toBeUndefined();
    clock.now += 16_000;
    free -= needOf(prove(LARGE));
    expect(s.take(prove(MIDDLE))).toBeUndefined();
    free += 1;
    expect(s.take(prove(MIDDLE))).toBeDefined();
  });

  it("idle keys go for it too", () => {
    let free = 10 * GIB;
    const { slots: s, evicted } = slots({ lanes: 1, available: () => free });
    s.take(prove(LARGE))!.release();
    free = 10 * MIB;
    expect(s.take(prove(MIDDLE))).toBeDefined();
    expect(evicted).toEqual([`0 ${LARGE}`]);
  });

  it("a refusal is forgotten after a while", () => {
    const { slots: s, clock } = slots({ available: () => 0 });
    expect(s.take(prove(SMALL))).toBeUndefined();
    expect(s.refusal).toBeDefined();
    clock.now += 31_000;
    expect(s.refusal).toBeUndefined();
  });
});

describe("waiting", () => {
  /** Small jobs follow each other without end; a large one comes back every second. */
  function crowd(comesBack: boolean) {
    const { slots: s, clock } = slots({ lanes: 3, limit: fixedOf(3) + needOf(prove(LARGE)) });
    const running: { lease: Lease; until: number }[] = [];
    const grants: number[] = [];
    for (let second = 0; second < 120; second++) {
      clock.now = 1000 * second;
      for (const job of running.filter(({ until }) => until <= second)) {
        job.lease.release();
        running.splice(running.indexOf(job), 1);
      }
      // one ends while the other goes on
      const lease = s.take(prove(SMALL));
      if (lease !== undefined) running.push({ lease, until: second + 2 });
      if (second === 0 || comesBack) {
        const large = s.take(prove(LARGE));
        if (large !== undefined) {
          grants.push(second);
          large.release();
        }
      }
    }
    return { grants, s };
  }

  it("a large job that many small ones leave no room for gets its turn", () => {
    const { grants } = crowd(true);
    expect(grants[0]).toBeGreaterThan(20);
    expect(grants[0]).toBeLessThan(30);
    expect(grants.length).toBeGreaterThan(3);
  });

  it("nobody waits for one whose memory others on the machine have", () => {
    let free = GIB;
    const { slots: s, clock } = slots({ limit: fixedOf(2) + needOf(prove(LARGE)), available: () => free });
    const small = s.take(prove(SMALL))!;
    expect(s.take(prove(LARGE))).toBeUndefined();
    small.release();
    free = needOf(prove(SMALL));
    for (; clock.now < 60_000; clock.now += 1000) {
      expect(s.take(prove(LARGE))).toBeUndefined();
      const other = s.take(prove(SMALL));
      expect(other).toBeDefined();
      other!.release();
    }
  });

  it("one that does not come back is not waited for", () => {
    const { s } = crowd(false);
    expect(s.refusal).toBeUndefined();
  });
});

describe("whatever happens", () => {
  const demand = fc.oneof(
    fc.record({
      kind: fc.constantFrom<JobKind>("commit", "prove"),
      layouts: fc.tuple(fc.nat(3)),
      alternate: fc.boolean(),
    }),
    fc.record({ kind: fc.constantFrom<JobKind>("challenge", "assemble"), layouts: fc.uniqueArray(fc.nat(3)) }),
    fc.record({ kind: fc.constant<JobKind>("plan"), layouts: fc.constant([]), trace: fc.nat(8 * MIB) }),
  );
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant("take" as const), demand }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant("release" as const), which: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("wait" as const), ms: fc.nat(40_000) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("forget" as const), lane: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("machine" as const), free: fc.nat(600) }) },
  );

  it("never above the budget, no lane twice, no key evicted that is used, nothing that fits refused for ever", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 800 }),
        fc.array(step, { maxLength: 60 }),
        (lanes, extra, steps) => {
          const held = new Map<number, { lease: Lease; demand: Demand }>();
          let free = 100 * GIB;
          const { slots: s, clock } = slots({
            lanes,
            limit: fixedOf(lanes) + extra * MIB,
            available: () => free,
            evict: async (lane, layout) => {
              expect(held.get(lane)?.demand.layouts ?? []).not.toContain(layout);
            },
          });
          const empty = s.status().used;
          const take = (wanted: Demand) => {
            let lease: Lease | undefined;
            try {
              lease = s.take(wanted);
            } catch (error) {
              expect(error).toMatchObject({ code: "MEMORY_LIMIT" });
              return "never";
            }
            if (lease === undefined) return "later";
            expect(held.has(lease.lane)).toBe(false);
            expect(lease.lane).toBeLessThan(lanes);
            held.set(lease.lane, { lease, demand: wanted });
            return "taken";
          };
          const check = () => {
            const { used, keys } = s.status();
            expect(used).toBeLessThanOrEqual(s.limit);
            expect(used).toBeGreaterThanOrEqual(empty + keys);
            expect(s.free).toBe(lanes - held.size);
          };
          const release = (lane: number) => {
            const { lease } = held.get(lane)!;
            held.delete(lane);
            lease.release();
          };
          for (const one of steps) {
            if (one.type === "take") take(one.demand);
            else if (one.type === "wait") clock.now += one.ms;
            else if (one.type === "forget") s.forget(one.lane);
            else if (one.type === "machine") free = one.free * MIB;
            else if (held.size > 0) release([...held.keys()][one.which % held.size]!);
            check();
          }
          // when all is quiet, on a machine that has the memory, whatever can fit does
          for (const lane of [...held.keys()]) release(lane);
          free = 100 * GIB;
          clock.now += 60_000;
          for (const one of steps) {
            if (one.type !== "take") continue;
            expect(take(one.demand)).not.toBe("later");
            check();
            for (const lane of [...held.keys()]) release(lane);
            check();
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("a job that comes back is done in the end, whatever else there is", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 150, max: 500 }),
        fc.array(fc.record({ demand, seconds: fc.integer({ min: 1, max: 10 }) }), { minLength: 1, maxLength: 30 }),
        (lanes, extra, others) => {
          const { slots: s, clock } = slots({ lanes, limit: fixedOf(lanes) + extra * MIB });
          const running: { lease: Lease; until: number }[] = [];
          const wanted = prove(LARGE);
          for (let second = 0; ; second++) {
            clock.now = 1000 * second;
            for (const job of running.filter(({ until }) => until <= second)) {
              job.lease.release();
              running.splice(running.indexOf(job), 1);
            }
            // a free lane is the queue's affair: what is wanted comes first where there is one
            if (s.take(wanted) !== undefined) break;
            expect(second).toBeLessThan(20 + 10 * lanes + 20);
            for (let i = 0; i < others.length && s.free > (lanes > 1 ? 1 : 0); i++) {
              const { demand: other, seconds } = others[(second + i) % others.length]!;
              try {
                const lease = s.take(other);
                if (lease !== undefined) running.push({ lease, until: second + seconds });
              } catch (error) {
                expect(error).toMatchObject({ code: "MEMORY_LIMIT" });
              }
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
