/**
 * The circuits' sources: row templates and what they commit to, layouts, and the main component of a layout.
 *
 * A main has the output `sum`, the public inputs `alpha` and `beta`, then the committed columns, row after row, and no
 * private input (docs/protocol.md, section 3).
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CircuitError } from "./errors.js";

/** Folder of the package's circuits. */
export const CIRCUITS = fileURLToPath(new URL("../../circuits", import.meta.url));

/** A filled domain: how many rows of which template. */
export interface Layout {
  readonly name: string;
  /** log2 of the domain. */
  readonly power: number;
  /** Number of rows of each template. */
  readonly rows: Readonly<Record<string, number>>;
}

/** A committed column of a layout, in the circuit's order. */
export interface ColumnName {
  readonly row: string;
  readonly index: number;
  readonly column: string;
}

/** Name of the circom template of a row. */
export const templateName = (row: string): string => row.charAt(0).toUpperCase() + row.slice(1);

/** Inputs that are not columns. */
const SHARED = ["alpha", "b"];

/**
 * Committed columns of a row template, in the order of its inputs.
 *
 * @throws CircuitError `CIRCUIT_SOURCE`
 */
export function columnsOf(row: string, folder = CIRCUITS): string[] {
  const file = join(folder, "rows", `${row}.circom`);
  const refuse = (message: string) => new CircuitError(message, { code: "CIRCUIT_SOURCE", where: file });
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new CircuitError("no such row template", { code: "CIRCUIT_SOURCE", where: file, cause });
  }
  const start = text.indexOf(`template ${templateName(row)}()`);
  if (start < 0) throw refuse(`the file has no template ${templateName(row)}()`);
  const inputs = [...text.slice(start).matchAll(/^\s*signal input ([^;]*);/gm)].flatMap(([, names]) =>
    names!.split(",").map((name) => name.trim().replace(/\[.*/, "")),
  );
  if (inputs[0] !== SHARED[0] || inputs[1] !== SHARED[1]) throw refuse("the first inputs must be alpha and b[17]");
  return inputs.slice(SHARED.length);
}

/** Names of all row templates in the folder. */
export function rowNames(folder = CIRCUITS): string[] {
  return readdirSync(join(folder, "rows"))
    .filter((name) => name.endsWith(".circom"))
    .map((name) => basename(name, ".circom"))
    .sort();
}

/** The package's layouts. @throws CircuitError `CIRCUIT_LAYOUT` */
export function readLayouts(folder = CIRCUITS): Layout[] {
  const file = join(folder, "layouts.json");
  const refuse = (message: string, where = file) => new CircuitError(message, { code: "CIRCUIT_LAYOUT", where });
  const { layouts } = JSON.parse(readFileSync(file, "utf8")) as { layouts: Layout[] };
  const known = new Set(rowNames(folder));
  for (const { name, power, rows } of layouts) {
    const where = `${file}: ${name}`;
    if (!/^[a-z0-9-]+$/.test(name)) throw refuse("bad name", where);
    if (!Number.isInteger(power) || power < 8 || power > 20) throw refuse("the power must be from 8 to 20", where);
    for (const [row, count] of Object.entries(rows)) {
      if (!known.has(row)) throw refuse(`no row template ${row}`, where);
      if (!Number.isInteger(count) || count < 1) throw refuse(`bad number of ${row} rows`, where);
    }
  }
  if (new Set(layouts.map(({ name }) => name)).size !== layouts.length) throw refuse("names are not distinct");
  return layouts;
}

/** Rows of a layout in the circuit's order. */
export function rowsOf(layout: Layout): { readonly row: string; readonly count: number }[] {
  return Object.entries(layout.rows)
    .map(([row, count]) => ({ row, count }))
    .sort((x, y) => (x.row < y.row ? -1 : 1));
}

/** All committed columns of a layout, in the order of its public signals. */
export function columnNames(layout: Layout, folder = CIRCUITS): ColumnName[] {
  return rowsOf(layout).flatMap(({ row, count }) => {
    const columns = columnsOf(row, folder);
    return Array.from({ length: count }, (_, index) => columns.map((column) => ({ row, index, column }))).flat();
  });
}

/** The circom source of a layout, for a file that lies in the circuits' folder. */
export function mainSource(layout: Layout, folder = CIRCUITS): string {
  const rows = rowsOf(layout);
  const inputs = rows.map(({ row, count }) => `    signal input ${row}[${count}][${columnsOf(row, folder).length}];`);
  // one signal a row: a single sum over everything made the compiler a hundred times slower
  const bodies = rows.map(({ row, count }) => {
    const columns = columnsOf(row, folder).map((column, i) => `        ${row}Row[i].${column} <== ${row}[i][${i}];`);
    return `    component ${row}Row[${count}];
    for (var i = 0; i < ${count}; i++) {
        ${row}Row[i] = ${templateName(row)}();
        ${row}Row[i].alpha <== alpha;
        ${row}Row[i].b <== powers.b;
${columns.join("\n")}
        total += ${row}Row[i].y;
    }`;
  });
  return `// Layout ${layout.name}: generated, do not edit.
pragma circom 2.2.0;

${['include "bus.circom";', ...rows.map(({ row }) => `include "rows/${row}.circom";`)].join("\n")}

template Main() {
    signal output sum;
    signal input alpha;
    signal input beta;
${inputs.join("\n")}

    component powers = Powers();
    powers.beta <== beta;
    var total = 0;
${bodies.join("\n")}
    sum <== total;
}

component main { public [${["alpha", "beta", ...rows.map(({ row }) => row)].join(", ")}] } = Main();
`;
}

/** Constraints that the rows of a chunk share: the powers of beta from its square on. */
export const SHARED_CONSTRAINTS = 15;
