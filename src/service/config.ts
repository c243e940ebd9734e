/**
 * Options of the services, from one table each: flags of the command line, variables `CHUNKPROOF_…`, a JSON file, and defaults,
 * in this order of precedence.
 *
 * @module
 */

import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { NetworkError } from "../network/errors.js";
import type { Address } from "./health.js";

/** Largest configuration and token files. */
const MAX_FILE = 1 << 20;
const PREFIX = "CHUNKPROOF_";

/** How the text of a flag or variable, or a value of the file, becomes an option's value. */
export interface Kind<T> {
  /** `<dir>`, `<n>`; undefined: a flag without a value. */
  readonly argument: string | undefined;
  /** What is expected, for errors. */
  readonly expected: string;
  /** Of the value itself or of its text. */
  readonly schema: z.ZodType<T>;
}

/** One option. Its name in the table is that of its field in the file, `maxBlocks`: the flag is `--max-blocks`. */
export interface OptionSpec<T = unknown, D extends T | undefined = T | undefined> {
  readonly kind: Kind<T>;
  readonly help: string;
  readonly default?: D;
  /** Said in help where the default is not a value, or is one that people don't read easily. */
  readonly defaultText?: string;
  /** `-t` */
  readonly short?: string;
  readonly required?: boolean;
  /** Its value appears in no message and no log. */
  readonly secret?: boolean;
}

/** Options of a service, by name. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

type ValueOf<S> = S extends { readonly kind: Kind<infer T> }
  ? S extends { readonly required: true }
    ? T
    : S extends { readonly default: infer D }
      ? undefined extends D
        ? T | undefined
        : T
      : T | undefined
  : never;

/** What {@link loadConfig} makes of a table. */
export type ConfigOf<Table> = { readonly [Name in keyof Table]: ValueOf<Table[Name]> };

/** Where a value came from. */
export type ConfigSource = "flag" | "environment" | "file" | "default";

/** See {@link loadConfig}. */
export interface LoadedConfig<Table> {
  readonly config: ConfigOf<Table>;
  /** Of each option that has a value. */
  readonly sources: Readonly<Partial<Record<keyof Table, ConfigSource>>>;
  /** Variables `CHUNKPROOF_…` that no option has: probably misspelt. */
  readonly strangers: readonly string[];
}

// ---- kinds

const kind = <T>(argument: string | undefined, expected: string, schema: z.ZodType<T>): Kind<T> => ({
  argument,
  expected,
  schema,
});

/** Text without control characters; not empty. */
const plain = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => [...text].every((char) => char >= " " && char !== "\u007f"));

/** From text, or what is no text as it is. */
const parsed = <T>(parse: (text: string) => T | undefined, check: z.ZodType<T>): z.ZodType<T> =>
  z.preprocess((value) => (typeof value === "string" ? parse(value) : value), check) as z.ZodType<T>;

/** Any text. */
export const text = (argument: string, expected = "text"): Kind<string> => kind(argument, expected, plain(4096));

/** Text of this form. */
export const matching = (argument: string, expected: string, pattern: RegExp): Kind<string> =>
  kind(argument, expected, z.string().max(4096).regex(pattern));

/** A whole number. */
export const integer = (min: number, max: number, argument = "<n>"): Kind<number> =>
  kind(
    argument,
    `a whole number from ${min} to ${max}`,
    parsed((t) => (/^\d{1,15}$/.test(t) ? Number(t) : undefined), z.number().int().min(min).max(max)),
  );

/** A whole number, or `auto`. */
export const integerOrAuto = (min: number, max: number): Kind<number | "auto"> =>
  kind(
    "<n>",
    `a whole number from ${min} to ${max}, or auto`,
    parsed<number | "auto">(
      (t) => (t === "auto" ? t : /^\d{1,15}$/.test(t) ? Number(t) : undefined),
      z.union([z.literal("auto"), z.number().int().min(min).max(max)]),
    ),
  );

const SIZES: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `512MiB`, `4GiB`, `1.5 GiB`, or a number of bytes. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d{1,15}(?:\.\d{1,3})?) ?(B|KiB|MiB|GiB|TiB)?$/.exec(text);
  const bytes = found === null ? Number.NaN : Number(found[1]) * SIZES[found[2] ?? "B"]!;
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined;
}

const MIN_SIZE_TEXT = (bytes: number) => describeSize(bytes);

/** A size as {@link parseSize} reads it. */
export function describeSize(bytes: number): string {
  const [unit, factor] = Object.entries(SIZES)
    .reverse()
    .find(([, size]) => bytes >= size && bytes % size === 0) ?? ["B", 1];
  return `${bytes / factor}${unit}`;
}

/** Bytes. */
export const size = (min: number, max = 2 ** 50): Kind<number> =>
  kind(
    "<size>",
    `a size such as 512MiB or 4GiB, at least ${MIN_SIZE_TEXT(min)}`,
    parsed(parseSize, z.number().int().min(min).max(max)),
  );

const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `500ms`, `30s`, `5m`, `1.5h`, `2d`, `0`. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const found = /^(\d{1,10}(?:\.\d{1,3})?) ?(ms|s|m|h|d)$/.exec(text);
  return found === null ? undefined : Math.round(Number(found[1]) * DURATIONS[found[2]!]!);
}

/** Milliseconds as {@link parseDuration} reads them. */
export function describeDuration(ms: number): string {
  if (ms === 0) return "0";
  const [unit, factor] = Object.entries(DURATIONS)
    .reverse()
    .find(([, length]) => ms >= length && ms % length === 0) ?? ["ms", 1];
  return `${ms / factor}${unit}`;
}

/** Timers don't go further. */
const MAX_DURATION = 2 ** 31 - 1;

/** Milliseconds. A number without a unit says nothing. */
export const duration = (min: number, max = MAX_DURATION): Kind<number> =>
  kind(
    "<time>",
    `a duration such as 500ms, 30s or 5m, from ${describeDuration(min)} to ${describeDuration(max)}`,
    z
      .string()
      .transform((t) => parseDuration(t))
      .pipe(z.number().int().min(min).max(max)),
  );

/** One of these. */
export const choice = <const C extends readonly [string, ...string[]]>(argument: string, choices: C): Kind<C[number]> =>
  kind(argument, choices.join(", "), z.enum(choices) as z.ZodType<C[number]>);

const separated = (t: string): string[] => t.split(",").map((part) => part.trim());

/** Some of these, each once: `a,b` or a list. */
export const choices = <const C extends readonly [string, ...string[]]>(
  argument: string,
  all: C,
): Kind<readonly C[number][]> =>
  kind(
    argument,
    `some of ${all.join(", ")}, separated by commas`,
    parsed<readonly C[number][]>(
      (t) => separated(t) as C[number][],
      z
        .array(z.enum(all) as z.ZodType<C[number]>)
        .min(1)
        .refine((list) => new Set(list).size === list.length),
    ),
  );

/** Texts of a form: `a,b` or a list. */
export const list = (argument: string, expected: string, pattern: RegExp): Kind<readonly string[]> =>
  kind(
    argument,
    `${expected}, separated by commas`,
    parsed<readonly string[]>(separated, z.array(z.string().max(4096).regex(pattern)).min(1).max(1000)),
  );

/** Whether: a flag without a value. */
export const flag = (): Kind<boolean> =>
  kind(
    undefined,
    "true or false",
    parsed((t) => (/^(true|1)$/.test(t) ? true : /^(false|0)$/.test(t) ? false : undefined), z.boolean()),
  );

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`. */
export function parseAddress(text: string): Address | undefined {
  const found = /^(?:\[([0-9a-f:.]{2,45})\]|([0-9A-Za-z.-]{1,253})):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  return found === null || port > 65_535 ? undefined : { host: (found[1] ?? found[2])!, port };
}

/** Where to listen. */
export const address = (): Kind<Address> =>
  kind(
    "<host:port>",
    "host and port, such as 127.0.0.1:8080 or [::1]:8080",
    z
      .string()
      .transform((t) => parseAddress(t))
      .pipe(z.object({ host: z.string(), port: z.number() })),
  );

const urlOf = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined);

/** An address of one of these protocols, `redis:`. */
export const url = (protocols: readonly string[]): Kind<string> =>
  kind(
    "<url>",
    protocols.map((protocol) => `${protocol}//…`).join(" or "),
    plain(4096).refine((t) => {
      const found = urlOf(t);
      return found !== undefined && protocols.includes(found.protocol) && found.hostname !== "";
    }),
  );

/** A folder, or the address of a server. */
export const folderOrUrl = (): Kind<string> =>
  kind(
    "<folder or url>",
    "a folder, or http://… or https://…",
    plain(4096).refine((t) => !/^[a-z][a-z0-9+.-]*:\/\//i.test(t) || isHttp(t)),
  );

/** Whether a text is the address of a server, not a folder. */
export function isHttp(text: string): boolean {
  const found = /^https?:\/\//i.test(text) ? urlOf(text) : undefined;
  return found !== undefined && found.hostname !== "";
}

// ---- names

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** `--max-blocks` of `maxBlocks`. */
export const flagOf = (name: string): string => `--${kebab(name)}`;

/** `CHUNKPROOF_MAX_BLOCKS` of `maxBlocks`. */
export const variableOf = (name: string): string => PREFIX + kebab(name).replaceAll("-", "_").toUpperCase();

/** The option's place in a default that people read. */
function describeDefault({ kind: { expected }, default: value, defaultText }: OptionSpec): string | undefined {
  if (defaultText !== undefined) return defaultText;
  if (value === undefined || value === false) return undefined;
  if (typeof value === "number") {
    if (expected.startsWith("a size")) return describeSize(value);
    return expected.startsWith("a duration") ? describeDuration(value) : String(value);
  }
  if (Array.isArray(value)) return value.join(",");
  const { host, port } = value as Partial<Address>;
  return host === undefined ? String(value) : `${host}:${port}`;
}

/** What help says of an option. */
export interface OptionHelp {
  /** As commander takes it: `-t, --threads <n>`. */
  readonly flags: string;
  readonly help: string;
}

/** What the command line has of a table. */
export function describeOptions(table: OptionTable): OptionHelp[] {
  return Object.entries(table).map(([name, spec]): OptionHelp => {
    const { kind, short, help, required } = spec;
    const flags = `${short === undefined ? "" : `${short}, `}${flagOf(name)}${kind.argument === undefined ? "" : ` ${kind.argument}`}`;
    const usual = describeDefault(spec);
    const tail = required ? " (required)" : usual === undefined ? "" : ` (default: ${usual})`;
    return { flags, help: `${help}${tail}` };
  });
}

/** Where a file is read: see {@link loadConfig}. */
export const CONFIG_OPTION: OptionHelp = {
  flags: `${flagOf("config")} <file>`,
  help: "JSON file with these options, in camel case: maxBlocks for --max-blocks",
};

// ---- loading

/** Where {@link loadConfig} looks. */
export interface Surroundings {
  /** Default: that of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Variables of other services, which are no mistake. */
  readonly knownVariables?: readonly string[] | undefined;
  /** There is no file: `config`, flag or variable, is that of another command. */
  readonly ignoreFile?: boolean | undefined;
}

function invalid(where: string, message: string, details: { expected?: string; got?: string; cause?: unknown } = {}) {
  return new NetworkError(message, { code: "CONFIG_INVALID", where, ...details });
}

/** A value as errors show it. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function read(spec: OptionSpec, value: unknown, where: string): unknown {
  const found = spec.kind.schema.safeParse(value);
  if (found.success) return found.data;
  // an address may have a password in it
  const hidden = spec.secret === true || (typeof value === "string" && value.includes("@"));
  throw invalid(where, "not what it should be", {
    expected: spec.kind.expected,
    got: hidden ? "a text that is not shown" : shown(value),
  });
}

/** The fields of the file. */
async function readFields(path: string, table: OptionTable): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readSmallFile(path);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    // what JSON.parse says has parts of the file in it, which may be secret
    throw invalid(path, "is no JSON", { expected: "a JSON object", cause: (cause as Error).name });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(path, "is no configuration", { expected: "a JSON object" });
  }
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(table, name)) continue;
    const near = Object.keys(table).find((known) => [known, kebab(known)].some((form) => alike(form, name)));
    throw invalid(`${path}: ${name.slice(0, 100)}`, "no such option", {
      ...(near === undefined ? {} : { expected: near }),
    });
  }
  return value as Record<string, unknown>;
}

const alike = (a: string, b: string): boolean => {
  const bare = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  return bare(a) === bare(b);
};

async function readSmallFile(path: string): Promise<Uint8Array> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new Error(found.isDirectory() ? "a folder" : "a pipe or device");
    if (found.size > MAX_FILE) throw new Error(`${found.size} bytes`);
    return await readFile(path);
  } catch (cause) {
    throw invalid(path, "cannot be read", { expected: "a small file", got: (cause as Error).message, cause });
  }
}

/**
 * Gathers a service's options.
 *
 * @param flags what the command line has, by the options' names; `config` is the file.
 * @throws NetworkError `CONFIG_INVALID`, whose `where` is the flag, the variable, or the file and its field.
 */
export async function loadConfig<const Table extends OptionTable>(
  table: Table,
  flags: Readonly<Record<string, unknown>>,
  { env = process.env, knownVariables = [], ignoreFile = false }: Surroundings = {},
): Promise<LoadedConfig<Table>> {
  // an empty variable is one that is not set: `${X:-}` in a compose file
  const variable = (name: string): string | undefined => env[variableOf(name)] || undefined;
  const named = typeof flags.config === "string" ? flags.config : variable("config");
  const path = ignoreFile ? undefined : named;
  if (path === "") throw invalid(flagOf("config"), "not the name of a file");
  const file = path === undefined ? {} : await readFields(path, table);
  const config: Record<string, unknown> = {};
  const sources: Record<string, ConfigSource> = {};
  for (const [name, spec] of Object.entries(table)) {
    const take = (source: ConfigSource, value: unknown) => {
      config[name] = value;
      sources[name] = source;
    };
    const fromEnv = variable(name);
    if (flags[name] !== undefined) take("flag", read(spec, flags[name], flagOf(name)));
    else if (fromEnv !== undefined) take("environment", read(spec, fromEnv, variableOf(name)));
    else if (Object.hasOwn(file, name)) take("file", read(spec, file[name], `${path}: ${name}`));
    else if (spec.default !== undefined) take("default", spec.default);
    else if (spec.required) throw missing(name);
    else config[name] = undefined;
  }
  const known = new Set([...Object.keys(table).map(variableOf), variableOf("config"), ...knownVariables]);
  const strangers = Object.keys(env).filter((name) => name.startsWith(PREFIX) && !known.has(name));
  return { config: config as ConfigOf<Table>, sources: sources as LoadedConfig<Table>["sources"], strangers };
}

/** The error of an option that must be there. */
export function missing(name: string, why = "is needed"): NetworkError {
  return invalid(flagOf(name), why, { expected: `${flagOf(name)}, ${variableOf(name)}, or ${name} in the file` });
}

/** The configuration for logs: what was set or decided, without secrets. */
export function describeConfig<Table extends OptionTable>(
  table: Table,
  { config, sources }: LoadedConfig<Table>,
): Readonly<Record<string, unknown>> {
  const described: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const value = config[name as keyof Table] as unknown;
    if (value === undefined) continue;
    const source = sources[name as keyof Table];
    const text = spec.secret ? "[redacted]" : logged(value);
    described[name] = source === "default" ? text : { value: text, from: source };
  }
  return described;
}

function logged(value: unknown): unknown {
  if (typeof value === "string") return withoutCredentials(value);
  const { host, port } = value as Partial<Address>;
  return host === undefined ? value : `${host}:${port}`;
}

/** An address without user, password, query and fragment; any other text as it is. */
export function withoutCredentials(text: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text;
  const found = urlOf(text);
  if (found === undefined) return "an address that is none";
  const user = found.username !== "" || found.password !== "" ? "[redacted]@" : "";
  return `${found.protocol}//${user}${found.host}${found.pathname}`;
}

// ---- tokens

/** What a token looks like: it goes into a header, and must not be guessed. */
const TOKEN = /^[\x21-\x7e]{16,512}$/;

/** Options that say a token. */
export const TOKEN_OPTIONS = {
  token: {
    kind: matching("<token>", "16 to 512 visible ASCII characters", TOKEN),
    help: "token of the network; better in CHUNKPROOF_TOKEN or a file: others on this machine see command lines",
    secret: true,
  },
  tokenFile: { kind: text("<file>", "the name of a file"), help: "file with the token" },
} as const satisfies OptionTable;

const RANK: readonly (ConfigSource | undefined)[] = [undefined, "default", "file", "environment", "flag"];

/**
 * The token, from whichever of the two options has precedence.
 *
 * @returns undefined if neither is set.
 * @throws NetworkError `CONFIG_INVALID`; also if both are set in the same place.
 */
export async function tokenOf(loaded: LoadedConfig<typeof TOKEN_OPTIONS>): Promise<string | undefined> {
  const { token, tokenFile } = loaded.config;
  const { token: a, tokenFile: b } = loaded.sources;
  if (token !== undefined && tokenFile !== undefined && a === b) {
    throw invalid(flagOf("tokenFile"), "there is a token beside it", { expected: "one of --token and --token-file" });
  }
  if (tokenFile === undefined || RANK.indexOf(a) > RANK.indexOf(b)) return token;
  return readToken(tokenFile);
}

/** The token in a file. @throws NetworkError `CONFIG_INVALID` */
export async function readToken(path: string): Promise<string> {
  const found = new TextDecoder("latin1").decode(await readSmallFile(path)).trim();
  if (TOKEN.test(found)) return found;
  throw invalid(path, "holds no token", {
    expected: "16 to 512 visible ASCII characters",
    got: `${found.length} characters`,
  });
}
