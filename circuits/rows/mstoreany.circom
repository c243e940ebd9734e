// MSTORE (Yellow Paper H.2) at an offset that is no multiple of 32: pops the offset, then a word, and writes its 32 bytes
// from there on, into two words.
//
// Takes and gives STATE: pc + 1, sp - 2, msize' = words = max(msize, i + 2), gas - 3 - (what the growth costs). Asks CODE
// for class 0x52. Receives STACK(ctx, sp - 1) = 32*i + r and STACK(ctx, sp - 2) = the value. Asks SHIFT(32 - r) of the
// value: head is what belongs into the first word, tail what belongs into the second. Receives MEMORY(ctx, i) and sends
// its first r bytes, of CUT(r), and head; receives MEMORY(ctx, i + 1) and sends tail, and it without its first r bytes:
// in both sums no byte is in common. Growth: Expansion in memory.circom (EXPAND at port 0, MEMGAS twice).
// SHIFT has 1 <= 32 - r <= 31 only. The live words show that i is an integer, 0 <= i, i + 1 < words: so words >= i + 2, i
// and r are what the offset says, and a multiple of 32 has no r.
// Words are bounded by whoever wrote or pushed them, head, tail and tops by their providers.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../memory.circom";

template Mstoreany() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input i, r, offsetOld, offsetHigh;
    signal input hi, lo, valueOld, valueHigh, headHi, headLo, tailHi, tailLo;
    signal input wasHi, wasLo, wordOld, wordHigh, topHi, topLo;
    signal input nextHi, nextLo, nextOld, nextHigh, nextTopHi, nextTopLo;
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
    step.nextSp <== s.pSp - 2 * b[4];
    step.nextGas <== s.pGas - 3 * b[5] - at.pCost;
    step.nextMsize <== at.pWords;
    step.fetch <== 0x52 * b[10];

    component moved = Shifted();
    moved.alpha <== alpha; moved.b <== b; moved.act <== act; moved.m <== 32 - r;
    moved.hi <== hi; moved.lo <== lo; moved.headHi <== headHi; moved.headLo <== headLo; moved.tailHi <== tailHi;
    moved.tailLo <== tailLo;
    component value = Take(STACK());
    value.alpha <== alpha; value.b <== b; value.act <== act; value.tOld <== valueOld; value.now <== 16 * clk + 1;
    value.high <== valueHigh;
    value.cell <== s.pCtx + s.pSp - 2 * b[4] + moved.pWord;

    component was = Word();
    was.b <== b; was.hi <== wasHi; was.lo <== wasLo;
    component next = Word();
    next.b <== b; next.hi <== nextHi; next.lo <== nextLo;
    component top = CutOff();
    top.alpha <== alpha; top.b <== b; top.act <== act; top.m <== r; top.word <== was.w;
    top.topHi <== topHi; top.topLo <== topLo;
    component nextTop = CutOff();
    nextTop.alpha <== alpha; nextTop.b <== b; nextTop.act <== act; nextTop.m <== r; nextTop.word <== next.w;
    nextTop.topHi <== nextTopHi; nextTop.topLo <== nextTopLo;
    component head = Word();
    head.b <== b; head.hi <== headHi; head.lo <== headLo;
    component tail = Word();
    tail.b <== b; tail.hi <== tailHi; tail.lo <== tailLo;

    component lower = Rewrite();
    lower.alpha <== alpha; lower.b <== b; lower.act <== act; lower.clk <== clk; lower.at <== s.pCtx + at.pIndex;
    lower.before <== was.w; lower.after <== top.pTop + head.w; lower.tOld <== wordOld; lower.high <== wordHigh;
    component upper = Rewrite();
    upper.alpha <== alpha; upper.b <== b; upper.act <== act; upper.clk <== clk; upper.at <== s.pCtx + at.pIndex + b[4];
    upper.before <== next.w; upper.after <== tail.w + next.w - nextTop.pTop; upper.tOld <== nextOld;
    upper.high <== nextHigh;

    y <== at.y + step.y + moved.y + value.y + top.y + nextTop.y + lower.y + upper.y;
}
