// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

/// Strings and bytes: made, cut, joined, compared, hashed, stored and logged.
contract Text {
    using Strings for *;

    error NotFound(string text, bytes1 letter);

    event Said(address indexed by, string indexed topic, string text, bytes raw);

    string public stored;
    mapping(bytes32 => bytes) public notes;

    constructor(string memory text) {
        stored = text;
    }

    function numbers(uint256 a, int256 b, address c) external pure returns (string memory) {
        return string.concat(a.toString(), " ", b.toStringSigned(), " ", a.toHexString(), " ", c.toChecksumHexString());
    }

    function join(string[] calldata parts, string calldata between) external returns (string memory text) {
        for (uint256 i = 0; i < parts.length; i++) text = string.concat(text, i == 0 ? "" : between, parts[i]);
        stored = text;
    }

    function slice(bytes calldata text, uint256 from, uint256 to) external returns (bytes memory) {
        bytes calldata part = text[from:to];
        notes[keccak256(part)] = part;
        return part;
    }

    function reverse() external {
        bytes memory text = bytes(stored);
        bytes memory turned = new bytes(text.length);
        for (uint256 i = 0; i < text.length; i++) turned[text.length - 1 - i] = text[i];
        stored = string(turned);
    }

    function upper(string memory text) external pure returns (string memory) {
        bytes memory letters = bytes(text);
        for (uint256 i = 0; i < letters.length; i++) {
            if (letters[i] >= "a" && letters[i] <= "z") letters[i] = bytes1(uint8(letters[i]) - 32);
        }
        return string(letters);
    }

    function find(string calldata text, bytes1 letter) external pure returns (uint256) {
        for (uint256 i = 0; i < bytes(text).length; i++) if (bytes(text)[i] == letter) return i;
        revert NotFound(text, letter);
    }

    function say(string calldata topic, string calldata text, uint64 a, bytes3 b, bool c) external {
        require(!text.equal(stored), string.concat("Text: said before: ", text));
        emit Said(msg.sender, topic, text, abi.encodePacked(a, b, c, topic, uint16(0x1234), msg.sender));
        stored = text;
    }

    function encode(bytes calldata data) external pure returns (string memory, uint256) {
        return (Base64.encode(data), string(Base64.encode(data)).equal("aGk=") ? 1 : 0);
    }

    function parse(string calldata number) external pure returns (uint256) {
        return number.parseUint();
    }
}
