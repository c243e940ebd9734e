// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// An ERC-20 token as most are: OpenZeppelin's, nothing added.
contract Token is ERC20 {
    constructor(address[] memory holders, uint256 amount) ERC20("Chunk Token", "CHK") {
        for (uint256 i = 0; i < holders.length; i++) _mint(holders[i], amount);
    }
}
