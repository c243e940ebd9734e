// ADDMOD, MULMOD (Yellow Paper H.2): pops f, g, then n; pushes (f + g) mod n or (f*g) mod n without reducing what is in
// brackets modulo 2^256; 0 if n = 0.
//
// Takes and gives STATE: pc + 1, sp - 2, gas - 8. Asks CODE for class 0x08 or 0x09. Receives STACK(ctx, sp - 1) = f,
// STACK(ctx, sp - 2) = g and STACK(ctx, sp - 3) = n, sends STACK(ctx, sp - 3) = the result. Asks RANGE_16.
// act is boolean and isMul is 0 or act, so the class is a constant that the flag chooses. f, g and n are words by whoever
// pushed them; f and g consist of limbs of 16 bits here, as do the quotient q (32 of them), the remainder u, and w.
//
// zero can be nothing but (n = 0) where act = 1. The divisor is d = n + 2^256*zero: where n is 0, u has a meaning, too, and
// the result is u*(1 - zero). d = u + w + 1 shows u < d; its halves have w's highest limbs derived, with a boolean carry
// between them:
//     u.lo + w.lo + 1 = n.lo + 2^128*carry,    u.hi + w.hi + carry = n.hi + 2^128*zero.
// The limbs of d are d_i = u_i + w_i, and one more at i = 0: below 2^17. With a = f + g or f*g, X = a - q*d - u is 0:
//   |X| < 2^578: for j = 1, 2, 3 either q < 2^(512 - 64*j), or d_i = 0 for all i >= 4*j. (For the highest j with a d_i that
//     isn't 0, d < 2^(64*(j + 1) + 1).) An honest row passes: q*d >= 2^512 would be more than a.
//   modulo r: u's highest limb is that for which X = 0 in the field.
//   modulo 2^144: with lower parts of 80 bits, f*g = f80*g144 + 2^80*f64*g80, where f144 = f80 + 2^80*f64, and the same for
//     q*d. All terms are below 2^226, and the difference is 2^144*s with -2^84 <= s < 2^96: integers.
//   modulo 2^96 - 1 and 2^96 + 1: as 2^96 is 1 or -1 there, parts of six limbs are added or, every other one, subtracted.
//     That leaves numbers below 2^99 in size, and the difference is (2^96 -+ 1)*s with -2^103 <= s < 2^112: integers.
// These moduli have no common divisor, and their product is above 2^589: X is a multiple of it below it, which is 0.
// Padding (act = 0): isMul = 0; nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../arith.circom";

// The number of the limbs from `from` to `to - 1`.
template Part(n, from, to) {
    signal input limbs[n];
    signal output value;
    var sum = 0;
    for (var i = from; i < to; i++) sum += limbs[i] * 2 ** (16 * (i - from));
    value <== sum;
}

// Sum of the limbs from `from` on: 0 only if all of them are, as long as there are fewer than 2^100 and they are in range.
template Rest(n, from) {
    signal input limbs[n];
    signal output value;
    var sum = 0;
    for (var i = from; i < n; i++) sum += limbs[i];
    value <== sum;
}

// The limbs' number modulo 2^96 - turn, for a turn of 1 or -1, not brought below that.
template Fold(n, turn) {
    signal input limbs[n];
    signal output value;
    var sum = 0;
    for (var i = 0; i < n; i++) sum += limbs[i] * turn ** (i \ 6) * 2 ** (16 * (i % 6));
    value <== sum;
}

// f*g modulo 2^144, not brought below that, of the lowest nine limbs of f and g.
template Product144() {
    signal input f[9];
    signal input g[9];
    signal output value;
    component f80 = Part(9, 0, 5);
    f80.limbs <== f;
    component f64 = Part(9, 5, 9);
    f64.limbs <== f;
    component g80 = Part(9, 0, 5);
    g80.limbs <== g;
    component g144 = Part(9, 0, 9);
    g144.limbs <== g;
    signal low <== f80.value * g144.value;
    signal high <== f64.value * g80.value;
    value <== low + 2 ** 80 * high;
}

template Mulmod() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, fOld, fHigh;
    signal input g0, g1, g2, g3, g4, g5, g6, g7, g8, g9, g10, g11, g12, g13, g14, g15, gOld, gHigh;
    signal input nHi, nLo, nOld, nHigh;
    signal input q0, q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11, q12, q13, q14, q15;
    signal input q16, q17, q18, q19, q20, q21, q22, q23, q24, q25, q26, q27, q28, q29, q30, q31;
    signal input u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, u10, u11, u12, u13, u14;
    signal input w0, w1, w2, w3, w4, w5, w6;
    signal input h0, h1, h2, h3, h4, h5, h6;
    signal input r0, r1, r2, r3, r4;
    signal input s0, s1, s2, s3, s4, s5;
    signal input t0, t1, t2, t3, t4, t5;
    signal input carry, isMul, act;
    signal output y;

    component bits[2];
    for (var i = 0; i < 2; i++) bits[i] = Boolean();
    bits[0].bit <== act; bits[1].bit <== carry;
    isMul * (act - isMul) === 0;
    component zero = IsZero();
    zero.x <== nHi + nLo + 1 - act;

    var f[16] = [f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15];
    var g[16] = [g0, g1, g2, g3, g4, g5, g6, g7, g8, g9, g10, g11, g12, g13, g14, g15];
    var q[32] = [
        q0, q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11, q12, q13, q14, q15,
        q16, q17, q18, q19, q20, q21, q22, q23, q24, q25, q26, q27, q28, q29, q30, q31
    ];
    component words[2];
    words[0] = Limbs(4);
    words[0].alpha <== alpha; words[0].b <== b; words[0].limbs <== f;
    words[1] = Limbs(4);
    words[1].alpha <== alpha; words[1].b <== b; words[1].limbs <== g;
    component quotient = Limbs(8);
    quotient.alpha <== alpha; quotient.b <== b; quotient.limbs <== q;
    var value[3];
    for (var i = 0; i < 2; i++) {
        for (var j = 0; j < 4; j++) value[i] += words[i].quarters[j] * 2 ** (64 * j);
    }
    for (var j = 0; j < 8; j++) value[2] += quotient.quarters[j] * 2 ** (64 * j);

    // modulo r
    signal product <== value[0] * value[1];
    signal a <== value[0] + value[1] + isMul * (product - value[0] - value[1]);
    signal whole <== value[2] * (nLo + 2 ** 128 * nHi + 2 ** 256 * zero.z);
    component remainder = InRangeLimbs(16);
    remainder.alpha <== alpha; remainder.b <== b; remainder.value <== a - whole;
    remainder.limbs <== [u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, u10, u11, u12, u13, u14];
    var u[16] = [u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, u10, u11, u12, u13, u14, remainder.top];
    var uLo = 0;
    var uHi = 0;
    for (var i = 0; i < 8; i++) {
        uLo += u[i] * 2 ** (16 * i);
        uHi += u[8 + i] * 2 ** (16 * i);
    }

    component gap[2];
    for (var i = 0; i < 2; i++) {
        gap[i] = InRangeLimbs(8);
        gap[i].alpha <== alpha;
        gap[i].b <== b;
    }
    gap[0].limbs <== [w0, w1, w2, w3, w4, w5, w6]; gap[0].value <== nLo + 2 ** 128 * carry - act - uLo;
    gap[1].limbs <== [h0, h1, h2, h3, h4, h5, h6]; gap[1].value <== nHi + 2 ** 128 * zero.z - carry - uHi;
    var w[16] = [w0, w1, w2, w3, w4, w5, w6, gap[0].top, h0, h1, h2, h3, h4, h5, h6, gap[1].top];
    signal d[16];
    for (var i = 0; i < 16; i++) d[i] <== u[i] + w[i] + (i == 0 ? act : 0);

    // |X| < 2^578
    component upper[6];
    for (var j = 0; j < 3; j++) {
        upper[2 * j] = Rest(32, 32 - 4 * (j + 1));
        upper[2 * j].limbs <== q;
        upper[2 * j + 1] = Rest(16, 4 * (j + 1));
        upper[2 * j + 1].limbs <== d;
        upper[2 * j].value * upper[2 * j + 1].value === 0;
    }

    // modulo 2^144
    component lower[3];
    for (var i = 0; i < 3; i++) lower[i] = Part(16, 0, 9);
    lower[0].limbs <== f; lower[1].limbs <== g; lower[2].limbs <== u;
    component low[2];
    for (var i = 0; i < 2; i++) low[i] = Product144();
    for (var i = 0; i < 9; i++) {
        low[0].f[i] <== f[i]; low[0].g[i] <== g[i];
        low[1].f[i] <== q[i]; low[1].g[i] <== d[i];
    }
    var lowSum = lower[0].value + lower[1].value;
    signal lowA <== lowSum + isMul * (low[0].value - lowSum);
    component carries = InRangeLimbs(6);
    carries.alpha <== alpha; carries.b <== b; carries.limbs <== [r0, r1, r2, r3, r4];
    carries.value <== (lowA - low[1].value - lower[2].value) / 2 ** 144 + 2 ** 84 * act;

    // modulo 2^96 - 1, modulo 2^96 + 1
    component fold[10];
    component turns[2];
    signal folded[2];
    signal foldedA[2];
    signal foldedWhole[2];
    for (var i = 0; i < 2; i++) {
        var turn = 1 - 2 * i;
        for (var j = 0; j < 5; j++) fold[5 * i + j] = Fold(j == 2 ? 32 : 16, turn);
        fold[5 * i].limbs <== f; fold[5 * i + 1].limbs <== g; fold[5 * i + 2].limbs <== q;
        fold[5 * i + 3].limbs <== d; fold[5 * i + 4].limbs <== u;
        var sum = fold[5 * i].value + fold[5 * i + 1].value;
        folded[i] <== fold[5 * i].value * fold[5 * i + 1].value;
        foldedA[i] <== sum + isMul * (folded[i] - sum);
        foldedWhole[i] <== fold[5 * i + 2].value * fold[5 * i + 3].value;
        turns[i] = InRangeLimbs(7);
        turns[i].alpha <== alpha; turns[i].b <== b;
        turns[i].value <== (foldedA[i] - foldedWhole[i] - fold[5 * i + 4].value) / (2 ** 96 - turn) + 2 ** 103 * act;
    }
    turns[0].limbs <== [s0, s1, s2, s3, s4, s5];
    turns[1].limbs <== [t0, t1, t2, t3, t4, t5];

    signal hi <== (1 - zero.z) * uHi;
    signal lo <== (1 - zero.z) * uLo;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wf = Word();
    wf.b <== b;
    wf.hi <== words[0].quarters[2] + 2 ** 64 * words[0].quarters[3];
    wf.lo <== words[0].quarters[0] + 2 ** 64 * words[0].quarters[1];
    component wg = Word();
    wg.b <== b;
    wg.hi <== words[1].quarters[2] + 2 ** 64 * words[1].quarters[3];
    wg.lo <== words[1].quarters[0] + 2 ** 64 * words[1].quarters[1];
    component wn = Word();
    wn.b <== b; wn.hi <== nHi; wn.lo <== nLo;
    component wc = Word();
    wc.b <== b; wc.hi <== hi; wc.lo <== lo;
    signal class <== b[10] * isMul;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - 2 * b[4];
    step.nextGas <== r.pGas - 8 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x08 * b[10] + class;

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== fOld; first.now <== 16 * clk + 1;
    first.high <== fHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + wf.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== gOld; second.now <== 16 * clk + 1;
    second.high <== gHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + wg.w;
    component third = Take(STACK());
    third.alpha <== alpha; third.b <== b; third.act <== act; third.tOld <== nOld; third.now <== 16 * clk + 1;
    third.high <== nHigh;
    third.cell <== r.pCtx + r.pSp - 3 * b[4] + wn.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 3 * b[4] + wc.w;

    var ranges = words[0].y + words[1].y + quotient.y + remainder.y + gap[0].y + gap[1].y;
    y <== step.y + first.y + second.y + third.y + top.y + ranges + carries.y + turns[0].y + turns[1].y;
}
