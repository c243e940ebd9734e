/** What the circuits' sources must look like for docs/protocol.md, sections 3, 5 and 8, to hold. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROVIDERS } from "../../../src/block/lookups.js";
import { assertPublic, STATEMENT } from "../../../src/circuits/compile.js";
import { CircuitError } from "../../../src/circuits/errors.js";
import { CIRCUITS, columnNames, columnsOf, rowNames, templateName } from "../../../src/circuits/sources.js";
import type { R1cs } from "../../../src/formats/r1cs.js";
import { TEMPLATES } from "../../../src/rows/index.js";
import { messagesOf } from "../../../src/rows/machine.js";
import type { RowTemplate } from "../../../src/rows/row.js";
import type { Message } from "../../../src/verifier/bus.js";
import { COORDINATES, TAGS, type TagName } from "../../../src/verifier/tags.generated.js";

const FILES = readdirSync(CIRCUITS, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".circom") && !name.startsWith("example"))
  .sort();
const text = (name: string): string => readFileSync(join(CIRCUITS, name), "utf8");
/** Source without comments. */
const code = (name: string): string =>
  text(name)
    .replace(/\/\/.*$/gm, "")
    .replace(/\/\*[\s\S]*?\*\//g, "");
const ROWS = FILES.filter((name) => name.startsWith("rows"));

/** Body of a template. */
function body(file: string, name: string): string {
  const source = code(file);
  const start = source.indexOf(`template ${name}(`);
  const end = source.indexOf("\n}", start);
  return source.slice(start, end);
}

interface Registered {
  readonly name: TagName;
  readonly type: "C" | "L";
  readonly sinkable?: boolean;
  readonly senders: "any" | string[];
  readonly receivers: string[];
}
const REGISTRY = (JSON.parse(readFileSync(join(CIRCUITS, "tags.json"), "utf8")) as { tags: Registered[] }).tags;

/** Columns that switch something on; `has` and `isJumpi` do so beside another one. */
const isFlag = (name: string): boolean => /^(act|has|inside|above|below|bare|is[A-Z]\w*|mult)$/.test(name);
const BESIDE = ["act", "has", "isJumpi", "mult"];

/**
 * Legal rows of a template as far as its messages go: switched on, at most one of the flags that exclude each other, all
 * others whatever multiplicities depend on: the same, different, at the edges of a word's bytes.
 */
function rowsOf({ columns }: RowTemplate): bigint[][] {
  const choices = columns.filter((name) => isFlag(name) && !BESIDE.includes(name));
  let state = 1;
  const random = (n: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % n;
  };
  const rows: bigint[][] = [];
  for (const chosen of [...choices, undefined]) {
    for (let i = 0; i < 60; i++) {
      const values = i % 3 === 0 ? [0n] : i % 3 === 1 ? [0n, 1n, 2n] : [0n, 1n, 2n, 31n, 32n, 33n];
      rows.push(
        columns.map((name, at) => {
          if (name === chosen || name === "act" || name === "mult") return 1n;
          if (BESIDE.includes(name)) return BigInt(random(2));
          if (isFlag(name)) return 0n;
          return i === 0 ? BigInt(at + 2) : values[random(values.length)]!;
        }),
      );
    }
  }
  return rows;
}

/** What legal rows of each template have on the bus. */
const MESSAGES = new Map(
  TEMPLATES.map((template) => [template.name, rowsOf(template).map((cells) => messagesOf(template, cells))] as const),
);

/** Tags by template, as its rows use them. */
const USES = new Map(
  [...MESSAGES].map(([name, rows]) => {
    const uses = { sent: new Set<TagName>(), received: new Set<TagName>(), unused: new Set<TagName>() };
    for (const { tag, multiplicity } of rows.flat()) {
      if (multiplicity > 0n) uses.sent.add(tag);
      else if (multiplicity < 0n) uses.received.add(tag);
      else uses.unused.add(tag);
    }
    return [name, uses] as const;
  }),
);
const tag = (name: TagName): Registered => REGISTRY.find((each) => each.name === name)!;
const isLookup = (name: TagName): boolean => tag(name).type === "L";

/** The only rows that vouch for something. */
const VOUCHERS: Readonly<Partial<Record<TagName, string>>> = {
  MEMGAS: "memgas",
  WIDE: "wide",
  CUT: "cutword",
  SHIFT: "shiftword",
};

describe("the tag registry", () => {
  it("has distinct tags other than 0, and no more coordinates than there are", () => {
    const ids = Object.values(TAGS).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => id > 0)).toBe(true);
    for (const [name, { fields }] of Object.entries(TAGS)) {
      const places = fields.map(([, at]) => at);
      expect(new Set(places).size, name).toBe(places.length);
      expect(
        places.every((at) => at >= 0 && at < COORDINATES),
        name,
      ).toBe(true);
    }
  });

  it("lists exactly who sends and who receives what", () => {
    const users = (side: "sent" | "received", name: TagName): string[] =>
      [...USES].flatMap(([row, uses]) => (uses[side].has(name) ? [row] : [])).sort();
    const rows = (list: readonly string[]): string[] => list.filter((who) => who !== "verifier").sort();
    for (const { name, type, senders, receivers } of REGISTRY) {
      expect(users("received", name), `${name}: receivers`).toEqual(rows(receivers));
      if (type === "L") expect(senders, `${name}: senders`).toBe("any");
      else expect(users("sent", name), `${name}: senders`).toEqual(rows(senders as string[]));
    }
    // no message that is never there
    for (const [row, { sent, received, unused }] of USES) {
      expect(
        [...unused].filter((name) => !sent.has(name) && !received.has(name)),
        row,
      ).toEqual([]);
    }
  });

  it("lets only SINK rows receive without a use, and only what is sinkable", () => {
    const sunk = REGISTRY.filter(({ receivers }) => receivers.some((who) => who.startsWith("sink")));
    expect(sunk.map(({ name }) => name).sort()).toEqual(["JOURNAL", "LOGDATA", "MEMORY", "STACK"]);
    expect(
      REGISTRY.filter(({ sinkable }) => sinkable)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(sunk.map(({ name }) => name).sort());
    for (const [row, { sent }] of USES) if (row.startsWith("sink")) expect([...sent], row).toEqual([]);
  });

  it("lets only the verifier vouch, but for what is computed in rows", () => {
    for (const { name, type, receivers } of REGISTRY) {
      if (type === "L") expect(receivers, name).toEqual([VOUCHERS[name] ?? "verifier"]);
    }
    expect(PROVIDERS.map((provider) => provider.tag).sort()).toEqual(Object.keys(VOUCHERS).sort());
  });

  it("lets rows that vouch do nothing else, and ask only the verifier", () => {
    for (const row of Object.values(VOUCHERS)) {
      const { sent, received } = USES.get(row)!;
      expect([...received].map((name) => VOUCHERS[name])).toEqual([row]);
      for (const name of sent) expect([name, tag(name).type, tag(name).receivers]).toEqual([name, "L", ["verifier"]]);
    }
  });

  it("lets nobody ask a negative number of times", () => {
    for (const [row, { received }] of USES) {
      for (const name of received) if (isLookup(name)) expect(VOUCHERS[name], `${row} ${name}`).toBe(row);
    }
  });

  it("never lets the verifier take STATE, nor anybody but it send FRAME or claims, or take TXEND", () => {
    expect(tag("STATE").receivers).not.toContain("verifier");
    expect(tag("FRAME").senders).toEqual(["verifier"]);
    expect(tag("CLAIM").senders).toEqual(["verifier"]);
    expect(tag("CLAIMWORD").senders).toEqual(["verifier"]);
    expect(tag("TXEND").receivers).toEqual(["verifier"]);
  });
});

describe("the machine", () => {
  const there = (name: TagName, messages: readonly Message[]): Message[] =>
    messages.filter(({ tag, multiplicity }) => tag === name && multiplicity !== 0n);

  it("runs but in rows that undo or end a failure, and fails only in those that say so", () => {
    const undoing = (name: string): boolean => name.startsWith("undo") || name === "fail";
    const failing = (name: string): boolean => name.startsWith("halt") || name === "revert";
    for (const [name, rows] of MESSAGES) {
      for (const { multiplicity, coordinates } of there("STATE", rows.flat())) {
        const mode = undoing(name) || (multiplicity > 0n && failing(name)) ? 1n : 0n;
        expect(coordinates[9], name).toBe(mode);
      }
    }
  });

  it("is taken once and given at most once, a clock later", () => {
    const ends = ["stop", "returns", "fail"];
    for (const [name, rows] of MESSAGES) {
      const forms = new Set<string>();
      for (const states of rows.map((messages) => there("STATE", messages))) {
        const [from, to] = states.sort((a, b) => Number(a.multiplicity - b.multiplicity));
        const later = to === undefined ? "" : `, clk + ${to.coordinates[0]! - from!.coordinates[0]!}`;
        if (states.length > 0) forms.add(states.map(({ multiplicity }) => multiplicity).join() + later);
      }
      const all = forms.size === 0 ? [] : [ends.includes(name) ? "-1" : "-1,1, clk + 1"];
      expect([...forms], name).toEqual(all);
    }
  });

  it("fetches what is an instruction, but to show that a destination is none", () => {
    for (const [name, rows] of MESSAGES) {
      if (name === "haltjump") continue;
      for (const { coordinates } of there("CODE", rows.flat())) expect(coordinates[12], name).toBe(1n);
    }
  });
});

describe("the circuits", () => {
  it("are a row template each, with its columns", () => {
    expect(rowNames()).toEqual(TEMPLATES.map(({ name }) => name).sort());
    for (const { name, columns } of TEMPLATES) expect(columnsOf(name), name).toEqual(columns);
  });

  it("take values without constraint (<--) in Fraction and IsZero only, each constrained at once", () => {
    const places = FILES.flatMap((file) =>
      code(file)
        .split("\n")
        .flatMap((line, i) => (/<--|-->/.test(line) ? [`${file}:${i + 1} ${line.trim()}`] : [])),
    );
    expect(places.map((place) => place.replace(/:\d+/, ""))).toEqual([
      "bus.circom y <-- m / (alpha + f);",
      "gadgets.circom inv <-- x != 0 ? 1 / x : 0;",
    ]);
    expect(body("bus.circom", "Fraction")).toMatch(/y <-- m \/ \(alpha \+ f\);\s+\(alpha \+ f\) \* y === m;/);
    expect(body("gadgets.circom", "IsZero")).toMatch(/inv <-- [^;]*;\s+z <== 1 - x \* inv;\s+x \* z === 0;/);
  });

  it("say at their head what they are and, rows, what padding does", () => {
    for (const file of FILES) expect(text(file), file).toMatch(/^\/\/ \S/);
    for (const file of ROWS) {
      const head = text(file).slice(0, text(file).indexOf("pragma circom"));
      expect(head, file).toMatch(/^\/\/ Padding/m);
      expect(head, file).toMatch(/[Rr]eceives|[Ss]ends|[Tt]akes|[Aa]sks/);
      expect(head.split("\n").length, file).toBeGreaterThan(4);
    }
  });

  it("use no other version, library, hint or main", () => {
    for (const file of FILES) {
      const source = code(file);
      expect(source.match(/^pragma circom 2\.2\.0;$/gm), file).toHaveLength(1);
      for (const [, path] of source.matchAll(/include "([^"]*)"/g)) {
        expect(path, file).toMatch(file.startsWith("rows") ? /^\.\.\/[a-z]+\.circom$/ : /^[a-z.]+\.circom$/);
      }
      expect(source, file).not.toMatch(/\b(private|parallel|custom|assert|log|main|bus)\b\s*[({ ]/);
      expect(source, file).not.toMatch(/pragma custom_templates/);
    }
  });

  it("have one template a row, whose inputs are alpha, the powers of beta, and columns without arrays", () => {
    for (const file of ROWS) {
      const row = file.replace(/^rows.|\.circom$/g, "");
      const own = body(file, templateName(row));
      expect(own.startsWith(`template ${templateName(row)}() {`), file).toBe(true);
      const inputs = [...own.matchAll(/signal input ([^;]*);/g)].map(([, names]) => names);
      expect(inputs.slice(0, 2), file).toEqual(["alpha", "b[17]"]);
      expect(inputs.slice(2).join(), file).not.toMatch(/\[/);
      expect(
        [...own.matchAll(/signal output ([^;]*);/g)].map(([, names]) => names),
        file,
      ).toEqual(["y"]);
    }
  });

  it("have boolean multiplicities: act and every flag is constrained in each row", () => {
    for (const file of ROWS) {
      const row = file.replace(/^rows.|\.circom$/g, "");
      // the provider's multiplicity is free (protocol, section 5)
      if (Object.values(VOUCHERS).includes(row)) continue;
      const source = body(file, templateName(row));
      const flags = columnsOf(row).filter(isFlag);
      expect(flags.length, row).toBeGreaterThan(0);
      for (const flag of flags) {
        const boolean = new RegExp(`\\.bit <== ${flag};|\\b${flag} \\* \\(act - ${flag}( - \\w+)?\\) === 0`);
        // the one flag that is an IsZero
        if (flag === "bare") expect(source).toMatch(/\bbare === act \* \w+\.z;/);
        else expect(source, `${row}.${flag}`).toMatch(boolean);
      }
      if (flags.includes("act")) continue;
      // without act, flags exclude each other: their sum is boolean; a sink's messages have nothing to do with each other
      const sum = new RegExp(`(var|signal) act <?==? |\\.bit <== ${flags.join(" \\+ ")};`);
      if (row !== "sink") expect(source, row).toMatch(sum);
      if (/(var|signal) act <?==? /.test(source)) expect(source, row).toMatch(/\.bit <== act;/);
    }
  });
});

describe("the build", () => {
  const LAYOUT = { name: "test", power: 8, rows: { stop: 2 } };
  const columns = columnNames(LAYOUT);
  const header = (changes: Partial<R1cs["header"]> = {}) =>
    ({
      header: {
        ...{ nOutputs: 1, nPubInputs: columns.length + STATEMENT - 1, nPrvInputs: 0, nConstraints: 100 },
        ...changes,
      },
    }) as R1cs;
  const names = ["sum", "alpha", "beta", ...columns.map((_, i) => `stop[${Math.floor(i / 10)}][${i % 10}]`)];
  const sym = (list: readonly string[]) => list.map((name, i) => `${i + 1},${i + 1},0,main.${name}`).join("\n");
  const codeOf = (action: () => unknown): string => {
    try {
      action();
    } catch (error) {
      expect(error).toBeInstanceOf(CircuitError);
      return (error as CircuitError).code;
    }
    return "accepted";
  };

  it("accepts a circuit whose public signals are sum, alpha, beta and the columns", () => {
    expect(assertPublic(LAYOUT, header(), sym(names))).toBe(columns.length);
  });

  it.each([
    ["private column", header({ nPrvInputs: 1, nPubInputs: columns.length + STATEMENT - 2 }), names.slice(0, -1)],
    ["private input beside the columns", header({ nPrvInputs: 1 }), names],
    ["two outputs", header({ nOutputs: 2 }), names],
    ["a column too few", header({ nPubInputs: columns.length + STATEMENT - 2 }), names.slice(0, -1)],
    ["a column too many", header({ nPubInputs: columns.length + STATEMENT }), [...names, "stop[2][0]"]],
    ["columns in another order", header(), names.with(3, names[4]!).with(4, names[3]!)],
    ["alpha and beta exchanged", header(), names.with(1, "beta").with(2, "alpha")],
  ])("refuses: %s", (_, r1cs, list) => {
    expect(codeOf(() => assertPublic(LAYOUT, r1cs, sym(list)))).toBe("CIRCUIT_PUBLIC");
  });

  it("refuses a layout that is larger than its domain", () => {
    const room = 2 ** LAYOUT.power - columns.length - STATEMENT - 1;
    expect(codeOf(() => assertPublic(LAYOUT, header({ nConstraints: room }), sym(names)))).toBe("accepted");
    expect(codeOf(() => assertPublic(LAYOUT, header({ nConstraints: room + 1 }), sym(names)))).toBe("CIRCUIT_SIZE");
  });
});
