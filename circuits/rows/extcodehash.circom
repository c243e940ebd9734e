// EXTCODEHASH (EIP-1052, EIP-2929): replaces an address by the hash of its account's code, or by 0 if the account is empty
// (EIP-161): no code, nonce 0, balance 0. Accounts that don't exist have cells that say just that.
//
// Takes and gives STATE: pc + 1, gas - 100, or gas - 2600 if the account is cold. Asks CODE for class 0x3f. Receives
// STACK(ctx, sp - 1) = word, whose low 160 bits are the address; takes and gives ACCOUNT of it; journals its warming if it is
// cold: see TouchAccount. If the hash is that of no code (bare = 1), receives NONCE(address; nonce, createdTx) and
// BALANCE(address; balance) and sends them again. Sends STACK(ctx, sp - 1) = hash, or 0.
//
// bare is a boolean that act and the hash decide: halves are below 2^128, so that where the high ones differ, code.x lies
// between 2^128 and 2^130. An account is empty if bare and nonce + both halves of the balance = 0; the sum is below 2^130.
// Where bare = 0, nonce, balance and their times are free: they are in nothing but messages with multiplicity 0, requests to
// RANGE_16 and a product with bare.
// nonce < 2^64, balance and hash < 2^128 (halves) by whoever wrote the cells.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../account.circom";

// keccak-256 of no bytes
function NO_CODE_HI() { return 0xc5d2460186f7233c927e7db2dcc703c0; }
function NO_CODE_LO() { return 0xe500b653ca82273b7bfad8045d85a470; }

template Extcodehash() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input wordHi, wordLo, wordOld, wordHigh, low, lowHigh;
    signal input T, hashHi, hashLo, lastTx, accountOld, accountHigh, j, jOld, jHigh;
    signal input nonce, createdTx, nonceOld, nonceHigh, balanceHi, balanceLo, balanceOld, balanceHigh;
    signal input bare, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    component upper = IsZero();
    upper.x <== hashHi - NO_CODE_HI();
    component lower = IsZero();
    lower.x <== hashLo - NO_CODE_LO() + 2 ** 129 * (1 - upper.z);
    bare === act * lower.z;
    component nothing = IsZero();
    nothing.x <== nonce + balanceHi + balanceLo;
    signal full <== 1 - bare * nothing.z;

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
    step.fetch <== 0x3f * b[10];

    signal pNonce <== b[11] * nonce;
    signal pCreated <== b[12] * createdTx;
    component counted = Renew(NONCE());
    counted.alpha <== alpha; counted.b <== b; counted.act <== bare; counted.clk <== clk;
    counted.tOld <== nonceOld; counted.high <== nonceHigh;
    counted.before <== account.pAddress + pNonce + pCreated;
    counted.after <== account.pAddress + pNonce + pCreated;
    signal pBalanceHi <== b[11] * balanceHi;
    signal pBalanceLo <== b[12] * balanceLo;
    component owned = Renew(BALANCE());
    owned.alpha <== alpha; owned.b <== b; owned.act <== bare; owned.clk <== clk;
    owned.tOld <== balanceOld; owned.high <== balanceHigh;
    owned.before <== account.pAddress + pBalanceHi + pBalanceLo;
    owned.after <== account.pAddress + pBalanceHi + pBalanceLo;

    signal pHash <== b[6] * account.hash;
    signal pushed <== full * pHash;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - b[4] + pushed;

    y <== account.y + step.y + counted.y + owned.y + top.y;
}
