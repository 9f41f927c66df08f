#!/usr/bin/env python3
"""PSNR and SSIM by scikit-image and the sliced Wasserstein distance by NumPy, of pictures in examples/images.

    python metrics.py

Writes metrics.json beside this file.
"""
import json
import pathlib

import numpy as np
from PIL import Image
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
