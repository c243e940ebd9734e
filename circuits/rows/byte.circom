// BYTE, SIGNEXTEND (Yellow Paper H.2): pops i, then x. BYTE pushes byte i of x, counted from the highest one, or 0 if i >= 32.
// SIGNEXTEND pushes the lower i + 1 bytes of x extended by their sign, or x itself if i >= 31.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 3 or gas - 5. Asks CODE for class 0x1a or 0x0b. Receives STACK(ctx, sp - 1) = i
// and STACK(ctx, sp - 2) = x, sends STACK(ctx, sp - 2) = the result.
// act is boolean; isByte, isOut, isHigh, isOdd are 0 or act, the last two 0 with isOut.
//
// Which byte. k, counted from the lowest one, is i, for BYTE 31 - i. isOut says that i >= 32: i.lo + 32*i.hi - 32 - 2^128*excess
// is asked of WIDE, with excess in RANGE_9, so that i.lo + 32*i.hi is an integer from 32 up, and i is at least that.
// Otherwise i.hi = 0 and k = 16*isHigh + 2*l + isOdd, where l from 0 to 7 is chosen by s0 ... s7: these are boolean and add up
// to act - isOut (s7 is what is left of it). Every k from 0 to 31 is one choice, and SIGNEXTEND with i = 31 leaves x.
// The half of x that k is in, h = x.hi or x.lo, has the limbs h<l>: h0 ... h6 and what is left, asked of RANGE_16
// (InRange128). With
//     limb = h<l>    below = the limbs under it    W = 2^(16*l)           each chosen by s, or 0 with isOut
//     limb = 256*top + low, both in RANGE_8        byte = top or low      kept = limb or low      unit = 2^16 or 2^8, by isOdd
// byte is byte k of x, and sign its bit 7, as 2*(byte - 128*sign) is in RANGE_8 (with isOut limb, byte and sign are 0). The half
// is then extended to
//     r = below + W*kept + sign*(2^128 - W*unit)
// which is below 2^128: below + W*kept has as many bits as W*unit. SIGNEXTEND pushes (x.hi, x.lo) with isOut, (r, x.lo) with
// isHigh, otherwise (sign*(2^128 - 1), r); BYTE pushes (0, byte). i and x are words by whoever pushed them: the result is one.
// Padding (act = 0): the flags are 0; nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Byte() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input iHi, iLo, iOld, iHigh;
    signal input xHi, xLo, xOld, xHigh;
    signal input h0, h1, h2, h3, h4, h5, h6;
    signal input s0, s1, s2, s3, s4, s5, s6;
    signal input low, sign, excess;
    signal input isByte, isOut, isHigh, isOdd, act;
    signal output y;

    component bits[2];
    for (var i = 0; i < 2; i++) bits[i] = Boolean();
    bits[0].bit <== act; bits[1].bit <== sign;
    isByte * (act - isByte) === 0;
    isOut * (act - isOut) === 0;
    isHigh * (act - isHigh - isOut) === 0;
    isOdd * (act - isOdd - isOut) === 0;

    // the half, its limbs, and which of them
    signal upper <== isHigh * (xHi - xLo);
    var half = xLo + upper;
    var limbs[8] = [h0, h1, h2, h3, h4, h5, h6, half / 2 ** 112];
    var chosen[8] = [s0, s1, s2, s3, s4, s5, s6, act - isOut];
    for (var i = 0; i < 7; i++) {
        limbs[7] -= limbs[i] * 2 ** (16 * i) / 2 ** 112;
        chosen[7] -= chosen[i];
    }
    component range = InRange128();
    range.alpha <== alpha; range.b <== b; range.value <== half; range.limbs <== [h0, h1, h2, h3, h4, h5, h6];
    component one[8];
    signal limbIf[8];
    signal belowIf[8];
    var limb = 0;
    var below = 0;
    var weight = 0;
    var l = 0;
    var under = 0;
    for (var i = 0; i < 8; i++) {
        one[i] = Boolean();
        one[i].bit <== chosen[i];
        limbIf[i] <== chosen[i] * limbs[i];
        belowIf[i] <== chosen[i] * under;
        limb += limbIf[i];
        below += belowIf[i];
        weight += chosen[i] * 2 ** (16 * i);
        l += chosen[i] * i;
        under += limbs[i] * 2 ** (16 * i);
    }

    var k = 16 * isHigh + 2 * l + isOdd;
    signal flipped <== isByte * (31 - 2 * k);
    (act - isOut) * iHi === 0;
    (act - isOut) * (iLo - k - flipped) === 0;
    component far = Ask(WIDE());
    far.alpha <== alpha; far.b <== b; far.act <== isOut; far.entry <== iLo + 32 * iHi - 32 - 2 ** 128 * excess;
    component farther = InRange(RANGE_9());
    farther.alpha <== alpha; farther.b <== b; farther.value <== excess;

    // the byte and its sign
    var top = (limb - low) / 256;
    signal oddTop <== isOdd * top;
    signal oddLow <== isOdd * low;
    var byte = low + oddTop - oddLow;
    component parts[3];
    for (var i = 0; i < 3; i++) {
        parts[i] = InRange(RANGE_8());
        parts[i].alpha <== alpha; parts[i].b <== b;
    }
    parts[0].value <== low;
    parts[1].value <== top;
    parts[2].value <== 2 * (byte - 128 * sign);

    signal extended <== sign * (256 + (65536 - 256) * isOdd);
    signal inLimb <== weight * (low + 256 * oddTop - extended);
    var r = below + inLimb + 2 ** 128 * sign;
    var isLow = act - isOut - isHigh;
    signal lowIsLow <== isLow * (r - xLo);
    signal highIsLow <== isLow * ((2 ** 128 - 1) * sign - xHi);
    signal highIsHigh <== isHigh * (r - xHi);

    component at = Registers();
    at.b <== b; at.ctx <== ctx; at.code <== code; at.pc <== pc; at.sp <== sp; at.gas <== gas; at.msize <== msize;
    component wi = Word();
    wi.b <== b; wi.hi <== iHi; wi.lo <== iLo;
    component wx = Word();
    wx.b <== b; wx.hi <== xHi; wx.lo <== xLo;
    component word = Word();
    word.b <== b; word.hi <== xHi + highIsLow + highIsHigh; word.lo <== xLo + lowIsLow;
    signal pByte <== b[7] * byte;
    signal instead <== isByte * (pByte - word.w);
    signal class <== b[10] * isByte;
    signal cheaper <== b[5] * isByte;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== at.pCtx; step.pCode <== at.pCode; step.pPc <== at.pPc; step.pSp <== at.pSp; step.pGas <== at.pGas;
    step.pMsize <== at.pMsize;
    step.nextPc <== at.pPc + b[3];
    step.nextSp <== at.pSp - b[4];
    step.nextGas <== at.pGas - 5 * b[5] + 2 * cheaper;
    step.nextMsize <== at.pMsize;
    step.fetch <== 0x0b * b[10] + 15 * class;

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== iOld; first.now <== 16 * clk + 1;
    first.high <== iHigh;
    first.cell <== at.pCtx + at.pSp - b[4] + wi.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== xOld; second.now <== 16 * clk + 1;
    second.high <== xHigh;
    second.cell <== at.pCtx + at.pSp - 2 * b[4] + wx.w;
    component result = Give(STACK());
    result.alpha <== alpha; result.b <== b; result.act <== act; result.now <== 16 * clk + 2;
    result.cell <== at.pCtx + at.pSp - 2 * b[4] + word.w + instead;

    y <== step.y + first.y + second.y + result.y + range.y + far.y + farther.y + parts[0].y + parts[1].y + parts[2].y;
}
