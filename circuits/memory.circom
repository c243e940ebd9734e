// Memory as rows use it: its growth and what that costs, aligned words, slices, chains that read bytes.
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

// What MLOAD and MSTORE at multiples of 32 have in common: pops the offset 32*i (halves 0 and 32*i) at port 1, and grows the
// memory to i + 1 words. pIndex = beta^4*i. The row takes MEMORY(ctx, i) later than port 0, with multiplicity act.
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

    component any = Unaligned();
    any.alpha <== alpha; any.b <== b; any.act <== act; any.clk <== clk;
    any.pCtx <== pCtx; any.pSp <== pSp; any.pMsize <== pMsize;
    any.msize <== msize; any.i <== i; any.r <== 0; any.offsetOld <== offsetOld; any.offsetHigh <== offsetHigh;
    any.reach <== i + 1; any.words <== words; any.cost0 <== cost0; any.cost1 <== cost1;
    pIndex <== any.pIndex;
    pWords <== any.pWords;
    pCost <== any.pCost;
    y <== any.y;
}

// Pops the offset 32*i + r (its upper half is 0) at port 1, and grows the memory to `reach` words. pIndex = beta^4*i. The row
// takes the words of memory up to reach - 1 later than port 0, with multiplicity act: they show that i is an integer and
// words >= reach. That r is what 32 leaves of the offset is for the row to show.
template Unaligned() {
    signal input alpha;
    signal input b[17];
    signal input act, clk;
    signal input pCtx, pSp, pMsize;
    signal input msize, i, r, offsetOld, offsetHigh, reach, words, cost0, cost1;
    signal output pIndex, pWords, pCost;
    signal output y;

    pIndex <== b[4] * i;
    signal pOffset <== b[7] * (32 * i + r);

    component offset = Take(STACK());
    offset.alpha <== alpha; offset.b <== b; offset.act <== act; offset.tOld <== offsetOld; offset.now <== 16 * clk + 1;
    offset.high <== offsetHigh;
    offset.cell <== pCtx + pSp - b[4] + pOffset;

    component memory = Expansion();
    memory.alpha <== alpha; memory.b <== b; memory.act <== act; memory.clk <== clk;
    memory.pCtx <== pCtx; memory.pMsize <== pMsize;
    memory.msize <== msize; memory.reach <== reach; memory.words <== words; memory.cost0 <== cost0;
    memory.cost1 <== cost1;
    pWords <== memory.pWords;
    pCost <== memory.pCost;

    y <== offset.y + memory.y;
}

// Takes a word of memory and gives what it is afterwards, both at port 1. `at` is its ctx and index, powered; before and after
// are beta^6*hi + beta^7*lo.
template Rewrite() {
    signal input alpha;
    signal input b[17];
    signal input act, clk, at, before, after, tOld, high;
    signal output y;
    component old = Take(MEMORY());
    old.alpha <== alpha; old.b <== b; old.act <== act; old.cell <== at + before; old.tOld <== tOld;
    old.now <== 16 * clk + 1; old.high <== high;
    component new = Give(MEMORY());
    new.alpha <== alpha; new.b <== b; new.act <== act; new.cell <== at + after; new.now <== 16 * clk + 1;
    y <== old.y + new.y;
}

// Asks CUT(m) of a word, powered: `word` is beta^6*hi + beta^7*lo, pTop the same of its first bytes.
template CutOff() {
    signal input alpha;
    signal input b[17];
    signal input act, m, word, topHi, topLo;
    signal output pTop;
    signal output y;
    component top = Word();
    top.b <== b; top.hi <== topHi; top.lo <== topLo;
    pTop <== top.w;
    signal pCut <== b[5] * top.w;
    component asked = Ask(CUT());
    asked.alpha <== alpha; asked.b <== b; asked.act <== act; asked.entry <== m + word + pCut;
    y <== asked.y;
}

// Asks SHIFT(m) of a word. pWord = beta^6*hi + beta^7*lo.
template Shifted() {
    signal input alpha;
    signal input b[17];
    signal input act, m, hi, lo, headHi, headLo, tailHi, tailLo;
    signal output pWord;
    signal output y;

    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    pWord <== word.w;
    signal pHeadHi <== b[11] * headHi;
    signal pHeadLo <== b[12] * headLo;
    signal pTailHi <== b[13] * tailHi;
    signal pTailLo <== b[14] * tailLo;
    component asked = Ask(SHIFT());
    asked.alpha <== alpha; asked.b <== b; asked.act <== act;
    asked.entry <== m + pWord + pHeadHi + pHeadLo + pTailHi + pTailLo;
    y <== asked.y;
}

// Where the bytes of an operation lie: `size` of them from an offset on. `some` = (size != 0). Without bytes the offset is
// irrelevant, and start is 0. With bytes it has to be below 2^128 (beyond that the gas of no frame suffices).
//
// `reach` is the number of words up to the last byte's: 32*reach = start + size + pad, pad asked of RANGE_5. offset, size <
// 2^128 by whoever pushed them, so the right side is an integer below 2^130. That reach is an integer is for who uses this
// template to see to; then it is ceil((start + size)/32), and 0 without bytes.
template Span() {
    signal input alpha;
    signal input b[17];
    signal input some, offsetHi, offsetLo, size, reach;
    signal output start, pad;
    signal output y;

    some * offsetHi === 0;
    start <== some * offsetLo;
    pad <== 32 * reach - start - size;
    component range = InRange(RANGE_5());
    range.alpha <== alpha; range.b <== b; range.value <== pad;
    y <== range.y;
}

// What RETURN and REVERT have in common: pops offset, then size, at port 1, and grows the memory to the slice's end. A size
// of 0 makes the offset irrelevant and grows nothing; another size needs an offset below 2^128: see Span.
//
// words - reach is below 2^32 (RANGE_16 twice, upper half `spareHigh`) and words below 2^20 by MEMGAS: so reach is from -2^32
// to 2^20 in the field, where only the integer (start + size + pad)/32 = ceil((start + size)/32) makes the two sides of Span's
// equation equal. And words >= reach, which Expansion leaves to show.
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
    component span = Span();
    span.alpha <== alpha; span.b <== b; span.some <== 1 - empty.z;
    span.offsetHi <== offsetHi; span.offsetLo <== offsetLo; span.size <== size; span.reach <== reach;

    component popped = Operands();
    popped.alpha <== alpha; popped.b <== b; popped.act <== act; popped.clk <== clk;
    popped.pCtx <== pCtx; popped.pSp <== pSp;
    popped.offsetHi <== offsetHi; popped.offsetLo <== offsetLo; popped.offsetOld <== offsetOld;
    popped.offsetHigh <== offsetHigh;
    popped.size <== size; popped.sizeOld <== sizeOld; popped.sizeHigh <== sizeHigh;

    component spare = InRange32();
    spare.alpha <== alpha; spare.b <== b; spare.value <== words - reach; spare.high <== spareHigh;

    component memory = Expansion();
    memory.alpha <== alpha; memory.b <== b; memory.act <== act; memory.clk <== clk;
    memory.pCtx <== pCtx; memory.pMsize <== pMsize;
    memory.msize <== msize; memory.reach <== reach; memory.words <== words; memory.cost0 <== cost0;
    memory.cost1 <== cost1;
    pWords <== memory.pWords;
    pCost <== memory.pCost;

    y <== span.y + popped.y + spare.y + memory.y;
}

// Pops offset, then size, whose upper half is 0, at port 1.
template Operands() {
    signal input alpha;
    signal input b[17];
    signal input act, clk;
    signal input pCtx, pSp;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, size, sizeOld, sizeHigh;
    signal output y;

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
    y <== offset.y + length.y;
}

// Reads the `size` bytes from `start` on, as Span has them, by a chain of read rows: sends the token READ that begins it and
// receives the one that ends it.
//
// start = 32*first - q with q of RANGE_5, so that first = ceil(start/32). The chain's shift is r = 32 - q, in 1..32. n is the
// number of words that come out: 32*n - size of RANGE_5, the last word's bytes are m = 32 - (32*n - size). If r = 32 the chain
// begins at word k = first and output i = 0; else at k = first - 1 and i = -1: that row skips r bytes of the word, and only
// carries the others over to the next. It ends with k = reach, i = n, nothing carried.
//
// A chain of i -> i + 1 shows that n - i is the number of its rows, an integer. So with bytes, n = ceil(size/32) >= 1. Its rows
// take live words of memory at k, all of them but perhaps the last: with n >= 1 rows at r = 32 and n + 1 at another r, the
// first takes its word unless there is one row only, r = 32, nothing taken, k = first = reach: then 32*reach - start = 0 <
// size. So first and reach are integers, Span's and this equation are among integers, and the words of memory up to reach -
// 1 are there: words >= reach, which Expansion leaves to show. And reach - k says how many words the rows take: the last row
// takes one if bytes of it are wanted, and only then.
//
// Without bytes (start = 0) both tokens are the same and cancel: n, first and reach are some x/32 with x < 32, and from
// one token to the other there is a chain only from 0 to 0, without rows (one of a single row needs n = 0, i = -1, and either a
// word at a fraction or reach = first - 1 < 0).
template Reading(kind) {
    signal input alpha;
    signal input b[17];
    signal input act, clk;
    signal input pCtx;
    signal input start, size, reach, first, n;
    signal output y;

    component offset = InRange(RANGE_5());
    offset.alpha <== alpha; offset.b <== b; offset.value <== 32 * first - start;
    component rest = InRange(RANGE_5());
    rest.alpha <== alpha; rest.b <== b; rest.value <== 32 * n - size;
    component whole = IsZero();
    whole.x <== 32 * first - start;

    signal pShift <== b[2] * (32 - 32 * first + start);
    signal pEnd <== b[3] * n;
    signal pLast <== b[11] * (32 - 32 * n + size);
    signal pK <== b[4] * (first - 1 + whole.z);
    signal pI <== b[8] * (whole.z - 1);
    signal pReach <== b[4] * reach;
    signal pN <== b[8] * n;
    signal chain <== 16 * clk + pCtx + pShift + pEnd + pLast + kind * b[10] + READ() * b[16];

    component begin = Fraction();
    begin.alpha <== alpha; begin.m <== act; begin.f <== chain + pK + pI;
    component end = Fraction();
    end.alpha <== alpha; end.m <== act; end.f <== chain + pReach + pN;

    y <== offset.y + rest.y + begin.y - end.y;
}
