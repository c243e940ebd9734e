// MSTORE8 (Yellow Paper H.2): pops the offset, then a word, and writes its lowest byte there.
//
// Takes and gives STATE: pc + 1, sp - 2, msize' = words = max(msize, i + 1), gas - 3 - (what the growth costs). Asks CODE
// for class 0x53. Receives STACK(ctx, sp - 1) = 32*i + r and STACK(ctx, sp - 2) = the value, whose byte is shown by
// RANGE_8 of byte and WIDE of (lo - byte)/256: lo = 256*rest + byte with rest < 2^128 are integers below 2^136. Receives
// MEMORY(ctx, i) = was and sends it with byte in the place of its byte r: top + byte*256^(31 - r) + was - kept, where top
// is the first r bytes of was (of CUT(r), or 0 if r = 0) and kept its first r + 1 bytes (of CUT(r + 1), or was if r =
// 31). Growth: Expansion in memory.circom (EXPAND at port 0, MEMGAS twice).
// POW2(248 - 8*r), which is 256^(31 - r), is below 2^256, so that r <= 31; CUT has 1 <= r if r isn't 0. The live word
// shows that i is an integer, 0 <= i < words: so words >= i + 1, i and r are what the offset says.
// Words are bounded by whoever wrote or pushed them, tops by their provider; what is sent is the sum of three words
// without a byte in common.
// Multiplicities: those of CUT by IsZero, 0 in padding.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../memory.circom";

template Mstore8() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input i, r, offsetOld, offsetHigh;
    signal input hi, lo, valueOld, valueHigh, byte;
    signal input wasHi, wasLo, wordOld, wordHigh, topHi, topLo, keptHi, keptLo, powerHi, powerLo;
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
    at.reach <== i + 1; at.words <== words; at.cost0 <== cost0; at.cost1 <== cost1;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== s.pCtx; step.pCode <== s.pCode; step.pPc <== s.pPc; step.pSp <== s.pSp; step.pGas <== s.pGas;
    step.pMsize <== s.pMsize;
    step.nextPc <== s.pPc + b[3];
    step.nextSp <== s.pSp - 2 * b[4];
    step.nextGas <== s.pGas - 3 * b[5] - at.pCost;
    step.nextMsize <== at.pWords;
    step.fetch <== 0x53 * b[10];

    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    component value = Take(STACK());
    value.alpha <== alpha; value.b <== b; value.act <== act; value.tOld <== valueOld; value.now <== 16 * clk + 1;
    value.high <== valueHigh;
    value.cell <== s.pCtx + s.pSp - 2 * b[4] + word.w;
    component small = InRange(RANGE_8());
    small.alpha <== alpha; small.b <== b; small.value <== byte;
    component rest = Ask(WIDE());
    rest.alpha <== alpha; rest.b <== b; rest.act <== act; rest.entry <== (lo - byte) / 256;

    component was = Word();
    was.b <== b; was.hi <== wasHi; was.lo <== wasLo;
    component first = IsZero();
    first.x <== r;
    component last = IsZero();
    last.x <== 31 - r;
    component top = CutOff();
    top.alpha <== alpha; top.b <== b; top.act <== act * (1 - first.z); top.m <== r; top.word <== was.w;
    top.topHi <== topHi; top.topLo <== topLo;
    component kept = CutOff();
    kept.alpha <== alpha; kept.b <== b; kept.act <== act * (1 - last.z); kept.m <== r + 1; kept.word <== was.w;
    kept.topHi <== keptHi; kept.topLo <== keptLo;
    // equations between words are such between polynomials in beta, which is drawn after the columns
    first.z * top.pTop === 0;
    last.z * (kept.pTop - was.w) === 0;

    component power = Word();
    power.b <== b; power.hi <== powerHi; power.lo <== powerLo;
    component raised = Ask(POW2());
    raised.alpha <== alpha; raised.b <== b; raised.act <== act; raised.entry <== 248 - 8 * r + power.w;
    signal placed <== byte * power.w;

    component changed = Rewrite();
    changed.alpha <== alpha; changed.b <== b; changed.act <== act; changed.clk <== clk;
    changed.at <== s.pCtx + at.pIndex;
    changed.before <== was.w; changed.after <== top.pTop + placed + was.w - kept.pTop; changed.tOld <== wordOld;
    changed.high <== wordHigh;

    y <== at.y + step.y + value.y + small.y + rest.y + top.y + kept.y + raised.y + changed.y;
}
