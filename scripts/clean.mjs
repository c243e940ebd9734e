/**
 * Removes `dist/`: a module that no longer has a source would be packed otherwise.
 *
 * @module
 */
import { rmSync } from "node:fs";

rmSync(new URL("../dist/", import.meta.url), { recursive: true, force: true });
