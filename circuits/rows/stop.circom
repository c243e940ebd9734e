// STOP (Yellow Paper H.2) of a root frame: ends the transaction with success.
//
// Takes STATE, in mode RUN, and gives none. Asks CODE for class 0x00, which is also what the verifier puts behind the last
// instruction of a code. Ends the frame: receives FRAME(ctx) of a root, asks for T, sends TXEND(clk, ctx, gas, T, 1), with
// 0 <= gas < 2^32: see EndRoot in frame.circom.
// An inner frame has another FRAME, one with a caller in it: this row can't end it.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../frame.circom";
include "../gadgets.circom";

template Stop() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input gasHigh, T, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;

    component state = TakeState();
    state.alpha <== alpha; state.b <== b; state.act <== act; state.clk <== clk;
    state.pCtx <== r.pCtx; state.pCode <== r.pCode; state.pPc <== r.pPc; state.pSp <== r.pSp; state.pGas <== r.pGas;
    state.pMsize <== r.pMsize;
    state.fetch <== 0;

    component end = EndRoot(1);
    end.alpha <== alpha; end.b <== b; end.act <== act; end.clk <== clk; end.pCtx <== r.pCtx; end.pGas <== r.pGas;
    end.gas <== gas; end.gasHigh <== gasHigh; end.T <== T;

    y <== state.y + end.y;
}
