// An exceptional halt for want of gas (Yellow Paper 9.4.2, Z): the frame ran out, or its next opcode needs more than there is.
// All exceptional halts are alike: they undo what the frame did and take its gas.
//
// Takes STATE in mode RUN and gives STATE in mode UNDO with gas 0, everything else the same. What is left to do is that of a
// frame that failed: see revert and fail. The rest of stack and memory is sunk.
// limit - gas is below 2^32 (RANGE_16 twice, upper half `high`), where limit is
//     -1      whatever stands at pc: what the steps so far cost was more than the gas, and STATE got negative
//      1      for GAS (isGas), which costs 2 and whose row pushes no negative gas: asks CODE for class 0x5a
//   2300      for SSTORE (isSstore), which asks for more than that (EIP-2200): asks CODE for class 0x55
// gas begins below 2^31 and each of at most 2^28 steps lowers it by less than 2^33: it doesn't come around modulo r to where
// a gas that suffices would be taken for one that doesn't. act is boolean, isGas + isSstore is 0 or act.
// Rows of steps don't look at the gas that is left. A frame may run on with negative gas, but no end takes it: it gets here.
// Padding (act = 0): the flags are 0; nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Haltgas() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input high, isGas, isSstore, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    isGas * (act - isGas) === 0;
    isSstore * (act - isSstore - isGas) === 0;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    signal class <== b[10] * isGas;

    component taken = Fraction();
    taken.alpha <== alpha; taken.m <== act;
    taken.f <== clk + r.pCtx + r.pCode + r.pPc + r.pSp + r.pGas + r.pMsize + STATE() * b[16];
    component fetched = Ask(CODE());
    fetched.alpha <== alpha; fetched.b <== b; fetched.act <== isGas + isSstore;
    fetched.entry <== r.pCode + r.pPc + 0x55 * b[10] + 5 * class + b[12];
    component after = GiveState(1);
    after.alpha <== alpha; after.b <== b; after.act <== act; after.clk <== clk;
    after.pCtx <== r.pCtx; after.pCode <== r.pCode; after.pPc <== r.pPc; after.pSp <== r.pSp; after.pGas <== 0;
    after.pMsize <== r.pMsize;

    component missing = InRange32();
    missing.alpha <== alpha; missing.b <== b; missing.high <== high;
    missing.value <== 2 * isGas + 2301 * isSstore - act - gas;

    y <== fetched.y - taken.y + after.y + missing.y;
}
