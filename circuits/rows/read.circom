// Reads one word of memory: a link of the chain by which a row reads bytes at any offset (KECCAK256, LOG, MCOPY) as
// words.
//
// Receives READ(t, ctx, r, end, kind, m; k, i, carry), sends READ(t, ctx, r, end, kind, m; k + has, i + 1, rest). t is
// 16*clk of the row that reads, which sends the first and receives the last one: see Reading in memory.circom. So for
// each i from the first one to end - 1 there is one such row, and for no other. The bytes begin r bytes (1..32) behind a
// multiple of 32, m (1..32) bytes of the last output word count.
// If has, receives MEMORY(ctx, k) = word at port 3 and sends it again; else the word is 0. Only the last row can have
// none: Reading says how many words there are.
// r != 32: asks SHIFT(r; word; head, tail), i.e. head = word >> 8(32 - r), tail = word << 8r; r = 32: head = word, tail =
// 0. What comes out is carry + head: carry (0 or the tail before) lies in the first 32 - r bytes, head in those behind.
// In the last row (i + 1 = end) that is cut to its first m bytes, by CUT if m != 32, and rest = 0; else rest = tail. i =
// -1 has no output: of its word only the bytes behind the first r are read. For i >= 0 the output is, by kind, sent as
// BUFFER(t, i) (1), received as CLAIMWORD(t, i) of keccak (2) or sent as LOGDATA(t, i) (3).
// Flags: one of isBuffer, isClaim, isLog is 1, or none in padding. The tag is a sum of constants with these as weights.
// Words that come from memory are bounded by whoever wrote them, head, tail and cut by their providers. r and m are
// numbers because of the row that reads.
// Equations between words are such between polynomials in beta, which is drawn after the columns.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Read() {
    signal input alpha;
    signal input b[17];
    signal input t, ctx, shift, k, i, end, m, carryHi, carryLo;
    signal input hi, lo, wordOld, wordHigh, has;
    signal input headHi, headLo, tailHi, tailLo, outHi, outLo;
    signal input isBuffer, isClaim, isLog;
    signal output y;

    signal act <== isBuffer + isClaim + isLog;
    component flags[5];
    for (var f = 0; f < 5; f++) flags[f] = Boolean();
    flags[0].bit <== isBuffer; flags[1].bit <== isClaim; flags[2].bit <== isLog; flags[3].bit <== act;
    flags[4].bit <== has;
    has * (1 - act) === 0;

    component whole = IsZero();
    whole.x <== 32 - shift;
    component full = IsZero();
    full.x <== 32 - m;
    component last = IsZero();
    last.x <== end - i - 1;
    component first = IsZero();
    first.x <== i + 1;
    signal shifts <== act * (1 - whole.z);
    signal cuts <== last.z * (1 - full.z);

    // words as polynomials of degree 1
    signal carry <== carryHi + b[1] * carryLo;
    signal word <== hi + b[1] * lo;
    signal head <== headHi + b[1] * headLo;
    signal tail <== tailHi + b[1] * tailLo;
    signal out <== outHi + b[1] * outLo;
    signal pTail <== b[13] * tail;
    (act - has) * (1 - last.z) === 0;
    (act - has) * word === 0;
    whole.z * (head - word + pTail) === 0;
    (1 - cuts) * (out - carry - head) === 0;

    signal pWord <== b[6] * word;
    signal pCarry <== b[6] * carry;
    signal pRaw <== b[6] * (carry + head);
    signal pHead <== b[11] * head;
    signal pCut <== b[11] * out;
    signal pOut <== b[6] * out;
    signal rest <== tail - last.z * tail;
    signal pRest <== b[6] * rest;

    signal pCtx <== b[1] * ctx;
    signal pShift <== b[2] * shift;
    signal pEnd <== b[3] * end;
    signal pK <== b[4] * k;
    signal pHas <== b[4] * has;
    signal pI <== b[8] * i;
    signal pKind <== b[10] * (isBuffer + 2 * isClaim + 3 * isLog);
    signal pM <== b[11] * m;
    signal chain <== t + pCtx + pShift + pEnd + pKind + pM + READ() * b[16];

    component here = Fraction();
    here.alpha <== alpha; here.m <== act; here.f <== chain + pK + pI + pCarry;
    component next = Fraction();
    next.alpha <== alpha; next.m <== act; next.f <== chain + pK + pHas + pI + b[8] + pRest;

    // in padding, and where no word is taken, the time asks a range of 0
    signal now <== t + 1 + 2 * has;
    component old = Take(MEMORY());
    old.alpha <== alpha; old.b <== b; old.act <== has; old.cell <== pCtx + pK + pWord; old.tOld <== wordOld;
    old.now <== now; old.high <== wordHigh;
    component again = Give(MEMORY());
    again.alpha <== alpha; again.b <== b; again.act <== has; again.cell <== pCtx + pK + pWord; again.now <== now;

    component moved = Ask(SHIFT());
    moved.alpha <== alpha; moved.b <== b; moved.act <== shifts; moved.entry <== shift + pWord + pHead + pTail;
    component cut = Ask(CUT());
    cut.alpha <== alpha; cut.b <== b; cut.act <== cuts; cut.entry <== m + pRaw + pCut;

    signal sends <== (isBuffer + isLog - isClaim) * (1 - first.z);
    signal pIndex <== b[4] * i;
    signal pClaim <== b[10] * isClaim;
    signal tag <== b[16] * (BUFFER() * isBuffer + CLAIMWORD() * isClaim + LOGDATA() * isLog);
    component made = Fraction();
    made.alpha <== alpha; made.m <== sends; made.f <== t + pIndex + pOut + pClaim + tag;

    y <== next.y - here.y + old.y + again.y + moved.y + cut.y + made.y;
}
