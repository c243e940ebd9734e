// KECCAK256 (Yellow Paper H.2): pops offset and size, and pushes the hash of these bytes of memory.
//
// Takes and gives STATE: pc + 1, sp - 1, msize' = words = max(msize, reach), gas - 30 - 6*n - (what the growth costs), n
// = ceil(size/32). Asks CODE for class 0x20. Receives STACK(ctx, sp - 1) = offset and STACK(ctx, sp - 2) = size, sends
// STACK(ctx, sp - 2) = the hash. Growth: Expansion in memory.circom (EXPAND at port 0, MEMGAS twice); words >= reach
// because read rows take the words up to there.
// The bytes: a chain READ of kind 2, see Reading, whose rows receive them as CLAIMWORD(t, i), t = 16*clk. This row
// receives the head of the claim, CLAIM(t, size; hash, keccak-256). The verifier sends the head and its ceil(size/32)
// words, the last one padded with zeros, and computes the hash from them: hi, lo < 2^128 by it.
// Without bytes the offset is irrelevant, n = 0, and there is no chain; the claim's length is 0.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../memory.circom";

template Keccak() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, size, sizeOld, sizeHigh;
    signal input reach, words, cost0, cost1;
    signal input first, n, hi, lo, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component hash = Word();
    hash.b <== b; hash.hi <== hi; hash.lo <== lo;
    signal pLength <== b[5] * size;
    signal pWordGas <== b[5] * n;

    component popped = Operands();
    popped.alpha <== alpha; popped.b <== b; popped.act <== act; popped.clk <== clk;
    popped.pCtx <== r.pCtx; popped.pSp <== r.pSp;
    popped.offsetHi <== offsetHi; popped.offsetLo <== offsetLo; popped.offsetOld <== offsetOld;
    popped.offsetHigh <== offsetHigh;
    popped.size <== size; popped.sizeOld <== sizeOld; popped.sizeHigh <== sizeHigh;

    component empty = IsZero();
    empty.x <== size;
    component span = Span();
    span.alpha <== alpha; span.b <== b; span.some <== 1 - empty.z;
    span.offsetHi <== offsetHi; span.offsetLo <== offsetLo; span.size <== size; span.reach <== reach;
    component memory = Expansion();
    memory.alpha <== alpha; memory.b <== b; memory.act <== act; memory.clk <== clk;
    memory.pCtx <== r.pCtx; memory.pMsize <== r.pMsize;
    memory.msize <== msize; memory.reach <== reach; memory.words <== words; memory.cost0 <== cost0;
    memory.cost1 <== cost1;
    component bytes = Reading(2);
    bytes.alpha <== alpha; bytes.b <== b; bytes.act <== act; bytes.clk <== clk; bytes.pCtx <== r.pCtx;
    bytes.start <== span.start; bytes.size <== size; bytes.reach <== reach; bytes.first <== first; bytes.n <== n;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 30 * b[5] - 6 * pWordGas - memory.pCost;
    step.nextMsize <== memory.pWords;
    step.fetch <== 0x20 * b[10];

    component claim = Fraction();
    claim.alpha <== alpha; claim.m <== act; claim.f <== 16 * clk + pLength + hash.w + b[10] + CLAIM() * b[16];
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + hash.w;

    y <== popped.y + span.y + memory.y + bytes.y + step.y - claim.y + top.y;
}
