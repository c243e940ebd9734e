// TSTORE (EIP-1153): writes a word into a slot of the account's transient storage.
//
// Takes and gives STATE: pc + 1, sp - 2, gas - 100. Asks CODE for class 0x5d, CTX for the transaction T and for the account.
// Receives STACK(ctx, sp - 1) = slot and STACK(ctx, sp - 2) = new.
// Receives TRANSIENT(account, slot; value, lastTx), sends TRANSIENT(account, slot; new, T).
// Receives JRN(T; j), sends JRN(T; j + 1) and JOURNAL(T, j, space 4) with the whole old tuple; lastTx is a part of it, so
// that after an undo a value of an earlier transaction is as far away as before.
//
// new, slot < 2^128 (halves) by whoever pushed them, value by whoever wrote the cell, T and account by the provider of CTX.
// There are no static frames yet.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../journal.circom";

template Tstore() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input slotHi, slotLo, slotOld, slotHigh;
    signal input newHi, newLo, newOld, newHigh;
    signal input T, addressHi, addressLo;
    signal input valueHi, valueLo, lastTx, tOld, high;
    signal input j, jOld, jHigh, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component slot = Word();
    slot.b <== b; slot.hi <== slotHi; slot.lo <== slotLo;
    // the new word stands on the stack and in the cell
    signal word <== newHi + b[1] * newLo;
    signal popped <== b[6] * word;
    signal written <== b[11] * word;
    signal pValueHi <== b[11] * valueHi;
    signal pValueLo <== b[12] * valueLo;
    signal pLast <== b[9] * lastTx;
    signal pNow <== b[9] * T;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - 2 * b[4];
    step.nextGas <== r.pGas - 100 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x5d * b[10];

    component transaction = TransactionOf();
    transaction.alpha <== alpha; transaction.b <== b; transaction.act <== act; transaction.pCtx <== r.pCtx;
    transaction.T <== T;
    component account = AccountOf();
    account.alpha <== alpha; account.b <== b; account.act <== act; account.pCtx <== r.pCtx;
    account.hi <== addressHi; account.lo <== addressLo;

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== slotOld; first.now <== 16 * clk + 1;
    first.high <== slotHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + slot.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== newOld; second.now <== 16 * clk + 1;
    second.high <== newHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + popped;

    signal key <== account.pAddress + slot.w;
    signal before <== key + pValueHi + pValueLo + pLast;
    component cell = Renew(TRANSIENT());
    cell.alpha <== alpha; cell.b <== b; cell.act <== act; cell.clk <== clk; cell.tOld <== tOld; cell.high <== high;
    cell.before <== before;
    cell.after <== key + written + pNow;

    signal pJ <== b[4] * j;
    component counter = Renew(JRN());
    counter.alpha <== alpha; counter.b <== b; counter.act <== act; counter.clk <== clk;
    counter.tOld <== jOld; counter.high <== jHigh;
    counter.before <== transaction.pT + pJ;
    counter.after <== transaction.pT + pJ + b[4];
    component entry = Give(JOURNAL());
    entry.alpha <== alpha; entry.b <== b; entry.act <== act; entry.now <== 16 * clk + 2;
    entry.cell <== transaction.pT + pJ + SPACE_TRANSIENT() * b[8] + before;

    y <== step.y + transaction.y + account.y + first.y + second.y + cell.y + counter.y + entry.y;
}
