// Arithmetic of words, as rows use it: products, quotients. What is said here of limbs and halves is said of integers; the
// bounds are given with which an equation in the field is one of integers.
//
// A word's halves are below 2^128. Where a template needs a low half in two numbers of 64 bits it takes eight limbs of 16
// bits; high halves are never taken apart. Numbers that are asked of WIDE instead of eight times of RANGE_16 are 0 for words
// below 2^128, nearly always: they share one row of its provider.
pragma circom 2.2.0;

include "bus.circom";

// Limbs of 16 bits, asked of RANGE_16, and the numbers of 64 bits that they make.
template Limbs(n) {
    signal input alpha;
    signal input b[17];
    signal input limbs[4 * n];
    signal output quarters[n];
    signal output y;
    component range[4 * n];
    var sum = 0;
    for (var i = 0; i < n; i++) {
        var quarter = 0;
        for (var j = 0; j < 4; j++) {
            range[4 * i + j] = InRange(RANGE_16());
            range[4 * i + j].alpha <== alpha;
            range[4 * i + j].b <== b;
            range[4 * i + j].value <== limbs[4 * i + j];
            sum += range[4 * i + j].y;
            quarter += limbs[4 * i + j] * 2 ** (16 * j);
        }
        quarters[i] <== quarter;
    }
    y <== sum;
}

// 0 <= value < 2^(16*n) with n - 1 committed limbs; `top` is the highest, what is left of value over 2^(16*(n - 1)) in the
// field: value is the sum of the limbs, all of them in range.
template InRangeLimbs(n) {
    signal input alpha;
    signal input b[17];
    signal input value;
    signal input limbs[n - 1];
    signal output top;
    signal output y;
    component range[n];
    var rest = value;
    for (var i = 0; i < n - 1; i++) rest -= limbs[i] * 2 ** (16 * i);
    top <== rest / 2 ** (16 * (n - 1));
    var sum = 0;
    for (var i = 0; i < n; i++) {
        range[i] = InRange(RANGE_16());
        range[i].alpha <== alpha;
        range[i].b <== b;
        if (i < n - 1) range[i].value <== limbs[i];
        else range[i].value <== top;
        sum += range[i].y;
    }
    y <== sum;
}

// 0 <= value < 2^128, asked of WIDE. Only for rows that act.
template InRangeWide() {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input value;
    signal output y;
    component q = Ask(WIDE());
    q.alpha <== alpha;
    q.b <== b;
    q.act <== act;
    q.entry <== value;
    y <== q.y;
}

// c = u*v modulo 2^256, and c is a word. The high halves of u and v are below 2^128 by whoever sent them; what is said here
// of the low ones and of c holds for rows that act.
//
// u.lo = u0 + 2^64*u1 and v.lo = v0 + 2^64*v1, all four below 2^64; c.lo consists of limbs, c.hi is asked of WIDE.
//   u0*v.lo + 2^64*u1*v0 = c.lo + 2^128*k
//     left below 2^193; k < 2^80 by its limbs: integers.
//   E = u.hi*v.lo + v.hi*u.lo + u1*v1 + k = c.hi + 2^128*over in the field,    V = u.hi*v1 + v.hi*u1,    D = 2^64*over - V
//     over - 2^128*overTop and D - 2^128*gapTop are asked of WIDE, overTop and gapTop + 1 of RANGE_4: so over is from 0 to
//     2^132, and D from -2^128 to 2^132 in the field; as V < 2^193 it is that integer. With
//     T = u.hi*v0 + v.hi*u0 + u1*v1 + k < 2^194, for which E = T + 2^64*V, the second equation says T = c.hi + 2^64*D in the
//     field: both sides are below 2^197 in size, so it is one of integers, and E = c.hi + 2^128*over is.
// Then u*v = c.lo + 2^128*c.hi + 2^256*(over + u.hi*v.hi).
// Honest values: T < 2^194 and E < 2^258 - 2^128, over < 2^130, -2^64 < D < 2^130.
template Multiply() {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input u[8], uHi, v[8], vHi, c[8], cHi, k[4];
    signal input overTop, gapTop;
    signal output uLo, vLo, cLo;
    signal output y;

    component limbs[3];
    for (var i = 0; i < 3; i++) {
        limbs[i] = Limbs(2);
        limbs[i].alpha <== alpha;
        limbs[i].b <== b;
    }
    limbs[0].limbs <== u;
    limbs[1].limbs <== v;
    limbs[2].limbs <== c;
    uLo <== limbs[0].quarters[0] + 2 ** 64 * limbs[0].quarters[1];
    vLo <== limbs[1].quarters[0] + 2 ** 64 * limbs[1].quarters[1];
    cLo <== limbs[2].quarters[0] + 2 ** 64 * limbs[2].quarters[1];

    signal low <== limbs[0].quarters[0] * vLo;
    signal middle <== limbs[0].quarters[1] * limbs[1].quarters[0];
    component carry = InRangeLimbs(5);
    carry.alpha <== alpha; carry.b <== b; carry.limbs <== k;
    carry.value <== (low + 2 ** 64 * middle - cLo) / 2 ** 128;

    signal high <== limbs[0].quarters[1] * limbs[1].quarters[1];
    signal crossU <== uHi * vLo;
    signal crossV <== vHi * uLo;
    signal upperU <== uHi * limbs[1].quarters[1];
    signal upperV <== vHi * limbs[0].quarters[1];
    var over = (crossU + crossV + high + carry.value - cHi) / 2 ** 128;

    component wide[3];
    for (var i = 0; i < 3; i++) {
        wide[i] = InRangeWide();
        wide[i].alpha <== alpha;
        wide[i].b <== b;
        wide[i].act <== act;
    }
    wide[0].value <== cHi;
    wide[1].value <== over - 2 ** 128 * overTop;
    wide[2].value <== 2 ** 64 * over - upperU - upperV - 2 ** 128 * gapTop;
    component tops[2];
    for (var i = 0; i < 2; i++) {
        tops[i] = InRange(RANGE_4());
        tops[i].alpha <== alpha;
        tops[i].b <== b;
    }
    tops[0].value <== overTop;
    tops[1].value <== gapTop + act;

    y <== limbs[0].y + limbs[1].y + limbs[2].y + carry.y + wide[0].y + wide[1].y + wide[2].y + tops[0].y + tops[1].y;
}

// a = q*d + u with 0 <= u < d, for an integer a from 0 to 2^256 - 1 and a divisor d from 1 to 2^256; q and u are words.
// Holds for rows that act.
//
// a is given modulo r, and modulo 2^128 by an aLo from -2^128 to 2^128. d = dLo + 2^128*dHi, where dLo need not be below
// 2^128: d = u + w + 1, and dLo = u.lo + w.lo + 1, dHi = u.hi + w.hi show that both are below 2^129 + 1. The low halves of u
// and w are limbs, their high ones are asked of WIDE: so d is what the caller says in integers, and u < d. With the lowest
// quarters, d0 = u0 + w0 + 1 and d1 = u1 + w1 below 2^65 + 1 are such that dLo = d0 + 2^64*d1. q = q0 + 2^64*q1 + 2^128*q.hi,
// the first two of limbs, q.hi asked of WIDE. X = q*d + u - a is shown to be 0:
//   modulo r: u.hi is that for which X = 0 in the field.
//   modulo 2^128: q0*dLo + 2^64*q1*d0 + u.lo - aLo = 2^128*k. Left between -2^128 and 2^196, k < 2^80: integers.
//   |X| < r*2^128 (about 2^381): q.hi*dHi = 0, where both are integers below r, so one is 0. Then the product
//     (q.hi + q1)*(dHi + d1) is an integer below 2^197 (q1*(dHi + d1), or (q.hi + q1)*d1), and WIDE shows that it is below
//     2^128. So q1*dHi and q.hi*d1 are, and q*d = qLo*dLo + 2^128*(q0*dHi + q.hi*d0 + 2^64*(q1*dHi + q.hi*d1)) < 2^324.
// An honest row passes: q*d <= a < 2^256 leaves one of q.hi and dHi 0, and 2^128*(q.hi + q1)*(dHi + d1) <= q*d then.
template Divide() {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input a, aLo, dLo, dHi;
    signal input q[8], qHi, u[8], w[7], k[4];
    signal output qLo, uLo, uHi;
    signal output y;

    component quotient = Limbs(2);
    quotient.alpha <== alpha; quotient.b <== b; quotient.limbs <== q;
    component remainder = Limbs(2);
    remainder.alpha <== alpha; remainder.b <== b; remainder.limbs <== u;
    qLo <== quotient.quarters[0] + 2 ** 64 * quotient.quarters[1];
    uLo <== remainder.quarters[0] + 2 ** 64 * remainder.quarters[1];
    component gap = InRangeLimbs(8);
    gap.alpha <== alpha; gap.b <== b; gap.limbs <== w; gap.value <== dLo - uLo - act;

    var d0 = remainder.quarters[0] + act;
    for (var i = 0; i < 4; i++) d0 += w[i] * 2 ** (16 * i);
    var d1 = (dLo - d0) / 2 ** 64;

    signal whole <== (qLo + 2 ** 128 * qHi) * (dLo + 2 ** 128 * dHi);
    uHi <== (a - whole - uLo) / 2 ** 128;

    signal low <== quotient.quarters[0] * dLo;
    signal middle <== quotient.quarters[1] * d0;
    component carry = InRangeLimbs(5);
    carry.alpha <== alpha; carry.b <== b; carry.limbs <== k;
    carry.value <== (low + 2 ** 64 * middle + uLo - aLo) / 2 ** 128;

    qHi * dHi === 0;
    signal upper <== (qHi + quotient.quarters[1]) * (dHi + d1);

    var values[4] = [qHi, uHi, dHi - uHi, upper];
    component wide[4];
    var sum = 0;
    for (var i = 0; i < 4; i++) {
        wide[i] = InRangeWide();
        wide[i].alpha <== alpha;
        wide[i].b <== b;
        wide[i].act <== act;
        wide[i].value <== values[i];
        sum += wide[i].y;
    }

    y <== quotient.y + remainder.y + gap.y + carry.y + sum;
}
