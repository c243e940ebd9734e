// Writes one word of memory: a link of the chain by which a row stores the bytes that it moves (CALLDATACOPY, CODECOPY,
// EXTCODECOPY, MCOPY) at any offset.
//
// Receives WRITE(t, ctx, r, end, e; j, i, carry), sends WRITE(t, ctx, r, end, e; j + 1, i + 1, rest). t is 16*clk of the row
// that moves, which sends the first (i = 0, carry 0) and receives the last one, with i = the number of words written and
// carry 0: so for each i below that there is one such row, and for no other. r (0..31) is where in word 0 the bytes begin, e
// (1..32) how many bytes of the last word they reach; `end` is the number of words, or anything if e = 32.
// If has, receives BUFFER(t, i) = the word hi, lo; else the word is 0. Every BUFFER(t, i) that was sent is received, and by
// nobody but the row i of this chain; it can't receive one that wasn't: has is the choice of nobody.
// r != 0: asks SHIFT(32 - r; word; head, tail), i.e. head = word >> 8r, tail = word << 8(32 - r); r = 0: head = word, tail =
// 0. rest is tail. Receives MEMORY(ctx, j) = was at port 4, sends
//     MEMORY(ctx, j) = carry + head + top + (was - kept)
// If i = 0 and r != 0, top is the first r bytes of was: asks CUT(r; was; top); else it is 0. If i + 1 = end, kept is the
// first e bytes of was: asks CUT(e; was; kept); else it is was.
// The sum is a word: carry (0 or the tail before) lies in the first r bytes, head in those behind; i = 0 has no carry; the
// bytes of the last word from e on are 0 in carry + head, because the row that moves cuts its last BUFFER word and counts
// bytes.
// r and e are numbers because of that row, and of the tables; if e = 32, CUT has no entry, so that the last row with
// i + 1 = end, if there is one, could not be.
// Multiplicities are booleans: has and act, those of SHIFT and CUT by IsZero, and 0 in padding.
// Equations between words are such between polynomials in beta, which is drawn after the columns.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Write() {
    signal input alpha;
    signal input b[17];
    signal input t, ctx, r, end, e, j, i, carryHi, carryLo;
    signal input hi, lo, headHi, headLo, tailHi, tailLo;
    signal input wasHi, wasLo, topHi, topLo, keptHi, keptLo, wordOld, wordHigh;
    signal input has, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    has * (act - has) === 0;

    component aligned = IsZero();
    aligned.x <== r;
    component begins = IsZero();
    begins.x <== i;
    signal first <== begins.z * (1 - aligned.z);
    component last = IsZero();
    last.x <== end - i - 1;

    // words as polynomials of degree 1
    signal carry <== carryHi + b[1] * carryLo;
    signal word <== hi + b[1] * lo;
    signal head <== headHi + b[1] * headLo;
    signal tail <== tailHi + b[1] * tailLo;
    signal was <== wasHi + b[1] * wasLo;
    signal top <== topHi + b[1] * topLo;
    signal kept <== keptHi + b[1] * keptLo;
    signal pTail <== b[6] * tail;
    signal pWord <== b[6] * word;
    signal pWas <== b[6] * was;
    (1 - has) * word === 0;
    aligned.z * (head - word + pTail) === 0;
    (1 - first) * top === 0;
    (1 - last.z) * (was - kept) === 0;

    signal pCtx <== b[1] * ctx;
    signal pR <== b[2] * r;
    signal pEnd <== b[3] * end;
    signal pJ <== b[4] * j;
    signal pIndex <== b[4] * i;
    signal pI <== b[8] * i;
    signal pE <== b[9] * e;
    signal pCarry <== b[6] * carry;
    signal chain <== t + pCtx + pR + pEnd + pJ + pI + pE + WRITE() * b[16];
    component here = Fraction();
    here.alpha <== alpha; here.m <== act; here.f <== chain + pCarry;
    component next = Fraction();
    next.alpha <== alpha; next.m <== act; next.f <== chain + b[4] + b[8] + pTail;
    component buffer = Fraction();
    buffer.alpha <== alpha; buffer.m <== has; buffer.f <== t + pIndex + pWord + BUFFER() * b[16];

    signal pHead <== b[11] * head;
    signal pRest <== b[13] * tail;
    component shifted = Ask(SHIFT());
    shifted.alpha <== alpha; shifted.b <== b; shifted.act <== 1 - aligned.z;
    shifted.entry <== 32 - r + pWord + pHead + pRest;
    signal pTop <== b[11] * top;
    component before = Ask(CUT());
    before.alpha <== alpha; before.b <== b; before.act <== first; before.entry <== r + pWas + pTop;
    signal pKept <== b[11] * kept;
    component behind = Ask(CUT());
    behind.alpha <== alpha; behind.b <== b; behind.act <== last.z; behind.entry <== e + pWas + pKept;

    // in padding the time asks a range of 0
    signal now <== t + 1 + 3 * act;
    component old = Take(MEMORY());
    old.alpha <== alpha; old.b <== b; old.act <== act; old.tOld <== wordOld; old.now <== now; old.high <== wordHigh;
    old.cell <== pCtx + pJ + pWas;
    signal written <== b[6] * (carry + head + top + was - kept);
    component stored = Give(MEMORY());
    stored.alpha <== alpha; stored.b <== b; stored.act <== act; stored.now <== now;
    stored.cell <== pCtx + pJ + written;

    y <== next.y - here.y - buffer.y + shifted.y + before.y + behind.y + old.y + stored.y;
}
