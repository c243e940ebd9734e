pragma circom 2.1.0;

// x -> x² + i for i from 0 to n - 1.
template Squares(n) {
    signal input in;
    signal output out;

    signal x[n + 1];
    x[0] <== in;
    for (var i = 0; i < n; i++) x[i + 1] <== x[i] * x[i] + i;
    out <== x[n];
}

// nSegments times Squares(n): n·nSegments constraints of two or three terms. In segments because circom is slow on long
// templates. Witness values are full-size field elements.
template SquareChain(n, nSegments) {
    signal input in;
    signal output out;

    component segment[nSegments];
    for (var i = 0; i < nSegments; i++) {
        segment[i] = Squares(n);
        segment[i].in <== i == 0 ? in : segment[i - 1].out;
    }
    out <== segment[nSegments - 1].out;
}
