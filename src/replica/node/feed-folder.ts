/**
 * A feed from a folder: every file `*.proof` in it, whatever else it is called. Files may come in any order, be replaced, or
 * be written while they are looked at; best they are written under another name and renamed, as all of chunkproof does.
 *
 * Files are read once for their number, and again only when size or time of change differ. With very many files, not all of
 * them are asked at every poll whether they did.
 *
 * @module
 */

import { constants, type Stats } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, NodeError } from "./errors.js";
import { BLOCKS_AT_ONCE, type Candidate, type Feed, MAX_PROOF_BYTES, type Poll } from "./feed.js";
import { headerOfProof, PREFIX_BYTES } from "./peek.js";

/** Options of {@link FolderFeed}. */
export interface FolderFeedOptions {
  /** Larger files are not read; default 16 MiB. */
  readonly maxBytes?: number | undefined;
  /** Told once of each file that is no proof, and again when it changed and still is none. */
  readonly onUnreadable?: ((path: string, reason: string) => void) | undefined;
}

/** What is known of a file. */
interface Known {
  /** Changes with its contents. */
  readonly stamp: string;
  /** undefined: not a proof, yet. */
  readonly number: bigint | undefined;
}

const SUFFIX = ".proof";
/** Files that are read at one poll for the first time. */
const FRESH_PER_POLL = 4_096;
/** Files that are asked at one poll whether they changed; and those that were no proofs, whether they became some. */
const LOOKS_PER_POLL = 400;
/** Milliseconds after which the folder is read again even if it says that nothing happened. */
const RESCAN = 30_000;
/** Milliseconds in which two changes of a folder may have the same time. */
const CLOCK_TICK = 2_000;
/** Files that are opened at once. */
const AT_ONCE = 16;

/** The number of a proof's block, from its first bytes. @returns undefined if it has none */
export const numberOfProof = (prefix: Uint8Array): bigint | undefined => headerOfProof(prefix)?.number;

/** A pipe that took the place of a file would otherwise be waited for until somebody writes into it. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;

/** The time of the last write can be set to anything, that of the last change cannot. */
const stampOf = ({ size, mtimeMs, ctimeMs, ino }: Pick<Stats, "size" | "mtimeMs" | "ctimeMs" | "ino">): string =>
  `${size}-${mtimeMs}-${ctimeMs}-${ino}`;

/** See the module. */
export class FolderFeed implements Feed {
  readonly name: string;
  readonly #maxBytes: number;
  readonly #onUnreadable: FolderFeedOptions["onUnreadable"];
  /** All names, those that were never looked at, and those that are no proofs. */
  #names: readonly string[] = [];
  #fresh: string[] = [];
  readonly #useless = new Set<string>();
  readonly #files = new Map<string, Known>();
  /** Names of files by number, from the number that was asked for last. */
  readonly #byNumber = new Map<bigint, string[]>();
  #from = 0n;
  /** The greatest number before that. */
  #past: bigint | undefined;
  /** When the folder was read, and how it was then. */
  #read: { readonly at: number; readonly mtime: number } | undefined;
  /** Where the next look for changes begins. */
  #cursor = 0;

  constructor(path: string, { maxBytes = MAX_PROOF_BYTES, onUnreadable }: FolderFeedOptions = {}) {
    this.name = path;
    this.#maxBytes = maxBytes;
    this.#onUnreadable = onUnreadable;
  }

  async poll(from: bigint, signal?: AbortSignal): Promise<Poll> {
    this.#startFrom(from);
    await this.#scan(signal);
    // of these it must be known for sure what they are
    const soon = [from, from + 1n].flatMap((number) => this.#byNumber.get(number) ?? []);
    await this.#look(soon, signal);
    const numbers: bigint[] = [];
    let tip = this.#past;
    for (const number of this.#byNumber.keys()) {
      if (tip === undefined || number > tip) tip = number;
      if (number < from + BigInt(BLOCKS_AT_ONCE)) numbers.push(number);
    }
    numbers.sort((a, b) => (a < b ? -1 : 1));
    const candidates = numbers.flatMap((number) =>
      [...this.#byNumber.get(number)!].sort().map((name) => this.#candidate(number, name)),
    );
    return { tip, candidates, more: this.#fresh.length > 0 };
  }

  /** Forgets what comes before. */
  #startFrom(from: bigint): void {
    if (from >= this.#from) {
      for (const number of this.#byNumber.keys()) {
        if (number >= from) continue;
        this.#byNumber.delete(number);
        this.#passed(number);
      }
    } else {
      // back again: everything counts
      this.#files.clear();
      this.#byNumber.clear();
      this.#past = undefined;
      this.#fresh = [...this.#names];
    }
    this.#from = from;
  }

  #passed(number: bigint): void {
    if (this.#past === undefined || number > this.#past) this.#past = number;
  }

  #candidate(number: bigint, name: string): Candidate {
    return {
      number,
      id: `${name} ${this.#files.get(name)!.stamp}`,
      fetch: (signal) => this.#fetch(name, signal),
    };
  }

  async #scan(signal: AbortSignal | undefined): Promise<void> {
    try {
      const now = Date.now();
      const { mtimeMs: mtime } = await stat(this.name);
      const before = this.#read;
      const isQuiet = before?.mtime === mtime && before.at - mtime > CLOCK_TICK && now - before.at < RESCAN;
      if (!isQuiet) {
        this.#names = (await readdir(this.name)).filter((name) => name.endsWith(SUFFIX));
        this.#read = { at: now, mtime };
        const present = new Set(this.#names);
        for (const name of this.#files.keys()) if (!present.has(name)) this.#set(name, undefined);
        this.#fresh = this.#names.filter((name) => !this.#files.has(name));
      }
    } catch (cause) {
      this.#read = undefined;
      throw new NodeError("the folder cannot be read", {
        code: "FEED_UNAVAILABLE",
        where: this.name,
        got: messageOf(cause),
        cause,
      });
    }
    await this.#look(this.#fresh.splice(0, FRESH_PER_POLL), signal);
    const again: string[] = [];
    // those at the front go to the end
    for (const name of this.#useless) {
      if (again.push(name) >= LOOKS_PER_POLL) break;
    }
    for (const name of again) {
      this.#useless.delete(name);
      this.#useless.add(name);
    }
    const { length } = this.#names;
    for (let i = 0; i < Math.min(LOOKS_PER_POLL, length); i++) again.push(this.#names[this.#cursor++ % length]!);
    await this.#look(again, signal);
  }

  /** Reads the numbers of those that are new or changed. */
  async #look(names: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    for (let i = 0; i < names.length; i += AT_ONCE) {
      signal?.throwIfAborted();
      await Promise.all(names.slice(i, i + AT_ONCE).map((name) => this.#lookAt(name)));
    }
  }

  async #lookAt(name: string): Promise<void> {
    const path = join(this.name, name);
    let handle: FileHandle | undefined;
    try {
      const found = await stat(path);
      if (this.#files.get(name)?.stamp === stampOf(found)) return;
      if (!found.isFile() || found.size > this.#maxBytes) {
        this.#unreadable(name, stampOf(found), found.isFile() ? "too large" : "not a file");
        return;
      }
      handle = await open(path, READ);
      const opened = await handle.stat();
      if (!opened.isFile()) {
        this.#unreadable(name, stampOf(opened), "not a file");
        return;
      }
      const { buffer, bytesRead } = await handle.read(new Uint8Array(PREFIX_BYTES), 0, PREFIX_BYTES, 0);
      const number = numberOfProof(buffer.subarray(0, bytesRead));
      if (number === undefined) this.#unreadable(name, stampOf(opened), "not the proof of a block");
      else this.#set(name, { stamp: stampOf(opened), number });
    } catch (error) {
      // gone in the meantime
      if ((error as NodeJS.ErrnoException).code === "ENOENT") this.#set(name, undefined);
      else this.#unreadable(name, "", messageOf(error));
    } finally {
      await handle?.close();
    }
  }

  #unreadable(name: string, stamp: string, reason: string): void {
    const before = this.#files.get(name);
    this.#set(name, { stamp, number: undefined });
    if (before === undefined || before.stamp !== stamp) this.#onUnreadable?.(join(this.name, name), reason);
  }

  #set(name: string, known: Known | undefined): void {
    const before = this.#files.get(name)?.number;
    if (before !== undefined) {
      const left = (this.#byNumber.get(before) ?? []).filter((other) => other !== name);
      if (left.length === 0) this.#byNumber.delete(before);
      else this.#byNumber.set(before, left);
    }
    this.#useless.delete(name);
    if (known === undefined) {
      this.#files.delete(name);
      return;
    }
    this.#files.set(name, known);
    const { number } = known;
    if (number === undefined) {
      this.#useless.add(name);
      return;
    }
    if (number < this.#from) {
      this.#passed(number);
      return;
    }
    const names = this.#byNumber.get(number);
    if (names === undefined) this.#byNumber.set(number, [name]);
    else names.push(name);
  }

  async #fetch(name: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const path = join(this.name, name);
    signal?.throwIfAborted();
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, READ);
      const found = await handle.stat();
      if (!found.isFile()) {
        throw new NodeError("not a file any more", { code: "FEED_UNAVAILABLE", where: path, expected: "a file" });
      }
      if (found.size > this.#maxBytes) {
        throw new NodeError("the file is too large", {
          code: "FEED_TOO_LARGE",
          where: path,
          expected: `at most ${this.#maxBytes} bytes`,
          got: `${found.size} bytes`,
        });
      }
      const bytes = new Uint8Array(found.size);
      let length = 0;
      while (length < bytes.length) {
        const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
        signal?.throwIfAborted();
      }
      return bytes.subarray(0, length);
    } catch (cause) {
      if (cause instanceof NodeError || (signal?.aborted && cause === signal.reason)) throw cause;
      const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
      throw new NodeError(missing ? "the proof is gone" : "the proof cannot be read", {
        code: missing ? "FEED_MISSING" : "FEED_UNAVAILABLE",
        where: path,
        got: messageOf(cause),
        cause,
      });
    } finally {
      await handle?.close();
    }
  }
}
