#!/usr/bin/env python3
"""Golden numbers for textures and styles by resampled filters: correlations and their gradients, transport,
Adam, the guide of a painting, its contours, the colours that it starts from.

    pip install numpy scipy torch
    python resampled.py                                  # writes resampled.json beside this file

Inputs are formulas that the tests repeat, so that only results are kept:
picture(c, y, x) = sin(0.7 x + 1.3 y + c), filter(f, c, v, u) = cos(0.9 u - 0.4 v + 2 c + 0.3 f).
"""
import json
import pathlib

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.signal import correlate

CHANNELS, HEIGHT, WIDTH, COUNT, SIDE = 3, 9, 21, 5, 5


def picture():
    c, y, x = np.meshgrid(range(CHANNELS), range(HEIGHT), range(WIDTH), indexing="ij")
    return np.sin(0.7 * x + 1.3 * y + c)


def filters():
    f, c, v, u = np.meshgrid(range(COUNT), range(CHANNELS), range(SIDE), range(SIDE), indexing="ij")
    return np.cos(0.9 * u - 0.4 * v + 2 * c + 0.3 * f)


def correlations():
    """SciPy's correlations where filters fit, and PyTorch's gradient of sum(R^2) / 2 at the picture."""
    image, bank = picture(), filters()
    responses = np.stack([correlate(image, w, mode="valid")[0] for w in bank])
    tensor = torch.tensor(image[None], requires_grad=True)
    out = torch.nn.functional.conv2d(tensor, torch.tensor(bank))
    (out.pow(2).sum() / 2).backward()
    assert np.allclose(out.detach().numpy()[0], responses)
    return {"responses": responses.ravel().tolist(), "gradient": tensor.grad.numpy().ravel().tolist()}


def transport():
    """Values of equal rank, by sorting; the target has half as many values again."""
    i = np.arange(2000)
    values = np.sin(0.37 * i) + 0.3 * np.cos(1.7 * i)
    j = np.arange(3000)
    target = np.where(j % 3 == 0, 2 + 0.5 * np.sin(0.61 * j), -1 + 0.2 * np.cos(0.23 * j))
    ranks = np.empty(len(values))
    ranks[values.argsort()] = np.arange(len(values))
    wanted = np.interp((ranks + 0.5) / len(values), (np.arange(len(target)) + 0.5) / len(target), np.sort(target))
    return {"transported": wanted.tolist()}


def adam():
    """PyTorch's Adam along a gradient that is another estimate each time, with a rate that changes."""
    x = torch.tensor([0.5, -1.5, 2.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([x], lr=0.1, betas=(0.9, 0.999), eps=1e-8)
    path = []
    for step in range(30):
        optimiser.param_groups[0]["lr"] = 0.1 / (1 + 0.1 * step)
        noise = torch.tensor([np.sin(step), np.cos(2 * step), np.sin(3 * step), 0.0])
        x.grad = (2 * x + noise).detach() * torch.tensor([1.0, 1.0, 100.0, 0.0])
        optimiser.step()
        path.append(x.detach().tolist())
    return {"path": path}


def coloured(height, width, across, down):
    """[3, H, W]: 0.5 + 0.4 sin(across x + down y + c) cos(0.2 x)."""
    c, y, x = np.meshgrid(range(3), range(height), range(width), indexing="ij")
    return 0.5 + 0.4 * np.sin(across * x + down * y + c) * np.cos(0.2 * x)


LUMA = np.array([0.299, 0.587, 0.114])


def guide():
    """Smoothed luminance, standardised, and orientations of smoothed structure tensors."""

    def smooth(plane):
        return gaussian_filter(plane, 3.0, mode="nearest", truncate=3.0)

    def tensor(picture):
        light = np.tensordot(LUMA, picture, 1)
        edge = np.pad(light, 1, mode="edge")
        across, down = edge[1:-1, 2:] - edge[1:-1, :-2], edge[2:, 1:-1] - edge[:-2, 1:-1]
        parts = np.stack([smooth(across**2 - down**2), smooth(2 * across * down), smooth(across**2 + down**2)])
        return parts / parts[2].mean()

    def planes(picture, tensor):
        light = smooth(np.tensordot(LUMA, picture, 1))
        energy = tensor[2] + 0.3 * tensor[2].mean()
        return np.stack([(light - light.mean()) / light.std(), 2 * tensor[0] / energy, 2 * tensor[1] / energy])

    picture, canvas = coloured(24, 31, 0.3, 0.2), coloured(24, 31, -0.4, 0.5)
    alone, both = planes(picture, tensor(picture)), planes(picture, tensor(picture) + 2 * tensor(canvas))
    return {"of": alone.ravel().tolist(), "with_contours": both.ravel().tolist()}


def contours():
    """Sum and gradient of w(z) h((R - m)/s - z), h(d) = |d| - ln(1 + |d|), w(z) = z^2 / (z^2 + 1)."""
    i = torch.arange(40, dtype=torch.float64)
    responses = torch.sin(0.9 * i).requires_grad_()
    z = 2 * torch.cos(0.31 * i)
    difference = ((responses - 0.2) / 0.7 - z).abs()
    value = (z**2 / (z**2 + 1) * (difference - torch.log1p(difference))).sum()
    value.backward()
    return {"value": value.item(), "gradient": responses.grad.tolist()}


def tint():
    """The mean colour of a style's pixels of equal rank of luminance, in 64 bins with lines between them."""
    picture, style = coloured(9, 13, 0.3, 0.2).reshape(3, -1), coloured(16, 20, 0.7, -0.3).reshape(3, -1)
    style = style[:, np.argsort(LUMA @ style)]
    count = style.shape[1]
    bins = [style[:, b * count // 64 : (b + 1) * count // 64].mean(1) for b in range(64)]
    ranks = np.argsort(np.argsort(LUMA @ picture))
    place = (ranks + 0.5) / len(ranks) * 64 - 0.5
    tinted = [np.interp(place, np.arange(64), channel) for channel in np.array(bins).T]
    return {"pixels": np.array(tinted).T.ravel().tolist()}


numbers = {"correlations": correlations(), "transport": transport(), "adam": adam()}
numbers |= {"guide": guide(), "contours": contours(), "tint": tint()}
numbers = json.loads(json.dumps(numbers), parse_float=lambda text: float(f"{float(text):.9g}"))
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(numbers) + "\n")
