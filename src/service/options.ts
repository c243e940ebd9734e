/**
 * The options of each service.
 *
 * @module
 */

import { JOB_KINDS } from "../network/jobs.js";
import { BACKENDS } from "../prover/backend.js";
import {
  address,
  choice,
  choices,
  duration,
  flag,
  folderOrUrl,
  integer,
  integerOrAuto,
  list,
  matching,
  type OptionTable,
  size,
  TOKEN_OPTIONS,
  text,
  url,
  variableOf,
} from "./config.js";
import { LOG_LEVELS } from "./log.js";

const MiB = 2 ** 20;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const folder = text("<dir>", "the name of a folder");
const file = text("<file>", "the name of a file");

const logging = {
  logLevel: {
    kind: choice("<level>", LOG_LEVELS),
    help: "how much is logged, as JSON on stdout",
    default: "info",
  },
} as const satisfies OptionTable;

const drainTimeout = {
  kind: duration(0, DAY),
  help: "after SIGTERM or Ctrl-C: how long to finish what was begun; what is left then, others do again",
} as const;

const redis = {
  redis: {
    kind: url(["redis:", "rediss:"]),
    help: "the queue, Redis 6.2 or newer with maxmemory-policy noeviction",
    secret: true,
  },
  redisPrefix: {
    kind: matching("<text>", "1 to 100 of the characters 0-9 a-z A-Z _ -", /^[0-9a-zA-Z_-]{1,100}$/),
    help: "begins all names in Redis: networks with different ones don't see each other",
    default: "chunkproof",
  },
} as const satisfies OptionTable;

const computing = {
  concurrency: {
    kind: integer(1, 64),
    help: "jobs at the same time; each has a thread and threads for WebAssembly of its own",
    default: 1,
  },
  threads: {
    kind: integerOrAuto(1, 256),
    help: "WebAssembly threads of all jobs together; auto: all that the machine has",
    default: "auto",
    short: "-t",
  },
  backend: {
    kind: choice("<name>", ["auto", ...BACKENDS]),
    help: "what computes proofs; auto: what measures fastest on this machine, see doctor",
    default: "wasm",
  },
  maxMemory: {
    kind: size(256 * MiB),
    help: "memory that keys and jobs may take",
    defaultText: "four fifths of what is free in the machine or container",
  },
  jobTimeout: {
    kind: duration(SECOND, DAY),
    help: "longest that a job may take",
    default: 10 * MINUTE,
  },
  lease: {
    kind: duration(SECOND, 60 * MINUTE),
    help: "how long a job that is not heard of belongs to its worker; then another one gets it",
    default: 30 * SECOND,
  },
} as const satisfies OptionTable;

const cache = {
  kind: folder,
  help: "where circuits and keys are kept",
  defaultText: "chunkproof in the user's cache folder",
} as const;

const cors = {
  kind: list("<origins>", "origins such as https://app.example, or *", /^(\*|https?:\/\/[^\s/,]+)$/),
  help: "pages that may ask this service from a browser",
} as const;

/** Of `chunkproof coordinator`. */
export const COORDINATOR_OPTIONS = {
  data: { kind: folder, help: "where blocks, blobs and the token are kept", required: true },
  listen: { kind: address(), help: "where to listen for HTTP", default: { host: "127.0.0.1", port: 8080 } },
  ...redis,
  redis: { ...redis.redis, help: `${redis.redis.help} (default: no workers, all is computed here)` },
  ...TOKEN_OPTIONS,
  keys: { kind: folder, help: "folder of keys", defaultText: "those in the cache; they are made if there are none" },
  cache,
  kinds: {
    kind: choices("<list>", JOB_KINDS),
    help: "what is computed here",
    defaultText: "plan,challenge,assemble; without --redis all",
  },
  ...computing,
  attempts: { kind: integer(1, 100), help: "how often a job is begun before it has failed", default: 5 },
  maxBlocks: { kind: integer(1, 1_000_000), help: "blocks under way at the same time; more are refused", default: 256 },
  maxTrace: { kind: size(1024, 2 ** 30), help: "largest trace", default: 256 * MiB },
  chainId: {
    kind: integer(1, Number.MAX_SAFE_INTEGER),
    help: "blocks of other chains are refused",
    defaultText: "the chain of the first block",
  },
  keepTraces: { kind: flag(), help: "keep the traces of proved blocks" },
  cors,
  drainTimeout: { ...drainTimeout, default: 30 * SECOND },
  ...logging,
} as const satisfies OptionTable;

/** Of `chunkproof worker`. */
export const WORKER_OPTIONS = {
  ...redis,
  redis: { ...redis.redis, required: true },
  store: {
    kind: folderOrUrl(),
    help: "where blobs are: a folder shared with the coordinator, or the coordinator's address",
    required: true,
  },
  ...TOKEN_OPTIONS,
  keys: { kind: folder, help: "folder of keys", defaultText: "those of the network, fetched from the store" },
  cache,
  kinds: { kind: choices("<list>", JOB_KINDS), help: "jobs that are taken", default: ["commit", "prove"] },
  ...computing,
  listen: { kind: address(), help: "where to listen for /health, /ready and /metrics", defaultText: "nowhere" },
  drainTimeout: { ...drainTimeout, default: MINUTE },
  name: {
    kind: matching("<name>", "1 to 60 of the characters 0-9 a-z A-Z . _ -", /^[0-9a-zA-Z._-]{1,60}$/),
    help: "how the worker is called in logs and by the coordinator",
    defaultText: "that of the host",
  },
  ...logging,
} as const satisfies OptionTable;

/** Of `chunkproof replica`. */
export const REPLICA_OPTIONS = {
  data: { kind: folder, help: "where the state is kept", required: true },
  snapshot: { kind: file, help: "state to begin with; only needed at the first start" },
  feed: {
    kind: folderOrUrl(),
    help: "where blocks come from: the coordinator's address, or a folder of proofs",
    required: true,
  },
  keys: {
    kind: text("<file or dir>", "a file or folder"),
    help: "key set to accept, keyset.json, or a folder of keys",
    required: true,
  },
  acceptKeys: {
    kind: list("<digests>", "digests of key sets, 64 hexadecimal digits", /^[0-9a-f]{64}$/),
    help: "refuse key sets with another digest than these",
  },
  allowDevelopmentKeys: {
    kind: flag(),
    help: "accept keys of `chunkproof keys`, with which whoever made them can forge proofs",
  },
  rpc: { kind: address(), help: "where to listen for JSON-RPC", default: { host: "127.0.0.1", port: 8545 } },
  metrics: { kind: address(), help: "where to listen for /health, /ready and /metrics", defaultText: "nowhere" },
  poll: { kind: duration(100, 60 * MINUTE), help: "how often the feed is asked", default: 2 * SECOND },
  cors,
  drainTimeout: {
    ...drainTimeout,
    default: 10 * SECOND,
    help: "after SIGTERM or Ctrl-C: how long requests may take to end",
  },
  ...logging,
} as const satisfies OptionTable;

/** Of `chunkproof submit`, and of `chunkproof doctor` where it asks a coordinator. */
export const CLIENT_OPTIONS = {
  coordinator: {
    kind: url(["http:", "https:"]),
    help: "address of the coordinator",
    default: "http://127.0.0.1:8080",
  },
  ...TOKEN_OPTIONS,
} as const satisfies OptionTable;

/** Of `chunkproof doctor`: what it looks at. Without any of the first four, only at the machine. */
export const DOCTOR_OPTIONS = {
  redis: { kind: redis.redis.kind, help: "check this queue", secret: true },
  coordinator: { kind: CLIENT_OPTIONS.coordinator.kind, help: "check this coordinator" },
  store: { kind: folderOrUrl(), help: "check this store" },
  keys: { kind: folder, help: "check this folder of keys, and whether they are those of the network" },
  redisPrefix: redis.redisPrefix,
  ...TOKEN_OPTIONS,
  cache,
} as const satisfies OptionTable;

/** All variables that some command knows. */
export const KNOWN_VARIABLES: readonly string[] = [
  ...new Set(
    [COORDINATOR_OPTIONS, WORKER_OPTIONS, REPLICA_OPTIONS, CLIENT_OPTIONS, DOCTOR_OPTIONS]
      .flatMap((table) => Object.keys(table))
      .concat("config")
      .map(variableOf),
  ),
];
