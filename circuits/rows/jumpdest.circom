// JUMPDEST (Yellow Paper H.2): marks where a jump may go and does nothing else.
//
// Takes and gives STATE: pc + 1, gas - 1. Asks CODE for class 0x5b.
// Everything comes from STATE.
// Padding (act = 0): nothing is sent or received.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Jumpdest() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x5b * b[10];

    y <== step.y;
}
