// MUL (Yellow Paper H.2): pops u, then v; pushes c = u*v modulo 2^256.
//
// Takes and gives STATE: pc + 1, sp - 1, gas - 5. Asks CODE for class 0x02. Receives STACK(ctx, sp - 1) = u and
// STACK(ctx, sp - 2) = v, sends STACK(ctx, sp - 2) = c. Asks RANGE_16, RANGE_4 and WIDE.
// u and v are words by whoever pushed them; that c is one, and that product, is Multiply's to show.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../arith.circom";

template Mul() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input u0, u1, u2, u3, u4, u5, u6, u7, uHi, uOld, uHigh;
    signal input v0, v1, v2, v3, v4, v5, v6, v7, vHi, vOld, vHigh;
    signal input c0, c1, c2, c3, c4, c5, c6, c7, cHi;
    signal input k0, k1, k2, k3, overTop, gapTop, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component product = Multiply();
    product.alpha <== alpha; product.b <== b; product.act <== act;
    product.u <== [u0, u1, u2, u3, u4, u5, u6, u7]; product.uHi <== uHi;
    product.v <== [v0, v1, v2, v3, v4, v5, v6, v7]; product.vHi <== vHi;
    product.c <== [c0, c1, c2, c3, c4, c5, c6, c7]; product.cHi <== cHi;
    product.k <== [k0, k1, k2, k3];
    product.overTop <== overTop; product.gapTop <== gapTop;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wu = Word();
    wu.b <== b; wu.hi <== uHi; wu.lo <== product.uLo;
    component wv = Word();
    wv.b <== b; wv.hi <== vHi; wv.lo <== product.vLo;
    component wc = Word();
    wc.b <== b; wc.hi <== cHi; wc.lo <== product.cLo;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - b[4];
    step.nextGas <== r.pGas - 5 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x02 * b[10];

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== uOld; first.now <== 16 * clk + 1;
    first.high <== uHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + wu.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== vOld; second.now <== 16 * clk + 1;
    second.high <== vHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + wv.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - 2 * b[4] + wc.w;

    y <== step.y + first.y + second.y + top.y + product.y;
}
