// EXP (Yellow Paper H.2, EIP-160): pops base, then e; pushes base^e modulo 2^256, for 10 gas and 50 for each byte of e.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 10 - 50*bytes. Asks CODE for class 0x0a. Receives STACK(ctx, sp - 1) = base
// and STACK(ctx, sp - 2) = e, sends STACK(ctx, sp - 2) = result. Sends EXPCHAIN(16*clk; square = base, i = 0, acc = 1,
// e = 0) and receives EXPCHAIN(16*clk; square, i, acc = result, e), with any square and i: power rows must lead from one to
// the other, and result, 1 or the acc of one, is a word. Where e = 0 there need not be any, as the two cancel.
//
// base and e are words by whoever pushed them. large can be nothing but (e.hi != 0), and x is e.hi then, else e.lo: bytes is
// 16*large more than x has. some can be nothing but (x != 0) where act = 1, and 0 where act = 0. m < 16 by RANGE_4, and it
// is 0 if x is; otherwise POW2 shows p = 2^(8*m), and WIDE, asked of x - p and 256*p - 1 - x, which are above -2^128, that
// 2^(8*m) <= x < 2^(8*m + 8). So bytes = 16*large + m + some, and there is one m for each x.
// Padding (act = 0): nothing is sent or received.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Exp() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input baseHi, baseLo, baseOld, baseHigh;
    signal input eHi, eLo, eOld, eHigh;
    signal input squareHi, squareLo, i, resultHi, resultLo, m, p, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component small = IsZero();
    small.x <== eHi;
    signal x <== eHi + small.z * (eLo - eHi);
    component none = IsZero();
    none.x <== x;
    signal some <== act * (1 - none.z);
    none.z * m === 0;
    component four = InRange(RANGE_4());
    four.alpha <== alpha; four.b <== b; four.value <== m;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wb = Word();
    wb.b <== b; wb.hi <== baseHi; wb.lo <== baseLo;
    component we = Word();
    we.b <== b; we.hi <== eHi; we.lo <== eLo;
    component wr = Word();
    wr.b <== b; wr.hi <== resultHi; wr.lo <== resultLo;
    signal pBytes <== b[5] * (16 * (1 - small.z) + m + some);
    signal pPower <== b[7] * p;

    component power = Ask(POW2());
    power.alpha <== alpha; power.b <== b; power.act <== some; power.entry <== 8 * m + pPower;
    component least = Ask(WIDE());
    least.alpha <== alpha; least.b <== b; least.act <== some; least.entry <== x - p;
    component most = Ask(WIDE());
    most.alpha <== alpha; most.b <== b; most.act <== some; most.entry <== 256 * p - 1 - x;

    component square = Word();
    square.b <== b; square.hi <== squareHi; square.lo <== squareLo;
    signal pAccHi <== b[11] * resultHi;
    signal pAccLo <== b[12] * resultLo;
    signal pHi <== b[13] * eHi;
    signal pLo <== b[14] * eLo;
    signal pAt <== b[8] * i;
    component begin = Fraction();
    begin.alpha <== alpha; begin.m <== act; begin.f <== 16 * clk + wb.w + b[12] + EXPCHAIN() * b[16];
    component end = Fraction();
    end.alpha <== alpha; end.m <== act;
    end.f <== 16 * clk + square.w + pAt + pAccHi + pAccLo + pHi + pLo + EXPCHAIN() * b[16];

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 10 * b[5] - 50 * pBytes;
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x0a * b[10];

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== baseOld; first.now <== 16 * clk + 1;
    first.high <== baseHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + wb.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== eOld; second.now <== 16 * clk + 1;
    second.high <== eHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + we.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + wr.w;

    y <== step.y + first.y + second.y + top.y + four.y + power.y + least.y + most.y + begin.y - end.y;
}
