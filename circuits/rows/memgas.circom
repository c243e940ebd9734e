// Provider of MEMGAS: what a memory of w words costs, 3*w + floor(w^2/512) (Yellow Paper H.1, C_mem).
//
// Receives MEMGAS(cost, w) with the free multiplicity mult; everything else holds unconditionally, so that whatever is
// received is true.
// w < 2^20: lower half of RANGE_16, wHigh of RANGE_4. q < 2^32: lower half and qHigh of RANGE_16. With w^2 - 512*q in RANGE_9,
// w^2 = 512*q + remainder is an equation of integers below 2^42, and q is the quotient. It asks ranges only, which the
// verifier provides: no circle of lookups.
// Padding: w = 0, which is true: a memory of no words costs nothing.
pragma circom 2.2.0;

include "../bus.circom";

template Memgas() {
    signal input alpha;
    signal input b[17];
    signal input w, wHigh, q, qHigh, mult;
    signal output y;

    signal square <== w * w;

    component low = InRange(RANGE_16());
    low.alpha <== alpha; low.b <== b; low.value <== w - BITS16() * wHigh;
    component high = InRange(RANGE_4());
    high.alpha <== alpha; high.b <== b; high.value <== wHigh;
    component quotient = InRange32();
    quotient.alpha <== alpha; quotient.b <== b; quotient.value <== q; quotient.high <== qHigh;
    component remainder = InRange(RANGE_9());
    remainder.alpha <== alpha; remainder.b <== b; remainder.value <== square - 512 * q;

    signal pCost <== b[5] * (3 * w + q);
    signal pWords <== b[8] * w;
    component entry = Fraction();
    entry.alpha <== alpha; entry.m <== mult; entry.f <== pCost + pWords + MEMGAS() * b[16];

    y <== low.y + high.y + quotient.y + remainder.y - entry.y;
}
