#!/usr/bin/env python3
"""Features, losses and image gradients of a random VGG-19 by PyTorch, from weights that the crate exported.

    python parity.py NETWORK.safetensors

Writes parity.safetensors beside this file: for each case the image's size, samples of features (every value would be
megabytes), losses, and the whole image gradient. tests/suite/parity.rs computes the same from the network's seed.
"""
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as functional
from safetensors.torch import load_file, save_file

STYLE = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]
MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).reshape(1, 3, 1, 1)
BLOCKS = [2, 2, 4, 4, 4]
SAMPLES = 512
PHASES = 40


def picture(height, width, phase):
    """sRGB values in 0..1 by a formula that any program can repeat in f64."""
    i = np.arange(3 * height * width, dtype=np.float64).reshape(3, height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    smooth = np.stack([np.sin(0.31 * x + 0.17 * y + c + phase) for c in range(3)])
    return torch.from_numpy(0.5 + 0.3 * smooth + 0.2 * np.sin(i * 12.9898 + phase)).float()[None]


def layers():
    position = 0
    for block, count in enumerate(BLOCKS, 1):
        for index in range(1, count + 1):
            yield f"conv{block}_{index}", position
            position += 2
        yield f"pool{block}", None
        position += 1


def features(weights, image, padding, pooling, last, margins=None):
    """Activations by name, in f64; the least |input| of each ReLU, relative to their mean, to `margins`."""
    x, out = image.double() - MEAN, {}
    for name, position in layers():
        if position is None:
            pool = functional.avg_pool2d if pooling == "average" else functional.max_pool2d
            x = pool(x, 2)
        else:
            w, b = (weights[f"features.{position}.{k}"].double() for k in ("weight", "bias"))
            mode = {"zero": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode[padding]), w, b)
            if margins is not None:
                margins.append((x.abs().min() / x.abs().mean()).item())
            x = functional.relu(x)
        out[name] = x
        if name == last:
            break
    return out


def clear_phase(weights, padding, pooling, height, width):
    """A picture for which no ReLU's input is so near to zero that rounding in f32 could flip it: each flip would
    change the gradient by what that one unit carries, which says nothing about the program under test."""
    best = (0.0, 0.0)
    with torch.no_grad():
        for phase in (0.125 * i for i in range(PHASES)):
            margins = []
            features(weights, picture(height, width, phase), padding, pooling, "conv5_1", margins)
            best = max(best, (min(margins), phase))
    return best[1]


def samples(values):
    flat = values.detach().flatten()
    step = max(1, flat.numel() // SAMPLES)
    return flat[::step].float().contiguous()


def gram(f):
    f = f.flatten(2)[0]
    return f @ f.T / f.shape[1]


def gram_loss(f, target):
    n = f.shape[1]
    return ((gram(f) - target) ** 2).sum() / (4 * n * n)


def content_loss(f, target):
    return ((f - target) ** 2).sum() / (2 * f.shape[1] * f.shape[2] * f.shape[3])


def total_variation(x):
    return ((x[:, :, 1:] - x[:, :, :-1]) ** 2).sum() + ((x[..., 1:] - x[..., :-1]) ** 2).sum()


def main(path):
    weights = load_file(path)
    out = {}
    # 64x64 as published, then odd sizes with every padding and both kinds of pooling.
    cases = [("zero", "average", 64, 64)]
    cases += [(padding, "average", 37, 42) for padding in ("zero", "reflect", "replicate", "circular")]
    cases += [("reflect", "max", 37, 42)]
    for padding, pooling, height, width in cases:
        key = f"{padding}.{pooling}.{height}x{width}"
        phase = clear_phase(weights, padding, pooling, height, width)
        out[f"{key}.phase"] = torch.tensor([phase])
        with torch.no_grad():
            exemplar = features(weights, picture(height, width, 2.0), padding, pooling, "conv5_1")
        for name in STYLE:
            image = picture(height, width, phase).requires_grad_(True)
            f = features(weights, image, padding, pooling, name)[name]
            loss = gram_loss(f, gram(exemplar[name]))
            loss.backward()
            out[f"{key}.{name}.features"] = samples(f)
            out[f"{key}.{name}.gram_loss"] = loss.detach().float().reshape(1)
            out[f"{key}.{name}.gram_gradient"] = samples(image.grad)
            if (height, width) == (64, 64):
                image = picture(height, width, phase).requires_grad_(True)
                f = features(weights, image, padding, pooling, name)[name]
                loss = content_loss(f, exemplar[name])
                loss.backward()
                out[f"{key}.{name}.content_loss"] = loss.detach().float().reshape(1)
                out[f"{key}.{name}.content_gradient"] = samples(image.grad)
    image = picture(64, 64, 0.0).requires_grad_(True)
    loss = total_variation(image.double())
    loss.backward()
    out["total_variation.loss"] = loss.detach().float().reshape(1)
    out["total_variation.gradient"] = samples(image.grad)
    with torch.no_grad():
        top = features(weights, picture(224, 224, 0.0), "zero", "average", "pool5")["pool5"].flatten(1)
        w, b = (weights[f"classifier.0.{k}"] for k in ("weight", "bias"))
        out["fc6.features"] = functional.relu(functional.linear(top.float(), w, b)).flatten()
    out = {name: value.contiguous() for name, value in out.items()}
    save_file(out, pathlib.Path(__file__).with_name("parity.safetensors"))
    print(len(out), "tensors,", sum(value.numel() for value in out.values()), "values")


if __name__ == "__main__":
    main(sys.argv[1])
