// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// Rewards by accumulated reward per share: what a second brings is spread over all stakes at once.
contract Staking is Ownable, Pausable {
    error NotStaked(uint256 staked, uint256 asked);

    event Staked(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event Paid(address indexed account, uint256 reward);
    event RateChanged(uint256 before, uint256 rate);

    struct Stake {
        uint128 amount;
        uint64 since;
        bool locked;
        uint256 debt;
        int256 correction;
    }

    uint256 private constant PRECISION = 1e18;
    uint256 public immutable end;

    uint256 public rate;
    uint256 public perShare;
    uint256 public total;
    uint64 public updated;
    mapping(address => Stake) public stakes;
    mapping(address => uint256) public rewards;

    constructor(address owner, uint256 rate_, uint256 end_, address[] memory stakers, uint128 amount) Ownable(owner) {
        (rate, end, updated) = (rate_, end_, uint64(block.timestamp));
        for (uint256 i = 0; i < stakers.length; i++) {
            stakes[stakers[i]] = Stake(amount, uint64(block.timestamp), false, 0, 0);
            total += amount;
        }
    }

    modifier settled() {
        uint64 time = uint64(block.timestamp < end ? block.timestamp : end);
        if (total > 0 && time > updated) perShare += (rate * (time - updated) * PRECISION) / total;
        updated = time;
        Stake storage s = stakes[msg.sender];
        uint256 earned = (s.amount * perShare) / PRECISION - s.debt;
        if (earned > 0) rewards[msg.sender] += earned;
        _;
        s.debt = (s.amount * perShare) / PRECISION;
    }

    function stake(uint128 amount) external whenNotPaused settled {
        require(amount > 0, "Staking: zero");
        Stake storage s = stakes[msg.sender];
        s.amount += amount;
        s.since = uint64(block.timestamp);
        s.correction -= int256(uint256(amount)) / 7;
        total += amount;
        emit Staked(msg.sender, amount);
    }

    function withdraw(uint128 amount) external settled {
        Stake storage s = stakes[msg.sender];
        if (s.amount < amount) revert NotStaked(s.amount, amount);
        s.amount -= amount;
        s.correction += int256(uint256(amount)) / 3;
        total -= amount;
        emit Withdrawn(msg.sender, amount);
    }

    function claim() external settled returns (uint256 reward) {
        reward = rewards[msg.sender];
        require(reward > 0, "Staking: no reward");
        delete rewards[msg.sender];
        emit Paid(msg.sender, reward);
    }

    function setRate(uint256 rate_) external onlyOwner settled {
        emit RateChanged(rate, rate_);
        rate = rate_;
    }

    function pause() external onlyOwner {
        _pause();
    }
}
