// UNDO of a balance: gives an account back what entry j of the journal says, in mode UNDO: the value transfer of a root
// frame that failed.
//
// Takes and gives STATE in mode UNDO, all registers but clk the same; takes JRN(T; j + 1), gives JRN(T; j); receives
// JOURNAL(T, j, space 2, address; old balance): see Undoing. Asks CTX for T.
// Receives BALANCE of the entry's account, whatever it holds and if it was written before, and sends it with the old
// balance. Entries of both accounts are undone in the opposite order, so that a transfer to oneself is too.
//
// Address and old balance are the entry's, the live balance the cell's: all is bounded by whoever wrote them.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../journal.circom";

template Undobalance() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input T, j, jOld, jHigh;
    signal input address, hi, lo, entryOld, entryHigh;
    signal input liveHi, liveLo, liveOld, liveHigh;
    signal input act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    signal pAddress <== b[10] * address;
    signal pHi <== b[11] * hi;
    signal pLo <== b[12] * lo;
    signal pLiveHi <== b[11] * liveHi;
    signal pLiveLo <== b[12] * liveLo;
    signal old <== pAddress + pHi + pLo;

    component undoing = Undoing();
    undoing.alpha <== alpha; undoing.b <== b; undoing.act <== act;
    undoing.clk <== clk; undoing.ctx <== ctx; undoing.code <== code; undoing.pc <== pc; undoing.sp <== sp;
    undoing.gas <== gas; undoing.msize <== msize;
    undoing.T <== T; undoing.j <== j; undoing.jOld <== jOld; undoing.jHigh <== jHigh;
    undoing.entry <== old + SPACE_BALANCE() * b[8];
    undoing.entryOld <== entryOld; undoing.entryHigh <== entryHigh;

    component cell = Renew(BALANCE());
    cell.alpha <== alpha; cell.b <== b; cell.act <== act; cell.clk <== clk;
    cell.tOld <== liveOld; cell.high <== liveHigh;
    cell.before <== pAddress + pLiveHi + pLiveLo;
    cell.after <== old;

    y <== undoing.y + cell.y;
}
