import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type BlockRecord, blockId, isFinished, Registry, unknownBlock } from "../../../src/network/registry.js";
import { KEY_SET, temporaryFolder } from "./fake-blocks.js";

const hex = (n: number, bytes: number) => n.toString(16).padStart(2 * bytes, "0");

function recordOf(n: number, change: Partial<BlockRecord> = {}): BlockRecord {
  const trace = hex(n, 32);
  return {
    ...{
      version: 1,
      id: blockId(trace, KEY_SET),
      number: n,
      hash: `0x${hex(n, 32)}`,
      parentHash: `0x${hex(n - 1, 32)}`,
    },
    ...{ chainId: "1", transactions: 0, trace, keySet: KEY_SET, state: "queued", run: 0, recovered: 0, priority: n },
    ...{ submittedAt: 1000 + n, updatedAt: 1000 + n, steps: null, rows: null, chunks: 0, committed: 0, proved: 0 },
    work: { commits: 0, proofs: 0, repeated: 0, refused: 0 },
    workers: [],
    tidy: false,
    ...change,
  };
}

const plan = { skeleton: hex(1, 32), state: hex(2, 32), chunks: [{ layout: 0, columns: hex(3, 32), name: "mixed" }] };

describe("ids", () => {
  test("follow from trace and keys", () => {
    expect(blockId(hex(1, 32), KEY_SET)).toMatch(/^[0-9a-f]{32}$/);
    expect(blockId(hex(1, 32), KEY_SET)).toBe(blockId(hex(1, 32), KEY_SET));
    expect(blockId(hex(2, 32), KEY_SET)).not.toBe(blockId(hex(1, 32), KEY_SET));
    expect(blockId(hex(1, 32), hex(9, 32))).not.toBe(blockId(hex(1, 32), KEY_SET));
    expect(() => blockId("../x", KEY_SET)).toThrow(expect.objectContaining({ code: "STORE_BLOB_ID" }));
  });

  test("of no block", () => {
    expect(unknownBlock("x".repeat(1000))).toMatchObject({ code: "BLOCK_UNKNOWN", where: "x".repeat(64) });
  });
});

describe("a registry", () => {
  test("says the same after a restart", async () => {
    const data = await temporaryFolder();
    const first = await Registry.open(data);
    const records = [
      recordOf(3),
      recordOf(1, { state: "proved", proof: { digest: hex(7, 32), bytes: 5 }, finishedAt: 5 }),
      recordOf(2, {
        ...{ state: "failed", finishedAt: 6, plan },
        failure: { code: "X", message: "m", chunks: [{ chunk: 0, kind: "prove", code: "Y", message: "n" }] },
      }),
      recordOf(4, { state: "proving", plan, steps: 1, rows: 2, chunks: 1 }),
    ];
    for (const record of records) await first.put(record);
    const again = await Registry.open(data);
    for (const registry of [first, again]) {
      for (const record of records) expect(registry.get(record.id)).toEqual(record);
      expect(registry).toMatchObject({ size: 4, unfinished: 2, tip: 4, damaged: [] });
      expect(registry.listUnfinished().map(({ number }) => number)).toEqual([3, 4]);
      expect([...registry.numbersFrom(2)]).toEqual([2, 3, 4]);
      expect([...registry.numbersFrom(5)]).toEqual([]);
      expect([...registry.numbersBelow(4)]).toEqual([3, 2, 1]);
      expect(registry.withNumber(3)).toEqual([records[0]]);
      expect(registry.withNumber(9)).toEqual([]);
    }
    expect(records.map(isFinished)).toEqual([false, true, true, false]);
  });

  test("knows several blocks of one number, the oldest first", async () => {
    const registry = await Registry.open(await temporaryFolder());
    const [a, b] = [recordOf(1, { submittedAt: 20 }), recordOf(2, { number: 1, submittedAt: 10 })];
    await registry.put(a);
    await registry.put(b);
    expect(registry.withNumber(1)).toEqual([b, a]);
    expect([...registry.numbersFrom(0)]).toEqual([1]);
  });

  test("leaves no temporary files, and removes those of a killed process", async () => {
    const data = await temporaryFolder();
    const { id } = recordOf(1);
    await mkdir(join(data, "blocks"));
    await writeFile(join(data, "blocks", `${id}.json.1234.tmp`), "{");
    const registry = await Registry.open(data);
    expect(registry.size).toBe(0);
    await registry.put(recordOf(1));
    await registry.put(recordOf(1, { state: "planning" }));
    expect(await readdir(join(data, "blocks"))).toEqual([`${id}.json`]);
  });

  test("writes that overlap end with the last one", async () => {
    const data = await temporaryFolder();
    const registry = await Registry.open(data);
    await Promise.all(Array.from({ length: 20 }, (_, run) => registry.put(recordOf(1, { run }))));
    expect(registry.get(recordOf(1).id)!.run).toBe(19);
    expect((await Registry.open(data)).get(recordOf(1).id)!.run).toBe(19);
  });

  test("does not say what it could not write", async () => {
    const data = await temporaryFolder();
    const registry = await Registry.open(data);
    await rename(join(data, "blocks"), join(data, "elsewhere"));
    await expect(registry.put(recordOf(1))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(registry.get(recordOf(1).id)).toBeUndefined();
    await mkdir(join(data, "blocks"));
    await registry.put(recordOf(1));
    expect(registry.size).toBe(1);
  });

  test("refuses to write what it would not read", async () => {
    const registry = await Registry.open(await temporaryFolder());
    await expect(registry.put(recordOf(1, { priority: 2 ** 21 }))).rejects.toThrow();
    await expect(registry.put({ ...recordOf(1), more: 1 } as never)).rejects.toThrow();
    expect(registry.size).toBe(0);
  });

  test("sees what another process has written", async () => {
    const data = await temporaryFolder();
    const [one, other] = [await Registry.open(data), await Registry.open(data)];
    await one.put(recordOf(1));
    expect(await other.reload(recordOf(1).id)).toEqual(recordOf(1));
    await one.put(recordOf(1, { state: "proved", finishedAt: 1 }));
    expect(other.unfinished).toBe(1);
    expect(await other.reload(recordOf(1).id)).toMatchObject({ state: "proved" });
    expect(other.unfinished).toBe(0);
    expect(await other.reload(hex(0, 16))).toBeUndefined();
  });

  test("drops the plans of blocks that ended long ago", async () => {
    const data = await temporaryFolder();
    const registry = await Registry.open(data, { keep: 2 });
    for (const n of [1, 2, 3]) await registry.put(recordOf(n, { state: "failed", finishedAt: n, plan }));
    await registry.put(recordOf(9, { state: "proving", plan }));
    const withPlans = (of: Registry) => [1, 2, 3, 9].filter((n) => of.get(recordOf(n).id)!.plan !== undefined);
    expect(withPlans(registry)).toEqual([2, 3, 9]);
    expect(withPlans(await Registry.open(data, { keep: 2 }))).toEqual([2, 3, 9]);
    // one that is begun again is not in the way
    await registry.put(recordOf(2, { state: "proving", plan }));
    await registry.put(recordOf(4, { state: "failed", finishedAt: 4, plan }));
    expect(withPlans(registry)).toEqual([2, 3, 9]);
  });
});

describe("damaged files", () => {
  const { id } = recordOf(1);
  const whole = JSON.stringify(recordOf(1));
  const cases: [what: string, content: string | Uint8Array][] = [
    ["empty", ""],
    ["cut off", whole.slice(0, -20)],
    ["no JSON", "hello"],
    ["no object", "null"],
    ["no UTF-8", new Uint8Array([0xff, 0xfe, 0x00])],
    ["of another block", JSON.stringify(recordOf(2))],
    ["with another version", whole.replace('"version":1', '"version":2')],
    ["with a field too many", whole.replace("{", '{"x":1,')],
    ["with a field too few", whole.replace('"chainId":"1",', "")],
    ["with a state that does not exist", whole.replace('"queued"', '"done"')],
    ["with a digest that is a path", whole.replace(/"trace":"[^"]+"/, '"trace":"../../etc/passwd"')],
    ["with a number beyond reason", whole.replace(/"number":\d+/, '"number":1e300')],
    ["with a priority beyond the queue's", whole.replace(/"priority":\d+/, '"priority":2097152')],
  ];

  test.each(cases)("%s: moved aside and reported", async (_what, content) => {
    const data = await temporaryFolder();
    await (await Registry.open(data)).put(recordOf(5));
    const file = join(data, "blocks", `${id}.json`);
    await writeFile(file, content);
    const registry = await Registry.open(data);
    expect(registry.size).toBe(1);
    expect(registry.damaged).toEqual([
      { file, movedTo: expect.stringContaining(join("damaged", `${id}.json.`)), reason: expect.stringMatching(/./) },
    ]);
    expect(new Uint8Array(await readFile(registry.damaged[0]!.movedTo!))).toEqual(new Uint8Array(Buffer.from(content)));
    // the next start finds nothing to complain about, and the block can be accepted again
    const next = await Registry.open(data);
    expect(next.damaged).toEqual([]);
    await next.put(recordOf(1));
    expect(next.size).toBe(2);
  });

  test("a folder with the name of a record", async () => {
    const data = await temporaryFolder();
    await mkdir(join(data, "blocks", `${id}.json`), { recursive: true });
    const registry = await Registry.open(data);
    expect(registry).toMatchObject({ size: 0, damaged: [{ movedTo: expect.any(String) }] });
  });

  test("files of others are left alone", async () => {
    const data = await temporaryFolder();
    await mkdir(join(data, "blocks"));
    for (const name of ["README", "x.json", `${id.toUpperCase()}.json`, `${id}.json.bak`]) {
      await writeFile(join(data, "blocks", name), "x");
    }
    expect(await Registry.open(data)).toMatchObject({ size: 0, damaged: [] });
    expect(await readdir(join(data, "blocks"))).toHaveLength(4);
  });

  test("no folder can be made", async () => {
    const data = await temporaryFolder();
    await writeFile(join(data, "file"), "");
    await expect(Registry.open(join(data, "file"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});
