// End of a root frame that failed, after its undo: nothing is left of the transaction but the gas it took.
//
// Takes STATE in mode UNDO and gives none. Asks CTX for the transaction T, receives the FRAME of ctx as a root frame has it
// (parent, caller's registers, j0, refund0 and log0 all 0), sends TXEND(clk, ctx, gas, T; status 0): see EndRoot, which also
// asks the ranges for gas: a frame that spent more than it had ends with negative gas and finds no end.
// Takes JRN(T; 0) and gives it again: all of the journal has been undone, j = j0. Takes REFUND(T; refund) and gives
// REFUND(T; 0), takes LOGS(T; n) and gives LOGS(T; 0).
//
// refund and n may be anything: they are what the counters hold. T by the provider of CTX.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";
include "../frame.circom";
include "../journal.circom";

template Fail() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input gasHigh, T, jOld, jHigh, refund, refundOld, refundHigh, n, nOld, nHigh, act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component taken = Fraction();
    taken.alpha <== alpha; taken.m <== act;
    taken.f <== clk + r.pCtx + r.pCode + r.pPc + r.pSp + r.pGas + r.pMsize + b[9] + STATE() * b[16];
    component end = EndRoot(0);
    end.alpha <== alpha; end.b <== b; end.act <== act; end.clk <== clk; end.pCtx <== r.pCtx; end.pGas <== r.pGas;
    end.gas <== gas; end.gasHigh <== gasHigh; end.T <== T;

    signal pT <== b[1] * T;
    component counter = Renew(JRN());
    counter.alpha <== alpha; counter.b <== b; counter.act <== act; counter.clk <== clk;
    counter.tOld <== jOld; counter.high <== jHigh;
    counter.before <== pT;
    counter.after <== pT;

    signal pRefund <== b[11] * refund;
    component refunds = Renew(REFUND());
    refunds.alpha <== alpha; refunds.b <== b; refunds.act <== act; refunds.clk <== clk;
    refunds.tOld <== refundOld; refunds.high <== refundHigh;
    refunds.before <== pT + pRefund;
    refunds.after <== pT;

    signal pN <== b[4] * n;
    component logs = Renew(LOGS());
    logs.alpha <== alpha; logs.b <== b; logs.act <== act; logs.clk <== clk;
    logs.tOld <== nOld; logs.high <== nHigh;
    logs.before <== pT + pN;
    logs.after <== pT;

    y <== end.y - taken.y + counter.y + refunds.y + logs.y;
}
