/**
 * A replica's database: a folder of LevelDB. It holds the tries of every state since the snapshot, the blocks, their indices,
 * and what was refused. A block is added by one atomic write, synced to the disk, whose last record is the head: whenever the
 * process is killed, there is the chain before the block or the chain after it.
 *
 * ```
 * m                  format, version, chain, snapshot
 * h                  head
 * n <hash>           node of a trie            checked by its hash when it is read
 * c <hash>           code                      likewise
 * b <number>         block                     this and the rest by checksum
 * i <hash>           number of a block
 * t <hash>           number and index of a transaction
 * a <number>         hash of a block before the snapshot's
 * r <digest>         a proof that was refused, p <digest> its bytes
 * ```
 *
 * @module
 */

import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import type { Snapshot } from "../../trace/snapshot.js";
import { encodeRlp } from "../../verifier/ethereum/rlp.js";
import { EMPTY_TRIE_ROOT } from "../../verifier/ethereum/trie.js";
import {
  bytesToUint,
  EMPTY_CODE_HASH,
  keccak,
  uintToBytes,
  uintToMinimalBytes,
  wordToHex,
} from "../../verifier/ethereum/words.js";
import { accountsOf } from "../account.js";
import { ReplicaError } from "../errors.js";
import { buildTrie, type TrieEntry, type TrieNode } from "./build-trie.js";
import { messageOf, NodeError } from "./errors.js";
import {
  damaged,
  decodeBlock,
  decodeJson,
  decodePosition,
  encodeBlock,
  encodeJson,
  encodePosition,
  type Position,
  type StoredBlock,
  seal,
  unseal,
} from "./records.js";
import { type NextState, type NodeSource, StateView } from "./state.js";

/** The version of the format that is read and written. */
export const DATABASE_VERSION = 1;

/** Options of {@link ReplicaDatabase.open}. */
export interface DatabaseOptions {
  /**
   * What the chain begins with. Given as it is, it must be the one that the database was made from; a function is only
   * called where there is no chain yet.
   */
  readonly snapshot?: Snapshot | (() => Promise<Snapshot>) | undefined;
  /** Hashes of blocks before the snapshot's, by number, for BLOCKHASH; as trusted as the snapshot. Read with it. */
  readonly blockHashes?: ReadonlyMap<bigint, bigint> | undefined;
  /** Bytes of LevelDB's cache, default 32 MiB. */
  readonly cacheBytes?: number | undefined;
  /** Ends an import, which then begins from the start the next time. */
  readonly signal?: AbortSignal | undefined;
}

/** What a snapshot is of. */
export type SnapshotHead = Pick<Snapshot, "chainId" | "number" | "blockHash" | "stateRoot">;

/** Where a transaction is. */
export interface TransactionPlace {
  readonly number: bigint;
  readonly index: number;
}

type Operation =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

interface Meta {
  readonly format: string;
  readonly version: number;
  readonly chainId: string;
  readonly number: string;
  readonly hash: string;
  readonly stateRoot: string;
}

const FORMAT = "chunkproof replica";
const CACHE_BYTES = 32 << 20;
/** Bytes of a snapshot that are written at once. */
const IMPORT_BATCH = 4 << 20;
/** Keys of blocks that are read at once. */
const KEYS_AT_ONCE = 4096;

const META = new TextEncoder().encode("m");
const HEAD = new TextEncoder().encode("h");

const put = (key: Uint8Array, value: Uint8Array): Operation => ({ type: "put", key, value });

function keyOf(space: string, ...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat([Buffer.from(space, "latin1"), ...parts]));
}
/** LevelDB gives Buffers, whose `slice` does not copy. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
const word = (value: bigint): Uint8Array => uintToBytes(value, 32);
const numberKey = (space: string, number: bigint): Uint8Array => keyOf(space, uintToBytes(number, 8));
const digestKey = (space: string, digest: string): Uint8Array => keyOf(space, Buffer.from(digest, "hex"));
/** No block has a number that does not fit the key. */
const isNumber = (number: bigint): boolean => number >= 0n && number >> 64n === 0n;

/** What LevelDB failed with. */
function levelError(path: string, error: unknown): unknown {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as { code?: unknown } | undefined)?.code;
  if (code === "LEVEL_LOCKED") {
    return new NodeError("another process has this database open", { code: "DATABASE_LOCKED", where: path, cause });
  }
  if (code === "LEVEL_CORRUPTION") return damaged(path, cause, messageOf(cause));
  if (code === "LEVEL_DATABASE_NOT_OPEN") {
    return new NodeError("the database is closed", { code: "DATABASE_CLOSED", where: path, cause });
  }
  if (error instanceof NodeError || error instanceof ReplicaError) return error;
  return new NodeError("the database cannot be read or written", {
    code: "DATABASE_UNAVAILABLE",
    where: path,
    got: messageOf(cause),
    cause,
  });
}

/** A file that is there until the snapshot is in the database: only then there may be no chain in it. */
export const IMPORT_MARKER = "IMPORT";

const LEVEL_FILE = /^(?:IMPORT|LOCK|LOG|LOG\.old|CURRENT|MANIFEST-\d+|\d+\.(?:log|ldb|sst|dbtmp)|lost\+found)$/;

/**
 * LevelDB would begin anew in any folder, and delete what it takes for its own leftovers.
 *
 * @returns whether there may be no chain here yet
 */
async function checkFolder(path: string): Promise<boolean> {
  const names = await readdir(path).catch((cause: unknown): never => {
    throw levelError(path, cause);
  });
  const stranger = names.find((name) => !LEVEL_FILE.test(name));
  if (stranger !== undefined) {
    throw new NodeError("a folder with something else in it", {
      code: "DATABASE_FORMAT",
      where: path,
      expected: "the database of a replica, or an empty folder",
      got: stranger,
    });
  }
  if (!names.includes("CURRENT") && names.some((name) => /\.(?:log|ldb|sst)$/.test(name))) {
    throw damaged(path, undefined, "tables, but no CURRENT");
  }
  if (names.includes(IMPORT_MARKER)) return true;
  if (names.includes("CURRENT")) return false;
  await mark(path).catch((cause: unknown): never => {
    throw levelError(path, cause);
  });
  return true;
}

/** Makes the marker of an import, on the disk. */
async function mark(path: string): Promise<void> {
  const marker = await open(join(path, IMPORT_MARKER), "w");
  try {
    await marker.sync();
  } finally {
    await marker.close();
  }
  // not every system can do that with a folder
  const folder = await open(path, "r").catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

function badFormat(path: string, expected: string, got: string): NodeError {
  return new NodeError("not a database that this version can use", {
    code: "DATABASE_FORMAT",
    where: path,
    expected,
    got,
  });
}

/** See the module. Reading is possible from anywhere at any time; writing is for one caller, the chain. */
export class ReplicaDatabase implements NodeSource {
  readonly path: string;
  readonly chainId: bigint;
  /** The snapshot that the chain begins with. */
  readonly origin: Position;
  readonly #level: ClassicLevel<Uint8Array, Uint8Array>;
  #head: Position;

  private constructor(level: ClassicLevel<Uint8Array, Uint8Array>, chainId: bigint, origin: Position, head: Position) {
    this.path = level.location;
    this.chainId = chainId;
    this.origin = origin;
    this.#level = level;
    this.#head = head;
  }

  /**
   * Opens a database, or makes it from a snapshot.
   *
   * @throws NodeError `DATABASE_*`; ReplicaError `SNAPSHOT_ROOT`, `SNAPSHOT_ACCOUNT`; what `options.snapshot` throws;
   *   `signal.reason`
   */
  static async open(path: string, options: DatabaseOptions = {}): Promise<ReplicaDatabase> {
    await mkdir(path, { recursive: true }).catch((cause) => {
      throw levelError(path, cause);
    });
    const mayBegin = await checkFolder(path);
    const level = new ClassicLevel<Uint8Array, Uint8Array>(path, {
      keyEncoding: "view",
      valueEncoding: "view",
      cacheSize: options.cacheBytes ?? CACHE_BYTES,
    });
    try {
      await level.open();
      const database = await ReplicaDatabase.#load(level, options, mayBegin);
      await database.#check();
      if (mayBegin) await rm(join(path, IMPORT_MARKER), { force: true });
      return database;
    } catch (error) {
      await level.close();
      throw error === options.signal?.reason ? error : levelError(path, error);
    }
  }

  static async #load(
    level: ClassicLevel<Uint8Array, Uint8Array>,
    options: DatabaseOptions,
    mayBegin: boolean,
  ): Promise<ReplicaDatabase> {
    const path = level.location;
    const sealed = await level.get(META);
    if (sealed === undefined) {
      if ((await level.keys({ limit: 1 }).all()).length > 0) {
        throw badFormat(path, "the database of a replica", "another database of LevelDB");
      }
    } else {
      const meta = readMeta(path, sealed);
      const head = await level.get(HEAD);
      if (head !== undefined) {
        if (options.snapshot !== undefined && typeof options.snapshot !== "function") {
          expectSnapshot(path, meta, options.snapshot);
        }
        const origin = { number: BigInt(meta.number), hash: BigInt(meta.hash), stateRoot: BigInt(meta.stateRoot) };
        return new ReplicaDatabase(level, BigInt(meta.chainId), origin, decodePosition(head, `${path}: head`));
      }
    }
    // nothing yet, or an import that was interrupted: then there are no blocks
    if ((await level.keys({ gt: keyOf("b"), lt: keyOf("c"), limit: 1 }).all()).length > 0) {
      throw damaged(`${path}: head`, undefined, "nothing");
    }
    // LevelDB drops what it cannot read of its log without a word
    if (!mayBegin) throw damaged(`${path}: ${sealed === undefined ? "format" : "head"}`, undefined, "nothing");
    const { snapshot } = options;
    if (snapshot === undefined) {
      throw new NodeError("there is no chain in this database yet", {
        code: "DATABASE_EMPTY",
        where: path,
        expected: "a snapshot to begin with",
      });
    }
    return ReplicaDatabase.#begin(level, typeof snapshot === "function" ? await snapshot() : snapshot, options);
  }

  /** Writes a snapshot; its head comes last. */
  static async #begin(
    level: ClassicLevel<Uint8Array, Uint8Array>,
    snapshot: Snapshot,
    { blockHashes, signal }: DatabaseOptions,
  ): Promise<ReplicaDatabase> {
    const origin = {
      number: snapshot.number,
      hash: BigInt(snapshot.blockHash),
      stateRoot: BigInt(snapshot.stateRoot),
    };
    const meta: Meta = {
      format: FORMAT,
      version: DATABASE_VERSION,
      chainId: String(snapshot.chainId),
      number: String(origin.number),
      hash: wordToHex(origin.hash),
      stateRoot: wordToHex(origin.stateRoot),
    };
    await level.clear();
    await level.batch([put(META, encodeJson(meta))], { sync: true });
    try {
      let batch: Operation[] = [];
      let size = 0;
      for (const operation of importOf(snapshot)) {
        batch.push(operation);
        size += operation.key.length + (operation.type === "put" ? operation.value.length : 0);
        if (size < IMPORT_BATCH) continue;
        await level.batch(batch);
        signal?.throwIfAborted();
        [batch, size] = [[], 0];
      }
      for (const [number, hash] of blockHashes ?? []) {
        if (number < origin.number && isNumber(number)) batch.push(put(numberKey("a", number), seal(word(hash))));
      }
      signal?.throwIfAborted();
      batch.push(put(HEAD, encodePosition(origin)));
      await level.batch(batch, { sync: true });
    } catch (error) {
      // a snapshot that is wrong leaves nothing behind
      if (error instanceof ReplicaError) await level.clear();
      throw error;
    }
    return new ReplicaDatabase(level, snapshot.chainId, origin, origin);
  }

  /** What must be there whatever else is. @throws NodeError `DATABASE_DAMAGED` */
  async #check(): Promise<void> {
    const { number, hash, stateRoot } = this.#head;
    await this.#checkBlocks();
    if (stateRoot !== EMPTY_TRIE_ROOT) await this.node(wordToHex(stateRoot).slice(2));
    if (number === this.origin.number) {
      if (hash !== this.origin.hash || stateRoot !== this.origin.stateRoot) throw damaged(`${this.path}: head`);
      return;
    }
    const block = await this.block(number);
    if (number < this.origin.number || block?.hash !== hash || block.header.stateRoot !== stateRoot) {
      throw damaged(`${this.path}: head`);
    }
  }

  /** Blocks come and go with all that belongs to them: where none is missing, no write is. */
  async #checkBlocks(): Promise<void> {
    let expected = this.origin.number + 1n;
    const keys = this.#level.keys({ gt: keyOf("b"), lt: keyOf("c"), fillCache: false });
    try {
      for (let some = await keys.nextv(KEYS_AT_ONCE); some.length > 0; some = await keys.nextv(KEYS_AT_ONCE)) {
        for (const key of some) {
          const number = bytesToUint(key.subarray(1));
          if (number !== expected++) throw damaged(`${this.path}: blocks`, undefined, `block ${number}`);
        }
      }
    } finally {
      await keys.close();
    }
    const { number } = this.#head;
    if (expected !== number + 1n) {
      throw damaged(`${this.path}: blocks`, undefined, `head ${number}, blocks to ${expected - 1n}`);
    }
  }

  /**
   * Whether the chain begins with this snapshot.
   *
   * @throws NodeError `DATABASE_SNAPSHOT`
   */
  expectOrigin(snapshot: SnapshotHead): void {
    const { number, hash, stateRoot } = this.origin;
    const meta = { chainId: String(this.chainId), number: String(number) };
    expectSnapshot(this.path, { ...meta, hash: wordToHex(hash), stateRoot: wordToHex(stateRoot) }, snapshot);
  }

  /** The newest block. */
  get head(): Position {
    return this.#head;
  }

  async #get(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      const value = await this.#level.get(key);
      return value === undefined ? undefined : plain(value);
    } catch (error) {
      throw levelError(this.path, error);
    }
  }

  async #write(operations: Operation[], sync: boolean): Promise<void> {
    try {
      await this.#level.batch(operations, { sync });
    } catch (error) {
      throw levelError(this.path, error);
    }
  }

  async node(hash: string): Promise<Uint8Array> {
    const bytes = await this.#get(digestKey("n", hash));
    if (bytes !== undefined && keccak(bytes) === BigInt(`0x${hash}`)) return bytes;
    throw damaged(`${this.path}: node ${hash}`, undefined, bytes === undefined ? "nothing" : undefined);
  }

  async code(hash: bigint): Promise<Uint8Array> {
    const bytes = await this.#get(keyOf("c", word(hash)));
    if (bytes !== undefined && keccak(bytes) === hash) return bytes;
    throw damaged(`${this.path}: code ${wordToHex(hash)}`, undefined, bytes === undefined ? "nothing" : undefined);
  }

  /** A state by its root, which must be that of the snapshot or of a block since. */
  state(root: bigint): StateView {
    return new StateView(this, root);
  }

  /** A block since the snapshot, whose own contents are not known. @throws NodeError `DATABASE_DAMAGED` */
  async block(number: bigint): Promise<StoredBlock | undefined> {
    if (number <= this.origin.number || number > this.#head.number) return undefined;
    const where = `${this.path}: block ${number}`;
    const record = await this.#get(numberKey("b", number));
    if (record === undefined) throw damaged(where, undefined, "nothing");
    const block = decodeBlock(record, where);
    if (block.header.number !== number) throw damaged(where);
    return block;
  }

  /** The number of a block since the snapshot, that of the snapshot included. */
  async numberOf(hash: bigint): Promise<bigint | undefined> {
    if (hash === this.origin.hash) return this.origin.number;
    const record = await this.#get(keyOf("i", word(hash)));
    return record === undefined ? undefined : bytesToUint(unseal(record, `${this.path}: block ${wordToHex(hash)}`));
  }

  /** Where a transaction is. */
  async transaction(hash: bigint): Promise<TransactionPlace | undefined> {
    const record = await this.#get(keyOf("t", word(hash)));
    if (record === undefined) return undefined;
    const place = unseal(record, `${this.path}: transaction ${wordToHex(hash)}`);
    return { number: bytesToUint(place.subarray(0, 8)), index: Number(bytesToUint(place.subarray(8))) };
  }

  /** Number, hash and state root of a block since the snapshot, that of the snapshot included. */
  async position(number: bigint): Promise<Position | undefined> {
    if (number === this.origin.number) return this.origin;
    if (number === this.#head.number) return this.#head;
    const block = await this.block(number);
    return block === undefined ? undefined : { number, hash: block.hash, stateRoot: block.header.stateRoot };
  }

  /** The hash of a block, also of one before the snapshot's if it was given. */
  async blockHash(number: bigint): Promise<bigint | undefined> {
    if (number >= this.origin.number) return (await this.position(number))?.hash;
    if (!isNumber(number)) return undefined;
    const record = await this.#get(numberKey("a", number));
    return record === undefined ? undefined : bytesToUint(unseal(record, `${this.path}: hash of block ${number}`));
  }

  /**
   * Adds a block, which becomes the head.
   *
   * @param next the state after it
   * @throws RangeError for a block that is not the next, or another state: the caller's mistake; NodeError `DATABASE_*`
   */
  async append(block: StoredBlock, next: NextState): Promise<void> {
    const { header, hash } = block;
    const { number, stateRoot } = header;
    if (number !== this.#head.number + 1n || header.parentHash !== this.#head.hash || next.root !== stateRoot) {
      throw new RangeError("not the next block, or not the state after it");
    }
    const head = { number, hash, stateRoot };
    await this.#write(
      [
        ...[...next.nodes].map(([node, bytes]) => put(digestKey("n", node), bytes)),
        put(numberKey("b", number), encodeBlock(block)),
        put(keyOf("i", word(hash)), seal(uintToBytes(number, 8))),
        ...block.transactions.map((bytes, i) =>
          put(
            keyOf("t", word(keccak(bytes))),
            seal(Buffer.concat([uintToBytes(number, 8), uintToBytes(BigInt(i), 4)])),
          ),
        ),
        put(HEAD, encodePosition(head)),
      ],
      true,
    );
    this.#head = head;
  }

  /** What is known of refused proofs, by their digests. */
  async refused(): Promise<Map<string, unknown>> {
    const found = new Map<string, unknown>();
    try {
      for await (const [key, value] of this.#level.iterator({ gt: keyOf("r"), lt: keyOf("s") })) {
        const digest = Buffer.from(key.subarray(1)).toString("hex");
        found.set(digest, decodeJson(plain(value), `${this.path}: refused proof ${digest}`));
      }
    } catch (error) {
      throw levelError(this.path, error);
    }
    return found;
  }

  /** Keeps what is known of a refused proof, and its bytes unless they are there or not wanted. */
  async refuse(digest: string, about: unknown, proof?: Uint8Array): Promise<void> {
    const bytes = proof === undefined ? [] : [put(digestKey("p", digest), seal(proof))];
    await this.#write([put(digestKey("r", digest), encodeJson(about)), ...bytes], false);
  }

  async refusedProof(digest: string): Promise<Uint8Array | undefined> {
    const record = await this.#get(digestKey("p", digest));
    return record === undefined ? undefined : unseal(record, `${this.path}: refused proof ${digest}`);
  }

  async forget(digests: readonly string[]): Promise<void> {
    const keys = digests.flatMap((digest) => [digestKey("r", digest), digestKey("p", digest)]);
    await this.#write(
      keys.map((key) => ({ type: "del", key })),
      false,
    );
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#level.close();
  }

  /** Same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** @throws NodeError `DATABASE_FORMAT`, `DATABASE_DAMAGED` */
function readMeta(path: string, sealed: Uint8Array): Meta {
  const where = `${path}: format`;
  const meta = decodeJson(sealed, where) as Partial<Meta> | null;
  if (meta?.format !== FORMAT) throw badFormat(path, FORMAT, JSON.stringify(meta?.format));
  if (meta.version !== DATABASE_VERSION) {
    throw badFormat(path, `version ${DATABASE_VERSION}`, `version ${JSON.stringify(meta.version)}`);
  }
  return meta as Meta;
}

/** @throws NodeError `DATABASE_SNAPSHOT` */
function expectSnapshot(path: string, meta: Omit<Meta, "format" | "version">, snapshot: SnapshotHead): void {
  const of = (chainId: string | bigint, number: string | bigint, hash: string, stateRoot: string) =>
    `chain ${chainId}, block ${number}, ${hash}, state root ${stateRoot}`;
  const expected = of(meta.chainId, meta.number, meta.hash, meta.stateRoot);
  const got = of(snapshot.chainId, snapshot.number, snapshot.blockHash, snapshot.stateRoot);
  if (expected === got) return;
  throw new NodeError("the database was made from another snapshot", {
    code: "DATABASE_SNAPSHOT",
    where: path,
    expected,
    got,
  });
}

const nodeOperation = ({ hash, bytes }: TrieNode): Operation => put(keyOf("n", hash), bytes);

/** What a snapshot becomes in the database. @throws ReplicaError `SNAPSHOT_ROOT`, `SNAPSHOT_ACCOUNT` */
function* importOf(snapshot: Snapshot): Generator<Operation, void> {
  const entries: TrieEntry[] = [];
  for (const [address, { nonce, balance, code, storage }] of accountsOf(snapshot)) {
    const slots = storage.map(([slot, value]) => ({
      key: word(keccak(word(slot))),
      value: encodeRlp(uintToMinimalBytes(value)),
    }));
    const storageRoot = yield* operations(buildTrie(slots));
    const codeHash = keccak(code);
    if (codeHash !== EMPTY_CODE_HASH) yield put(keyOf("c", word(codeHash)), code);
    entries.push({
      key: word(keccak(uintToBytes(address, 20))),
      value: encodeRlp([nonce, balance, word(storageRoot), word(codeHash)]),
    });
  }
  const root = yield* operations(buildTrie(entries));
  if (root === BigInt(snapshot.stateRoot)) return;
  throw new ReplicaError("the accounts do not make up this root", {
    code: "SNAPSHOT_ROOT",
    where: "stateRoot",
    expected: wordToHex(root),
    got: snapshot.stateRoot,
  });
}

function* operations(nodes: Generator<TrieNode, bigint>): Generator<Operation, bigint> {
  for (let next = nodes.next(); ; next = nodes.next()) {
    if (next.done) return next.value;
    yield nodeOperation(next.value);
  }
}
