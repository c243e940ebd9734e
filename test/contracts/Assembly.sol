// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "solady/src/tokens/ERC20.sol";
import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";
import {LibBit} from "solady/src/utils/LibBit.sol";
import {LibSort} from "solady/src/utils/LibSort.sol";
import {LibString} from "solady/src/utils/LibString.sol";

/// Solady's token and libraries: most of what is executed is handwritten assembly.
contract Assembly is ERC20 {
    mapping(uint256 => uint256) public results;
    string public text;

    constructor(address[] memory holders, uint256 amount) {
        for (uint256 i = 0; i < holders.length; i++) _mint(holders[i], amount);
    }

    function name() public pure override returns (string memory) {
        return "Assembled";
    }

    function symbol() public pure override returns (string memory) {
        return "ASM";
    }

    function wad(int256 x, uint256 y, uint256 z) external {
        results[0] = uint256(FixedPointMathLib.expWad(x));
        results[1] = uint256(FixedPointMathLib.lnWad(int256(y)));
        results[2] = FixedPointMathLib.mulWad(y, z);
        results[3] = uint256(FixedPointMathLib.sDivWad(x, int256(z)));
        results[4] = FixedPointMathLib.rpow(y, 3, 1e18);
    }

    function roots(uint256 x, uint256 y, uint256 d) external {
        results[0] = FixedPointMathLib.sqrt(x);
        results[1] = FixedPointMathLib.cbrt(x);
        results[2] = FixedPointMathLib.fullMulDiv(x, y, d);
        results[3] = FixedPointMathLib.log2(x) + LibBit.popCount(y) + LibBit.clz(d);
        results[4] = FixedPointMathLib.gcd(x, y);
        results[5] = uint256(LibBit.reverseBytes(d));
        results[6] = FixedPointMathLib.invMod(x, d);
        results[7] = FixedPointMathLib.factorial(20);
    }

    function sort(uint256[] memory values) external returns (uint256[] memory) {
        LibSort.sort(values);
        for (uint256 i = 0; i < values.length; i++) results[i] = values[i];
        LibSort.uniquifySorted(values);
        return values;
    }

    function write(uint256 number, address account, string calldata between) external {
        string memory s = LibString.concat(LibString.toString(number), between);
        s = LibString.concat(s, LibString.toHexStringChecksummed(account));
        s = LibString.replace(s, "0", "--");
        text = LibString.slice(LibString.upper(s), 1, 70);
    }
}
