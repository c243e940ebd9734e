// SELFBALANCE (EIP-1884): pushes the balance of the account that the frame runs as.
//
// Takes and gives STATE: pc + 1, sp + 1, gas - 5. Asks CODE for class 0x47, CTX for the account. Receives
// BALANCE(account; balance) and sends it again, sends STACK(ctx, sp) = balance. Asks RANGE_10 that sp <= 1023.
//
// The account is warm since its frame began: ACCOUNT is not asked. balance < 2^128 (halves) by whoever wrote the cell.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../journal.circom";

template Selfbalance() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input addressHi, addressLo, hi, lo, tOld, high, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp + b[4];
    step.nextGas <== r.pGas - 5 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x47 * b[10];

    component account = AccountOf();
    account.alpha <== alpha; account.b <== b; account.act <== act; account.pCtx <== r.pCtx;
    account.hi <== addressHi; account.lo <== addressLo;

    // the balance stands on the stack and in the cell
    signal value <== hi + b[1] * lo;
    signal pushed <== b[6] * value;
    signal held <== b[11] * value;
    component cell = Renew(BALANCE());
    cell.alpha <== alpha; cell.b <== b; cell.act <== act; cell.clk <== clk; cell.tOld <== tOld; cell.high <== high;
    cell.before <== account.pAddress + held;
    cell.after <== account.pAddress + held;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp + pushed;

    component room = InRange(RANGE_10());
    room.alpha <== alpha; room.b <== b; room.value <== sp;

    y <== step.y + account.y + cell.y + top.y + room.y;
}
