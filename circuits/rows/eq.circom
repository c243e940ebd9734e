// EQ (Yellow Paper H.2): pops a, then b; pushes 1 if a = b, otherwise 0.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 3. Asks CODE for class 0x14. Receives STACK(ctx, sp - 1) = a and
// STACK(ctx, sp - 2) = b, sends STACK(ctx, sp - 2) = the result, whose high half is the constant 0.
// The halves of a and b are below 2^128 by whoever pushed them. high.z can be nothing but (aHi = bHi); both.z nothing but
// (aLo - bLo + 2^129*(1 - high.z) = 0): where the high halves differ this lies between 2^128 and 2^130 and is not 0, where they
// are equal it is 0 only for equal low halves. Nothing wraps.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Eq() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input aHi, aLo, aOld, aHigh;
    signal input bHi, bLo, bOld, bHigh;
    signal input act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component high = IsZero();
    high.x <== aHi - bHi;
    component both = IsZero();
    both.x <== aLo - bLo + 2 ** 129 * (1 - high.z);

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wa = Word();
    wa.b <== b; wa.hi <== aHi; wa.lo <== aLo;
    component wb = Word();
    wb.b <== b; wb.hi <== bHi; wb.lo <== bLo;
    signal result <== b[7] * both.z;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x14 * b[10];

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
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + result;

    y <== step.y + first.y + second.y + top.y;
}
