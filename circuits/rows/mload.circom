// MLOAD (Yellow Paper H.2) at a multiple of 32: replaces the offset on top of the stack by the memory word there.
//
// Takes and gives STATE: pc + 1, msize' = words = max(msize, i + 1), gas - 3 - (what the growth costs). Asks CODE for class
// 0x51. Receives STACK(ctx, sp - 1) = 32*i and sends STACK(ctx, sp - 1) = the word. Receives MEMORY(ctx, i) and sends it
// again. Growth: see Expansion and Aligned in memory.circom (EXPAND at port 0, so that a word made by this row is older than
// its port 1; MEMGAS twice).
// hi, lo < 2^128 by whoever wrote the word. Whatever i or words a prover prefers, the live word shows 0 <= i < words, and
// the EXPAND chain shows words >= msize.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../memory.circom";

template Mload() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input i, offsetOld, offsetHigh;
    signal input hi, lo, wordOld, wordHigh;
    signal input words, cost0, cost1, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;

    component at = Aligned();
    at.alpha <== alpha; at.b <== b; at.act <== act; at.clk <== clk;
    at.pCtx <== r.pCtx; at.pSp <== r.pSp; at.pMsize <== r.pMsize;
    at.msize <== msize; at.i <== i; at.offsetOld <== offsetOld; at.offsetHigh <== offsetHigh;
    at.words <== words; at.cost0 <== cost0; at.cost1 <== cost1;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - 3 * b[5] - at.pCost;
    step.nextMsize <== at.pWords;
    step.fetch <== 0x51 * b[10];

    signal now <== 16 * clk + 1;
    component old = Take(MEMORY());
    old.alpha <== alpha; old.b <== b; old.act <== act; old.tOld <== wordOld; old.now <== now; old.high <== wordHigh;
    old.cell <== r.pCtx + at.pIndex + word.w;
    component again = Give(MEMORY());
    again.alpha <== alpha; again.b <== b; again.act <== act; again.now <== now;
    again.cell <== r.pCtx + at.pIndex + word.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== now + 1;
    top.cell <== r.pCtx + r.pSp - b[4] + word.w;

    y <== at.y + step.y + old.y + again.y + top.y;
}
