"""Borders and resized images in NumPy; see definitions.py.

They follow PyTorch's documentation of the function of that name, with positions in fractions.
"""
import itertools
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


def samples(first, last, cells, each, n, aligned):
    """For each sample of a box along a dimension of n elements: its weights of all of them, or None beyond."""
    start = first - 0.5 if aligned else first
    length = (last - 0.5 if aligned else last) - start
    size = (length if aligned else np.maximum(length, 1.0)) / cells
    rows = []
    for cell in range(cells):
        for i in range(each):
            at = start + cell * size + (i + 0.5) * size / each
            row = np.zeros(n)
            if at < -1 or at > n:
                row = None
            elif np.isnan(at):
                row[:] = np.nan
            else:
                at = min(max(at, 0.0), n - 1.0)
                low = int(at)
                row[low] += 1 - (at - low)
                row[min(low + 1, n - 1)] += at - low
            rows.append(row)
    return rows


@op()
def roi_align(x, boxes, output_size, spatial_scale=1.0, sampling_ratio=0, aligned=False):
    """torchvision's: the mean of each cell's samples. What a sample does not lie beside does not count."""
    p, q = output_size if isinstance(output_size, list) else [output_size] * 2
    each, (_, channels, height, width) = sampling_ratio, x.shape
    results = np.zeros([len(boxes.array), channels, p, q])
    for k, (image, *corners) in enumerate(boxes.array):
        x1, y1, x2, y2 = (corner * spatial_scale for corner in corners)
        down, right = samples(y1, y2, p, each, height, aligned), samples(x1, x2, q, each, width, aligned)
        for (i, row), (j, column) in itertools.product(enumerate(down), enumerate(right)):
            if row is not None and column is not None:
                results[k, :, i // each, j // each] += mixed(x.array[int(image)], row, column)
    return make(x.dtype, results / each ** 2)


def mixed(planes, row, column):
    """Elements of weight 0 far from the sample may be infinite; the four beside it count as they are."""
    if np.isnan(row).any() or np.isnan(column).any():
        return np.full(len(planes), np.nan)
    total = np.zeros(len(planes))
    for weights_of in itertools.product(near(row), near(column)):
        (i, a), (j, b) = weights_of
        total = total + a * b * planes[:, i, j]
    return total


def near(row):
    """The elements beside a sample: the first one that counts and the next; that of the last is itself."""
    low = int(np.flatnonzero(row)[0])
    return [(low, row[low]), (low + 1, row[low + 1]) if low + 1 < len(row) else (low, 0.0)]
