// RETURN (Yellow Paper H.2) of a root frame: ends the transaction with success. Nobody reads what it returns. (`return` is a
// word of circom's own.)
//
// Takes STATE, in mode RUN, and gives none. Asks CODE for class 0xf3. Receives STACK(ctx, sp - 1) = offset and
// STACK(ctx, sp - 2) = size, and grows the memory to the slice's end (EXPAND at port 0, MEMGAS twice): see Slice in
// memory.circom. Ends the frame: receives FRAME(ctx) of a root, asks for T, sends TXEND(clk, ctx, gas', T, 1) where gas' = gas -
// (what the growth costs), 0 <= gas' < 2^32: see EndRoot in frame.circom.
// An inner frame has another FRAME, one with a caller in it: this row can't end it.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../frame.circom";
include "../memory.circom";

template Returns() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, size, sizeOld, sizeHigh;
    signal input reach, words, spareHigh, cost0, cost1;
    signal input gasHigh, T, act;
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

    component state = TakeState();
    state.alpha <== alpha; state.b <== b; state.act <== act; state.clk <== clk;
    state.pCtx <== r.pCtx; state.pCode <== r.pCode; state.pPc <== r.pPc; state.pSp <== r.pSp; state.pGas <== r.pGas;
    state.pMsize <== r.pMsize;
    state.fetch <== 0xf3 * b[10];

    component end = EndRoot(1);
    end.alpha <== alpha; end.b <== b; end.act <== act; end.clk <== clk; end.pCtx <== r.pCtx;
    end.pGas <== r.pGas - slice.pCost;
    end.gas <== gas - cost1 + cost0; end.gasHigh <== gasHigh; end.T <== T;

    y <== slice.y + state.y + end.y;
}
