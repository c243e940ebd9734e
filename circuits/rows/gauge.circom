// PC, MSIZE, GAS (Yellow Paper H.2): what the machine knows about itself: pushes pc, the size of the memory in bytes, or the
// gas that is left when this step is paid.
//
// Takes and gives STATE: pc + 1, sp + 1, gas - 2. Asks CODE for class 0x58, 0x59 or 0x5a. Sends STACK(ctx, sp), whose high half
// is the constant 0. Asks RANGE_10 that sp <= 1023, RANGE_16 twice that the value is below 2^32.
// act, isMsize, isGas and isPc = act - isMsize - isGas are boolean, so that exactly one of the three is act: the class is one of
// the three constants, and the value pc, 32*msize or gas - 2. pc < 2^16 and msize < 2^20 by STATE. gas is below 2^31 but may
// be negative in STATE, which is found out where the frame ends; the check makes sure that no such gas gets on the stack.
// Padding (act = 0): the flags are 0 too; nothing is sent, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Gauge() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input high, isMsize, isGas, act;
    signal output y;

    component bits[4];
    for (var i = 0; i < 4; i++) bits[i] = Boolean();
    bits[0].bit <== act; bits[1].bit <== isMsize; bits[2].bit <== isGas; bits[3].bit <== act - isMsize - isGas;

    signal asMsize <== isMsize * (32 * msize - pc);
    signal asGas <== isGas * (gas - 2 - pc);
    signal value <== pc + asMsize + asGas;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    signal word <== b[7] * value;
    signal class <== b[10] * (isMsize + 2 * isGas);

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp + b[4];
    step.nextGas <== r.pGas - 2 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x58 * b[10] + class;

    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp + word;
    component size = InRange32();
    size.alpha <== alpha; size.b <== b; size.value <== value; size.high <== high;

    component room = InRange(RANGE_10());
    room.alpha <== alpha; room.b <== b; room.value <== sp;

    y <== step.y + top.y + size.y + room.y;
}
