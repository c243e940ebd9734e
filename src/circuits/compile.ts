/**
 * Compiles the circuit of a layout with circom2 and asserts what the soundness of committed columns stands on: the public
 * signals are sum, alpha, beta and the columns one by one, and there is no private input. A column that was forgotten in
 * `public` would compile silently into a private input, and everything about it could be chosen after the challenge.
 *
 * circom2 is GPL and no dependency of this package: it runs as a program of its own, where it is installed.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type R1cs, readR1cs } from "../formats/r1cs.js";
import { CircuitError } from "./errors.js";
import { CIRCUITS, columnNames, type Layout, mainSource } from "./sources.js";

/** Public signals before the committed columns: sum, alpha, beta. */
export const STATEMENT = 3;

/** A compiled layout. */
export interface Compiled {
  readonly layout: Layout;
  /** The `.r1cs` file. */
  readonly bytes: Uint8Array;
  readonly r1cs: R1cs;
  /** Number of committed columns. */
  readonly committed: number;
  /** What circom's own calculator is generated from; only when asked for. */
  readonly wasm: Uint8Array | undefined;
}

/** Options of {@link compileLayout}. */
export interface CompileOptions {
  readonly signal?: AbortSignal | undefined;
  /** Also keep the calculator that circom generates: the oracle of tests. */
  readonly wasm?: boolean | undefined;
  /** Folder of the circuits; default: the package's. */
  readonly folder?: string | undefined;
}

interface Circom {
  readonly program: string;
  readonly version: string;
}

/** The circom2 that is installed beside this package. @throws CircuitError `CIRCOM_MISSING` */
export function findCircom(): Circom {
  const require = createRequire(import.meta.url);
  try {
    const program = require.resolve("circom2/cli.js");
    return { program, version: JSON.parse(readFileSync(join(dirname(program), "package.json"), "utf8")).version };
  } catch (cause) {
    throw new CircuitError("circuits are compiled with circom2, which is not installed: npm install circom2@0.2.23", {
      code: "CIRCOM_MISSING",
      cause,
    });
  }
}

/**
 * Compiles a layout.
 *
 * @throws CircuitError `CIRCOM_MISSING`, `CIRCOM_FAILED`, `CIRCUIT_PUBLIC`, `CIRCUIT_SIZE`, `CIRCUIT_SOURCE`; the signal's reason.
 */
export async function compileLayout(layout: Layout, options: CompileOptions = {}): Promise<Compiled> {
  const { signal, wasm = false, folder = CIRCUITS } = options;
  signal?.throwIfAborted();
  const { program } = findCircom();
  // circom2 sees nothing above its working folder
  const work = await mkdtemp(join(tmpdir(), "chunkproof-"));
  try {
    await cp(folder, work, { recursive: true });
    await writeFile(join(work, "main.circom"), mainSource(layout, folder));
    const args = [program, "main.circom", "--O2", "--r1cs", "--sym", ...(wasm ? ["--wasm"] : [])];
    try {
      await promisify(execFile)(process.execPath, args, { cwd: work, maxBuffer: 1 << 26, signal });
    } catch (cause) {
      signal?.throwIfAborted();
      const { stdout = "", stderr = "" } = cause as { stdout?: string; stderr?: string };
      throw new CircuitError(`circom failed: ${`${stdout}${stderr}`.trim().slice(-2000)}`, {
        code: "CIRCOM_FAILED",
        where: layout.name,
        cause,
      });
    }
    const bytes = new Uint8Array(await readFile(join(work, "main.r1cs")));
    const r1cs = await readR1cs(bytes, signal);
    const committed = assertPublic(layout, r1cs, await readFile(join(work, "main.sym"), "utf8"), folder);
    return {
      layout,
      bytes,
      r1cs,
      committed,
      wasm: wasm ? new Uint8Array(await readFile(join(work, "main_js", "main.wasm"))) : undefined,
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The build asserts of protocol section 3. Returns the number of committed columns. */
export function assertPublic(layout: Layout, { header }: R1cs, sym: string, folder = CIRCUITS): number {
  const { nOutputs, nPubInputs, nPrvInputs, nConstraints } = header;
  const refuse = (message: string, expected: string, got: string, code = "CIRCUIT_PUBLIC") =>
    new CircuitError(message, { code, where: layout.name, expected, got });
  if (nPrvInputs !== 0) throw refuse("the circuit has private inputs", "0", String(nPrvInputs));
  if (nOutputs !== 1) throw refuse("the circuit must have one output", "1", String(nOutputs));
  const columns = columnNames(layout, folder).map(({ row, index, column }) => ({ row, index, column }));
  const committed = columns.length;
  if (nPubInputs !== committed + STATEMENT - 1) {
    throw refuse("wrong number of public inputs", String(committed + STATEMENT - 1), String(nPubInputs));
  }
  // label, wire, component, name
  const names = new Map<number, string[]>();
  for (const line of sym.split("\n")) {
    const [, wire, , name] = line.split(",");
    if (name === undefined || !/^main\.[a-zA-Z0-9_]+(\[\d+\])*$/.test(name)) continue;
    const at = Number(wire);
    names.set(at, [...(names.get(at) ?? []), name]);
  }
  const position = new Map<string, number>();
  const expectAt = (wire: number, name: string) => {
    if (!names.get(wire)?.includes(name)) {
      throw refuse(`public signal ${wire} is not the one of the manifest`, name, names.get(wire)?.join() ?? "none");
    }
  };
  for (const [i, name] of ["sum", "alpha", "beta"].entries()) expectAt(i + 1, `main.${name}`);
  for (const [i, { row, index }] of columns.entries()) {
    const key = `${row}[${index}]`;
    const at = position.get(key) ?? 0;
    position.set(key, at + 1);
    expectAt(STATEMENT + 1 + i, `main.${key}[${at}]`);
  }
  const rows = nConstraints + committed + STATEMENT + 1;
  if (rows > 2 ** layout.power) {
    throw refuse(
      "the layout is larger than its domain",
      `at most ${2 ** layout.power} rows`,
      String(rows),
      "CIRCUIT_SIZE",
    );
  }
  return committed;
}
