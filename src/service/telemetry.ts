/**
 * Spans for OpenTelemetry, if there is any: without the package `@opentelemetry/api`, or without an SDK that the operator has
 * started (`node --import`), all of this does nothing.
 *
 * @module
 */

import type { Span as ApiSpan, SpanContext } from "@opentelemetry/api";

type Api = typeof import("@opentelemetry/api");

/** Of a span. What is undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A span under way. */
export interface Span {
  /** Adds what became known meanwhile. */
  set(attributes: Attributes): void;
  /** What to give to whoever continues the work elsewhere; undefined without OpenTelemetry. */
  readonly traceparent: string | undefined;
}

let loading: Promise<Api | undefined> | undefined;
let loaded: Api | undefined;

/** The package, once it has been looked for. One that cannot be loaded is as good as none: spans never keep anybody from working. */
function load(): Promise<Api | undefined> {
  loading ??= import("@opentelemetry/api").then(
    (api) => {
      loaded = api;
      return api;
    },
    () => undefined,
  );
  return loading;
}

const known = (attributes: Attributes): Record<string, string | number | boolean> =>
  Object.fromEntries(
    Object.entries(attributes).filter((entry): entry is [string, string | number | boolean] => entry[1] !== undefined),
  );

/** W3C trace context, version 00: what jobs and requests carry. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

function parse(api: Api, text: string | undefined): SpanContext | undefined {
  const found = text === undefined ? null : TRACEPARENT.exec(text);
  if (found === null) return undefined;
  const context = { traceId: found[1]!, spanId: found[2]!, traceFlags: Number.parseInt(found[3]!, 16), isRemote: true };
  return api.isSpanContextValid(context) ? context : undefined;
}

function write(api: Api, span: ApiSpan | undefined): string | undefined {
  const context = span?.spanContext();
  if (context === undefined || !api.isSpanContextValid(context)) return undefined;
  return `00-${context.traceId}-${context.spanId}-${(context.traceFlags & 0xff).toString(16).padStart(2, "0")}`;
}

const NO_SPAN: Span = { set: () => {}, traceparent: undefined };

/**
 * Does something inside of a span. What it throws marks the span, and is thrown on.
 *
 * @param parent a {@link traceparent} from elsewhere; anything that is none is ignored. Default: the span around this call.
 */
export async function span<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => T | Promise<T>,
  parent?: string,
): Promise<T> {
  const api = await load();
  if (api === undefined) return work(NO_SPAN);
  const remote = parse(api, parent);
  const outer = api.context.active();
  const around = remote === undefined ? outer : api.trace.setSpanContext(outer, remote);
  return api.trace
    .getTracer("chunkproof")
    .startActiveSpan(name, { attributes: known(attributes) }, around, async (own) => {
      try {
        return await work({ set: (more) => void own.setAttributes(known(more)), traceparent: write(api, own) });
      } catch (error) {
        own.recordException(error instanceof Error ? error : String(error));
        const message = error instanceof Error ? error.message : String(error);
        own.setStatus({ code: api.SpanStatusCode.ERROR, message });
        throw error;
      } finally {
        own.end();
      }
    });
}

/**
 * The parent of all that is done for a block, by whichever process: its id is that of the trace. So a job need not carry
 * anything, and whoever has the id of a block finds its trace.
 */
export function parentOfBlock(block: string): string | undefined {
  return /^(?!0{16})[0-9a-f]{32}$/.test(block) ? `00-${block}-${block.slice(0, 16)}-01` : undefined;
}

/** The span around this call, for a job or a request; undefined if there is none. */
export function traceparent(): string | undefined {
  return loaded === undefined ? undefined : write(loaded, loaded.trace.getSpan(loaded.context.active()));
}
