/** Where `@opentelemetry/api` is not installed. */

import { expect, test, vi } from "vitest";
import { span, traceparent } from "../../../src/service/telemetry.js";

vi.mock("@opentelemetry/api", () => {
  throw Object.assign(new Error("Cannot find package '@opentelemetry/api'"), { code: "ERR_MODULE_NOT_FOUND" });
});

test("spans do nothing, and the work is done", async () => {
  const result = await span("job", { block: "ab" }, async (own) => {
    own.set({ more: 1 });
    return [own.traceparent, traceparent(), 7];
  });
  expect(result).toEqual([undefined, undefined, 7]);
  await expect(span("job", {}, () => Promise.reject(new Error("fails")), "parent")).rejects.toThrow("fails");
});
