/**
 * The frame of a kernel: bindings, parameters, and which invocations do something.
 *
 * @module
 */

import { preamble } from "../device.js";

/** A storage buffer of a kernel. */
export interface Binding {
  readonly name: string;
  /** Type of its elements: `u32`, `vec4u`, `atomic<u32>`. */
  readonly of: string;
  /** Whether the kernel writes it. */
  readonly write?: boolean;
}

/** What a kernel is made of. */
export interface KernelParts {
  readonly workgroup: number;
  /** In the order in which a dispatch names them. */
  readonly buffers: readonly Binding[];
  /** Names of the u32 parameters behind `first` and `end`. */
  readonly parameters: readonly string[];
  /** Functions and constants. */
  readonly source?: string;
  /** Statements for invocation `t`, `first <= t < end`. */
  readonly body: string;
}

/** Positions of u32 parameters in `array<vec4u, k>`. */
const parameter = (i: number): string => `parameters[${i >> 2}].${"xyzw"[i & 3]}`;

/** Bindings and parameters; `first` and `end` are the first two parameters of every kernel. */
function head({ workgroup, buffers, parameters, source }: Omit<KernelParts, "body">): string {
  const declared = buffers.map(
    ({ name, of, write }, i) =>
      `@group(0) @binding(${i}) var<storage, ${write ? "read_write" : "read"}> ${name}: array<${of}>;`,
  );
  const vectors = Math.ceil((parameters.length + 2) / 4);
  return `${preamble(workgroup)}
${declared.join("\n")}
@group(0) @binding(${buffers.length}) var<uniform> parameters: array<vec4u, ${vectors}>;
${source ?? ""}`;
}

const lets = (parameters: readonly string[]): string =>
  ["first", "end", ...parameters].map((name, i) => `let ${name} = ${parameter(i)};`).join("\n");

const SIGNATURE = `fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) num: vec3u,
@builtin(local_invocation_index) lid: u32)`;

/**
 * A kernel whose invocations know nothing of each other. It may be run in pieces: `first` is the first invocation of a piece,
 * `end` the one behind its last.
 */
export function kernelSource(parts: KernelParts): string {
  return `${head(parts)}
@compute @workgroup_size(${parts.workgroup})
${SIGNATURE} {
${lets(parts.parameters)}
let t = first + position(wid, num, lid);
if (t >= end) { return; }
${parts.body}
}
`;
}

/** A kernel whose workgroups work together: all invocations run to the end of `body`, which knows `tile`, the workgroup, and `lid`. */
export function workgroupKernelSource(parts: KernelParts): string {
  return `${head(parts)}
@compute @workgroup_size(${parts.workgroup})
${SIGNATURE} {
${lets(parts.parameters)}
let tile = first + group(wid, num);
${parts.body}
}
`;
}
