"""Norms by the statistics of a call, in NumPy."""
import numpy as np

from definitions import op
from values import make


def normalised(array, axes, eps, centred=True):
    if not array.size:
        return array
    if centred:
        array = array - np.mean(array, axis=axes, keepdims=True)
    return array / np.sqrt(np.mean(array * array, axis=axes, keepdims=True) + eps)


def scaled(x, result, axes, weight, bias):
    """weight and bias stand along the axes."""
    shape = [n if i in axes else 1 for i, n in enumerate(x.array.shape)]
    if weight is not None:
        result = result * weight.array.reshape(shape)
    if bias is not None:
        result = result + bias.array.reshape(shape)
    return make(x.dtype, result)


def positive(axis, rank):
    return tuple(sorted(a % rank for a in (axis if isinstance(axis, list) else [axis])))


@op()
def layer_norm(x, weight=None, bias=None, axis=-1, eps=1e-5):
    axes = positive(axis, x.array.ndim)
    return scaled(x, normalised(x.array, axes, eps), axes, weight, bias)


@op()
def rms_norm(x, weight=None, axis=-1, eps=2.0 ** -23):
    axes = positive(axis, x.array.ndim)
    return scaled(x, normalised(x.array, axes, eps, centred=False), axes, weight, None)


@op()
def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    n, c = x.array.shape[:2]
    groups = x.array.reshape(n, num_groups, c // num_groups, *x.array.shape[2:])
    result = normalised(groups, tuple(range(2, groups.ndim)), eps)
    return scaled(x, result.reshape(x.array.shape), (1,), weight, bias)


@op()
def instance_norm(x, weight=None, bias=None, eps=1e-5):
    return scaled(x, normalised(x.array, tuple(range(2, x.array.ndim)), eps), (1,), weight, bias)
