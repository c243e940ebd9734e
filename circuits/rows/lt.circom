// LT, GT (Yellow Paper H.2): pops a, then b; pushes 1 if a < b (GT: a > b), otherwise 0. Both unsigned.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 3. Asks CODE for class 0x10 or 0x11. Receives two items, u and v, and sends
// STACK(ctx, sp - 2) = (u < v), whose high half is the constant 0. Asks RANGE_16 for eight limbs.
// act is boolean and isGt is 0 or act, so the class is a constant that the flag chooses. u is at sp - 1 and v at sp - 2 for
// LT, the other way round for GT, where b < a is asked.
// The halves are below 2^128 by whoever pushed them. z can be nothing but (u.hi = v.hi). With
//     d = u.hi - v.hi + z*(u.lo - v.lo),
// which is the difference of the low halves where the high ones are equal and that of the high ones elsewhere, u < v if and
// only if d < 0, and |d| < 2^128. result is boolean and
//     result = 1:  0 <= -d - 1 < 2^128, so d < 0          result = 0:  0 <= d < 2^128
// because InRange128 asks it of d - result*(2*d + 1), which has at most 129 bits and a sign: nothing wraps. So result can't be
// but (u < v).
// Padding (act = 0): isGt = 0; nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Lt() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input uHi, uLo, uOld, uHigh;
    signal input vHi, vLo, vOld, vHigh;
    signal input d0, d1, d2, d3, d4, d5, d6;
    signal input result, isGt, act;
    signal output y;

    component bits[2];
    for (var i = 0; i < 2; i++) bits[i] = Boolean();
    bits[0].bit <== act; bits[1].bit <== result;
    isGt * (act - isGt) === 0;

    component same = IsZero();
    same.x <== uHi - vHi;
    signal low <== same.z * (uLo - vLo);
    var d = uHi - vHi + low;
    signal flipped <== result * (2 * d + 1);

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wu = Word();
    wu.b <== b; wu.hi <== uHi; wu.lo <== uLo;
    component wv = Word();
    wv.b <== b; wv.hi <== vHi; wv.lo <== vLo;
    signal word <== b[7] * result;
    signal swap <== b[4] * isGt;
    signal class <== b[10] * isGt;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x10 * b[10] + class;

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== uOld; first.now <== 16 * clk + 1;
    first.high <== uHigh;
    first.cell <== r.pCtx + r.pSp - b[4] - swap + wu.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== vOld; second.now <== 16 * clk + 1;
    second.high <== vHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + swap + wv.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + word;

    component order = InRange128();
    order.alpha <== alpha; order.b <== b; order.limbs <== [d0, d1, d2, d3, d4, d5, d6];
    order.value <== d - flipped;

    y <== step.y + first.y + second.y + top.y + order.y;
}
