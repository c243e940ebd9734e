// JUMP (Yellow Paper H.2): pops the destination and goes there.
//
// Takes and gives STATE: pc = dest, sp - 1, gas - 8. Asks CODE for class 0x56 at pc, and at dest for class 0x5b (JUMPDEST)
// with isInstr = 1. Receives STACK(ctx, sp - 1) with hi = 0, lo = dest.
// The high half of the item is the constant 0: a word from 2^128 up finds no such item. The provider of CODE has an entry of
// class 0x5b with isInstr = 1 only where a jump may go, so dest is in the code and no byte of a PUSH's immediate. Other jumps
// are exceptional halts.
// Padding (act = 0): nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Jump() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input dest, tOld, high, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    signal destLo <== b[7] * dest;
    signal destPc <== b[3] * dest;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== destPc;
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 8 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x56 * b[10];

    component top = Take(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.tOld <== tOld; top.now <== 16 * clk + 1;
    top.high <== high;
    top.cell <== r.pCtx + r.pSp - b[4] + destLo;
    component there = Ask(CODE());
    there.alpha <== alpha; there.b <== b; there.act <== act;
    there.entry <== r.pCode + destPc + 0x5b * b[10] + b[12];

    y <== step.y + top.y + there.y;
}
