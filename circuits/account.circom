// Accounts that a word of the stack names: BALANCE, EXTCODESIZE, EXTCODEHASH, EXTCODECOPY.
pragma circom 2.2.0;

include "bus.circom";
include "gadgets.circom";
include "journal.circom";

// Touches the account whose address is the low 160 bits of the topmost stack item (Yellow Paper H.2), and says what that
// costs: 100, or 2600 if the account is cold (EIP-2929).
//
// Receives STACK(ctx, sp - 1) = word. Asks CTX for the transaction T.
// Receives ACCOUNT(address; hash, lastTx) and sends it again with lastTx = T. The account is cold if no access of this
// transaction was the last one: lastTx != T. If cold, the warming is journaled: receives JRN(T; j), sends JRN(T; j + 1) and
// JOURNAL(T, j, space 3, address) with the whole old tuple.
//
// The address: wordHi = 2^32*top + low, address = 2^128*low + wordLo. low < 2^32 (RANGE_16 twice, upper half lowHigh) and
// top < 2^128 (asked of WIDE: addresses mostly have nothing above, and requests for one value share a row). top is what is
// left, (wordHi - low) / 2^32 in the field; 2^32*top + low < 2^161 doesn't wrap, and wordHi < 2^128 by whoever pushed it, so
// that low is wordHi modulo 2^32. There is one such address.
// cold is a boolean that T and lastTx decide, and 0 if act is. j, jOld and jHigh are free where it is 0: they are in nothing
// but messages with multiplicity 0 and requests to RANGE_16.
//
// pCtx, pSp: powered. Outputs: beta^10*address, hashHi + beta*hashLo, beta^5*cost. With act = 0 nothing is sent or received,
// ranges are asked of what the columns hold.
template TouchAccount() {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input clk;
    signal input pCtx, pSp;
    signal input wordHi, wordLo, wordOld, wordHigh, low, lowHigh;
    signal input T, hashHi, hashLo, lastTx, accountOld, accountHigh;
    signal input j, jOld, jHigh;
    signal output pAddress;
    signal output hash;
    signal output pCost;
    signal output y;

    component warm = IsZero();
    warm.x <== T - lastTx;
    signal cold <== act * (1 - warm.z);
    signal surcharge <== b[5] * cold;
    pCost <== 100 * b[5] + 2500 * surcharge;

    component word = Word();
    word.b <== b; word.hi <== wordHi; word.lo <== wordLo;
    component operand = Take(STACK());
    operand.alpha <== alpha; operand.b <== b; operand.act <== act; operand.tOld <== wordOld;
    operand.now <== 16 * clk + 1; operand.high <== wordHigh;
    operand.cell <== pCtx + pSp - b[4] + word.w;
    component below = InRange32();
    below.alpha <== alpha; below.b <== b; below.value <== low; below.high <== lowHigh;
    component above = Ask(WIDE());
    above.alpha <== alpha; above.b <== b; above.act <== act; above.entry <== (wordHi - low) / 2 ** 32;
    pAddress <== b[10] * (2 ** 128 * low + wordLo);

    component transaction = TransactionOf();
    transaction.alpha <== alpha; transaction.b <== b; transaction.act <== act; transaction.pCtx <== pCtx;
    transaction.T <== T;

    hash <== hashHi + b[1] * hashLo;
    signal pHash <== b[11] * hash;
    signal pLast <== b[9] * lastTx;
    signal pNow <== b[9] * T;
    component cell = Renew(ACCOUNT());
    cell.alpha <== alpha; cell.b <== b; cell.act <== act; cell.clk <== clk;
    cell.tOld <== accountOld; cell.high <== accountHigh;
    cell.before <== pAddress + pHash + pLast;
    cell.after <== pAddress + pHash + pNow;

    signal pJ <== b[4] * j;
    component counter = Renew(JRN());
    counter.alpha <== alpha; counter.b <== b; counter.act <== cold; counter.clk <== clk;
    counter.tOld <== jOld; counter.high <== jHigh;
    counter.before <== transaction.pT + pJ;
    counter.after <== transaction.pT + pJ + b[4];
    component entry = Give(JOURNAL());
    entry.alpha <== alpha; entry.b <== b; entry.act <== cold; entry.now <== 16 * clk + 2;
    entry.cell <== transaction.pT + pJ + SPACE_ACCOUNT() * b[8] + pAddress + pHash + pLast;

    y <== operand.y + below.y + above.y + transaction.y + cell.y + counter.y + entry.y;
}
