// One more word of memory: a link of the chain by which a row grows the memory of its frame.
//
// Receives EXPAND(t, ctx, end; i), sends EXPAND(t, ctx, end; i + 1) and the zero word MEMORY(ctx, i; t).
// t is the token's own: 16*clk of the row that grows the memory, which sends EXPAND at i = msize and receives it at i = end =
// the new msize. For given (t, ctx, end) let n(i) be the number of these rows at i: the bus demands n(i) = n(i - 1), but one
// more at msize and one less at the new msize. n is 0 somewhere (fewer than r rows are proven), so it is 1 from msize to
// end - 1 and 0 elsewhere: each word is made once, and none without a row that paid for it. t, ctx, end, i are below their
// bounds because those of the row are.
// Padding (act = 0): nothing is sent or received.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Expand() {
    signal input alpha;
    signal input b[17];
    signal input t, ctx, end, i, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    signal pCtx <== b[1] * ctx;
    signal pEnd <== b[4] * end;
    signal pAt <== b[8] * i;
    signal pIndex <== b[4] * i;

    component here = Fraction();
    here.alpha <== alpha; here.m <== act; here.f <== t + pCtx + pEnd + pAt + EXPAND() * b[16];
    component next = Fraction();
    next.alpha <== alpha; next.m <== act; next.f <== t + pCtx + pEnd + pAt + b[8] + EXPAND() * b[16];
    component word = Give(MEMORY());
    word.alpha <== alpha; word.b <== b; word.act <== act; word.now <== t;
    word.cell <== pCtx + pIndex;

    y <== next.y - here.y + word.y;
}
