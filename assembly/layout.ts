/**
 * Sizes and thread-local memory: the only place where bytes are handed out inside the module.
 *
 * Constants live in static memory, which all threads share and every instance rewrites with the same values. Whatever is
 * written at run time lives in the thread-local block, whose address is a WebAssembly global and so private to an instance.
 */

/** Start of this thread's block of TLS_SIZE bytes. */
export let TLS: usize = 0;

/** fq2: product scratch and inversion. */
export const TLS_FQ2: usize = 0;
/** Inversion scratch: 3 field elements. */
export const TLS_INV: usize = 512;
/** Curve formulas of G1 and G2: 24 elements of Fq2. */
export const TLS_CURVE: usize = 1536;
/** Batched additions: 16 pairs. */
export const TLS_BATCH: usize = 4096;
/** ntt, qap and scalar recoding. */
export const TLS_MISC: usize = 6144;
/** Written and never read, see scripts/field-fma.mjs. */
export const TLS_ANCHOR: usize = 8128;
export const TLS_SIZE: usize = 8192;

/** Gives this instance its thread-local block. */
export function setTls(base: usize): void { TLS = base; }

/** First byte after static data. */
export function heapBase(): usize { return __heap_base; }

/** Bytes of a thread-local block. */
export function tlsSize(): usize { return TLS_SIZE; }
