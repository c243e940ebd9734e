/**
 * The quotient of the QAP: rows of the constraint matrices times the witness, and the scalars of the H bases.
 *
 * As in snarkjs the bases of H are Lagrange polynomials of the domain of size 2n at its odd points, so that the scalars are
 * just (A·B - C) at those points and nothing is divided; C is A·B on the domain itself.
 *
 * A matrix is in compressed rows: offsets (u32, rows + 1), wires (u32 each entry), coefficients (pairs of entries, c·R²).
 * The witness is an array of elements (canonical integers, not Montgomery), so that one product gives c·w in Montgomery form.
 */
import * as Fr from "./fr.generated";
import { recode } from "./scalars";
import { TLS, TLS_INV, TLS_MISC } from "./layout";

const PAIR = Fr.PAIR;
/** Products computed before they are summed by row; even. */
const CHUNK: u32 = 512;

/** Bytes of scratch for qapRows. */
export function qapScratch(): usize { return usize(CHUNK / 2 + 1) * PAIR; }

/** Limbs and digits of witness values from ≤ i < to. Returns -1, or the position of the first value ≥ r. */
export function qapWitness(limbs: usize, values: usize, from: u32, to: u32, digits: usize, halfStride: usize, windowStride: usize, c: u32, windows: u32): i32 {
  for (let i = from; i < to; i++) {
    const v = values + (usize(i) << 5);
    if (!Fr.bytesBelowP(v)) return i32(i);
    Fr.fromBytes(limbs + usize(i) * Fr.SIZE, v);
    if (windows != 0) recode(v, digits + (usize(i) << 1), halfStride, windowStride, c, windows);
  }
  return -1;
}

/** One coefficient: 32 bytes, c·2^512 (a zkey) or the canonical integer. Returns whether they are below r. */
export function qapCoefficient(pairs: usize, position: u32, src: usize, montgomery: bool): bool {
  const t = TLS + TLS_MISC;
  if (!Fr.bytesBelowP(src)) return false;
  if (montgomery) Fr.fromBytesR512(t, src);
  else {
    Fr.fromBytes(t, src);
    Fr.toMont(t, t);
    Fr.toMont(t, t);
  }
  Fr.putLane(pairs + usize(position >> 1) * PAIR, position & 1, t);
  return true;
}

/** Coefficients from ≤ i < to as a zkey holds them: c·2^512, canonical, 32 bytes each from out on. */
export function qapStoreCoefficients(out: usize, pairs: usize, from: u32, to: u32): void {
  const t = TLS + TLS_MISC, scratch = t + 96;
  for (let i = from; i < to; i++, out += 32) {
    // c·R², then c·R: the Montgomery form of c; twice times 2^256
    Fr.getLane(t, pairs + usize(i >> 1) * PAIR, i & 1);
    Fr.fromMont(t, t);
    Fr.toBytesR256(out, t, scratch);
    Fr.fromBytes(t, out);
    Fr.toMont(t, t);
    Fr.toBytesR256(out, t, scratch);
  }
}

/**
 * Counts entries by row, counts[row + 1] each, of zkey coefficient records (u32 matrix, u32 row, u32 wire, 32 bytes).
 * Returns -1, or the position of the first record with matrix > 1, row ≥ rows or wire ≥ nWires.
 */
export function qapCount(records: usize, n: u32, countsA: usize, countsB: usize, rows: u32, nWires: u32): i32 {
  for (let i: u32 = 0; i < n; i++) {
    const r = records + usize(i) * 44, row = load<u32>(r, 4);
    if (load<u32>(r) > 1 || row >= rows || load<u32>(r, 8) >= nWires) return i32(i);
    const at = (load<u32>(r) != 0 ? countsB : countsA) + (usize(row) << 2);
    store<u32>(at, load<u32>(at, 4) + 1, 4);
  }
  return -1;
}

/**
 * Sorts counted records into compressed rows; cursor of a row is its next free entry, offsets are where rows begin. Returns
 * -1, or the position of the first record with a coefficient ≥ r, or that was not among those counted: the source may have
 * changed in between, and nothing may be written elsewhere.
 */
export function qapLoad(records: usize, n: u32, rows: u32, nWires: u32, offsetsA: usize, offsetsB: usize, cursorsA: usize, cursorsB: usize, wiresA: usize, wiresB: usize, pairsA: usize, pairsB: usize): i32 {
  for (let i: u32 = 0; i < n; i++) {
    const r = records + usize(i) * 44, row = load<u32>(r, 4), wire = load<u32>(r, 8);
    if (load<u32>(r) > 1 || row >= rows || wire >= nWires) return i32(i);
    const isB = load<u32>(r) != 0;
    const cursor = (isB ? cursorsB : cursorsA) + (usize(row) << 2);
    const position = load<u32>(cursor);
    if (position >= load<u32>((isB ? offsetsB : offsetsA) + (usize(row) << 2), 4)) return i32(i);
    store<u32>(cursor, position + 1);
    store<u32>((isB ? wiresB : wiresA) + (usize(position) << 2), wire);
    if (!qapCoefficient(isB ? pairsB : pairsA, position, r + 12, true)) return i32(i);
  }
  return -1;
}

/** poly[i] = Σ c·witness[wire] over row i, for rows from ≤ i < to. */
export function qapRows(poly: usize, from: u32, to: u32, offsets: usize, wires: usize, pairs: usize, witness: usize, scratch: usize): void {
  const w = TLS + TLS_MISC, partial = w + 80;
  let row = from;
  let e = load<u32>(offsets + (usize(from) << 2));
  const end = load<u32>(offsets + (usize(to) << 2));
  let fresh = true;
  while (row < to) {
    // products of entries base .. stop, two by two on even positions
    const base = e & ~1, stop = min(end, base + CHUNK);
    for (let i = base; i < stop; i += 2) {
      const a = witness + usize(load<u32>(wires + (usize(i) << 2))) * Fr.SIZE;
      const b = i + 1 < stop ? witness + usize(load<u32>(wires + (usize(i) << 2), 4)) * Fr.SIZE : a;
      Fr.pairOf(w, a, b);
      Fr.mul2(scratch + usize((i - base) >> 1) * PAIR, pairs + usize(i >> 1) * PAIR, w);
    }
    for (;;) {
      const rowEnd = load<u32>(offsets + (usize(row) << 2), 4);
      const until = min(rowEnd, stop);
      const at = poly + usize(row >> 1) * PAIR;
      if (fresh) Fr.sumLanes(at, row & 1, scratch, e - base, until - e);
      else {
        // a row longer than the chunk: the sum so far, then the rest
        Fr.sumLanes(partial, 0, scratch, e - base, until - e);
        Fr.getLane(w, partial, 0);
        Fr.getLane(partial, at, row & 1);
        Fr.add(w, w, partial);
        Fr.putLane(at, row & 1, w);
      }
      e = until;
      fresh = until == rowEnd;
      if (fresh && ++row == to) return;
      if (e == stop && (!fresh || e != end)) break;
    }
  }
}

/** c = a·b pair by pair, on the rows from ≤ i < to (even bounds). */
export function qapProduct(c: usize, a: usize, b: usize, from: u32, to: u32): void {
  for (let i = usize(from >> 1) * PAIR; i < usize(to >> 1) * PAIR; i += PAIR) Fr.mul2(c + i, a + i, b + i);
}

/**
 * Scalars a·b - c of positions from ≤ i < to (even bounds) as digits of scalar -i mod n; and as 32 canonical bytes when
 * `bytes` is not 0.
 */
export function qapQuotient(a: usize, b: usize, c: usize, bits: u32, from: u32, to: u32, digits: usize, halfStride: usize, windowStride: usize, wbits: u32, windows: u32, bytes: usize): void {
  const n: u32 = 1 << bits, h = TLS + TLS_MISC + 512, s = h + 80, e = h + 160;
  for (let i = from; i < to; i += 2) {
    const o = usize(i >> 1) * PAIR;
    Fr.negLazy2(s, c + o);
    Fr.mulAdd2(h, a + o, b + o, s);
    Fr.mul2(h, h, Fr.INT_ONE_PAIR);
    for (let p: u32 = 0; p < 2; p++) {
      Fr.getLane(e, h, p);
      Fr.canonical(e, e);
      Fr.toBytes(s, e);
      const index = (n - i - p) & (n - 1);
      if (windows != 0) recode(s, digits + (usize(index) << 1), halfStride, windowStride, wbits, windows);
      if (bytes != 0) memory.copy(bytes + (usize(index) << 5), s, 32);
    }
  }
}

// ---------------------------------------------------------------- setup

/**
 * Lagrange polynomials at τ: out[i] = factor·x_i / (τ - x_i), x_i = first·step^i, i < n. Everything in Montgomery form (a
 * factor R times as large gives results R times as large); τ is none of the x_i. scratch: n elements.
 */
export function setupLagrange(out: usize, n: u32, first: usize, step: usize, tau: usize, factor: usize, scratch: usize): void {
  const x = TLS + TLS_MISC, run = x + 48, inverse = x + 96;
  Fr.copy(x, first);
  Fr.setOne(run);
  for (let i: usize = 0; i < n; i++) {
    const d = out + i * Fr.SIZE;
    Fr.sub(d, tau, x);
    Fr.mul(run, run, d);
    Fr.copy(scratch + i * Fr.SIZE, run);
    Fr.mul(x, x, step);
  }
  Fr.inv(inverse, run, TLS + TLS_INV);
  Fr.mul(run, inverse, factor);
  // run = factor / (d_0·…·d_i), and x_i = τ - d_i
  for (let i: usize = n; i-- > 0;) {
    const d = out + i * Fr.SIZE;
    Fr.sub(x, tau, d);
    if (i == 0) Fr.copy(inverse, run);
    else Fr.mul(inverse, run, scratch + (i - 1) * Fr.SIZE);
    Fr.mul(run, run, d);
    Fr.mul(d, x, inverse);
  }
}

/** sums[wires[i]] += c_i·rowValues[rows[i]], i < n, for canonical c_i (32 bytes each) and row values R times Montgomery. */
export function setupAccumulate(sums: usize, rowValues: usize, n: u32, rows: usize, wires: usize, coefficients: usize): void {
  const t = TLS + TLS_MISC;
  for (let i: usize = 0; i < n; i++) {
    const sum = sums + usize(load<u32>(wires + (i << 2))) * Fr.SIZE;
    Fr.fromBytes(t, coefficients + (i << 5));
    Fr.mul(t, t, rowValues + usize(load<u32>(rows + (i << 2))) * Fr.SIZE);
    Fr.add(sum, sum, t);
  }
}

/** values[i] = factor·values[i], i < n, canonical integers of 32 bytes in place. */
export function setupScale(values: usize, n: u32, factor: usize): void {
  const t = TLS + TLS_MISC;
  for (let i: usize = 0; i < n; i++) {
    const at = values + (i << 5);
    Fr.fromBytes(t, at);
    Fr.mul(t, t, factor);
    Fr.canonical(t, t);
    Fr.toBytes(at, t);
  }
}

/** n elements as canonical integers of 32 bytes. */
export function setupBytes(out: usize, elements: usize, n: u32): void {
  const t = TLS + TLS_MISC;
  for (let i: usize = 0; i < n; i++) {
    Fr.fromMont(t, elements + i * Fr.SIZE);
    Fr.toBytes(out + (i << 5), t);
  }
}

/** factor·(β·a_i + α·b_i + c_i), i < n, as canonical integers of 32 bytes. */
export function setupCombine(out: usize, a: usize, b: usize, c: usize, n: u32, alpha: usize, beta: usize, factor: usize): void {
  const t = TLS + TLS_MISC, u = t + 48;
  for (let i: usize = 0; i < n; i++) {
    const at = i * Fr.SIZE;
    Fr.mul(t, a + at, beta);
    Fr.mul(u, b + at, alpha);
    Fr.add(t, t, u);
    Fr.add(t, t, c + at);
    Fr.mul(t, t, factor);
    Fr.fromMont(t, t);
    Fr.toBytes(out + (i << 5), t);
  }
}
