// SINK of the journal: receives an entry without a use. Entries of what did not fail are left over.
//
// Receives JOURNAL, whatever is in it: an entry of any space, with all fields that any has. It is sinkable: an entry that is
// received here is missing where UNDO needs it, because each is sent once and UNDO must receive one for each step of JRN. The
// tag is a constant, act is boolean.
// Padding (act = 0): nothing is received.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Sinkjournal() {
    signal input alpha;
    signal input b[17];
    signal input t, T, j, slotHi, slotLo, space, lastTx, address, valueHi, valueLo, origHi, origLo, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    signal p[11];
    p[0] <== b[1] * T;
    p[1] <== b[4] * j;
    p[2] <== b[6] * slotHi;
    p[3] <== b[7] * slotLo;
    p[4] <== b[8] * space;
    p[5] <== b[9] * lastTx;
    p[6] <== b[10] * address;
    p[7] <== b[11] * valueHi;
    p[8] <== b[12] * valueLo;
    p[9] <== b[13] * origHi;
    p[10] <== b[14] * origLo;
    var sum = t;
    for (var i = 0; i < 11; i++) sum += p[i];

    component entry = Fraction();
    entry.alpha <== alpha;
    entry.f <== sum + JOURNAL() * b[16];
    entry.m <== act;
    y <== -entry.y;
}
