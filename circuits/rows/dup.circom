// DUP1 ... DUP16: puts a copy of the n-th stack item on top.
//
// Takes and gives STATE: pc + 1, sp + 1, gas - 3. Asks CODE for class 0x80 and n. Receives STACK(ctx, sp - n) and sends it
// again, sends STACK(ctx, sp) with the same word. Asks RANGE_10 that sp <= 1023.
// 1 <= n <= 16 by the provider of CODE; an item exists only at 0 <= index < sp, so that an underflow finds none.
// hi, lo < 2^128 by whoever pushed them.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Dup() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input n, hi, lo, tOld, high, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    signal spN <== b[4] * n;
    signal fetchN <== b[11] * n;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp + b[4];
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x80 * b[10] + fetchN;

    signal now <== 16 * clk + 1;
    component old = Take(STACK());
    old.alpha <== alpha; old.b <== b; old.act <== act; old.tOld <== tOld; old.now <== now; old.high <== high;
    old.cell <== r.pCtx + r.pSp - spN + word.w;
    component again = Give(STACK());
    again.alpha <== alpha; again.b <== b; again.act <== act; again.now <== now;
    again.cell <== r.pCtx + r.pSp - spN + word.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== now + 1;
    top.cell <== r.pCtx + r.pSp + word.w;

    component room = InRange(RANGE_10());
    room.alpha <== alpha; room.b <== b; room.value <== sp;

    y <== step.y + old.y + again.y + top.y + room.y;
}
