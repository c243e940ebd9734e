/**
 * Puts a replica node together from its parts.
 *
 * @module
 */

import { mkdir } from "node:fs/promises";
import type { FastifyInstance } from "fastify";
import { type ConfigOf, isHttp } from "../../service/config.js";
import { type Address, addressText, cannotListen, HealthServer } from "../../service/health.js";
import type { Service } from "../../service/lifecycle.js";
import type { Log } from "../../service/log.js";
import { type ReplicaMetrics, replicaMetrics } from "../../service/metrics.js";
import type { REPLICA_OPTIONS } from "../../service/options.js";
import { span } from "../../service/telemetry.js";
import type { Snapshot } from "../../trace/snapshot.js";
import { BLOCK_PROOF_VERSION } from "../../verifier/encoding.js";
import { wordToHex } from "../../verifier/ethereum/words.js";
import type { KeySet } from "../../verifier/keyset.js";
import { ReplicaChain } from "./chain.js";
import { ReplicaDatabase, type SnapshotHead } from "./database.js";
import { messageOf, NodeError } from "./errors.js";
import { FolderFeed } from "./feed-folder.js";
import { HttpFeed } from "./feed-http.js";
import { Follower, type FollowerStatus } from "./follow.js";
import { rpcApp } from "./rpc.js";
import { VerifierThread } from "./verifier.js";

/** What a replica is started with, beside its options. */
export interface ReplicaStart {
  readonly config: ConfigOf<typeof REPLICA_OPTIONS>;
  readonly keys: KeySet;
  /** Reads the state to begin with; only called where there is none yet. */
  readonly snapshot: (() => Promise<Snapshot>) | undefined;
  /** Reads what that state is of, for a start where there is one; undefined: the file is gone. */
  readonly origin?: (() => Promise<SnapshotHead | undefined>) | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A replica under way. */
export interface RunningReplica extends Service {
  /** Of JSON-RPC. */
  readonly address: Address;
}

/** Milliseconds after which the feed should have been asked again. */
const POLL_AGE = 120_000;
/** The longest a browser may remember what it may do, seconds. */
const PREFLIGHT_AGE = 600;

/**
 * Starts a replica.
 *
 * @throws NodeError `DATABASE_*`, `FEED_UNAVAILABLE`; NetworkError `CONFIG_INVALID`; what `snapshot` throws; `signal.reason`.
 */
export async function startReplica(options: ReplicaStart): Promise<RunningReplica> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    return await open(options, closers);
  } catch (error) {
    await closeAll(closers, options.log);
    throw error;
  }
}

async function closeAll(closers: (() => Promise<unknown>)[], log: Log): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    await close().catch((error: unknown) => log.warn({ err: error }, "something could not be closed"));
  }
}

async function open(
  { config, keys, snapshot, origin, log, signal }: ReplicaStart,
  closers: (() => Promise<unknown>)[],
): Promise<RunningReplica> {
  const { data, feed: place, rpc, cors, poll, metrics: metricsAddress } = config;
  const metrics = replicaMetrics({ protocol: `block proofs ${BLOCK_PROOF_VERSION}`, process: true });
  await mkdir(data, { recursive: true }).catch((cause) => {
    throw new NodeError("cannot be used", { code: "DATABASE_UNAVAILABLE", where: data, got: messageOf(cause), cause });
  });
  const database = await ReplicaDatabase.open(data, { snapshot, signal });
  closers.push(() => database.close());
  const begun = await origin?.();
  if (begun !== undefined) database.expectOrigin(begun);
  const thread = new VerifierThread(keys);
  closers.push(() => thread.close());
  const chain = await ReplicaChain.open({
    database,
    keys,
    verify: (proof, verifying, aborted) =>
      span("verify block", { bytes: proof.length }, () => thread.verify(proof, verifying, aborted)),
    onVerified: (result, milliseconds) => {
      // what comes too early or too late says nothing about a proof
      if (result === "not-next") return;
      metrics.replicaBlocksTotal.inc({ result });
      metrics.replicaVerifyDurationSeconds.observe(milliseconds / 1000);
    },
  });
  const feed = isHttp(place)
    ? new HttpFeed({ url: place, chainId: chain.chainId })
    : new FolderFeed(place, { onUnreadable: (path, reason) => log.warn({ path, reason }, "not a proof") });
  const follower = new Follower({ chain, feed, interval: poll, ...told(log, metrics) });
  metrics.onScrape(() => observe(follower.status, metrics));

  if (metricsAddress !== undefined) {
    const health = await HealthServer.start(metricsAddress, {
      service: "replica",
      ready: () => reasonsOf(follower.status, { poll }),
      metrics,
    });
    closers.push(() => health.close());
    log.info({ address: addressText(health.address) }, "listens for /health, /ready and /metrics");
  }
  const app = rpcApp({
    chain,
    status: () => follower.status,
    port: rpc.port,
    onCall: (method, result) => metrics.rpcRequestsTotal.inc({ method, result }),
    onError: (error, method) => {
      follower.noteDamage(error);
      log.error({ err: error, method }, "could not answer");
    },
  });
  if (cors !== undefined) allowOrigins(app, cors);
  closers.push(() => app.close());
  const address = await listenOn(app, rpc);
  const { number, hash } = chain.head;
  log.info(
    {
      rpc: addressText(address),
      feed: feed.name,
      chainId: String(chain.chainId),
      head: Number(number),
      hash: wordToHex(hash),
      keySet: keys.digest,
      developmentKeys: keys.insecure,
    },
    "follows",
  );

  const stop = new AbortController();
  signal.throwIfAborted();
  const ended = follower.run(stop.signal);
  // it is heard of by who runs this
  ended.catch(() => {});
  closers.push(async () => {
    stop.abort();
    // a proof that is being verified is verified again the next time
    await ended.catch(() => {});
  });
  return {
    address,
    ended,
    async close(abandon) {
      const cut = () => app.server.closeAllConnections();
      abandon.addEventListener("abort", cut, { once: true });
      try {
        await closeAll(closers, log);
      } finally {
        abandon.removeEventListener("abort", cut);
      }
    },
  };
}

/** What happens, for the log. */
const told = (log: Log, metrics: ReplicaMetrics): Partial<ConstructorParameters<typeof Follower>[0]> => ({
  onVerdict: (verdict, candidate, digest) => {
    const about = { number: Number(candidate.number), digest };
    if (verdict.outcome === "accepted") {
      const { hash } = verdict.block;
      log.info({ ...about, hash: wordToHex(hash) }, "a block is valid");
    } else if (verdict.outcome === "invalid") {
      log.error({ ...about, again: verdict.again, faults: verdict.faults.slice(0, 20) }, "a proof is refused");
    } else {
      log.debug({ ...about, outcome: verdict.outcome }, "a proof of another block than the next");
    }
  },
  onFeedError: (error) => log.warn({ err: error }, "the feed does not answer as it should; asked again later"),
  onCandidateError: (error, { number }) =>
    log.warn({ number: Number(number), err: error }, "a proof could not be fetched or verified; later"),
  onStalled: (stalled) => {
    metrics.replicaStalled.set(stalled === undefined ? 0 : 1);
    if (stalled === undefined) return log.info({}, "goes on");
    const { number, digest, faults } = stalled;
    log.error(
      { number: Number(number), digest, faults: faults.slice(0, 20) },
      "all proofs of the next block are refused: the chain stays where it is until there is a valid one",
    );
  },
});

/** How far it is, for a scrape. */
function observe({ head, feedTip, lag, behindSeconds, stalled }: FollowerStatus, metrics: ReplicaMetrics): void {
  metrics.replicaHead.set(Number(head.number));
  if (feedTip !== undefined) metrics.replicaFeedTip.set(Number(feedTip));
  metrics.replicaLagBlocks.set(lag);
  metrics.replicaBehindSeconds.set(behindSeconds);
  metrics.replicaStalled.set(stalled === undefined ? 0 : 1);
}

/**
 * Why nobody should rely on this replica's being up to date.
 *
 * @param options `poll`: milliseconds between polls
 */
export function reasonsOf(
  { stalled, feedError, polledAt, damaged, running }: FollowerStatus,
  { poll = 0, now = Date.now() }: { readonly poll?: number; readonly now?: number } = {},
): string[] {
  const isOld = polledAt !== undefined && now - polledAt > Math.max(POLL_AGE, 2 * poll);
  return [
    ...(running ? [] : ["it does not follow its feed"]),
    ...(feedError === undefined ? [] : [`the feed: ${feedError.code}`]),
    ...(damaged === undefined ? [] : [`the database: ${damaged.code}`]),
    ...(isOld && feedError === undefined ? [`feed not asked since ${new Date(polledAt).toISOString()}`] : []),
    ...(polledAt === undefined && feedError === undefined ? ["the feed has not answered yet"] : []),
    ...(stalled === undefined ? [] : [`all proofs of block ${stalled.number} are refused`]),
  ];
}

/** Lets pages of these origins call. */
function allowOrigins(app: FastifyInstance, cors: readonly string[]): void {
  const origins = new Set(cors);
  app.addHook("onRequest", async ({ headers: { origin } }, reply) => {
    reply.header("vary", "origin");
    if (origin === undefined || !(origins.has(origin) || origins.has("*"))) return;
    reply.header("access-control-allow-origin", origin);
  });
  app.options("/", (_request, reply) =>
    reply
      .code(204)
      .headers({
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type",
        "access-control-max-age": PREFLIGHT_AGE,
      })
      .send(),
  );
}

/** @throws NetworkError `CONFIG_INVALID` */
async function listenOn(app: FastifyInstance, { host, port }: Address): Promise<Address> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw cannotListen({ host, port }, error);
  }
  const bound = app.server.address();
  return { host, port: typeof bound === "object" && bound !== null ? bound.port : port };
}
