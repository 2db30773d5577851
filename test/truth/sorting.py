"""Elements in order, as PyTorch documents them: stable, NaN the greatest; and along an order."""
import numpy as np

from definitions import op
from values import make


def positions(x, axis, descending):
    """NumPy's stable order has NaN last. Backwards through the reversed row, equal elements keep theirs."""
    if not descending:
        return np.argsort(x.array, axis=axis, kind="stable")
    backwards = np.argsort(np.flip(x.array, axis), axis=axis, kind="stable")
    return x.array.shape[axis] - 1 - np.flip(backwards, axis)


@op()
def sort(x, axis=-1, descending=False):
    indices = positions(x, axis, descending)
    return [make(x.dtype, np.take_along_axis(x.array, indices, axis)), make("i64", indices)]


@op()
def argsort(x, axis=-1, descending=False):
    return make("i64", positions(x, axis, descending))


@op()
def topk(x, k, axis=-1, largest=True, sorted=True):
    first = [slice(None)] * x.array.ndim
    first[axis] = slice(0, k)
    return [make(each.dtype, each.array[tuple(first)]) for each in sort(x, axis, largest)]


# Running totals, as ONNX's CumSum.

def running(accumulate, start, x, axis, reverse, exclusive):
    order = np.flip(x.array, axis) if reverse else x.array
    first = np.full_like(np.take(order, [], axis).sum(axis, keepdims=True), start)
    totals = accumulate(np.concatenate([first, order], axis), axis)
    n = x.array.shape[axis]
    totals = np.take(totals, np.arange(n) + (0 if exclusive else 1), axis)
    return make(x.dtype, np.flip(totals, axis) if reverse else totals)


@op()
def cumsum(x, axis, reverse=False, exclusive=False):
    return running(np.cumsum, 0, x, axis, reverse, exclusive)


@op()
def cumprod(x, axis, reverse=False, exclusive=False):
    return running(np.cumprod, 1, x, axis, reverse, exclusive)
