import { keccak_256 } from "@noble/hashes/sha3.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Message, message, received } from "../../../../src/verifier/bus.js";
import { toHex } from "../../../../src/verifier/ethereum/words.js";
import { FR_MODULUS } from "../../../../src/verifier/fq2.js";
import { TAGS, type TagName } from "../../../../src/verifier/tags.generated.js";
import {
  challenges,
  challengesOf,
  encodeMessages,
  type TranscriptInput,
  transcriptSeed,
} from "../../../../src/verifier/transcript.js";
import { uint } from "../ethereum/support.js";

const MESSAGES: Message[] = [
  message("BALANCE", { t: 0n, address: 0x1234n, hi: 0n, lo: 255n }),
  received(message("ENV", { hi: 0n, lo: 256n, field: 0x43n })),
  { ...message("RANGE_16", { value: 0n }), multiplicity: -300n },
];
const INPUT: TranscriptInput = {
  keySet: new Uint8Array(32).fill(1),
  chainId: 1337n,
  header: Uint8Array.of(0xc1, 0x80),
  preState: new Uint8Array(32).fill(2),
  messages: MESSAGES,
  chunks: [
    { layout: 3, d: new Uint8Array(32).fill(4), p: new Uint8Array(32).fill(5) },
    { layout: 0, d: new Uint8Array(32).fill(6), p: new Uint8Array(32).fill(7) },
  ],
};

/** The transcript by hand, from hexadecimal text. */
const part = (hex: string) => (hex.length / 2).toString(16).padStart(16, "0") + hex;
const id = (tag: TagName) => TAGS[tag].id.toString(16).padStart(2, "0");
const ENCODED = [
  "00000003",
  // sent once; 13 coordinates: t to mode are 0, then address, hi, lo
  `${id("BALANCE")}01010d${"00".repeat(10)}0212340001ff`,
  `${id("ENV")}81010b${"00".repeat(7)}02010000000143`,
  `${id("RANGE_16")}82012c00`,
].join("");

describe("the transcript", () => {
  it("encodes messages as the protocol says", () => {
    expect(toHex(encodeMessages(MESSAGES))).toBe(`0x${ENCODED}`);
  });

  it("absorbs its parts in order, each behind its length", () => {
    const protocol = Buffer.from("chunkproof block 2 cancun").toString("hex");
    const text = [
      part(protocol),
      part("01".repeat(32)),
      part((1337).toString(16).padStart(64, "0")),
      part("c180"),
      part("02".repeat(32)),
      part(ENCODED),
      part("00000002"),
      part(`00000003${"04".repeat(32)}${"05".repeat(32)}`),
      part(`00000000${"06".repeat(32)}${"07".repeat(32)}`),
    ].join("");
    const seed = keccak_256(Buffer.from(text, "hex"));
    expect(toHex(transcriptSeed(INPUT))).toBe(toHex(seed));
    const half = (name: string) => Buffer.from(keccak_256(Buffer.concat([seed, Buffer.from(name)]))).toString("hex");
    const drawn = { alpha: BigInt(`0x${half("a0")}${half("a1")}`), beta: BigInt(`0x${half("b0")}${half("b1")}`) };
    expect(challenges(INPUT)).toEqual({ alpha: drawn.alpha % FR_MODULUS, beta: drawn.beta % FR_MODULUS });
    expect(challengesOf(seed)).toEqual(challenges(INPUT));
  });

  it("changes with everything in it", () => {
    const [a, b] = INPUT.chunks as [TranscriptInput["chunks"][0], TranscriptInput["chunks"][0]];
    const [m, n, o] = MESSAGES as [Message, Message, Message];
    const others: Partial<TranscriptInput>[] = [
      { keySet: new Uint8Array(32) },
      { chainId: 1338n },
      { header: Uint8Array.of(0xc0) },
      { preState: new Uint8Array(32) },
      { messages: [] },
      { messages: [n, m, o] },
      { messages: [m, n] },
      { messages: [m, n, o, o] },
      { messages: [received(m), n, o] },
      { messages: [m, n, { ...o, multiplicity: -301n }] },
      { messages: [m, n, { ...o, tag: "RANGE_9" }] },
      { chunks: [] },
      { chunks: [a] },
      { chunks: [b, a] },
      { chunks: [{ ...a, layout: 2 }, b] },
      { chunks: [{ ...a, d: a.p, p: a.d }, b] },
    ];
    const seeds = [{}, ...others].map((change) => toHex(transcriptSeed({ ...INPUT, ...change })));
    expect(new Set(seeds).size).toBe(seeds.length);
  });

  it("has one encoding for one list, and another for every other", () => {
    const tag = fc.constantFrom(...(Object.keys(TAGS) as TagName[]));
    const value = fc.oneof(fc.constantFrom(0n, 1n, 255n, 256n), uint(253));
    const arbitrary = fc.record({
      tag,
      multiplicity: fc
        .oneof(
          uint(32),
          uint(32).map((m) => -m),
        )
        .filter((m) => m !== 0n),
      coordinates: fc.array(value, { minLength: 16, maxLength: 16 }),
    });
    const lists = fc.array(arbitrary, { maxLength: 4 });
    // the encoding read again, which is possible only if it loses nothing
    const decode = (bytes: Uint8Array): Message[] => {
      let at = 4;
      const take = () => bytes[at++]!;
      const number = (length: number) => {
        let sum = 0n;
        for (let i = 0; i < length; i++) sum = sum * 256n + BigInt(take());
        return sum;
      };
      const names = new Map(Object.entries(TAGS).map(([name, { id }]) => [id, name as TagName]));
      const messages: Message[] = [];
      while (at < bytes.length) {
        const name = names.get(take())!;
        const sign = take();
        const size = number(sign & 0x7f);
        const coordinates = Array.from({ length: take() }, () => number(take()));
        while (coordinates.length < 16) coordinates.push(0n);
        messages.push({ tag: name, multiplicity: sign >= 0x80 ? -size : size, coordinates });
      }
      return messages;
    };
    fc.assert(
      fc.property(lists, (messages) => {
        expect(decode(encodeMessages(messages))).toEqual(messages);
      }),
      { numRuns: 200 },
    );
  });
});
