// Receives a live cell that nobody needs any more: what a finished frame leaves on its stack and in its memory, the data of
// logs that were undone.
//
// Receives STACK(t, ctx, index, hi, lo) if isStack, MEMORY(t, ctx, index, hi, lo) if isMemory, LOGDATA(t, index, hi, lo) if
// isLogdata; ctx stands in the last one too, so that it has to be 0. The flags are boolean and are the multiplicities; each
// message has its tag as a constant, so that no choice of flags makes another tag of it, or none.
// Whatever is received was sent by an honest row; a cell that is sunk too early is missing where it is wanted.
// Padding (flags 0): nothing is received.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Sink() {
    signal input alpha;
    signal input b[17];
    signal input t, ctx, index, hi, lo, isStack, isMemory, isLogdata;
    signal output y;

    component stacks = Boolean();
    stacks.bit <== isStack;
    component memories = Boolean();
    memories.bit <== isMemory;
    component logs = Boolean();
    logs.bit <== isLogdata;

    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    signal pCtx <== b[1] * ctx;
    signal pIndex <== b[4] * index;
    signal content <== t + pCtx + pIndex + word.w;

    component item = Fraction();
    item.alpha <== alpha; item.m <== isStack; item.f <== content + STACK() * b[16];
    component cell = Fraction();
    cell.alpha <== alpha; cell.m <== isMemory; cell.f <== content + MEMORY() * b[16];
    component data = Fraction();
    data.alpha <== alpha; data.m <== isLogdata; data.f <== content + LOGDATA() * b[16];

    y <== -item.y - cell.y - data.y;
}
