import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// package.json maps "#platform" to dist/, which tests of src/ must not depend on.
const resolve = { alias: { "#platform": fileURLToPath(new URL("src/platform/node.ts", import.meta.url)) } };

// Two projects so that the quick part can be run alone: whole proofs, keys, processes and browsers live under test/slow.
export default defineConfig({
  test: {
    // the default leaves a core free, which is half of a machine with two
    maxWorkers: "100%",
    projects: [
      {
        resolve,
        test: {
          name: "quick",
          include: ["test/unit/**/*.test.ts"],
          exclude: ["test/unit/rows/**"],
          setupFiles: ["test/support/seed.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve,
        test: {
          name: "quick-rows",
          include: ["test/unit/rows/**/*.test.ts"],
          // many small files without any state: loading their modules anew for each would take longer than the tests
          isolate: false,
          setupFiles: ["test/support/seed.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve,
        test: {
          name: "slow",
          include: ["test/slow/**/*.test.ts"],
          setupFiles: ["test/support/seed.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // these tests use every core themselves
          fileParallelism: false,
        },
      },
    ],
  },
});
