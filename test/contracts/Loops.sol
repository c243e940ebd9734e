// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Work in memory and on the stack: many steps for little gas.
contract Loops {
    uint256 public result;

    /// Number of primes below n, by Eratosthenes.
    function sieve(uint256 n) external returns (uint256 count) {
        bool[] memory crossed = new bool[](n);
        for (uint256 i = 2; i < n; i++) {
            if (crossed[i]) continue;
            count++;
            for (uint256 j = i * i; j < n; j += i) crossed[j] = true;
        }
        result = count;
    }

    /// Sum of so many rounds of arithmetic of every kind.
    function mix(uint256 rounds, uint256 seed) external returns (uint256 x) {
        x = seed;
        unchecked {
            for (uint256 i = 0; i < rounds; i++) {
                uint256 y = mulmod(x, x, type(uint256).max - 188) ^ (i * 0x9e3779b97f4a7c15);
                int256 z = int256(y) / (int256(i) - 5 == 0 ? int256(3) : int256(i) - 5);
                x = addmod(y, uint256(z % 1000003), type(uint256).max - 188) + (y >> (i & 255)) + (x << 1);
                x ^= uint256(int256(int8(uint8(i * 37)))) + uint256(z >> 3) + x / (i + 1) + 3 ** (i & 7);
            }
        }
        result = x;
    }

    /// The n-th row of a matrix of small numbers, to the power of e.
    function matrix(uint256 n, uint256 e) external returns (uint256 trace) {
        uint256[][] memory m = new uint256[][](n);
        uint256[][] memory power = new uint256[][](n);
        for (uint256 i = 0; i < n; i++) {
            (m[i], power[i]) = (new uint256[](n), new uint256[](n));
            power[i][i] = 1;
            for (uint256 j = 0; j < n; j++) m[i][j] = (i * 7 + j * 3) % 10;
        }
        for (; e > 0; e--) power = _multiply(power, m, n);
        for (uint256 i = 0; i < n; i++) trace += power[i][i];
        result = trace;
    }

    function _multiply(uint256[][] memory a, uint256[][] memory b, uint256 n)
        private
        pure
        returns (uint256[][] memory c)
    {
        c = new uint256[][](n);
        for (uint256 i = 0; i < n; i++) {
            c[i] = new uint256[](n);
            for (uint256 j = 0; j < n; j++) {
                for (uint256 k = 0; k < n; k++) c[i][j] += a[i][k] * b[k][j];
            }
        }
    }

    function divide(uint256 a, uint256 b) external returns (uint256) {
        return result = a / b;
    }

    function at(uint256[3] calldata values, uint256 i) external returns (uint256) {
        return result = values[i];
    }
}
