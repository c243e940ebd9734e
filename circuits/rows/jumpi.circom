// JUMPI (Yellow Paper H.2): pops the destination, then the condition; goes to the destination if the condition is not 0.
//
// Takes and gives STATE: pc = dest or pc + 1, sp - 2, gas - 10. Asks CODE for class 0x57 at pc, and at dest for class 0x5b
// (JUMPDEST) with isInstr = 1, if the jump is taken. Receives STACK(ctx, sp - 1) = dest and STACK(ctx, sp - 2) = condition.
// taken = act*(1 - z), and z can be nothing but (cHi + cLo = 0): both halves are below 2^128 by whoever pushed them, so that
// their sum is 0 only where both are. taken is boolean because act and z are.
// taken*destHi = 0: a destination from 2^128 up can't be taken. The provider of CODE has an entry of class 0x5b with
// isInstr = 1 only where a jump may go. A jump that is not taken may have any destination, as in the EVM.
// The halves of dest are those of the item received, the next pc is pc + 1 + taken*(dest - pc - 1).
// Padding (act = 0): taken = 0, nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Jumpi() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input destHi, destLo, destOld, destHigh;
    signal input cHi, cLo, cOld, cHigh;
    signal input act;
    signal output y;

    component active = Boolean();
    active.bit <== act;

    component zero = IsZero();
    zero.x <== cHi + cLo;
    signal taken <== act * (1 - zero.z);
    taken * destHi === 0;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component dest = Word();
    dest.b <== b; dest.hi <== destHi; dest.lo <== destLo;
    component condition = Word();
    condition.b <== b; condition.hi <== cHi; condition.lo <== cLo;
    signal destPc <== b[3] * destLo;
    signal jump <== taken * (destPc - r.pPc - b[3]);

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3] + jump;
    step.nextSp <== r.pSp - 2 * b[4];
    step.nextGas <== r.pGas - 10 * b[5];
    step.nextMsize <== r.pMsize;
    step.fetch <== 0x57 * b[10];

    component first = Take(STACK());
    first.alpha <== alpha; first.b <== b; first.act <== act; first.tOld <== destOld; first.now <== 16 * clk + 1;
    first.high <== destHigh;
    first.cell <== r.pCtx + r.pSp - b[4] + dest.w;
    component second = Take(STACK());
    second.alpha <== alpha; second.b <== b; second.act <== act; second.tOld <== cOld; second.now <== 16 * clk + 1;
    second.high <== cHigh;
    second.cell <== r.pCtx + r.pSp - 2 * b[4] + condition.w;
    component there = Ask(CODE());
    there.alpha <== alpha; there.b <== b; there.act <== taken;
    there.entry <== r.pCode + destPc + 0x5b * b[10] + b[12];

    y <== step.y + first.y + second.y + there.y;
}
