// CALLDATALOAD (Yellow Paper H.2) in a root frame, at a multiple of 32: replaces the offset on top of the stack by the word
// of calldata there, zero beyond the end.
//
// Takes and gives STATE: pc + 1, gas - 3. Asks CODE for class 0x35, CTX(ctx, 0x36) = len, the number of bytes, and
// CTX(ctx, 0x101) = region, the pseudo-frame whose memory the calldata is; the verifier gives a root both, and pads the last
// word of the region with zeros. Receives STACK(ctx, sp - 1) = 32*i, sends STACK(ctx, sp - 1) = the word.
// inside = (32*i < len), shown by a range of 32 bits: len - 32*i - 1 inside, 32*i - len outside. len < 2^32 by the verifier and
// 32*i = the offset's lower half < 2^128, so the two exclude each other. (An offset of len + 2^32 or more has no row.)
// Inside: receives MEMORY(region, i) and sends it again. Outside: no message of MEMORY, and the word is 0.
// An offset that is no multiple of 32 is an i = offset/32 in the field that is no integer below 2^32: inside the region it
// finds no word; outside the word is 0, which is right for any offset.
// hi, lo < 2^128 by the verifier who wrote the region.
// Padding (act = 0, hence inside = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Calldataload() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input i, offsetOld, offsetHigh;
    signal input len, region, distanceHigh;
    signal input hi, lo, wordOld, wordHigh;
    signal input inside, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    inside * (act - inside) === 0;
    (1 - inside) * hi === 0;
    (1 - inside) * lo === 0;
    signal distance <== inside * (2 * (len - 32 * i) - 1) - (len - 32 * i);

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    signal pOffset <== 32 * b[7] * i;
    signal pIndex <== b[4] * i;
    signal pLen <== b[7] * len;
    signal pRegion <== b[7] * region;
    signal pSpace <== b[1] * region;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x35 * b[10];

    component length = Ask(CTX());
    length.alpha <== alpha; length.b <== b; length.act <== act; length.entry <== r.pCtx + 0x36 * b[10] + pLen;
    component where = Ask(CTX());
    where.alpha <== alpha; where.b <== b; where.act <== act; where.entry <== r.pCtx + 0x101 * b[10] + pRegion;
    component range = InRange32();
    range.alpha <== alpha; range.b <== b; range.value <== distance; range.high <== distanceHigh;

    signal now <== 16 * clk + 1;
    component offset = Take(STACK());
    offset.alpha <== alpha; offset.b <== b; offset.act <== act; offset.tOld <== offsetOld; offset.now <== now;
    offset.high <== offsetHigh;
    offset.cell <== r.pCtx + r.pSp - b[4] + pOffset;
    component old = Take(MEMORY());
    old.alpha <== alpha; old.b <== b; old.act <== inside; old.tOld <== wordOld; old.now <== now; old.high <== wordHigh;
    old.cell <== pSpace + pIndex + word.w;
    component again = Give(MEMORY());
    again.alpha <== alpha; again.b <== b; again.act <== inside; again.now <== now;
    again.cell <== pSpace + pIndex + word.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== now + 1;
    top.cell <== r.pCtx + r.pSp - b[4] + word.w;

    y <== step.y + length.y + where.y + range.y + offset.y + old.y + again.y + top.y;
}
