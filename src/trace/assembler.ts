/**
 * A small assembler for scenarios and tests.
 *
 * Words are separated by blanks; `;` begins a comment. A word is
 * - a mnemonic: `ADD`, `SWAP3`; `PUSH1` to `PUSH32` are followed by their number, which must fit;
 * - a number, decimal or `0x…`: the shortest PUSH of it, PUSH0 for zero;
 * - `name:`, a place to jump to, which is a JUMPDEST;
 * - `@name`: PUSH2 of that place;
 * - `.0x…`: raw bytes.
 *
 * @module
 */

import { TraceError } from "./errors.js";
import { OP, opcodeByte } from "./opcodes.js";
import { fromHex, MAX_WORD } from "./read.js";

/** `@name` is pushed with two bytes, so code cannot be longer. */
const MAX_CODE = 0xffff;

/**
 * Assembles code.
 *
 * @throws TraceError `TRACE_ASSEMBLY`, `where` is `line <number>`, counted from 1
 */
export function assemble(text: string): Uint8Array {
  const code: number[] = [];
  const labels = new Map<string, number>();
  const uses: { at: number; name: string; where: string }[] = [];
  const fault = (where: string, message: string, expected: string, got: string) =>
    new TraceError(message, { code: "TRACE_ASSEMBLY", where, expected, got });
  const push = (value: bigint, length: number) => {
    code.push(OP.PUSH0 + length);
    for (let i = length - 1; i >= 0; i--) code.push(Number((value >> BigInt(8 * i)) & 0xffn));
  };

  text.split("\n").forEach((line, i) => {
    const where = `line ${i + 1}`;
    const words = line.replace(/;.*/, "").trim().split(/\s+/);
    for (let j = 0; j < words.length; j++) {
      const word = words[j]!;
      if (word === "") continue;
      const label = /^([A-Za-z_]\w*):$/.exec(word)?.[1];
      if (label !== undefined) {
        if (labels.has(label)) throw fault(where, "a label that was there before", "another name", label);
        labels.set(label, code.length);
        code.push(OP.JUMPDEST);
      } else if (/^@[A-Za-z_]\w*$/.test(word)) {
        uses.push({ at: code.length + 1, name: word.slice(1), where });
        push(0n, 2);
      } else if (/^\.0x(?:[0-9a-fA-F]{2})+$/.test(word)) {
        for (const byte of fromHex(word.slice(1))) code.push(byte);
      } else if (/^\d/.test(word)) {
        const value = parseNumber(word);
        if (value === undefined) throw fault(where, "not a number", "0 to 2^256 - 1, decimal or 0x…", word);
        push(value, byteLength(value));
      } else {
        // raw bytes are the way to write what is no opcode
        const op = word.startsWith("0x") ? undefined : opcodeByte(word);
        if (op === undefined) throw fault(where, "not an instruction", "a mnemonic, number, label or bytes", word);
        const length = op - OP.PUSH0;
        if (length < 1 || length > 32) {
          code.push(op);
          continue;
        }
        const operand = words[++j] ?? "";
        const value = parseNumber(operand);
        if (value === undefined || byteLength(value) > length) {
          throw fault(where, `not what ${word} can push`, `a number of at most ${length} bytes`, operand);
        }
        push(value, length);
      }
    }
  });
  if (code.length > MAX_CODE) {
    throw fault("code", "too long", `at most ${MAX_CODE} bytes`, `${code.length} bytes`);
  }
  for (const { at, name, where } of uses) {
    const target = labels.get(name);
    if (target === undefined) throw fault(where, "a label that is not there", `${name}:`, `@${name}`);
    code[at] = target >> 8;
    code[at + 1] = target & 0xff;
  }
  return Uint8Array.from(code);
}

function parseNumber(word: string): bigint | undefined {
  if (word.length > 80 || !/^(?:\d+|0x[0-9a-fA-F]+)$/.test(word)) return undefined;
  const value = BigInt(word);
  return value <= MAX_WORD ? value : undefined;
}

/** Bytes of a number without leading zeros; 0 for zero. */
function byteLength(value: bigint): number {
  return value === 0n ? 0 : Math.ceil(value.toString(16).length / 2);
}
