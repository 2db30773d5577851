"""Attention, rotary positions, sums of products and bags, in NumPy, from PyTorch's documentation and the papers."""
import numpy as np

from definitions import op
from values import make


@op()
def attention(q, k, v, mask=None, causal=False, scale=None, key_length=None):
    batch, heads, queries, width = q.shape
    keys = k.shape[2]
    k, v = (np.repeat(x.array, heads // x.shape[1], axis=1) if x.shape[1] else x.array for x in (k, v))
    scores = np.einsum("bhtd,bhsd->bhts", q.array, k) * (max(width, 1) ** -0.5 if scale is None else scale)
    length = np.full(batch, keys) if key_length is None else key_length.array
    length = np.maximum(np.broadcast_to(length, batch), 0).reshape(-1, 1, 1, 1)
    sees = np.broadcast_to(np.arange(keys) < length, scores.shape)
    if causal:
        sees = sees & (np.arange(keys) <= np.arange(queries)[:, None] + length - queries)
    if mask is not None:
        sees = sees & (mask.array != (-np.inf if mask.is_float else 0))
        scores = scores + mask.array if mask.is_float else scores
    scores = np.where(sees, scores, -np.inf)
    top = np.max(np.where(np.isnan(scores), -np.inf, scores), axis=-1, keepdims=True, initial=-np.inf)
    weights = np.where(sees, np.exp(scores - top), 0)
    total = np.sum(weights, axis=-1, keepdims=True)
    weights = np.where(sees, weights / total, 0)
    return make(q.dtype, np.einsum("bhts,bhse->bhte", weights, v))


@op()
def rope(x, positions, base=10000.0, interleaved=False):
    half = x.shape[-1] // 2
    angle = positions.array[..., None] * base ** (-np.arange(half) / half)
    if positions.array.ndim == 2:
        angle = angle.reshape(angle.shape[:1] + (1,) * (x.array.ndim - 3) + angle.shape[1:])
    parts = (slice(0, None, 2), slice(1, None, 2)) if interleaved else (slice(0, half), slice(half, None))
    # A pair is a complex number, which is turned.
    turned = (x.array[..., parts[0]] + 1j * 0) * np.exp(1j * angle), x.array[..., parts[1]] * np.exp(1j * angle)
    result = np.empty_like(x.array)
    result[..., parts[0]] = turned[0].real - turned[1].imag
    result[..., parts[1]] = turned[0].imag + turned[1].real
    return make(x.dtype, result)


def letters_of(equation, ranks):
    """The lists of letters of the operands and the result; capital Greek ones stand for `...`."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    hidden = [rank - len(part.replace("...", "")) for part, rank in zip(inputs.split(","), ranks)]
    lists = [part.replace("...", "\u0391\u0392\u0393\u0394"[4 - n:])
             for part, n in zip(inputs.split(","), hidden)]
    dots = "\u0391\u0392\u0393\u0394"[4 - max(hidden):]
    if not arrow:
        every = "".join(lists)
        output = "..." + "".join(c for c in sorted(set(every)) if every.count(c) == 1 and c < "\u0391")
    return lists, output.replace("...", dots)


def numbered(letters, arrays, kept):
    """NumPy's einsum with numbers for the letters."""
    every = sorted(set("".join(letters)))
    pairs = [x for part, array in zip(letters, arrays) for x in (array, [every.index(c) for c in part])]
    return np.einsum(*pairs, [every.index(c) for c in kept], optimize=False)


@op()
def einsum(equation, *operands):
    """One operand after the other, each letter summed as soon as nothing later has it, as PyTorch does."""
    lists, output = letters_of(equation, [x.array.ndim for x in operands])
    arrays = [x.array for x in operands]
    sizes = {}
    for part, array in zip(lists, arrays):
        sizes.update({c: n for c, n in zip(part, array.shape) if sizes.get(c, 1) == 1})
    for i, (part, array) in enumerate(zip(lists, arrays)):  # extents 1 that others repeat
        whole = [n == sizes[c] for c, n in zip(part, array.shape)]
        arrays[i] = array.reshape([n for n, keep in zip(array.shape, whole) if keep])
        lists[i] = "".join(c for c, keep in zip(part, whole) if keep)
    letters, result = lists[0], arrays[0]
    for i in range(1, len(arrays)):
        later = output + "".join(lists[i + 1:])
        sides = []
        for part, array, other in ((letters, result, lists[i]), (lists[i], arrays[i], letters)):
            kept = "".join(c for c in dict.fromkeys(part) if c in later + other)
            sides.append((kept, numbered([part], [array], kept)))
        names, values = zip(*sides)
        letters = "".join(c for c in dict.fromkeys("".join(names)) if c in later)
        result = numbered(names, values, letters)
    return make(operands[0].dtype, numbered([letters], [result], output))


@op()
def embedding_bag(indices, weight, offsets=None, per_sample_weights=None, mode="mean"):
    rows = weight.array[indices.array]
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.array[..., None]
    if offsets is None:
        bags = list(rows)
    else:
        number = np.sum(offsets.array[:, None] <= np.arange(len(rows)), axis=0) - 1
        bags = [rows[number == b] for b in range(len(offsets.array))]
    function = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
    zeros = np.zeros(weight.shape[1])
    result = [function(bag, axis=0) if len(bag) else zeros for bag in bags]
    return make(weight.dtype, np.array(result).reshape(len(bags), weight.shape[1]))


@op()
def prelu(x, weight):
    w = weight.array.reshape((1, -1) + (1,) * (x.array.ndim - 2)) if x.array.ndim > 1 else weight.array
    return make(x.dtype, np.where(x.array > 0, x.array, x.array * w))
