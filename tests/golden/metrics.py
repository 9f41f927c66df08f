#!/usr/bin/env python3
"""PSNR and SSIM by scikit-image; sliced Wasserstein distance, novelty, order and filter responses by NumPy and SciPy; of
pictures in examples/images.

    python metrics.py

Writes metrics.json beside this file.
"""
import json
import pathlib

import numpy as np
from PIL import Image
from generator import block
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

HERE = pathlib.Path(__file__).parent
IMAGES = HERE.parent.parent / "examples" / "images"


def load(name):
    return np.asarray(Image.open(IMAGES / name).convert("RGB"))[:200, :200].astype(np.float64) / 255


def half(a):
    k = np.array([1, 4, 6, 4, 1]) / 16
    p = np.pad(a, ((2, 2), (2, 2), (0, 0)), "reflect")
    p = sum(k[i] * p[i : i + a.shape[0]] for i in range(5))
    return sum(k[i] * p[:, i : i + a.shape[1]] for i in range(5))[::2, ::2]


def quantiles(x):
    return np.sort(x, axis=0)[((np.arange(1000) + 0.5) / 1000 * len(x)).astype(int)]


def sliced_wasserstein(a, b):
    generator, levels = np.random.default_rng(0), []
    for _ in range(4):
        patches = [np.lib.stride_tricks.sliding_window_view(x, (7, 7), axis=(0, 1)).reshape(-1, 147) for x in (a, b)]
        directions = generator.normal(size=(147, 2048))
        directions /= np.linalg.norm(directions, axis=0)
        pa, pb = (p @ directions for p in patches)
        levels.append((np.abs(quantiles(pa) - quantiles(pb)).mean(0) / pa.std(0)).mean())
        a, b = half(a), half(b)
    return float(np.mean(levels))


def correlation(a, b):
    """Largest Pearson coefficient of two luminances over shifts that keep half of the area."""
    a, b = ((half(x) * [0.299, 0.587, 0.114]).sum(2) for x in (a, b))

    def slide(x, y):
        return fftconvolve(x, y[::-1, ::-1])

    one = np.ones_like(a)
    area = np.round(slide(one, one))
    sa, sb = slide(a, one), slide(one, b)
    covariance = slide(a, b) / area - sa * sb / area**2
    variances = (slide(a * a, one) / area - (sa / area) ** 2) * (slide(one, b * b) / area - (sb / area) ** 2)
    coefficient = covariance / np.sqrt(np.maximum(variances, 1e-9))
    return float(coefficient[area >= a.size / 2].max())


def copied(a, b):
    """Coherent and in-place share by nearest neighbours of 8x8 patches."""
    a, b = half(a), half(b)
    va = np.lib.stride_tricks.sliding_window_view(a, (8, 8), axis=(0, 1))
    vb = np.lib.stride_tricks.sliding_window_view(b, (8, 8), axis=(0, 1))[::4, ::4]
    rows, columns = vb.shape[:2]
    nearest = cKDTree(va.reshape(va.shape[0] * va.shape[1], -1)).query(vb.reshape(rows * columns, -1))[1]
    places = np.stack(np.unravel_index(nearest.reshape(rows, columns), va.shape[:2]), -1)
    offsets = places - 4 * np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1)
    coherent = (np.abs(np.diff(offsets, axis=1)) <= 1).all(-1).mean()
    return float(coherent), float((np.abs(offsets) <= 2).all(-1).mean())


def uniform(purpose, index, count):
    """The crate's uniform numbers on -1..1, of seed 0: the same filters as there."""
    key, stream = bytes(8) + b"ranvgg" + bytes(18), purpose << 32 | index
    words = [word for counter in range(-(-count // 16)) for word in block(key, stream, counter)]
    return np.array(words[:count]) / 2**31 - 1


def filter_responses(a, b):
    levels = []
    for level in range(3):
        filters = uniform(6, level, 363 * 128).reshape(128, 363).T
        filters -= filters.mean(0)
        filters /= np.linalg.norm(filters, axis=0)
        grams = []
        for x in (a, b):
            windows = np.lib.stride_tricks.sliding_window_view(x, (11, 11), axis=(0, 1))
            patches = windows.transpose(0, 1, 3, 4, 2).reshape(-1, 363)
            answers = np.maximum(patches @ filters, 0)
            grams.append(answers.T @ answers / len(answers))
        levels.append(np.linalg.norm(grams[1] - grams[0]) / np.linalg.norm(grams[0]))
        a, b = half(a), half(b)
    return float(np.mean(levels))


def order(a, b):
    """Differences of autocorrelations, of luminance and of the modulus of its gradient, by FFT."""
    while min(a.shape[:2]) > 128:
        a, b = half(a), half(b)
    lag = min(a.shape[:2]) // 2

    def modulus(f):
        down, across = f[1:, :-1] - f[:-1, :-1], f[:-1, 1:] - f[:-1, :-1]
        return np.sqrt(down**2 + across**2)

    def autocorrelation(f):
        f = f - f.mean()
        sums = fftconvolve(f, f[::-1, ::-1])
        one = np.ones_like(f)
        mean = sums / np.round(fftconvolve(one, one)) / f.var()
        y, x = f.shape[0] - 1, f.shape[1] - 1
        return mean[y : y + lag + 1, x - lag : x + lag + 1]

    a, b = ((x * [0.299, 0.587, 0.114]).sum(2) for x in (a, b))
    found = []
    for f, g in ((a, b), (modulus(a), modulus(b))):
        found.append(float(np.sqrt(((autocorrelation(f) - autocorrelation(g)) ** 2).mean())))
    return found


def main():
    rows = []
    for first, second in [("gravel.png", "strokes.png"), ("cat.png", "strokes.png"), ("gravel.png", "cat.png")]:
        a, b = load(first), load(second)
        near = 0.9 * a + 0.1 * b
        for other, mixed in ((b, False), (near, True)):
            rows.append(
                {
                    "first": first,
                    "second": second,
                    "mixed": mixed,
                    "correlation": correlation(a, other),
                    "coherent": copied(a, other)[0],
                    "in_place": copied(a, other)[1],
                    "order": order(a, other),
                    "filter_responses": filter_responses(a, other),
                    "psnr": float(peak_signal_noise_ratio(a, other, data_range=1)),
                    "ssim": float(
                        structural_similarity(
                            a, other, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5,
                            use_sample_covariance=False,
                        )
                    ),
                    "sliced_wasserstein": sliced_wasserstein(a, other),
                }
            )
    (HERE / "metrics.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
