#!/usr/bin/env python3
"""How far f32 is from f64: features at conv5_1 and an image gradient of a random VGG-19, by PyTorch in f64.

    python accuracy.py NETWORK.safetensors

NETWORK is the one that parity.py takes. Writes accuracy.safetensors beside this file, a photograph's pixels included,
and prints how far PyTorch's own f32 is from its f64: the scale for docs/ACCURACY.md. tests/suite/accuracy.rs computes the same
from the network's seed.
"""
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import parity

SIDE = 128
# The formula's is smaller: with a quarter of the ReLUs there are phases at which all inputs stay away from zero.
FORMULA_SIDE = 64
SAMPLES = 2048


def forward_and_gradient(weights, image, dtype):
    """conv5_1 and the gradient at the image of the sum of its squares."""
    parity.MEAN = parity.MEAN.to(dtype)
    image = image.to(dtype).requires_grad_(True)
    double = torch.Tensor.double
    torch.Tensor.double = lambda tensor: tensor.to(dtype)  # parity.features computes in f64; here in `dtype`
    try:
        top = parity.features(weights, image, "reflect", "average", "conv5_1")["conv5_1"]
    finally:
        torch.Tensor.double = double
    (top**2).sum().backward()
    return top.detach(), image.grad


def distance(a, b):
    return ((a.double() - b).norm() / b.norm()).item()


def samples(values):
    flat = values.flatten()
    return flat[:: max(1, flat.numel() // SAMPLES)].float().contiguous()


def main(path):
    weights = load_file(path)
    here = pathlib.Path(__file__)
    cat = Image.open(here.parents[2] / "examples/images/cat.png").convert("RGB").crop((40, 40, 40 + SIDE, 40 + SIDE))
    pixels = torch.from_numpy(np.array(cat)).permute(2, 0, 1).contiguous()
    phase = parity.clear_phase(weights, "reflect", "average", FORMULA_SIDE, FORMULA_SIDE)
    images = {"photograph": pixels.float()[None] / 255, "formula": parity.picture(FORMULA_SIDE, FORMULA_SIDE, phase)}
    out = {"photograph.pixels": pixels, "formula.phase": torch.tensor([phase]),
           "formula.side": torch.tensor([float(FORMULA_SIDE)])}
    for name, image in images.items():
        top, gradient = forward_and_gradient(weights, image, torch.float64)
        out[f"{name}.features"], out[f"{name}.gradient"] = samples(top), samples(gradient)
        single = forward_and_gradient(weights, image, torch.float32)
        print(f"{name}: PyTorch f32 features {distance(single[0], top):.1e} gradient {distance(single[1], gradient):.1e}")
    save_file(out, here.with_name("accuracy.safetensors"))


if __name__ == "__main__":
    main(sys.argv[1])
