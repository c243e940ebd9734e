/**
 * A strict reader of the text that Prometheus is served: format 0.0.4, without what it allows and nobody here writes.
 *
 * @module
 */

/** A line with a value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples of one metric. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly samples: readonly Sample[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP = new RegExp(`^# HELP (${NAME}) (\\S(?:[^\\\\]|\\\\[\\\\n])*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? ([+-]Inf|NaN|[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)/;

const numberOf = (text: string): number => Number(text.replace("Inf", "Infinity"));

function readLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ""; ) {
    const found = LABEL.exec(rest);
    const [all, name, value] = found ?? [];
    if (all === undefined || Object.hasOwn(labels, name!)) throw new Error(`labels: ${line}`);
    labels[name!] = value!;
    rest = rest.slice(all.length);
    if (rest === "" && all.endsWith(",")) throw new Error(`labels: ${line}`);
  }
  return labels;
}

/** @throws for anything that is not in order. */
export function parsePrometheus(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const series = new Set<string>();
  let family: (Family & { samples: Sample[] }) | undefined;
  let help: RegExpExecArray | null = null;
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  for (const line of text.slice(0, -1).split("\n")) {
    // between families
    if (line === "") continue;
    if (line.startsWith("# HELP ")) {
      help = HELP.exec(line);
      if (help === null || families.has(help[1]!)) throw new Error(`help: ${line}`);
      family = undefined;
      continue;
    }
    if (line.startsWith("#")) {
      const [, name, type] = TYPE.exec(line) ?? [];
      if (name === undefined || help?.[1] !== name || family !== undefined) throw new Error(`type: ${line}`);
      family = { name, help: help[2]!, type: type as Family["type"], samples: [] };
      families.set(name, family);
      continue;
    }
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || family === undefined) throw new Error(`sample: ${line}`);
    const suffixes = {
      counter: [""],
      gauge: [""],
      histogram: ["_bucket", "_sum", "_count"],
      summary: ["", "_sum", "_count"],
    };
    if (!suffixes[family.type].some((suffix) => family!.name + suffix === name)) throw new Error(`name: ${line}`);
    const sample = { name, labels: readLabels(labels, line), value: numberOf(value!) };
    const key = JSON.stringify([name, Object.entries(sample.labels).sort()]);
    if (series.has(key)) throw new Error(`twice: ${line}`);
    series.add(key);
    if (family.type === "counter" && !(sample.value >= 0)) throw new Error(`a counter below zero: ${line}`);
    family.samples.push(sample);
  }
  for (const one of families.values()) if (one.type === "histogram") checkHistogram(one);
  return families;
}

/** Buckets ascend, and the last one has all. */
function checkHistogram({ name, samples }: Family): void {
  const groups = new Map<string, { buckets: [le: number, count: number][]; count?: number; sum?: number }>();
  for (const { name: own, labels, value } of samples) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(Object.entries(rest).sort());
    const group = groups.get(key) ?? { buckets: [] };
    groups.set(key, group);
    if (own.endsWith("_bucket")) group.buckets.push([numberOf(le ?? "none"), value]);
    else if (own.endsWith("_count")) group.count = value;
    else group.sum = value;
  }
  for (const { buckets, count, sum } of groups.values()) {
    const ascends = buckets.every(([le, n], i) => i === 0 || (le > buckets[i - 1]![0] && n >= buckets[i - 1]![1]));
    const [last, all] = buckets.at(-1) ?? [];
    if (!ascends || last !== Number.POSITIVE_INFINITY || all !== count || sum === undefined) {
      throw new Error(`buckets of ${name}: ${JSON.stringify(buckets)}, ${count}, ${sum}`);
    }
  }
}

/** Sum of the samples that have these labels, 0 if there are none. */
export function sumOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
) {
  const samples = families.get(name)?.samples ?? [];
  const fits = (sample: Sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
  return samples.filter(fits).reduce((sum, { value }) => sum + value, 0);
}
