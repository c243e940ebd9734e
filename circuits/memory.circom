// Memory as rows use it: its growth and what that costs, aligned words, slices.
//
// Live words are MEMORY(ctx, index; hi, lo; t). A word begins as zero, sent by an expand row, once: the frame's msize, which
// is in STATE, says how many there are. So MEMORY(ctx, i) can be taken only at integers 0 <= i < msize.
pragma circom 2.2.0;

include "bus.circom";
include "gadgets.circom";

// Memory of msize words grows to `words` = max(msize, reach).
//
// Asks MEMGAS for the costs of both sizes, so that both are below 2^20; pCost = beta^5*(cost1 - cost0) is what it costs.
// Sends EXPAND(t = 16*clk, ctx, i = msize, end = words) and receives EXPAND(16*clk, ctx, i = words, end = words): expand
// rows must lead from one to the other, i -> i + 1, each making a word. Where both are the same they cancel.
//
// The row constrains that words is msize or reach. It isn't less than msize, because a chain of i -> i + 1 doesn't lead
// downwards (it would be r rows long). That it isn't less than reach is for who uses this template to see to.
template Expansion() {
    signal input alpha;
    signal input b[17];
    signal input act, clk;
    signal input pCtx, pMsize;
    signal input msize, reach, words, cost0, cost1;
    signal output pWords, pCost;
    signal output y;

    (words - msize) * (words - reach) === 0;

    pWords <== b[8] * words;
    signal pEnd <== b[4] * words;
    signal pCost0 <== b[5] * cost0;
    signal pCost1 <== b[5] * cost1;
    pCost <== pCost1 - pCost0;

    component before = Ask(MEMGAS());
    before.alpha <== alpha; before.b <== b; before.act <== act; before.entry <== pCost0 + pMsize;
    component after = Ask(MEMGAS());
    after.alpha <== alpha; after.b <== b; after.act <== act; after.entry <== pCost1 + pWords;

    component begin = Fraction();
    begin.alpha <== alpha; begin.m <== act; begin.f <== 16 * clk + pCtx + pEnd + pMsize + EXPAND() * b[16];
    component end = Fraction();
    end.alpha <== alpha; end.m <== act; end.f <== 16 * clk + pCtx + pEnd + pWords + EXPAND() * b[16];

    y <== before.y + after.y + begin.y - end.y;
}

// What MLOAD and MSTORE have in common: pops the offset 32*i (halves 0 and 32*i) at port 1, and grows the memory to i + 1
// words. pIndex = beta^4*i. The row takes MEMORY(ctx, i) later than port 0, with multiplicity act.
//
// That live word shows i < words: there are no others. So words is max(msize, i + 1), and an offset that is no multiple of
// 32, whose i = offset/32 in the field is no integer below 2^20, finds no word.
template Aligned() {
    signal input alpha;
    signal input b[17];
    signal input act, clk;
    signal input pCtx, pSp, pMsize;
    signal input msize, i, offsetOld, offsetHigh, words, cost0, cost1;
    signal output pIndex, pWords, pCost;
    signal output y;

    pIndex <== b[4] * i;
    signal pOffset <== 32 * b[7] * i;

    component offset = Take(STACK());
    offset.alpha <== alpha; offset.b <== b; offset.act <== act; offset.tOld <== offsetOld; offset.now <== 16 * clk + 1;
    offset.high <== offsetHigh;
    offset.cell <== pCtx + pSp - b[4] + pOffset;

    component memory = Expansion();
    memory.alpha <== alpha; memory.b <== b; memory.act <== act; memory.clk <== clk;
    memory.pCtx <== pCtx; memory.pMsize <== pMsize;
    memory.msize <== msize; memory.reach <== i + 1; memory.words <== words; memory.cost0 <== cost0;
    memory.cost1 <== cost1;
    pWords <== memory.pWords;
    pCost <== memory.pCost;

    y <== offset.y + memory.y;
}

// What RETURN and REVERT have in common: pops offset, then size, at port 1, and grows the memory to the slice's end. A size
// of 0 makes the offset irrelevant and grows nothing; another size needs an offset below 2^128 (beyond that, as with any
// size from 2^128 on, the gas of no frame suffices).
//
// `reach` is the number of words up to the slice's end: 32*reach = offset + size + pad, pad asked of RANGE_5 (size 0:
// 32*reach = pad). offset, size < 2^128 by whoever pushed them, so the right side is an integer below 2^130. words - reach is
// below 2^32 (RANGE_16 twice, upper half `spareHigh`) and words below 2^20 by MEMGAS: so reach is from -2^32 to 2^20 in
// the field, where only the integer (offset + size + pad)/32 = ceil((offset + size)/32) makes the two sides equal. And
// words >= reach, which Expansion leaves to show.
template Slice() {
    signal input alpha;
    signal input b[17];
    signal input act, clk;
    signal input pCtx, pSp, pMsize;
    signal input msize;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, size, sizeOld, sizeHigh;
    signal input reach, words, spareHigh, cost0, cost1;
    signal output pWords, pCost;
    signal output y;

    component empty = IsZero();
    empty.x <== size;
    (1 - empty.z) * offsetHi === 0;
    signal start <== (1 - empty.z) * offsetLo;

    component word = Word();
    word.b <== b; word.hi <== offsetHi; word.lo <== offsetLo;
    signal pSize <== b[7] * size;

    component offset = Take(STACK());
    offset.alpha <== alpha; offset.b <== b; offset.act <== act; offset.tOld <== offsetOld; offset.now <== 16 * clk + 1;
    offset.high <== offsetHigh;
    offset.cell <== pCtx + pSp - b[4] + word.w;
    component length = Take(STACK());
    length.alpha <== alpha; length.b <== b; length.act <== act; length.tOld <== sizeOld; length.now <== 16 * clk + 1;
    length.high <== sizeHigh;
    length.cell <== pCtx + pSp - 2 * b[4] + pSize;

    component pad = InRange(RANGE_5());
    pad.alpha <== alpha; pad.b <== b; pad.value <== 32 * reach - start - size;
    component spare = InRange32();
    spare.alpha <== alpha; spare.b <== b; spare.value <== words - reach; spare.high <== spareHigh;

    component memory = Expansion();
    memory.alpha <== alpha; memory.b <== b; memory.act <== act; memory.clk <== clk;
    memory.pCtx <== pCtx; memory.pMsize <== pMsize;
    memory.msize <== msize; memory.reach <== reach; memory.words <== words; memory.cost0 <== cost0;
    memory.cost1 <== cost1;
    pWords <== memory.pWords;
    pCost <== memory.pCost;

    y <== offset.y + length.y + pad.y + spare.y + memory.y;
}
