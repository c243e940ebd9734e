// UNDO of a log: takes it back as entry j of the journal says, in mode UNDO.
//
// Takes and gives STATE in mode UNDO, all registers but clk the same; takes JRN(T; j + 1), gives JRN(T; j); receives
// JOURNAL(T, j, space 5; n, t): see Undoing. Asks CTX for T.
// Receives LOG(T, n; t, whatever it holds), so that nobody else can: n and t are those of the entry, which the row that
// logged sent at the same time. Its LOGDATA are sunk. Receives LOGS(T; n + 1) and sends LOGS(T; n): a log that was not
// undone has no number again.
// What the log holds is what its row sent, the entry too: all is bounded there.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../gadgets.circom";
include "../journal.circom";
include "../log.circom";

template Undolog() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input T, j, jOld, jHigh;
    signal input n, t, entryOld, entryHigh, nOld, nHigh;
    signal input topics, length, address, topic1Hi, topic1Lo, topic2Hi, topic2Lo;
    signal input topic3Hi, topic3Lo, topic4Hi, topic4Lo;
    signal input act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    signal pLog <== b[11] * n;
    signal pWhen <== b[12] * t;
    component undoing = Undoing();
    undoing.alpha <== alpha; undoing.b <== b; undoing.act <== act;
    undoing.clk <== clk; undoing.ctx <== ctx; undoing.code <== code; undoing.pc <== pc; undoing.sp <== sp;
    undoing.gas <== gas; undoing.msize <== msize;
    undoing.T <== T; undoing.j <== j; undoing.jOld <== jOld; undoing.jHigh <== jHigh;
    undoing.entry <== SPACE_LOG() * b[8] + pLog + pWhen;
    undoing.entryOld <== entryOld; undoing.entryHigh <== entryHigh;

    signal pT <== b[1] * T;
    signal pNumber <== b[4] * n;
    component logs = Renew(LOGS());
    logs.alpha <== alpha; logs.b <== b; logs.act <== act; logs.clk <== clk; logs.tOld <== nOld; logs.high <== nHigh;
    logs.before <== pT + pNumber + b[4];
    logs.after <== pT + pNumber;

    signal pTopics <== b[3] * topics;
    signal pLength <== b[5] * length;
    signal pAddress <== b[10] * address;
    signal word[8];
    word[0] <== b[6] * topic1Hi; word[1] <== b[7] * topic1Lo;
    word[2] <== b[8] * topic2Hi; word[3] <== b[9] * topic2Lo;
    word[4] <== b[11] * topic3Hi; word[5] <== b[12] * topic3Lo;
    word[6] <== b[13] * topic4Hi; word[7] <== b[14] * topic4Lo;
    var held = 0;
    for (var i = 0; i < 8; i++) held += word[i];
    component head = Fraction();
    head.alpha <== alpha; head.m <== act;
    head.f <== t + pT + pTopics + pNumber + pLength + pAddress + held + LOG() * b[16];

    y <== undoing.y + logs.y - head.y;
}
