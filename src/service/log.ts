/**
 * Logs of the services: one JSON object a line, on stdout. What must not be read by whoever reads logs never gets there.
 *
 * @module
 */

import { type DestinationStream, destination, type Logger, pino, stdSerializers, stdTimeFunctions } from "pino";

export type Log = Logger;

/** Levels of {@link createLog}; `silent` writes nothing. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Options of {@link createLog}. */
export interface LogOptions {
  readonly level: LogLevel;
  /** Of the service. */
  readonly name: string;
  /** Default: stdout. */
  readonly stream?: DestinationStream | undefined;
  /** Texts that are replaced wherever they appear, in messages of other people's errors too. */
  readonly secrets?: readonly string[] | undefined;
}

const CENSORED = "[redacted]";

/** Fields that hold secrets, by themselves, one level down, and in the headers of a request. */
const SECRET_FIELDS = ["token", "password", "secret", "authorization", "cookie"];
const REDACTED = [
  ...SECRET_FIELDS,
  ...SECRET_FIELDS.map((name) => `*.${name}`),
  "headers.authorization",
  "*.headers.authorization",
  "headers.cookie",
  "*.headers.cookie",
];

/** `user:password@` of an address, and a bearer token, in whatever text. Bounded, so that no line takes long. */
const CREDENTIALS = /(:\/\/)[^\s/@"\\]{0,512}@|(\bBearer\s+)[^\s"\\]{1,1024}/gi;

/** Shorter ones would replace parts of words. */
const MIN_SECRET = 6;

/** Leaves out credentials of addresses, bearer tokens, and what is in `secrets`. */
export function redactText(text: string, secrets: readonly string[] = []): string {
  let out = text.replace(
    CREDENTIALS,
    (_all, scheme?: string, bearer?: string) => `${scheme ?? bearer}${CENSORED}${scheme === undefined ? "" : "@"}`,
  );
  for (const secret of secrets) {
    if (secret.length < MIN_SECRET) continue;
    // as it is, and as JSON and addresses write it
    for (const form of new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])) {
      out = out.replaceAll(form, CENSORED);
    }
  }
  return out;
}

/** A log. Children say what a line is about: `block`, `chunk`, `job`, `worker`. */
export function createLog(options: LogOptions): Log {
  const { level, name, secrets = [] } = options;
  // written before the call returns: the last lines of a process that dies are those one wants to read
  const stream = options.stream ?? destination({ fd: process.stdout.fd, sync: true });
  const clean: DestinationStream = { write: (line) => void stream.write(redactText(line, secrets)) };
  return pino(
    {
      level,
      base: { name, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.err, error: stdSerializers.err },
      redact: { paths: REDACTED, censor: CENSORED },
    },
    clean,
  );
}

/** A log that keeps nothing, for who was given none. */
export function silentLog(): Log {
  return pino({ level: "silent" });
}
