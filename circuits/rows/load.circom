// Loads one word of calldata or code: a link of the chain by which CALLDATACOPY, CODECOPY and EXTCODECOPY get their bytes.
//
// Receives LOAD(t, ctx, code, end, length, m; o, i), sends LOAD(t, ctx, code, end, length, m; o + 32, i + 1) and
// BUFFER(t, i) = the 32 bytes at offset o, zeros from `length` on; of the last word (i + 1 = end) the first m bytes only.
// t is 16*clk of the row that moves the bytes. It sends the first LOAD (i = 0) and receives the last: so for each i below
// the number of words there is one row, and for no other. If m = 32, `end` may be anything: CUT has no entry for it.
// The source is what exists: calldata of ctx (and code = NO_CODE), or the code (and ctx = 0, which is no frame).
// isData: asks CALLDATA(ctx, o; word); isCode: asks CODEWORD(code, o; word). The verifier has these for o < length only, of
// frames and codes that there are. Neither: the word is 0, and WIDE has o - length; o < 2^30 and length < 2^29 by the
// row that began, so that o >= length. The last row asks CUT(m; word; cut).
// word is a word by the verifier, cut by CUT. Equations between words are such between polynomials in beta.
// Padding (act = 0): nothing is sent, received or asked.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Load() {
    signal input alpha;
    signal input b[17];
    signal input t, ctx, code, end, length, m, o, i;
    signal input hi, lo, cutHi, cutLo;
    signal input isData, isCode, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    isData * (act - isData) === 0;
    isCode * (act - isCode - isData) === 0;
    component last = IsZero();
    last.x <== end - i - 1;

    signal word <== hi + b[1] * lo;
    signal cut <== cutHi + b[1] * cutLo;
    (1 - isData - isCode) * word === 0;
    (1 - last.z) * (word - cut) === 0;

    signal pCtx <== b[1] * ctx;
    signal pCode <== b[2] * code;
    signal pEnd <== b[3] * end;
    signal pO <== b[4] * o;
    signal pIndex <== b[4] * i;
    signal pLength <== b[5] * length;
    signal pI <== b[8] * i;
    signal pM <== b[11] * m;
    signal chain <== t + pCtx + pCode + pEnd + pO + pLength + pI + pM + LOAD() * b[16];
    component here = Fraction();
    here.alpha <== alpha; here.m <== act; here.f <== chain;
    component next = Fraction();
    next.alpha <== alpha; next.m <== act; next.f <== chain + 32 * b[4] + b[8];

    signal pWord <== b[6] * word;
    component data = Ask(CALLDATA());
    data.alpha <== alpha; data.b <== b; data.act <== isData; data.entry <== pCtx + pO + pWord;
    component bytes = Ask(CODEWORD());
    bytes.alpha <== alpha; bytes.b <== b; bytes.act <== isCode; bytes.entry <== pCode + pO + pWord;
    component beyond = Ask(WIDE());
    beyond.alpha <== alpha; beyond.b <== b; beyond.act <== act - isData - isCode; beyond.entry <== o - length;

    signal pCut <== b[11] * cut;
    component ending = Ask(CUT());
    ending.alpha <== alpha; ending.b <== b; ending.act <== last.z; ending.entry <== m + pWord + pCut;
    signal pOut <== b[6] * cut;
    component buffer = Fraction();
    buffer.alpha <== alpha; buffer.m <== act; buffer.f <== t + pIndex + pOut + BUFFER() * b[16];

    y <== next.y - here.y + data.y + bytes.y + beyond.y + ending.y + buffer.y;
}
