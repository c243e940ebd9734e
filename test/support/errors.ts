/** Assertions about errors: tests name the exact rejection. @module */

import { expect } from "vitest";
import { FormatError } from "../../src/errors.js";

/** The FormatError that `action` fails with; anything else fails the test. */
export async function formatErrorOf(action: () => unknown): Promise<FormatError> {
  try {
    await action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(FormatError);
    return error as FormatError;
  }
  throw new Error("expected a FormatError, but nothing was thrown");
}

/** Expects a FormatError with this code whose message begins with the file's name. */
export async function expectFormatError(action: () => unknown, code: string, name: string): Promise<FormatError> {
  const error = await formatErrorOf(action);
  expect({ code: error.code, message: error.message }).toEqual({
    code,
    message: expect.stringMatching(new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`)),
  });
  return error;
}
