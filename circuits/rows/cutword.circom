// Provider of CUT: the first m bytes of a word, 1 <= m <= 31, where they are; the others 0.
//
// Receives CUT(m; hi, lo; top) with the free multiplicity mult, which is 0 unless m != 0 (act = 1); everything else is
// true whatever mult is, so that whatever is received is true.
// m = 16*w + v, v < 16, P = 256^v of POW2 (see Bytes). The half that is cut is x = hi if w = 0, lo if w = 1. With x*P =
// 2^128*head + rest (see Split), kept*P = 2^128*head: in the field P has an inverse, and so does among integers that
// which divides 2^128: kept = head*(2^128/P), the first v bytes of x in their place. The word's first m bytes are kept
// and 0 if w = 0, hi and kept if w = 1.
// hi, lo < 2^128 by whoever asks: for other halves, which no row sends, nothing is promised.
// It asks ranges and powers only, which the verifier provides: no circle of lookups.
// Padding (m = 0): nothing is received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../words.circom";

template Cutword() {
    signal input alpha;
    signal input b[17];
    signal input m, mInverse, w, P, hi, lo, kept;
    signal input a0, a1, a2, a3, a4, a5, a6, a7, r0, r1, r2, r3, r4, r5, r6;
    signal input mult;
    signal output y;

    component count = Bytes();
    count.alpha <== alpha; count.b <== b;
    count.m <== m; count.mInverse <== mInverse; count.w <== w; count.P <== P;
    mult * (1 - count.act) === 0;

    signal x <== hi + w * (lo - hi);
    component half = Split();
    half.alpha <== alpha; half.b <== b; half.half <== x; half.P <== P;
    half.head <== [a0, a1, a2, a3, a4, a5, a6, a7]; half.rest <== [r0, r1, r2, r3, r4, r5, r6];
    kept * P === 2 ** 128 * half.first;

    signal pHi <== b[6] * hi;
    signal pLo <== b[7] * lo;
    // kept stands at coordinate 11, or at 12 with hi before it
    signal whole <== w * pHi;
    signal before <== b[5] * whole;
    signal place <== b[11] + w * (b[12] - b[11]);
    signal cut <== place * kept;
    component entry = Fraction();
    entry.alpha <== alpha; entry.m <== mult; entry.f <== m + pHi + pLo + before + cut + CUT() * b[16];

    y <== count.y + half.y - entry.y;
}
