import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SRC = join(ROOT, "src");

/** What a dynamic import with a computed specifier is listed as. */
const COMPUTED = "<computed>";

/** Every module specifier in a source text: imports, re-exports, `import()`, `require()`, `import =`, import types. */
function specifiers(source: string, fileName = "file.ts"): string[] {
  const found: string[] = [];
  const literal = (node: ts.Node | undefined) =>
    found.push(node !== undefined && ts.isStringLiteralLike(node) ? node.text : COMPUTED);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) literal(node.moduleSpecifier);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) literal(node.moduleSpecifier);
    else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
      literal(node.moduleReference.expression);
    } else if (ts.isImportTypeNode(node)) {
      literal(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined);
    } else if (ts.isCallExpression(node)) {
      const { expression } = node;
      const isRequire =
        (ts.isIdentifier(expression) && expression.text === "require") ||
        (ts.isPropertyAccessExpression(expression) && expression.getText().startsWith("require."));
      if (expression.kind === ts.SyntaxKind.ImportKeyword || isRequire) literal(node.arguments[0]);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(fileName, source, ts.ScriptTarget.Latest, true));
  return found;
}

interface Edge {
  /** Importing file, relative to the repository. */
  readonly from: string;
  readonly specifier: string;
  /** Imported files relative to the repository; empty for packages and computed specifiers. */
  readonly to: readonly string[];
}

const { imports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  imports: Record<string, Record<string, string>>;
};

/** Source files that a specifier stands for; `#…` goes through the import map of package.json. */
function targets(file: string, specifier: string): string[] {
  const toSource = (path: string) => relative(ROOT, path).replace(/\.js$/, ".ts");
  if (specifier.startsWith(".")) return [toSource(resolve(ROOT, dirname(file), specifier))];
  return Object.values(imports[specifier] ?? {})
    .filter((path) => path.endsWith(".js"))
    .map((path) => toSource(resolve(ROOT, path.replace(/^\.\/dist\//, "src/"))));
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(ts|tsx|mts|cts|js|mjs|cjs)$/.test(name))
  .map((name) => relative(ROOT, join(SRC, name)));
const edges: Edge[] = files.flatMap((from) =>
  specifiers(readFileSync(join(ROOT, from), "utf8"), from).map((specifier) => ({
    from,
    specifier,
    to: targets(from, specifier),
  })),
);
const inside = (file: string, folder: string) => file.startsWith(`src${sep}${folder}${sep}`);
const show = ({ from, specifier }: Edge) => `${from} imports ${specifier}`;

/** All files reachable from those in a folder of src, by any kind of import. */
function reachable(folder: string): Set<string> {
  const seen = new Set(files.filter((file) => inside(file, folder)));
  for (const file of seen) for (const { from, to } of edges) if (from === file) for (const next of to) seen.add(next);
  return seen;
}

describe("the scanner behind these tests", () => {
  it("sees every way to import a module", () => {
    const source = `
      import a, { type B } from "static";
      import type { C } from "type-only";
      import "side-effect";
      export { d } from "re-export";
      export * from "star";
      export type { E } from "type-re-export";
      import f = require("import-equals");
      const g: import("import-type").G = await import("dynamic");
      const h = await import(\`template\`);
      const i = () => import("nested/" + name);
      const j = require("cjs"), k = require.resolve("cjs-resolve");
      const text = 'import x from "in a string"'; // import y from "in a comment"
    `;
    expect(specifiers(source)).toEqual([
      "static",
      "type-only",
      "side-effect",
      "re-export",
      "star",
      "type-re-export",
      "import-equals",
      "import-type",
      "dynamic",
      "template",
      COMPUTED,
      "cjs",
      "cjs-resolve",
    ]);
  });

  it("finds the files and their imports", () => {
    expect(files).toContain(join("src", "verifier", "index.ts"));
    expect(edges.filter(({ from }) => inside(from, "verifier")).length).toBeGreaterThan(10);
    for (const { from, to } of edges) {
      for (const file of to) if (!file.includes(".generated.")) expect(files, `imported by ${from}`).toContain(file);
    }
  });
});

describe("import boundaries", () => {
  it("src/verifier imports @noble/curves, @noble/hashes and itself, nothing else", () => {
    const strays = edges
      .filter(({ from }) => inside(from, "verifier"))
      .filter(({ specifier, to }) => {
        if (/^@noble\/(curves|hashes)\/[\w./-]+$/.test(specifier)) return false;
        return !(/^\.\.?\//.test(specifier) && to.every((file) => inside(file, "verifier")));
      });
    expect(strays.map(show)).toEqual([]);
  });

  it("nothing under src imports GPL tools", () => {
    const gpl = /^(snarkjs|ffjavascript|wasmcurves|circomlib[^/]*|circom[^/]*|@iden3\/[^/]+)(\/|$)/;
    for (const name of [
      "snarkjs",
      "snarkjs/main",
      "ffjavascript",
      "circomlibjs",
      "circom2/cli",
      "@iden3/binfileutils",
    ]) {
      expect(name).toMatch(gpl);
    }
    // circom2 runs as a program of its own; only where it lies is looked up
    const program = ({ from, specifier }: Edge) =>
      from === join("src", "circuits", "compile.ts") && specifier === "circom2/cli.js";
    expect(edges.filter((edge) => gpl.test(edge.specifier) && !program(edge)).map(show)).toEqual([]);
  });

  it("src/prover knows nothing of the EVM or of the command line, not even indirectly", () => {
    const above = ["trace", "rows", "block", "circuits", "cli"];
    expect([...reachable("prover")].filter((file) => above.some((folder) => inside(file, folder)))).toEqual([]);
  });
});
