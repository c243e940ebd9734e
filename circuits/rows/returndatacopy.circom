// RETURNDATACOPY (EIP-211) where nothing has been returned: pops a place in memory, an offset and a size, both 0, and copies nothing.
//
// Takes and gives STATE: pc + 1, sp - 3, gas - 3; no byte is copied, so that memory doesn't grow, wherever the place is. Asks
// CODE for class 0x3e. Receives STACK(ctx, sp - 1) = the place, any word; STACK(ctx, sp - 2) and STACK(ctx, sp - 3), which are
// 0 here as constants: no other words pass. Asks CTX(ctx, 0x3d; 0, 0), which is what says that nothing has been returned.
// Any other offset or size reaches beyond that end and halts: see haltreturn.
// The place's halves are in nothing but the message that takes them, by whoever pushed them.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Returndatacopy() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input destHi, destLo, destOld, destHigh, offsetOld, offsetHigh, sizeOld, sizeHigh;
    signal input act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component dest = Word();
    dest.b <== b; dest.hi <== destHi; dest.lo <== destLo;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - 3 * b[4];
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x3e * b[10];

    component place = Take(STACK());
    place.alpha <== alpha; place.b <== b; place.act <== act; place.tOld <== destOld; place.now <== 16 * clk + 1;
    place.high <== destHigh;
    place.cell <== r.pCtx + r.pSp - b[4] + dest.w;
    component offset = Take(STACK());
    offset.alpha <== alpha; offset.b <== b; offset.act <== act; offset.tOld <== offsetOld; offset.now <== 16 * clk + 1;
    offset.high <== offsetHigh;
    offset.cell <== r.pCtx + r.pSp - 2 * b[4];
    component size = Take(STACK());
    size.alpha <== alpha; size.b <== b; size.act <== act; size.tOld <== sizeOld; size.now <== 16 * clk + 1;
    size.high <== sizeHigh;
    size.cell <== r.pCtx + r.pSp - 3 * b[4];

    component nothing = Ask(CTX());
    nothing.alpha <== alpha; nothing.b <== b; nothing.act <== act; nothing.entry <== r.pCtx + 0x3d * b[10];

    y <== step.y + place.y + offset.y + size.y + nothing.y;
}
