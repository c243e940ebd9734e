// MCOPY (EIP-5656): pops a place in memory to copy to, one to copy from, a size; reads all bytes before it writes any.
//
// Takes and gives STATE: pc + 1, sp - 3, msize' = words = max(msize, end of either place), gas - 3 - 3*n - (what the growth
// costs), n = ceil(size/32). Size 0 grows nothing, wherever the places are. Asks CODE for class 0x5e. Receives STACK(ctx, sp
// - 1..3). Sends and receives the ends of EXPAND, of READ with kind 1, whose rows send BUFFER (Reading in memory.circom:
// port 3), and of WRITE (copy.circom: port 4).
// words is msize or one of both ends. The chains show that it is not below either end, and not below msize: it is the
// maximum.
// Without bytes both ends are 0 (copy.circom), and it is msize.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../copy.circom";

template Mcopy() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input destHi, destLo, destOld, destHigh, size, sizeOld, sizeHigh, first, reach, writeEnd;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, n, sourceFirst, sourceReach;
    signal input words, cost0, cost1, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;

    component to = Destination(1);
    to.alpha <== alpha; to.b <== b; to.act <== act; to.clk <== clk; to.pCtx <== r.pCtx; to.pSp <== r.pSp;
    to.destHi <== destHi; to.destLo <== destLo; to.destOld <== destOld; to.destHigh <== destHigh;
    to.size <== size; to.sizeOld <== sizeOld; to.sizeHigh <== sizeHigh;
    to.first <== first; to.reach <== reach; to.end <== writeEnd;

    component offset = Word();
    offset.b <== b; offset.hi <== offsetHi; offset.lo <== offsetLo;
    component operand = Take(STACK());
    operand.alpha <== alpha; operand.b <== b; operand.act <== act; operand.tOld <== offsetOld; operand.now <== 16 * clk + 1;
    operand.high <== offsetHigh;
    operand.cell <== r.pCtx + r.pSp - 2 * b[4] + offset.w;
    component span = Span();
    span.alpha <== alpha; span.b <== b; span.some <== to.some;
    span.offsetHi <== offsetHi; span.offsetLo <== offsetLo; span.size <== size; span.reach <== sourceReach;
    component from = Reading(1);
    from.alpha <== alpha; from.b <== b; from.act <== act; from.clk <== clk; from.pCtx <== r.pCtx;
    from.start <== span.start; from.size <== size; from.reach <== sourceReach; from.first <== sourceFirst; from.n <== n;

    // words is msize or one of both ends: said here, as Expansion knows of one end only
    signal other <== (words - msize) * (words - reach);
    other * (words - sourceReach) === 0;
    component memory = Expansion();
    memory.alpha <== alpha; memory.b <== b; memory.act <== act; memory.clk <== clk;
    memory.pCtx <== r.pCtx; memory.pMsize <== r.pMsize;
    memory.msize <== msize; memory.reach <== words; memory.words <== words; memory.cost0 <== cost0;
    memory.cost1 <== cost1;
    signal pWords <== b[5] * n;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - 3 * b[4];
    step.nextGas <== r.pGas - 3 * b[5] - 3 * pWords - memory.pCost;
    step.nextMsize <== memory.pWords;
    step.fetch <== 0x5e * b[10];

    y <== to.y + operand.y + span.y + from.y + memory.y + step.y;
}
