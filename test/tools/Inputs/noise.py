"""noise.py IMAGE.png REFERENCE.npy [gray]: an image of noise, and what Pillow makes of it: the
centre square of 0.8 of the short side, resized to 24, as f32 [1, C, 24, 24] of bytes."""
import sys

import numpy as np
from PIL import Image

pixels = np.random.default_rng(7).integers(0, 256, (61, 83, 3), dtype=np.uint8)
image = Image.fromarray(pixels)
image.save(sys.argv[1])
if "gray" in sys.argv:
    image = image.convert("L")
side = int(0.8 * 61)
left, top = (83 - side) // 2, (61 - side) // 2
image = image.crop((left, top, left + side, top + side)).resize((24, 24), Image.BICUBIC)
array = np.asarray(image, dtype=np.float32).reshape(24, 24, -1).transpose(2, 0, 1)[None]
np.save(sys.argv[2], np.ascontiguousarray(array))
