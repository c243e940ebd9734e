/**
 * Whole blocks: proved warm (one process, keys loaded) and cold (the command line, from spawn to exit), verified, and
 * executed again by `@ethereumjs/vm`, which is what a replica does without proofs.
 *
 * @module
 */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBlockFromRLP } from "@ethereumjs/block";
import { BlockProver } from "chunkproof/block";
import { makeKeys } from "chunkproof/keys";
import { encodeTrace, runScenario, Sequencer } from "chunkproof/trace";
import { decodeBlockProof, decodeChunkProof, verifyBlock, verifyChunks } from "chunkproof/verifier";
import { snapshotState } from "../../dist/replica/index.js";
import { readTouchedState } from "../../dist/verifier/block-state.js";
import { completeBoundary, outlineBoundary } from "../../dist/verifier/boundary.js";
import { decodeHeader } from "../../dist/verifier/ethereum/header.js";
import { decodeTransaction, recoverSender } from "../../dist/verifier/ethereum/transaction.js";
import { challenges } from "../../dist/verifier/transcript.js";
import { compare, must, short, threadsOf } from "../_harness.mjs";
import { ROOT } from "../_machine.mjs";
import { progress } from "../_progress.mjs";
import { measure } from "../proofs/process.mjs";
import { BLOCKS } from "./scenarios.mjs";

const CLI = join(ROOT, "bin", "cli", "main.js");
/** The cache of the tests: keys take a minute or two. */
const CACHE = join(ROOT, ".cache");
/** Steps from which on a block is proved without a warm-up round of its own, by all threads only, twice. */
const LONG = 50_000;
/** A byte of the state root in a block's RLP. */
const STATE_ROOT = 3 + 3 + 33 + 33 + 21 + 1 + 7;
const EXECUTION = "@ethereumjs/vm";

/**
 * @typedef {object} Block
 * @property {string} name
 * @property {import("chunkproof/trace").Scenario} scenario
 * @property {import("chunkproof/trace").ScenarioRun} run
 * @property {Required<import("chunkproof/verifier").BlockState>} state that the block starts from
 */

/** @returns {Promise<Block>} */
async function blockOf(/** @type {string} */ name) {
  const scenario = await BLOCKS[name]();
  const run = await runScenario(scenario);
  return { name, scenario, run, state: await snapshotState(run.before) };
}

/** What the replica says of a proof. */
const verdict = (/** @type {Block} */ { run, state }, /** @type {any} */ keys, /** @type {Uint8Array} */ bytes) =>
  verifyBlock(bytes, { state, keys, chainId: run.trace.chainId });

/** @param {import("../run.mjs").Options} options */
export async function blocks(options) {
  const folder = await makeKeys({ cache: CACHE, onProgress: ({ stage }) => progress(`keys: ${stage}`) });
  const keys = folder.parsed();
  const temporary = await mkdtemp(join(tmpdir(), "chunkproof-bench-"));
  try {
    for (const { block: name, series, cold } of options.sizes.blocks) {
      const block = await blockOf(name);
      const proved = await warm(block, folder, keys, series === true, options);
      if (cold) await spawned(block, folder, keys, temporary, options);
      await verified(block, keys, proved, options);
    }
  } finally {
    await rm(temporary, { recursive: true });
  }
}

/** What a block is, for the results. */
const infoOf = (/** @type {Block} */ { run }, /** @type {any} */ { steps, rows, chunks, bytes }) => ({
  transactions: run.trace.transactions.length,
  gasUsed: Number(run.trace.header.gasUsed),
  steps,
  rows,
  chunks: chunks.length,
  layouts: chunks.join(" "),
  proofBytes: bytes.length,
});

/** @returns {Promise<any>} the last proof */
async function warm(
  /** @type {Block} */ block,
  /** @type {any} */ folder,
  /** @type {any} */ keys,
  /** @type {boolean} */ series,
  /** @type {import("../run.mjs").Options} */ { threads: counts, budget, report },
) {
  const { trace } = block.run;
  const steps = trace.executions.reduce((sum, execution) => sum + execution.steps.length, 0);
  const long = steps >= LONG;
  /** @type {any} */
  let last;
  for (const threads of threadsOf({ series: series && !long }, counts)) {
    const prover = new BlockProver(folder, { threads });
    const contender = {
      name: "chunkproof",
      async run() {
        const cpuBefore = process.cpuUsage();
        const result = await prover.prove(trace);
        const { user, system } = process.cpuUsage(cpuBefore);
        return { ...result, cpu: (user + system) / 1000 };
      },
      async check(/** @type {any} */ result) {
        const { valid, faults } = await verdict(block, keys, result.bytes);
        must(valid, `the replica refuses a proof: ${faults[0]?.code} ${faults[0]?.where}`);
        must(result.steps === steps, "another number of steps");
        last = result;
      },
      extras: (/** @type {any} */ { cpu, times }) => ({ cpu, ...times }),
    };
    try {
      const more = long ? { ...budget, min: 1, max: 2, seconds: 0 } : budget;
      const row = await compare(`prove ${block.name}`, { threads }, [contender], more, { warmUp: !long });
      const median = row.times.chunkproof.median;
      const perSecond = { stepsPerSecond: (1000 * steps) / median, rowsPerSecond: (1000 * last.rows) / median };
      report({ ...row, block: { ...infoOf(block, last), ...perSecond } });
    } finally {
      await prover.close();
    }
  }
  return last;
}

/** The command line, from spawn to exit. */
async function spawned(
  /** @type {Block} */ block,
  /** @type {any} */ folder,
  /** @type {any} */ keys,
  /** @type {string} */ temporary,
  /** @type {import("../run.mjs").Options} */ { threads: counts, budget, report },
) {
  const [trace, proof] = [join(temporary, "block.trace"), join(temporary, "block.proof")];
  await writeFile(trace, encodeTrace(block.run.trace));
  const threads = Math.max(...counts);
  const command = [
    process.execPath,
    CLI,
    "prove",
    trace,
    "-o",
    proof,
    "--keys",
    folder.path,
    "--threads",
    `${threads}`,
  ];
  const contender = {
    name: "chunkproof",
    prepare: () => rm(proof, { force: true }),
    run: () => measure([...command, "--quiet"], process.env),
    async check() {
      const { valid } = await verdict(block, keys, new Uint8Array(await readFile(proof)));
      must(valid, "the replica refuses a proof of the command line");
    },
    extras: (/** @type {Record<string, number>} */ measured) => measured,
  };
  report(await compare(`cold ${block.name}`, { threads }, [contender], budget));
}

/**
 * Everything that a replica needs to check the chunk proofs alone: challenges and decoded chunks, got in the same way as
 * `verifyBlock` gets them.
 */
async function chunksOf(/** @type {Block} */ { run, state }, /** @type {Uint8Array} */ bytes) {
  const { chainId } = run.trace;
  const proof = decodeBlockProof(bytes);
  const header = decodeHeader(proof.header);
  const transactions = proof.transactions.map((raw, i) => {
    const transaction = decodeTransaction(raw, chainId, `${i}`);
    return { transaction, sender: recoverSender(transaction, `${i}`) };
  });
  const outline = outlineBoundary({ chainId, header, transactions, claims: proof.claims }).value;
  must(outline, "no boundary");
  const boundary = completeBoundary(outline, await readTouchedState(state, outline)).value;
  must(boundary, "no boundary");
  const drawn = challenges({
    keySet: proof.keySet,
    chainId,
    header: proof.header,
    preState: proof.claims.preState,
    messages: boundary.messages,
    chunks: proof.chunks.map(({ layout, proof: chunk }) => ({
      layout,
      d: chunk.subarray(128, 160),
      p: chunk.subarray(160, 192),
    })),
  });
  return { drawn, chunks: proof.chunks.map(({ layout, proof: chunk }) => decodeChunkProof(chunk, layout)) };
}

/** Verification against execution. */
async function verified(
  /** @type {Block} */ block,
  /** @type {any} */ keys,
  /** @type {any} */ proved,
  /** @type {import("../run.mjs").Options} */ { budget, report },
) {
  const { bytes } = proved;
  const { run, scenario } = block;
  const sequencer = await Sequencer.create(scenario);
  const rlp = run.block.serialize();
  const { common } = run.block;

  // those that say yes to everything must not be timed
  const forged = bytes.slice();
  forged[forged.length - 1] ^= 1;
  must(!(await verdict(block, keys, forged)).valid, "a proof with another sum is accepted");
  const lie = rlp.slice();
  // in the state root, which is at the same place in every block: after two list heads, two hashes and an address
  lie[STATE_ROOT] ^= 1;
  let refused = false;
  await sequencer.execute(createBlockFromRLP(lie, { common })).catch(() => {
    refused = true;
  });
  must(refused, "execution does not notice another state root");

  const { drawn, chunks } = await chunksOf(block, bytes);
  const contenders = [
    {
      name: EXECUTION,
      run: () => sequencer.execute(createBlockFromRLP(rlp, { common })),
      // it throws if anything is not as the header says
      check: () => {},
    },
    {
      name: "chunkproof",
      run: () => verdict(block, keys, bytes),
      check: (/** @type {any} */ { valid }) => must(valid, "a valid block is refused"),
    },
    {
      name: "chunkproof, chunk proofs only",
      run: () => (chunks.length === 0 ? { valid: true } : verifyChunks(keys, drawn, chunks)),
      check: (/** @type {any} */ { valid }) => must(valid, "valid chunks are refused"),
    },
  ];
  const { seconds, ...others } = budget;
  const row = await compare(`verify ${block.name}`, {}, contenders, { ...others, seconds: Math.min(seconds, 10) });
  const all = row.times.chunkproof.median;
  const batch = row.times["chunkproof, chunk proofs only"].median;
  report({
    ...row,
    block: {
      ...infoOf(block, proved),
      verify: all,
      native: all - batch,
      perChunk: chunks.length === 0 ? 0 : batch / chunks.length,
      execution: row.times[EXECUTION].median,
    },
  });
}

const grouped = (/** @type {number} */ n) => Math.round(n).toLocaleString("en-US");

/** Tables of what the comparisons come to. */
export function summary(/** @type {any[]} */ rows) {
  const table = (/** @type {string[]} */ head, /** @type {string[][]} */ body) => {
    const cells = [head, ...body];
    const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
    const line = (/** @type {string[]} */ row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
    return [line(head), `| ${widths.map((w) => "-".repeat(w)).join(" | ")} |`, ...body.map(line)].join("\n");
  };
  const median = (/** @type {any} */ row, /** @type {string} */ key) => {
    const found = row.extras.chunkproof?.[key];
    return found === undefined ? "" : short(found.median);
  };
  const proving = rows.filter(({ block }) => block?.stepsPerSecond !== undefined);
  const verifying = rows.filter(({ block }) => block?.verify !== undefined);
  const stages = ["trace", "rows", "commit", "solve", "prove"];
  return [
    table(
      [
        "proving",
        "threads",
        "steps",
        "rows",
        "chunks",
        "bytes",
        "ms",
        "steps/s",
        "rows/s",
        ...stages.map((s) => `${s} ms`),
      ],
      proving.map((row) => [
        row.name.replace("prove ", ""),
        String(row.params.threads),
        ...[row.block.steps, row.block.rows, row.block.chunks, row.block.proofBytes].map(grouped),
        ...[row.times.chunkproof.median, row.block.stepsPerSecond, row.block.rowsPerSecond].map(grouped),
        ...stages.map((stage) => median(row, stage)),
      ]),
    ),
    table(
      ["verifying", "transactions", "gas", "verifyBlock ms", "native ms", "a chunk ms", `${EXECUTION} ms`],
      verifying.map(({ name, block }) => [
        name.replace("verify ", ""),
        ...[block.transactions, block.gasUsed].map(grouped),
        ...[block.verify, block.native, block.perChunk, block.execution].map(short),
      ]),
    ),
    [
      "Stages are wall-clock, but for `solve`: the sum over all chunks, within the time of `prove`. Native: `verifyBlock` less",
      "the chunk proofs. A chunk: its share of a batch.",
    ].join("\n"),
  ].join("\n\n");
}
