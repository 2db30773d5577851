//===- Quantized.td - numbers as small integers and scales ----------------===//
#ifndef KILN_IR_OPS_QUANTIZED_TD
#define KILN_IR_OPS_QUANTIZED_TD

include "ir/ops/Base.td"

def Kiln_QuantizeOp : Kiln_PrimitiveOp<"quantize",
    "quantize(x, scale, zero_point?, *, axis: axis = 0, group: int = 0, dtype: dtype = i8)", "Pointwise",
    perResult # " * ::kiln::DimExpr(8)"> {
  let summary = "saturate(round(x / scale) + zero_point) in i8 or u8";
  let description = [{
    The quotient is one IEEE division in x's type (f32 for narrower floats), rounded to the nearest integer
    with ties to even; zero_point (0 if absent) is added in integers, and the sum brought into the range of
    `dtype`. NaN gives zero_point. One scale for all of x, or one for each position along `axis`, or with
    `group` > 0 one for each run of that many positions along `axis` and each position of the other
    dimensions: ONNX's QuantizeLinear with its axis and block_size.

    Constraints:
    - quantize-c1: x has a float type and scale the same
    - quantize-c2: `dtype` is i8 or u8, and zero_point's type
    - quantized-c1: `axis` is a dimension of x, and `group` is not negative
    - quantized-c2: scale has no dimension, or without `group` the extent of x along `axis`, or with
      `group` the shape of x with ceil(extent / group) along `axis`
    - quantized-c3: zero_point has the shape of scale

    Example: `%q = kiln.quantize %x, %s {axis = 0 : i64, group = 0 : i64, dtype = i8} : (tensor<4x8xf32>, tensor<4xf32>) -> tensor<4x8xi8>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$scale, Optional<Kiln_Tensor>:$zero_point,
    I64Attr:$axis, I64Attr:$group, TypeAttr:$dtype);
}

def Kiln_DequantizeOp : Kiln_PrimitiveOp<"dequantize",
    "dequantize(x, scale, zero_point?, *, axis: axis = 0, group: int = 0)", "Pointwise",
    perResult # " * ::kiln::DimExpr(2)"> {
  let summary = "(x - zero_point) * scale";
  let description = [{
    The difference is exact, the product rounded once to scale's type. Scales and zero points stand as at
    `kiln.quantize`. ONNX's DequantizeLinear. Of a trained weight it is never evaluated at compile time: x is
    how the weight is stored, and the kernel that reads it widens it.

    Constraints:
    - dequantize-c1: x has type i8 or u8, and so has zero_point
    - dequantize-c2: scale has a float type
    - quantized-c1 to quantized-c3

    Example: `%y = kiln.dequantize %q, %s {axis = 0 : i64, group = 0 : i64} : (tensor<4x8xi8>, tensor<4xf32>) -> tensor<4x8xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$scale, Optional<Kiln_Tensor>:$zero_point,
    I64Attr:$axis, I64Attr:$group);
}

#endif // KILN_IR_OPS_QUANTIZED_TD
