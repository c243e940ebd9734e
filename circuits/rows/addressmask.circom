// AND (Yellow Paper H.2) with 2^160 - 1, which is how compiled code makes an address of a word: pops the mask and x, in either
// order; pushes the lower 160 bits of x.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 3. Asks CODE for class 0x16. Receives two items, x and the mask, whose halves
// are the constants 2^32 - 1 and 2^128 - 1, and sends STACK(ctx, sp - 2) = (l, x.lo). x is on top (isSecond = 0) or below.
// x.hi = 2^32*h + l: l is below 2^32 (RANGE_16 twice, upper half `lHigh`), and h = (x.hi - l)/2^32, taken in the field, is
// asked of WIDE. So 2^32*h + l is below 2^161, and x.hi below 2^128 by whoever pushed it: the equation holds for integers, and l
// is x.hi modulo 2^32. h is 0 for a word that is an address already: one row of WIDE serves nearly all requests.
// Any other AND has its own row, which this class may have as well: both are right, and who proves chooses.
// Padding (act = 0): isSecond = 0; nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Addressmask() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input xHi, xLo, xOld, xHigh, l, lHigh;
    signal input maskOld, maskHigh, isSecond, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    isSecond * (act - isSecond) === 0;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    signal pHi <== b[6] * xHi;
    signal pLo <== b[7] * xLo;
    signal pL <== b[6] * l;
    signal swap <== b[4] * isSecond;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x16 * b[10];

    component x = Take(STACK());
    x.alpha <== alpha; x.b <== b; x.act <== act; x.tOld <== xOld; x.now <== 16 * clk + 1;
    x.high <== xHigh;
    x.cell <== r.pCtx + r.pSp - b[4] - swap + pHi + pLo;
    component mask = Take(STACK());
    mask.alpha <== alpha; mask.b <== b; mask.act <== act; mask.tOld <== maskOld; mask.now <== 16 * clk + 1;
    mask.high <== maskHigh;
    mask.cell <== r.pCtx + r.pSp - 2 * b[4] + swap + (2 ** 32 - 1) * b[6] + (2 ** 128 - 1) * b[7];
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + pL + pLo;

    component low = InRange32();
    low.alpha <== alpha; low.b <== b; low.value <== l; low.high <== lHigh;
    component above = Ask(WIDE());
    above.alpha <== alpha; above.b <== b; above.act <== act; above.entry <== (xHi - l) / 2 ** 32;

    y <== step.y + x.y + mask.y + top.y + low.y + above.y;
}
