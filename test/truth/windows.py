"""Convolutions and pools over any number of spatial dimensions in NumPy; see definitions.py.

They follow PyTorch's documentation of the function of that name.
"""
import itertools
import math

import numpy as np

from definitions import OPS
from values import make


def each(value, rank):
    """A number for each spatial dimension."""
    value = value if isinstance(value, list) else [value]
    return value * rank if len(value) == 1 else list(value)


def pads(padding, extents, kernel, stride, dilation):
    """Padding in front of and behind each dimension: a number, numbers, pairs, or "same", by which
    ceil(n / stride) windows fit and the odd element stands behind."""
    rank = len(extents)
    if padding == "same":
        totals = [max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
                  for n, k, s, d in zip(extents, kernel, stride, dilation)]
        return [[t // 2, t - t // 2] for t in totals]
    if isinstance(padding, list) and isinstance(padding[0], list):
        return padding
    return [[p, p] for p in each(padding, rank)]


def windows(extents, kernel, stride, dilation, ceil_mode=False, padded=None):
    """Positions of a window in each dimension. With ceil_mode the last one may hang over the end, if
    it begins inside of the image or its padding at the front (PyTorch's rule)."""
    counts = []
    for d, extent in enumerate(extents):
        room = extent - dilation[d] * (kernel[d] - 1) - 1
        count = (room + (stride[d] - 1 if ceil_mode else 0)) // stride[d] + 1
        if ceil_mode and (count - 1) * stride[d] >= extent - padded[d][1]:
            count -= 1
        counts.append(count)
    return counts


# Convolutions.

def slide(image, weight, bias, stride, dilation, groups):
    """The convolution of an array that carries its padding."""
    batch = image.shape[0]
    outputs, per_group, *kernel = weight.shape
    counts = windows(image.shape[2:], kernel, stride, dilation)
    result = np.zeros([batch, outputs] + counts)
    for tap in itertools.product(*map(range, kernel)):
        places = [slice(t * d, t * d + (n - 1) * s + 1, s)
                  for t, d, n, s in zip(tap, dilation, counts, stride)]
        part = image[(slice(None), slice(None), *places)]
        part = part.reshape(batch, groups, per_group, math.prod(counts))
        w = weight[(slice(None), slice(None), *tap)].reshape(groups, outputs // groups, per_group)
        result += np.einsum("bgcp,goc->bgop", part, w).reshape(result.shape)
    if bias is not None:
        result += bias.array.reshape([-1] + [1] * len(kernel))
    return result


def conv(rank):
    def define(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        stride, dilation = each(stride, rank), each(dilation, rank)
        padding = pads(padding, x.shape[2:], weight.shape[2:], stride, dilation)
        image = np.pad(x.array, [(0, 0), (0, 0)] + padding)
        return make(x.dtype, slide(image, weight.array, bias, stride, dilation, groups))
    return define


def conv_transpose(rank):
    """A convolution whose stride is 1 of the image with stride - 1 zeros between its elements: each
    tap of the kernel adds to the result where it would have read in the convolution."""
    def define(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        stride, dilation = each(stride, rank), each(dilation, rank)
        inputs, outputs, *kernel = weight.shape
        inputs //= groups
        padding = pads(padding, x.shape[2:], kernel, stride, dilation)
        spread = np.zeros(list(x.shape[:2]) + [(n - 1) * s + 1
                                               for n, s in zip(x.shape[2:], stride)])
        spread[(slice(None), slice(None), *(slice(None, None, s) for s in stride))] = x.array
        # All that the kernel reaches, then what padding and output_padding leave of it.
        reach = [d * (k - 1) for d, k in zip(dilation, kernel)]
        extra = each(output_padding, rank)
        image = np.pad(spread, [(0, 0), (0, 0)] + [(r, r + e) for r, e in zip(reach, extra)])
        turned = weight.array.reshape([groups, inputs, outputs] + kernel).swapaxes(1, 2)
        turned = np.flip(turned.reshape([groups * outputs, inputs] + kernel),
                         tuple(range(2, rank + 2)))
        full = slide(image, turned, bias, [1] * rank, dilation, groups)
        kept = [slice(low, n - high) for (low, high), n in zip(padding, full.shape[2:])]
        return make(x.dtype, full[(slice(None), slice(None), *kept)])
    return define


# Pools.

def flat(x):
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def pool(x, kernel, stride, padding, dilation, ceil_mode, reduce):
    """`reduce` sees the elements of a window that are the image's, and how many there are with those
    of the padding; what hangs over does not count."""
    rank = x.array.ndim - 2
    kernel, extents = each(kernel, rank), x.shape[2:]
    stride = each(kernel if stride is None else stride, rank)
    padding = pads(padding, extents, kernel, stride, dilation)
    shape = [n + sum(p) for n, p in zip(extents, padding)]
    counts = windows(shape, kernel, stride, dilation, ceil_mode, padding)
    result = np.zeros(list(x.shape[:2]) + counts, x.array.dtype)
    for at in itertools.product(*map(range, counts)):
        part, size = x.array, 1
        for axis, i in enumerate(at):
            positions = [i * stride[axis] + k * dilation[axis] - padding[axis][0]
                         for k in range(kernel[axis])]
            size *= sum(p < extents[axis] + padding[axis][1] for p in positions)
            part = np.take(part, [p for p in positions if 0 <= p < extents[axis]], axis + 2)
        result[(slice(None), slice(None), *at)] = reduce(flat(part), size)
    return result


def max_pool(rank):
    def define(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        lowest = -np.inf if x.is_float else np.iinfo(np.int64).min
        return make(x.dtype, pool(x, kernel_size, stride, padding, each(dilation, rank), ceil_mode,
                                  lambda part, _: np.max(part, axis=2, initial=lowest)))
    return define


def avg_pool(rank):
    def define(x, kernel_size, stride=None, padding=0, count_include_pad=True, ceil_mode=False):
        def mean(part, size):
            return np.sum(part, axis=2) / (size if count_include_pad else part.shape[2])
        return make(x.dtype, pool(x, kernel_size, stride, padding, [1] * rank, ceil_mode, mean))
    return define


def adaptive(rank, reduce):
    def define(x, output_size):
        sizes = each(output_size, rank)
        result = np.zeros(list(x.shape[:2]) + sizes, x.array.dtype)
        for at in itertools.product(*map(range, sizes)):
            bounds = [slice(i * n // m, -(-(i + 1) * n // m))
                      for i, n, m in zip(at, x.shape[2:], sizes)]
            part = x.array[(slice(None), slice(None), *bounds)]
            result[(slice(None), slice(None), *at)] = reduce(flat(part), axis=2)
        return make(x.dtype, result)
    return define


for _rank in (1, 2, 3):
    OPS[f"conv{_rank}d"] = conv(_rank)
    OPS[f"conv_transpose{_rank}d"] = conv_transpose(_rank)
    OPS[f"max_pool{_rank}d"], OPS[f"avg_pool{_rank}d"] = max_pool(_rank), avg_pool(_rank)
    OPS[f"adaptive_avg_pool{_rank}d"] = adaptive(_rank, np.mean)
    OPS[f"adaptive_max_pool{_rank}d"] = adaptive(_rank, np.max)
