import { bn254 } from "@noble/curves/bn254.js";
import { describe, expect, test } from "vitest";
import { encodeG2, FR_MODULUS as R } from "../../../src/formats/bn254.js";
import { type CkeyParts, openCkey, writeCkey } from "../../../src/formats/ckey.js";
import {
  describeContainer,
  editSection,
  flipBit,
  headerBytes,
  withoutSection,
  withSection,
} from "../../support/containers.js";
import { expectFormatError, formatErrorOf } from "../../support/errors.js";
import { scalarSource } from "../../support/groth16.js";
import { randomTwistPoint } from "../../support/twist.js";
import { g1Bytes } from "../setup/reference.js";

const g2 = (k: bigint) => bn254.G2.Point.BASE.multiply(k).toAffine();
const PARTS: CkeyParts = {
  nStatement: 3,
  nCommitted: 2,
  zkeyDigest: Uint8Array.from({ length: 64 }, (_, i) => i),
  sigma2: g2(35n),
  points: [g1Bytes(8n), g1Bytes(9n)],
  contributions: [
    { sigmaAfter: g2(5n), nonce: g2(6n), response: R - 1n, transcript: new Uint8Array(64).fill(1), name: "Ä" },
    { sigmaAfter: g2(35n), nonce: g2(11n), response: 0n, transcript: new Uint8Array(64).fill(2), name: "" },
  ],
};
const NAME = "ckey (in memory)";
const good = () => new Uint8Array(Buffer.concat(writeCkey(PARTS)));
const read = async (bytes: Uint8Array) => {
  const file = await openCkey(bytes);
  await file.close();
  return file;
};
const rejects = (bytes: Uint8Array, code: string) => expectFormatError(() => read(bytes), code, NAME);

describeContainer({ magic: "ckey", maxVersion: 1, good, read });

describe("content", () => {
  test("comes back as it was written", async () => {
    const { nStatement, nCommitted, zkeyDigest, sigma2, contributions } = PARTS;
    const file = await read(good());
    expect(file.header).toEqual({ nStatement, nCommitted, zkeyDigest });
    expect([file.sigma2, file.contributions]).toEqual([sigma2, contributions]);
    expect(file.points.size).toBe(128);
  });

  test("must be of this curve, commit to something, and fit its counts", async () => {
    await rejects(
      editSection(good(), 1, (data) => (data[4]! ^= 1)),
      "FOREIGN_CURVE",
    );
    await rejects(
      editSection(good(), 1, (data) => (data[40]! ^= 1)),
      "FOREIGN_CURVE",
    );
    await rejects(
      editSection(good(), 1, (data) => data.writeUInt32LE(0, 76)),
      "CKEY_COUNTS",
    );
    await rejects(
      editSection(good(), 1, (data) => data.writeUInt32LE(3, 76)),
      "BINFILE_SECTION_LENGTH",
    );
    await rejects(
      editSection(good(), 1, (data) => data.writeUInt32LE(0xffffffff, 76)),
      "BINFILE_SECTION_LENGTH",
    );
    for (const id of [1, 2, 3, 4]) {
      await rejects(withoutSection(good(), id), "BINFILE_SECTION_MISSING");
      await rejects(
        withSection(good(), id, (data) => data.subarray(0, -1)),
        "BINFILE_SECTION_LENGTH",
      );
      await rejects(
        withSection(good(), id, (data) => Buffer.concat([data, Buffer.of(0)])),
        "BINFILE_SECTION_LENGTH",
      );
    }
  });

  test("sigma must be a finite point of the subgroup", async () => {
    const sigma = (bytes: Uint8Array) => withSection(good(), 2, () => bytes);
    await rejects(sigma(new Uint8Array(128)), "POINT_AT_INFINITY");
    await rejects(sigma(new Uint8Array(128).fill(0xff)), "POINT_NOT_CANONICAL");
    await rejects(sigma(new Uint8Array(128).fill(1)), "POINT_NOT_ON_CURVE");
    await rejects(sigma(encodeG2(randomTwistPoint(scalarSource("ckey")).toAffine())), "POINT_NOT_IN_SUBGROUP");
  });

  test("contributions are read strictly", async () => {
    const edit = (change: (data: Buffer) => void) => editSection(good(), 4, change);
    await rejects(
      edit((data) => data.writeUInt32LE(1, 0)),
      "BINFILE_SECTION_LENGTH",
    );
    await rejects(
      edit((data) => data.writeUInt32LE(3, 0)),
      "BINFILE_SECTION_LENGTH",
    );
    await rejects(
      edit((data) => data.writeUInt32LE(0xffffffff, 0)),
      "BINFILE_SECTION_LENGTH",
    );
    // lengths of names
    await rejects(
      edit((data) => (data[4 + 352] = 200)),
      "CKEY_CONTRIBUTION",
    );
    await rejects(
      edit((data) => (data[data.length - 1] = 5)),
      "BINFILE_SECTION_LENGTH",
    );
    await rejects(
      edit((data) => (data[4 + 353] = 0xff)),
      "CKEY_CONTRIBUTION",
    );
    await rejects(
      edit((data) => data.fill(0xff, 4 + 256, 4 + 288)),
      "CKEY_CONTRIBUTION",
    );
    await rejects(
      edit((data) => (data[4]! ^= 1)),
      "POINT_NOT_ON_CURVE",
    );
    await rejects(
      edit((data) => data.fill(0, 4, 132)),
      "POINT_AT_INFINITY",
    );
  });

  test("names are no longer than 255 bytes", async () => {
    const named = (name: string) => writeCkey({ ...PARTS, contributions: [{ ...PARTS.contributions[0]!, name }] });
    expect((await read(new Uint8Array(Buffer.concat(named("é".repeat(127)))))).contributions[0]!.name).toHaveLength(
      127,
    );
    await expectFormatError(() => named("é".repeat(128)), "CKEY_CONTRIBUTION", "new ckey");
  });

  test("every bit of the structure counts", async () => {
    const bytes = good();
    // not the digest, nor nStatement: any value is one
    for (const offset of headerBytes(bytes, [2]).filter((_, i) => i % 3 === 0)) {
      const damaged = flipBit(bytes, offset, offset % 8);
      expect((await formatErrorOf(() => read(damaged))).code).toMatch(/^(BINFILE|SOURCE|POINT|CKEY|FOREIGN)_/);
    }
  });
});
