import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ProverError } from "../../../src/errors.js";
import { cacheFolder, type StoredText, storedText } from "../../../src/platform/node.js";
import { storedText as storedInBrowser } from "../../../src/platform/web.js";
import type { BackendInfo } from "../../../src/prover/backend.js";
import {
  type Calibration,
  type CalibrationKey,
  Calibrations,
  calibrationKey,
  type Measurement,
  ownCalibrations,
  staleness,
} from "../../../src/prover/calibration.js";
import {
  type CalibrationProgress,
  type Candidate,
  calibrate,
  candidateOf,
  choose,
  chooseSplit,
  MARGIN,
  median,
  splitsOn,
} from "../../../src/prover/select.js";
import { SPLITS, type SplitName } from "../../../src/prover/split.js";
import { VERSION } from "../../../src/version.js";

const KEY: CalibrationKey = { power: 14, threads: 2, device: "webgpu: a GPU", version: VERSION, machine: "a CPU, fma" };

/** A text that lasts as long as the test. */
class FakeText implements StoredText {
  readonly place = "a test";
  writes = 0;
  constructor(public content?: string) {}
  read = async () => this.content;
  async write(text: string) {
    this.writes++;
    this.content = text;
  }
}

const measured = (name: SplitName, ...ms: number[]): Measurement => ({ name, ms, outcome: "measured" });
const calibrationOf = (
  key: CalibrationKey,
  choice: SplitName = "wasm",
  at = "2026-11-21T00:00:00.000Z",
): Calibration => ({
  key,
  measurements: [measured("wasm", 10, 11, 12)],
  choice,
  at,
});

describe("the choice", () => {
  test("is the smallest median, and WebAssembly unless that is beaten by more than the margin", () => {
    expect(
      choose([measured("wasm", 100, 100, 100), measured("webgpu", 40, 40, 40), measured("gpujs", 60, 60, 60)]),
    ).toBe("webgpu");
    const at = (share: number) =>
      choose([measured("wasm", 100, 100, 100), measured("webgpu", ...[1, 1, 1].map((n) => n * share))]);
    expect(at(100 * (1 - MARGIN) + 0.1)).toBe("wasm");
    expect(at(100 * (1 - MARGIN) - 0.1)).toBe("webgpu");
    expect(choose([measured("wasm", 100), measured("webgpu", 90)])).toBe("webgpu");
    // several proofs take turns on the device, and have threads of their own
    const both = [measured("wasm", 100, 100, 100), measured("webgpu", 40, 40, 40)];
    expect([1, 2, 3].map((share) => choose(both, share))).toEqual(["webgpu", "webgpu", "wasm"]);
  });

  test("is WebAssembly where runs differ more among themselves than the candidates do", () => {
    // medians 100 and 90, but either's best is 10 % away from them
    expect(choose([measured("wasm", 90, 100, 140), measured("webgpu", 81, 90, 92)])).toBe("wasm");
    // one bad run of either says nothing
    expect(choose([measured("wasm", 99, 100, 400), measured("webgpu", 89, 90, 300)])).toBe("webgpu");
  });

  test("never is what was ended, failed or was not measured, nor anything when WebAssembly was not", () => {
    const wasm = measured("wasm", 100, 100, 100);
    expect(choose([wasm, { ...measured("webgpu", 10, 10), outcome: "slower", endedAfter: 150 }])).toBe("wasm");
    expect(choose([wasm, { ...measured("webgpu", 10, 10), outcome: "failed" }])).toBe("wasm");
    expect(choose([wasm, measured("webgpu")])).toBe("wasm");
    expect(choose([measured("wasm"), measured("webgpu", 1)])).toBe("wasm");
    expect(choose([measured("webgpu", 1)])).toBe("wasm");
  });

  test("never is slower than WebAssembly, whatever was measured", () => {
    const runs = fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { minLength: 0, maxLength: 4 });
    const outcome = fc.constantFrom("measured", "slower", "failed");
    fc.assert(
      fc.property(fc.tuple(...[runs, runs, runs, runs]), fc.tuple(outcome, outcome, outcome), (ms, outcomes) => {
        const list = (["wasm", "webgpu", "webgpu+wasm", "gpujs"] as const).map((name, i) => {
          return { ...measured(name, ...ms[i]!), outcome: i === 0 ? "measured" : outcomes[i - 1]! };
        });
        const chosen = list.find(({ name }) => name === choose(list))!;
        if (chosen === list[0]) return;
        expect(chosen.outcome).toBe("measured");
        expect(median(chosen.ms)).toBeLessThan(median(ms[0]!) * (1 - MARGIN));
      }),
    );
  });

  test("the median of an even number of runs lies between the two in the middle", () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([5])]).toEqual([2, 2.5, 5]);
  });
});

test("splits are offered where their devices are, WebAssembly first", () => {
  expect(splitsOn([])).toEqual(["wasm"]);
  expect(splitsOn(["webgpu", "gpujs"])[0]).toBe("wasm");
  expect([...splitsOn(["webgpu", "gpujs"])].sort()).toEqual(Object.keys(SPLITS).sort());
  expect(splitsOn(["gpujs"])).toEqual(["wasm", "gpujs"]);
  expect(splitsOn(["webgpu"])).not.toContain("gpujs");
  expect(splitsOn(["webgpu"])).toContain("webgpu+wasm");
});

/** Candidates whose proofs take as long as they are told, by a clock that does not tick by itself. */
describe("measuring", () => {
  /** Runs in the order in which they began. */
  let log: string[];
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
    log = [];
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** @param times ms of each run, the last one's again for later ones; an error: the run fails with it after 1 ms. */
  function fake(name: SplitName, ...times: (number | Error)[]): Candidate {
    let runs = 0;
    return {
      name,
      run(signal) {
        log.push(name);
        const time = times[Math.min(runs++, times.length - 1)]!;
        return new Promise((resolve, reject) => {
          const end = () => (time instanceof Error ? reject(time) : resolve());
          const timer = setTimeout(end, time instanceof Error ? 1 : time);
          signal.addEventListener("abort", () => {
            clearTimeout(timer);
            log.push(`${name} ended`);
            reject(signal.reason);
          });
        });
      },
    };
  }

  /** Lets time pass until a promise is settled. */
  async function settled<T>(promise: Promise<T>): Promise<T> {
    let open = true;
    promise.then(
      () => (open = false),
      () => (open = false),
    );
    while (open) await vi.advanceTimersByTimeAsync(10);
    return promise;
  }

  const of = ({ measurements }: Calibration, name: SplitName) => measurements.find((m) => m.name === name)!;

  test("a first proof that is not counted, then rounds in which WebAssembly comes last", async () => {
    const steps: CalibrationProgress[] = [];
    const found = await settled(
      calibrate(KEY, [fake("wasm", 900, 200), fake("webgpu", 5000, 100), fake("gpujs", 900, 180)], {
        onProgress: (progress) => steps.push(progress),
      }),
    );
    const round = ["webgpu", "gpujs", "wasm"];
    expect(log).toEqual(["wasm", "webgpu", "gpujs", ...round, ...round, ...round]);
    expect(found).toEqual({
      key: KEY,
      choice: "webgpu",
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      measurements: [
        measured("wasm", 200, 200, 200),
        measured("webgpu", 100, 100, 100),
        measured("gpujs", 180, 180, 180),
      ],
    });
    expect(steps.map(({ name, round, done }) => [name, round, done])).toEqual([
      ["wasm", 0, 0],
      ["webgpu", 0, 1],
      ["gpujs", 0, 2],
      ...[1, 2, 3].flatMap((n) => round.map((name, i) => [name, n, 3 * n + i])),
      ["wasm", 3, 12],
    ]);
    expect(steps.every(({ stage, total, rounds }) => stage === "calibrate" && total === 12 && rounds === 3)).toBe(true);
  });

  test("what takes more than half as long again as the best is ended and out", async () => {
    const slow = fake("webgpu", 2000, 1900);
    const steps: number[] = [];
    const found = await settled(
      calibrate(KEY, [fake("wasm", 1000, 1000), slow, fake("gpujs", 500, 400)], {
        onProgress: ({ done }) => steps.push(done),
      }),
    );
    expect(of(found, "webgpu")).toMatchObject({ outcome: "slower", ms: [] });
    // the first proof of WebAssembly is what the first round knows
    expect(of(found, "webgpu").endedAfter).toBeGreaterThanOrEqual(1500);
    expect(of(found, "webgpu").endedAfter).toBeLessThan(1600);
    expect(log.filter((name) => name === "webgpu ended").length).toBe(1);
    expect(log.filter((name) => name === "webgpu").length).toBe(2);
    expect(found.choice).toBe("gpujs");
    // what is left out counts as done
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.at(-1)).toBe(12);
  });

  test("the best is another one's: WebAssembly's rounds are never ended, and a pause ends nothing short", async () => {
    const found = await settled(calibrate(KEY, [fake("wasm", 5000, 5000), fake("webgpu", 50, 100)]));
    expect(of(found, "wasm").ms).toEqual([5000, 5000, 5000]);
    expect(found.choice).toBe("webgpu");
    // twice as long, but only 60 ms longer
    const short = await settled(calibrate(KEY, [fake("wasm", 60), fake("webgpu", 120)]));
    expect(of(short, "webgpu")).toEqual(measured("webgpu", 120, 120, 120));
    expect(short.choice).toBe("wasm");
  });

  test("a first proof may take two minutes, or ten times as long as WebAssembly's", async () => {
    const none = await settled(calibrate(KEY, [fake("wasm", 100), fake("webgpu", 120_100, 10)]));
    expect(of(none, "webgpu")).toMatchObject({ outcome: "slower", ms: [] });
    // nothing is left to compare with: one round is enough
    expect(log).toEqual(["wasm", "webgpu", "webgpu ended", "wasm"]);
    expect(none.choice).toBe("wasm");
    const patient = await settled(calibrate(KEY, [fake("wasm", 15_000), fake("webgpu", 140_000, 5000)]));
    expect(patient.choice).toBe("webgpu");
  });

  test("rounds that take long are fewer", async () => {
    const found = await settled(calibrate(KEY, [fake("wasm", 25_000), fake("webgpu", 15_000)]));
    expect(found.measurements).toEqual([measured("wasm", 25_000, 25_000), measured("webgpu", 15_000, 15_000)]);
    const longer = await settled(calibrate(KEY, [fake("wasm", 100_000), fake("webgpu", 90_000)]));
    expect(longer.measurements).toEqual([measured("wasm", 100_000), measured("webgpu", 90_000)]);
    expect(longer.choice).toBe("webgpu");
  });

  test("what fails is out, with its error; in the first proof or later", async () => {
    const lost = new ProverError("the GPU was lost", { code: "DEVICE_LOST", where: "webgpu" });
    const found = await settled(
      calibrate(KEY, [
        fake("wasm", 100),
        fake("webgpu", lost),
        fake("gpujs", 10, 10, new TypeError("no")),
        fake("webgpu+wasm", 50),
      ]),
    );
    expect(of(found, "webgpu")).toEqual({
      name: "webgpu",
      ms: [],
      outcome: "failed",
      error: { code: "DEVICE_LOST", message: "webgpu: the GPU was lost" },
    });
    expect(of(found, "gpujs")).toEqual({
      name: "gpujs",
      ms: [10],
      outcome: "failed",
      error: { code: "TypeError", message: "no" },
    });
    expect(found.choice).toBe("webgpu+wasm");
  });

  test("a proof that another backend had to finish is a failure", async () => {
    const finish = async () => ({
      backend: {
        split: SPLITS.wasm,
        fallback: { from: "webgpu", code: "DEVICE_WRONG_RESULT", message: "not the sum" } as const,
      },
    });
    const whole = async () => ({ backend: { split: SPLITS.gpujs } });
    const found = await settled(
      calibrate(KEY, [fake("wasm", 100), candidateOf("webgpu", finish), candidateOf("gpujs", whole)]),
    );
    expect(of(found, "webgpu").error).toEqual({ code: "DEVICE_WRONG_RESULT", message: "not the sum" });
    expect(of(found, "gpujs")).toMatchObject({ outcome: "measured" });
  });

  test("what breaks WebAssembly's proof ends the measurement, at first or later", async () => {
    const error = new ProverError("the key is closed", { code: "KEY_CLOSED" });
    await expect(settled(calibrate(KEY, [fake("wasm", error), fake("webgpu", 1)]))).rejects.toBe(error);
    expect(log).toEqual(["wasm"]);
    // the device's failure is nothing that may be kept
    await expect(settled(calibrate(KEY, [fake("wasm", 10, error), fake("webgpu", 1, error)]))).rejects.toBe(error);
    await expect(calibrate(KEY, [fake("webgpu", 1)])).rejects.toBeInstanceOf(TypeError);
    await expect(calibrate(KEY, [])).rejects.toBeInstanceOf(TypeError);
  });

  test.each(["WITNESS_UNSATISFIED", "KEY_CLOSED"])(
    "%s is no fault of a device and ends the measurement",
    async (code) => {
      const error = new ProverError("no", { code });
      await expect(settled(calibrate(KEY, [fake("wasm", 10), fake("webgpu", 10, error)]))).rejects.toBe(error);
    },
  );

  test.each(["wasm", "webgpu"])(
    "an abort while %s proves ends the proof and everything, with the signal's reason",
    async (during) => {
      const ending = new AbortController();
      const reason = new Error("enough");
      const calibrations = new Calibrations(new FakeText());
      const work = chooseSplit(KEY, () => [fake("wasm", 100), fake("webgpu", 100)], {
        signal: ending.signal,
        calibrations,
        onProgress: ({ name, round }) => {
          if (name === during && round === 1) setTimeout(() => ending.abort(reason), 50);
        },
      });
      await expect(settled(work)).rejects.toBe(reason);
      expect(log.at(-1)).toBe(`${during} ended`);
      expect(await calibrations.list()).toEqual({ calibrations: [] });
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  test("a signal that is aborted already lets nothing begin", async () => {
    const signal = AbortSignal.abort("never");
    await expect(chooseSplit(KEY, () => [fake("wasm", 1)], { signal })).rejects.toBe("never");
    await expect(calibrate(KEY, [fake("wasm", 1)], { signal })).rejects.toBe("never");
    expect(log).toEqual([]);
  });

  describe("once", () => {
    const candidates = () => [fake("wasm", 100), fake("webgpu", 10)];
    const runs = 2 * (1 + 3);

    test("what was measured is looked up, in this process and from the text", async () => {
      const text = new FakeText();
      const calibrations = new Calibrations(text);
      expect(await settled(chooseSplit(KEY, candidates, { calibrations }))).toBe("webgpu");
      expect(log.length).toBe(runs);
      expect(await settled(chooseSplit(KEY, candidates, { calibrations }))).toBe("webgpu");
      expect(await settled(chooseSplit({ ...KEY }, candidates, { calibrations: new Calibrations(text) }))).toBe(
        "webgpu",
      );
      expect(log.length).toBe(runs);
    });

    test("another size, device, machine, version or number of threads is measured anew", async () => {
      const calibrations = new Calibrations(new FakeText());
      await settled(chooseSplit(KEY, candidates, { calibrations }));
      const others = [{ power: 15 }, { threads: 1 }, { device: "webgpu: another" }, { version: "0" }, { machine: "x" }];
      for (const [i, change] of others.entries()) {
        await settled(chooseSplit({ ...KEY, ...change }, candidates, { calibrations }));
        expect(log.length).toBe(runs * (i + 2));
      }
      expect((await calibrations.list()).calibrations.length).toBe(6);
    });

    test("without a device it is WebAssembly at once, and nothing is kept", async () => {
      const text = new FakeText();
      const asked = vi.fn(candidates);
      expect(await chooseSplit({ ...KEY, device: "" }, asked, { calibrations: new Calibrations(text) })).toBe("wasm");
      expect(asked).not.toHaveBeenCalled();
      expect(text.writes).toBe(0);
    });

    test("calls at the same time measure once", async () => {
      const calibrations = new Calibrations(new FakeText());
      const all = [1, 2, 3].map(() => chooseSplit(KEY, candidates, { calibrations }));
      expect(await settled(Promise.all(all))).toEqual(["webgpu", "webgpu", "webgpu"]);
      expect(log.length).toBe(runs);
    });

    test("different sizes are measured one after the other", async () => {
      const calibrations = new Calibrations(new FakeText());
      const named = (name: string, time: number): Candidate => ({
        name: "wasm",
        run: () => {
          log.push(`${name} begins`);
          return new Promise((resolve) => {
            setTimeout(() => {
              log.push(`${name} ends`);
              resolve();
            }, time);
          });
        },
      });
      const both = [14, 15].map((power) =>
        chooseSplit({ ...KEY, power }, () => [named(String(power), 10)], { calibrations, rounds: 1 }),
      );
      await settled(Promise.all(both));
      expect(log).toEqual([14, 14, 15, 15].flatMap((power) => [`${power} begins`, `${power} ends`]));
    });

    test("who waits takes over when the one before is ended, and may stop waiting", async () => {
      const calibrations = new Calibrations(new FakeText());
      const [first, third] = [new AbortController(), new AbortController()];
      const ended = chooseSplit(KEY, candidates, { calibrations, signal: first.signal });
      const second = chooseSplit(KEY, candidates, { calibrations });
      const bored = chooseSplit(KEY, candidates, { calibrations, signal: third.signal });
      const all = Promise.allSettled([ended, second, bored]);
      await vi.advanceTimersByTimeAsync(50);
      third.abort("bored");
      await vi.advanceTimersByTimeAsync(10);
      first.abort("ended");
      expect(await settled(all)).toEqual([
        { status: "rejected", reason: "ended" },
        { status: "fulfilled", value: "webgpu" },
        { status: "rejected", reason: "bored" },
      ]);
      expect(log.slice(0, 2)).toEqual(["wasm", "wasm ended"]);
      expect(log.length).toBe(2 + runs);
    });

    test("a failed measurement is tried again by the next call", async () => {
      const calibrations = new Calibrations(new FakeText());
      const broken = chooseSplit(KEY, () => [fake("wasm", new Error("broken"))], { calibrations });
      await expect(settled(broken)).rejects.toThrow("broken");
      expect(await settled(chooseSplit(KEY, candidates, { calibrations }))).toBe("webgpu");
    });

    test("where nothing can be kept, it is measured once a process", async () => {
      const text = new FakeText();
      text.write = () => Promise.reject(new Error("read-only"));
      const calibrations = new Calibrations(text);
      await settled(chooseSplit(KEY, candidates, { calibrations }));
      expect(await settled(chooseSplit(KEY, candidates, { calibrations }))).toBe("webgpu");
      expect(log.length).toBe(runs);
      expect(await calibrations.put(calibrationOf(KEY))).toBe("read-only");
    });
  });
});

describe("what is kept", () => {
  const other = { ...KEY, power: 16 };

  test("comes back, the newest first and one for each key; forget removes it", async () => {
    const text = new FakeText();
    const calibrations = new Calibrations(text);
    const [a, b] = [calibrationOf(KEY), calibrationOf(other, "webgpu", "2026-11-22T00:00:00.000Z")];
    const failed: Measurement = { name: "webgpu", ms: [], outcome: "failed", error: { code: "X", message: "y" } };
    const full = {
      ...a,
      measurements: [...a.measurements, failed, { ...failed, outcome: "slower", endedAfter: 7 } as const],
    };
    expect(await calibrations.put(full)).toBeUndefined();
    expect(await calibrations.put(b)).toBeUndefined();
    const again = () => new Calibrations(text);
    expect(await again().list()).toEqual({ calibrations: [b, full] });
    expect(await again().find(KEY)).toEqual(full);
    expect(await again().find({ ...KEY, threads: 3 })).toBeUndefined();
    // whatever the clock says, what was measured last counts
    const older = calibrationOf(other, "wasm", "2020-01-01T00:00:00.000Z");
    await calibrations.put(older);
    expect(await again().list()).toEqual({ calibrations: [full, older] });
    await calibrations.forget(({ key }) => key.power === 16);
    expect(await again().list()).toEqual({ calibrations: [full] });
    expect(await calibrations.find(other)).toBeUndefined();
    await calibrations.forget();
    expect(await calibrations.list()).toEqual({ calibrations: [] });
    expect(await again().list()).toEqual({ calibrations: [] });
  });

  test("what other processes keep meanwhile stays", async () => {
    const text = new FakeText();
    const [mine, theirs] = [new Calibrations(text), new Calibrations(text)];
    await mine.put(calibrationOf(KEY));
    await theirs.put(calibrationOf(other));
    await Promise.all([mine.put(calibrationOf({ ...KEY, power: 4 })), mine.put(calibrationOf({ ...KEY, power: 5 }))]);
    expect((await mine.list()).calibrations.map(({ key }) => key.power).sort((a, b) => a - b)).toEqual([4, 5, 14, 16]);
  });

  test("no more than 200, the newest", async () => {
    const at = (i: number) => new Date(Date.UTC(2026, 0, 1, 0, i)).toISOString();
    const list = Array.from({ length: 230 }, (_, i) => calibrationOf({ ...KEY, version: String(i) }, "wasm", at(i)));
    const text = new FakeText(JSON.stringify({ format: "chunkproof calibrations", version: 1, calibrations: list }));
    await new Calibrations(text).put(calibrationOf(KEY, "wasm", at(1000)));
    const { calibrations } = await new Calibrations(text).list();
    expect(calibrations.length).toBe(200);
    expect(calibrations.at(-1)!.key.version).toBe("31");
  });

  const good = calibrationOf(KEY);
  const wrap = (...calibrations: unknown[]) =>
    JSON.stringify({ format: "chunkproof calibrations", version: 1, calibrations });
  test.each<[string, string, RegExp]>([
    ["nothing", "", /not JSON/],
    ["a part of a file", wrap(good).slice(0, -9), /not JSON/],
    ["another file", '{"name":"x"}', /something else/],
    ["null", "null", /something else/],
    ["another version", wrap().replace('"version":1', '"version":2'), /version 2 of the format, not 1/],
    ["no list", '{"format":"chunkproof calibrations","version":1}', /no list/],
  ])("%s is taken for absent, said so, and replaced", async (_, content, fault) => {
    const text = new FakeText(content);
    const kept = await new Calibrations(text).list();
    expect(kept).toEqual({ calibrations: [], fault: expect.stringMatching(fault) });
    await new Calibrations(text).put(good);
    expect(await new Calibrations(text).list()).toEqual({ calibrations: [good] });
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["a list", []],
    ["no key", { ...good, key: undefined }],
    ["a size that is none", { ...good, key: { ...KEY, power: 1.5 } }],
    ["no device", { ...good, key: { ...KEY, device: 1 } }],
    ["an unknown choice", { ...good, choice: "toString" }],
    ["no date", { ...good, at: "yesterday" }],
    ["no measurements", { ...good, measurements: {} }],
    ["a negative time", { ...good, measurements: [measured("wasm", -1)] }],
    ["a time that is none", { ...good, measurements: [{ ...measured("wasm"), ms: ["1"] }] }],
    ["an unknown outcome", { ...good, measurements: [{ ...measured("wasm", 1), outcome: "fast" }] }],
    ["an error without a code", { ...good, measurements: [{ ...measured("wasm", 1), error: { message: "x" } }] }],
    ["an end that is none", { ...good, measurements: [{ ...measured("wasm", 1), endedAfter: null }] }],
  ])("an entry with %s is left out, and said so", async (_, entry) => {
    const text = new FakeText(wrap(calibrationOf(other), entry));
    expect(await new Calibrations(text).list()).toEqual({
      calibrations: [calibrationOf(other)],
      fault: "entry 1 is no calibration",
    });
  });

  test("keys say what changed", () => {
    expect(staleness(KEY, { ...KEY, power: 20, threads: 7 })).toEqual([]);
    expect(staleness(KEY, { ...KEY, version: "9" })).toEqual(["version"]);
    expect(staleness(KEY, { ...KEY, device: "", machine: "other" })).toEqual(["machine", "device"]);
  });

  test("a key names every device with its tuning, in one order whatever the order they come in", () => {
    const info = (backend: BackendInfo["backend"], details: BackendInfo["details"]): BackendInfo => ({
      backend,
      device: `device of ${backend}`,
      native: [],
      memory: 1,
      details,
    });
    const [gpu, js] = [info("webgpu", { unroll: true, limbBits: 13 }), info("gpujs", {})];
    const key = calibrationKey(14, { threads: 2, arithmetic: "fma" }, [js, gpu]);
    expect(key).toEqual(
      calibrationKey(14, { threads: 2, arithmetic: "fma" }, [
        { ...gpu, memory: 99, details: { limbBits: 13, unroll: true } },
        js,
      ]),
    );
    expect(key.device).toBe("webgpu: device of webgpu, limbBits 13, unroll true; gpujs: device of gpujs");
    expect(key).toMatchObject({
      power: 14,
      threads: 2,
      version: VERSION,
      machine: expect.stringMatching(/Node \d+, fma$/),
    });
    expect(calibrationKey(14, { threads: 2, arithmetic: "int" }, []).device).toBe("");
  });
});

describe("where it is kept", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "chunkproof-calibration-"));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    vi.unstubAllGlobals();
    await rm(folder, { recursive: true, force: true });
  });

  test("in Node a file in the cache, whose folders are made, and nothing else is left there", async () => {
    vi.stubEnv("CHUNKPROOF_CACHE", join(folder, "a", "b"));
    const calibrations = new Calibrations(storedText("calibrations.json"));
    expect(calibrations.place).toBe(join(folder, "a", "b", "calibrations.json"));
    expect(await calibrations.list()).toEqual({ calibrations: [] });
    expect(await calibrations.put(calibrationOf(KEY))).toBeUndefined();
    expect(await readdir(join(folder, "a", "b"))).toEqual(["calibrations.json"]);
    expect(JSON.parse(await readFile(calibrations.place, "utf8")).calibrations).toEqual([calibrationOf(KEY)]);
    expect(await new Calibrations(storedText("calibrations.json")).find(KEY)).toEqual(calibrationOf(KEY));
  });

  test("a folder that cannot be written or a file that cannot be read is told, and thrown never", async () => {
    await writeFile(join(folder, "file"), "");
    vi.stubEnv("CHUNKPROOF_CACHE", join(folder, "file"));
    const calibrations = new Calibrations(storedText("x.json"));
    expect(await calibrations.put(calibrationOf(KEY))).toMatch(/ENOTDIR|EEXIST/);
    expect((await calibrations.list()).calibrations).toEqual([calibrationOf(KEY)]);
    vi.stubEnv("CHUNKPROOF_CACHE", folder);
    await mkdir(join(folder, "x.json"));
    const { calibrations: none, fault } = await new Calibrations(storedText("x.json")).list();
    expect([none, fault]).toEqual([[], expect.stringMatching(/^it cannot be read: .*EISDIR/)]);
  });

  test("the cache is named by CHUNKPROOF_CACHE, or lies in the user's; empty variables are none", () => {
    vi.stubEnv("CHUNKPROOF_CACHE", "/one");
    expect(cacheFolder()).toBe("/one");
    vi.stubEnv("CHUNKPROOF_CACHE", "");
    vi.stubEnv("XDG_CACHE_HOME", "/two");
    expect(cacheFolder()).toBe("/two/chunkproof");
    vi.stubEnv("XDG_CACHE_HOME", "");
    expect(cacheFolder()).toMatch(/[/\\]\.cache[/\\]chunkproof$/);
  });

  test("in a page localStorage; where there is none, or it is denied, the page's memory", async () => {
    const items = new Map<string, string>();
    vi.stubGlobal("localStorage", {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => void items.set(key, value),
    });
    const kept = new Calibrations(storedInBrowser("calibrations.json"));
    expect(await kept.list()).toEqual({ calibrations: [] });
    await kept.put(calibrationOf(KEY));
    expect([...items.keys()]).toEqual(["chunkproof/calibrations.json"]);
    expect(await new Calibrations(storedInBrowser("calibrations.json")).find(KEY)).toEqual(calibrationOf(KEY));

    vi.stubGlobal("localStorage", undefined);
    const passing = () => new Calibrations(storedInBrowser("calibrations.json"));
    expect(await passing().find(KEY)).toBeUndefined();
    await passing().put(calibrationOf(KEY));
    expect(await passing().find(KEY)).toEqual(calibrationOf(KEY));
    Object.defineProperty(globalThis, "localStorage", {
      configurable: true,
      get: () => {
        throw new Error("denied");
      },
    });
    expect(storedInBrowser("x").place).toMatch(/memory/);
  });

  test("one of each process", () => {
    expect(ownCalibrations()).toBe(ownCalibrations());
  });
});

test("the version is that of the package", () => {
  expect(VERSION).toBe(createRequire(import.meta.url)("../../../package.json").version);
});
