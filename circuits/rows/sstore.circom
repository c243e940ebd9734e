// SSTORE (EIP-2200, EIP-2929, EIP-3529): writes a word into a slot of the account's storage.
//
// Takes and gives STATE: pc + 1, sp - 2, gas - cost. Asks CODE for class 0x55, CTX for the transaction T and for the
// account. Receives STACK(ctx, sp - 1) = slot and STACK(ctx, sp - 2) = new.
// Receives STORAGE(account, slot; value, orig, lastTx), sends STORAGE(account, slot; new, base, T), where base is the value
// before the transaction: value if the slot is cold (lastTx != T, see sload), orig otherwise.
// Receives JRN(T; j), sends JRN(T; j + 1) and JOURNAL(T, j) with the whole old tuple: always, because a write that changes
// nothing may still warm the slot. Receives REFUND(T; refund), sends REFUND(T; refund + change).
//
// Cost and change. With booleans clean: base = value, reset: base = new, n: base = 0,
//     write = clean*(1 - reset)    the first write that changes the slot: 20000 if base = 0, else 2900; otherwise 100
//     back  = reset*(1 - clean)    the slot gets its first value back: refund 19900 if base = 0, else 2800
// (value = new makes clean = reset, so both are 0 then: it is not asked for.) With bonus = 2800 + 17100*n,
//     cost   = 100 + 2100*cold + write*bonus
//     change = back*bonus + 4800*(1 - n)*([new = 0] - [value = 0])
// The last product covers three of EIP-3529's lines: clearing a clean slot, clearing a dirty one, and writing again into a
// cleared one; without a change of zeroness it is 0. Because n*[value = 0] = n*clean and n*[new = 0] = n*reset, it is
// [new = 0] - [value = 0] + write*n - back*n.
// The counter never gets negative: in the history that is not undone, the 4800's of a slot add up to 1 if base != 0 and its
// value is 0, and to 0 otherwise, and all else is added. It changes here only, and is set back with the slots.
//
// EIP-2200's floor, gas > 2300, is in the columns: gas = 2301 + gas0 + 2^16*gas1, both limbs asked of RANGE_16. cost may be
// more than that: what runs out of gas ends with negative gas, which the row that ends the frame refuses.
// Words are compared by halves, see SameWord; a word is 0 if the sum of its halves is, which is below 2^129. Columns decide
// all booleans.
// new, slot < 2^128 (halves) by whoever pushed them, value, orig by whoever wrote the cell, T and account by the provider of
// CTX. There are no static frames yet.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../journal.circom";

// z = 1 if two words are equal. Halves are below 2^128: where the high ones differ, lo.x lies between 2^128 and 2^130.
template SameWord() {
    signal input aHi, aLo, bHi, bLo;
    signal output z;
    component hi = IsZero();
    hi.x <== aHi - bHi;
    component lo = IsZero();
    lo.x <== aLo - bLo + 2 ** 129 * (1 - hi.z);
    z <== lo.z;
}

template Sstore() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas0, gas1, msize;
    signal input slotHi, slotLo, slotOld, slotHigh;
    signal input newHi, newLo, newOld, newHigh;
    signal input T, addressHi, addressLo;
    signal input valueHi, valueLo, origHi, origLo, lastTx, tOld, high;
    signal input j, jOld, jHigh;
    signal input refund, refundOld, refundHigh, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    component warm = IsZero();
    warm.x <== T - lastTx;
    var cold = 1 - warm.z;
    signal baseHi <== origHi + cold * (valueHi - origHi);
    signal baseLo <== origLo + cold * (valueLo - origLo);

    component clean = SameWord();
    clean.aHi <== baseHi; clean.aLo <== baseLo; clean.bHi <== valueHi; clean.bLo <== valueLo;
    component reset = SameWord();
    reset.aHi <== baseHi; reset.aLo <== baseLo; reset.bHi <== newHi; reset.bLo <== newLo;
    component zero[3];
    for (var i = 0; i < 3; i++) zero[i] = IsZero();
    zero[0].x <== baseHi + baseLo;
    zero[1].x <== valueHi + valueLo;
    zero[2].x <== newHi + newLo;

    signal both <== clean.z * reset.z;
    var write = clean.z - both;
    var back = reset.z - both;
    signal writeZero <== write * zero[0].z;
    signal backZero <== back * zero[0].z;
    var cleared = zero[2].z - zero[1].z + writeZero - backZero;
    signal cost <== b[5] * (100 + 2100 * cold + 2800 * write + 17100 * writeZero);
    signal change <== b[11] * (4800 * cleared + 2800 * back + 17100 * backZero);

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.msize <== msize;
    r.gas <== 2301 + gas0 + BITS16() * gas1;
    component slot = Word();
    slot.b <== b; slot.hi <== slotHi; slot.lo <== slotLo;
    // the new word stands on the stack and in the cell
    signal word <== newHi + b[1] * newLo;
    signal popped <== b[6] * word;
    signal written <== b[11] * word;
    signal pValueHi <== b[11] * valueHi;
    signal pValueLo <== b[12] * valueLo;
    signal pOrigHi <== b[13] * origHi;
    signal pOrigLo <== b[14] * origLo;
    signal pBaseHi <== b[13] * baseHi;
    signal pBaseLo <== b[14] * baseLo;
    signal pLast <== b[9] * lastTx;
    signal pNow <== b[9] * T;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - 2 * b[4];
    step.nextGas <== r.pGas - cost;
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x55 * b[10];
    component floor[2];
    for (var i = 0; i < 2; i++) {
        floor[i] = InRange(RANGE_16());
        floor[i].alpha <== alpha; floor[i].b <== b;
    }
    floor[0].value <== gas0;
    floor[1].value <== gas1;

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
    signal before <== key + pValueHi + pValueLo + pOrigHi + pOrigLo + pLast;
    component cell = Renew(STORAGE());
    cell.alpha <== alpha; cell.b <== b; cell.act <== act; cell.clk <== clk; cell.tOld <== tOld; cell.high <== high;
    cell.before <== before;
    cell.after <== key + written + pBaseHi + pBaseLo + pNow;

    signal pJ <== b[4] * j;
    component counter = Renew(JRN());
    counter.alpha <== alpha; counter.b <== b; counter.act <== act; counter.clk <== clk;
    counter.tOld <== jOld; counter.high <== jHigh;
    counter.before <== transaction.pT + pJ;
    counter.after <== transaction.pT + pJ + b[4];
    component entry = Give(JOURNAL());
    entry.alpha <== alpha; entry.b <== b; entry.act <== act; entry.now <== 16 * clk + 2;
    entry.cell <== transaction.pT + pJ + SPACE_STORAGE() * b[8] + before;

    signal pRefund <== b[11] * refund;
    component refunds = Renew(REFUND());
    refunds.alpha <== alpha; refunds.b <== b; refunds.act <== act; refunds.clk <== clk;
    refunds.tOld <== refundOld; refunds.high <== refundHigh;
    refunds.before <== transaction.pT + pRefund;
    refunds.after <== transaction.pT + pRefund + change;

    y <== step.y + floor[0].y + floor[1].y + transaction.y + account.y + first.y + second.y + cell.y + counter.y
        + entry.y + refunds.y;
}
