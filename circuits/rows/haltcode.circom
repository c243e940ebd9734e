// An exceptional halt that the opcode makes certain (Yellow Paper 9.4.2, Z): too few items on the stack for it, too many, or no
// opcode at all.
//
// Takes STATE in mode RUN and gives STATE in mode UNDO with gas 0, everything else the same. What is left to do is that of a
// frame that failed: see revert and fail. The rest of stack and memory is sunk.
// Asks CODE for the instruction at pc, whatever it is, and OPCODE for what its class and n ask of the stack. act is boolean, and
// isUnder, isOver and the rest, act - isUnder - isOver, are boolean: exactly one of the three is act, and the row shows
//     isUnder: min - sp - 1 in RANGE_5        isOver: sp - max - 1 in RANGE_5        rest: defined = 0
// min <= 17 and 1023 <= max <= 1024 by the provider of OPCODE, sp <= 1024 by STATE: the differences are integers, below 0 for a
// stack that suffices, and below 32 otherwise. defined = 0 is INVALID and every byte that is no opcode of Cancun.
// Class, n and immediate are those of CODE at pc: there is one entry with isInstr = 1 at most.
// Padding (act = 0): the flags are 0; nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Haltcode() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input class, n, immHi, immLo, min, max, defined;
    signal input isUnder, isOver, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    isUnder * (act - isUnder) === 0;
    isOver * (act - isOver - isUnder) === 0;
    (act - isUnder - isOver) * defined === 0;
    signal under <== isUnder * (min - sp - 1);
    signal over <== isOver * (sp - max - 1);

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component immediate = Word();
    immediate.b <== b; immediate.hi <== immHi; immediate.lo <== immLo;
    signal pClass <== b[10] * class;
    signal pN <== b[11] * n;
    signal pMin <== b[4] * min;
    signal pMax <== b[8] * max;
    signal pDefined <== b[9] * defined;

    component before = TakeState();
    before.alpha <== alpha; before.b <== b; before.act <== act; before.clk <== clk;
    before.pCtx <== r.pCtx; before.pCode <== r.pCode; before.pPc <== r.pPc; before.pSp <== r.pSp; before.pGas <== r.pGas;
    before.pMsize <== r.pMsize;
    before.fetch <== pClass + pN + immediate.w;
    component after = GiveState(1);
    after.alpha <== alpha; after.b <== b; after.act <== act; after.clk <== clk;
    after.pCtx <== r.pCtx; after.pCode <== r.pCode; after.pPc <== r.pPc; after.pSp <== r.pSp; after.pGas <== 0;
    after.pMsize <== r.pMsize;

    component needs = Ask(OPCODE());
    needs.alpha <== alpha; needs.b <== b; needs.act <== act;
    needs.entry <== pMin + pMax + pDefined + pClass + pN;
    component beyond = InRange(RANGE_5());
    beyond.alpha <== alpha; beyond.b <== b; beyond.value <== under + over;

    y <== before.y + after.y + needs.y + beyond.y;
}
