// AND, OR, XOR (Yellow Paper H.2): pops a, then b; pushes c = a op b, bit by bit.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 3. Asks CODE for class 0x16, 0x17 or 0x18. Receives STACK(ctx, sp - 1) = a and
// STACK(ctx, sp - 2) = b, sends STACK(ctx, sp - 2) = c. Asks AND for the 32 bytes of a, b and m = a AND b.
// act, isOr and isXor are boolean, isOr + isXor is 0 or act: so the class is a constant that the flags choose.
// a<i>, b<i>, m<i> are bytes, the lowest first. The highest byte of each half of a and b is no column but what is left of the
// half, (half - sum of the lower ones) / 2^120 in the field: the half is the sum of sixteen numbers that AND has among its
// bytes, times 256^i, so they are its bytes. m<i> is the one number that AND has for them. Then
//     AND: c = m        OR: c = a + b - m        XOR: c = a + b - 2*m
// hold byte by byte without carry, and so for the halves, which makes c a word. Words are compared as powered sums, in which
// both sides of these equations are linear.
// Padding (act = 0): the flags are 0; nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Bitwise() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input aHi, aLo, aOld, aHigh;
    signal input bHi, bLo, bOld, bHigh;
    signal input a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14;
    signal input a15, a16, a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29;
    signal input b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14;
    signal input b15, b16, b17, b18, b19, b20, b21, b22, b23, b24, b25, b26, b27, b28, b29;
    signal input m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15;
    signal input m16, m17, m18, m19, m20, m21, m22, m23, m24, m25, m26, m27, m28, m29, m30, m31;
    signal input isOr, isXor, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    isOr * (act - isOr) === 0;
    isXor * (act - isXor - isOr) === 0;

    // fifteen bytes of the low half, fifteen of the high one
    var lower[2][30] = [[
        a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14,
        a15, a16, a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29
    ], [
        b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14,
        b15, b16, b17, b18, b19, b20, b21, b22, b23, b24, b25, b26, b27, b28, b29
    ]];
    var and[32] = [
        m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15,
        m16, m17, m18, m19, m20, m21, m22, m23, m24, m25, m26, m27, m28, m29, m30, m31
    ];
    var left[2][2] = [[aLo, aHi], [bLo, bHi]];
    for (var w = 0; w < 2; w++) {
        for (var i = 0; i < 30; i++) left[w][i \ 15] -= lower[w][i] * 256 ** (i % 15);
    }
    var lo = 0;
    var hi = 0;
    component bytes[32];
    signal third[32];
    signal second[32];
    var sum = 0;
    for (var i = 0; i < 32; i++) {
        if (i < 16) lo += and[i] * 256 ** i;
        else hi += and[i] * 256 ** (i - 16);
        var pair[2];
        for (var w = 0; w < 2; w++) {
            if (i % 16 == 15) pair[w] = left[w][i \ 16] / 2 ** 120;
            else pair[w] = lower[w][15 * (i \ 16) + i % 16];
        }
        third[i] <== b[1] * and[i];
        second[i] <== b[1] * (pair[1] + third[i]);
        bytes[i] = Ask(AND());
        bytes[i].alpha <== alpha; bytes[i].b <== b; bytes[i].act <== act; bytes[i].entry <== pair[0] + second[i];
        sum += bytes[i].y;
    }

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wa = Word();
    wa.b <== b; wa.hi <== aHi; wa.lo <== aLo;
    component wb = Word();
    wb.b <== b; wb.hi <== bHi; wb.lo <== bLo;
    component wm = Word();
    wm.b <== b; wm.hi <== hi; wm.lo <== lo;
    signal rest <== (isOr + isXor) * (wa.w + wb.w - 2 * wm.w);
    signal once <== isXor * wm.w;
    signal class <== b[10] * (isOr + 2 * isXor);

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 3 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x16 * b[10] + class;

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== aOld; first.now <== 16 * clk + 1;
    first.high <== aHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + wa.w;
    component other = Take(STACK());
    other.alpha <== alpha; other.b <== b; other.act <== act; other.tOld <== bOld; other.now <== 16 * clk + 1;
    other.high <== bHigh;
    other.cell <== r.pCtx + r.pSp - 2 * b[4] + wb.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + wm.w + rest - once;

    y <== step.y + first.y + other.y + top.y + sum;
}
