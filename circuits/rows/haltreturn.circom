// An exceptional halt of RETURNDATACOPY (EIP-211): it reaches beyond the end of what was returned, which is nothing here.
//
// Takes STATE in mode RUN and gives STATE in mode UNDO with gas 0, everything else the same. What is left to do is that of a
// frame that failed: see revert and fail. The rest of stack and memory is sunk. Asks CODE for class 0x3e.
// Asks CTX(ctx, 0x3d; 0, 0): nothing has been returned. So the offset and the size have both to be 0, and the row shows one that
// isn't: receives STACK(ctx, sp - 2) = the offset or, if isSize, STACK(ctx, sp - 3) = the size. z can be nothing but
// (hi + lo = 0), the halves being below 2^128 by whoever pushed them, and act*z = 0.
// Where these items are, but not three, the stack doesn't suffice, which halts as well.
// isSize is boolean and 0 in padding.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Haltreturn() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input hi, lo, tOld, high, isSize, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;
    isSize * (act - isSize) === 0;

    component never = IsZero();
    never.x <== hi + lo;
    act * never.z === 0;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component word = Word();
    word.b <== b; word.hi <== hi; word.lo <== lo;
    signal deeper <== b[4] * isSize;

    component before = TakeState();
    before.alpha <== alpha; before.b <== b; before.act <== act; before.clk <== clk;
    before.pCtx <== r.pCtx; before.pCode <== r.pCode; before.pPc <== r.pPc; before.pSp <== r.pSp; before.pGas <== r.pGas;
    before.pMsize <== r.pMsize;
    before.fetch <== 0x3e * b[10];
    component after = GiveState(1);
    after.alpha <== alpha; after.b <== b; after.act <== act; after.clk <== clk;
    after.pCtx <== r.pCtx; after.pCode <== r.pCode; after.pPc <== r.pPc; after.pSp <== r.pSp; after.pGas <== 0;
    after.pMsize <== r.pMsize;

    component operand = Take(STACK());
    operand.alpha <== alpha; operand.b <== b; operand.act <== act; operand.tOld <== tOld; operand.now <== 16 * clk + 1;
    operand.high <== high;
    operand.cell <== r.pCtx + r.pSp - 2 * b[4] - deeper + word.w;

    component nothing = Ask(CTX());
    nothing.alpha <== alpha; nothing.b <== b; nothing.act <== act; nothing.entry <== r.pCtx + 0x3d * b[10];

    y <== before.y + after.y + operand.y + nothing.y;
}
