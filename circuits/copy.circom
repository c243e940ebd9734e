// Rows that copy bytes to memory: where to (all of them), and where from if that is calldata or code.
//
// The bytes go through BUFFER(t, i), t = 16*clk: n = ceil(size/32) words, zero-padded, sent by a chain of load or read rows,
// received by a chain of write rows. The row that copies begins and ends both chains.
pragma circom 2.2.0;

include "bus.circom";
include "gadgets.circom";
include "memory.circom";

// The code id of calldata in LOAD: no code has it (65536 is the empty code, ids of others are below).
function NO_CODE() { return 65537; }

// Pops the destination, at depth d of the stack, and the size, at d + 2, whose upper half is 0, and begins and ends the
// WRITE chain.
//
// Span in memory.circom has start (the destination, or 0 without bytes), reach, and pad, in 0..31.
//     start = 32*first + r           r in RANGE_5: where in word `first` the bytes begin
//     count = reach - first          words to write, the last one up to its byte e = 32 - pad
// so 32*count = r + size + pad. The chain goes from i = 0 to count by steps of 1, so count is a small integer (fewer rows
// are proven than the field has elements), and this is an equation of integers: size < 2^128 by whoever pushed it. With
// bytes count >= 1, and the write rows take MEMORY(ctx, first + i), which are there only at integers 0..words - 1: so first
// = floor(start/32), reach = ceil((start + size)/32) <= words, as Expansion wants it shown.
// Without bytes reach, first and count are some x/32: count = 0 and the tokens cancel, or pad + r = 32, count = 1 and the
// row would take a word at the fraction -r/32. And words, which is msize or reach, is msize: below it no EXPAND chain leads.
// `end` of the chain's tokens is count, or anything if e = 32: see write.circom.
template Destination(d) {
    signal input alpha;
    signal input b[17];
    signal input act, clk;
    signal input pCtx, pSp;
    signal input destHi, destLo, destOld, destHigh, size, sizeOld, sizeHigh;
    signal input first, reach, end;
    signal output some;
    signal output y;

    component empty = IsZero();
    empty.x <== size;
    some <== 1 - empty.z;
    component span = Span();
    span.alpha <== alpha; span.b <== b; span.some <== some;
    span.offsetHi <== destHi; span.offsetLo <== destLo; span.size <== size; span.reach <== reach;

    component dest = Word();
    dest.b <== b; dest.hi <== destHi; dest.lo <== destLo;
    signal pSize <== b[7] * size;
    component pointer = Take(STACK());
    pointer.alpha <== alpha; pointer.b <== b; pointer.act <== act; pointer.tOld <== destOld; pointer.now <== 16 * clk + 1;
    pointer.high <== destHigh;
    pointer.cell <== pCtx + pSp - d * b[4] + dest.w;
    component length = Take(STACK());
    length.alpha <== alpha; length.b <== b; length.act <== act; length.tOld <== sizeOld; length.now <== 16 * clk + 1;
    length.high <== sizeHigh;
    length.cell <== pCtx + pSp - (d + 2) * b[4] + pSize;

    signal r <== span.start - 32 * first;
    component rest = InRange(RANGE_5());
    rest.alpha <== alpha; rest.b <== b; rest.value <== r;
    signal count <== reach - first;
    span.pad * (end - count) === 0;

    signal pR <== b[2] * r;
    signal pEnd <== b[3] * end;
    signal pE <== b[9] * (32 - span.pad);
    signal pFirst <== b[4] * first;
    signal pReach <== b[4] * reach;
    signal pCount <== b[8] * count;
    signal chain <== 16 * clk + pCtx + pR + pEnd + pE + WRITE() * b[16];
    component begin = Fraction();
    begin.alpha <== alpha; begin.m <== act; begin.f <== chain + pFirst;
    component over = Fraction();
    over.alpha <== alpha; over.m <== act; over.f <== chain + pReach + pCount;

    y <== span.y + pointer.y + length.y + rest.y + begin.y - over.y;
}

// Pops the offset in a source of `length` bytes, at depth d of the stack, and begins and ends the LOAD chain: from
// min(offset, length) on, n words with m bytes in the last one, 32*n = size + 32 - m, 32 - m in RANGE_5. The chain goes from
// i = 0 to n by steps of 1: n is a small integer, and n = ceil(size/32). pWords = beta^5*n.
//
// inside, a boolean that the row constrains, 0 in padding: offset < length, shown by length - 1 - at < 2^32, where at =
// offsetLo + 2^125*offsetHi, below the field's order by more than 2^32, is below 2^125 only if offsetHi = 0. Not inside:
// offsetHi != 0, or WIDE has offsetLo - length.
// length < 2^29 by whoever vouches for it (CTX, as gas of below 2^31 pays 4 for each byte; CODEID), halves of the offset are
// below 2^128 by whoever pushed it.
// source: powered ctx and code as in LOAD. `end` of the chain's tokens is n, or anything if m = 32: see load.circom.
template Source(d) {
    signal input alpha;
    signal input b[17];
    signal input act, clk;
    signal input pCtx, pSp;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, length, inside, leftHigh;
    signal input source, size, n, end;
    signal output pWords;
    signal output y;

    component low = IsZero();
    low.x <== offsetHi;
    signal short <== (act - inside) * low.z;
    signal left <== inside * (length - offsetLo - 2 ** 125 * offsetHi);
    component before = InRange32();
    before.alpha <== alpha; before.b <== b; before.value <== left - inside; before.high <== leftHigh;
    component beyond = Ask(WIDE());
    beyond.alpha <== alpha; beyond.b <== b; beyond.act <== short; beyond.entry <== offsetLo - length;

    component offset = Word();
    offset.b <== b; offset.hi <== offsetHi; offset.lo <== offsetLo;
    component operand = Take(STACK());
    operand.alpha <== alpha; operand.b <== b; operand.act <== act; operand.tOld <== offsetOld; operand.now <== 16 * clk + 1;
    operand.high <== offsetHigh;
    operand.cell <== pCtx + pSp - d * b[4] + offset.w;

    signal unused <== 32 * n - size;
    component rest = InRange(RANGE_5());
    rest.alpha <== alpha; rest.b <== b; rest.value <== unused;
    unused * (end - n) === 0;

    pWords <== b[5] * n;
    signal pEnd <== b[3] * end;
    signal pO <== b[4] * (length - left);
    signal pBytes <== 32 * b[4] * n;
    signal pLength <== b[5] * length;
    signal pN <== b[8] * n;
    signal pM <== b[11] * (32 - unused);
    signal chain <== 16 * clk + source + pEnd + pO + pLength + pM + LOAD() * b[16];
    component begin = Fraction();
    begin.alpha <== alpha; begin.m <== act; begin.f <== chain;
    component over = Fraction();
    over.alpha <== alpha; over.m <== act; over.f <== chain + pBytes + pN;

    y <== before.y + beyond.y + operand.y + rest.y + begin.y - over.y;
}
