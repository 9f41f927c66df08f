#!/usr/bin/env python3
"""Seeds of the fuzz targets: small files of every kind that is read. Writes corpus/TARGET/seed-*.

    python seeds.py            # needs numpy, torch and pillow
    RANVGG_FUZZ_SEEDS=corpus/checkpoint cargo +nightly fuzz run checkpoint -- -runs=0

The second line writes the states of runs, which only the crate can write.
"""
import io
import json
import pathlib

import numpy as np
import torch
from PIL import Image, ImageCms

HERE = pathlib.Path(__file__).parent / "corpus"


def save(tensors):
    """A safetensors file of float16 tensors."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        values = tensor.numpy().tobytes()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    header = json.dumps(header).encode()
    return len(header).to_bytes(8, "little") + header + data


def write(target, name, data):
    folder = HERE / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def pictures():
    values = np.arange(7 * 9 * 4, dtype=np.uint8).reshape(7, 9, 4) * 3
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode in ("L", "LA", "RGB", "RGBA", "1", "P", "I;16"):
        if mode == "I;16":
            image = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
        else:
            image = Image.fromarray(values, "RGBA").convert(mode)
        for kind, options in (("PNG", {}), ("TIFF", {"compression": "tiff_lzw"}), ("TIFF", {}), ("JPEG", {}), ("GIF", {})):
            try:
                data = io.BytesIO()
                image.save(data, kind, **options)
            except (OSError, ValueError, KeyError):
                continue
            write("picture", f"{mode}-{kind}-{len(options)}".replace(";", ""), data.getvalue())
    for kind in ("PNG", "JPEG"):
        exif = Image.Exif()
        exif[0x0112] = 6
        data = io.BytesIO()
        Image.fromarray(values, "RGBA").convert("RGB").save(data, kind, icc_profile=profile, exif=exif.tobytes())
        write("picture", f"profile-{kind}", data.getvalue())


def recipes():
    base = {"architecture": "vgg19", "seed": 3, "layer_seeds": {"conv2_1": 5}, "sigma": 1.0, "bias_sigma": 0.1,
            "pooling": "average", "padding": "reflect",
            "preprocessing": {"mean": [0.485, 0.456, 0.406], "scale": [1.0, 1.0, 1.0]}}
    for architecture, layer in (("vgg19", "conv2_1"), ("alexnet", "conv2")):
        recipe = {**base, "architecture": architecture, "layer_seeds": {layer: 5}}
        write("recipe", architecture, json.dumps(recipe).encode())


def weights():
    for index, name, shape in ((0, "features.0", (64, 3, 3, 3)), (1, "conv1_1", (64, 3, 3, 3))):
        kind = torch.float16
        state = {f"{name}.weight": torch.zeros(shape, dtype=kind), f"{name}.bias": torch.zeros(shape[0], dtype=kind)}
        head = bytes([index])
        write("weights", f"{index}-safetensors", head + save(state))
        for new in (True, False):
            data = io.BytesIO()
            torch.save(state, data, _use_new_zipfile_serialization=new)
            write("weights", f"{index}-pth-{new}", head + data.getvalue())
    state = {"state_dict": {"module.features.0.weight": torch.zeros(2, 2).t(), "epoch": 3}, "args": {"lr": 0.1}}
    data = io.BytesIO()
    torch.save(state, data)
    write("weights", "other-pth", b"\0" + data.getvalue())


def texts():
    names = "conv1_1 relu3_2 pool5 fc6 conv5 alexnet vgg16 reflect circular average max single half plain gram moments whitened"
    for word in (names + " distributions resampled style matched luminance content noise refuse replace flex wgpu:0").split():
        write("names", word, word.encode())
    write("names", "options", json.dumps({"run": {"seed": 7, "scales": {"octaves": {"most": 2, "smallest": 16}}, "bounds": [0, 1]}}).encode())
    write("names", "texture", json.dumps({"statistics": "gram", "layers": ["conv1_1"], "size": {"width": 64, "height": 32}}).encode())
    lines = {
        "texture": "texture a.png\nsize = 256\nseed = 7\nstatistics = \"gram\"\nlayers = [\"conv1_1\", \"conv2_1\"]\nseconds = 10\n",
        "invert": "invert --layer conv3_1 a.png\nevaluations = 20\nquiet = true\n",
        "style": "style a.png b.png --colours matched\nstyle-weight = 2.5\nregions = [\"a\", \"b\"]\n",
        "maps": "maps a.png b.png\nsize = \"320x200\"\n",
        "network": "network export\nnetwork-seed = 3\n",
    }
    for name, text in lines.items():
        write("config", name, text.encode())


def main():
    pictures()
    recipes()
    weights()
    texts()
    for i in range(6):
        write("sizes", str(i), bytes((37 * j * (i + 1) + 11 * i) % 256 for j in range(40)))


if __name__ == "__main__":
    main()
