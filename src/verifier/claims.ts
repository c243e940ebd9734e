/**
 * What a block proof claims beside its chunks: the live cells that the verifier's own rows (BEGIN and END of each
 * transaction) take, what every execution had hashed and logged and how it ended, the touched cells with their final
 * contents, and how often each entry of a lookup table was asked for. Everything is canonical, and goes onto the bus and
 * into the transcript verbatim; whether it is true is what the bus decides.
 *
 * Numbers: addresses < 2^160, words < 2^256, t < 2^32, clk and transaction numbers < 2^28, multiplicities < 2^32. Lists are
 * strictly ascending in their key.
 *
 * @module
 */

/** Live cell BALANCE of an account that the context names. */
export interface BalanceClaim {
  readonly balance: bigint;
  /** When it was written. */
  readonly t: bigint;
}

/** Live cell NONCE. */
export interface NonceClaim {
  readonly nonce: bigint;
  /** Transaction that created the account, 0: none in this block. */
  readonly createdTx: bigint;
  readonly t: bigint;
}

/** Live cell ACCOUNT: code hash and warmth. */
export interface AccountClaim {
  readonly codeHash: bigint;
  /** Transaction that touched it last, 0: none. */
  readonly lastTx: bigint;
  readonly t: bigint;
}

/** Live cell STORAGE. */
export interface SlotClaim {
  readonly value: bigint;
  /** Value at the start of transaction `lastTx`. */
  readonly original: bigint;
  readonly lastTx: bigint;
  readonly t: bigint;
}

/** Live cell TRANSIENT. */
export interface TransientClaim {
  readonly value: bigint;
  /** Transaction that touched it last, 0: none. In every other one the value is 0. */
  readonly lastTx: bigint;
  readonly t: bigint;
}

/** Bytes that a KECCAK256 row had hashed. The hash is computed by the verifier, never claimed. */
export interface KeccakClaim {
  /** Of the row. */
  readonly clk: bigint;
  readonly data: Uint8Array;
}

/** A log that no failure undid. */
export interface LogClaim {
  /** clk of the LOG row: LOG has t = 16·clk + 2, its LOGDATA t = 16·clk. */
  readonly clk: bigint;
  readonly address: bigint;
  /** At most 4 words. */
  readonly topics: readonly bigint[];
  readonly data: Uint8Array;
}

/** What an execution had hashed, and what it left behind. */
export interface EndClaim {
  /** clk of the row that sent TXEND. */
  readonly clk: bigint;
  /** 1: success, 0: reverted or halted, and then without logs. */
  readonly status: bigint;
  /** Gas left before refunds. */
  readonly gas: bigint;
  /** Number of journal entries, and when it was written. */
  readonly journal: { readonly j: bigint; readonly t: bigint };
  readonly refund: { readonly value: bigint; readonly t: bigint };
  /** When the number of logs was written; the logs themselves, strictly ascending by clk. The number is theirs. */
  readonly logs: { readonly t: bigint; readonly entries: readonly LogClaim[] };
  /** Strictly ascending by clk. */
  readonly keccaks: readonly KeccakClaim[];
}

/** Live cells that BEGIN and END of one transaction take, in the order of their ports. */
export interface TransactionClaims {
  /** Before gas is bought (BEGIN, port 0). */
  readonly senderBalance: BalanceClaim;
  readonly senderNonce: NonceClaim;
  /**
   * Warmed accounts in ascending order of address (port 1): sender, recipient, coinbase, access list, and the precompiles
   * that are among the block's account cells (EIP-2929), each once.
   */
  readonly accounts: readonly AccountClaim[];
  /** Warmed slots of the access list in ascending order of (address, slot), each once (port 1). */
  readonly slots: readonly SlotClaim[];
  /** Recipient before the transfer (port 3); undefined where it is the sender, whose cell port 2 gave. */
  readonly recipientBalance: BalanceClaim | undefined;
  /** undefined: no code at the recipient, no rows. */
  readonly end: EndClaim | undefined;
  /** Before the unused gas is given back (END, port 1). */
  readonly endSenderBalance: BalanceClaim;
  /** Before the coinbase is paid (port 2); undefined where it is the sender, whose cell port 1 gave. */
  readonly coinbaseBalance: BalanceClaim | undefined;
}

/** Touched cells with their final contents; the initial ones come from the verifier's own state. */
export interface CellClaims {
  readonly balances: readonly ({ readonly address: bigint } & BalanceClaim)[];
  readonly nonces: readonly ({ readonly address: bigint } & NonceClaim)[];
  readonly accounts: readonly ({ readonly address: bigint } & AccountClaim)[];
  readonly slots: readonly ({ readonly address: bigint; readonly slot: bigint } & SlotClaim)[];
  /** No part of any state: they begin with value 0, and what they end with is forgotten. */
  readonly transients: readonly ({ readonly address: bigint; readonly slot: bigint } & TransientClaim)[];
}

/** Entries of lookup tables that were asked for, with their multiplicities, none of them 0. */
export interface LookupClaims {
  /**
   * Byte `pc` of code `code`: its position in the list of the block's codes, which ascends by hash and holds those of
   * recipients and those that `codeid` asks for.
   */
  readonly code: readonly { readonly code: bigint; readonly pc: bigint; readonly multiplicity: bigint }[];
  readonly ctx: readonly { readonly ctx: bigint; readonly field: bigint; readonly multiplicity: bigint }[];
  readonly txenv: readonly { readonly T: bigint; readonly field: bigint; readonly multiplicity: bigint }[];
  readonly env: readonly { readonly field: bigint; readonly multiplicity: bigint }[];
  /** By width in bits: 4, 5, 8, 9, 10, 16. */
  readonly range: readonly { readonly bits: bigint; readonly value: bigint; readonly multiplicity: bigint }[];
  /** 32 bytes of a root frame's calldata from an offset inside it. */
  readonly calldata: readonly { readonly ctx: bigint; readonly offset: bigint; readonly multiplicity: bigint }[];
  /** 32 bytes of code `code`, as in `code`, from an offset inside it. */
  readonly codeword: readonly { readonly code: bigint; readonly offset: bigint; readonly multiplicity: bigint }[];
  /** Code by hash: that of an account among the cells, or the hash of no code. */
  readonly codeid: readonly { readonly hash: bigint; readonly multiplicity: bigint }[];
  /** 2^s. */
  readonly pow2: readonly { readonly s: bigint; readonly multiplicity: bigint }[];
  /** The bits that two bytes have in common. */
  readonly and: readonly { readonly a: bigint; readonly b: bigint; readonly multiplicity: bigint }[];
  /** Hash of block n, one of the 256 before. */
  readonly blockhash: readonly { readonly n: bigint; readonly multiplicity: bigint }[];
  /** What an opcode asks of the stack, by its class and n. */
  readonly opcode: readonly { readonly class: bigint; readonly n: bigint; readonly multiplicity: bigint }[];
}

/** Everything that is claimed. */
export interface BlockClaims {
  /** Commitment of the state the block starts from, 32 bytes: for an Ethereum state its root. */
  readonly preState: Uint8Array;
  /** One for each transaction. */
  readonly transactions: readonly TransactionClaims[];
  readonly cells: CellClaims;
  readonly lookups: LookupClaims;
}
