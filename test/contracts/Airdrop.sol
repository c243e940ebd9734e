// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

/// Whoever proves to be a leaf of the tree gets what the leaf says, once.
contract Airdrop {
    using BitMaps for BitMaps.BitMap;

    error NotInTree(bytes32 leaf);

    event Claimed(uint256 indexed index, address indexed account, uint256 amount);

    bytes32 public immutable root;
    mapping(address => uint256) public balanceOf;
    BitMaps.BitMap private claimed;

    constructor(bytes32 root_) {
        root = root_;
    }

    function leafOf(uint256 index, address account, uint256 amount) public pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(index, account, amount))));
    }

    function claim(uint256 index, uint256 amount, bytes32[] calldata proof) external {
        require(!claimed.get(index), "Airdrop: claimed before");
        bytes32 leaf = leafOf(index, msg.sender, amount);
        if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert NotInTree(leaf);
        _pay(index, msg.sender, amount);
    }

    /// Several leaves at once, with the proof that all of them need together.
    function claimMany(
        uint256[] memory indices,
        address[] memory accounts,
        uint256[] memory amounts,
        bytes32[] memory proof,
        bool[] memory flags
    ) external {
        bytes32[] memory leaves = new bytes32[](indices.length);
        for (uint256 i = 0; i < leaves.length; i++) {
            require(!claimed.get(indices[i]), "Airdrop: claimed before");
            leaves[i] = leafOf(indices[i], accounts[i], amounts[i]);
        }
        if (!MerkleProof.multiProofVerify(proof, flags, root, leaves)) revert NotInTree(leaves[0]);
        for (uint256 i = 0; i < leaves.length; i++) _pay(indices[i], accounts[i], amounts[i]);
    }

    function _pay(uint256 index, address account, uint256 amount) private {
        claimed.set(index);
        balanceOf[account] += amount;
        emit Claimed(index, account, amount);
    }
}
