// SLOAD (EIP-2929): replaces a slot by what the account's storage holds there.
//
// Takes and gives STATE: pc + 1, gas - 100, or gas - 2100 if the slot is cold. Asks CODE for class 0x54, CTX for the
// transaction T and for the account. Receives STACK(ctx, sp - 1) = slot, sends STACK(ctx, sp - 1) = value.
// Receives STORAGE(account, slot; value, orig, lastTx) and sends it again with lastTx = T. The slot is cold if no access of
// this transaction was the last one: lastTx != T (then lastTx < T: the cell was written before, and later transactions have
// later rows). A cold slot's value is the one it has before the transaction: orig := value.
// If cold, the warming is journaled: receives JRN(T; j), sends JRN(T; j + 1) and JOURNAL(T, j) with the whole old tuple.
//
// cold is a boolean that T and lastTx decide, and 0 in padding. j, jOld and jHigh are free in a warm row: they are in
// nothing but messages with multiplicity 0 and requests to RANGE_16.
// value, orig < 2^128 by whoever wrote the cell, slot by whoever pushed it, T and account by the provider of CTX.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../journal.circom";

template Sload() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input slotHi, slotLo, slotOld, slotHigh;
    signal input T, addressHi, addressLo;
    signal input valueHi, valueLo, origHi, origLo, lastTx, tOld, high;
    signal input j, jOld, jHigh, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    component warm = IsZero();
    warm.x <== T - lastTx;
    signal cold <== act * (1 - warm.z);

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component slot = Word();
    slot.b <== b; slot.hi <== slotHi; slot.lo <== slotLo;
    // the value stands on the stack, in the cell and as its own original
    signal value <== valueHi + b[1] * valueLo;
    signal pushed <== b[6] * value;
    signal held <== b[11] * value;
    signal fresh <== b[13] * value;
    signal pOrigHi <== b[13] * origHi;
    signal pOrigLo <== b[14] * origLo;
    signal renewed <== cold * (fresh - pOrigHi - pOrigLo);
    signal pLast <== b[9] * lastTx;
    signal pNow <== b[9] * T;
    signal surcharge <== b[5] * cold;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - 100 * b[5] - 2000 * surcharge;
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x54 * b[10];

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

    signal content <== account.pAddress + slot.w + held + pOrigHi + pOrigLo;
    component cell = Renew(STORAGE());
    cell.alpha <== alpha; cell.b <== b; cell.act <== act; cell.clk <== clk; cell.tOld <== tOld; cell.high <== high;
    cell.before <== content + pLast;
    cell.after <== content + pNow + renewed;

    signal pJ <== b[4] * j;
    component counter = Renew(JRN());
    counter.alpha <== alpha; counter.b <== b; counter.act <== cold; counter.clk <== clk;
    counter.tOld <== jOld; counter.high <== jHigh;
    counter.before <== transaction.pT + pJ;
    counter.after <== transaction.pT + pJ + b[4];
    component entry = Give(JOURNAL());
    entry.alpha <== alpha; entry.b <== b; entry.act <== cold; entry.now <== 16 * clk + 2;
    entry.cell <== transaction.pT + pJ + SPACE_STORAGE() * b[8] + content + pLast;

    y <== step.y + transaction.y + account.y + operand.y + top.y + cell.y + counter.y + entry.y;
}
