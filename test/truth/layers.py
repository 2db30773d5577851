"""The language's constructors, shape functions and layers in NumPy; see definitions.py.

Layers follow PyTorch's documentation of the function of that name.
"""
import itertools

import numpy as np

from definitions import OPS, op
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
def pad(x, padding, value=0.0):
    return make(x.dtype, np.pad(x.array, padding, constant_values=value))


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


def pair(value):
    return list(value) if isinstance(value, list) else [value, value]


def pads(padding):
    sides = padding if isinstance(padding, list) else [padding, padding]
    return [pair(side) for side in sides]


def windows(extents, kernel, stride, dilation, ceil_mode=False, padded=None):
    """Positions of a window in each dimension. With ceil_mode the last one may hang over the end, if
    it begins inside of the image or its padding at the front (PyTorch's rule)."""
    counts = []
    for d, extent_ in enumerate(extents):
        room = extent_ - dilation[d] * (kernel[d] - 1) - 1
        count = (room + (stride[d] - 1 if ceil_mode else 0)) // stride[d] + 1
        if ceil_mode and (count - 1) * stride[d] >= extent_ - padded[d][1]:
            count -= 1
        counts.append(count)
    return counts


@op()
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    stride, dilation = pair(stride), pair(dilation)
    image = np.pad(x.array, [(0, 0), (0, 0)] + pads(padding))
    batch, channels = image.shape[:2]
    outputs, per_group, *kernel = weight.shape
    counts = windows(image.shape[2:], kernel, stride, dilation)
    result = np.zeros([batch, outputs] + counts)
    for i, j in itertools.product(*map(range, kernel)):
        part = image[:, :, i * dilation[0]:, j * dilation[1]:]
        part = part[:, :, ::stride[0], ::stride[1]][:, :, :counts[0], :counts[1]]
        part = part.reshape([batch, groups, per_group] + counts)
        w = weight.array[:, :, i, j].reshape(groups, outputs // groups, per_group)
        result += np.einsum("bgchw,goc->bgohw", part, w).reshape(result.shape)
    if bias is not None:
        result += bias.array[:, None, None]
    return make(x.dtype, result)


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


def pool(x, kernel, stride, padding, dilation, ceil_mode, reduce):
    """`reduce` sees the indices of a window in the image that carries its padding."""
    kernel, padding = pair(kernel), pads(padding)
    stride = pair(kernel if stride is None else stride)
    shape = [n + sum(p) for n, p in zip(x.shape[2:], padding)]
    counts = windows(shape, kernel, stride, dilation, ceil_mode, padding)
    result = np.zeros(list(x.shape[:2]) + counts, x.array.dtype)
    for i, j in itertools.product(*map(range, counts)):
        rows = [i * stride[0] + k * dilation[0] - padding[0][0] for k in range(kernel[0])]
        columns = [j * stride[1] + k * dilation[1] - padding[1][0] for k in range(kernel[1])]
        result[:, :, i, j] = reduce(rows, columns, padding)
    return result


def inside(positions, extent_):
    return [p for p in positions if 0 <= p < extent_]


@op()
def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    lowest = -np.inf if x.is_float else np.iinfo(np.int64).min

    def most(rows, columns, _):
        part = x.array[:, :, inside(rows, x.shape[2])][:, :, :, inside(columns, x.shape[3])]
        return np.max(part, axis=(2, 3), initial=lowest)
    result = pool(x, kernel_size, stride, padding, pair(dilation), ceil_mode, most)
    return make(x.dtype, result)


@op()
def avg_pool2d(x, kernel_size, stride=None, padding=0, count_include_pad=True, ceil_mode=False):
    def mean(rows, columns, padding):
        part = x.array[:, :, inside(rows, x.shape[2])][:, :, :, inside(columns, x.shape[3])]
        count = part.shape[2] * part.shape[3]
        if count_include_pad:  # padding counts, what hangs over does not
            count = (sum(p < x.shape[2] + padding[0][1] for p in rows) *
                     sum(p < x.shape[3] + padding[1][1] for p in columns))
        return np.sum(part, axis=(2, 3)) / count
    return make(x.dtype, pool(x, kernel_size, stride, padding, [1, 1], ceil_mode, mean))


@op()
def adaptive_avg_pool2d(x, output_size):
    sizes = pair(output_size)
    result = np.zeros(list(x.shape[:2]) + sizes)
    for i, j in itertools.product(*map(range, sizes)):
        bounds = [slice(k * n // m, -(-(k + 1) * n // m))
                  for k, n, m in zip((i, j), x.shape[2:], sizes)]
        result[:, :, i, j] = np.mean(x.array[:, :, bounds[0], bounds[1]], axis=(2, 3))
    return make(x.dtype, result)
