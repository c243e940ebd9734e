// MLOAD (Yellow Paper H.2) at an offset that is no multiple of 32: replaces the offset on top of the stack by the 32 bytes of
// memory from there, which lie in two words.
//
// Takes and gives STATE: pc + 1, msize' = words = max(msize, i + 2), gas - 3 - (what the growth costs). Asks CODE for class
// 0x51. Receives STACK(ctx, sp - 1) = 32*i + r and sends STACK(ctx, sp - 1) = the word. Receives MEMORY(ctx, i) and MEMORY(ctx,
// i + 1) and sends them again. Asks SHIFT(r) of both: the result is the tail of the first and the head of the second, which
// have no byte in common. Growth: Expansion in memory.circom (EXPAND at port 0, MEMGAS twice).
// SHIFT has 1 <= r <= 31 only. The live words show that i is an integer, 0 <= i, i + 1 < words: so words >= i + 2, i and r
// are what the offset says, and a multiple of 32 has no r.
// Words of memory are bounded by whoever wrote them, heads and tails by the provider of SHIFT.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../memory.circom";

template Mloadany() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input i, r, offsetOld, offsetHigh;
    signal input hi, lo, wordOld, wordHigh, headHi, headLo, tailHi, tailLo;
    signal input nextHi, nextLo, nextOld, nextHigh, nextHeadHi, nextHeadLo, nextTailHi, nextTailLo;
    signal input words, cost0, cost1, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component s = Registers();
    s.b <== b; s.ctx <== ctx; s.code <== code; s.pc <== pc; s.sp <== sp; s.gas <== gas; s.msize <== msize;
    component at = Unaligned();
    at.alpha <== alpha; at.b <== b; at.act <== act; at.clk <== clk;
    at.pCtx <== s.pCtx; at.pSp <== s.pSp; at.pMsize <== s.pMsize;
    at.msize <== msize; at.i <== i; at.r <== r; at.offsetOld <== offsetOld; at.offsetHigh <== offsetHigh;
    at.reach <== i + 2; at.words <== words; at.cost0 <== cost0; at.cost1 <== cost1;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== s.pCtx; step.pCode <== s.pCode; step.pPc <== s.pPc; step.pSp <== s.pSp; step.pGas <== s.pGas;
    step.pMsize <== s.pMsize;
    step.nextPc <== s.pPc + b[3];
    step.nextSp <== s.pSp;
    step.nextGas <== s.pGas - 3 * b[5] - at.pCost;
    step.nextMsize <== at.pWords;
    step.fetch <== 0x51 * b[10];

    component first = Shifted();
    first.alpha <== alpha; first.b <== b; first.act <== act; first.m <== r;
    first.hi <== hi; first.lo <== lo; first.headHi <== headHi; first.headLo <== headLo; first.tailHi <== tailHi;
    first.tailLo <== tailLo;
    component second = Shifted();
    second.alpha <== alpha; second.b <== b; second.act <== act; second.m <== r;
    second.hi <== nextHi; second.lo <== nextLo; second.headHi <== nextHeadHi; second.headLo <== nextHeadLo;
    second.tailHi <== nextTailHi; second.tailLo <== nextTailLo;

    component lower = Rewrite();
    lower.alpha <== alpha; lower.b <== b; lower.act <== act; lower.clk <== clk; lower.at <== s.pCtx + at.pIndex;
    lower.before <== first.pWord; lower.after <== first.pWord; lower.tOld <== wordOld; lower.high <== wordHigh;
    component upper = Rewrite();
    upper.alpha <== alpha; upper.b <== b; upper.act <== act; upper.clk <== clk; upper.at <== s.pCtx + at.pIndex + b[4];
    upper.before <== second.pWord; upper.after <== second.pWord; upper.tOld <== nextOld; upper.high <== nextHigh;

    component word = Word();
    word.b <== b; word.hi <== tailHi + nextHeadHi; word.lo <== tailLo + nextHeadLo;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== s.pCtx + s.pSp - b[4] + word.w;

    y <== at.y + step.y + first.y + second.y + lower.y + upper.y + top.y;
}
