#!/usr/bin/env python3
"""Writes Inputs/pytorch.npz: calls of the language's functions beside what PyTorch 2.15 (PyPI's torch
2.15.0 and torchvision 0.29.2, on a processor) gives for them.

  python3 test/truth/make_pytorch.py     # needs torch, torchvision and numpy; the tests need none of them

The .npz holds the calls as a model's text ("meta.model"), its parameters, PyTorch's results
("out.CASE") and version ("meta.version"). To add a case: a `case(...)`, and run this again.
"""
import os

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.ops import roi_align

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Inputs")
INF, NAN = float("inf"), float("nan")
DTYPES = {torch.float64: "f64", torch.int32: "i32", torch.int64: "i64", torch.int8: "i8",
          torch.uint8: "u8", torch.bool: "bool"}
torch.manual_seed(1)


def random(*shape):
    """Values of few digits, which compress well."""
    return torch.round(torch.randn(*shape, dtype=torch.float64) * 64) / 32


def ints(dtype, *values):
    return torch.tensor(values, dtype=dtype)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.75, -4.25, 1e-3, 30.0, -30.0, 800.0,
           -800.0, 1e-310, 1.7e308, -1.7e308, INF, -INF, NAN]
holed = random(2, 3, 7, 9)
holed[0, 1, 2, 3], holed[1, 2, 6, 8], holed[1, 0, 0, 0] = NAN, INF, -INF
i8s = [0, 1, -1, 5, -5, 7, -7, 127, -128, 100]
IN = {
    "special": torch.tensor(SPECIAL, dtype=torch.float64),
    "left": torch.tensor(SPECIAL, dtype=torch.float64).repeat_interleave(len(SPECIAL)),
    "right": torch.tensor(SPECIAL, dtype=torch.float64).repeat(len(SPECIAL)),
    "plain": random(40),
    "i8a": ints(torch.int8, *i8s).repeat_interleave(len(i8s)),
    "i8b": ints(torch.int8, *i8s).repeat(len(i8s)),
    "i8c": ints(torch.int8, *[v or 3 for v in i8s]).repeat(len(i8s)),
    "bits": ints(torch.int32, 0, 1, -1, 2 ** 31 - 1, -2 ** 31, 12345, -54321),
    "wide": ints(torch.int64, 0, -1, 2 ** 62 + 1, 2 ** 63 - 1, -2 ** 63, 2 ** 53 + 1, 300, -200,
                 2 ** 54 + 2 ** 30 + 1, -(2 ** 54 + 2 ** 30 + 1)),
    "x": random(2, 4, 9, 8), "holed": holed,
    "w": random(6, 4, 3, 3), "wg": random(6, 2, 3, 2), "wd": random(8, 1, 3, 3), "b": random(6),
    "s": random(2, 4, 11), "ws": random(6, 4, 3), "wsg": random(6, 2, 2), "v": random(1, 4, 3, 5, 6),
    "wv": random(6, 4, 2, 3, 2), "wvg": random(2, 2, 1, 2, 3), "wt1": random(4, 3, 4),
    "wt2": random(4, 3, 3, 2), "wt3": random(4, 3, 2, 3, 1),
    "mean": random(4), "var": random(4).abs() + 0.125, "scale": random(4), "shift": random(4),
    "a3": random(3, 5, 4), "b3": random(3, 4, 6), "b2": random(4, 6),
    "a4": random(2, 1, 5, 4), "b4": random(3, 4, 2),
    "rows": torch.tensor([[1, 2, 3, 2], [3, 3, 1, 0], [NAN, 1, NAN, 2], [-INF] * 4,
                          [INF, 1, 2, 3], [700, -700, 1, 0]], dtype=torch.float64),
    "w8": random(8), "b8": random(8),
    "flags": torch.tensor([[True, False, False], [False] * 3, [True] * 3]),
    "ties": torch.tensor([[1, 0, 1, -0.0], [2, 0, 1, 0]], dtype=torch.float64),
    "row": ints(torch.int64, 0, 3, 1, 4, 5, 4), "places": ints(torch.int64, 0, 3, 3, 4, 0, 1, 2), "half": random(3, 2, 4), "src": random(3, 7, 4),
    "query": random(2, 4, 3, 6) * 0.5, "key": random(2, 4, 5, 6) * 0.5, "value": random(2, 4, 5, 3),
    "key2": random(2, 2, 5, 6) * 0.5, "value2": random(2, 2, 5, 3), "bias": random(4, 3, 5),
    "open": torch.rand(2, 1, 3, 5) < 0.6, "bags": ints(torch.int64, 0, 2, 2, 5),
    "ids": torch.tensor([[1, 2, 0], [3, 3, 1]]), "perid": random(2, 3), "p1": random(1), "square": random(4, 4),
    "at": torch.tensor([[[3, 0], [1, 2]], [[2, 3], [0, 1]]]), "b3at": random(2, 2, 2),
    "boxes": torch.tensor([[0, 1, 1, 5, 6], [1, 0.25, -1.5, 9.5, 12], [0, 3, 4, 3.25, 4], [1, -3, 2, 2.5, 3],
                           [1, 4, 6, 1, 2], [0, 20, 20, 30, 30]], dtype=torch.float64),
}

CASES = {}  # name -> (call, result, whether units are of the largest element of the result)


def case(name, call, result, sums=False):
    CASES[name] = (call, result.contiguous(), sums)


def named(text):
    """A call on operands by their names."""
    return text.replace("$", "self.")


def strided(values):
    """So that PyTorch takes its scalar remainder: the vectorised one gives NaN for large quotients."""
    return torch.stack([values, values], 1)[:, 0]


def elementwise():
    s = IN["special"]
    for name, function in {
            "neg": torch.neg, "abs": torch.abs, "sign": torch.sign, "exp": torch.exp,
            "log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "tanh": torch.tanh,
            "reciprocal": torch.reciprocal, "sigmoid": torch.sigmoid, "erf": torch.erf,
            "relu": torch.relu, "silu": F.silu, "round": torch.round, "floor": torch.floor,
            "ceil": torch.ceil, "isnan": torch.isnan, "isinf": torch.isinf,
            "isfinite": torch.isfinite, "expm1": torch.expm1}.items():
        # torch.sign gives 0 for NaN; the array API standard and NumPy give NaN, as Kiln.
        result = torch.where(torch.isnan(s), s, torch.sign(s)) if name == "sign" else function(s)
        case(name, f"{name}($special)", result)
    # Below 1e307, where PyTorch's vectorised log1p begins to give infinity.
    case("log1p", "log1p(clamp($special, max = 1000))", torch.log1p(torch.clamp(s, max=1000)))
    case("sin", "sin($plain)", torch.sin(IN["plain"]))
    case("cos", "cos($plain)", torch.cos(IN["plain"]))
    plain = IN["plain"]
    for name, function in {
            "tan": torch.tan, "atan": torch.atan, "sinh": torch.sinh, "cosh": torch.cosh,
            "asinh": torch.asinh, "exp2": torch.exp2, "trunc": torch.trunc,
            "square": torch.square, "leaky_relu": F.leaky_relu, "elu": F.elu, "celu": F.celu,
            "selu": F.selu, "softplus": F.softplus, "mish": F.mish,
            "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish, "softsign": F.softsign,
            "logsigmoid": F.logsigmoid, "softshrink": F.softshrink,
            "hardshrink": F.hardshrink}.items():
        case(name, f"{name}($plain)", function(plain))
    for name, function in {"asin": torch.asin, "acos": torch.acos, "atanh": torch.atanh}.items():
        case(name, f"{name}($plain * 0.25)", function(plain * 0.25))
    for name, function in {"acosh": torch.acosh, "log2": torch.log2,
                           "log10": torch.log10}.items():
        case(name, f"{name}(abs($plain) + 1.0)", function(plain.abs() + 1))
    case("elu_alpha", "elu($plain, 0.3)", F.elu(plain, 0.3))
    case("celu_alpha", "celu($plain, 0.3)", F.celu(plain, 0.3))
    case("leaky_relu_slope", "leaky_relu($plain, 0.2)", F.leaky_relu(plain, 0.2))
    case("softplus_beta", "softplus($plain, 0.7, 1.5)", F.softplus(plain, 0.7, 1.5))
    case("gelu", "gelu($plain)", F.gelu(IN["plain"]), True)
    case("gelu_tanh", 'gelu($plain, approximate = "tanh")',
         F.gelu(IN["plain"], approximate="tanh"), True)
    case("clamp", "clamp($special, min = -2.5, max = 6)", torch.clamp(s, -2.5, 6))
    case("clamp_tensors", "clamp($left, min = $right, max = flip($left, 0))",
         torch.clamp(IN["left"], IN["right"], IN["left"].flip(0)))
    case("max_two", "max($left, $right)", torch.max(IN["left"], IN["right"]))
    case("min_two", "min($left, $right)", torch.min(IN["left"], IN["right"]))
    case("clamp_rows", "clamp($rows, max = $rows[0])", torch.clamp(IN["rows"], max=IN["rows"][0]))
    a, b = IN["left"], IN["right"]
    for name, function in {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
                           "pow": torch.pow, "atan2": torch.atan2, "maximum": torch.maximum, "minimum": torch.minimum,
                           "eq": torch.eq, "ne": torch.ne, "lt": torch.lt,
                           "le": torch.le, "gt": torch.gt, "ge": torch.ge}.items():
        case(name, f"{name}($left, $right)", function(a, b))
    case("mod", "mod($left, $right)", torch.remainder(strided(a), strided(b)))
    case("where", "where(lt($left, $right), $left, $right)", torch.where(a < b, a, b))


def integers():
    a, b, c = IN["i8a"], IN["i8b"], IN["i8c"]
    for name, function in {"add": torch.add, "sub": torch.sub, "mul": torch.mul,
                           "maximum": torch.maximum, "bitwise_and": torch.bitwise_and,
                           "bitwise_or": torch.bitwise_or, "bitwise_xor": torch.bitwise_xor,
                           "lt": torch.lt}.items():
        case(name + "_i8", f"{name}($i8a, $i8b)", function(a, b))
    # PyTorch raises an error for a zero divisor.
    case("floordiv_i8", "floordiv($i8a, $i8c)", torch.div(a, c, rounding_mode="floor"))
    case("mod_i8", "mod($i8a, $i8c)", torch.remainder(a, c))
    case("pow_i8", "pow($i8a, abs($i8b))", torch.pow(a.long(), b.abs().long()).to(torch.int8))
    case("neg_i8", "neg($i8a)", torch.neg(a))
    case("abs_i8", "abs($i8a)", torch.abs(a))
    case("shift_left", "shift_left($bits, full([7], 4, dtype = i32))", IN["bits"] << 4)
    case("shift_right", "shift_right($bits, full([7], 4, dtype = i32))", IN["bits"] >> 4)
    case("cast_u8", "cast($wide, u8)", IN["wide"].to(torch.uint8))
    case("cast_i32", "cast($wide, i32)", IN["wide"].to(torch.int32))
    case("cast_f64", "cast($wide, f64)", IN["wide"].to(torch.float64))
    case("cast_f32", "cast(cast($wide, f32), f64)", IN["wide"].to(torch.float32).double())
    case("cast_f16", "cast(cast($special, f16), f64)", IN["special"].to(torch.float16).double())
    case("cast_bf16", "cast(cast($special, bf16), f64)",
         IN["special"].to(torch.bfloat16).double())
    case("cast_bool", "cast($special, bool)", IN["special"].to(torch.bool))
    case("cast_trunc", "cast($plain, i32)", IN["plain"].to(torch.int32))
    case("sum_i8", "sum($i8a)", torch.sum(a).to(torch.int8))


def layers():
    x, w, wg, b = (IN[name] for name in ("x", "w", "wg", "b"))
    for name, call, result in [
            ("conv", "$x, $w", F.conv2d(x, w)),
            ("conv_bias", "$x, $w, $b, padding = 1", F.conv2d(x, w, b, padding=1)),
            ("conv_stride", "$x, $w, $b, stride = [2, 3], padding = [1, 2]",
             F.conv2d(x, w, b, stride=(2, 3), padding=(1, 2))),
            ("conv_dilation", "$x, $w, dilation = [2, 1], padding = [2, 0]",
             F.conv2d(x, w, dilation=(2, 1), padding=(2, 0))),
            ("conv_groups", "$x, $wg, $b, groups = 2, stride = 2, padding = [1, 0]",
             F.conv2d(x, wg, b, groups=2, stride=2, padding=(1, 0))),
            ("conv_depthwise", "$x, $wd, groups = 4, padding = 2, dilation = 2",
             F.conv2d(x, IN["wd"], groups=4, padding=2, dilation=2))]:
        case(name, f"conv2d({call})", result, True)
    sides = F.conv2d(F.pad(x, (2, 0, 0, 3)), w, stride=2)
    case("conv_sides", "conv2d($x, $w, padding = [[0, 3], [2, 0]], stride = 2)", sides, True)
    stats = [IN["mean"], IN["var"]]
    case("norm", "batch_norm($x, $mean, $var)", F.batch_norm(x, *stats), True)
    case("norm_affine", "batch_norm($x, $mean, $var, $scale, $shift, eps = 0.1)",
         F.batch_norm(x, *stats, IN["scale"], IN["shift"], eps=0.1), True)
    case("layer_norm", "layer_norm($x, $w8, $b8, eps = 0.01)",
         F.layer_norm(x, (8,), IN["w8"], IN["b8"], 0.01), True)
    case("layer_norm_plain", "layer_norm($x)", F.layer_norm(x, (8,)), True)
    case("group_norm", "group_norm($x, 2, $scale, $shift)",
         F.group_norm(x, 2, IN["scale"], IN["shift"]), True)
    case("instance_norm", "instance_norm($x)", F.instance_norm(x), True)
    case("matmul", "matmul($a3, $b3)", IN["a3"] @ IN["b3"], True)
    case("matmul_one", "matmul($a3, $b2)", IN["a3"] @ IN["b2"], True)
    case("matmul_spread", "matmul($a4, $b4)", IN["a4"] @ IN["b4"], True)


def convolutions():
    """Those of signals and volumes, and transposed ones."""
    for name, call, function, words in [
            ("conv1", "$s, $ws, $b", F.conv1d, {}),
            ("conv1_all", "$s, $ws", F.conv1d, {"stride": 2, "padding": 3, "dilation": 2}),
            ("conv1_groups", "$s, $wsg, $b", F.conv1d, {"groups": 2, "padding": 1}),
            ("conv3", "$v, $wv, $b", F.conv3d, {"padding": [1, 0, 1]}),
            ("conv3_all", "$v, $wvg", F.conv3d,
             {"stride": [1, 2, 3], "dilation": [1, 2, 1], "padding": [0, 1, 2], "groups": 2}),
            ("grow1", "$s, $wt1", F.conv_transpose1d, {}),
            ("grow1_all", "$s, $wt1, $b", F.conv_transpose1d,
             {"stride": 3, "padding": 4, "output_padding": 2, "groups": 2, "dilation": 2}),
            ("grow2", "$x, $wt2", F.conv_transpose2d, {"stride": 2}),
            ("grow2_all", "$x, $wt2, $b", F.conv_transpose2d,
             {"stride": [1, 2], "padding": [2, 1], "output_padding": [2, 1], "groups": 2,
              "dilation": [3, 1]}),
            ("grow3", "$v, $wt3, $b", F.conv_transpose3d,
             {"stride": [2, 1, 2], "padding": [0, 1, 2], "output_padding": [1, 0, 1], "groups": 2})]:
        operands = [IN[operand.strip(" $")] for operand in call.split(",")]
        grouped = function(*operands, **words)
        case(name, f"{function.__name__}({call}" +
             "".join(f", {word} = {value}" for word, value in words.items()) + ")", grouped, True)


def pools():
    x, holed = IN["x"], IN["holed"]
    plain = [(3, 2, 1), (2, None, 0), ([3, 2], [2, 1], [1, 0]), (3, 3, 1), ([2, 5], [3, 2], [0, 2])]
    for number, (kernel, stride, padding) in enumerate(plain):
        for ceil in (False, True):
            words = f"{kernel}" + (f", {stride}" if stride else "") + \
                f", padding = {padding}, ceil_mode = {str(ceil).lower()}"
            suffix = f"{number}{'_ceil' if ceil else ''}"
            case("max_pool" + suffix, f"max_pool2d($holed, {words})",
                 F.max_pool2d(holed, kernel, stride, padding, ceil_mode=ceil))
            case("avg_pool" + suffix, f"avg_pool2d($x, {words})",
                 F.avg_pool2d(x, kernel, stride, padding, ceil_mode=ceil), True)
            case("avg_inside" + suffix, f"avg_pool2d($x, {words}, count_include_pad = false)",
                 F.avg_pool2d(x, kernel, stride, padding, ceil_mode=ceil,
                              count_include_pad=False), True)
    # An image smaller than the window.
    for kernel, stride in ((3, 2), ([5, 3], 4)):
        words = f"{kernel}, {stride}, ceil_mode = true"
        case(f"max_small{stride}", f"max_pool2d($x[:, :, :2, :2], {words})",
             F.max_pool2d(x[:, :, :2, :2], kernel, stride, ceil_mode=True))
        case(f"avg_small{stride}", f"avg_pool2d($x[:, :, :2, :2], {words})",
             F.avg_pool2d(x[:, :, :2, :2], kernel, stride, ceil_mode=True), True)
    case("max_dilated", "max_pool2d($holed, 3, 2, padding = 1, dilation = 2)",
         F.max_pool2d(holed, 3, 2, 1, dilation=2))
    case("max_dilated_ceil", "max_pool2d($x, [2, 3], 2, dilation = [3, 2], ceil_mode = true)",
         F.max_pool2d(x, (2, 3), 2, dilation=(3, 2), ceil_mode=True))
    for rank, image in ((1, IN["s"]), (3, IN["v"])):
        for number, words in enumerate([
                {"kernel_size": 3}, {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
                {"kernel_size": 2, "stride": 3, "ceil_mode": True}]):
            listed = ", ".join(f"{w} = {str(v).lower()}" for w, v in words.items())
            for kind, more in (("max", {"dilation": 1}), ("avg", {"count_include_pad": False})):
                function = getattr(F, f"{kind}_pool{rank}d")
                operand = "s" if rank == 1 else "v"
                for extra in ({}, more):
                    name = f"{kind}{rank}_{number}{'_more' if extra else ''}"
                    tail = "".join(f", {w} = {str(v).lower()}" for w, v in extra.items())
                    case(name, f"{kind}_pool{rank}d(${operand}, {listed}{tail})",
                         function(image, **words, **extra), kind == "avg")
        for kind in ("max", "avg"):
            for number, size in enumerate([1, 2, [3, 4, 5][:rank], 7]):
                result = getattr(F, f"adaptive_{kind}_pool{rank}d")(image, size)
                case(f"adaptive_{kind}{rank}_{number}",
                     f"adaptive_{kind}_pool{rank}d(${'s' if rank == 1 else 'v'}, {size})", result,
                     kind == "avg")
    for size in (1, [2, 3], [9, 5]):
        case("adaptive_max" + "_".join(map(str, np.ravel(size))), f"adaptive_max_pool2d($holed, {size})",
             F.adaptive_max_pool2d(holed, size))
    for size in (1, [2, 3], [4, 5], [9, 8], [11, 3]):
        name = "adaptive" + "_".join(map(str, np.ravel(size)))
        case(name, f"adaptive_avg_pool2d($x, {size})",
             F.adaptive_avg_pool2d(x, tuple(size) if isinstance(size, list) else size), True)


def reductions():
    rows, x = IN["rows"], IN["x"]
    for axis in (0, 1):
        case(f"softmax{axis}", f"softmax($rows, axis = {axis})", torch.softmax(rows, axis))
        case(f"log_softmax{axis}", f"log_softmax($rows, axis = {axis})",
             torch.log_softmax(rows, axis), True)
        case(f"logsumexp{axis}", f"logsumexp($rows, {axis})", torch.logsumexp(rows, axis))
        case(f"argmax{axis}", f"argmax($rows, {axis})", torch.argmax(rows, axis))
        case(f"argmin{axis}", f"argmin($rows, {axis})", torch.argmin(rows, axis))
        case(f"max{axis}", f"max($rows, {axis})", torch.amax(rows, axis))
        case(f"min{axis}", f"min($rows, {axis}, keepdims = true)",
             torch.amin(rows, axis, keepdim=True))
        case(f"any{axis}", f"any($flags, {axis})", torch.any(IN["flags"], axis))
        case(f"all{axis}", f"all($flags, {axis})", torch.all(IN["flags"], axis))
    case("softmax_x", "softmax($x, axis = 1)", torch.softmax(x, 1))
    for name, function in {"sum": torch.sum, "mean": torch.mean}.items():
        case(name + "_x", f"{name}($x, [1, 3])", function(x, (1, 3)), True)
        case(name + "_rows", f"{name}($rows, 1)", function(rows, 1), True)
    case("prod_x", "prod($x, 2)", torch.prod(x, 2), True)
    case("var_x", "var($x, [0, 2], keepdims = true)",
         torch.var(x, (0, 2), unbiased=False, keepdim=True), True)
    case("var_one", "var($x, 1)", torch.var(x, 1, unbiased=False), True)


def shapes():
    x = IN["x"]
    case("permute", "permute($x, [2, 0, 3, 1])", x.permute(2, 0, 3, 1))
    case("transpose", "transpose($x)", x.transpose(-1, -2))
    case("flatten", "flatten($x, 1, 2)", torch.flatten(x, 1, 2))
    case("unsqueeze", "unsqueeze($b2, -1)", IN["b2"].unsqueeze(-1))
    case("roll", "roll($b2, -5, axis = 1)", torch.roll(IN["b2"], -5, 1))
    case("flip", "flip($x, [0, 2])", torch.flip(x, (0, 2)))
    case("tile", "tile($b2, [2, 3])", torch.tile(IN["b2"], (2, 3)))
    case("expand", "expand($b, [2, 3, -1])", IN["b"].expand(2, 3, -1))
    case("tile_front", "tile($b2, 3)", torch.tile(IN["b2"], (3,)))
    case("tile_more", "tile($b2, [2, 1, 3])", IN["b2"].repeat(2, 1, 3))
    case("roll_two", "roll($x, [3, -2], axis = [1, -1])", torch.roll(x, (3, -2), (1, -1)))
    case("stack", "stack([$b2, $b2], axis = 1)", torch.stack([IN["b2"]] * 2, 1))
    case("concat", "concat([$x, $x], axis = -2)", torch.cat([x, x], -2))
    case("pad", "pad($b2, [[1, 2], [0, 3]], value = 7)",
         F.pad(IN["b2"], (0, 3, 1, 2), value=7))


def borders():
    for name, operand, sides, words in [
            ("reflect", "b2", (5, 1, 3, 0), "[[3, 0], [5, 1]]"),
            ("replicate", "s", (4, 13), "[[0, 0], [0, 0], [4, 13]]"),
            ("circular", "s", (11, 2), "[[0, 0], [0, 0], [11, 2]]"),
            ("reflect", "x", (7, 0, 2, 8), "[[0, 0], [0, 0], [2, 8], [7, 0]]"),
            ("replicate", "v", (0, 1, 9, 2, 3, 0), "[[0, 0], [0, 0], [3, 0], [9, 2], [0, 1]]"),
            ("circular", "holed", (3, 9, 7, 1), "[[0, 0], [0, 0], [7, 1], [3, 9]]")]:
        lead = (None, None) if operand == "b2" else ()  # PyTorch wants a batch and channels
        result = F.pad(IN[operand][lead], sides, mode=name)
        result = result[0, 0] if lead else result
        case(f"{name}_{operand}", f'pad(${operand}, {words}, mode = "{name}")', result)


def resizes():
    for number, (operand, mode, align, size, factor) in enumerate([
            ("s", "nearest", None, [5], None), ("x", "nearest", None, [4, 13], None),
            ("x", "nearest", None, None, [2, 3]), ("v", "nearest", None, None, 2),
            ("holed", "nearest", None, None, [0.5, 1.5]), ("x", "nearest-exact", None, [13, 5], None),
            ("s", "linear", False, [7], None), ("s", "linear", True, [1], None),
            ("s", "linear", True, [23], None), ("s", "linear", False, None, 2.5),
            ("x", "bilinear", False, [4, 13], None), ("x", "bilinear", True, [5, 20], None),
            ("x", "bilinear", False, None, 2), ("x", "bilinear", False, None, [0.75, 1.7]),
            ("x", "bilinear", True, None, [0.75, 1.7]), ("v", "trilinear", False, [5, 3, 12], None),
            ("v", "trilinear", True, None, 1.5), ("x", "bicubic", False, [13, 3], None),
            ("x", "bicubic", True, [4, 11], None), ("x", "bicubic", False, None, [2, 0.6])]):
        words = {"size": size, "scale_factor": factor, "mode": f'"{mode}"',
                 "align_corners": str(align).lower() if align is not None else None}
        said = "".join(f", {k} = {v}" for k, v in words.items() if v is not None)
        result = F.interpolate(IN[operand], size=tuple(size) if size else None,
                               scale_factor=tuple(factor) if isinstance(factor, list) else factor,
                               mode=mode, align_corners=align)
        case(f"resize{number}", f"interpolate(${operand}{said})", result, mode != "nearest")
    case("shuffle", "pixel_shuffle($x, 2)", F.pixel_shuffle(IN["x"], 2))
    case("unshuffle", "pixel_unshuffle($w, 3)", F.pixel_unshuffle(IN["w"], 3))


def positions():
    """Elements in order and at computed positions."""
    rows, x, half = IN["rows"], IN["a3"], IN["ties"]
    for axis in (0, 1):
        for down in (False, True):
            name, words = f"{axis}{down:d}", f"axis = {axis}, descending = {str(down).lower()}"
            case("argsort" + name, f"argsort($rows, {words})",
                 torch.argsort(rows, dim=axis, descending=down, stable=True))
            case("argsort_ties" + name, f"argsort($ties, {words})",
                 torch.argsort(half, dim=axis, descending=down, stable=True))
        case(f"cumsum{axis}", f"cumsum($rows, {axis})", torch.cumsum(rows, axis))
        case(f"cumprod{axis}", f"cumprod($a3, {axis})", torch.cumprod(x, axis))
    case("take", "take($a3, $places, axis = 1)", x[:, IN["places"]])
    case("index_copy", "index_copy($a3, arange(2) + 2, $half, axis = 1)",
         torch.index_copy(x, 1, torch.tensor([2, 3]), IN["half"]))
    many = IN["places"]
    case("index_add", "index_add($a3, $places, $src, axis = 1)",
         torch.index_add(x, 1, many, IN["src"]))
    case("gather", "gather($a3, $at, axis = 2)", torch.gather(x, 2, IN["at"]))
    case("scatter", "scatter($a3, $at, $b3at, axis = 2)", torch.scatter(x, 2, IN["at"], IN["b3at"]))
    case("scatter_add", "scatter_add($a3, $at, $b3at, axis = 2)",
         torch.scatter_add(x, 2, IN["at"], IN["b3at"]))
    for name in ("max", "min"):
        case("index_" + name, f"index_{name}($a3, $places, $src, axis = 1)",
             torch.index_reduce(x, 1, many, IN["src"], "a" + name))
        case("scatter_" + name, f"scatter_{name}($a3, $at, $b3at, axis = 2)",
             torch.scatter_reduce(x, 2, IN["at"], IN["b3at"], "a" + name))
        case(f"index_{name}_nan", f"index_{name}($rows, $row, $rows)",
             torch.index_reduce(rows, 0, IN["row"], rows, "a" + name))


def attentions():
    q, k, v, k2, v2, bias = (IN[n] for n in ("query", "key", "value", "key2", "value2", "bias"))
    function = F.scaled_dot_product_attention
    square = function(k, k, v, is_causal=True)
    case("attention", "attention($query, $key, $value)", function(q, k, v), True)
    case("attention_groups", "attention($query, $key2, $value2, scale = 0.25)",
         function(q, k2, v2, scale=0.25, enable_gqa=True), True)
    case("attention_bias", "attention($query, $key, $value, $bias)", function(q, k, v, bias), True)
    case("attention_bool", "attention($query, $key, $value, $open)",
         torch.nan_to_num(function(q, k, v, IN["open"])), True)
    case("attention_causal", "attention($key, $key, $value, causal = true)", square, True)
    case("attention_one_head", "attention($query[0], $key[0], $value[0], $bias[0], scale = 0.5)",
         function(q[0], k[0], v[0], bias[0], scale=0.5), True)
    case("attention_one_row", "attention($key[0, 0], $key[0, 0], $value[0, 0], causal = true)",
         function(k[0, 0], k[0, 0], v[0, 0], is_causal=True), True)
    # The last queries of a causal square, as a cache of keys leaves them.
    case("attention_last", "attention(slice($key, [0, 0, 3, 0], [2, 4, 2, 6]), $key, $value, causal = true)",
         square[:, :, 3:], True)
    case("attention_length", "attention($query, $key, $value, key_length = 4)",
         function(q, k[:, :, :4], v[:, :, :4]), True)


def sums():
    for number, (equation, *names) in enumerate([
            ("nij,njk->nik", "a3", "b3"), ("nij,jk", "a3", "b2"), ("nij->jn", "a3"), ("nij->", "a3"),
            ("...ij,...jk->...ik", "a4", "b4"), ("nij,njk,jk->ki", "a3", "b3", "b2"),
            ("abcd,abcd->ab", "x", "x"), ("i,j", "w8", "b"), ("ii->i", "square"), ("ii", "square"),
            ("abij,abij->ijab", "x", "x"),
            ("nchw,c->nhw", "x", "scale"), ("ij,ij,ij->j", "b2", "b2", "b2")]):
        operands = [IN[name] for name in names]
        case(f"einsum{number}", f'einsum("{equation}", {", ".join("$" + name for name in names)})',
             torch.einsum(equation, *operands), True)
    table, ids, flat = IN["b2"], IN["ids"], IN["ids"].reshape(-1)
    for mode in ("sum", "mean", "max"):
        case(f"bag_{mode}", f'embedding_bag($ids, $b2, mode = "{mode}")',
             F.embedding_bag(ids, table, mode=mode), True)
        case(f"bags_{mode}", f'embedding_bag(flatten($ids), $b2, $bags, mode = "{mode}")',
             F.embedding_bag(flat, table, IN["bags"], mode=mode), True)
    case("bag_weights", 'embedding_bag($ids, $b2, per_sample_weights = $perid, mode = "sum")',
         F.embedding_bag(ids, table, mode="sum", per_sample_weights=IN["perid"]), True)
    case("prelu", "prelu($x, $scale)", F.prelu(IN["x"], IN["scale"]))
    case("prelu_one", "prelu($special, $p1)", F.prelu(IN["special"], IN["p1"]))


def boxes():
    """Inside, over the borders, thin, reversed and far away."""
    for number, (size, scale, ratio, aligned) in enumerate([
            ([2, 3], 1.0, 2, False), ([3, 1], 0.75, 1, True), ([2, 2], 1.5, 3, True), ([4, 4], 0.5, 2, False)]):
        case(f"roi_align{number}", f"roi_align($x, $boxes, {size}, {scale}, {ratio}, {str(aligned).lower()})",
             roi_align(IN["x"], IN["boxes"], size, scale, ratio, aligned), True)


def typeOf(tensor):
    return DTYPES[tensor.dtype] + (f"{list(tensor.shape)}")


def model():
    """All calls as a model of a few entry points."""
    lines = ["model PyTorch() {", '  ignore "out.*"', '  ignore "meta.*"']
    lines += ["  param " + name + ": " + typeOf(tensor) for name, tensor in IN.items()]
    names = list(CASES)
    for begin in range(0, len(names), 16):
        part = names[begin:begin + 16]
        lines.append(f"  fn part{begin // 16}() -> (")
        lines.append(",\n".join(f"    r_{n}: {typeOf(CASES[n][1])}" for n in part))
        lines.append("  ) {\n    return " +
                     ",\n      ".join(CASES[n][0].replace("$", "self.") for n in part) + "\n  }")
    return "\n".join(lines + ["}", ""])


def write():
    def text(words):
        return np.array(list(words.encode()), dtype=np.uint8)
    arrays = {name: np.array(t.tolist(), dtype=str(t.dtype).split(".")[1]).reshape(t.shape)
              for name, t in [*IN.items(), *(("out." + n, c[1]) for n, c in CASES.items())]}
    arrays["meta.version"], arrays["meta.model"] = text(torch.__version__), text(model())
    arrays["meta.sums"] = np.array([c[2] for c in CASES.values()])
    np.savez_compressed(os.path.join(HERE, "pytorch.npz"), **arrays)


for part in (elementwise, integers, layers, convolutions, pools, reductions, shapes, borders, resizes,
             positions, attentions, sums, boxes):
    part()
write()
print(len(CASES), "cases by PyTorch", torch.__version__)
