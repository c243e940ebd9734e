/** Assertions about what `src/trace` refuses. @module */

import { expect } from "vitest";
import { TraceError, type TraceErrorCode } from "../../src/trace/errors.js";

/** The TraceError that `action` fails with; anything else fails the test. */
export async function traceErrorOf(action: () => unknown): Promise<TraceError> {
  try {
    await action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(TraceError);
    return error as TraceError;
  }
  throw new Error("expected a TraceError, but nothing was thrown");
}

/** Expects a TraceError with exactly this code and place. */
export async function expectTraceError(
  action: () => unknown,
  code: TraceErrorCode,
  where: string | undefined,
): Promise<TraceError> {
  const error = await traceErrorOf(action);
  expect({ code: error.code, where: error.where }, error.message).toEqual({ code, where });
  return error;
}
