"""Elements put at computed positions, one after another in the order of the indices."""
import numpy as np

from definitions import op
from values import make


def written(x, src, places, adds):
    """x with src's elements put at places: pairs of an index of src and one of x."""
    y = x.array.copy()
    for source, target in places:
        y[target] = y[target] + src.array[source] if adds else src.array[source]
    return make(x.dtype, y)


def slices(x, indices, src, axis, adds):
    before = (slice(None),) * (axis % x.array.ndim)
    return written(x, src, [(before + (k,), before + (i,))
                            for k, i in enumerate(indices.array.tolist())], adds)


def elements(x, indices, src, axis, adds):
    places = [(at, at[:axis] + (indices.array[at],) + at[axis + 1:])
              for at in np.ndindex(*indices.shape)]
    return written(x, src, places, adds)


@op()
def index_copy(x, indices, src, axis=0):
    return slices(x, indices, src, axis, False)


@op()
def index_add(x, indices, src, axis=0):
    return slices(x, indices, src, axis, True)


@op()
def scatter(x, indices, src, axis=0):
    return elements(x, indices, src, axis, False)


@op()
def scatter_add(x, indices, src, axis=0):
    return elements(x, indices, src, axis, True)


@op()
def scatter_nd(x, indices, src):
    return written(x, src, [(at, tuple(indices.array[at]))
                            for at in np.ndindex(*indices.shape[:-1])], False)


@op()
def gather_nd(x, indices, batch_dims=0):
    rows = indices.shape[:-1]
    y = np.zeros(rows + x.shape[batch_dims + indices.shape[-1]:], x.array.dtype)
    for at in np.ndindex(*rows):
        y[at] = x.array[at[:batch_dims] + tuple(indices.array[at])]
    return make(x.dtype, y)
