/**
 * Kernels in tests: buffers in, buffers out, and numbers to try them on.
 *
 * @module
 */

import type { Device } from "../../src/prover/webgpu/device.js";

/** Numbers as little-endian words, `words` each. */
export function toWords(values: readonly bigint[], words: number): Uint32Array {
  const out = new Uint32Array(values.length * words);
  values.forEach((value, i) => {
    for (let j = 0; j < words; j++) out[i * words + j] = Number((value >> BigInt(32 * j)) & 0xffffffffn);
  });
  return out;
}

/** The number in `count` words of `bits` bits each from `at` on. */
export function fromWords(words: ArrayLike<number>, at: number, count: number, bits = 32): bigint {
  let value = 0n;
  for (let j = count - 1; j >= 0; j--) value = (value << BigInt(bits)) | BigInt(words[at + j]!);
  return value;
}

/**
 * Runs a kernel with `inputs` at bindings 0, 1, … and its output, `size` words, behind them.
 *
 * @returns the output.
 */
export async function runKernel(
  device: Device,
  code: string,
  inputs: readonly Uint32Array[],
  size: number,
  groups: number,
  parameters: readonly number[] = [],
): Promise<Uint32Array> {
  return device.exclusive(async () => {
    const kernel = await device.kernel("test", code);
    const buffers = inputs.map((words) => {
      const buffer = device.buffer(words.byteLength, "input");
      device.upload(buffer, 0, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
      return buffer;
    });
    const output = device.buffer(4 * size, "output");
    try {
      device
        .batch()
        .dispatch(kernel, [...buffers, output], groups, parameters)
        .submit();
      const bytes = await device.read(output, 0, 4 * size);
      return new Uint32Array(bytes.buffer, bytes.byteOffset, size);
    } finally {
      for (const buffer of [...buffers, output]) device.free(buffer);
    }
  });
}

/** Numbers that look random and are the same in every run: xorshift. */
export function randomNumbers(seed: number): (below: bigint) => bigint {
  let state = BigInt(seed) * 0x9e3779b97f4a7c15n + 0x2545f4914f6cdd1dn;
  const next = () => {
    state ^= (state << 13n) & 0xffffffffffffffffn;
    state ^= state >> 7n;
    state ^= (state << 17n) & 0xffffffffffffffffn;
    return state & 0xffffffffffffffffn;
  };
  return (below) => {
    let value = 0n;
    for (let bits = below.toString(2).length + 64; bits > 0; bits -= 64) value = (value << 64n) | next();
    return value % below;
  };
}
