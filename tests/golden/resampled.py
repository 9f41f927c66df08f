#!/usr/bin/env python3
"""Golden numbers for textures by resampled filters: correlations and their gradients, transport, Adam.

    pip install numpy scipy torch
    python resampled.py                                  # writes resampled.json beside this file

Inputs are formulas that the tests repeat, so that only results are kept:
picture(c, y, x) = sin(0.7 x + 1.3 y + c), filter(f, c, v, u) = cos(0.9 u - 0.4 v + 2 c + 0.3 f).
"""
import json
import pathlib

import numpy as np
import torch
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


numbers = {"correlations": correlations(), "transport": transport(), "adam": adam()}
numbers = json.loads(json.dumps(numbers), parse_float=lambda text: float(f"{float(text):.9g}"))
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(numbers) + "\n")
