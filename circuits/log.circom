// What rows that log or undo logs share.
pragma circom 2.2.0;

include "bus.circom";

function SPACE_LOG() { return 5; }

// A topic at place `place` of the stack, at port 1: taken if `there`, else 0. pTopic = beta^6*hi + beta^7*lo.
template Topic(place) {
    signal input alpha;
    signal input b[17];
    signal input there, clk;
    signal input pCtx, pSp;
    signal input hi, lo, tOld, high;
    signal output pTopic;
    signal output y;

    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    pTopic <== word.w;
    // both halves: beta is drawn after the columns
    (1 - there) * word.w === 0;

    // without a topic the time asks a range of 0
    component taken = Take(STACK());
    taken.alpha <== alpha; taken.b <== b; taken.act <== there; taken.tOld <== tOld; taken.now <== 16 * clk + 1;
    taken.high <== high;
    taken.cell <== pCtx + pSp - place * b[4] + word.w;
    y <== taken.y;
}
