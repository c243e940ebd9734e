/**
 * The worker's side of remote.js.
 *
 * @module
 */

import { localSession } from "./session.js";

/** @typedef {import("./remote.js").Answer} Answer */
/** @typedef {import("./remote.js").Request} Request */

const session = localSession();
/** Of the calls under way, by id. @type {Map<number, AbortController>} */
const controllers = new Map();

/** @param {Answer} answer */
const post = (answer) => self.postMessage(answer);

/** @param {number} id @param {string} method @param {any[]} args @param {AbortSignal} signal @returns {Promise<unknown>} */
async function run(id, method, args, signal) {
  switch (method) {
    case "open":
      return session.open(args[0]);
    case "verify":
      return session.verify(args[0]);
    case "goOn":
      return session.goOn();
    case "follow":
      return session.follow(args[0], args[1], signal, (event) => post({ id, event }));
    default:
      throw new Error(`no such method: ${method}`);
  }
}

self.addEventListener("message", async ({ data }) => {
  const request = /** @type {Request} */ (data);
  const { id } = request;
  if ("abort" in request) return controllers.get(id)?.abort();
  const controller = new AbortController();
  controllers.set(id, controller);
  try {
    post({ id, result: await run(id, request.method, request.args, controller.signal) });
  } catch (error) {
    const { message = String(error), code } = /** @type {any} */ (error ?? {});
    post({ id, error: { message, code } });
  } finally {
    controllers.delete(id);
  }
});
