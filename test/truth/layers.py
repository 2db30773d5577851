"""The language's constructors, shape functions and layers in NumPy; see definitions.py.

Layers follow PyTorch's documentation of the function of that name.
"""
import numpy as np

from definitions import op
from values import FLOATS, Tensor, make


# Constructors.

@op()
def full(shape, value, dtype="f32"):
    return make(dtype, np.full(shape, value))


@op()
def zeros(shape, dtype="f32"):
    return make(dtype, np.zeros(shape))


@op()
def ones(shape, dtype="f32"):
    return make(dtype, np.ones(shape))


@op()
def arange(count, start=0, step=1, dtype="i64"):
    return make(dtype, start + step * np.arange(count))


@op()
def eye(count, dtype="f32"):
    return make(dtype, np.eye(count))


@op()
def extent(value):
    return make("i64", value)


# The same elements elsewhere.

def like(x, array):
    return Tensor(x.dtype, array)


@op()
def reshape(x, shape):
    return like(x, np.reshape(x.array, shape))


@op()
def flatten(x, start_axis=0, end_axis=-1):
    shape = list(x.shape)
    end = end_axis % len(shape)
    joined = int(np.prod(shape[start_axis:end + 1]))
    return like(x, x.array.reshape(shape[:start_axis] + [joined] + shape[end + 1:]))


@op()
def squeeze(x, axis):
    return like(x, np.squeeze(x.array, tuple(axis) if isinstance(axis, list) else axis))


@op()
def unsqueeze(x, axis):
    return like(x, np.expand_dims(x.array, axis))


@op()
def permute(x, axes):
    return like(x, np.transpose(x.array, axes))


@op()
def transpose(x):
    return like(x, np.swapaxes(x.array, -1, -2))


@op("broadcast_to", "expand")
def broadcast_to(x, shape):
    return like(x, np.broadcast_to(x.array, shape))


@op()
def concat(xs, axis=0):
    return like(xs[0], np.concatenate([x.array for x in xs], axis))


@op()
def stack(xs, axis=0):
    return like(xs[0], np.stack([x.array for x in xs], axis))


@op()
def split(x, sizes, axis=0):
    parts = np.cumsum(sizes)[:-1] if isinstance(sizes, list) else sizes
    return [like(x, part) for part in np.split(x.array, parts, axis)]


@op()
def slice_(x, starts, sizes, steps=None):
    steps = steps or [1] * len(starts)
    # A size counts what is taken.
    return like(x, x.array[tuple(slice(a, a + n * s, s) for a, n, s in zip(starts, sizes, steps))])


@op()
def tile(x, repeats):
    return like(x, np.tile(x.array, repeats))


@op()
def roll(x, shift, axis):
    return like(x, np.roll(x.array, shift, axis))


@op()
def flip(x, axis):
    return like(x, np.flip(x.array, axis))


# Elements at computed positions. Calls with an index out of range are not exported.

@op()
def take(x, indices, axis=0):
    return like(x, np.take(x.array, indices.array, axis, mode="wrap")
                if x.shape[axis] else np.zeros(x.shape[:axis] + indices.shape + x.shape[axis + 1:]))


@op()
def gather(x, indices, axis=0):
    part = x.array[tuple(slice(None) if d == axis else slice(n)
                         for d, n in enumerate(indices.shape))]
    return like(x, np.take_along_axis(part, indices.array, axis))


@op()
def embedding(indices, weight):
    return take(weight, indices)


@op()
def one_hot(indices, depth, dtype="i64"):
    return make(dtype, np.arange(depth) == (indices.array % max(depth, 1))[..., None])


# Layers.

@op()
def matmul(a, b):
    return make(a.dtype, np.matmul(a.array, b.array))


@op()
def batch_norm(x, running_mean, running_var, weight=None, bias=None, eps=1e-5):
    def along(t):
        return t.array.reshape([-1] + [1] * (x.array.ndim - 2))
    result = (x.array - along(running_mean)) / np.sqrt(along(running_var) + eps)
    if weight is not None:
        result = result * along(weight)
    if bias is not None:
        result = result + along(bias)
    return make(x.dtype, result)


@op()
def sparse_matmul(x, weight, positions, block=1, columns=False):
    left = x.array.T if columns else x.array
    outputs, kept = weight.shape
    result = np.zeros(left.shape[:-1] + (outputs,), left.dtype)
    for n in range(outputs):
        for r in range(kept):
            result[..., n] += left[..., int(positions.array[n // block, r])] * weight.array[n, r]
    return make(x.dtype, result.T if columns else result)
