"""Tensors of the language's element types as NumPy holds them: floats in f64, integers in i64.

Formats: IEEE 754-2019; bfloat16; f8e4m3 and f8e5m2 as in "FP8 Formats for Deep Learning"
(arXiv 2209.05433), the first without infinities.
"""
import numpy as np

FLOATS = {"f64": (52, -1022, 1023), "f32": (23, -126, 127), "f16": (10, -14, 15),
          "bf16": (7, -126, 127), "f8e4m3": (3, -6, 8), "f8e5m2": (2, -14, 15)}
INTEGERS = {"i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8, "u8": np.uint8,
            "bool": np.uint8}
LARGEST = {"f8e4m3": 448.0}


class Tensor:
    """An element type and an array: f64 for floats, i64 for integers and bool."""

    def __init__(self, dtype, array):
        self.dtype = dtype
        self.array = np.asarray(array, np.float64 if dtype in FLOATS else np.int64)

    @property
    def shape(self):
        return self.array.shape

    @property
    def is_float(self):
        return self.dtype in FLOATS


def largest(dtype):
    precision, _, most = FLOATS[dtype]
    return LARGEST.get(dtype, (2 - 2.0 ** -precision) * 2.0 ** most)


def round_float(dtype, x):
    """To the nearest value of the type, ties to even; what is too large becomes an infinity, or the
    largest number of a type that has none."""
    if dtype == "f64":
        return x
    precision, least, _ = FLOATS[dtype]
    with np.errstate(all="ignore"):
        _, exponent = np.frexp(np.where(np.isfinite(x), x, 0.0))
        unit = np.exp2(np.maximum(exponent - 1, least) - precision)
        rounded = np.where(np.isfinite(x), np.rint(x / unit) * unit, x)
        rounded = np.copysign(rounded, x)
        beyond = np.abs(rounded) > largest(dtype)
        limit = largest(dtype) if dtype == "f8e4m3" else np.inf
        return np.where(beyond, np.copysign(limit, x), rounded)


def wrap_integer(dtype, x):
    """The low bits of an integer array, read as the type has them; bool: whether it is not 0."""
    if dtype == "bool":
        return (np.asarray(x) != 0).astype(np.int64)
    return np.asarray(x).astype(np.int64).astype(INTEGERS[dtype]).astype(np.int64)


def make(dtype, x):
    return Tensor(dtype, round_float(dtype, np.asarray(x, np.float64)) if dtype in FLOATS
                  else wrap_integer(dtype, x))


def float8_table(dtype):
    precision, least, _ = FLOATS[dtype]
    values = np.empty(256)
    for bits in range(256):
        exponent, fraction = (bits & 127) >> precision, bits & ((1 << precision) - 1)
        value = (fraction * 2.0 ** (least - precision) if exponent == 0 else
                 (1 + fraction / 2 ** precision) * 2.0 ** (exponent + least - 1))
        if dtype == "f8e5m2" and exponent == 31:
            value = np.nan if fraction else np.inf
        if dtype == "f8e4m3" and bits & 127 == 127:
            value = np.nan
        values[bits] = -value if bits & 128 else value
    return values


def from_bytes(dtype, shape, data):
    if dtype in INTEGERS:
        return Tensor(dtype, np.frombuffer(data, INTEGERS[dtype]).reshape(shape))
    if dtype == "bf16":
        wide = np.frombuffer(data, np.uint16).astype(np.uint32) << 16
        return Tensor(dtype, wide.view(np.float32).astype(np.float64).reshape(shape))
    if dtype.startswith("f8"):
        return Tensor(dtype, float8_table(dtype)[np.frombuffer(data, np.uint8)].reshape(shape))
    kind = {"f64": np.float64, "f32": np.float32, "f16": np.float16}[dtype]
    return Tensor(dtype, np.frombuffer(data, kind).astype(np.float64).reshape(shape))


def difference(expected, got, scale, signed_zeros):
    """Empty, or what differs. Integers are equal; floats are within two units of their type (64 of f64,
    in which both sides compute) and 64 of f64's units of `scale`, the size of what was added up. The
    sign of a zero counts where it does not depend on an order."""
    if expected.dtype != got.dtype or expected.shape != got.shape:
        return (f"expected {expected.dtype}{list(expected.shape)}, "
                f"got {got.dtype}{list(got.shape)}")
    a, b = expected.array, got.array
    if not expected.is_float:
        wrong = a != b
    else:
        precision, least, _ = FLOATS[expected.dtype]
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(np.where(np.isfinite(a), a, 0)), 2.0 ** least)
            allowed = 2 * np.exp2(np.floor(np.log2(size)) - precision) + 64 * 2.0 ** -52 * scale
            far = np.abs(a - b) > (allowed if expected.dtype != "f64" else allowed * 32)
        infinite = np.isinf(a) | np.isinf(b)
        at_limit = np.abs(np.where(np.isinf(a), b, a)) >= largest(expected.dtype)
        same_sign = np.signbit(a) == np.signbit(b)
        far = np.where(infinite, ~(at_limit & same_sign), far)
        wrong = np.where(np.isnan(a) | np.isnan(b), np.isnan(a) != np.isnan(b), far)
        if signed_zeros:
            wrong |= (a == 0) & (b == 0) & ~same_sign
    if not np.any(wrong):
        return ""
    at = tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(wrong)))
    return (f"{int(np.sum(wrong))} of {wrong.size} elements differ, the first at {list(at)}: "
            f"NumPy gives {np.atleast_1d(a)[at]!r}, the interpreter {np.atleast_1d(b)[at]!r}")
