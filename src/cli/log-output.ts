/**
 * What commands say of their work, in the log of a service.
 *
 * @module
 */

import type { OnProgress } from "../prover/index.js";
import type { Log } from "../service/log.js";
import { Output, type View } from "./output.js";

/** See the module. Results and errors are for services to tell themselves. */
export class LogOutput extends Output {
  readonly #log: Log;

  constructor(command: string, log: Log) {
    super(command, { quiet: true });
    this.#log = log;
  }

  override view<P>(view: View<P>): (progress: P) => void {
    return (progress) => {
      const line = view.progress(progress);
      if (line !== undefined) this.#log.info({}, line);
    };
  }

  override async progress(): Promise<OnProgress | undefined> {
    return undefined;
  }

  override warn(message: string): void {
    this.#log.warn({}, message);
  }

  override note(message: string): void {
    this.#log.info({}, message);
  }
}
