// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What a contract can find out about the chain, other accounts and itself, and ways to fail that solc has no words for.
contract Facts {
    event Received(address indexed from, uint256 value);

    mapping(uint256 => uint256) public facts;
    uint256 private immutable secret;

    constructor(uint256 secret_) {
        secret = secret_;
    }

    receive() external payable {
        emit Received(msg.sender, msg.value);
    }

    function chain() external payable {
        facts[0] = uint256(blockhash(block.number - 1));
        facts[1] = uint256(blockhash(block.number)) + uint256(blockhash(block.number + 300)) + uint256(blockhash(type(uint256).max));
        facts[2] = block.basefee + block.chainid + block.prevrandao + block.gaslimit + block.blobbasefee;
        facts[3] = address(this).balance + msg.sender.balance + gasleft();
        facts[4] = uint256(uint160(address(block.coinbase))) + uint256(uint160(tx.origin)) + tx.gasprice + secret;
        facts[5] = msg.data.length + uint32(msg.sig);
    }

    /// An account with code, one without, one that does not exist.
    function other(address account) external {
        facts[10] = account.balance;
        facts[11] = account.code.length;
        facts[12] = uint256(account.codehash);
        bytes memory code = account.code;
        facts[13] = uint256(keccak256(code));
        assembly ("memory-safe") {
            let free := mload(0x40)
            extcodecopy(account, add(free, 5), 3, 70)
            codecopy(add(free, 80), sub(codesize(), 10), 40)
            calldatacopy(add(free, 120), sub(calldatasize(), 7), 50)
            sstore(add(facts.slot, 1), keccak256(add(free, 1), 170))
        }
    }

    function fail(uint256 how) external payable {
        facts[99] = how;
        if (how == 0) revert();
        if (how == 1) revert("a reason");
        if (how == 2) assert(false);
        assembly {
            switch how
            case 3 { invalid() }
            case 4 { mstore(shl(200, 1), 1) }
            case 5 { for {} 1 {} { sstore(gas(), 1) } }
            case 6 { revert(3, 300) }
            case 7 { return(0, 0) }
            case 8 { log4(0, 100, 1, 2, 3, 4) }
            case 9 { mcopy(33, 1, 100) mstore8(7, 255) log0(0, 133) }
            case 10 { return(shl(64, 1), 1) }
        }
    }
}
