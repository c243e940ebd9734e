// What rows with side effects share: cells that are taken and given back, the account of a frame, undoing.
pragma circom 2.2.0;

include "bus.circom";

function CTX_ADDRESS() { return 0x30; }
function CTX_T() { return 0x100; }
function SPACE_STORAGE() { return 1; }
function SPACE_BALANCE() { return 2; }
function SPACE_ACCOUNT() { return 3; }
function SPACE_TRANSIENT() { return 4; }

// A live cell that is taken at port 1 and given back at port 2. before and after are powered, without t and tag; that they
// have the same key is up to the row.
template Renew(tag) {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input clk;
    signal input before, after;
    signal input tOld, high;
    signal output y;

    component taken = Take(tag);
    taken.alpha <== alpha; taken.b <== b; taken.act <== act; taken.cell <== before; taken.tOld <== tOld;
    taken.now <== 16 * clk + 1; taken.high <== high;
    component given = Give(tag);
    given.alpha <== alpha; given.b <== b; given.act <== act; given.cell <== after; given.now <== 16 * clk + 2;
    y <== taken.y + given.y;
}

// A live cell of one tag or the other, or none, that is taken at port 1 and given back at port 2: see Renew. Both flags are
// boolean, and not both 1: as multiplicities they make the tag.
template RenewEither(first, second) {
    signal input alpha;
    signal input b[17];
    signal input isFirst, isSecond;
    signal input clk;
    signal input before, after;
    signal input tOld, high;
    signal output y;

    signal tag <== b[16] * (first * isFirst + second * isSecond);
    component taken = Fraction();
    taken.alpha <== alpha; taken.m <== isFirst + isSecond; taken.f <== tOld + before + tag;
    component earlier = InRange32();
    earlier.alpha <== alpha; earlier.b <== b; earlier.value <== 16 * clk - tOld; earlier.high <== high;
    component given = Fraction();
    given.alpha <== alpha; given.m <== isFirst + isSecond; given.f <== 16 * clk + 2 + after + tag;
    y <== earlier.y + given.y - taken.y;
}

// The transaction T that a frame belongs to: asks CTX(ctx, 0x100; 0, T), so T < 2^28 is what the maker of the frame vouches
// for. pT is T where cells of a transaction have it (beta^1).
template TransactionOf() {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input pCtx;
    signal input T;
    signal output pT;
    signal output y;
    pT <== b[1] * T;
    signal lo <== b[7] * T;
    component asked = Ask(CTX());
    asked.alpha <== alpha; asked.b <== b; asked.act <== act;
    asked.entry <== pCtx + lo + CTX_T() * b[10];
    y <== asked.y;
}

// The account that a frame runs as: asks CTX(ctx, 0x30; hi, lo), which vouches for hi < 2^32 and lo < 2^128. pAddress is
// 2^128*hi + lo as the address of a cell (beta^10).
template AccountOf() {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input pCtx;
    signal input hi, lo;
    signal output pAddress;
    signal output y;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    pAddress <== b[10] * (2 ** 128 * hi + lo);
    component asked = Ask(CTX());
    asked.alpha <== alpha; asked.b <== b; asked.act <== act;
    asked.entry <== pCtx + word.w + CTX_ADDRESS() * b[10];
    y <== asked.y;
}

// What every row of mode UNDO does: takes STATE in mode UNDO at clk and gives it at clk + 1 with all else the same, takes
// JRN(T; j + 1) and gives JRN(T; j), receives entry j of the journal of T, written at entryOld < now: the powered message
// `entry` without t, T, j and tag.
//
// Exactly the last entry is received: JRN says how many there are. Every entry that was sent for j until now was received
// by an earlier UNDO row for j, but one, and the first of these rows could have received only the first entry (t < now),
// and so on. There is no entry -1.
template Undoing() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input T, j, jOld, jHigh;
    signal input entry, entryOld, entryHigh;
    signal input act;
    signal output y;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    signal state <== clk + r.pCtx + r.pCode + r.pPc + r.pSp + r.pGas + r.pMsize + b[9] + STATE() * b[16];
    component taken = Fraction();
    taken.alpha <== alpha; taken.m <== act; taken.f <== state;
    component given = Fraction();
    given.alpha <== alpha; given.m <== act; given.f <== state + 1;

    component transaction = TransactionOf();
    transaction.alpha <== alpha; transaction.b <== b; transaction.act <== act; transaction.pCtx <== r.pCtx;
    transaction.T <== T;

    signal pJ <== b[4] * j;
    component counter = Renew(JRN());
    counter.alpha <== alpha; counter.b <== b; counter.act <== act; counter.clk <== clk;
    counter.tOld <== jOld; counter.high <== jHigh;
    counter.before <== transaction.pT + pJ + b[4];
    counter.after <== transaction.pT + pJ;

    component last = Take(JOURNAL());
    last.alpha <== alpha; last.b <== b; last.act <== act; last.tOld <== entryOld; last.now <== 16 * clk + 1;
    last.high <== entryHigh;
    last.cell <== transaction.pT + pJ + entry;

    y <== given.y - taken.y + transaction.y + counter.y + last.y;
}
