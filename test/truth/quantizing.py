"""Small integers and scales, as ONNX's QuantizeLinear and DequantizeLinear."""
import numpy as np

from definitions import op
from values import make, round_float


def spread(parameter, x, axis, group):
    """A scale or zero point for each element of x."""
    array, rank = parameter.array, x.array.ndim
    if array.ndim == 0:
        return array
    if group == 0:
        return array.reshape([-1 if i == axis % rank else 1 for i in range(rank)])
    return np.take(array, np.arange(x.array.shape[axis]) // group, axis)


@op()
def quantize(x, scale, zero_point=None, axis=0, group=0, dtype="i8"):
    zero = 0 if zero_point is None else spread(zero_point, x, axis, group)
    low, high = (0, 255) if dtype == "u8" else (-128, 127)
    quotient = x.array / spread(scale, x, axis, group)
    quotient = np.rint(round_float("f64" if x.dtype == "f64" else "f32", quotient))
    steps = np.where(np.isnan(quotient), 0, np.clip(quotient, -1024, 1024)).astype(np.int64)
    return make(dtype, np.clip(steps + zero, low, high))


@op()
def dequantize(x, scale, zero_point=None, axis=0, group=0):
    zero = 0 if zero_point is None else spread(zero_point, x, axis, group)
    return make(scale.dtype, (x.array - zero) * spread(scale, x, axis, group))
