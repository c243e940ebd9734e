pragma circom 2.1.0;

include "poseidon.circom";

// out = h_n with h_0 = start, h_(i+1) = Poseidon(h_i, key).
//
// Compiled with --O2 every hash is 240 constraints and no linear ones are left: the state of the partial rounds is
// substituted into the constraints, whose rows become long. Witness values are full-size field elements.
template PoseidonChain(n) {
    signal input start;
    signal input key;
    signal output out;

    component hash[n];
    for (var i = 0; i < n; i++) {
        hash[i] = Poseidon(2);
        hash[i].inputs[0] <== i == 0 ? start : hash[i - 1].out;
        hash[i].inputs[1] <== key;
    }
    out <== hash[n - 1].out;
}
