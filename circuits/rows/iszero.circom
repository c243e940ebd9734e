// ISZERO (Yellow Paper H.2): replaces the top of the stack by 1 if it is 0, otherwise by 0.
//
// Takes and gives STATE: pc + 1, gas - 3. Asks CODE for class 0x15. Receives STACK(ctx, sp - 1) at port 1 and sends it with
// the result at port 2; its high half is the constant 0.
// z can be nothing but (hi + lo = 0): both halves are below 2^128 by whoever pushed them, so that their sum is 0 only where
// both are.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Iszero() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input hi, lo, tOld, high, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component zero = IsZero();
    zero.x <== hi + lo;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    signal result <== b[7] * zero.z;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x15 * b[10];

    component old = Take(STACK());
    old.alpha <== alpha; old.b <== b; old.act <== act; old.tOld <== tOld; old.now <== 16 * clk + 1;
    old.high <== high;
    old.cell <== r.pCtx + r.pSp - b[4] + word.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - b[4] + result;

    y <== step.y + old.y + top.y;
}
