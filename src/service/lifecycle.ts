/**
 * How a service starts and ends. The first SIGTERM or SIGINT lets it finish what it has begun, for a bounded time; the second
 * ends the process at once.
 *
 * @module
 */

import { constants } from "node:os";
import { type Log, silentLog } from "./log.js";

/** Signals that end a service. */
export const END_SIGNALS = ["SIGINT", "SIGTERM"] as const;
export type EndSignal = (typeof END_SIGNALS)[number];

/** A service that has started. */
export interface Service {
  /**
   * Takes no more work and finishes what was begun; once `signal` is aborted, ends without finishing. Called once.
   * Resolves when nothing of the service is left.
   */
  close(signal: AbortSignal): Promise<void>;
  /** Ends when the service has ended by itself; rejects with why it could not go on. Default: never. */
  readonly ended?: Promise<void> | undefined;
}

/** What of a process is needed here. */
export interface ProcessLike {
  on(event: EndSignal, listener: () => void): unknown;
  off(event: EndSignal, listener: () => void): unknown;
  exit(code: number): unknown;
}

/** Options of {@link runService}. */
export interface RunOptions {
  /** Milliseconds for finishing what was begun. */
  readonly drain: number;
  readonly log?: Log | undefined;
  /** Default: this one. */
  readonly process?: ProcessLike | undefined;
}

/** How a service ended. */
export interface Ended {
  /** `itself`: without a signal; `drained`: all that was begun is finished; `abandoned`: not within the bound. */
  readonly how: "itself" | "drained" | "abandoned";
  readonly signal?: EndSignal | undefined;
}

/** A service that was told to end before it had started. */
export class StartInterrupted extends Error {
  constructor(readonly signal: EndSignal) {
    super(`interrupted by ${signal}`);
    this.name = "StartInterrupted";
  }
}

/** What a service that is told to abandon its work may still take, milliseconds: to close files and connections. */
const LAST = 5000;

/**
 * Runs a service until it ends or is told to.
 *
 * @param start gets a signal that is aborted when it is told to end before it has started.
 * @throws what `start` throws, `StartInterrupted`; what `ended` rejects with, after `close`; what `close` throws.
 */
export async function runService(
  start: (signal: AbortSignal) => Promise<Service>,
  options: RunOptions,
): Promise<Ended> {
  const { drain, log = silentLog(), process: host = process } = options;
  const starting = new AbortController();
  let ending: EndSignal | undefined;
  let told: (signal: EndSignal) => void = () => {};
  const toldToEnd = new Promise<EndSignal>((resolve) => {
    told = resolve;
  });
  const listeners = END_SIGNALS.map((name) => {
    const listener = () => {
      if (ending !== undefined) {
        log.warn({ signal: name }, "told to end a second time: ending at once");
        host.exit(128 + constants.signals[name]);
        return;
      }
      ending = name;
      log.info({ signal: name, drain }, "told to end: finishing what was begun");
      starting.abort(new StartInterrupted(name));
      told(name);
    };
    host.on(name, listener);
    return [name, listener] as const;
  });
  try {
    const service = await start(starting.signal);
    let failure: { readonly error: unknown } | undefined;
    const itself = service.ended?.then(
      () => undefined,
      (error: unknown) => {
        failure = { error };
        return undefined;
      },
    );
    // a service that came up although it was told to end is closed as any other
    const signal = ending ?? (await (itself === undefined ? toldToEnd : Promise.race([toldToEnd, itself])));
    if (signal === undefined) log.info("ended by itself: closing");
    const finished = await closeWithin(service, drain, log);
    if (failure !== undefined) throw failure.error;
    if (signal === undefined) return { how: "itself" };
    log.info({ signal, finished }, "ended");
    return { how: finished ? "drained" : "abandoned", signal };
  } finally {
    for (const [name, listener] of listeners) host.off(name, listener);
  }
}

/** @returns whether what was begun could be finished. */
async function closeWithin(service: Service, drain: number, log: Log): Promise<boolean> {
  const giveUp = new AbortController();
  let finished = true;
  const timers: NodeJS.Timeout[] = [];
  // they are not unref'd: a service must not be able to end the process by doing nothing
  const bound = new Promise<void>((resolve) => {
    timers.push(
      setTimeout(() => {
        finished = false;
        log.warn({ drain }, "not finished in time: the rest is left to others");
        giveUp.abort(new Error("the time to finish is over"));
        timers.push(
          setTimeout(() => {
            log.error("does not end: leaving it");
            resolve();
          }, LAST),
        );
      }, drain),
    );
  });
  try {
    await Promise.race([service.close(giveUp.signal), bound]);
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
  return finished;
}
