// An exceptional halt of JUMP or JUMPI (Yellow Paper 9.4.2, Z): the destination is no JUMPDEST.
//
// Takes STATE in mode RUN and gives STATE in mode UNDO with gas 0, everything else the same. What is left to do is that of a
// frame that failed: see revert and fail. The rest of stack and memory is sunk. Asks CODE for class 0x56, with isJumpi 0x57.
// Receives STACK(ctx, sp - 1) = destination and, for JUMPI, STACK(ctx, sp - 2) = condition, which isn't 0: z can be nothing but
// (cHi + cLo = 0), the halves being below 2^128, and isJumpi*z = 0.
// isHigh, isBeyond and isOther are boolean and so is their sum, act. The one that is 1 says what the row shows:
//     isHigh      destHi >= 1: destHi - 1 is asked of WIDE
//     isBeyond    the destination is behind the code: destLo - length is asked of WIDE, the length of CTX (CODESIZE of ctx). It
//                 is shown for the low half alone, which does: a destination that is a JUMPDEST has no high half and is below it
//     isOther     asks CODE for whatever stands at destLo, and its class isn't 0x5b: aim.z can be nothing but (class = 0x5b), and
//                 isOther*aim.z = 0. Bytes of an immediate have class 0 (and isInstr 0)
// The halves of the destination are below 2^128 by whoever pushed them, length by the verifier: the differences are integers,
// below 0 for a destination that exists. A JUMPDEST passes none of the three: its high half is 0, its low half below the
// length, and the one entry of CODE there has class 0x5b.
// Padding (act = 0): the flags are 0; nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Haltjump() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input destHi, destLo, destOld, destHigh;
    signal input cHi, cLo, cOld, cHigh;
    signal input length;
    signal input class, n, immHi, immLo, instr;
    signal input isJumpi, isHigh, isBeyond, isOther;
    signal output y;

    var act = isHigh + isBeyond + isOther;
    component bits[4];
    for (var i = 0; i < 4; i++) bits[i] = Boolean();
    bits[0].bit <== isHigh; bits[1].bit <== isBeyond; bits[2].bit <== isOther; bits[3].bit <== act;
    isJumpi * (act - isJumpi) === 0;

    component never = IsZero();
    never.x <== cHi + cLo;
    isJumpi * never.z === 0;
    component aim = IsZero();
    aim.x <== class - 0x5b;
    isOther * aim.z === 0;
    signal above <== isHigh * (destHi - 1);
    signal behind <== isBeyond * (destLo - length);

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component dest = Word();
    dest.b <== b; dest.hi <== destHi; dest.lo <== destLo;
    signal destPc <== b[3] * destLo;
    component condition = Word();
    condition.b <== b; condition.hi <== cHi; condition.lo <== cLo;
    component immediate = Word();
    immediate.b <== b; immediate.hi <== immHi; immediate.lo <== immLo;
    signal pClass <== b[10] * class;
    signal pN <== b[11] * n;
    signal pInstr <== b[12] * instr;
    signal pLength <== b[7] * length;
    signal jumpi <== b[10] * isJumpi;

    component before = TakeState();
    before.alpha <== alpha; before.b <== b; before.act <== act; before.clk <== clk;
    before.pCtx <== r.pCtx; before.pCode <== r.pCode; before.pPc <== r.pPc; before.pSp <== r.pSp; before.pGas <== r.pGas;
    before.pMsize <== r.pMsize;
    before.fetch <== 0x56 * b[10] + jumpi;
    component after = GiveState(1);
    after.alpha <== alpha; after.b <== b; after.act <== act; after.clk <== clk;
    after.pCtx <== r.pCtx; after.pCode <== r.pCode; after.pPc <== r.pPc; after.pSp <== r.pSp; after.pGas <== 0;
    after.pMsize <== r.pMsize;

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== destOld; first.now <== 16 * clk + 1;
    first.high <== destHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + dest.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== isJumpi; second.tOld <== cOld; second.now <== 16 * clk + 1;
    second.high <== cHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + condition.w;

    component out = Ask(WIDE());
    out.alpha <== alpha; out.b <== b; out.act <== isHigh + isBeyond; out.entry <== above + behind;
    component size = Ask(CTX());
    size.alpha <== alpha; size.b <== b; size.act <== isBeyond; size.entry <== r.pCtx + pLength + 0x38 * b[10];
    component there = Ask(CODE());
    there.alpha <== alpha; there.b <== b; there.act <== isOther;
    there.entry <== r.pCode + destPc + immediate.w + pClass + pN + pInstr;

    y <== before.y + after.y + first.y + second.y + out.y + size.y + there.y;
}
