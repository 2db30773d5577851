"""Borders and resized images in NumPy; see definitions.py.

They follow PyTorch's documentation of the function of that name, with positions in fractions.
"""
import math
from fractions import Fraction

import numpy as np

from definitions import op
from values import Tensor, make

NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@op()
def pad(x, padding, mode="constant", value=0.0):
    if mode == "constant":
        return make(x.dtype, np.pad(x.array, padding, constant_values=value))
    return Tensor(x.dtype, np.pad(x.array, padding, mode=NUMPY_MODES[mode]))


def keys(distance):
    """The cubic convolution of R. Keys (1981) with a = -0.75."""
    a, d = -0.75, abs(distance)
    if d <= 1:
        return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1
    return a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a if d < 2 else 0


def weights(mode, align_corners, n, m, factor, i):
    """Which of n elements, in order, count for element i of m, and by how much."""
    half = Fraction(1, 2)
    if mode == "nearest":
        return [(min(math.floor(i / factor), n - 1), 1.0)]
    if mode == "nearest-exact":
        return [(min(math.floor((i + half) / factor), n - 1), 1.0)]
    at = (i + half) / factor - half
    if align_corners:
        at = Fraction(i * (n - 1), m - 1) if m > 1 else Fraction(0)
    if mode.endswith("linear"):
        at = max(at, 0)
    base = math.floor(at)
    part = float(at - base)
    if part == 0:
        taps = {0: 1.0}
    elif mode.endswith("linear"):
        taps = {0: 1 - part, 1: part}
    else:
        taps = {k: keys(part - k) for k in (-1, 0, 1, 2)}
    return [(min(max(base + k, 0), n - 1), weight) for k, weight in taps.items()]


@op()
def interpolate(x, size=(), scale_factor=(), mode="nearest", align_corners=False):
    array = x.array
    rank = array.ndim - 2
    sizes, factors = (list(v) if isinstance(v, (list, tuple)) else [v] for v in (size, scale_factor))
    # PyTorch mixes along the last dimension first.
    for axis in reversed(range(rank)):
        n = array.shape[axis + 2]
        if sizes:
            m = sizes[axis % len(sizes)]
            factor = Fraction(m, n)
        else:
            factor = Fraction(factors[axis % len(factors)]).limit_denominator(2 ** 20)
            m = math.floor(n * factor)
        parts = []
        for i in range(m):
            taps = [(np.take(array, at, axis + 2), weight)
                    for at, weight in weights(mode, align_corners, n, m, factor, i)]
            parts.append(taps[0][0] if len(taps) == 1 else sum(v * weight for v, weight in taps))
        array = np.stack(parts, axis + 2)
    return make(x.dtype, array) if x.is_float else Tensor(x.dtype, array)


@op()
def pixel_shuffle(x, upscale_factor):
    *lead, c, h, w = x.shape
    r = upscale_factor
    apart = x.array.reshape(*lead, c // r ** 2, r, r, h, w)
    k = len(lead)
    moved = np.transpose(apart, [*range(k), k, k + 3, k + 1, k + 4, k + 2])
    return Tensor(x.dtype, moved.reshape(*lead, c // r ** 2, h * r, w * r))


@op()
def pixel_unshuffle(x, downscale_factor):
    *lead, c, h, w = x.shape
    r = downscale_factor
    apart = x.array.reshape(*lead, c, h // r, r, w // r, r)
    k = len(lead)
    moved = np.transpose(apart, [*range(k), k, k + 2, k + 4, k + 1, k + 3])
    return Tensor(x.dtype, moved.reshape(*lead, c * r ** 2, h // r, w // r))
