// UNDO of a storage slot, or of a transient one: gives it back what entry j of the journal says, in mode UNDO.
//
// Takes and gives STATE in mode UNDO, all registers but clk the same; takes JRN(T; j + 1), gives JRN(T; j); receives
// JOURNAL(T, j, space 1 or 4, old tuple): see Undoing. Asks CTX for T.
// Receives STORAGE (isStorage) or TRANSIENT (isTransient) of the entry's account and slot, whatever it holds and if it was
// written before, and sends it with the old tuple: value, original and last transaction, so that the slot is as cold as it
// was. Cells and entries of TRANSIENT have no original: it is 0.
//
// The flags are boolean and so is their sum, which is the multiplicity: where it is 1, space and tag are those of one flag.
// The old tuple and the key are those of the entry, the live tuple that of the cell: all is bounded by whoever wrote them.
// Padding (flags 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../journal.circom";

template Undo() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input T, j, jOld, jHigh;
    signal input address, slotHi, slotLo;
    signal input valueHi, valueLo, origHi, origLo, lastTx, entryOld, entryHigh;
    signal input liveHi, liveLo, liveOrigHi, liveOrigLo, liveLastTx, liveOld, liveHigh;
    signal input isStorage, isTransient;
    signal output y;

    component storage = Boolean();
    storage.bit <== isStorage;
    component transient = Boolean();
    transient.bit <== isTransient;
    component active = Boolean();
    active.bit <== isStorage + isTransient;

    component slot = Word();
    slot.b <== b; slot.hi <== slotHi; slot.lo <== slotLo;
    signal pAddress <== b[10] * address;
    signal key <== pAddress + slot.w;
    signal pValueHi <== b[11] * valueHi;
    signal pValueLo <== b[12] * valueLo;
    signal pOrigHi <== b[13] * origHi;
    signal pOrigLo <== b[14] * origLo;
    signal pLast <== b[9] * lastTx;
    signal old <== key + pValueHi + pValueLo + pOrigHi + pOrigLo + pLast;
    signal pLiveHi <== b[11] * liveHi;
    signal pLiveLo <== b[12] * liveLo;
    signal pLiveOrigHi <== b[13] * liveOrigHi;
    signal pLiveOrigLo <== b[14] * liveOrigLo;
    signal pLiveLast <== b[9] * liveLastTx;
    signal pSpace <== b[8] * (SPACE_STORAGE() * isStorage + SPACE_TRANSIENT() * isTransient);

    component undoing = Undoing();
    undoing.alpha <== alpha; undoing.b <== b; undoing.act <== isStorage + isTransient;
    undoing.clk <== clk; undoing.ctx <== ctx; undoing.code <== code; undoing.pc <== pc; undoing.sp <== sp;
    undoing.gas <== gas; undoing.msize <== msize;
    undoing.T <== T; undoing.j <== j; undoing.jOld <== jOld; undoing.jHigh <== jHigh;
    undoing.entry <== old + pSpace;
    undoing.entryOld <== entryOld; undoing.entryHigh <== entryHigh;

    component cell = RenewEither(STORAGE(), TRANSIENT());
    cell.alpha <== alpha; cell.b <== b; cell.isFirst <== isStorage; cell.isSecond <== isTransient; cell.clk <== clk;
    cell.tOld <== liveOld; cell.high <== liveHigh;
    cell.before <== key + pLiveHi + pLiveLo + pLiveOrigHi + pLiveOrigLo + pLiveLast;
    cell.after <== old;

    y <== undoing.y + cell.y;
}
