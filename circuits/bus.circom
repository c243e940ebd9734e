// The bus as rows use it: powers of beta, fractions, live cells, the machine's state.
//
// A message with coordinates m[0..15] and a tag has the fingerprint
//     f = m[0] + beta*m[1] + ... + beta^15*m[15] + beta^16*tag          (docs/protocol.md, section 2)
// Rows compute the products beta^i*m[i] once and share them between their messages: the same field has the same
// coordinate in every tag. What is called "powered" below is such a product, or a sum of them. Differences by constants
// are linear and cost nothing.
//
// Every output y is what the row adds to the chunk's sum.
pragma circom 2.2.0;

include "tags.generated.circom";

function BITS16() { return 65536; }

// beta^0 ... beta^16, once a chunk.
template Powers() {
    signal input beta;
    signal output b[17];
    b[0] <== 1;
    b[1] <== beta;
    for (var i = 2; i < 17; i++) b[i] <== b[i - 1] * beta;
}

// y = m / (alpha + f). Sound because alpha + f = 0 has negligible probability: alpha is drawn after f is fixed.
template Fraction() {
    signal input alpha;
    signal input f;
    signal input m;
    signal output y;
    y <-- m / (alpha + f);
    (alpha + f) * y === m;
}

// A request to the range table `tag`: value < 2^k for RANGE_k. Unconditional, in padding rows too; the honest prover asks for 0 there.
template InRange(tag) {
    signal input alpha;
    signal input b[17];
    signal input value;
    signal output y;
    component q = Fraction();
    q.alpha <== alpha;
    q.f <== value + tag * b[16];
    q.m <== 1;
    y <== q.y;
}

// 0 <= value < 2^32, with its upper half `high` as a committed column.
template InRange32() {
    signal input alpha;
    signal input b[17];
    signal input value;
    signal input high;
    signal output y;
    component q[2];
    for (var i = 0; i < 2; i++) {
        q[i] = InRange(RANGE_16());
        q[i].alpha <== alpha;
        q[i].b <== b;
    }
    q[0].value <== value - BITS16() * high;
    q[1].value <== high;
    y <== q[0].y + q[1].y;
}

// The two halves of a word, powered: beta^6*hi + beta^7*lo.
template Word() {
    signal input b[17];
    signal input hi;
    signal input lo;
    signal output w;
    signal h <== b[6] * hi;
    signal l <== b[7] * lo;
    w <== h + l;
}

// The machine's registers, powered.
template Registers() {
    signal input b[17];
    signal input ctx, code, pc, sp, gas, msize;
    signal output pCtx, pCode, pPc, pSp, pGas, pMsize;
    pCtx <== b[1] * ctx;
    pCode <== b[2] * code;
    pPc <== b[3] * pc;
    pSp <== b[4] * sp;
    pGas <== b[5] * gas;
    pMsize <== b[8] * msize;
}

// Takes STATE at clk in mode RUN and fetches the opcode: CODE(code, pc; isInstr = 1, `fetch`). All inputs from pCtx on are
// powered. `fetch` = beta^10*class + beta^11*n + the immediate; the class is a constant of the row, or a one-hot sum of
// constants whose flags add up to act.
template TakeState() {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input clk;
    signal input pCtx, pCode, pPc, pSp, pGas, pMsize;
    signal input fetch;
    signal output y;

    component taken = Fraction();
    taken.alpha <== alpha;
    taken.f <== clk + pCtx + pCode + pPc + pSp + pGas + pMsize + STATE() * b[16];
    taken.m <== act;

    component fetched = Fraction();
    fetched.alpha <== alpha;
    fetched.f <== pCode + pPc + fetch + b[12] + CODE() * b[16];
    fetched.m <== act;

    y <== fetched.y - taken.y;
}

// Gives STATE at clk + 1, where clk is that of the row, in mode 0 (RUN) or 1 (UNDO).
template GiveState(mode) {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input clk;
    signal input pCtx, pCode, pPc, pSp, pGas, pMsize;
    signal output y;

    component given = Fraction();
    given.alpha <== alpha;
    given.f <== clk + 1 + pCtx + pCode + pPc + pSp + pGas + pMsize + mode * b[9] + STATE() * b[16];
    given.m <== act;
    y <== given.y;
}

// A step of the machine: takes STATE at clk, gives STATE at clk + 1, both in mode RUN, and fetches its opcode; next* are
// those of the state given.
template Step() {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input clk;
    signal input pCtx, pCode, pPc, pSp, pGas, pMsize;
    signal input nextPc, nextSp, nextGas, nextMsize;
    signal input fetch;
    signal output y;

    component before = TakeState();
    before.alpha <== alpha; before.b <== b; before.act <== act; before.clk <== clk;
    before.pCtx <== pCtx; before.pCode <== pCode; before.pPc <== pPc; before.pSp <== pSp; before.pGas <== pGas;
    before.pMsize <== pMsize;
    before.fetch <== fetch;

    component after = GiveState(0);
    after.alpha <== alpha; after.b <== b; after.act <== act; after.clk <== clk;
    after.pCtx <== pCtx; after.pCode <== pCode; after.pPc <== nextPc; after.pSp <== nextSp; after.pGas <== nextGas;
    after.pMsize <== nextMsize;

    y <== before.y + after.y;
}

// Receives the live cell of a key, written at tOld < now. `cell` is the powered message without t and tag; `high` a
// committed column, the upper half of now - tOld - 1. now < 2^32 - 1 because clk < 2^28, so that the difference can't wrap.
template Take(tag) {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input cell;
    signal input tOld;
    signal input now;
    signal input high;
    signal output y;
    component q = Fraction();
    q.alpha <== alpha;
    q.f <== tOld + cell + tag * b[16];
    q.m <== act;
    component before = InRange32();
    before.alpha <== alpha;
    before.b <== b;
    // in padding both are free; the honest prover has 0 there
    before.value <== now - tOld - 1;
    before.high <== high;
    y <== before.y - q.y;
}

// Sends the live cell of a key, written now.
template Give(tag) {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input cell;
    signal input now;
    signal output y;
    component q = Fraction();
    q.alpha <== alpha;
    q.f <== now + cell + tag * b[16];
    q.m <== act;
    y <== q.y;
}

// A request to a lookup table: `entry` is the powered message without the tag.
template Ask(tag) {
    signal input alpha;
    signal input b[17];
    signal input act;
    signal input entry;
    signal output y;
    component q = Fraction();
    q.alpha <== alpha;
    q.f <== entry + tag * b[16];
    q.m <== act;
    y <== q.y;
}

// 0 <= value < 2^128: eight limbs of 16 bits, the lower seven of them committed columns. The highest is what is left,
// (value - the others) / 2^112 in the field, so that value = sum of limbs[i]*2^(16*i): below 2^128 if all limbs are in range.
template InRange128() {
    signal input alpha;
    signal input b[17];
    signal input value;
    signal input limbs[7];
    signal output y;
    var rest = value;
    for (var i = 0; i < 7; i++) rest -= limbs[i] * 2 ** (16 * i);
    component range[8];
    var sum = 0;
    for (var i = 0; i < 8; i++) {
        range[i] = InRange(RANGE_16());
        range[i].alpha <== alpha;
        range[i].b <== b;
        if (i < 7) range[i].value <== limbs[i];
        else range[i].value <== rest / 2 ** 112;
        sum += range[i].y;
    }
    y <== sum;
}
