pragma circom 2.1.9;

/*
 * The bundled example: knowledge of a preimage. The prover shows that it knows `secret` with hash = F(salt, secret), where
 * F runs nRounds rounds of x -> (x + salt + i)^7 over the scalar field of BN254 (x^7 permutes it: gcd(7, r - 1) = 1).
 * It is an example of a circuit of a few thousand constraints, not a hash function to be used.
 */
template Round(i) {
    signal input x;
    signal input salt;
    signal output out;

    signal t <== x + salt + i;
    signal t2 <== t * t;
    signal t4 <== t2 * t2;
    signal t6 <== t4 * t2;
    out <== t6 * t;
}

template Preimage(nRounds) {
    signal input salt;
    signal input secret;
    signal output hash;

    component rounds[nRounds];
    for (var i = 0; i < nRounds; i++) {
        rounds[i] = Round(i);
        rounds[i].salt <== salt;
        if (i == 0) {
            rounds[i].x <== secret;
        } else {
            rounds[i].x <== rounds[i - 1].out;
        }
    }
    hash <== rounds[nRounds - 1].out + salt;
}

component main { public [salt] } = Preimage(2000);
