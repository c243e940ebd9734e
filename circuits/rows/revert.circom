// REVERT (EIP-140) of a root frame: begins to undo what the frame did. Nobody reads what it returns.
//
// Takes STATE in mode RUN and gives STATE in mode UNDO: same pc and sp, msize' = words, gas - (what the growth costs). Asks
// CODE for class 0xfd. Receives STACK(ctx, sp - 1) = offset and STACK(ctx, sp - 2) = size, and grows the memory to the slice's
// end (EXPAND at port 0, MEMGAS twice): see Slice in memory.circom.
// In mode UNDO there is nothing but the rows that undo and the one that ends the failed frame: that one shows gas >= 0, and
// takes FRAME. The rest of stack and memory is sunk.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../memory.circom";

template Revert() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, size, sizeOld, sizeHigh;
    signal input reach, words, spareHigh, cost0, cost1;
    signal input act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;

    component slice = Slice();
    slice.alpha <== alpha; slice.b <== b; slice.act <== act; slice.clk <== clk;
    slice.pCtx <== r.pCtx; slice.pSp <== r.pSp; slice.pMsize <== r.pMsize; slice.msize <== msize;
    slice.offsetHi <== offsetHi; slice.offsetLo <== offsetLo; slice.offsetOld <== offsetOld;
    slice.offsetHigh <== offsetHigh;
    slice.size <== size; slice.sizeOld <== sizeOld; slice.sizeHigh <== sizeHigh;
    slice.reach <== reach; slice.words <== words; slice.spareHigh <== spareHigh;
    slice.cost0 <== cost0; slice.cost1 <== cost1;

    component before = TakeState();
    before.alpha <== alpha; before.b <== b; before.act <== act; before.clk <== clk;
    before.pCtx <== r.pCtx; before.pCode <== r.pCode; before.pPc <== r.pPc; before.pSp <== r.pSp; before.pGas <== r.pGas;
    before.pMsize <== r.pMsize;
    before.fetch <== 0xfd * b[10];

    component after = GiveState(1);
    after.alpha <== alpha; after.b <== b; after.act <== act; after.clk <== clk;
    after.pCtx <== r.pCtx; after.pCode <== r.pCode; after.pPc <== r.pPc; after.pSp <== r.pSp;
    after.pGas <== r.pGas - slice.pCost;
    after.pMsize <== slice.pWords;

    y <== slice.y + before.y + after.y;
}
