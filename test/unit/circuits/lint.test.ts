/** What the circuits' sources must look like for docs/protocol.md, sections 3, 5 and 8, to hold. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assertPublic, STATEMENT } from "../../../src/circuits/compile.js";
import { CircuitError } from "../../../src/circuits/errors.js";
import { CIRCUITS, columnNames, columnsOf, rowNames, templateName } from "../../../src/circuits/sources.js";
import type { R1cs } from "../../../src/formats/r1cs.js";
import { TEMPLATES } from "../../../src/rows/index.js";
import { messagesOf } from "../../../src/rows/machine.js";
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
    const used = new Map<string, { senders: Set<string>; receivers: Set<string> }>();
    for (const { name } of REGISTRY) used.set(name, { senders: new Set(), receivers: new Set() });
    for (const template of TEMPLATES) {
      // all switches on, and all other columns different from each other
      const flags = ["act", "inside", "isStack", "isMemory", "mult"];
      const cells = template.columns.map((name, i) => (flags.includes(name) ? 1n : BigInt(i + 2)));
      for (const { tag, multiplicity } of messagesOf(template, cells)) {
        expect(multiplicity === 0n, `${template.name} ${tag}`).toBe(false);
        used.get(tag)![multiplicity > 0n ? "senders" : "receivers"].add(template.name);
      }
    }
    for (const { name, type, senders, receivers } of REGISTRY) {
      const { senders: sent, receivers: got } = used.get(name)!;
      const rows = (list: readonly string[]) => list.filter((who) => who !== "verifier").sort();
      expect([...got].sort(), `${name}: receivers`).toEqual(rows(receivers));
      if (type === "L") expect(senders, `${name}: senders`).toBe("any");
      else expect([...sent].sort(), `${name}: senders`).toEqual(rows(senders as string[]));
    }
  });

  it("lets only SINK rows receive without a use, and only what is sinkable", () => {
    const sunk = REGISTRY.filter(({ receivers }) => receivers.some((who) => who.startsWith("sink")));
    expect(sunk.map(({ name }) => name).sort()).toEqual(["JOURNAL", "MEMORY", "STACK"]);
    expect(
      REGISTRY.filter(({ sinkable }) => sinkable)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(sunk.map(({ name }) => name).sort());
  });

  it("lets only the verifier vouch, but for MEMGAS", () => {
    for (const { name, type, receivers } of REGISTRY) {
      if (type === "L") expect(receivers, name).toEqual(name === "MEMGAS" ? ["memgas"] : ["verifier"]);
    }
  });

  it("never lets the verifier take STATE, nor anybody but it send FRAME and begin STATE", () => {
    const of = (name: string) => REGISTRY.find((tag) => tag.name === name)!;
    expect(of("STATE").receivers).not.toContain("verifier");
    expect(of("FRAME").senders).toEqual(["verifier"]);
    expect(of("TXEND").receivers).toEqual(["verifier"]);
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
      if (row === "memgas") continue;
      const source = body(file, templateName(row));
      const flags = columnsOf(row).filter((name) => /^(act|is[A-Z]\w*|inside)$/.test(name));
      expect(flags.length, row).toBeGreaterThan(0);
      for (const flag of flags) {
        const boolean = new RegExp(`\\.bit <== ${flag};|${flag} \\* \\(act - ${flag}( - \\w+)?\\) === 0`);
        expect(source, `${row}.${flag}`).toMatch(boolean);
      }
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
