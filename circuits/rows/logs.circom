// LOG0 to LOG4 (Yellow Paper H.2): pops offset, size and 0 to 4 topics, and logs these bytes of memory. (`log` is a word
// of circom's own.)
//
// Takes and gives STATE: pc + 1, sp - 2 - topics, msize' = words = max(msize, reach), gas - 375 - 375*topics - 8*size -
// (what the growth costs). Asks CODE for class 0xa0, n = topics: of the flags isLog0 to isLog4 one is 1, or none in
// padding; they add up to act. Receives STACK(ctx, sp - 1) = offset, STACK(ctx, sp - 2) = size, and from sp - 3 on as
// many topics as there are; the others are 0. Growth: Expansion in memory.circom (EXPAND at port 0, MEMGAS twice); words
// >= reach because read rows take the words up to there.
// The bytes: a chain READ of kind 3, see Reading, whose rows send them as LOGDATA(t, i), t = 16*clk. Asks CTX for the
// transaction T and for the account. Receives LOGS(T; n) and sends LOGS(T; n + 1): n is the log's number. Sends LOG(T, n;
// account, topics, size) at t = 16*clk + 2, for the verifier unless it is undone; and for that receives JRN(T; j), sends
// JRN(T; j + 1) and JOURNAL(T, j, space 5; n, when LOG was sent).
// Topics, offset, size are bounded by whoever pushed them, T and account by the provider of CTX. size < 2^25 because the
// words of memory up to reach are there.
// Padding (act = 0): nothing is sent or received, ranges are asked of what the columns hold.
pragma circom 2.2.0;

include "../memory.circom";
include "../journal.circom";
include "../log.circom";

template Logs() {
    signal input alpha;
    signal input b[17];
    signal input clk, ctx, code, pc, sp, gas, msize;
    signal input offsetHi, offsetLo, offsetOld, offsetHigh, size, sizeOld, sizeHigh;
    signal input topic1Hi, topic1Lo, topic1Old, topic1High, topic2Hi, topic2Lo, topic2Old, topic2High;
    signal input topic3Hi, topic3Lo, topic3Old, topic3High, topic4Hi, topic4Lo, topic4Old, topic4High;
    signal input reach, words, cost0, cost1;
    signal input first, count;
    signal input T, addressHi, addressLo, n, nOld, nHigh, j, jOld, jHigh;
    signal input isLog0, isLog1, isLog2, isLog3, isLog4;
    signal output y;

    signal act <== isLog0 + isLog1 + isLog2 + isLog3 + isLog4;
    signal topics <== isLog1 + 2 * isLog2 + 3 * isLog3 + 4 * isLog4;
    component flags[6];
    for (var f = 0; f < 6; f++) flags[f] = Boolean();
    flags[0].bit <== isLog0; flags[1].bit <== isLog1; flags[2].bit <== isLog2; flags[3].bit <== isLog3;
    flags[4].bit <== isLog4;
    flags[5].bit <== act;

    component r = Registers();
    r.b <== b; r.ctx <== ctx; r.code <== code; r.pc <== pc; r.sp <== sp; r.gas <== gas; r.msize <== msize;
    signal pLength <== b[5] * size;
    signal pTopicGas <== b[5] * topics;
    signal pPopped <== b[4] * topics;
    signal pTopics <== b[3] * topics;
    signal pFetched <== b[11] * topics;

    component popped = Operands();
    popped.alpha <== alpha; popped.b <== b; popped.act <== act; popped.clk <== clk;
    popped.pCtx <== r.pCtx; popped.pSp <== r.pSp;
    popped.offsetHi <== offsetHi; popped.offsetLo <== offsetLo; popped.offsetOld <== offsetOld;
    popped.offsetHigh <== offsetHigh;
    popped.size <== size; popped.sizeOld <== sizeOld; popped.sizeHigh <== sizeHigh;
    component topic1 = Topic(3);
    topic1.alpha <== alpha; topic1.b <== b; topic1.there <== act - isLog0; topic1.clk <== clk;
    topic1.pCtx <== r.pCtx; topic1.pSp <== r.pSp;
    topic1.hi <== topic1Hi; topic1.lo <== topic1Lo; topic1.tOld <== topic1Old; topic1.high <== topic1High;
    component topic2 = Topic(4);
    topic2.alpha <== alpha; topic2.b <== b; topic2.there <== isLog2 + isLog3 + isLog4; topic2.clk <== clk;
    topic2.pCtx <== r.pCtx; topic2.pSp <== r.pSp;
    topic2.hi <== topic2Hi; topic2.lo <== topic2Lo; topic2.tOld <== topic2Old; topic2.high <== topic2High;
    component topic3 = Topic(5);
    topic3.alpha <== alpha; topic3.b <== b; topic3.there <== isLog3 + isLog4; topic3.clk <== clk;
    topic3.pCtx <== r.pCtx; topic3.pSp <== r.pSp;
    topic3.hi <== topic3Hi; topic3.lo <== topic3Lo; topic3.tOld <== topic3Old; topic3.high <== topic3High;
    component topic4 = Topic(6);
    topic4.alpha <== alpha; topic4.b <== b; topic4.there <== isLog4; topic4.clk <== clk;
    topic4.pCtx <== r.pCtx; topic4.pSp <== r.pSp;
    topic4.hi <== topic4Hi; topic4.lo <== topic4Lo; topic4.tOld <== topic4Old; topic4.high <== topic4High;

    component empty = IsZero();
    empty.x <== size;
    component span = Span();
    span.alpha <== alpha; span.b <== b; span.some <== 1 - empty.z;
    span.offsetHi <== offsetHi; span.offsetLo <== offsetLo; span.size <== size; span.reach <== reach;
    component memory = Expansion();
    memory.alpha <== alpha; memory.b <== b; memory.act <== act; memory.clk <== clk;
    memory.pCtx <== r.pCtx; memory.pMsize <== r.pMsize;
    memory.msize <== msize; memory.reach <== reach; memory.words <== words; memory.cost0 <== cost0;
    memory.cost1 <== cost1;
    component bytes = Reading(3);
    bytes.alpha <== alpha; bytes.b <== b; bytes.act <== act; bytes.clk <== clk; bytes.pCtx <== r.pCtx;
    bytes.start <== span.start; bytes.size <== size; bytes.reach <== reach; bytes.first <== first; bytes.n <== count;

    component step = Step();
    step.alpha <== alpha; step.b <== b; step.act <== act; step.clk <== clk;
    step.pCtx <== r.pCtx; step.pCode <== r.pCode; step.pPc <== r.pPc; step.pSp <== r.pSp; step.pGas <== r.pGas;
    step.pMsize <== r.pMsize;
    step.nextPc <== r.pPc + b[3];
    step.nextSp <== r.pSp - 2 * b[4] - pPopped;
    step.nextGas <== r.pGas - 375 * b[5] - 375 * pTopicGas - 8 * pLength - memory.pCost;
    step.nextMsize <== memory.pWords;
    step.fetch <== 0xa0 * b[10] + pFetched;

    component transaction = TransactionOf();
    transaction.alpha <== alpha; transaction.b <== b; transaction.act <== act; transaction.pCtx <== r.pCtx;
    transaction.T <== T;
    component account = AccountOf();
    account.alpha <== alpha; account.b <== b; account.act <== act; account.pCtx <== r.pCtx;
    account.hi <== addressHi; account.lo <== addressLo;

    signal pNumber <== b[4] * n;
    component number = Renew(LOGS());
    number.alpha <== alpha; number.b <== b; number.act <== act; number.clk <== clk; number.tOld <== nOld;
    number.high <== nHigh;
    number.before <== transaction.pT + pNumber;
    number.after <== transaction.pT + pNumber + b[4];
    signal pTopic2 <== b[2] * topic2.pTopic;
    signal pTopic3 <== b[5] * topic3.pTopic;
    signal pTopic4 <== b[7] * topic4.pTopic;
    component head = Give(LOG());
    head.alpha <== alpha; head.b <== b; head.act <== act; head.now <== 16 * clk + 2;
    head.cell <== transaction.pT + pTopics + pNumber + pLength + topic1.pTopic + pTopic2 + account.pAddress + pTopic3
        + pTopic4;

    signal pJ <== b[4] * j;
    component counter = Renew(JRN());
    counter.alpha <== alpha; counter.b <== b; counter.act <== act; counter.clk <== clk;
    counter.tOld <== jOld; counter.high <== jHigh;
    counter.before <== transaction.pT + pJ;
    counter.after <== transaction.pT + pJ + b[4];
    signal pLog <== b[11] * n;
    signal pWhen <== b[12] * (16 * clk + 2);
    component entry = Give(JOURNAL());
    entry.alpha <== alpha; entry.b <== b; entry.act <== act; entry.now <== 16 * clk + 2;
    entry.cell <== transaction.pT + pJ + SPACE_LOG() * b[8] + pLog + pWhen;

    y <== popped.y + topic1.y + topic2.y + topic3.y + topic4.y + span.y + memory.y + bytes.y + step.y + transaction.y
        + account.y + number.y + head.y + counter.y + entry.y;
}
