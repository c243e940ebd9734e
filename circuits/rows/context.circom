// CALLER, ADDRESS, CALLVALUE, CALLDATASIZE, CODESIZE, RETURNDATASIZE (Yellow Paper H.2, EIP-211): pushes a word of the
// frame's context.
//
// Takes and gives STATE: pc + 1, sp + 1, gas - 2. Asks CODE for class 0x33 and n, CTX(ctx, n) for the word. Sends
// STACK(ctx, sp). Asks RANGE_10 that sp <= 1023.
// n is the opcode: the provider of CODE gives class 0x33 to these six only, so that n is none of the fields of CTX that
// aren't opcodes. hi, lo < 2^128 by the provider of CTX; ctx comes from STATE.
// Padding (act = 0): nothing is sent or asked but the range of sp.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Context() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input n, hi, lo, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    signal fetchN <== b[11] * n;
    signal field <== b[10] * n;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp + b[4];
    step.nextGas <== r.pGas - 2 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x33 * b[10] + fetchN;

    component entry = Ask(CTX());
    entry.alpha <== alpha; entry.b <== b; entry.act <== act;
    entry.entry <== r.pCtx + field + word.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp + word.w;

    component room = InRange(RANGE_10());
    room.alpha <== alpha; room.b <== b; room.value <== sp;

    y <== step.y + entry.y + top.y + room.y;
}
