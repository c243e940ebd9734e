// SHL, SHR (EIP-145): pops s, then v; pushes v*2^s modulo 2^256 or floor(v / 2^s), which is 0 if s >= 256.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 3. Asks CODE for class 0x1b or 0x1c. Receives STACK(ctx, sp - 1) = s and
// STACK(ctx, sp - 2) = v, sends STACK(ctx, sp - 2) = the result. Asks POW2, RANGE_8, RANGE_16 and WIDE.
// act is boolean, isRight and isFar are 0 or act: the class is a constant that isRight chooses. s and v are words by whoever
// pushed them.
//
// Both directions multiply by m = 2^e, e <= 64, and then take four of the product's limbs of 64 bits:
//     v*m = n0 + 2^64*n1 + 2^128*n2 + 2^192*n3 + 2^256*n4,
//     result = the limbs j, j + 1, j + 2, j + 3 of ..., 0, n0, n1, n2, n3, n4, 0, ...
// SHL by s = 64*g + e has j = -g; SHR by s = 64*(g + 1) - e has j = g + 1. j = -3 + 4*isRight + 2*j1 + j0 with bits j1 and
// j0, so g = 3 - 2*j1 - j0 for SHL and g = 2*j1 + j0 for SHR. Where isFar = 0, POW2 has only integers e from 0 to 255, and
// RANGE_8 is asked of 64 - e. The entry (e; high half 0, low half m) of POW2 is asked with s.hi in the place of the high
// half: so s.hi = 0, and s.lo is 64*g + e or 64*(g + 1) - e.
//     v.lo*m = n0 + 2^64*n1 + 2^128*k,    v.hi*m + k = n2 + 2^64*n3 + 2^128*n4
// with k and all n below 2^64 by their limbs: both sides are below 2^193, so there is one solution. The result is a word, of
// whole limbs.
// isFar = 1 makes m 0, and with it the product and the result. It needs s >= 256: s.lo - 256 is asked of WIDE, or s.lo if
// s.hi != 0.
// Padding (act = 0): isRight = isFar = 0; nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../arith.circom";

template Shift() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input sHi, sLo, sOld, sHigh;
    signal input vHi, vLo, vOld, vHigh;
    signal input n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15;
    signal input k0, k1, k2;
    signal input top0, top1, top2;
    signal input m, j0, j1, isRight, isFar, act;
    signal output y;

    component bits[3];
    for (var i = 0; i < 3; i++) bits[i] = Boolean();
    bits[0].bit <== act; bits[1].bit <== j0; bits[2].bit <== j1;
    isRight * (act - isRight) === 0;
    isFar * (act - isFar) === 0;
    isFar * m === 0;

    // e = s - 64*g, or 64*(g + 1) - s
    signal turned <== isRight * (256 - 2 * sLo);
    var e = sLo + turned - 192 + 64 * (2 * j1 + j0);

    component limbs = Limbs(4);
    limbs.alpha <== alpha; limbs.b <== b;
    limbs.limbs <== [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15];
    var n[4];
    for (var i = 0; i < 4; i++) n[i] = limbs.quarters[i];
    signal low <== vLo * m;
    signal high <== vHi * m;
    component k = InRangeLimbs(4);
    k.alpha <== alpha; k.b <== b; k.limbs <== [k0, k1, k2]; k.value <== (low - n[0] - 2 ** 64 * n[1]) / 2 ** 128;
    component over = InRangeLimbs(4);
    over.alpha <== alpha; over.b <== b; over.limbs <== [top0, top1, top2];
    over.value <== (high + k.value - n[2] - 2 ** 64 * n[3]) / 2 ** 128;

    // pairs of limbs: (-1, 0), (1, 2), (3, 4), each one limb further if j0
    signal pair0 <== 2 ** 64 * n[0] + j0 * (n[0] + 2 ** 64 * (n[1] - n[0]));
    signal pair1 <== n[1] + 2 ** 64 * n[2] + j0 * (n[2] - n[1] + 2 ** 64 * (n[3] - n[2]));
    signal pair2 <== n[3] + 2 ** 64 * over.value + j0 * (over.value - n[3] - 2 ** 64 * over.value);
    // of the pairs -1 (which is 0) to 3 (0, too), two that follow each other: -1 + 2*isRight + j1, and the next
    signal next0 <== j1 * pair0;
    signal next1 <== j1 * pair1;
    signal next2 <== j1 * pair2;
    var left = pair0 - next0 + next1;
    signal lo <== next0 + isRight * (pair1 - next1 + next2 - next0);
    signal hi <== left + isRight * (pair2 - next2 - left);

    component large = IsZero();
    large.x <== sHi;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component ws = Word();
    ws.b <== b; ws.hi <== sHi; ws.lo <== sLo;
    component wv = Word();
    wv.b <== b; wv.hi <== vHi; wv.lo <== vLo;
    component wc = Word();
    wc.b <== b; wc.hi <== hi; wc.lo <== lo;
    signal class <== b[10] * isRight;
    signal pHi <== b[6] * sHi;
    signal pLo <== b[7] * m;

    component power = Ask(POW2());
    power.alpha <== alpha; power.b <== b; power.act <== act - isFar; power.entry <== e + pHi + pLo;
    component short = Ask(RANGE_8());
    short.alpha <== alpha; short.b <== b; short.act <== act - isFar; short.entry <== 64 - e;
    component beyond = Ask(WIDE());
    beyond.alpha <== alpha; beyond.b <== b; beyond.act <== isFar; beyond.entry <== sLo - 256 * large.z;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x1b * b[10] + class;

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== sOld; first.now <== 16 * clk + 1;
    first.high <== sHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + ws.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== vOld; second.now <== 16 * clk + 1;
    second.high <== vHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + wv.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + wc.w;

    y <== step.y + first.y + second.y + top.y + limbs.y + k.y + over.y + power.y + short.y + beyond.y;
}
