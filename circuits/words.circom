// Words cut at a byte: what the providers of SHIFT and CUT share.
pragma circom 2.2.0;

include "bus.circom";
include "gadgets.circom";

// A number of bytes m = 16*w + v, and P = 256^v: w boolean, v < 16 by RANGE_4, P by POW2 if act = 1. act = m*mInverse is
// boolean: if act = 1, m isn't 0.
template Bytes() {
    signal input alpha;
    signal input b[17];
    signal input m, mInverse, w, P;
    signal output act;
    signal output y;

    component upper = Boolean();
    upper.bit <== w;
    act <== m * mInverse;
    component active = Boolean();
    active.bit <== act;

    component few = InRange(RANGE_4());
    few.alpha <== alpha; few.b <== b; few.value <== m - 16 * w;
    signal pP <== b[7] * P;
    component power = Ask(POW2());
    power.alpha <== alpha; power.b <== b; power.act <== act; power.entry <== 8 * (m - 16 * w) + pP;
    y <== few.y + power.y;
}

// Half a word, moved up by v bytes: half*P = 2^128*head + rest. P = 256^v is at most 2^120.
//
// head < 2^120: seven limbs of RANGE_16, and the highest of RANGE_8. rest < 2^128: eight limbs of RANGE_16, of which the lower
// seven are columns. half < 2^128, so both sides of the equation are integers below 2^248 + 2^128: head is the number that the
// first v bytes of half make, rest is P times the others.
template Split() {
    signal input alpha;
    signal input b[17];
    signal input half, P;
    signal input head[8], rest[7];
    signal output first, others;
    signal output y;

    var value = 0;
    var sum = 0;
    component limb[8];
    for (var i = 0; i < 8; i++) {
        limb[i] = InRange(i < 7 ? RANGE_16() : RANGE_8());
        limb[i].alpha <== alpha; limb[i].b <== b; limb[i].value <== head[i];
        value += head[i] * 2 ** (16 * i);
        sum += limb[i].y;
    }
    first <== value;
    others <== half * P - 2 ** 128 * value;

    component range = InRange128();
    range.alpha <== alpha; range.b <== b; range.value <== others; range.limbs <== rest;
    y <== sum + range.y;
}
