import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import {
  address,
  type ConfigOf,
  choice,
  choices,
  describeConfig,
  describeDuration,
  describeOptions,
  describeSize,
  duration,
  flag,
  flagOf,
  folderOrUrl,
  integer,
  integerOrAuto,
  isHttp,
  type Kind,
  list,
  loadConfig,
  matching,
  type OptionTable,
  parseAddress,
  parseDuration,
  parseSize,
  readToken,
  size,
  TOKEN_OPTIONS,
  text,
  tokenOf,
  url,
  variableOf,
  withoutCredentials,
} from "../../../src/service/config.js";
import type { Address } from "../../../src/service/health.js";
import { COORDINATOR_OPTIONS, KNOWN_VARIABLES, REPLICA_OPTIONS, WORKER_OPTIONS } from "../../../src/service/options.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chunkproof-config-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;
/** A file with this content; JSON unless it is a string. */
async function fileOf(content: unknown): Promise<string> {
  const path = join(folder, `${files++}.json`);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const TABLE = {
  data: { kind: text("<dir>"), help: "a folder", required: true },
  maxBlocks: { kind: integer(1, 100), help: "how many", default: 10 },
  redis: { kind: url(["redis:", "rediss:"]), help: "the queue", secret: true },
  origins: { kind: list("<list>", "origins", /^https?:/), help: "pages" },
  keepTraces: { kind: flag(), help: "keep them" },
} as const satisfies OptionTable;

const load = (flags: Record<string, unknown>, env: Record<string, string> = {}) => loadConfig(TABLE, flags, { env });

describe("precedence", () => {
  test("flag, then variable, then file, then default; each option by itself", async () => {
    const config = await fileOf({ data: "file", maxBlocks: 3, keepTraces: true });
    expect((await load({ config })).config).toEqual({
      data: "file",
      maxBlocks: 3,
      redis: undefined,
      origins: undefined,
      keepTraces: true,
    });
    const env = { CHUNKPROOF_DATA: "env", CHUNKPROOF_MAX_BLOCKS: "4", CHUNKPROOF_KEEP_TRACES: "false" };
    const second = await load({ config }, env);
    expect(second.config).toMatchObject({ data: "env", maxBlocks: 4, keepTraces: false });
    const third = await load({ config, data: "flag", keepTraces: true }, env);
    expect(third.config).toMatchObject({ data: "flag", maxBlocks: 4, keepTraces: true });
    expect(third.sources).toEqual({ data: "flag", maxBlocks: "environment", keepTraces: "flag" });
    const last = await load({ data: "flag" });
    expect(last.config.maxBlocks).toBe(10);
    expect(last.sources.maxBlocks).toBe("default");
  });

  test("the file's name may be a variable; an empty variable is none", async () => {
    const CHUNKPROOF_CONFIG = await fileOf({ data: "file" });
    expect((await load({}, { CHUNKPROOF_CONFIG, CHUNKPROOF_DATA: "" })).config.data).toBe("file");
    const other = await fileOf({ data: "other" });
    expect((await load({ config: other }, { CHUNKPROOF_CONFIG })).config.data).toBe("other");
  });

  test("types follow from the table", () => {
    expectTypeOf<ConfigOf<typeof TABLE>>().toEqualTypeOf<{
      readonly data: string;
      readonly maxBlocks: number;
      readonly redis: string | undefined;
      readonly origins: readonly string[] | undefined;
      readonly keepTraces: boolean | undefined;
    }>();
    expectTypeOf<ConfigOf<typeof COORDINATOR_OPTIONS>["listen"]>().toEqualTypeOf<Address>();
    expectTypeOf<ConfigOf<typeof WORKER_OPTIONS>["redis"]>().toEqualTypeOf<string>();
    expectTypeOf<ConfigOf<typeof WORKER_OPTIONS>["maxMemory"]>().toEqualTypeOf<number | undefined>();
  });
});

describe("what is refused", () => {
  const refused = (loading: Promise<unknown>, where: string, more: object = {}) =>
    expect(loading).rejects.toMatchObject({ name: "NetworkError", code: "CONFIG_INVALID", where, ...more });

  test("each place is named", async () => {
    const got = { expected: "a whole number from 1 to 100", got: '"many"' };
    await refused(load({ data: "x", maxBlocks: "many" }), "--max-blocks", got);
    await refused(load({ data: "x" }, { CHUNKPROOF_MAX_BLOCKS: "many" }), "CHUNKPROOF_MAX_BLOCKS", got);
    const config = await fileOf({ data: "x", maxBlocks: "many" });
    await refused(load({ config }), `${config}: maxBlocks`, got);
    await refused(load({}), "--data", { expected: "--data, CHUNKPROOF_DATA, or data in the file" });
  });

  test("a value that has precedence hides a bad one below it, a bad one above is not skipped", async () => {
    expect((await load({ data: "x", maxBlocks: "5" }, { CHUNKPROOF_MAX_BLOCKS: "bad" })).config.maxBlocks).toBe(5);
    await refused(load({ data: "x", maxBlocks: "0" }, { CHUNKPROOF_MAX_BLOCKS: "5" }), "--max-blocks");
  });

  test("fields that no option has, with the one that may have been meant", async () => {
    const config = await fileOf({ data: "x", "max-blocks": 3 });
    await refused(load({ config }), `${config}: max-blocks`, {
      message: expect.stringContaining("expected maxBlocks"),
    });
    const other = await fileOf({ data: "x", colour: "red" });
    await refused(load({ config: other }), `${other}: colour`, { expected: undefined });
    const config2 = await fileOf('{ "__proto__": { "data": "x" } }');
    await refused(load({ config: config2 }), `${config2}: __proto__`);
    const config3 = await fileOf({ config: "another" });
    await refused(load({ config: config3 }), `${config3}: config`);
  });

  test("files that are none", async () => {
    await refused(load({ config: "" }), "--config");
    await refused(load({ config: join(folder, "none") }), join(folder, "none"));
    await refused(load({ config: folder }), folder, { got: "a folder" });
    await refused(load({ config: "/dev/null" }), "/dev/null", { got: "a pipe or device" });
    const large = await fileOf(" ".repeat(2 ** 20 + 1));
    await refused(load({ config: large }), large);
    for (const content of ["", "[]", "null", "7", '"data"', "{", "\u00ff{"]) {
      const config = await fileOf(content);
      await refused(load({ config }), config);
    }
  });

  test("no error has a secret in it, whatever it is that is wrong", async () => {
    const secret = "hunter2hunter2";
    const values = [secret, `http://:${secret}@redis:6379`, `redis//${secret}`, `redis://:${secret}@`];
    for (const value of values) {
      const config = await fileOf({ data: "x", redis: value });
      for (const loading of [
        () => load({ data: "x", redis: value }),
        () => load({ data: "x" }, { CHUNKPROOF_REDIS: value }),
        () => load({ config }),
        // not the secret option at all
        () => load({ data: "x", maxBlocks: `redis://:${secret}@redis` }),
      ]) {
        const error = await loading().then(
          () => undefined,
          (thrown: Error) => thrown,
        );
        expect(error).toMatchObject({ code: "CONFIG_INVALID" });
        expect(JSON.stringify([error, error?.message, error?.stack, String(error?.cause)])).not.toContain(secret);
      }
    }
    const broken = await fileOf(`{ "redis": "redis://:${secret}@redis", }`);
    const error: Error = await load({ config: broken }).catch((thrown) => thrown);
    expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain(secret);
  });

  test("nothing makes it throw anything else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.dictionary(fc.string(), fc.string()), async (content, env) => {
        const config = await fileOf(content);
        try {
          await load({ config }, env);
        } catch (error) {
          expect(error).toMatchObject({ code: "CONFIG_INVALID" });
        }
      }),
      { numRuns: 60 },
    );
  });
});

test("variables that nobody has are told, those of other services are not", async () => {
  const env = { CHUNKPROOF_DATA: "x", CHUNKPROOF_MAX_BLOKCS: "3", CHUNKPROOF_FEED: "y", OTHER: "z" };
  const { strangers } = await loadConfig(TABLE, {}, { env, knownVariables: KNOWN_VARIABLES });
  expect(strangers).toEqual(["CHUNKPROOF_MAX_BLOKCS"]);
});

test("what is logged has no secrets and says where a value came from", async () => {
  const env = { CHUNKPROOF_REDIS: "redis://:hunter2hunter2@redis:6379", CHUNKPROOF_ORIGINS: "https://a, https://b" };
  const loaded = await load({ data: "http://user:hunter2hunter2@host/path?key=hunter2hunter2" }, env);
  expect(describeConfig(TABLE, loaded)).toEqual({
    data: { value: "http://[redacted]@host/path", from: "flag" },
    maxBlocks: 10,
    redis: { value: "[redacted]", from: "environment" },
    origins: { value: ["https://a", "https://b"], from: "environment" },
  });
  expect(withoutCredentials("/a/folder")).toBe("/a/folder");
  expect(withoutCredentials("https://host:99999/")).toBe("an address that is none");
});

describe("kinds of values", () => {
  const parse = <T>({ schema }: Kind<T>, value: unknown): T | undefined => {
    const found = schema.safeParse(value);
    return found.success ? found.data : undefined;
  };

  test("sizes", () => {
    for (const [text, bytes] of [
      ["512MiB", 512 * 2 ** 20],
      ["4GiB", 2 ** 32],
      ["1.5 GiB", 1.5 * 2 ** 30],
      ["1TiB", 2 ** 40],
      ["10B", 10],
      ["4096", 4096],
    ] as const) {
      expect(parseSize(text)).toBe(bytes);
    }
    for (const text of ["", "4GB", "4gib", "-1MiB", "MiB", "1e9", "0x10", " 1MiB", "1MiB ", `${"9".repeat(15)}TiB`]) {
      expect(parseSize(text), text).toBeUndefined();
    }
    expect(parse(size(1024), "1KiB")).toBe(1024);
    expect(parse(size(1024), 2048)).toBe(2048);
    expect(parse(size(1024), "1023")).toBeUndefined();
    expect(parse(size(1024, 4096), "5KiB")).toBeUndefined();
    fc.assert(fc.property(fc.nat(), (n) => parseSize(describeSize(n)) === n));
  });

  test("durations", () => {
    for (const [text, ms] of [
      ["500ms", 500],
      ["30s", 30_000],
      ["5m", 300_000],
      ["1.5h", 5_400_000],
      ["2d", 172_800_000],
      ["0", 0],
    ] as const) {
      expect(parseDuration(text)).toBe(ms);
    }
    for (const text of ["", "30", "s", "-1s", "1 min", "1S", "1s1s"]) expect(parseDuration(text), text).toBeUndefined();
    expect(parse(duration(0), "0")).toBe(0);
    expect(parse(duration(1000), "999ms")).toBeUndefined();
    expect(parse(duration(0), "25d")).toBeUndefined();
    // a number in the file could be anything
    expect(parse(duration(0), 30)).toBeUndefined();
    fc.assert(fc.property(fc.nat(), (n) => parseDuration(describeDuration(n)) === n));
  });

  test("addresses", () => {
    expect(parseAddress("127.0.0.1:8080")).toEqual({ host: "127.0.0.1", port: 8080 });
    expect(parseAddress("[::1]:0")).toEqual({ host: "::1", port: 0 });
    expect(parseAddress("localhost:65535")).toEqual({ host: "localhost", port: 65_535 });
    for (const text of ["", "8080", ":8080", "localhost", "localhost:", "a:65536", "::1:80", "http://a:80", "a:80/"]) {
      expect(parseAddress(text), text).toBeUndefined();
    }
    expect(parse(address(), "0.0.0.0:80")).toEqual({ host: "0.0.0.0", port: 80 });
    expect(parse(address(), 8080)).toBeUndefined();
  });

  test("addresses of servers, folders", () => {
    const redis = url(["redis:", "rediss:"]);
    for (const good of ["redis://redis", "rediss://:pass@host:6380/2", "redis://[::1]:6379"]) {
      expect(parse(redis, good)).toBe(good);
    }
    for (const bad of ["redis", "redis:", "redis://", "http://redis", "redis://a:b:c", "", 6379, null]) {
      expect(parse(redis, bad), String(bad)).toBeUndefined();
    }
    for (const good of ["/var/lib/store", "store", "http://coordinator:8080", "https://host/path"]) {
      expect(parse(folderOrUrl(), good)).toBe(good);
    }
    for (const bad of ["", "ftp://host", "redis://host", "http://", "a\nb", "file:///store"]) {
      expect(parse(folderOrUrl(), bad), bad).toBeUndefined();
    }
    expect([isHttp("http://a"), isHttp("/http://a"), isHttp("httpx"), isHttp("HTTPS://A")]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  test("lists, choices, numbers, flags", () => {
    const kinds = choices("<list>", ["commit", "prove"]);
    expect(parse(kinds, "prove, commit")).toEqual(["prove", "commit"]);
    expect(parse(kinds, ["prove"])).toEqual(["prove"]);
    for (const bad of ["", "prove,", "prove,prove", "plan", [], [1], {}]) expect(parse(kinds, bad)).toBeUndefined();
    expect(parse(choice("<x>", ["a", "b"]), "a")).toBe("a");
    expect(parse(choice("<x>", ["a", "b"]), "c")).toBeUndefined();
    expect(parse(list("<x>", "digits", /^\d$/), "1,2")).toEqual(["1", "2"]);
    expect(parse(list("<x>", "digits", /^\d$/), "1,a")).toBeUndefined();
    expect([parse(integer(1, 9), "7"), parse(integer(1, 9), 7)]).toEqual([7, 7]);
    for (const bad of ["", "0", "10", "1.5", "1e0", "+1", 1.5, "one", Number.NaN, true]) {
      expect(parse(integer(1, 9), bad), String(bad)).toBeUndefined();
    }
    expect([parse(integerOrAuto(1, 9), "auto"), parse(integerOrAuto(1, 9), "3")]).toEqual(["auto", 3]);
    expect(parse(integerOrAuto(1, 9), "10")).toBeUndefined();
    for (const [value, whether] of [
      ["true", true],
      ["1", true],
      ["false", false],
      ["0", false],
      [true, true],
      ["yes", undefined],
      [1, undefined],
    ] as const) {
      expect(parse(flag(), value)).toBe(whether);
    }
    expect(parse(matching("<x>", "x", /^x+$/), "xx")).toBe("xx");
    expect(parse(text("<x>"), "a\u0000b")).toBeUndefined();
  });
});

describe("tokens", () => {
  const token = "0123456789abcdef";
  const tokens = async (flags: Record<string, unknown>, env: Record<string, string> = {}) =>
    tokenOf(await loadConfig(TOKEN_OPTIONS, flags, { env }));

  test("come from the place that has precedence", async () => {
    const path = await fileOf(` ${token}-file\n`);
    expect(await tokens({})).toBeUndefined();
    expect(await tokens({ token })).toBe(token);
    expect(await tokens({ tokenFile: path })).toBe(`${token}-file`);
    expect(await tokens({ tokenFile: path }, { CHUNKPROOF_TOKEN: token })).toBe(`${token}-file`);
    expect(await tokens({ token }, { CHUNKPROOF_TOKEN_FILE: path })).toBe(token);
    await expect(tokens({ token, tokenFile: path })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      where: "--token-file",
    });
  });

  test("that are none are refused without being shown", async () => {
    for (const bad of ["short-secret", "with spaces in it, long enough", "ünïcödé-and-long-enough"]) {
      const error: Error = await tokens({ token: bad }).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: "CONFIG_INVALID", where: "--token" });
      const path = await fileOf(bad);
      const other: Error = await readToken(path).catch((thrown) => thrown);
      expect(other).toMatchObject({ code: "CONFIG_INVALID", where: path });
      expect(error.message + other.message).not.toContain(bad);
    }
    await expect(readToken(join(folder, "none"))).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

describe("the services' tables", () => {
  const tables: Readonly<Record<string, OptionTable>> = {
    coordinator: COORDINATOR_OPTIONS,
    worker: WORKER_OPTIONS,
    replica: REPLICA_OPTIONS,
  };

  test("defaults are values of their kinds, or what these become", async () => {
    for (const [service, table] of Object.entries(tables)) {
      for (const [name, spec] of Object.entries(table)) {
        if (spec.default === undefined) continue;
        const { flags, help } = describeOptions({ [name]: spec })[0]!;
        expect(flags.startsWith(flagOf(name)) || flags.includes(`, ${flagOf(name)}`), `${service} ${name}`).toBe(true);
        // what help says can be said
        const said = /\(default: ([^)]+)\)$/.exec(help)?.[1];
        const loaded = await loadConfig({ [name]: spec }, { [name]: said }, { env: {} });
        expect(loaded.config[name], `${service} ${name}`).toEqual(spec.default);
      }
    }
  });

  test("have the options that are promised", () => {
    expect(Object.keys(COORDINATOR_OPTIONS).map(flagOf).sort().join(" ")).toBe(
      "--attempts --backend --cache --chain-id --concurrency --cors --data --drain-timeout --job-timeout --keep-traces --keys " +
        "--kinds --lease --listen --log-level --max-blocks --max-memory --max-trace --redis --redis-prefix --threads " +
        "--token --token-file",
    );
    expect(Object.keys(WORKER_OPTIONS).map(flagOf).sort().join(" ")).toBe(
      "--backend --cache --concurrency --drain-timeout --job-timeout --keys --kinds --lease --listen --log-level " +
        "--max-memory --name --redis --redis-prefix --store --threads --token --token-file",
    );
    expect(Object.keys(REPLICA_OPTIONS).map(flagOf).sort().join(" ")).toBe(
      "--accept-keys --allow-development-keys --cors --data --drain-timeout --feed --keys --log-level --metrics --poll " +
        "--rpc --snapshot",
    );
    expect(variableOf("allowDevelopmentKeys")).toBe("CHUNKPROOF_ALLOW_DEVELOPMENT_KEYS");
  });
});
