// Provider of WIDE: that a value is below 2^128. One request there instead of eight to RANGE_16, for checks that few rows
// make or that ask for the same values again and again.
//
// Receives WIDE(value) with the free multiplicity mult; everything else holds unconditionally, so that whatever is received
// is true: the value is the sum of l<i>*2^(16*i), each asked of RANGE_16, an integer below 2^128. It asks ranges only, which
// the verifier provides: no circle of lookups.
// Padding: the value 0, which is true.
pragma circom 2.2.0;

include "../bus.circom";

template Wide() {
    signal input alpha;
    signal input b[17];
    signal input l0, l1, l2, l3, l4, l5, l6, l7, mult;
    signal output y;

    var limbs[8] = [l0, l1, l2, l3, l4, l5, l6, l7];
    component range[8];
    var value = 0;
    var sum = 0;
    for (var i = 0; i < 8; i++) {
        range[i] = InRange(RANGE_16());
        range[i].alpha <== alpha; range[i].b <== b; range[i].value <== limbs[i];
        value += limbs[i] * 2 ** (16 * i);
        sum += range[i].y;
    }

    component entry = Fraction();
    entry.alpha <== alpha; entry.m <== mult; entry.f <== value + WIDE() * b[16];

    y <== sum - entry.y;
}
