/**
 * What Ethereum makes state roots of: keccak-256, RLP, and the Merkle-Patricia trie of hashed keys. `chunkproof/verifier`
 * leaves the state to its caller, so the caller hashes.
 *
 * @module
 */

const ROUNDS = 24;
/** Bytes that one permutation takes in. */
const RATE = 136;
/** Where each lane goes, and how far it is turned on its way. */
const LANES = [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];
const TURNS = [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];

/** Low and high half of each round's constant: bits of a shift register at the positions 2^j - 1. */
const CONSTANTS = new Int32Array(2 * ROUNDS);
for (let round = 0, register = 1; round < ROUNDS; round++) {
  for (let j = 0; j < 7; j++) {
    const bit = 2 ** j - 1;
    if (register & 1) CONSTANTS[2 * round + (bit >> 5)] ^= 1 << (bit & 31);
    register = (register << 1) ^ ((register >> 7) * 0x171);
  }
}

/** Keccak-f[1600] on 25 lanes, each as a low and a high half. @param {Int32Array} s */
function permute(s) {
  const c = new Int32Array(10);
  for (let round = 0; round < ROUNDS; round++) {
    for (let x = 0; x < 10; x++) c[x] = s[x] ^ s[x + 10] ^ s[x + 20] ^ s[x + 30] ^ s[x + 40];
    for (let x = 0; x < 10; x += 2) {
      const [before, after] = [(x + 8) % 10, (x + 2) % 10];
      const lo = c[before] ^ ((c[after] << 1) | (c[after + 1] >>> 31));
      const hi = c[before + 1] ^ ((c[after + 1] << 1) | (c[after] >>> 31));
      for (let y = x; y < 50; y += 10) {
        s[y] ^= lo;
        s[y + 1] ^= hi;
      }
    }
    for (let i = 0, lo = s[2], hi = s[3]; i < 24; i++) {
      const [to, turn] = [2 * LANES[i], TURNS[i] & 31];
      // by 32 and more: the halves change places
      const [a, b] = TURNS[i] < 32 ? [lo, hi] : [hi, lo];
      lo = s[to];
      hi = s[to + 1];
      s[to] = (a << turn) | (b >>> (32 - turn));
      s[to + 1] = (b << turn) | (a >>> (32 - turn));
    }
    for (let y = 0; y < 50; y += 10) {
      for (let x = 0; x < 10; x++) c[x] = s[y + x];
      for (let x = 0; x < 10; x++) s[y + x] = c[x] ^ (~c[(x + 2) % 10] & c[(x + 4) % 10]);
    }
    s[0] ^= CONSTANTS[2 * round];
    s[1] ^= CONSTANTS[2 * round + 1];
  }
}

/**
 * Keccak-256.
 *
 * @param {Uint8Array} bytes
 * @returns {Uint8Array} 32 bytes
 */
export function keccak256(bytes) {
  const padded = new Uint8Array(RATE * (Math.floor(bytes.length / RATE) + 1));
  padded.set(bytes);
  padded[bytes.length] ^= 0x01;
  padded[padded.length - 1] ^= 0x80;
  const view = new DataView(padded.buffer);
  const state = new Int32Array(50);
  for (let at = 0; at < padded.length; at += RATE) {
    for (let i = 0; i < RATE / 4; i++) state[i] ^= view.getInt32(at + 4 * i, true);
    permute(state);
  }
  const out = new DataView(new ArrayBuffer(32));
  for (let i = 0; i < 8; i++) out.setInt32(4 * i, state[i], true);
  return new Uint8Array(out.buffer);
}

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Hexadecimal digits, two a byte, without `0x`. @param {Uint8Array} bytes */
export function digitsOf(bytes) {
  let digits = "";
  for (const byte of bytes) digits += DIGITS[byte];
  return digits;
}

/** @param {string} digits an even number of hexadecimal digits */
export function bytesOf(digits) {
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Big-endian. @param {bigint} value below 2^(8·length) @param {number} length */
export const uintBytes = (value, length) => bytesOf(value.toString(16).padStart(2 * length, "0"));

/** Big-endian, without leading zeros; none for 0. @param {bigint} value */
export function minimalBytes(value) {
  const digits = value === 0n ? "" : value.toString(16);
  return bytesOf(digits.length % 2 === 0 ? digits : `0${digits}`);
}

/** `0x` and 64 digits. @param {bigint} value */
export const wordToHex = (value) => `0x${value.toString(16).padStart(64, "0")}`;

/** @param {readonly Uint8Array[]} parts */
function concat(parts) {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** What stands before a payload. @param {number} length @param {number} base */
function prefix(length, base) {
  if (length < 56) return Uint8Array.of(base + length);
  const digits = minimalBytes(BigInt(length));
  return concat([Uint8Array.of(base + 55 + digits.length), digits]);
}

/** RLP of a byte string. @param {Uint8Array} bytes */
export const rlp = (bytes) =>
  bytes.length === 1 && bytes[0] < 0x80 ? bytes : concat([prefix(bytes.length, 0x80), bytes]);

/** RLP of a list of items that are encoded already. @param {readonly Uint8Array[]} items */
export function rlpList(items) {
  const payload = concat(items);
  return concat([prefix(payload.length, 0xc0), payload]);
}

/**
 * A trie whose keys are hashes, as 64 digits. Nodes never change, they are replaced, and keep their names: after a block only
 * those are hashed that lie on the way to something new.
 *
 * @typedef {{ readonly key: string, readonly value: Uint8Array, name?: Uint8Array }} Leaf
 * @typedef {{ readonly children: readonly (Trie | undefined)[], name?: Uint8Array }} Branch at least two leaves lie below it
 * @typedef {Leaf | Branch} Trie
 */

const NOTHING = rlp(new Uint8Array(0));
const NO_CHILDREN = new Array(16).fill(undefined);

/** @param {readonly (Trie | undefined)[]} children @param {number} at @param {Trie | undefined} child @returns {Branch} */
const branch = (children, at, child) => ({ children: children.map((old, i) => (i === at ? child : old)) });

/** @param {string} key @param {number} depth */
const nibble = (key, depth) => Number.parseInt(key[depth], 16);

/**
 * The trie with an entry.
 *
 * @param {Trie | undefined} trie undefined: the empty one
 * @param {string} key
 * @param {Uint8Array} value
 * @returns {Trie}
 */
export function put(trie, key, value, depth = 0) {
  if (trie === undefined || ("key" in trie && trie.key === key)) return { key, value };
  // a leaf moves down, where it gets another name
  const { children } =
    "key" in trie ? branch(NO_CHILDREN, nibble(trie.key, depth), { key: trie.key, value: trie.value }) : trie;
  const at = nibble(key, depth);
  return branch(children, at, put(children[at], key, value, depth + 1));
}

/**
 * The trie without an entry, if it had one.
 *
 * @param {Trie | undefined} trie
 * @param {string} key
 * @returns {Trie | undefined}
 */
export function remove(trie, key, depth = 0) {
  if (trie === undefined) return undefined;
  if ("key" in trie) return trie.key === key ? undefined : trie;
  const at = nibble(key, depth);
  const child = remove(trie.children[at], key, depth + 1);
  if (child === trie.children[at]) return trie;
  const left = branch(trie.children, at, child);
  const [only, ...others] = left.children.filter((each) => each !== undefined);
  // a leaf that is alone moves up
  return others.length === 0 && "key" in only ? { key: only.key, value: only.value } : left;
}

/** Part of a key, with its parity and whether it ends here. @param {string} nibbles @param {boolean} ends */
const path = (nibbles, ends) =>
  rlp(bytesOf(`${(ends ? 2 : 0) + (nibbles.length % 2)}${nibbles.length % 2 === 0 ? "0" : ""}${nibbles}`));

/** @param {Trie} trie @param {number} depth @returns {Uint8Array} */
function encode(trie, depth) {
  if ("key" in trie) return rlpList([path(trie.key.slice(depth), true), rlp(trie.value)]);
  const [[at, only], ...others] = [...trie.children.entries()].filter(([, child]) => child !== undefined);
  if (others.length > 0) {
    const names = trie.children.map((child) => (child === undefined ? NOTHING : nameOf(child, depth + 1)));
    return rlpList([...names, NOTHING]);
  }
  // down to where ways part it is one node
  let nibbles = at.toString(16);
  let end = /** @type {Branch} */ (only);
  for (;;) {
    const used = [...end.children.keys()].filter((i) => end.children[i] !== undefined);
    if (used.length > 1) return rlpList([path(nibbles, false), nameOf(end, depth + nibbles.length)]);
    nibbles += used[0].toString(16);
    end = /** @type {Branch} */ (end.children[used[0]]);
  }
}

/** How a node is called in the one above it: by its hash, or itself if that is shorter. @param {Trie} trie @param {number} depth */
function nameOf(trie, depth) {
  if (trie.name === undefined) {
    const node = encode(trie, depth);
    trie.name = node.length < 32 ? node : rlp(keccak256(node));
  }
  return trie.name;
}

const EMPTY_ROOT = keccak256(NOTHING);

/** @param {Trie | undefined} trie */
export const rootOf = (trie) => (trie === undefined ? EMPTY_ROOT : keccak256(encode(trie, 0)));
