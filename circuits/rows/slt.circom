// SLT, SGT (Yellow Paper H.2): pops a, then b; pushes 1 if a < b (SGT: a > b), otherwise 0. Both in two's complement.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 3. Asks CODE for class 0x12 or 0x13. Receives two items, u and v, and sends
// STACK(ctx, sp - 2) = (u < v as signed numbers), whose high half is the constant 0. Asks RANGE_16 for sixteen limbs.
// act is boolean and isGt is 0 or act, so the class is a constant that the flag chooses. u is at sp - 1 and v at sp - 2 for
// SLT, the other way round for SGT, where b < a is asked.
//
// Words of the same sign are ordered as unsigned ones; otherwise the negative one is smaller, which is larger as an unsigned
// one. A word is negative if its high half is at least M = 2^127. below is boolean and says that u < v unsigned. z can be
// nothing but (u.hi = v.hi). positive, negative and differ = 1 - z - positive - negative are boolean: where z = 1 all three
// are 0, elsewhere exactly one is 1, and the row proves what it says. With
//     d = u.hi - v.hi + z*(u.lo - v.lo),    larger = u.hi - below*d,    smaller = v.hi + below*d,
// (larger, smaller) are (u.hi, v.hi) for below = 0 and (v.hi, u.hi) for below = 1, if z = 0. InRange128 asks of two numbers
// that they are from 0 to 2^128 - 1:
//                  first                           second
//     z            below ? -d - 1 : d              0                    below is right: u.lo, v.lo have the same hi
//     positive     larger - smaller - below        M - 1 - larger       larger > smaller as z = 0, and both < M
//     negative     larger - smaller - below        smaller - M          larger > smaller as z = 0, and both >= M
//     differ       larger - M                      M - 1 - smaller      larger >= M > smaller: below is right, signs differ
// (larger - smaller = d - 2*below*d.) In each case below can't be but (u < v unsigned) and differ can't be but "the signs
// differ", so the result below XOR differ can't be but (u < v signed). The halves are below 2^128 by whoever pushed them: all
// numbers are below 2^130, nothing wraps.
// Padding (act = 0): isGt = 0; nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Slt() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input uHi, uLo, uOld, uHigh;
    signal input vHi, vLo, vOld, vHigh;
    signal input d0, d1, d2, d3, d4, d5, d6;
    signal input e0, e1, e2, e3, e4, e5, e6;
    signal input below, positive, negative, isGt, act;
    signal output y;

    component same = IsZero();
    same.x <== uHi - vHi;
    var differ = 1 - same.z - positive - negative;

    component bits[5];
    for (var i = 0; i < 5; i++) bits[i] = Boolean();
    bits[0].bit <== act; bits[1].bit <== below;
    bits[2].bit <== positive; bits[3].bit <== negative; bits[4].bit <== differ;
    isGt * (act - isGt) === 0;

    signal low <== same.z * (uLo - vLo);
    var d = uHi - vHi + low;
    signal flipped <== below * d;
    var larger = uHi - flipped;
    var smaller = vHi + flipped;
    signal ifPositive <== positive * (2 ** 127 - 1 - larger);
    signal ifNegative <== negative * (smaller - 2 ** 127);
    signal ifDiffer <== differ * (smaller - 2 ** 127);
    signal both <== below * differ;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wu = Word();
    wu.b <== b; wu.hi <== uHi; wu.lo <== uLo;
    component wv = Word();
    wv.b <== b; wv.hi <== vHi; wv.lo <== vLo;
    signal word <== b[7] * (below + differ - 2 * both);
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
    step.fetch <== 0x12 * b[10] + class;

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
    // larger - smaller + (smaller - M) = larger - M, without the 1 for below
    order.value <== d - 2 * flipped - below + ifDiffer + both;
    component signs = InRange128();
    signs.alpha <== alpha; signs.b <== b; signs.limbs <== [e0, e1, e2, e3, e4, e5, e6];
    signs.value <== ifPositive + ifNegative - ifDiffer - differ;

    y <== step.y + first.y + second.y + top.y + order.y + signs.y;
}
