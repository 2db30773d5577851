"""Elements put at computed positions, one after another in the order of the indices."""
import numpy as np

from definitions import op
from values import make


def replaced(old, new):
    return new


def larger(old, new):
    """NaN is the largest and the smallest; of equals, as zeros of either sign are, the first stays."""
    return np.where((new > old) | ((new != new) & (old == old)), new, old)


def smaller(old, new):
    return np.where((new < old) | ((new != new) & (old == old)), new, old)


def written(x, src, places, put):
    """x with src's elements put at places: pairs of an index of src and one of x."""
    y = x.array.copy()
    for source, target in places:
        y[target] = put(y[target], src.array[source])
    return make(x.dtype, y)


def slices(x, indices, src, axis, put):
    before = (slice(None),) * (axis % x.array.ndim)
    return written(x, src, [(before + (k,), before + (i,))
                            for k, i in enumerate(indices.array.tolist())], put)


def elements(x, indices, src, axis, put):
    places = [(at, at[:axis] + (indices.array[at],) + at[axis + 1:])
              for at in np.ndindex(*indices.shape)]
    return written(x, src, places, put)


@op()
def index_copy(x, indices, src, axis=0):
    return slices(x, indices, src, axis, replaced)


@op()
def index_add(x, indices, src, axis=0):
    return slices(x, indices, src, axis, np.add)


@op()
def index_max(x, indices, src, axis=0):
    return slices(x, indices, src, axis, larger)


@op()
def index_min(x, indices, src, axis=0):
    return slices(x, indices, src, axis, smaller)


@op()
def scatter(x, indices, src, axis=0):
    return elements(x, indices, src, axis, replaced)


@op()
def scatter_add(x, indices, src, axis=0):
    return elements(x, indices, src, axis, np.add)


@op()
def scatter_max(x, indices, src, axis=0):
    return elements(x, indices, src, axis, larger)


@op()
def scatter_min(x, indices, src, axis=0):
    return elements(x, indices, src, axis, smaller)


@op()
def scatter_nd(x, indices, src):
    return written(x, src, [(at, tuple(indices.array[at]))
                            for at in np.ndindex(*indices.shape[:-1])], replaced)


@op()
def gather_nd(x, indices, batch_dims=0):
    rows = indices.shape[:-1]
    y = np.zeros(rows + x.shape[batch_dims + indices.shape[-1]:], x.array.dtype)
    for at in np.ndindex(*rows):
        y[at] = x.array[at[:batch_dims] + tuple(indices.array[at])]
    return make(x.dtype, y)
