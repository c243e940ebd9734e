// EXTCODECOPY (Yellow Paper H.2; EIP-2929): pops an address, a place in memory, an offset in the code of that account, a
// size, and copies, zeros for what is beyond the code's end.
//
// Takes and gives STATE: pc + 1, sp - 4, msize' = words = max(msize, end of the destination), gas - 100, or - 2600 if the
// account is cold, - 3*n - (what the growth costs), n = ceil(size/32). Size 0 grows nothing, wherever the destination is,
// but touches the account. Asks CODE for class 0x3c. Receives STACK(ctx, sp - 1) = word, whose low 160 bits are the address;
// takes and gives ACCOUNT of it; journals its warming if it is cold: see TouchAccount in account.circom. Asks CODEID(hash)
// for id and length of the code. Receives STACK(ctx, sp - 2..4). Sends and receives the ends of EXPAND (memory.circom),
// WRITE and LOAD (copy.circom).
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../account.circom";
include "../copy.circom";

template Extcodecopy() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input wordHi, wordLo, wordOld, wordHigh, low, lowHigh;
    signal input T, hashHi, hashLo, lastTx, accountOld, accountHigh, j, jOld, jHigh;
    signal input destHi, destLo, destOld, destHigh, size, sizeOld, sizeHigh, first, reach, writeEnd;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, length, inside, leftHigh, n, loadEnd;
    signal input id, words, cost0, cost1, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    inside * (act - inside) === 0;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;

    component account = TouchAccount();
    account.alpha <== alpha; account.b <== b; account.act <== act; account.clk <== clk;
    account.pCtx <== r.pCtx; account.pSp <== r.pSp;
    account.wordHi <== wordHi; account.wordLo <== wordLo; account.wordOld <== wordOld; account.wordHigh <== wordHigh;
    account.low <== low; account.lowHigh <== lowHigh;
    account.T <== T; account.hashHi <== hashHi; account.hashLo <== hashLo; account.lastTx <== lastTx;
    account.accountOld <== accountOld; account.accountHigh <== accountHigh;
    account.j <== j; account.jOld <== jOld; account.jHigh <== jHigh;

    component to = Destination(2);
    to.alpha <== alpha; to.b <== b; to.act <== act; to.clk <== clk; to.pCtx <== r.pCtx; to.pSp <== r.pSp;
    to.destHi <== destHi; to.destLo <== destLo; to.destOld <== destOld; to.destHigh <== destHigh;
    to.size <== size; to.sizeOld <== sizeOld; to.sizeHigh <== sizeHigh;
    to.first <== first; to.reach <== reach; to.end <== writeEnd;

    signal source <== b[2] * id;
    signal pHash <== b[6] * account.hash;
    signal pLength <== b[4] * length;
    component found = Ask(CODEID());
    found.alpha <== alpha; found.b <== b; found.act <== act; found.entry <== source + pLength + pHash;
    component from = Source(3);
    from.alpha <== alpha; from.b <== b; from.act <== act; from.clk <== clk; from.pCtx <== r.pCtx; from.pSp <== r.pSp;
    from.offsetHi <== offsetHi; from.offsetLo <== offsetLo; from.offsetOld <== offsetOld; from.offsetHigh <== offsetHigh;
    from.length <== length; from.inside <== inside; from.leftHigh <== leftHigh;
    from.source <== source; from.size <== size; from.n <== n; from.end <== loadEnd;

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
    step.nextSp <== r.pSp - 4 * b[4];
    step.nextGas <== r.pGas - account.pCost - 3 * from.pWords - memory.pCost;
    step.nextMsize <== memory.pWords;
    step.fetch <== 0x3c * b[10];

    y <== account.y + to.y + found.y + from.y + memory.y + step.y;
}
