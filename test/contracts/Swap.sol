// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// A constant-product exchange of two assets whose balances it keeps itself, so that it calls nobody.
contract Swap is ReentrancyGuardTransient {
    error Expired(uint256 deadline, uint256 time);
    error InsufficientBalance(address account, bool second, uint256 balance, uint256 needed);

    event Swapped(address indexed account, bool indexed secondForFirst, uint256 amountIn, uint256 amountOut);
    event LiquidityAdded(address indexed account, uint256 amount0, uint256 amount1, uint256 shares);
    event LiquidityRemoved(address indexed account, uint256 amount0, uint256 amount1, uint256 shares);

    uint256 private constant FEE = 3;
    uint256 private constant FEE_BASE = 1000;

    uint112 public reserve0;
    uint112 public reserve1;
    uint32 public updated;
    uint256 public price0Cumulative;
    uint256 public totalShares;
    mapping(address => uint256) public shares;
    mapping(bool => mapping(address => uint256)) public balances;

    constructor(address[] memory traders, uint256 amount, uint112 r0, uint112 r1) {
        for (uint256 i = 0; i < traders.length; i++) {
            balances[false][traders[i]] = amount;
            balances[true][traders[i]] = amount;
        }
        (reserve0, reserve1, updated) = (r0, r1, uint32(block.timestamp));
        totalShares = Math.sqrt(uint256(r0) * r1);
        shares[traders[0]] = totalShares;
    }

    modifier before(uint256 deadline) {
        if (block.timestamp > deadline) revert Expired(deadline, block.timestamp);
        _;
    }

    function quote(bool secondForFirst, uint256 amountIn) public view returns (uint256) {
        (uint256 rIn, uint256 rOut) = secondForFirst ? (reserve1, reserve0) : (reserve0, reserve1);
        uint256 paid = amountIn * (FEE_BASE - FEE);
        return (paid * rOut) / (rIn * FEE_BASE + paid);
    }

    function swap(bool secondForFirst, uint256 amountIn, uint256 minOut, uint256 deadline)
        external
        nonReentrant
        before(deadline)
        returns (uint256 amountOut)
    {
        require(amountIn > 0, "Swap: nothing to swap");
        amountOut = quote(secondForFirst, amountIn);
        require(amountOut >= minOut, "Swap: less than the minimum that the caller has asked for");
        _take(secondForFirst, amountIn);
        balances[!secondForFirst][msg.sender] += amountOut;
        uint256 k = uint256(reserve0) * reserve1;
        if (secondForFirst) _update(reserve0 - amountOut, reserve1 + amountIn);
        else _update(reserve0 + amountIn, reserve1 - amountOut);
        assert(uint256(reserve0) * reserve1 >= k);
        emit Swapped(msg.sender, secondForFirst, amountIn, amountOut);
    }

    function addLiquidity(uint256 amount0, uint256 amount1) external nonReentrant returns (uint256 minted) {
        minted = Math.min(
            Math.mulDiv(amount0, totalShares, reserve0), Math.mulDiv(amount1, totalShares, reserve1)
        );
        require(minted > 0);
        _take(false, amount0);
        _take(true, amount1);
        totalShares += minted;
        shares[msg.sender] += minted;
        _update(reserve0 + amount0, reserve1 + amount1);
        emit LiquidityAdded(msg.sender, amount0, amount1, minted);
    }

    function removeLiquidity(uint256 amount) external nonReentrant returns (uint256 amount0, uint256 amount1) {
        amount0 = Math.mulDiv(reserve0, amount, totalShares);
        amount1 = Math.mulDiv(reserve1, amount, totalShares);
        // underflow panics
        shares[msg.sender] -= amount;
        totalShares -= amount;
        balances[false][msg.sender] += amount0;
        balances[true][msg.sender] += amount1;
        _update(reserve0 - amount0, reserve1 - amount1);
        emit LiquidityRemoved(msg.sender, amount0, amount1, amount);
    }

    function _take(bool second, uint256 amount) private {
        uint256 balance = balances[second][msg.sender];
        if (balance < amount) revert InsufficientBalance(msg.sender, second, balance, amount);
        unchecked {
            balances[second][msg.sender] = balance - amount;
        }
    }

    /// One slot holds both reserves and the time.
    function _update(uint256 r0, uint256 r1) private {
        require(r0 <= type(uint112).max && r1 <= type(uint112).max, "Swap: overflow");
        unchecked {
            uint32 elapsed = uint32(block.timestamp) - updated;
            if (elapsed > 0) price0Cumulative += ((uint256(reserve1) << 112) / reserve0) * elapsed;
        }
        (reserve0, reserve1, updated) = (uint112(r0), uint112(r1), uint32(block.timestamp));
    }
}
