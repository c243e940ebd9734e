// EXTCODESIZE (Yellow Paper H.2; EIP-2929): replaces an address by the length of its account's code.
//
// Takes and gives STATE: pc + 1, gas - 100, or gas - 2600 if the account is cold. Asks CODE for class 0x3b. Receives
// STACK(ctx, sp - 1) = word, whose low 160 bits are the address; takes and gives ACCOUNT of it; journals its warming if it is
// cold: see TouchAccount. Asks CODEID(hash; id, length) for the account's hash, sends STACK(ctx, sp - 1) = length.
//
// CODEID has one entry for each hash, that of no code (of accounts that don't exist, too) with length 0. id < 2^17 and
// length < 2^16 by its provider.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../account.circom";

template Extcodesize() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input wordHi, wordLo, wordOld, wordHigh, low, lowHigh;
    signal input T, hashHi, hashLo, lastTx, accountOld, accountHigh, j, jOld, jHigh;
    signal input id, length, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

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

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - account.pCost;
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x3b * b[10];

    signal pId <== b[2] * id;
    signal pLength <== b[4] * length;
    signal pHash <== b[6] * account.hash;
    component found = Ask(CODEID());
    found.alpha <== alpha; found.b <== b; found.act <== act;
    found.entry <== pId + pLength + pHash;
    signal pushed <== b[7] * length;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - b[4] + pushed;

    y <== account.y + step.y + found.y + top.y;
}
