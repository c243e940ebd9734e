/**
 * What the commands of the services have in common: options from a table, a log instead of results, and an end by signal.
 *
 * @module
 */

import { Command } from "commander";
import {
  CONFIG_OPTION,
  type ConfigOf,
  describeConfig,
  describeOptions,
  type LoadedConfig,
  loadConfig,
  type OptionTable,
} from "../service/config.js";
import { type EndSignal, runService, type Service, StartInterrupted } from "../service/lifecycle.js";
import { createLog, type Log, type LogLevel } from "../service/log.js";
import { KNOWN_VARIABLES } from "../service/options.js";
import { VERSION } from "../version.js";
import { EXIT, Output } from "./output.js";

/** Variables that some command knows. */
export const knownVariables = (): readonly string[] => KNOWN_VARIABLES;

/** Adds the options of a table. Their values stay text: `loadConfig` reads them, wherever they come from. */
export function addOptions(c: Command, table: OptionTable): Command {
  for (const { flags, help } of describeOptions(table)) c.option(flags, help);
  return c;
}

/** What a service starts with. */
export interface StartContext<Table extends OptionTable> {
  readonly config: ConfigOf<Table>;
  readonly loaded: LoadedConfig<Table>;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Keeps a text out of the log: a token that came from a file. */
  hide(secret: string | undefined): void;
}

/** A service's command. */
export interface ServiceCommand<Table extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  readonly table: Table;
  /** Said after the options. */
  readonly notes?: string;
  readonly start: (context: StartContext<Table>) => Promise<Service>;
}

interface CommonConfig {
  readonly logLevel: LogLevel;
  readonly drainTimeout: number;
}

/** After its end a service has this long, in ms, for what it may have left behind; then the process ends all the same. */
const LEFTOVERS = 3000;

/** Values of secret options. An address is secret for its password: what is around it may be said. */
function secretsOf(table: OptionTable, config: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(table).flatMap(([name, { secret }]) => {
    const value = config[name];
    if (!secret || typeof value !== "string") return [];
    if (!URL.canParse(value)) return [value];
    const { password } = new URL(value);
    return password === "" ? [] : [password, decodeURIComponent(password)];
  });
}

/** Runs a service to its end. @returns the exit code. */
export async function runServiceCommand<Table extends OptionTable>(
  command: ServiceCommand<Table>,
  flags: object,
): Promise<number> {
  const { name, table, start } = command;
  const out = new Output(name, {});
  let log: Log | undefined;
  try {
    const loaded = await loadConfig(table, { ...flags }, { knownVariables: knownVariables() });
    const { logLevel, drainTimeout } = loaded.config as unknown as CommonConfig;
    const secrets = secretsOf(table, loaded.config);
    const hide = (secret: string | undefined) => {
      if (secret !== undefined) secrets.push(secret);
    };
    const own = createLog({ level: logLevel, name, secrets });
    log = own;
    own.info({ version: VERSION, node: process.versions.node, config: describeConfig(table, loaded) }, "starting");
    if (loaded.strangers.length > 0) own.warn({ variables: loaded.strangers }, "variables that no option has");
    const { how, signal } = await runService(
      (signal) => start({ config: loaded.config, loaded, log: own, signal, hide }),
      {
        drain: drainTimeout,
        log: own,
      },
    );
    // who was told to end and had to leave work behind says so
    return how === "abandoned" && signal !== undefined ? EXIT[signal] : EXIT.ok;
  } catch (error) {
    if (error instanceof StartInterrupted) return EXIT[error.signal satisfies EndSignal];
    log?.fatal({ err: error }, "ended by an error");
    return out.error(error);
  }
}

/** A service, with the types that follow from its table. */
export const service = <const Table extends OptionTable>(command: ServiceCommand<Table>): ServiceCommand<Table> =>
  command;

/** Makes the command of a service. */
export function serviceCommand<Table extends OptionTable>(command: ServiceCommand<Table>): Command {
  const { name, summary, table, notes } = command;
  const c = new Command(name).description(summary);
  addOptions(c, table)
    .option(CONFIG_OPTION.flags, CONFIG_OPTION.help)
    .addHelpText(
      "after",
      `
Every option may also be a variable, CHUNKPROOF_ and its name (CHUNKPROOF_LOG_LEVEL), or a field of --config; the command line
comes first, then variables, then the file. Sizes: 512MiB, 4GiB. Durations: 500ms, 30s, 5m.
The log goes to stdout, one JSON object a line. SIGTERM or Ctrl-C: ends when what was begun is finished, at the latest after
--drain-timeout; a second one ends it at once. Exit codes: ${EXIT.ok} ended, ${EXIT.usage} options, keys or a network that does not fit, ${EXIT.internal} the machine or
a service it needs, ${EXIT.SIGINT} or ${EXIT.SIGTERM} ended by a signal before everything was finished.${notes === undefined ? "" : `\n${notes}`}`,
    );
  return c.action(async (flags: object) => {
    process.exitCode = await runServiceCommand(command, flags);
    // nothing that a service left behind may keep the process; if nothing is left, this does not either
    setTimeout(() => process.exit(), LEFTOVERS).unref();
  });
}
