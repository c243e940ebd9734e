// CALLDATALOAD (Yellow Paper H.2) in a root frame, at any offset: replaces the offset on top of the stack by the 32 bytes of
// calldata there, zeros beyond the end.
//
// Takes and gives STATE: pc + 1, gas - 3. Asks CODE for class 0x35. Receives STACK(ctx, sp - 1) = offset, sends
// STACK(ctx, sp - 1) = the bytes. What it asks besides is one of three:
// inside: CALLDATA(ctx, offset; hi, lo), which the verifier has for offsets below the number of bytes, and no others;
// short: offsetHi = 0, CTX(ctx, 0x36) = len, the number of bytes, and WIDE for offsetLo - len. offsetLo < 2^128 by whoever
// pushed it and len < 2^29 by the verifier, so that a difference below 2^128 in the field says offsetLo >= len;
// neither: offsetHi != 0, which is beyond the end of any calldata.
// The last two have the word 0. `at` = offsetLo + 2^125*offsetHi doesn't wrap, and is below 2^125 only if offsetHi = 0: it
// is the offset if it stands in CALLDATA. inside and short are booleans, and 0 in padding. len is free where it is not asked
// for.
// (1 - inside)*word = 0 is an equation between polynomials in beta, which is drawn after the columns: both halves are 0.
// hi, lo < 2^128 by the verifier.
// Padding (act = 0): nothing is sent, received or asked.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Calldataload() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh;
    signal input len, hi, lo;
    signal input inside, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    inside * (act - inside) === 0;
    component low = IsZero();
    low.x <== offsetHi;
    signal short <== (act - inside) * low.z;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    (1 - inside) * word.w === 0;
    component offset = Word();
    offset.b <== b; offset.hi <== offsetHi; offset.lo <== offsetLo;
    signal pAt <== b[4] * (offsetLo + 2 ** 125 * offsetHi);
    signal pLen <== b[7] * len;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x35 * b[10];

    component bytes = Ask(CALLDATA());
    bytes.alpha <== alpha; bytes.b <== b; bytes.act <== inside; bytes.entry <== r.pCtx + pAt + word.w;
    component length = Ask(CTX());
    length.alpha <== alpha; length.b <== b; length.act <== short; length.entry <== r.pCtx + 0x36 * b[10] + pLen;
    component beyond = Ask(WIDE());
    beyond.alpha <== alpha; beyond.b <== b; beyond.act <== short; beyond.entry <== offsetLo - len;

    component operand = Take(STACK());
    operand.alpha <== alpha; operand.b <== b; operand.act <== act; operand.tOld <== offsetOld; operand.now <== 16 * clk + 1;
    operand.high <== offsetHigh;
    operand.cell <== r.pCtx + r.pSp - b[4] + offset.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - b[4] + word.w;

    y <== step.y + bytes.y + length.y + beyond.y + operand.y + top.y;
}
