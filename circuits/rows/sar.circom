// SAR (EIP-145): pops s, then v; pushes floor(v / 2^s), v in two's complement: 0 or -1 if s >= 256.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 3. Asks CODE for class 0x1d. Receives STACK(ctx, sp - 1) = s and
// STACK(ctx, sp - 2) = v, sends STACK(ctx, sp - 2) = the result. Asks POW2, RANGE_8, RANGE_16 and WIDE.
// isNear, isFar and their sum, act, are boolean; so are sign, g0 and g1, the latter two 0 unless isNear. s and v are words by
// whoever pushed them.
//
// floor(v / 2^s) of a negative v is the complement of floor(w / 2^s), where w is the complement of v; otherwise w = v. So the row
// shifts w and complements the result by the same sign. 2*w.hi is asked of WIDE: w.hi is v.hi or 2^128 - 1 - v.hi, an integer,
// and below 2^127 for one sign only, that of v. (It is 0 for most numbers that are shifted.)
// isNear: s = 64*(g + 1) - e, g = 2*g1 + g0. w is multiplied by m = 2^e, e <= 64:
//     w.lo*m = n0 + 2^64*n1 + 2^128*k,    w.hi*m + k = n2 + 2^64*n3 + 2^128*n4
// with k and all n below 2^64 by their limbs: both sides are below 2^193, so there is one solution. floor(w / 2^s) has the
// limbs n<g+1> to n<g+4> (n5, n6, n7 are 0): a word of whole limbs. The entry (e; high half 0, low half m) of POW2 is asked
// with s.hi in the place of the high half: so s.hi = 0. POW2 has only integers e, and RANGE_8 is asked of 64 - e.
// isFar: m = 0, and with it n and floor(w / 2^s). s >= 256: s.lo - 256 is asked of WIDE, or s.lo if s.hi != 0.
// Padding (act = 0): the flags are 0; nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../arith.circom";

template Sar() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input sHi, sLo, sOld, sHigh;
    signal input vHi, vLo, vOld, vHigh;
    signal input n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15;
    signal input k0, k1, k2;
    signal input top0, top1, top2;
    signal input m, g0, g1, sign, isNear, isFar;
    signal output y;

    var act = isNear + isFar;
    component bits[4];
    for (var i = 0; i < 4; i++) bits[i] = Boolean();
    bits[0].bit <== isNear; bits[1].bit <== isFar; bits[2].bit <== act; bits[3].bit <== sign;
    g0 * (isNear - g0) === 0;
    g1 * (isNear - g1) === 0;
    isFar * m === 0;
    var e = 64 * (2 * g1 + g0 + 1) - sLo;

    signal wHi <== vHi + sign * (2 ** 128 - 1 - 2 * vHi);
    signal wLo <== vLo + sign * (2 ** 128 - 1 - 2 * vLo);
    signal low <== wLo * m;
    signal high <== wHi * m;
    component limbs = Limbs(4);
    limbs.alpha <== alpha; limbs.b <== b;
    limbs.limbs <== [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15];
    var n[4];
    for (var i = 0; i < 4; i++) n[i] = limbs.quarters[i];
    component k = InRangeLimbs(4);
    k.alpha <== alpha; k.b <== b; k.limbs <== [k0, k1, k2]; k.value <== (low - n[0] - 2 ** 64 * n[1]) / 2 ** 128;
    component over = InRangeLimbs(4);
    over.alpha <== alpha; over.b <== b; over.limbs <== [top0, top1, top2];
    over.value <== (high + k.value - n[2] - 2 ** 64 * n[3]) / 2 ** 128;

    // (n1, n2) and (n3, n4), each one limb further if g0
    signal first <== n[1] + 2 ** 64 * n[2] + g0 * (n[2] - n[1] + 2 ** 64 * (n[3] - n[2]));
    signal second <== n[3] + 2 ** 64 * over.value + g0 * (over.value - n[3] - 2 ** 64 * over.value);
    signal lo <== first + g1 * (second - first);
    signal hi <== second - g1 * second;
    signal resultHi <== hi + sign * (2 ** 128 - 1 - 2 * hi);
    signal resultLo <== lo + sign * (2 ** 128 - 1 - 2 * lo);

    component large = IsZero();
    large.x <== sHi;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    signal pHi <== b[6] * sHi;
    signal pLo <== b[7] * sLo;
    signal pPower <== b[7] * m;
    component wv = Word();
    wv.b <== b; wv.hi <== vHi; wv.lo <== vLo;
    component wr = Word();
    wr.b <== b; wr.hi <== resultHi; wr.lo <== resultLo;

    component power = Ask(POW2());
    power.alpha <== alpha; power.b <== b; power.act <== isNear; power.entry <== e + pHi + pPower;
    component short = Ask(RANGE_8());
    short.alpha <== alpha; short.b <== b; short.act <== isNear; short.entry <== 64 - e;
    component beyond = Ask(WIDE());
    beyond.alpha <== alpha; beyond.b <== b; beyond.act <== isFar; beyond.entry <== sLo - 256 * large.z;
    component positive = Ask(WIDE());
    positive.alpha <== alpha; positive.b <== b; positive.act <== act; positive.entry <== 2 * wHi;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x1d * b[10];

    component amount = Take(STACK());
    amount.alpha <== alpha; amount.b <== b; amount.act <== act; amount.tOld <== sOld; amount.now <== 16 * clk + 1;
    amount.high <== sHigh;
    amount.cell <== r.pCtx + r.pSp - b[4] + pHi + pLo;
    component value = Take(STACK());
    value.alpha <== alpha; value.b <== b; value.act <== act; value.tOld <== vOld; value.now <== 16 * clk + 1;
    value.high <== vHigh;
    value.cell <== r.pCtx + r.pSp - 2 * b[4] + wv.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + wr.w;

    y <== step.y + amount.y + value.y + top.y + limbs.y + k.y + over.y + power.y + short.y + beyond.y + positive.y;
}
