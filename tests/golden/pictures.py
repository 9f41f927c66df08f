"""Pictures of kinds that the crate `image` does not write: `python tests/golden/pictures.py`."""

from pathlib import Path

import numpy as np
from PIL import Image

folder = Path(__file__).with_name("pictures")
folder.mkdir(exist_ok=True)
y, x = np.mgrid[0:16, 0:16]
picture = Image.fromarray(np.stack([16 * x, 16 * y, 0 * x + 90], axis=2).astype(np.uint8))
other = picture.rotate(90)

picture.convert("CMYK").save(folder / "cmyk.jpg", quality=60)
picture.save(folder / "progressive.jpg", quality=60, progressive=True)
picture.quantize(16).save(folder / "palette.png")
picture.convert("1").save(folder / "bit.png")
picture.save(folder / "animated.png", save_all=True, append_images=[other])
picture.quantize(16).save(folder / "animated.gif", save_all=True, append_images=[other])
picture.save(folder / "lossless.webp", lossless=True)
picture.save(folder / "compressed.tif", compression="tiff_lzw")
