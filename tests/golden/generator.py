#!/usr/bin/env python3
"""The first words of ChaCha with 8 rounds under the crate's keys, from the specification (RFC 8439 with 64-bit counter and
stream as in Bernstein's original). Writes generator.json beside this file.

    python generator.py
"""
import json
import pathlib
import struct

MASK = 0xFFFFFFFF


def rotate(value, bits):
    return (value << bits | value >> 32 - bits) & MASK


def quarter(s, a, b, c, d):
    for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & MASK
        s[z] = rotate(s[z] ^ s[x], bits)


def block(key, stream, counter):
    start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
    start += [counter & MASK, counter >> 32, stream & MASK, stream >> 32]
    s = start[:]
    for _ in range(4):
        for i in range(4):
            quarter(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & MASK for a, b in zip(s, start)]


def main():
    rows = []
    for seed, purpose, index in [(0, 1, 0), (42, 1, 3), (2**64 - 1, 3, 7)]:
        key = struct.pack("<Q", seed) + b"ranvgg" + bytes(18)
        stream = purpose << 32 | index
        rows.append({"seed": str(seed), "purpose": purpose, "index": index, "words": block(key, stream, 0) + block(key, stream, 1)})
    pathlib.Path(__file__).with_name("generator.json").write_text(json.dumps(rows) + "\n")
    print(rows[0]["words"][:4])


if __name__ == "__main__":
    main()
