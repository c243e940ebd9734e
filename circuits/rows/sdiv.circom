// SDIV, SMOD (Yellow Paper H.2): pops a, then n; pushes the quotient of a and n, rounded towards 0, or the remainder, which
// has the sign of a; 0 if n = 0. All in two's complement; -2^255 / -1 = 2^255 is the word of -2^255.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 5. Asks CODE for class 0x05 or 0x07. Receives STACK(ctx, sp - 1) = a and
// STACK(ctx, sp - 2) = n, sends STACK(ctx, sp - 2) = the result. Asks RANGE_16 and WIDE.
// act is boolean and isMod is 0 or act, so the class is a constant that the flag chooses. a and n are words by whoever pushed
// them. signA and signN are boolean; WIDE is asked of 2*hi - 2^128*sign, where hi < 2^128: so sign can be nothing but the
// word's highest bit. |a| = a, or 2^256 - a if signA, and |n| likewise. zero can be nothing but (n = 0) where act = 1.
// Divide shows |a| = q*d + u, u < d, of
//     d = |n| + 2^256*zero = dLo + 2^128*dHi,
//     dLo = +-n.lo + 2^128*(carry + signN),    dHi = +-n.hi + 2^128*(signN + zero) - carry - signN
// with carry boolean, and +-a.lo is |a| modulo 2^128. The size of the result x is q or u; for n = 0, where d = 2^256, it is
// q = 0. It is negated if the signs differ (q) or a is negative (u), and x != 0:
//     2^256 - x = (2^128 - x.hi - (x.lo != 0))*2^128 + (2^128*(x.lo != 0) - x.lo),
// whose halves are below 2^128 as those of x are, by Divide.
// Padding (act = 0): isMod = 0; nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../arith.circom";

template Sdiv() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input aHi, aLo, aOld, aHigh;
    signal input nHi, nLo, nOld, nHigh;
    signal input q0, q1, q2, q3, q4, q5, q6, q7, qHi;
    signal input u0, u1, u2, u3, u4, u5, u6, u7;
    signal input w0, w1, w2, w3, w4, w5, w6;
    signal input k0, k1, k2, k3, carry, signA, signN, isMod, act;
    signal output y;

    component bits[4];
    for (var i = 0; i < 4; i++) bits[i] = Boolean();
    bits[0].bit <== act; bits[1].bit <== carry; bits[2].bit <== signA; bits[3].bit <== signN;
    isMod * (act - isMod) === 0;
    component highest[2];
    for (var i = 0; i < 2; i++) {
        highest[i] = InRangeWide();
        highest[i].alpha <== alpha;
        highest[i].b <== b;
        highest[i].act <== act;
    }
    highest[0].value <== 2 * aHi - 2 ** 128 * signA;
    highest[1].value <== 2 * nHi - 2 ** 128 * signN;

    component zero = IsZero();
    zero.x <== nHi + nLo + 1 - act;

    signal sizeHi <== aHi + signA * (2 ** 128 - 2 * aHi);
    signal sizeLo <== aLo - 2 * signA * aLo;
    signal nSizeHi <== nHi + signN * (2 ** 128 - 1 - 2 * nHi);
    signal nSizeLo <== nLo + signN * (2 ** 128 - 2 * nLo);
    component division = Divide();
    division.alpha <== alpha; division.b <== b; division.act <== act;
    division.a <== sizeLo + 2 ** 128 * sizeHi; division.aLo <== sizeLo;
    division.dLo <== nSizeLo + 2 ** 128 * carry; division.dHi <== nSizeHi + 2 ** 128 * zero.z - carry;
    division.q <== [q0, q1, q2, q3, q4, q5, q6, q7]; division.qHi <== qHi;
    division.u <== [u0, u1, u2, u3, u4, u5, u6, u7];
    division.w <== [w0, w1, w2, w3, w4, w5, w6];
    division.k <== [k0, k1, k2, k3];

    // u instead of q, but for SMOD by 0: q is 0 then
    signal rest <== isMod * (1 - zero.z);
    signal xHi <== qHi + rest * (division.uHi - qHi);
    signal xLo <== division.qLo + rest * (division.uLo - division.qLo);
    signal differ <== signA + signN - 2 * signA * signN;
    signal negative <== differ + isMod * (signA - differ);
    component lowZero = IsZero();
    lowZero.x <== xLo;
    component noSize = IsZero();
    noSize.x <== xHi + xLo;
    signal lo <== xLo + negative * (2 ** 128 * (1 - lowZero.z) - 2 * xLo);
    signal hi <== xHi + negative * (2 ** 128 * (1 - noSize.z) - (1 - lowZero.z) - 2 * xHi);

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wa = Word();
    wa.b <== b; wa.hi <== aHi; wa.lo <== aLo;
    component wn = Word();
    wn.b <== b; wn.hi <== nHi; wn.lo <== nLo;
    component wc = Word();
    wc.b <== b; wc.hi <== hi; wc.lo <== lo;
    signal class <== b[10] * isMod;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 5 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x05 * b[10] + 2 * class;

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== aOld; first.now <== 16 * clk + 1;
    first.high <== aHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + wa.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== nOld; second.now <== 16 * clk + 1;
    second.high <== nHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + wn.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + wc.w;

    y <== step.y + first.y + second.y + top.y + highest[0].y + highest[1].y + division.y;
}
