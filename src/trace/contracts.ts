/**
 * Contracts of the built-in scenarios, in the language of `assembler.ts`. Comments show the stack, its top on the right.
 *
 * @module
 */

/** Returns the n-th Fibonacci number modulo 2^256 (0, 1, 1, 2, ...); n is calldata's word 0. 15 steps a round. */
export const FIBONACCI = `
  0 1                          ; a b
  0 CALLDATALOAD               ; a b n
loop:
  DUP1 ISZERO @done JUMPI      ; a b n
  SWAP2                        ; n b a
  DUP2 ADD                     ; n b a+b
  SWAP1 SWAP2                  ; b a+b n
  1 SWAP1 SUB                  ; b a+b n-1
  @loop JUMP
done:
  POP POP                      ; a
  0 MSTORE
  32 0 RETURN
`;

/**
 * Sorts words in memory, by bubbles: calldata's word 0 is their number, the following words are they. Returns them
 * ascending, and keeps the smallest in slot 0.
 */
export const SORT = `
  0 CALLDATALOAD               ; n
  DUP1 ADD DUP1 ADD DUP1 ADD DUP1 ADD DUP1 ADD   ; e = 32 n, where the unsorted part ends
  0                            ; e i
copy:
  DUP2 DUP2 LT ISZERO @copied JUMPI
  DUP1 32 ADD                  ; e i i+32
  DUP1 CALLDATALOAD            ; e i i+32 v
  DUP3 MSTORE                  ; e i i+32
  SWAP1 POP                    ; e i+32
  @copy JUMP
copied:
  POP                          ; e
outer:
  DUP1 33 GT @sorted JUMPI     ; one word or none left
  0                            ; e j
inner:
  DUP1 32 ADD                  ; e j k
  DUP3 DUP2 LT ISZERO @bubbled JUMPI
  DUP2 MLOAD DUP2 MLOAD        ; e j k x y
  DUP2 DUP2 LT ISZERO @keep JUMPI
  DUP4 MSTORE                  ; e j k x
  DUP2 MSTORE                  ; e j k
  SWAP1 POP @inner JUMP
keep:
  POP POP SWAP1 POP @inner JUMP
bubbled:
  POP POP                      ; e
  32 SWAP1 SUB @outer JUMP
sorted:
  0 MLOAD 0 SSTORE
  MSIZE 0 RETURN
`;

/** Counts in slot 0, and for each caller in the slot that is its address. */
export const COUNTER = `
  0 SLOAD 1 ADD 0 SSTORE
  CALLER SLOAD 1 ADD CALLER SSTORE
  STOP
`;

/** Writes the value it is sent to slot 0 and the block's number to slot 1; then reverts if calldata's word 0 is not 0. */
export const REVERTER = `
  CALLVALUE 0 SSTORE
  NUMBER 1 SSTORE
  0 CALLDATALOAD @fail JUMPI
  STOP
fail:
  0xdeadbeef 0 MSTORE
  32 0 REVERT
`;
