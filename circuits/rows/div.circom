// DIV, MOD (Yellow Paper H.2): pops a, then n; pushes floor(a / n) or a mod n, and 0 if n = 0.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 5. Asks CODE for class 0x04 or 0x06. Receives STACK(ctx, sp - 1) = a and
// STACK(ctx, sp - 2) = n, sends STACK(ctx, sp - 2) = the result. Asks RANGE_16 and WIDE.
// act is boolean and isMod is 0 or act, so the class is a constant that the flag chooses. a and n are words by whoever pushed
// them. zero can be nothing but (n = 0) where act = 1: n.hi + n.lo < 2^129. Divide shows a = q*d + u, u < d, of
//     d = n + 2^256*zero = (n.lo + 2^128*carry) + 2^128*(n.hi + 2^128*zero - carry),    carry boolean,
// which is n, or 2^256 if that is 0: then q = 0 is the result of DIV, and MOD's is u*(1 - zero). q and u are words by Divide.
// Padding (act = 0): isMod = 0; nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../arith.circom";

template Div() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input aHi, aLo, aOld, aHigh;
    signal input nHi, nLo, nOld, nHigh;
    signal input q0, q1, q2, q3, q4, q5, q6, q7, qHi;
    signal input u0, u1, u2, u3, u4, u5, u6, u7;
    signal input w0, w1, w2, w3, w4, w5, w6;
    signal input k0, k1, k2, k3, carry, isMod, act;
    signal output y;

    component bits[2];
    for (var i = 0; i < 2; i++) bits[i] = Boolean();
    bits[0].bit <== act; bits[1].bit <== carry;
    isMod * (act - isMod) === 0;

    component zero = IsZero();
    zero.x <== nHi + nLo + 1 - act;

    component division = Divide();
    division.alpha <== alpha; division.b <== b; division.act <== act;
    division.a <== aLo + 2 ** 128 * aHi; division.aLo <== aLo;
    division.dLo <== nLo + 2 ** 128 * carry; division.dHi <== nHi + 2 ** 128 * zero.z - carry;
    division.q <== [q0, q1, q2, q3, q4, q5, q6, q7]; division.qHi <== qHi;
    division.u <== [u0, u1, u2, u3, u4, u5, u6, u7];
    division.w <== [w0, w1, w2, w3, w4, w5, w6];
    division.k <== [k0, k1, k2, k3];

    // u instead of q, but for MOD by 0: q is 0 then
    signal rest <== isMod * (1 - zero.z);
    signal hi <== qHi + rest * (division.uHi - qHi);
    signal lo <== division.qLo + rest * (division.uLo - division.qLo);

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
    step.fetch <== 0x04 * b[10] + 2 * class;

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

    y <== step.y + first.y + second.y + top.y + division.y;
}
