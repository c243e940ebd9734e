// The only gadgets with an existential witness (docs/protocol.md, section 8, rule 3). `inv` is not committed: it does not
// influence anything, because z is determined by x alone.
pragma circom 2.2.0;

// z = 1 if x = 0, else 0. x*inv = 1 - z makes z = 1 where x = 0; x*z = 0 makes z = 0 elsewhere.
template IsZero() {
    signal input x;
    signal output z;
    signal inv;
    inv <-- x != 0 ? 1 / x : 0;
    z <== 1 - x * inv;
    x * z === 0;
}

// bit*(bit - 1) = 0.
template Boolean() {
    signal input bit;
    bit * (bit - 1) === 0;
}
