/**
 * The JSON files of snarkjs: `verification_key.json`, `proof.json`, `public.json`. Numbers are decimal strings, points
 * are projective with a last coordinate 1 (affine) or 0 (infinity), one space of indentation, no final newline.
 *
 * Whether the content of a proof or key is valid is for `src/verifier` to say.
 *
 * @module
 */

import { FormatError } from "../errors.js";
import type { VerifyingKeyJson as AnyVerifyingKeyJson } from "../verifier/key.js";
import type { ProofJson as AnyProofJson } from "../verifier/proof.js";
import type { G1Affine, G2Affine } from "./bn254.js";
import { openSource, type Source } from "./source.js";

/** `[x, y, z]`, decimal. */
export type G1Json = readonly [string, string, string];
/** `[c0, c1]`, decimal. */
export type Fq2Json = readonly [string, string];
/** `[x, y, z]`. */
export type G2Json = readonly [Fq2Json, Fq2Json, Fq2Json];
/** Coefficients of 1, v, v². */
export type Fq6Json = readonly [Fq2Json, Fq2Json, Fq2Json];

/** A proof as snarkjs shapes it: what the verifier reads, to the letter. */
export interface ProofJson extends AnyProofJson {
  readonly pi_a: G1Json;
  readonly pi_b: G2Json;
  readonly pi_c: G1Json;
  readonly protocol: "groth16";
  readonly curve: "bn128";
}

/** A verifying key as snarkjs shapes it: what the verifier reads, to the letter. */
export interface VerifyingKeyJson extends AnyVerifyingKeyJson {
  readonly protocol: "groth16";
  readonly curve: "bn128";
  readonly vk_alpha_1: G1Json;
  readonly vk_beta_2: G2Json;
  readonly vk_gamma_2: G2Json;
  readonly vk_delta_2: G2Json;
  /** `e(vk_alpha_1, vk_beta_2)`. */
  readonly vk_alphabeta_12: readonly [Fq6Json, Fq6Json];
  /** `nPublic + 1` points. */
  readonly IC: readonly G1Json[];
}

/** Default size limit of {@link readJson}: a million public signals fit. */
const MAX_JSON_BYTES = 1 << 27;

/** `[x, y, "1"]`; infinity is `["0", "1", "0"]`. */
export function g1ToJson({ x, y }: G1Affine): G1Json {
  return x === 0n && y === 0n ? ["0", "1", "0"] : [String(x), String(y), "1"];
}

/** `[[x.c0, x.c1], [y.c0, y.c1], ["1", "0"]]`; infinity is `[["0", "0"], ["1", "0"], ["0", "0"]]`. */
export function g2ToJson({ x, y }: G2Affine): G2Json {
  if (x.c0 === 0n && x.c1 === 0n && y.c0 === 0n && y.c1 === 0n) {
    return [
      ["0", "0"],
      ["1", "0"],
      ["0", "0"],
    ];
  }
  return [
    [String(x.c0), String(x.c1)],
    [String(y.c0), String(y.c1)],
    ["1", "0"],
  ];
}

/** Content of `proof.json`, byte for byte as snarkjs writes it. */
export function stringifyProof({ pi_a, pi_b, pi_c, protocol, curve }: ProofJson): string {
  return stringify({ pi_a, pi_b, pi_c, protocol, curve });
}

/** Content of `public.json`, byte for byte as snarkjs writes it. */
export function stringifyPublic(publicSignals: readonly (string | bigint)[]): string {
  return stringify(publicSignals.map(String));
}

/** Content of `verification_key.json`, byte for byte as snarkjs writes it. */
export function stringifyVerifyingKey(vk: VerifyingKeyJson): string {
  const { protocol, curve, nPublic, vk_alpha_1, vk_beta_2, vk_gamma_2, vk_delta_2, vk_alphabeta_12, IC } = vk;
  return stringify({
    protocol,
    curve,
    nPublic,
    vk_alpha_1,
    vk_beta_2,
    vk_gamma_2,
    vk_delta_2,
    vk_alphabeta_12,
    IC,
  });
}

function stringify(value: unknown): string {
  return JSON.stringify(value, null, 1);
}

/**
 * Reads and parses a JSON file. The shape of the value is not looked at.
 *
 * @param what what is expected there, e.g. `"proof"`, for messages about sources without a name.
 * @param maxBytes refuse anything larger; default 128 MiB.
 * @throws FormatError those of `openSource`; `JSON_MALFORMED`, with line and column.
 */
export async function readJson(
  from: Source,
  what: string,
  signal?: AbortSignal,
  maxBytes = MAX_JSON_BYTES,
): Promise<unknown> {
  const source = await openSource(from, what, signal, maxBytes);
  let bytes: Uint8Array;
  try {
    bytes = await source.read(0, source.size);
  } finally {
    await source.close();
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError("is not JSON", { code: "JSON_MALFORMED", where: source.name, got: "invalid UTF-8", cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError("is not valid JSON", {
      code: "JSON_MALFORMED",
      where: source.name,
      got: describeFault(text, findFault(text)),
      cause,
    });
  }
}

function describeFault(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  const position = `line ${before.length}, column ${before.at(-1)!.length + 1}`;
  const found = text.codePointAt(offset);
  return found === undefined
    ? `end of text at ${position}`
    : `${JSON.stringify(String.fromCodePoint(found))} at ${position}`;
}

/** A number or what could become one: complete if it ends in a digit. */
const NUMBER = /-?(?:(?:0|[1-9]\d*)(?:\.(?:\d+(?:[eE][+-]?\d*)?)?|[eE][+-]?\d*)?)?/y;
const DIGIT = /\d/;
const LITERALS = ["true", "false", "null"];
const HEX = /[0-9a-fA-F]/;

/**
 * Offset of the first character that cannot stand where it stands (RFC 8259). Engines word their own messages
 * differently and some give no position. No recursion: nesting may be as deep as the file is long.
 */
function findFault(text: string): number {
  let position = 0;
  const skipSpace = () => {
    while (position < text.length && " \t\n\r".includes(text[position]!)) position++;
  };
  // each of these stops at the first wrong character and answers whether there was none
  const string = (): boolean => {
    if (text[position] !== '"') return false;
    for (position++; text[position] !== '"'; position++) {
      if (position === text.length || text[position]! < " ") return false;
      if (text[position] !== "\\") continue;
      position++;
      if (!'"\\/bfnrtu'.includes(text[position] ?? "x")) return false;
      for (let left = text[position] === "u" ? 4 : 0; left > 0; left--) {
        if (!HEX.test(text[position + 1] ?? "")) {
          position++;
          return false;
        }
        position++;
      }
    }
    position++;
    return true;
  };
  const literal = (word: string): boolean => {
    for (const letter of word) {
      if (text[position] !== letter) return false;
      position++;
    }
    return true;
  };
  const number = (): boolean => {
    NUMBER.lastIndex = position;
    NUMBER.test(text);
    const start = position;
    position = NUMBER.lastIndex;
    return position > start && DIGIT.test(text[position - 1]!);
  };

  const open: ("{" | "[")[] = [];
  for (;;) {
    // a key, where one has to stand
    skipSpace();
    if (open.at(-1) === "{") {
      if (!string()) return position;
      skipSpace();
      if (text[position] !== ":") return position;
      position++;
      skipSpace();
    }
    // a value
    const first = text[position];
    let closed = true;
    if (first === "{" || first === "[") {
      position++;
      skipSpace();
      if (text[position] !== (first === "{" ? "}" : "]")) {
        open.push(first);
        closed = false;
      } else position++;
    } else {
      const word = LITERALS.find(([letter]) => letter === first);
      const complete = first === '"' ? string() : word !== undefined ? literal(word) : number();
      if (!complete) return position;
    }
    // what follows a complete value
    while (closed) {
      skipSpace();
      const inside = open.at(-1);
      if (inside === undefined) return position;
      if (text[position] === (inside === "{" ? "}" : "]")) {
        open.pop();
        position++;
      } else if (text[position] === ",") {
        position++;
        closed = false;
      } else return position;
    }
  }
}
