/**
 * `chunkproof groth16 …`: the commands of snarkjs' group of the same name, arguments in the same order, and the two steps
 * around them that need no ceremony. What only one command needs is imported by that command.
 *
 * @module
 */

import { Command } from "commander";
import { writeFileAtomic, writeFilesAtomic } from "#platform";
import { readJson, stringifyProof, stringifyPublic, stringifyVerifyingKey } from "../formats/json.js";
import { loadProvingKey, prove, type Source } from "../prover/index.js";
import type { VerifierError, VerifierErrorCode, VerifyingKey } from "../verifier/index.js";
import {
  type BackendOptions,
  command,
  runCommand,
  type ThreadOptions,
  type Work,
  warnFallback,
  withBackend,
  withThreads,
} from "./command.js";
import { checkWritable, inFile, nameOf } from "./files.js";
import { EXIT, type Output, type OutputOptions } from "./output.js";
import { calculateApart } from "./witness.js";

interface ProveCommandOptions extends ThreadOptions, BackendOptions {
  readonly selfCheck: boolean;
}

interface VerifyCommandOptions extends OutputOptions {
  readonly allowUncontributed?: boolean;
}

/** Runs one of the group's commands. */
const run = (name: string, options: OutputOptions, work: Work): Promise<void> =>
  runCommand(`groth16 ${name}`, options, work);

const text = (content: string): Uint8Array[] => [new TextEncoder().encode(`${content}\n`)];

function proveCommand(name: string, summary: string): Command {
  return withBackend(withThreads(command(name, summary))).option(
    "--no-self-check",
    "do not verify the proof before it is written",
  );
}

/** The files of a command that proves. */
interface ProveFiles {
  readonly zkey: string;
  /** What the witness comes from. */
  readonly inputs: readonly string[];
  readonly proofPath: string;
  readonly publicPath: string;
}

/** @param witness comes while the key is loaded; whatever fails first ends the other. */
async function proveTo(
  { zkey, inputs, proofPath, publicPath }: ProveFiles,
  witness: (signal: AbortSignal) => Promise<Source>,
  { threads, selfCheck, backend }: ProveCommandOptions,
  out: Output,
  interrupt: AbortSignal,
): Promise<number> {
  await checkWritable([proofPath, publicPath], [zkey, ...inputs]);
  const onProgress = await out.progress();
  const ending = new AbortController();
  const { signal } = ending;
  interrupt.addEventListener("abort", () => ending.abort(interrupt.reason), { once: true });
  interrupt.throwIfAborted();
  const computed = witness(signal);
  computed.catch((error) => ending.abort(error));
  try {
    await using key = await loadProvingKey(zkey, { threads, signal, onProgress });
    const proved = await prove(key, await computed, { signal, onProgress, selfCheck, backend });
    const { proof, publicSignals } = proved;
    const files = [
      { path: publicPath, pieces: text(stringifyPublic(publicSignals)) },
      { path: proofPath, pieces: text(stringifyProof(proof)) },
    ];
    await writeFilesAtomic(files, signal);
    warnFallback(out, [proved.backend]);
    out.result(`proof written to ${proofPath}, ${publicSignals.length} public signals to ${publicPath}`, {
      proof: proofPath,
      public: publicPath,
      nPublic: publicSignals.length,
      selfChecked: selfCheck,
      ...key.info(),
      backend,
      ...proved.backend,
    });
    return EXIT.ok;
  } catch (error) {
    ending.abort(error);
    throw error;
  }
}

/** What says that a file holds no proof or no public signals at all: bad input, and no verdict on a proof. */
const FOREIGN: ReadonlySet<VerifierErrorCode> = new Set<VerifierErrorCode>([
  "SIGNALS_MALFORMED",
  "PROOF_MALFORMED",
  "PROOF_PROTOCOL",
  "PROOF_CURVE",
]);

async function verifyFiles(
  vkeyPath: string,
  publicPath: string,
  proofPath: string,
  { allowUncontributed = false }: VerifyCommandOptions,
  out: Output,
  signal: AbortSignal,
): Promise<number> {
  const { assertValid, parseProof, parsePublicSignals, parseVerifyingKey, VerifierError } = await import(
    "../verifier/index.js"
  );
  /** What a check has against the content of a file. */
  const faultOf = (path: string, check: () => unknown): VerifierError | undefined => {
    try {
      check();
      return undefined;
    } catch (error) {
      if (error instanceof VerifierError) return inFile(path, error);
      throw error;
    }
  };
  const vkJson = await readJson(vkeyPath, "verifying key", signal);
  const publicSignals = await readJson(publicPath, "public signals", signal);
  const proofJson = await readJson(proofPath, "proof", signal);
  let vk: VerifyingKey;
  try {
    vk = parseVerifyingKey(vkJson, { allowUncontributed });
  } catch (error) {
    throw inFile(vkeyPath, error);
  }
  let proof: unknown;
  const faults = [
    faultOf(publicPath, () => parsePublicSignals(publicSignals, vk)),
    faultOf(proofPath, () => {
      proof = parseProof(proofJson);
    }),
  ];
  const foreign = faults.find((fault) => fault !== undefined && FOREIGN.has(fault.code));
  if (foreign !== undefined) throw foreign;
  const reason =
    faults.find((fault) => fault !== undefined) ?? faultOf(proofPath, () => assertValid(vk, publicSignals, proof));
  if (reason !== undefined) {
    const { code, message } = reason;
    out.result(`INVALID: ${message} [${code}]`, { valid: false, reason: code, message }, false);
    return EXIT.invalid;
  }
  out.result("OK: the proof is valid", { valid: true });
  return EXIT.ok;
}

/** The group `groth16`. */
export function groth16Command(): Command {
  const group = new Command("groth16").description("prove, verify and set up Groth16 over BN254 with snarkjs' files");

  group.addCommand(
    proveCommand("prove", "prove a witness")
      .argument("<zkey>", "proving key, .zkey")
      .argument("<wtns>", "witness, .wtns")
      .argument("<proof.json>", "proof to write")
      .argument("<public.json>", "public signals to write")
      .action((zkey: string, wtns: string, proofPath: string, publicPath: string, options: ProveCommandOptions) =>
        run("prove", options, (out, signal) =>
          proveTo({ zkey, inputs: [wtns], proofPath, publicPath }, async () => wtns, options, out, signal),
        ),
      ),
  );

  group.addCommand(
    proveCommand("fullprove", "compute the witness from inputs and prove it")
      .argument("<input.json>", "input signals by name")
      .argument("<wasm>", "witness calculator that circom wrote, .wasm")
      .argument("<zkey>", "proving key, .zkey")
      .argument("<proof.json>", "proof to write")
      .argument("<public.json>", "public signals to write")
      .action(
        (
          inputPath: string,
          wasm: string,
          zkey: string,
          proofPath: string,
          publicPath: string,
          options: ProveCommandOptions,
        ) =>
          run("fullprove", options, (out, interrupt) =>
            proveTo(
              { zkey, inputs: [inputPath, wasm], proofPath, publicPath },
              // a file for its name: errors about the witness say whose it is
              async (signal) =>
                new File([await calculateApart({ inputPath, wasm }, signal)], `witness of ${nameOf(wasm)}`),
              options,
              out,
              interrupt,
            ),
          ),
      ),
  );

  group.addCommand(
    command("verify", `verify a proof; exit code ${EXIT.ok} valid, ${EXIT.invalid} invalid, ${EXIT.usage} bad files`)
      .argument("<vkey.json>", "verifying key")
      .argument("<public.json>", "public signals")
      .argument("<proof.json>", "proof")
      .option("--allow-uncontributed", "accept a key without any contribution, for which anybody can forge proofs")
      .action((vkeyPath: string, publicPath: string, proofPath: string, options: VerifyCommandOptions) =>
        run("verify", options, (out, signal) => verifyFiles(vkeyPath, publicPath, proofPath, options, out, signal)),
      ),
  );

  group.addCommand(
    withThreads(command("setup", "make a development key, NOT FOR PRODUCTION, from a circuit"))
      .argument("<r1cs>", "constraint system, .r1cs")
      .argument("<zkey>", "proving key to write")
      .action((r1cs: string, zkeyPath: string, options: ThreadOptions) =>
        run("setup", options, async (out, signal) => {
          const { DEVELOPMENT_WARNING, setup } = await import("../setup/index.js");
          out.warn(DEVELOPMENT_WARNING);
          await checkWritable([zkeyPath], [r1cs]);
          const { zkey, nConstraints, nVars, nPublic, domainSize } = await setup(r1cs, {
            threads: options.threads,
            signal,
            onProgress: await out.progress(),
          });
          await writeFileAtomic(zkeyPath, zkey, signal);
          out.result(`development key for ${nConstraints} constraints written to ${zkeyPath}`, {
            zkey: zkeyPath,
            nConstraints,
            nVars,
            nPublic,
            domainSize,
            warning: DEVELOPMENT_WARNING,
          });
          return EXIT.ok;
        }),
      ),
  );

  group.addCommand(
    command("vkey", "export the verifying key of a proving key")
      .argument("<zkey>", "proving key, .zkey")
      .argument("<vkey.json>", "verifying key to write")
      .action((zkey: string, vkeyPath: string, options: OutputOptions) =>
        run("vkey", options, async (out, signal) => {
          await checkWritable([vkeyPath], [zkey]);
          const { exportVerifyingKey } = await import("../setup/index.js");
          const vk = await exportVerifyingKey(zkey, signal);
          await writeFileAtomic(vkeyPath, text(stringifyVerifyingKey(vk)), signal);
          out.result(`verifying key with ${vk.nPublic} public signals written to ${vkeyPath}`, {
            vkey: vkeyPath,
            nPublic: vk.nPublic,
          });
          return EXIT.ok;
        }),
      ),
  );
  return group;
}
