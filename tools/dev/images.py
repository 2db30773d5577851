"""The preprocessing of the ImageNet models as Pillow does it: the reference for kiln-run's."""


def loadImage(path, size=224, crop=224 / 256, mean=127.0, std=128.0):
    """f32 [1, 3, size, size]: the centre square of side floor(crop * short side), resized by the
    antialiased bicubic filter on bytes, then (pixel - mean) / std."""
    import numpy as np
    from PIL import Image
    image = Image.open(path).convert("RGB")
    width, height = image.size
    side = int(crop * min(width, height))
    left, top = (width - side) // 2, (height - side) // 2
    image = image.crop((left, top, left + side, top + side)).resize((size, size), Image.BICUBIC)
    pixels = (np.asarray(image, dtype=np.float32) - mean) / std
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
