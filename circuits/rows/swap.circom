// SWAP1 ... SWAP16: exchanges the top of the stack with the item n below it.
//
// Takes and gives STATE: pc + 1, gas - 3. Asks CODE for class 0x90 and n. Receives STACK(ctx, sp - 1) = a and
// STACK(ctx, sp - 1 - n) = b, sends both indices with the words exchanged.
// 1 <= n <= 16 by the provider of CODE, so the two keys differ and may share a port; an item exists only at
// 0 <= index < sp, so that an underflow finds none. a, b are words by whoever pushed them.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Swap() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input n;
    signal input aHi, aLo, aOld, aHigh;
    signal input bHi, bLo, bOld, bHigh;
    signal input act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wa = Word();
    wa.b <== b; wa.hi <== aHi; wa.lo <== aLo;
    component wb = Word();
    wb.b <== b; wb.hi <== bHi; wb.lo <== bLo;
    signal spN <== b[4] * n;
    signal fetchN <== b[11] * n;
    signal top <== r.pCtx + r.pSp - b[4];
    signal below <== top - spN;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x90 * b[10] + fetchN;

    component takeA = Take(STACK());
    takeA.alpha <== alpha; takeA.b <== b; takeA.act <== act; takeA.tOld <== aOld; takeA.now <== 16 * clk + 1;
    takeA.high <== aHigh;
    takeA.cell <== top + wa.w;
    component takeB = Take(STACK());
    takeB.alpha <== alpha; takeB.b <== b; takeB.act <== act; takeB.tOld <== bOld; takeB.now <== 16 * clk + 1;
    takeB.high <== bHigh;
    takeB.cell <== below + wb.w;
    component giveA = Give(STACK());
    giveA.alpha <== alpha; giveA.b <== b; giveA.act <== act; giveA.now <== 16 * clk + 2;
    giveA.cell <== top + wb.w;
    component giveB = Give(STACK());
    giveB.alpha <== alpha; giveB.b <== b; giveB.act <== act; giveB.now <== 16 * clk + 2;
    giveB.cell <== below + wa.w;

    y <== step.y + takeA.y + takeB.y + giveA.y + giveB.y;
}
