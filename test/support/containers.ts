/**
 * Damaging iden3 container files, and the tests that every reader of one has to pass. Parses the container on its own,
 * so that a fault in `src/formats/binfile.ts` cannot hide here.
 *
 * @module
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/errors.js";
import { expectFormatError } from "./errors.js";

export interface RawSection {
  id: number;
  data: Uint8Array;
}

/** Magic, version and sections of a well-formed container. */
export function splitContainer(bytes: Uint8Array): { magic: string; version: number; sections: RawSection[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sections: RawSection[] = [];
  for (let at = 12; at < bytes.length; ) {
    const size = Number(view.getBigUint64(at + 4, true));
    sections.push({ id: view.getUint32(at, true), data: Uint8Array.from(bytes.subarray(at + 12, at + 12 + size)) });
    at += 12 + size;
  }
  return { magic: Buffer.from(bytes.subarray(0, 4)).toString("latin1"), version: view.getUint32(4, true), sections };
}

/** The inverse of {@link splitContainer}. */
export function joinContainer(magic: string, version: number, sections: RawSection[], count = sections.length): Buffer {
  const head = Buffer.alloc(12);
  head.write(magic, "latin1");
  head.writeUInt32LE(version, 4);
  head.writeUInt32LE(count, 8);
  return Buffer.concat([
    head,
    ...sections.flatMap(({ id, data }) => {
      const entry = Buffer.alloc(12);
      entry.writeUInt32LE(id);
      entry.writeBigUInt64LE(BigInt(data.length), 4);
      return [entry, data];
    }),
  ]);
}

/** The file with the content of one section replaced. */
export function withSection(bytes: Uint8Array, id: number, change: (data: Buffer) => Uint8Array): Uint8Array {
  const { magic, version, sections } = splitContainer(bytes);
  const changed = sections.map((section) =>
    section.id === id ? { id, data: change(Buffer.from(section.data)) } : section,
  );
  return joinContainer(magic, version, changed);
}

/** The file with the content of one section edited in place. */
export function editSection(bytes: Uint8Array, id: number, edit: (data: Buffer) => void): Uint8Array {
  return withSection(bytes, id, (data) => {
    edit(data);
    return data;
  });
}

/** The file without one section. */
export function withoutSection(bytes: Uint8Array, id: number): Uint8Array {
  const { magic, version, sections } = splitContainer(bytes);
  return joinContainer(
    magic,
    version,
    sections.filter((section) => section.id !== id),
  );
}

/** Offsets of the structure: container header, section headers and the content of the given sections. */
export function headerBytes(bytes: Uint8Array, contentOf: number[]): number[] {
  const offsets = Array.from({ length: 12 }, (_, i) => i);
  let at = 12;
  for (const { id, data } of splitContainer(bytes).sections) {
    const n = contentOf.includes(id) ? 12 + data.length : 12;
    for (let i = 0; i < n; i++) offsets.push(at + i);
    at += 12 + data.length;
  }
  return offsets;
}

/** The bytes with one bit turned over. */
export function flipBit(bytes: Uint8Array, byte: number, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[byte]! ^= 1 << bit;
  return copy;
}

interface Reader {
  magic: string;
  maxVersion: number;
  /** A good file; made once in a hook, hence the function. */
  good: () => Uint8Array;
  /** Reads a whole file from memory and closes it. */
  read: (bytes: Uint8Array) => Promise<unknown>;
}

/** What every reader of a container must refuse, and how. */
export function describeContainer({ magic, maxVersion, good, read }: Reader): void {
  const name = `${magic} (in memory)`;
  const rejects = (bytes: Uint8Array, code: string) => expectFormatError(() => read(bytes), code, name);
  const rebuilt = (change: (sections: RawSection[]) => RawSection[], version?: number, count?: number) => {
    const parts = splitContainer(good());
    return joinContainer(parts.magic, version ?? parts.version, change(parts.sections), count);
  };

  describe("container", () => {
    test("accepts the sections in any order and ignores unknown ones", async () => {
      await read(rebuilt((sections) => sections.toReversed()));
      await read(rebuilt((sections) => [{ id: 77, data: Buffer.from("?") }, ...sections]));
    });

    test("refuses an empty file", () => rejects(new Uint8Array(0), "SOURCE_TRUNCATED"));

    test("refuses a file cut at a section boundary", async () => {
      let at = 12;
      const cuts = [4, 8, 12];
      for (const { data } of splitContainer(good()).sections) {
        cuts.push(at, at + 4, at + 12, at + 12 + data.length - 1);
        at += 12 + data.length;
      }
      for (const cut of cuts) await rejects(good().subarray(0, cut), "SOURCE_TRUNCATED");
    });

    test("refuses a file cut anywhere", async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: good().length - 1 }), async (cut) => {
          await rejects(good().subarray(0, cut), "SOURCE_TRUNCATED");
        }),
        { numRuns: 50 },
      );
    });

    test("refuses bytes behind the last section", () =>
      rejects(Buffer.concat([good(), Buffer.of(0)]), "BINFILE_TRAILING_BYTES"));

    test("refuses fewer sections than the file has", () =>
      rejects(
        rebuilt((sections) => sections, undefined, 1),
        "BINFILE_TRAILING_BYTES",
      ));

    test("refuses a section twice", () =>
      rejects(
        rebuilt((sections) => [...sections, sections[1]!]),
        "BINFILE_SECTION_DUPLICATE",
      ));

    test("refuses an absurd number of sections", async () => {
      await rejects(
        rebuilt((sections) => sections, undefined, 65),
        "BINFILE_SECTION_COUNT",
      );
      await rejects(
        rebuilt((sections) => sections, undefined, 0xffffffff),
        "BINFILE_SECTION_COUNT",
      );
      await rejects(
        rebuilt((sections) => sections, undefined, 64),
        "SOURCE_TRUNCATED",
      );
    });

    test("refuses an absurd section size", async () => {
      for (const size of [2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
        const bytes = Buffer.from(good());
        bytes.writeBigUInt64LE(size, 16);
        await rejects(bytes, "SOURCE_TRUNCATED");
      }
    });

    test("refuses other versions", async () => {
      for (const version of [0, maxVersion + 1, 0xffffffff]) {
        await rejects(
          rebuilt((sections) => sections, version),
          "BINFILE_VERSION",
        );
      }
    });

    test("refuses other files, and says what it found", async () => {
      const other = Buffer.from(good());
      other.write(magic === "wtns" ? "zkey" : "wtns");
      const error = await rejects(other, "BINFILE_MAGIC");
      expect(error.got).toBe(magic === "wtns" ? '"zkey"' : '"wtns"');
      await rejects(Buffer.from('{ "pi_a": [] }'), "BINFILE_MAGIC");
    });

    test("any bytes give a FormatError", async () => {
      const anything = fc.uint8Array({ maxLength: 200 });
      const nearly = fc
        .tuple(fc.integer({ min: 0, max: 4 }), fc.uint8Array({ maxLength: 100 }))
        .map(([count, tail]) => {
          const head = Buffer.from(good().subarray(0, 12));
          head.writeUInt32LE(count, 8);
          return Buffer.concat([head, tail]);
        });
      await fc.assert(
        fc.asyncProperty(fc.oneof(anything, nearly), async (bytes) => {
          await expect(read(bytes)).rejects.toBeInstanceOf(FormatError);
        }),
      );
    });
  });
}
