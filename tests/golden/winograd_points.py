#!/usr/bin/env python3
"""How much Winograd's minimal filtering rounds in f32 at different points, by NumPy.

    python winograd_points.py

Prints the root mean square and the largest error of a 3x3 convolution of white noise, relative to the same measure of
the f64 result, for the points of src/engine/winograd.rs and src/engine/cpu/winograd/filtering.rs, and for all sets of zero
and three pairs of opposite points. Sums are fused multiplications and additions in f32. No file is written: docs/ACCURACY.md
has the figures.
"""
import itertools
from fractions import Fraction

import numpy as np

HALF = Fraction(1, 2)
PAIRS = [Fraction(n, 8) for n in (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24)]


def polynomial(roots):
    """Coefficients of prod (x - root), the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0)] + coefficients
        scaled = [-root * c for c in coefficients] + [Fraction(0)]
        coefficients = [a + b for a, b in zip(shifted, scaled)]
    return coefficients


def matrices(points, tile):
    """A', G and B' of F(tile, 3) at these points and infinity (Toom and Cook)."""
    window = tile + 2
    a = [[p**i for p in points] + [Fraction(int(i == tile - 1))] for i in range(tile)]
    g, b = [], []
    for p in points:
        others = [q for q in points if q != p]
        scale = np.prod([p - q for q in others])
        g.append([p**k / scale for k in range(3)])
        b.append(polynomial(others) + [Fraction(0)])
    g.append([Fraction(0), Fraction(0), Fraction(1)])
    b.append(polynomial(points))
    assert len(b) == window and all(len(row) == window for row in b)
    return [np.array(m, dtype=np.float64) for m in (a, g, b)]


def fused(matrix, values, axis):
    """matrix times the values along an axis, rounded to f32 after each multiplication and addition."""
    values = np.moveaxis(values, axis, 0)
    rows = []
    for row in matrix.astype(np.float32):
        total = np.zeros_like(values[0])
        for entry, value in zip(row, values):
            if entry:
                total = (total.astype(np.float64) + np.float64(entry) * value).astype(np.float32)
        rows.append(total)
    return np.moveaxis(np.stack(rows), 0, axis)


def errors(points, tile, tiles, channels, outputs):
    a, g, b = matrices([Fraction(p) for p in points], tile)
    noise = np.random.default_rng(1)
    window = tile + 2
    inputs = noise.normal(size=(tiles, channels, window, window)).astype(np.float32)
    filters = (noise.normal(size=(channels, outputs, 3, 3)) * np.sqrt(2 / (9 * channels))).astype(np.float32)
    weights = np.einsum("ai,ckij,bj->abck", g, filters.astype(np.float64), g).astype(np.float32)
    transformed = fused(b, fused(b, inputs, 2), 3).transpose(2, 3, 0, 1)
    products = np.zeros((window, window, tiles, outputs), np.float32)
    for c in range(channels):
        term = transformed[:, :, :, c, None].astype(np.float64) * weights[:, :, None, c, :]
        products = (products + term).astype(np.float32)
    found = fused(a, fused(a, products.transpose(2, 3, 0, 1), 2), 3)
    expected = np.zeros(found.shape)
    for y, x in np.ndindex(3, 3):
        patch = inputs[:, :, y : y + tile, x : x + tile].astype(np.float64)
        expected += np.einsum("tcij,ck->tkij", patch, filters[:, :, y, x].astype(np.float64))
    error = found - expected
    return np.sqrt((error**2).mean() / (expected**2).mean()), np.abs(error).max() / np.abs(expected).max()


def main():
    one = Fraction(1)
    for name, points, tile in [
        ("F(4x4, 3x3) at 0, 1, -1, 1/2, -2", [0, 1, -1, HALF, -2], 4),
        ("F(4x4, 3x3) at 0, 1, -1, 2, -2", [0, 1, -1, 2, -2], 4),
        ("F(6x6, 3x3) at 0, 1, -1, 2, -2, 1/2, -1/2", [0, one, -one, 2, -2, HALF, -HALF], 6),
    ]:
        print("{}: {:.1e}, largest {:.1e}".format(name, *errors(points, tile, 40, 64, 16)))
    found = []
    for pairs in itertools.combinations(PAIRS, 3):
        points = [0] + [sign * p for p in pairs for sign in (1, -1)]
        found.append((*errors(points, 6, 6, 32, 4), ", ".join(map(str, pairs))))
    print(f"F(6x6, 3x3) at zero and three pairs, {len(found)} sets, from the best:")
    for mean, largest, pairs in sorted(found)[:5]:
        print(f"  {pairs}: {mean:.1e}, largest {largest:.1e}")


if __name__ == "__main__":
    main()
