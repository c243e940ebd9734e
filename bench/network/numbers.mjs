/**
 * What lists of numbers come to, and tables of them.
 *
 * @module
 */

import { short } from "../_harness.mjs";

/** The q-quantile, interpolated; undefined of nothing. */
export function quantile(/** @type {number[]} */ values, /** @type {number} */ q) {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

/** What is kept of many samples. */
export function spread(/** @type {number[]} */ values) {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((q) => quantile(values, q));
  return { samples: values.length, p50, p95, p99, max: values.length === 0 ? undefined : Math.max(...values) };
}

export const sum = (/** @type {number[]} */ values) => values.reduce((total, value) => total + value, 0);

/** Three significant digits of what is there. */
export const shown = (/** @type {number | undefined} */ value) =>
  value === undefined || Number.isNaN(value)
    ? ""
    : value === 0
      ? "0"
      : Math.abs(value) < 1
        ? value.toFixed(2)
        : short(value);
export const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)} %`;
export const grouped = (/** @type {number} */ n) => Math.round(n).toLocaleString("en-US");

/** A table in Markdown. */
export function table(/** @type {string[]} */ head, /** @type {string[][]} */ body) {
  const cells = [head, ...body];
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => row[i].length)));
  const line = (/** @type {string[]} */ row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body.map(line)].join("\n");
}
