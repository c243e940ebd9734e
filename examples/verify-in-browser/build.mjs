/**
 * Builds the example with esbuild into dist/, beside this file: the page, the worker, and what both have in common. Needs
 * `npm run build` before.
 *
 * @module
 */

import { copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build as bundle } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));

/**
 * @param {string} [outdir]
 * @returns {Promise<import("esbuild").Metafile>} what went into which file
 */
export async function build(outdir = `${here}dist`) {
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  const { metafile } = await bundle({
    absWorkingDir: here,
    // the page's script says `new Worker(new URL("./worker.js", import.meta.url))`, which esbuild leaves as it is: so the
    // worker is an entry of its own, in the same folder
    entryPoints: ["src/main.js", "src/worker.js"],
    outdir,
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    // not the repository's, which is for its own sources
    tsconfigRaw: {},
    metafile: true,
    logLevel: "warning",
  });
  for (const name of ["index.html", "style.css"]) await copyFile(`${here}${name}`, `${outdir}/${name}`);
  return metafile;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { outputs } = await build();
  for (const name of Object.keys(outputs)) {
    const code = await readFile(`${here}${name}`);
    const size = `${code.length} bytes, ${gzipSync(code, { level: 9 }).length} with gzip`;
    process.stdout.write(`${relative(process.cwd(), `${here}${name}`)}: ${size}\n`);
  }
}
