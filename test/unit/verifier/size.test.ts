import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

/** What a wallet pays for `chunkproof/verifier`, noble included, in bytes after minification and gzip -9. */
const BUDGET = 60_000;

it("the bundled verifier stays within its size budget", async () => {
  const result = await build({
    entryPoints: [fileURLToPath(new URL("../../../src/verifier/index.ts", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent",
  });
  const code = result.outputFiles[0]!.contents;
  const size = gzipSync(code, { level: 9 }).length;
  console.log(`chunkproof/verifier: ${code.length} bytes minified, ${size} bytes gzip -9`);
  // the digits of BN_X: the pairing is inside, the bundle is not an empty shell
  expect(new TextDecoder().decode(code)).toContain("4965661367192848881");
  expect(size).toBeLessThan(BUDGET);
});
