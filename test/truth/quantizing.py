"""Small integers and scales, as ONNX's QuantizeLinear and DequantizeLinear."""
import numpy as np

from definitions import op
from values import make, round_float
from windows import each, pads, slide


def spread(parameter, x, axis, group):
    """A scale or zero point for each element of x."""
    array, rank = parameter.array, x.array.ndim
    if array.ndim == 0:
        return array
    if group == 0:
        return array.reshape([-1 if i == axis % rank else 1 for i in range(rank)])
    return np.take(array, np.arange(x.array.shape[axis]) // group, axis)


def saturate(dtype, value, zero):
    low, high = (0, 255) if dtype == "u8" else (-128, 127)
    steps = np.where(np.isnan(value), 0, np.clip(np.rint(value), -1024, 1024)).astype(np.int64)
    return make(dtype, np.clip(steps + zero, low, high))


@op()
def quantize(x, scale, zero_point=None, axis=0, group=0, dtype="i8"):
    zero = 0 if zero_point is None else spread(zero_point, x, axis, group)
    quotient = x.array / spread(scale, x, axis, group)
    return saturate(dtype, round_float("f64" if x.dtype == "f64" else "f32", quotient), zero)


@op()
def requantize(x, scale, zero_point=None, axis=0, dtype="i8"):
    zero = 0 if zero_point is None else spread(zero_point, x, axis, 0)
    value = x.array.astype(np.float32) * spread(scale, x, axis, 0).astype(np.float32)
    return saturate(dtype, value, zero)


@op()
def qmatmul(a, b):
    return make("i32", np.matmul(a.array, b.array))


@op()
def qconv2d(x, weight, stride=1, padding=0, dilation=1, groups=1, border=0):
    """Sums in f64 are exact here: 2^53 is far."""
    stride, dilation = each(stride, 2), each(dilation, 2)
    padding = pads(padding, x.shape[2:], weight.shape[2:], stride, dilation)
    image = np.pad(x.array, [(0, 0), (0, 0)] + padding, constant_values=border)
    return make("i32", slide(image, weight.array, None, stride, dilation, groups))


def parts(x, axis, bits):
    """The numbers of so many bits in the bits of the bytes along the axis, the lowest of the first byte first."""
    raw = np.moveaxis(x.array.astype(np.int64) & 255, axis, -1)
    stream = (raw[..., None] >> np.arange(8) & 1).reshape(*raw.shape[:-1], 8 * raw.shape[-1] // bits, bits)
    number = np.moveaxis((stream << np.arange(bits)).sum(-1), -1, axis)
    return make(x.dtype, np.where(number >> bits - 1, number - 2**bits, number) if x.dtype == "i8" else number)


@op()
def dequantize(x, scale, zero_point=None, axis=0, group=0, bits=8):
    x = x if bits == 8 else parts(x, axis, bits)
    zero = 0 if zero_point is None else spread(zero_point, x, axis, group)
    return make(scale.dtype, (x.array - zero) * spread(scale, x, axis, group))
