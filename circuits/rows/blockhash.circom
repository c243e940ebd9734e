// BLOCKHASH (Yellow Paper H.2): replaces the number of a block by its hash, if it is one of the 256 before this block, and by
// 0 otherwise.
//
// Takes and gives STATE: pc + 1, gas - 20. Asks CODE for class 0x40, ENV for the number of this block. Receives
// STACK(ctx, sp - 1) = n, sends STACK(ctx, sp - 1) = hash or 0. One of three flags says which:
//     inside    asks BLOCKHASH(n; hash): its provider has entries for number - 256 <= n < number only; n < 2^128
//     above     n >= number: n >= 2^128 (nHi != 0), or n - number < 2^128 is asked of WIDE
//     below     n < number - 256: number - 257 - n < 2^128 is asked of WIDE, and n < 2^128
// WIDE is asked for 0 where nHi != 0. number < 2^64 by the provider of ENV (its high half is 0 here) and nLo < 2^128 by
// whoever pushed it: a negative difference is within 2^129 of r, no entry of WIDE. The three exclude each other.
//
// Flags are boolean and so is their sum, act. hashHi, hashLo < 2^128 by the provider of BLOCKHASH; they are free if
// inside = 0: then they are in nothing but a message with multiplicity 0 and a product with inside.
// Padding (flags 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Blockhash() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input nHi, nLo, nOld, nHigh, number, hashHi, hashLo, inside, above, below;
    signal output y;

    component flags[4];
    for (var i = 0; i < 4; i++) flags[i] = Boolean();
    flags[0].bit <== inside;
    flags[1].bit <== above;
    flags[2].bit <== below;
    signal act <== inside + above + below;
    flags[3].bit <== act;
    component small = IsZero();
    small.x <== nHi;
    (inside + below) * (1 - small.z) === 0;
    signal compared <== above * small.z;
    signal distance <== (compared - below) * (nLo - number);

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp;
    step.nextGas <== r.pGas - 20 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x40 * b[10];

    component n = Word();
    n.b <== b; n.hi <== nHi; n.lo <== nLo;
    component operand = Take(STACK());
    operand.alpha <== alpha; operand.b <== b; operand.act <== act; operand.tOld <== nOld;
    operand.now <== 16 * clk + 1; operand.high <== nHigh;
    operand.cell <== r.pCtx + r.pSp - b[4] + n.w;

    signal pNumber <== b[7] * number;
    component block = Ask(ENV());
    block.alpha <== alpha; block.b <== b; block.act <== act;
    block.entry <== pNumber + 0x43 * b[10];
    component outside = Ask(WIDE());
    outside.alpha <== alpha; outside.b <== b; outside.act <== above + below;
    outside.entry <== distance - 257 * below;

    component word = Word();
    word.b <== b; word.hi <== hashHi; word.lo <== hashLo;
    component found = Ask(BLOCKHASH());
    found.alpha <== alpha; found.b <== b; found.act <== inside;
    found.entry <== nLo + word.w;
    signal pushed <== inside * word.w;
    component top = Give(STACK());
    top.alpha <== alpha; top.b <== b; top.act <== act; top.now <== 16 * clk + 2;
    top.cell <== r.pCtx + r.pSp - b[4] + pushed;

    y <== step.y + operand.y + block.y + outside.y + found.y + top.y;
}
