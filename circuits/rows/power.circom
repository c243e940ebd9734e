// One product in a power: a link of the chain by which EXP gets base^e.
//
// A token EXPCHAIN(t, square, i, acc, e) says acc = base^e and square = base^(2^i) modulo 2^256, where base is that of the
// exp row of time t. That row sends the first, (base, 0, 1, 0), for which it is true. This row receives one and sends one:
//     isMul = 0: square' = square^2, i' = i + 1, the rest the same;
//     isMul = 1: acc' = acc*square, e' = e + 2^i, the rest the same. POW2 is asked for (i; 2^i), so i < 256 here.
// Both keep it true, in any order. Each half of e adds up the halves of 2^i: fewer than 2^64 rows leave it below 2^192, an
// integer, so e.hi*2^128 + e.lo is the exponent. Neither i nor e falls and one of them grows: no tokens go round in a
// circle, and those of t are the way from the first to the one that the exp row receives. square and acc are words: they are
// the stack word base, 1, or the c of such a row, which Multiply shows to be one. x, the other factor, is acc or square; its
// highest limb is derived, the others are columns.
// act is boolean, isMul is 0 or act.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../arith.circom";

template Power() {
    signal input alpha;
    signal input b[17];
    signal input t, i, accHi, accLo, eHi, eLo, powHi, powLo;
    signal input s0, s1, s2, s3, s4, s5, s6, s7, sHi;
    signal input x0, x1, x2, x3, x4, x5, x6;
    signal input c0, c1, c2, c3, c4, c5, c6, c7, cHi;
    signal input k0, k1, k2, k3, overTop, gapTop, isMul, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    isMul * (act - isMul) === 0;

    var squareLimbs[8] = [s0, s1, s2, s3, s4, s5, s6, s7];
    var sLo = 0;
    for (var j = 0; j < 8; j++) sLo += squareLimbs[j] * 2 ** (16 * j);
    signal xHi <== sHi + isMul * (accHi - sHi);
    signal xLo <== sLo + isMul * (accLo - sLo);
    var lower[7] = [x0, x1, x2, x3, x4, x5, x6];
    var highest = xLo;
    for (var j = 0; j < 7; j++) highest -= lower[j] * 2 ** (16 * j);

    component product = Multiply();
    product.alpha <== alpha; product.b <== b; product.act <== act;
    product.u <== squareLimbs; product.uHi <== sHi;
    product.v <== [x0, x1, x2, x3, x4, x5, x6, highest / 2 ** 112]; product.vHi <== xHi;
    product.c <== [c0, c1, c2, c3, c4, c5, c6, c7]; product.cHi <== cHi;
    product.k <== [k0, k1, k2, k3];
    product.overTop <== overTop; product.gapTop <== gapTop;

    component square = Word();
    square.b <== b; square.hi <== sHi; square.lo <== product.uLo;
    signal pAccHi <== b[11] * accHi;
    signal pAccLo <== b[12] * accLo;
    signal pHi <== b[13] * eHi;
    signal pLo <== b[14] * eLo;
    signal pAt <== b[8] * i;
    var before = t + square.w + pAccHi + pAccLo + pHi + pLo + pAt;

    // c in the place of x, which is that of square or of acc
    signal placeHi <== b[6] + isMul * (b[11] - b[6]);
    signal placeLo <== b[7] + isMul * (b[12] - b[7]);
    signal newHi <== placeHi * (cHi - xHi);
    signal newLo <== placeLo * (product.cLo - xLo);
    component power = Word();
    power.b <== b; power.hi <== powHi; power.lo <== powLo;
    signal addHi <== b[13] * powHi;
    signal addLo <== b[14] * powLo;
    // 2^i to e, or 1 to i
    signal grown <== b[8] + isMul * (addHi + addLo - b[8]);

    component here = Fraction();
    here.alpha <== alpha; here.m <== act; here.f <== before + EXPCHAIN() * b[16];
    component next = Fraction();
    next.alpha <== alpha; next.m <== act; next.f <== before + newHi + newLo + grown + EXPCHAIN() * b[16];
    component entry = Ask(POW2());
    entry.alpha <== alpha; entry.b <== b; entry.act <== isMul; entry.entry <== i + power.w;

    y <== next.y - here.y + entry.y + product.y;
}
