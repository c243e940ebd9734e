pragma circom 2.1.0;

include "sha256/sha256.circom";

// out = SHA-256 of 512·nBlocks - 65 bits, which is padded to nBlocks blocks. About 30,000 constraints a block; nearly
// every witness value is 0 or 1.
template Sha256Blocks(nBlocks) {
    var nBits = 512 * nBlocks - 65;
    signal input in[nBits];
    signal output out[256];

    for (var i = 0; i < nBits; i++) in[i] * (in[i] - 1) === 0;
    component sha256 = Sha256(nBits);
    sha256.in <== in;
    out <== sha256.out;
}
