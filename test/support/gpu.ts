/**
 * A software GPU for tests: Dawn (the package `webgpu`) on SwiftShader, which Debian's `chromium` brings along. Its speed says
 * nothing about a GPU.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";

/** Folder of Chromium's libraries; the variable CHROMIUM_LIBRARIES may name another. */
const LIBRARIES = process.env.CHROMIUM_LIBRARIES ?? "/usr/lib/chromium";
const MANIFEST = join(LIBRARIES, "vk_swiftshader_icd.json");
const LOADER = join(LIBRARIES, "libvulkan.so.1");
/** Not in Node's constants: the library stays when it turns out to be no addon. */
const RTLD_NODELETE = 0x1000;

let adapter: Promise<string | undefined> | undefined;

/**
 * Makes an adapter available to this process: the one that `VK_ICD_FILENAMES` names, else SwiftShader.
 *
 * @returns why there is none, or `undefined` when there is one.
 */
export function missingGpu(): Promise<string | undefined> {
  adapter ??= findAdapter();
  return adapter;
}

async function findAdapter(): Promise<string | undefined> {
  if (process.env.VK_ICD_FILENAMES === undefined) {
    if (!existsSync(MANIFEST)) return `there is no ${MANIFEST} (Debian: chromium)`;
    process.env.VK_ICD_FILENAMES = MANIFEST;
  }
  if (existsSync(LOADER)) {
    try {
      // Dawn asks for libvulkan.so.1 by this name and finds what is loaded already
      process.dlopen({ exports: {} }, LOADER, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    } catch {
      // it is no addon, as is said here each time
    }
  }
  try {
    const { loadGpu } = await import("#platform");
    const found = await ((await loadGpu()) as GPU).requestAdapter();
    return found === null ? "WebGPU finds no adapter" : undefined;
  } catch (error) {
    return String(error);
  }
}

/** Whether tests on a GPU are skipped; says why, once a file. */
export async function skipWithoutGpu(): Promise<boolean> {
  const why = await missingGpu();
  if (why !== undefined) console.warn(`tests on a GPU are skipped: ${why}`);
  return why !== undefined;
}
