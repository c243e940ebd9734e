// The end of a frame.
pragma circom 2.2.0;

include "bus.circom";

// Ends the root frame ctx, and with it transaction T = CTX(ctx, 0x100): receives FRAME(ctx; zeros), which the verifier sends
// for roots only and once, and sends TXEND(clk, ctx, gas, T, status).
// gas is what is left, of this row too; pGas = beta^5*gas. Here it is shown to be 0 <= gas < 2^32 (RANGE_16 twice, upper half
// `gasHigh`): no cost is negative, so a frame that ran out of gas anywhere ends below 0. It falls by less than 2^33 a step
// and there are at most 2^28 steps: it doesn't come around to the other side of 0 modulo r.
template EndRoot(status) {
    signal input alpha;
    signal input b[17];
    signal input act, clk;
    signal input pCtx, pGas;
    signal input gas, gasHigh, T;
    signal output y;

    signal pValue <== b[7] * T;
    signal pT <== b[9] * T;

    component transaction = Ask(CTX());
    transaction.alpha <== alpha; transaction.b <== b; transaction.act <== act;
    transaction.entry <== pCtx + 0x100 * b[10] + pValue;

    component frame = Fraction();
    frame.alpha <== alpha; frame.m <== act; frame.f <== pCtx + FRAME() * b[16];
    component ended = Fraction();
    ended.alpha <== alpha; ended.m <== act; ended.f <== clk + pCtx + pGas + pT + status * b[10] + TXEND() * b[16];

    component left = InRange32();
    left.alpha <== alpha; left.b <== b; left.value <== gas; left.high <== gasHigh;

    y <== transaction.y - frame.y + ended.y + left.y;
}
