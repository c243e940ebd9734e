// UNDO of an account's balance, or of its warmth: gives an account back what entry j of the journal says, in mode UNDO. A
// balance is undone with the value transfer of a root frame that failed, warmth with the first touch of an account.
//
// Takes and gives STATE in mode UNDO, all registers but clk the same; takes JRN(T; j + 1), gives JRN(T; j); receives
// JOURNAL(T, j, address; space 2, old balance) or JOURNAL(T, j, address; space 3, old lastTx, code hash): see Undoing. Asks
// CTX for T.
// Receives BALANCE (isBalance) or ACCOUNT (isAccount) of the entry's account, whatever it holds and if it was written before,
// and sends it with the old tuple. Entries of both sides of a transfer are undone in the opposite order, so that a transfer
// to oneself is too. Cells and entries of BALANCE have no lastTx: it is 0.
//
// The flags are boolean and so is their sum, which is the multiplicity: where it is 1, space and tag are those of one flag.
// Address and old tuple are the entry's, the live tuple is the cell's: all is bounded by whoever wrote them.
// Padding (flags 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../journal.circom";

template Undoaccount() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input T, j, jOld, jHigh;
    signal input address, hi, lo, lastTx, entryOld, entryHigh;
    signal input liveHi, liveLo, liveLastTx, liveOld, liveHigh;
    signal input isBalance, isAccount;
    signal output y;

    component balance = Boolean();
    balance.bit <== isBalance;
    component account = Boolean();
    account.bit <== isAccount;
    component active = Boolean();
    active.bit <== isBalance + isAccount;

    signal pAddress <== b[10] * address;
    signal pHi <== b[11] * hi;
    signal pLo <== b[12] * lo;
    signal pLast <== b[9] * lastTx;
    signal old <== pAddress + pHi + pLo + pLast;
    signal pLiveHi <== b[11] * liveHi;
    signal pLiveLo <== b[12] * liveLo;
    signal pLiveLast <== b[9] * liveLastTx;
    signal pSpace <== b[8] * (SPACE_BALANCE() * isBalance + SPACE_ACCOUNT() * isAccount);

    component undoing = Undoing();
    undoing.alpha <== alpha; undoing.b <== b; undoing.act <== isBalance + isAccount;
    undoing.clk <== clk; undoing.ctx <== ctx; undoing.code <== code; undoing.pc <== pc; undoing.sp <== sp;
    undoing.gas <== gas; undoing.msize <== msize;
    undoing.T <== T; undoing.j <== j; undoing.jOld <== jOld; undoing.jHigh <== jHigh;
    undoing.entry <== old + pSpace;
    undoing.entryOld <== entryOld; undoing.entryHigh <== entryHigh;

    component cell = RenewEither(BALANCE(), ACCOUNT());
    cell.alpha <== alpha; cell.b <== b; cell.isFirst <== isBalance; cell.isSecond <== isAccount; cell.clk <== clk;
    cell.tOld <== liveOld; cell.high <== liveHigh;
    cell.before <== pAddress + pLiveHi + pLiveLo + pLiveLast;
    cell.after <== old;

    y <== undoing.y + cell.y;
}
