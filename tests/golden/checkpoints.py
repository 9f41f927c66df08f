#!/usr/bin/env python3
"""Files as torchvision's users have them, and the features that torchvision's models compute from them.

    python checkpoints.py [FOLDER]

Writes vgg16.pth, vgg19.pth and alexnet.pth beside this file: state dicts of the whole networks, fully connected layers
included, saved by torch.save under torchvision's keys. So that they take megabytes and not gigabytes, each tensor is a
view of a short storage that overlaps itself; its shape and values are as good as any. Given a FOLDER, the same values
are written there as torchvision writes them, a storage for each tensor. caffe.pth holds the first three layers of a VGG network as
a training script might: named by layer, inside a dictionary, with the prefix of data-parallel training, in half
precision. checkpoints.safetensors gets samples of features of a picture, in f64. tests/suite/checkpoints.rs loads the files
and compares.
"""
import pathlib
import sys

import numpy as np
import torch
import torchvision
from safetensors.torch import save_file

SAMPLES = 512
MODELS = {
    "vgg16": (torchvision.models.vgg16, {"features.1": "conv1_1", "features.15": "conv3_3", "features.23": "pool4",
                                         "features.29": "conv5_3", "classifier.1": "fc6", "classifier.4": "fc7",
                                         "classifier.6": "fc8"}),
    "vgg19": (torchvision.models.vgg19, {"features.3": "conv1_2", "features.18": "pool3", "features.20": "conv4_1",
                                         "features.35": "conv5_4", "classifier.1": "fc6", "classifier.4": "fc7",
                                         "classifier.6": "fc8"}),
    "alexnet": (torchvision.models.alexnet, {"features.1": "conv1", "features.2": "pool1", "features.4": "conv2",
                                             "features.7": "conv3", "features.11": "conv5", "features.12": "pool5",
                                             "classifier.2": "fc6", "classifier.5": "fc7", "classifier.6": "fc8"}),
}


def picture(height, width, phase):
    """sRGB values in 0..1 by a formula that any program can repeat in f64."""
    i = np.arange(3 * height * width, dtype=np.float64).reshape(3, height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    smooth = np.stack([np.sin(0.31 * x + 0.17 * y + c + phase) for c in range(3)])
    return torch.from_numpy(0.5 + 0.3 * smooth + 0.2 * np.sin(i * 12.9898 + phase)).float()[None]


def view(shape, generator):
    """Values of about the scale that keeps activations alive, as a view that overlaps itself."""
    if len(shape) == 1:
        return 0.1 * torch.randn(shape, generator=generator)
    strides = (5, 4, 3, 1) if len(shape) == 4 else (3, 1)
    if len(shape) == 4 and shape[2] > 3:
        strides = (7, 3, shape[3] + 2, 1)
    length = sum((n - 1) * s for n, s in zip(shape, strides)) + 1
    fan_in = np.prod(shape[1:])
    storage = torch.randn(length, generator=generator) * float(np.sqrt(2 / fan_in))
    return storage.as_strided(shape, strides)


def samples(values):
    flat = values.detach().flatten()
    return flat[:: max(1, flat.numel() // SAMPLES)].float().clone()


def caffe(here, out):
    """Three layers that read blue, green, red of 0..255, less the mean colour."""
    generator = torch.Generator().manual_seed(8)
    state = {}
    for layer, shape in {"conv1_1": (64, 3, 3, 3), "conv1_2": (64, 64, 3, 3), "conv2_1": (128, 64, 3, 3)}.items():
        state[f"module.{layer}.weight"] = view(shape, generator).contiguous().half()
        state[f"module.{layer}.bias"] = view(shape[:1], generator).half()
    torch.save({"epoch": 3, "state_dict": state}, here / "caffe.pth")
    mean = torch.tensor([103.939, 116.779, 123.68]).reshape(1, 3, 1, 1).double()
    x = picture(40, 30, 1.0).double().flip(1) * 255 - mean
    for layer in ("conv1_1", "conv1_2", "pool1", "conv2_1"):
        if layer.startswith("pool"):
            x = torch.nn.functional.max_pool2d(x, 2)
            continue
        weight, bias = (state[f"module.{layer}.{kind}"].double() for kind in ("weight", "bias"))
        x = torch.nn.functional.conv2d(x, weight, bias, padding=1).relu()
    out["caffe.conv2_1"] = samples(x)


def main(folder):
    here, out = pathlib.Path(__file__).parent, {}
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1).double()
    deviation = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1).double()
    image = (picture(224, 224, 0.0).double() - mean) / deviation
    for name, (make, taps) in MODELS.items():
        with torch.device("meta"):
            model = make()
        generator = torch.Generator().manual_seed(7)
        state = model.state_dict()
        for key in state:
            state[key] = view(tuple(state[key].shape), generator)
        torch.save(state, here / f"{name}.pth")
        if folder:
            torch.save(type(state)((key, value.contiguous()) for key, value in state.items()), folder / f"{name}.pth")
        model.load_state_dict(state, assign=True)
        model = model.double().eval()

        def keep(layer):
            def hook(_module, _inputs, output):
                out[f"{name}.{layer}"] = samples(output)
            return hook

        for module, layer in taps.items():
            model.get_submodule(module).register_forward_hook(keep(layer))
        with torch.no_grad():
            model(image)
        for layer in taps.values():
            print(name, layer, len(out[f"{name}.{layer}"]), f"{out[f'{name}.{layer}'].abs().mean():.3f}")
    caffe(here, out)
    save_file(out, here / "checkpoints.safetensors")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
