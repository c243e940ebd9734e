// TLOAD (EIP-1153): replaces a slot by what the account's transient storage holds there.
//
// Takes and gives STATE: pc + 1, gas - 100. Asks CODE for class 0x5c, CTX for the transaction T and for the account. Receives
// STACK(ctx, sp - 1) = slot. Receives TRANSIENT(account, slot; value, lastTx) and sends it again as it is. Sends
// STACK(ctx, sp - 1) = value if the last write was one of this transaction (lastTx = T), else 0.
//
// A read changes nothing, so that there is nothing to journal. T and lastTx decide what is pushed.
// value < 2^128 (halves) by whoever wrote the cell, slot by whoever pushed it, T and account by the provider of CTX.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../journal.circom";

template Tload() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input slotHi, slotLo, slotOld, slotHigh;
    signal input T, addressHi, addressLo;
    signal input valueHi, valueLo, lastTx, tOld, high, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    component written = IsZero();
    written.x <== T - lastTx;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component slot = Word();
    slot.b <== b; slot.hi <== slotHi; slot.lo <== slotLo;
    // the value stands in the cell and, if it is one of this transaction, on the stack
    signal value <== valueHi + b[1] * valueLo;
    signal held <== b[11] * value;
    signal word <== b[6] * value;
    signal pushed <== written.z * word;
    signal pLast <== b[9] * lastTx;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - 100 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x5c * b[10];

    component transaction = TransactionOf();
    transaction.alpha <== alpha; transaction.b <== b; transaction.act <== act; transaction.pCtx <== r.pCtx;
    transaction.T <== T;
    component account = AccountOf();
    account.alpha <== alpha; account.b <== b; account.act <== act; account.pCtx <== r.pCtx;
    account.hi <== addressHi; account.lo <== addressLo;

    component operand = Take(STACK());
    operand.alpha <== alpha; operand.b <== b; operand.act <== act; operand.tOld <== slotOld;
    operand.now <== 16 * clk + 1; operand.high <== slotHigh;
    operand.cell <== r.pCtx + r.pSp - b[4] + slot.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - b[4] + pushed;

    component cell = Renew(TRANSIENT());
    cell.alpha <== alpha; cell.b <== b; cell.act <== act; cell.clk <== clk; cell.tOld <== tOld; cell.high <== high;
    cell.before <== account.pAddress + slot.w + held + pLast;
    cell.after <== account.pAddress + slot.w + held + pLast;

    y <== step.y + transaction.y + account.y + operand.y + top.y + cell.y;
}
