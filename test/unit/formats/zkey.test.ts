import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { bn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { concatBytes } from "../../../src/formats/binfile.js";
import { decodeG1, encodeG1, encodeG2, FQ_MODULUS } from "../../../src/formats/bn254.js";
import { stringifyVerifyingKey } from "../../../src/formats/json.js";
import {
  exportVerifyingKey,
  openZkey,
  readContributions,
  readIC,
  writeZkey,
  ZKEY_SECTION,
  type ZkeyContribution,
  type ZkeyFile,
} from "../../../src/formats/zkey.js";
import { closeSnarkjs, compileCircuit, ROOT, snarkjs, snarkjsKey, snarkjsPtau } from "../../support/circuits.js";
import {
  describeContainer,
  editSection,
  flipBit,
  headerBytes,
  joinContainer,
  splitContainer,
  withoutSection,
  withSection,
} from "../../support/containers.js";
import { expectFormatError } from "../../support/errors.js";

const CIRCUIT = `pragma circom 2.0.0;
template T() {
  signal input a; signal input b; signal input d; signal output c;
  signal ab; ab <== a * b;
  signal e; e <== ab * ab + 5 * a;
  c <== e * d - 3 * b;
}
component main { public [a] } = T();`;

const NAME = "zkey (in memory)";

let folder: string;
let r1csPath: string;
let path: string;
let bytes: Uint8Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zkey-"));
  r1csPath = (await compileCircuit("formats", CIRCUIT)).r1cs;
  path = await snarkjsKey(r1csPath, 5);
  bytes = new Uint8Array(await readFile(path));
});

afterAll(async () => {
  await closeSnarkjs();
  await rm(folder, { recursive: true, force: true });
});

async function use<T>(source: string | Uint8Array, action: (zkey: ZkeyFile) => T | Promise<T>): Promise<T> {
  const zkey = await openZkey(source);
  try {
    return await action(zkey);
  } finally {
    await zkey.close();
  }
}

const open = (source: Uint8Array) => use(source, () => undefined);
const sectionOf = (zkey: ZkeyFile, id: number) =>
  zkey.source.read(zkey.sections.get(id)!.offset, zkey.sections.get(id)!.size);

describe("reading", () => {
  test("header says what snarkjs says", async () => {
    const expected = await snarkjs.zKey.exportJson(path);
    const big = (values: unknown[]) => values.map((value) => BigInt(value as string));
    await use(path, ({ header, nCoefs, name }) => {
      expect(name).toBe(path);
      expect(header).toMatchObject({
        nVars: expected.nVars,
        nPublic: expected.nPublic,
        domainSize: expected.domainSize,
        power: expected.power,
      });
      expect(nCoefs).toBe(expected.ccoefs.length);
      for (const [ours, theirs] of [
        [header.alpha1, expected.vk_alpha_1],
        [header.beta1, expected.vk_beta_1],
        [header.delta1, expected.vk_delta_1],
      ] as const) {
        expect([ours.x, ours.y]).toEqual(big(theirs.slice(0, 2)));
      }
      for (const [ours, theirs] of [
        [header.beta2, expected.vk_beta_2],
        [header.gamma2, expected.vk_gamma_2],
        [header.delta2, expected.vk_delta_2],
      ] as const) {
        expect([ours.x.c0, ours.x.c1, ours.y.c0, ours.y.c1]).toEqual(big(theirs.slice(0, 2).flat()));
      }
    });
  });

  test("sections hold the points that snarkjs reads", async () => {
    const expected = await snarkjs.zKey.exportJson(path);
    await use(path, async (zkey) => {
      for (const [id, points, skip] of [
        [ZKEY_SECTION.a, expected.A, 0],
        [ZKEY_SECTION.h, expected.hExps, 0],
        [ZKEY_SECTION.c, expected.C, zkey.header.nPublic + 1],
      ] as const) {
        const raw = await sectionOf(zkey, id);
        expect(points.length - skip).toBe(raw.length / 64);
        for (let i = 0; i < raw.length / 64; i++) {
          const { x, y } = decodeG1(raw, i * 64, { where: "test", allowInfinity: true });
          const [ex, ey, ez] = points[i + skip];
          if (BigInt(ez) === 0n) expect([x, y]).toEqual([0n, 0n]);
          else expect([x, y]).toEqual([BigInt(ex), BigInt(ey)]);
        }
      }
    });
  });

  test("an uncontributed key, which has its sections in another order, opens too", async () => {
    const first = join(folder, "first.zkey");
    await snarkjs.zKey.newZKey(r1csPath, await snarkjsPtau(5), first);
    await use(first, async (zkey) => {
      expect([...zkey.sections.keys()]).not.toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(zkey.header.delta1).toMatchObject({ x: 1n, y: 2n });
      expect((await readContributions(zkey)).contributions).toEqual([]);
    });
  });

  test("contributions are those of snarkjs, beacon included", async () => {
    const last = join(folder, "beacon.zkey");
    await snarkjs.zKey.beacon(path, last, "the beacon ✓", "0102030405060708", 10);
    await use(last, async (zkey) => {
      const { circuitHash, contributions } = await readContributions(zkey);
      expect(circuitHash).toHaveLength(64);
      expect(contributions).toHaveLength(2);
      expect(contributions[0]).toMatchObject({ type: 0, name: "first contribution" });
      expect(contributions[0]).not.toHaveProperty("beaconHash");
      expect(contributions[1]).toMatchObject({
        type: 1,
        name: "the beacon ✓",
        numIterationsExp: 10,
        beaconHash: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
        deltaAfter: zkey.header.delta1,
      });
      // rewritten from its parts it is the same file
      const whole = concatBytes(writeZkey(await partsOf(zkey)));
      expect(Buffer.compare(whole, await readFile(last))).toBe(0);
    });
  });

  test("verifying key equals snarkjs', and its file equals the snarkjs command's byte for byte", async () => {
    const vk = await use(path, exportVerifyingKey);
    expect(vk).toEqual(await snarkjs.zKey.exportVerificationKey(path));
    const out = join(folder, "vk.json");
    await promisify(execFile)(process.execPath, [
      join(ROOT, "node_modules/snarkjs/build/cli.cjs"),
      ...["zkey", "export", "verificationkey", path, out],
    ]);
    expect(stringifyVerifyingKey(vk)).toBe(await readFile(out, "utf8"));
  });
});

/** Everything that writeZkey needs, from an open key. */
async function partsOf(zkey: ZkeyFile) {
  const { circuitHash, contributions } = await readContributions(zkey);
  const section = (id: number) => sectionOf(zkey, id);
  return {
    ...zkey.header,
    circuitHash,
    contributions,
    ic: await section(3),
    coefs: (await section(4)).subarray(4),
    a: await section(5),
    b1: await section(6),
    b2: await section(7),
    c: await section(8),
    h: await section(9),
  };
}

describe("writing", () => {
  test("a key taken apart and written again is the same file", async () => {
    await use(path, async (zkey) => {
      expect(Buffer.compare(concatBytes(writeZkey(await partsOf(zkey))), bytes)).toBe(0);
    });
  });

  test("sections may come in several buffers and are not copied", async () => {
    await use(path, async (zkey) => {
      const parts = await partsOf(zkey);
      const h = [parts.h.subarray(0, 64), parts.h.subarray(64, 64), parts.h.subarray(64)];
      const pieces = writeZkey({ ...parts, h });
      expect(pieces).toContain(h[2]);
      expect(Buffer.compare(concatBytes(pieces), bytes)).toBe(0);
    });
  });

  test("refuses sections that do not fit the counts", async () => {
    await use(path, async (zkey) => {
      const parts = await partsOf(zkey);
      for (const field of ["ic", "coefs", "a", "b1", "b2", "c", "h"] as const) {
        const short = { ...parts, [field]: parts[field].subarray(1) };
        await expectFormatError(() => writeZkey(short), "BINFILE_SECTION_LENGTH", "new zkey: section");
      }
      const noHash = { ...parts, circuitHash: new Uint8Array(63) };
      await expectFormatError(() => writeZkey(noHash), "BINFILE_SECTION_LENGTH", "new zkey: circuitHash");
    });
  });

  test("refuses contributions that the format cannot hold", async () => {
    await use(path, async (zkey) => {
      const parts = await partsOf(zkey);
      const bad: Partial<ZkeyContribution>[] = [
        { name: "x".repeat(256) },
        { name: "é".repeat(128) },
        { beaconHash: new Uint8Array(256) },
        { transcript: new Uint8Array(63) },
      ];
      for (const change of bad) {
        const contributions = [{ ...parts.contributions[0]!, ...change }];
        await expectFormatError(
          () => writeZkey({ ...parts, contributions }),
          "ZKEY_CONTRIBUTION",
          "new zkey: contribution 0",
        );
      }
    });
  });
});

describe("bad input", () => {
  describeContainer({
    magic: "zkey",
    maxVersion: 1,
    good: () => bytes,
    read: (input) => use(input, exportVerifyingKey),
  });

  const rejects = (input: Uint8Array, code: string) => expectFormatError(() => open(input), code, NAME);

  test("names the file on disk", async () => {
    const cut = join(folder, "cut.zkey");
    await writeFile(cut, bytes.subarray(0, bytes.length / 2));
    await expectFormatError(() => openZkey(cut), "SOURCE_TRUNCATED", cut);
  });

  test("refuses other protocols by name", async () => {
    for (const [id, protocol] of [
      [2, "plonk"],
      [10, "fflonk"],
      [7, "unknown"],
    ] as const) {
      const foreign = withSection(bytes, 1, () => Buffer.of(id, 0, 0, 0));
      expect((await rejects(foreign, "FOREIGN_PROTOCOL")).got).toBe(`${id} (${protocol})`);
    }
  });

  test("refuses a real PLONK key", async () => {
    const plonk = join(folder, "plonk.zkey");
    await snarkjs.plonk.setup(r1csPath, await snarkjsPtau(5), plonk);
    await expectFormatError(() => openZkey(plonk), "FOREIGN_PROTOCOL", plonk);
  });

  test("refuses other curves by name", async () => {
    const q = Buffer.from(
      "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab",
      "hex",
    ).reverse();
    // header of a BLS12-381 key: 48-byte base field
    const bls = withSection(bytes, 2, (data) => Buffer.concat([Buffer.of(48, 0, 0, 0), q, data.subarray(36)]));
    expect((await rejects(bls, "FOREIGN_CURVE")).message).toContain("bls12-381 base field in 48 bytes");
    const scalars = withSection(bytes, 2, (data) => flipBit(data, 50, 3));
    expect((await rejects(scalars, "FOREIGN_CURVE")).where).toBe(`${NAME}: section 2 (header), r`);
    for (const n8 of [0, 8, 33, 0xffffffff]) {
      const odd = editSection(bytes, 2, (data) => data.writeUInt32LE(n8));
      await rejects(odd, "FOREIGN_CURVE");
    }
  });

  test("refuses counts that contradict each other", async () => {
    const counts = (nVars: number, nPublic: number, domainSize: number) =>
      editSection(bytes, 2, (data) => {
        data.writeUInt32LE(nVars, 72);
        data.writeUInt32LE(nPublic, 76);
        data.writeUInt32LE(domainSize, 80);
      });
    const { nVars, nPublic, domainSize } = await use(bytes, ({ header }) => header);
    await open(counts(nVars, nPublic, domainSize));
    await rejects(counts(0, 0, domainSize), "ZKEY_COUNTS");
    await rejects(counts(nVars, nVars, domainSize), "ZKEY_COUNTS");
    for (const bad of [0, 1, 3, domainSize + 1, 2 ** 29, 0xffffffff]) {
      await rejects(counts(nVars, nPublic, bad), "ZKEY_COUNTS");
    }
    // absurd, but consistent in themselves: refused by the section lengths, before anything is allocated
    await rejects(counts(0xffffffff, nPublic, domainSize), "BINFILE_SECTION_LENGTH");
    await rejects(counts(0xffffffff, 0xfffffffe, domainSize), "BINFILE_SECTION_LENGTH");
    await rejects(counts(nVars, nPublic, 2 ** 28), "BINFILE_SECTION_LENGTH");
    await rejects(counts(nVars, nPublic + 1, domainSize), "BINFILE_SECTION_LENGTH");
  });

  test("refuses missing sections and sections of a wrong length", async () => {
    for (let id = 1; id <= 9; id++) {
      const without = withoutSection(bytes, id);
      const error = await rejects(without, "BINFILE_SECTION_MISSING");
      expect(error.where).toContain(`section ${id} (`);
      for (const change of [
        (data: Buffer) => data.subarray(0, -1),
        (data: Buffer) => Buffer.concat([data, Buffer.alloc(64)]),
      ]) {
        const wrong = await rejects(withSection(bytes, id, change), "BINFILE_SECTION_LENGTH");
        expect(wrong.where).toContain(`section ${id} (`);
      }
    }
    await rejects(
      withSection(bytes, 4, () => Buffer.alloc(3)),
      "BINFILE_SECTION_LENGTH",
    );
    await rejects(
      editSection(bytes, 4, (data) => data.writeUInt32LE(0xffffffff)),
      "BINFILE_SECTION_LENGTH",
    );
  });

  const FIELDS = [
    ["alpha1", 84, 64],
    ["beta1", 148, 64],
    ["beta2", 212, 128],
    ["gamma2", 340, 128],
    ["delta1", 468, 64],
    ["delta2", 532, 128],
  ] as const;

  test("refuses header points at infinity, off the curve, out of the subgroup, not canonical", async () => {
    // a point of the twist that is not in G2: x = 1 + k u for the first k that has a y
    const { Fp2 } = bn254.fields;
    const { b } = bn254.G2.Point.CURVE();
    let outside: Uint8Array | undefined;
    for (let k = 0n; outside === undefined; k++) {
      const x = { c0: 1n, c1: k };
      try {
        outside = encodeG2({ x, y: Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), b)) });
      } catch {
        // not a square
      }
    }
    const plusQ = (data: Buffer, at: number) => {
      const limbs = [0, 8, 16, 24].map((i) => data.readBigUInt64LE(at + i) << BigInt(8 * i));
      const raised = limbs.reduce((sum, limb) => sum + limb) + FQ_MODULUS;
      for (let i = 0; i < 4; i++) data.writeBigUInt64LE((raised >> BigInt(64 * i)) & (2n ** 64n - 1n), at + 8 * i);
    };
    for (const [field, at, size] of FIELDS) {
      const put = (point: Uint8Array) => editSection(bytes, 2, (data) => data.set(point, at));
      const where = `${NAME}: ${field}`;
      expect((await rejects(put(new Uint8Array(size)), "POINT_AT_INFINITY")).where).toBe(where);
      const off = size === 64 ? encodeG1({ x: 1n, y: 3n }) : encodeG2({ x: { c0: 1n, c1: 1n }, y: { c0: 1n, c1: 1n } });
      expect((await rejects(put(off), "POINT_NOT_ON_CURVE")).where).toBe(where);
      if (size === 128) expect((await rejects(put(outside), "POINT_NOT_IN_SUBGROUP")).where).toBe(where);
      for (let i = 0; i < size; i += 32) {
        const raised = editSection(bytes, 2, (data) => plusQ(data, at + i));
        expect((await rejects(raised, "POINT_NOT_CANONICAL")).where).toBe(where);
      }
    }
  });

  test("every bit of the structure and the header counts", async () => {
    // without the id of section 10: a key opens without contributions
    const { length } = bytes;
    const { data } = splitContainer(bytes).sections.at(-1)!;
    const idOf10 = length - data.length - 12;
    const offsets = headerBytes(bytes, [1, 2]).filter((at) => at < idOf10 || at >= idOf10 + 4);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...offsets), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        await expect(open(flipBit(bytes, at, bit))).rejects.toSatisfy(
          (error) => error instanceof FormatError && error.message.startsWith(NAME),
        );
      }),
      { numRuns: 250 },
    );
  });

  test("IC must be on the curve and finite", async () => {
    const withIC = (point: Uint8Array) => editSection(bytes, 3, (data) => data.set(point, 64));
    const off = withIC(encodeG1({ x: 1n, y: 1n }));
    const error = await expectFormatError(() => use(off, exportVerifyingKey), "POINT_NOT_ON_CURVE", NAME);
    expect(error.where).toBe(`${NAME}: IC[1]`);
    const infinity = withIC(new Uint8Array(64));
    for (const read of [readIC, exportVerifyingKey]) {
      const refusal = await expectFormatError(() => use<unknown>(infinity, read), "POINT_AT_INFINITY", NAME);
      expect(refusal.where).toBe(`${NAME}: IC[1]`);
    }
  });

  describe("contributions", () => {
    const change = (edit: (data: Buffer) => Uint8Array) => withSection(bytes, 10, edit);
    const edited = (edit: (data: Buffer) => void) => editSection(bytes, 10, edit);
    const refuses = (input: Uint8Array, code: string) =>
      expectFormatError(() => use(input, readContributions), code, NAME);
    const PARAMS = 64 + 4 + 392;
    const withParams = (...params: number[]) =>
      change((data) => {
        data.writeUInt32LE(params.length, PARAMS - 4);
        return Buffer.concat([data.subarray(0, PARAMS), Buffer.from(params)]);
      });

    test("a missing section or one of a wrong length", async () => {
      await refuses(withoutSection(bytes, 10), "BINFILE_SECTION_MISSING");
      await refuses(
        change((data) => data.subarray(0, 67)),
        "BINFILE_SECTION_LENGTH",
      );
      for (const n of [0, 2, 0xffffffff]) {
        await refuses(
          edited((data) => data.writeUInt32LE(n, 64)),
          "BINFILE_SECTION_LENGTH",
        );
      }
      await refuses(
        change((data) => data.subarray(0, -1)),
        "ZKEY_CONTRIBUTION",
      );
      await refuses(
        change((data) => Buffer.concat([data, Buffer.of(0)])),
        "BINFILE_SECTION_LENGTH",
      );
      await refuses(
        edited((data) => data.writeUInt32LE(0xffffffff, PARAMS - 4)),
        "ZKEY_CONTRIBUTION",
      );
    });

    test("parameters", async () => {
      expect((await use(withParams(1, 2, 104, 105, 3, 1, 9), readContributions)).contributions[0]).toMatchObject({
        name: "hi",
        beaconHash: Uint8Array.of(9),
      });
      await refuses(withParams(2, 5, 1, 0), "ZKEY_CONTRIBUTION");
      await refuses(withParams(1, 0, 1, 0), "ZKEY_CONTRIBUTION");
      await refuses(withParams(0, 0), "ZKEY_CONTRIBUTION");
      await refuses(withParams(4, 0), "ZKEY_CONTRIBUTION");
      await refuses(withParams(1, 3, 104, 105), "ZKEY_CONTRIBUTION");
      await refuses(withParams(2), "ZKEY_CONTRIBUTION");
    });

    test("any damage gives a FormatError or another contribution", async () => {
      const { sections } = splitContainer(bytes);
      const { data } = sections.at(-1)!;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.nat(data.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
          async (edits) => {
            const damaged = data.slice();
            for (const [at, value] of edits) damaged[at] = value;
            const file = joinContainer("zkey", 1, [...sections.slice(0, -1), { id: 10, data: damaged }]);
            await use(file, readContributions).catch((error) => expect(error).toBeInstanceOf(FormatError));
          },
        ),
        { numRuns: 50 },
      );
    });
  });
});
