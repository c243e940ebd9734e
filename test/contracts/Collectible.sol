// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// OpenZeppelin's ERC-721, minted by its owner.
contract Collectible is ERC721, Ownable {
    uint256 public next;

    constructor(address owner, address[] memory holders) ERC721("Collectible", "COL") Ownable(owner) {
        for (uint256 i = 0; i < holders.length; i++) _mint(holders[i], next++);
    }

    function mint(address to) external onlyOwner returns (uint256 id) {
        id = next++;
        _mint(to, id);
    }

    function burn(uint256 id) external {
        _update(address(0), id, _msgSender());
    }

    function _baseURI() internal pure override returns (string memory) {
        return "https://collectible.example/a/rather/long/path/to/the/metadata/";
    }
}
