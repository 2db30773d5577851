"""The language's functions in NumPy, from their published definitions: NumPy and the array API for
arithmetic, reductions and shapes, PyTorch and ONNX for layers. Floats are computed in f64 and rounded
once, integers exactly.

Each function takes tensors and the arguments as the language has them, and gives a tensor or a list.
"""
import math

import numpy as np

from values import FLOATS, INTEGERS, Tensor, make, round_float

OPS = {}


def op(*names):
    def add(function):
        for name in names or [function.__name__.rstrip("_")]:
            OPS[name] = function
        return function
    return add


# One element in, one out.

def unary(name, function):
    OPS[name] = lambda x: make(x.dtype, function(x.array))


def binary(name, function):
    OPS[name] = lambda a, b: make(a.dtype, function(a.array, b.array))


def compare(name, function):
    OPS[name] = lambda a, b: make("bool", function(a.array, b.array))


erf_of = np.vectorize(math.erf, otypes=[float])
erfc_of = np.vectorize(math.erfc, otypes=[float])


def sigmoid_of(x):
    return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))


def normal_cdf(x):
    return np.where(np.isnan(x), np.nan, erfc_of(-x / np.sqrt(2)) / 2)


for _name, _function in {
        "neg": np.negative, "abs": np.abs, "exp": np.exp, "log": np.log,
        "log1p": np.log1p, "expm1": np.expm1, "sqrt": np.sqrt,
        "rsqrt": lambda x: 1 / np.sqrt(x), "reciprocal": lambda x: 1 / x, "tanh": np.tanh,
        "sigmoid": sigmoid_of, "erf": erf_of, "sin": np.sin, "cos": np.cos,
        "round": np.rint, "floor": np.floor, "ceil": np.ceil, "sign": np.sign,
        "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh,
        "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
        "exp2": np.exp2, "log2": np.log2, "log10": np.log10, "trunc": np.trunc,
        "square": lambda x: x * x, "softsign": lambda x: x / (1 + np.abs(x)),
        "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
        "logsigmoid": lambda x: -np.logaddexp(0, -x),
        "hardsigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
        "hardswish": lambda x: x * (np.clip(x + 3, 0, 6) / 6),
        "logical_not": lambda x: x == 0, "relu": lambda x: np.maximum(x, 0),
        "silu": lambda x: x * sigmoid_of(x)}.items():
    unary(_name, _function)


@op()
def gelu(x, approximate="none"):
    v = x.array
    if approximate == "tanh":
        inner = np.sqrt(2 / np.pi) * (v + 0.044715 * v ** 3)
        # 1 + tanh(t) = 2 sigmoid(2t), which does not cancel.
        result = v * sigmoid_of(2 * inner)
    else:
        result = v * normal_cdf(v)
    return make(x.dtype, result)


def parametric(name, function):
    OPS[name] = lambda x, *args, **named: make(x.dtype, function(x.array, *args, **named))


def elu_of(x, alpha=1.0, scale=1.0):
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(x))


def softplus_of(x, beta=1.0, threshold=20.0):
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


def softshrink_of(x, lambd=0.5):
    inside = np.where(np.isnan(x), np.nan, 0.0)
    return np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, inside))


for _name, _function in {
        "leaky_relu": lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x),
        "elu": elu_of,
        "celu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
        "selu": lambda x: elu_of(x, 1.6732632423543772, 1.0507009873554805),
        "softplus": softplus_of, "softshrink": softshrink_of,
        "hardshrink": lambda x, lambd=0.5: np.where((x >= -lambd) & (x <= lambd), 0.0, x),
        }.items():
    parametric(_name, _function)


@op("pow")
def power(a, b):
    if a.is_float:
        # NumPy takes a square root for a lone 0.5, whose zero of -0 is negative; IEEE 754's power is not.
        positive = (a.array == 0) & (b.array > 0) & (b.array % 2 != 1)
        return make(a.dtype, np.where(positive, 0.0, np.power(a.array, b.array)))

    def exact(x, y):
        if y < 0:  # what the fraction 1 / x^-y leaves towards 0
            return x ** (-y % 2) if x in (1, -1) else 0
        return pow(int(x), int(y), 2 ** 64)
    base, exponent = np.broadcast_arrays(a.array, b.array)
    whole = [wrap64(exact(x, y)) for x, y in zip(base.ravel().tolist(), exponent.ravel().tolist())]
    return make(a.dtype, np.array(whole, dtype=np.int64).reshape(base.shape))


@op()
def isnan(x):
    return make("bool", np.isnan(x.array))


@op()
def isinf(x):
    return make("bool", np.isinf(x.array))


@op()
def isfinite(x):
    return make("bool", np.isfinite(x.array))


for _name, _function in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
                         "atan2": np.arctan2, "maximum": np.maximum, "minimum": np.minimum,
                         "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or,
                         "bitwise_xor": np.bitwise_xor,
                         "logical_and": np.logical_and, "logical_or": np.logical_or}.items():
    binary(_name, _function)

for _name, _function in {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
                         "gt": np.greater, "ge": np.greater_equal}.items():
    compare(_name, _function)


def floor_division(a, b):
    """Of Python's integers: exact, a quotient by zero is 0."""
    return np.vectorize(lambda x, y: wrap64(x // y) if y else 0, otypes=[np.int64])(
        a.astype(object), b.astype(object)) if a.size and b.size else np.zeros(
            np.broadcast_shapes(a.shape, b.shape), np.int64)


def wrap64(x):
    return (int(x) + 2 ** 63) % 2 ** 64 - 2 ** 63


@op()
def floordiv(a, b):
    if a.is_float:
        # Of the exact quotient: one that rounds to an integer, or to zero, is not yet there.
        finite = np.isfinite(a.array) & np.isfinite(b.array) & (b.array != 0)
        return make(a.dtype, np.where(finite, np.floor_divide(a.array, b.array),
                                      np.floor(a.array / b.array)))
    return make(a.dtype, floor_division(a.array, b.array))


@op()
def mod(a, b):
    if a.is_float:
        # As PyTorch's remainder: a zero keeps the sign of the dividend.
        rest = np.fmod(a.array, b.array)
        other = (rest != 0) & (np.signbit(rest) != np.signbit(b.array))
        return make(a.dtype, np.where(other, rest + b.array, rest))
    quotient = floor_division(a.array, b.array)
    return make(a.dtype, np.where(b.array == 0, 0, a.array - b.array * quotient))


WIDTH = {"i64": 64, "i32": 32, "i16": 16, "i8": 8, "u8": 8}


@op()
def shift_left(a, b):
    inside = (b.array >= 0) & (b.array < WIDTH[a.dtype])
    return make(a.dtype, np.where(inside, a.array << np.where(inside, b.array, 0), 0))


@op()
def shift_right(a, b):
    inside = (b.array >= 0) & (b.array < WIDTH[a.dtype])
    return make(a.dtype, np.where(inside, a.array >> np.where(inside, b.array, 0),
                                  np.where(a.array < 0, -1, 0)))


@op()
def clamp(x, min=-math.inf, max=math.inf):
    low, high = min, max
    if not x.is_float:  # exact beyond 2 ** 53
        limits = np.iinfo(INTEGERS[x.dtype])
        inside = lambda v: int(limits.min if v < limits.min else limits.max if v > limits.max else v)
        low, high = inside(low), inside(high)
    return make(x.dtype, np.minimum(np.maximum(x.array, low), high))


@op()
def where(condition, a, b):
    return make(a.dtype, np.where(condition.array != 0, a.array, b.array))


@op()
def cast(x, dtype):
    if dtype == "bool":
        return make(dtype, x.array != 0)
    if dtype in FLOATS and not x.is_float and dtype != "f64":  # in one rounding
        exact = round_float(dtype, np.asarray(x.array, np.longdouble))
        return Tensor(dtype, np.asarray(exact, np.float64))
    if x.is_float and dtype not in FLOATS:
        limits = np.iinfo(INTEGERS[dtype])
        whole = np.trunc(np.where(np.isnan(x.array), 0, x.array))
        return make(dtype, np.vectorize(lambda v: limits.min if v <= limits.min else limits.max
                                        if v >= limits.max else int(v), otypes=[np.int64])(whole)
                    if whole.size else whole)
    return make(dtype, x.array)


# Many elements to one.

def axes_of(x, axis):
    if axis is None:
        return tuple(range(x.array.ndim))
    return tuple(a % x.array.ndim for a in (axis if isinstance(axis, list) else [axis]))


def reduction(name, function):
    OPS[name] = lambda x, axis=None, keepdims=False: make(
        x.dtype, function(x.array, axis=axes_of(x, axis), keepdims=keepdims))


def log_sum_exp(x, axis, keepdims):
    most = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(most), most, 0)
    result = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return result if keepdims else np.squeeze(result, axis)


for _name, _function in {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min,
                         "mean": np.mean, "var": np.var, "any": np.any, "all": np.all,
                         "logsumexp": log_sum_exp}.items():
    reduction(_name, _function)


def position(name, function):
    def find(x, axis, keepdims=False):
        return make("i64", function(x.array, axis=axis, keepdims=keepdims))
    OPS[name] = find


position("argmax", np.argmax)  # NumPy too takes the first NaN, and the lowest position on ties
position("argmin", np.argmin)


@op()
def softmax(x, axis=-1):
    if x.array.size == 0:
        return x
    e = np.exp(x.array - np.max(x.array, axis=axis, keepdims=True))
    return make(x.dtype, e / np.sum(e, axis=axis, keepdims=True))


@op()
def log_softmax(x, axis=-1):
    if x.array.size == 0:
        return x
    shifted = x.array - np.max(x.array, axis=axis, keepdims=True)
    return make(x.dtype, shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)))
