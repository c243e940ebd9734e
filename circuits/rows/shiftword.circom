// Provider of SHIFT: a word moved by bytes, m of them, 1 <= m <= 31. Down to its first m bytes, A = floor(W / 256^(32 -
// m)); and up, Z = 256^m*W mod 2^256.
//
// Receives SHIFT(m; W; A, Z) with the free multiplicity mult, which is 0 unless m != 0 (act = 1); everything else is true
// whatever mult is, so that whatever is received is true.
// m = 16*w + v, v < 16, P = 256^v of POW2 (see Bytes). With hi*P = 2^128*x0 + y0 and lo*P = 2^128*x1 + y1 (see Split),
// 256^v*W in three halves is x0, y0 + x1, y1; x1 < P and P divides y0 < 2^128: no carry. Those are the lower half of A
// and both of Z if w = 0; if w = 1 they stand one half further up. In the coordinates 11 to 14 of A and Z that is a
// factor beta. hi, lo < 2^128 by whoever asks: for other halves, which no row sends, nothing is promised. A and Z are
// words then. It asks ranges and powers only, which the verifier provides: no circle of lookups.
// Padding (m = 0): nothing is received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../words.circom";

template Shiftword() {
    signal input alpha;
    signal input b[17];
    signal input m, mInverse, w, P, hi, lo;
    signal input a0, a1, a2, a3, a4, a5, a6, a7, r0, r1, r2, r3, r4, r5, r6;
    signal input c0, c1, c2, c3, c4, c5, c6, c7, s0, s1, s2, s3, s4, s5, s6;
    signal input mult;
    signal output y;

    component count = Bytes();
    count.alpha <== alpha; count.b <== b;
    count.m <== m; count.mInverse <== mInverse; count.w <== w; count.P <== P;
    mult * (1 - count.act) === 0;

    component upper = Split();
    upper.alpha <== alpha; upper.b <== b; upper.half <== hi; upper.P <== P;
    upper.head <== [a0, a1, a2, a3, a4, a5, a6, a7]; upper.rest <== [r0, r1, r2, r3, r4, r5, r6];
    component lower = Split();
    lower.alpha <== alpha; lower.b <== b; lower.half <== lo; lower.P <== P;
    lower.head <== [c0, c1, c2, c3, c4, c5, c6, c7]; lower.rest <== [s0, s1, s2, s3, s4, s5, s6];

    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    // the three halves from coordinate 12 on, or from 11 on
    signal middle <== b[1] * (upper.others + lower.first);
    signal end <== b[2] * lower.others;
    signal place <== b[12] + w * (b[11] - b[12]);
    signal moved <== place * (upper.first + middle + end);
    component entry = Fraction();
    entry.alpha <== alpha; entry.m <== mult; entry.f <== m + word.w + moved + SHIFT() * b[16];

    y <== count.y + upper.y + lower.y - entry.y;
}
