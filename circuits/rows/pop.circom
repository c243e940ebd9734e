// POP (Yellow Paper H.2): drops the top of the stack.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 2. Asks CODE for class 0x50. Receives STACK(ctx, sp - 1) and sends nothing for
// it: with sp - 1 in STATE the next push makes a new item there.
// hi and lo are whatever the live item holds, tOld < now is range-checked. An item exists only at 0 <= index < sp, so that an
// underflow finds none.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Pop() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input hi, lo, tOld, high, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 2 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x50 * b[10];

    component top = Take(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.tOld <== tOld; top.now <== 16 * clk + 1;
    top.high <== high;
    top.cell <== r.pCtx + r.pSp - b[4] + word.w;

    y <== step.y + top.y;
}
