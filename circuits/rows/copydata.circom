// CALLDATACOPY in a root frame and CODECOPY (Yellow Paper H.2): pops a place in memory, an offset in calldata or code, a
// size, and copies, zeros for what is beyond the source's end.
//
// Takes and gives STATE: pc + 1, sp - 3, msize' = words = max(msize, end of the destination), gas - 3 - 3*n - (what the
// growth costs), n = ceil(size/32). Size 0 grows nothing, wherever the destination is. Asks CODE for class 0x37 or 0x39
// (isCode), CTX for the number of bytes: field 0x36 or 0x38, one less than the class. Receives STACK(ctx, sp - 1..3). Sends
// and receives the ends of EXPAND (memory.circom), WRITE and LOAD (copy.circom); the code is that which runs.
// isCode is a boolean and 0 in padding: the class is that of one of the two, the tags are constants.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../copy.circom";

template Copydata() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input destHi, destLo, destOld, destHigh, size, sizeOld, sizeHigh, first, reach, writeEnd;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, length, inside, leftHigh, n, loadEnd;
    signal input words, cost0, cost1, isCode, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    inside * (act - inside) === 0;
    isCode * (act - isCode) === 0;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    signal pClass <== b[10] * (0x37 + 2 * isCode);
    signal source <== r.pCtx + NO_CODE() * b[2] + isCode * (r.pCode - NO_CODE() * b[2] - r.pCtx);

    component to = Destination(1);
    to.alpha <== alpha; to.b <== b; to.act <== act; to.clk <== clk; to.pCtx <== r.pCtx; to.pSp <== r.pSp;
    to.destHi <== destHi; to.destLo <== destLo; to.destOld <== destOld; to.destHigh <== destHigh;
    to.size <== size; to.sizeOld <== sizeOld; to.sizeHigh <== sizeHigh;
    to.first <== first; to.reach <== reach; to.end <== writeEnd;

    component from = Source(2);
    from.alpha <== alpha; from.b <== b; from.act <== act; from.clk <== clk; from.pCtx <== r.pCtx; from.pSp <== r.pSp;
    from.offsetHi <== offsetHi; from.offsetLo <== offsetLo; from.offsetOld <== offsetOld; from.offsetHigh <== offsetHigh;
    from.length <== length; from.inside <== inside; from.leftHigh <== leftHigh;
    from.source <== source; from.size <== size; from.n <== n; from.end <== loadEnd;
    signal pLength <== b[7] * length;
    component bytes = Ask(CTX());
    bytes.alpha <== alpha; bytes.b <== b; bytes.act <== act; bytes.entry <== r.pCtx + pLength + pClass - b[10];

    component memory = Expansion();
    memory.alpha <== alpha; memory.b <== b; memory.act <== act; memory.clk <== clk;
    memory.pCtx <== r.pCtx; memory.pMsize <== r.pMsize;
    memory.msize <== msize; memory.reach <== reach; memory.words <== words; memory.cost0 <== cost0;
    memory.cost1 <== cost1;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - 3 * b[4];
    step.nextGas <== r.pGas - 3 * b[5] - 3 * from.pWords - memory.pCost;
    step.nextMsize <== memory.pWords;
    step.fetch <== pClass;

    y <== to.y + from.y + bytes.y + memory.y + step.y;
}
