"""The element types that each function of the language is defined on, from its documentation:
transcendental functions and layers take floats, arithmetic takes numbers, logic takes bool.
"""
from values import FLOATS, INTEGERS

WHOLE = {name for name in INTEGERS if name != "bool"}
NUMBERS = set(FLOATS) | WHOLE
OF = {
    "float": """
        acos acosh adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d asin asinh
        atan atan2 atanh attention avg_pool1d avg_pool2d avg_pool3d batch_norm ceil celu
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cos cosh div
        elu embedding_bag erf exp exp2 expm1 floor gelu group_norm hardshrink hardsigmoid
        hardswish instance_norm isfinite isinf isnan layer_norm leaky_relu log log10 log1p
        log2 log_softmax logsigmoid logsumexp mean mish prelu reciprocal rms_norm roi_align rope round
        rsqrt selu sigmoid silu sin sinh softmax softplus softshrink softsign sqrt tan tanh
        trunc var""",
    "integer": "bitwise_and bitwise_or bitwise_xor shift_left shift_right",
    # The cases of full ask for 2 and 3, which are no bool.
    "number": """
        abs adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d add arange argmax
        argmin clamp cumprod cumsum einsum eye floordiv full ge gt index_add index_max
        index_min le lt matmul max max_pool1d max_pool2d max_pool3d maximum min minimum mod mul neg one_hot pow
        prod relu scatter_add scatter_max scatter_min sign sparse_matmul square sub sum""",
    "bool": "all any logical_and logical_not logical_or",
    "any": """
        argsort broadcast_to cast concat embedding eq expand extent flatten flip gather
        gather_nd index_copy interpolate ne nonzero ones pad permute pixel_shuffle pixel_unshuffle
        random.bernoulli random.normal random.uniform reshape roll scatter scatter_nd slice
        sort split squeeze stack take tile topk transpose unique unsqueeze where zeros""",
}
TYPES = {"float": set(FLOATS), "integer": WHOLE, "number": NUMBERS, "bool": {"bool"},
         "any": NUMBERS | {"bool"}}
DOMAIN = {name: TYPES[kind] for kind, names in OF.items() for name in names.split()}
DOMAIN["nms"] = {"f32", "f64"}
DOMAIN["quantize"] = set(FLOATS)
DOMAIN["requantize"] = {"i32", "f32"}  # of sums, or of scales
DOMAIN["qmatmul"] = DOMAIN["qconv2d"] = {"i8", "u8"}
DOMAIN["dequantize"] = set(FLOATS) | {"i8", "u8"}  # of scales, or of what they scale


def difference(name, legal):
    """Empty, or how the types on which cases are legal differ from the domain."""
    if name not in DOMAIN:
        return f"{name} has no domain in domains.py"
    if legal == DOMAIN[name]:
        return ""
    return (f"{name} is defined on {sorted(DOMAIN[name])}, but refused on "
            f"{sorted(DOMAIN[name] - legal)} and taken on {sorted(legal - DOMAIN[name])}")
