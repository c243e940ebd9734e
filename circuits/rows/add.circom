// ADD, SUB (Yellow Paper H.2): pops a, then b; pushes c = a + b or c = a - b modulo 2^256.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 3. Asks CODE for class 0x01 or 0x03. Receives STACK(ctx, sp - 1) = a and
// STACK(ctx, sp - 2) = b, sends STACK(ctx, sp - 2) = c.
// act is boolean and isSub is 0 or act, so the class is a constant that the flags choose. With s = 1 - 2*isSub:
//     s*(a.lo - c.lo) + b.lo = 2^128*carry0,    s*(a.hi - c.hi) + b.hi + carry0 = 2^128*carry1,    carries boolean
// which says a + b = c + 2^256*carry1 for ADD, and c + b = a + 2^256*carry1 for SUB. The halves of c are eight limbs of 16
// bits each, asked of RANGE_16, so that c is a word; a and b are words by whoever pushed them. Both sides of the equations
// stay below 2^130: nothing wraps.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Add() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input aHi, aLo, aOld, aHigh;
    signal input bHi, bLo, bOld, bHigh;
    signal input c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15;
    signal input carry0, carry1, isSub, act;
    signal output y;

    component bits[3];
    for (var i = 0; i < 3; i++) bits[i] = Boolean();
    bits[0].bit <== act; bits[1].bit <== carry0; bits[2].bit <== carry1;
    isSub * (act - isSub) === 0;

    var limbs[16] = [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15];
    var lo = 0;
    var hi = 0;
    for (var i = 0; i < 8; i++) {
        lo += limbs[i] * 2 ** (16 * i);
        hi += limbs[8 + i] * 2 ** (16 * i);
    }
    signal cLo <== lo;
    signal cHi <== hi;
    (1 - 2 * isSub) * (aLo - cLo) === 2 ** 128 * carry0 - bLo;
    (1 - 2 * isSub) * (aHi - cHi) === 2 ** 128 * carry1 - bHi - carry0;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wa = Word();
    wa.b <== b; wa.hi <== aHi; wa.lo <== aLo;
    component wb = Word();
    wb.b <== b; wb.hi <== bHi; wb.lo <== bLo;
    component wc = Word();
    wc.b <== b; wc.hi <== cHi; wc.lo <== cLo;
    signal classSub <== b[10] * isSub;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x01 * b[10] + 2 * classSub;

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== aOld; first.now <== 16 * clk + 1;
    first.high <== aHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + wa.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== bOld; second.now <== 16 * clk + 1;
    second.high <== bHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + wb.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + wc.w;

    component range[16];
    var sum = 0;
    for (var i = 0; i < 16; i++) {
        range[i] = InRange(RANGE_16());
        range[i].alpha <== alpha; range[i].b <== b; range[i].value <== limbs[i];
        sum += range[i].y;
    }

    y <== step.y + first.y + second.y + top.y + sum;
}
