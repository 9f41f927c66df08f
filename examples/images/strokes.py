#!/usr/bin/env python3
"""Draws strokes.png: short strokes along a swirling field, in the colours of a night and a lamp. CC0.

    pip install numpy pillow
    python strokes.py
"""
import pathlib

import numpy as np
from PIL import Image, ImageDraw

SIDE, ZOOM = 256, 4
NIGHT = [(18, 32, 84), (32, 64, 140), (58, 104, 178), (96, 150, 196), (24, 44, 60)]
LAMP = [(248, 214, 92), (240, 176, 48), (250, 238, 176), (196, 120, 44)]


def main():
    random = np.random.default_rng(7)
    image = Image.new("RGB", (SIDE * ZOOM, SIDE * ZOOM), NIGHT[1])
    draw = ImageDraw.Draw(image)
    eyes = [(60, 70, 34), (186, 52, 26), (150, 172, 44), (40, 200, 20), (226, 220, 18)]
    for size in (9, 6, 4, 3):
        for _ in range(int(26000 / size)):
            x, y = random.uniform(-8, SIDE + 8, 2)
            angle = 0.5 * np.sin(x / 38) + 0.4 * np.cos(y / 29)
            near = 0.0
            for cx, cy, radius in eyes:
                distance = np.hypot(x - cx, y - cy)
                pull = np.exp(-((distance / radius) ** 2))
                angle = (1 - pull) * angle + pull * (np.arctan2(y - cy, x - cx) + np.pi / 2)
                near = max(near, np.exp(-((distance / (0.55 * radius)) ** 2)))
            palette = LAMP if random.random() < near else NIGHT
            colour = np.array(palette[random.integers(len(palette))]) + random.normal(0, 9, 3)
            length = size * random.uniform(1.6, 3.2)
            dx, dy = np.cos(angle) * length / 2, np.sin(angle) * length / 2
            ends = [v * ZOOM for v in (x - dx, y - dy, x + dx, y + dy)]
            draw.line(ends, fill=tuple(int(v) for v in np.clip(colour, 0, 255)), width=int(size * ZOOM / 3))
    image.resize((SIDE, SIDE), Image.LANCZOS).save(pathlib.Path(__file__).with_name("strokes.png"), optimize=True)


if __name__ == "__main__":
    main()
