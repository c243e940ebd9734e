// PUSH0 ... PUSH32 (EIP-3855; Yellow Paper H.2): puts the n immediate bytes after pc on the stack.
//
// Takes and gives STATE: pc + 1 + n, sp + 1, gas - 3 (PUSH0: gas - 2). Asks CODE for the immediate of class 0x5f, which the
// verifier decoded from the code, n included. Sends STACK(ctx, sp). Asks RANGE_10 that sp <= 1023, so that the new sp is
// at most 1024.
// hi, lo < 2^128 and n <= 32 by the provider of CODE; the rest comes from STATE. `zero` can be nothing but (n = 0).
// Padding (act = 0): everything else is free but sp's range, and nothing is sent or received.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Push() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input n, hi, lo, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    component zero = IsZero();
    zero.x <== n;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    signal pcN <== b[3] * n;
    signal fetchN <== b[11] * n;
    signal saved <== b[5] * zero.z;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3] + pcN;
    step.nextSp <== r.pSp + b[4];
    step.nextGas <== r.pGas - 3 * b[5] + saved;
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x5f * b[10] + fetchN + word.w;

    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp + word.w;

    component room = InRange(RANGE_10());
    room.alpha <== alpha; room.b <== b; room.value <== sp;

    y <== step.y + top.y + room.y;
}
