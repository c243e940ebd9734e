// An exceptional halt for want of gas (Yellow Paper 9.4.2, Z) of an opcode that touches memory so far out that the growth of the
// memory alone costs more than the gas there is. No row of the opcode itself could make as many words.
//
// Takes STATE in mode RUN and gives STATE in mode UNDO with gas 0, everything else the same. What is left to do is that of a
// frame that failed: see revert and fail. The rest of stack and memory is sunk.
// The flags are boolean and so is their sum, act: so the class that CODE is asked for is one of twelve constants, and with it
// stands where offset and size are (1 is the top; n is that of CODE, the topics of LOG):
//     MLOAD, MSTORE: 1, 32 bytes     MSTORE8: 1, one byte            KECCAK256, RETURN, REVERT, LOG: 1 and 2
//     CALLDATACOPY, CODECOPY: 1 and 3        EXTCODECOPY: 2 and 4    MCOPY: 1 and 3 (isTo) or 2 and 3 (isFrom)
// Receives the offset and, unless it is a constant, the size from STACK: their halves are below 2^128 by whoever pushed them.
// A constant size is added to sizeHi and sizeLo, which are 0 then. The size isn't 0: z can be nothing but (sum of its halves
// = 0), and act*z = 0.
// The memory would have to grow to `words` at least. MEMGAS tells the costs of words and msize, so that both are below 2^20, and
//     cost1 - cost0 - gas - 1      is below 2^32: RANGE_16 twice, upper half `shortHigh`
// and words isn't more than the opcode needs. With end = offset + size and
//     s = offsetLo + sizeLo + 2^25*(offsetHi + sizeHi) <= end
//     s + 31 - 32*words - 2^128*over      is asked of WIDE, over is below 2^32: RANGE_16 twice, upper half `overHigh`
// so that 32*words <= end + 31, which is words <= ceil(end/32). s is below 2^155: nothing wraps. The step costs no less than
// that, as the cost grows with the words; and a frame with negative gas has run out anyway. (2^20 - 1 words cost 2^31 gas, and
// s >= 2^25 for any offset or size that has a high half: there are words for every memory that is too large.)
// Padding (act = 0): the flags are 0; nothing is sent, received or asked but ranges of what the columns hold.
pragma circom 2.2.0;

include "../bus.circom";
include "../gadgets.circom";

template Haltmemory() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh;
    signal input sizeHi, sizeLo, sizeOld, sizeHigh;
    signal input n, words, cost0, cost1, shortHigh, over, overHigh;
    signal input isMload, isMstore, isByte, isKeccak, isReturn, isRevert, isLog, isCalldata, isCode, isExternal, isTo, isFrom;
    signal output y;

    var third = isCalldata + isCode + isTo + isFrom;
    var sized = isKeccak + isReturn + isRevert + isLog + third + isExternal;
    var fixed = isMload + isMstore + isByte;
    var act = fixed + sized;
    component bits[13];
    for (var i = 0; i < 13; i++) bits[i] = Boolean();
    bits[0].bit <== isMload; bits[1].bit <== isMstore; bits[2].bit <== isByte; bits[3].bit <== isKeccak;
    bits[4].bit <== isReturn; bits[5].bit <== isRevert; bits[6].bit <== isLog; bits[7].bit <== isCalldata;
    bits[8].bit <== isCode; bits[9].bit <== isExternal; bits[10].bit <== isTo; bits[11].bit <== isFrom;
    bits[12].bit <== act;

    fixed * sizeHi === 0;
    fixed * sizeLo === 0;
    var size = sizeLo + 32 * (isMload + isMstore) + isByte;
    component empty = IsZero();
    empty.x <== sizeHi + size;
    act * empty.z === 0;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    component wo = Word();
    wo.b <== b; wo.hi <== offsetHi; wo.lo <== offsetLo;
    component ws = Word();
    ws.b <== b; ws.hi <== sizeHi; ws.lo <== sizeLo;
    signal class <== b[10] * (0x51 * isMload + 0x52 * isMstore + 0x53 * isByte + 0x20 * isKeccak + 0xf3 * isReturn
        + 0xfd * isRevert + 0xa0 * isLog + 0x37 * isCalldata + 0x39 * isCode + 0x3c * isExternal + 0x5e * (isTo + isFrom));
    signal pN <== b[11] * n;
    signal offsetBelow <== b[4] * (isExternal + isFrom);
    signal sizeBelow <== b[4] * (third + 2 * isExternal);
    signal pWords <== b[8] * words;
    signal pCost0 <== b[5] * cost0;
    signal pCost1 <== b[5] * cost1;

    component before = TakeState();
    before.alpha <== alpha; before.b <== b; before.act <== act; before.clk <== clk;
    before.pCtx <== r.pCtx; before.pCode <== r.pCode; before.pPc <== r.pPc; before.pSp <== r.pSp; before.pGas <== r.pGas;
    before.pMsize <== r.pMsize;
    before.fetch <== class + pN;
    component after = GiveState(1);
    after.alpha <== alpha; after.b <== b; after.act <== act; after.clk <== clk;
    after.pCtx <== r.pCtx; after.pCode <== r.pCode; after.pPc <== r.pPc; after.pSp <== r.pSp; after.pGas <== 0;
    after.pMsize <== r.pMsize;

    component offset = Take(STACK());
    offset.alpha <== alpha; offset.b <== b; offset.act <== act; offset.tOld <== offsetOld; offset.now <== 16 * clk + 1;
    offset.high <== offsetHigh;
    offset.cell <== r.pCtx + r.pSp - b[4] - offsetBelow + wo.w;
    component length = Take(STACK());
    length.alpha <== alpha; length.b <== b; length.act <== sized; length.tOld <== sizeOld; length.now <== 16 * clk + 1;
    length.high <== sizeHigh;
    length.cell <== r.pCtx + r.pSp - 2 * b[4] - sizeBelow + ws.w;

    component now = Ask(MEMGAS());
    now.alpha <== alpha; now.b <== b; now.act <== act; now.entry <== pCost0 + r.pMsize;
    component then = Ask(MEMGAS());
    then.alpha <== alpha; then.b <== b; then.act <== act; then.entry <== pCost1 + pWords;
    component short = InRange32();
    short.alpha <== alpha; short.b <== b; short.value <== cost1 - cost0 - gas - act; short.high <== shortHigh;

    component needed = Ask(WIDE());
    needed.alpha <== alpha; needed.b <== b; needed.act <== act;
    needed.entry <== offsetLo + size + 2 ** 25 * (offsetHi + sizeHi) + 31 - 32 * words - 2 ** 128 * over;
    component carry = InRange32();
    carry.alpha <== alpha; carry.b <== b; carry.value <== over; carry.high <== overHigh;

    y <== before.y + after.y + offset.y + length.y + now.y + then.y + short.y + needed.y + carry.y;
}
