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
    "dequantize(x, scale, zero_point?, *, axis: axis = 0, group: int = 0, bits: int = 8)", "Pointwise",
    perResult # " * ::kiln::DimExpr(2)"> {
  let summary = "(x - zero_point) * scale";
  let description = [{
    The difference is exact, the product rounded once to scale's type. Scales and zero points stand as at
    `kiln.quantize`. ONNX's DequantizeLinear. Of a trained weight it is never evaluated at compile time: x is
    how the weight is stored, and the kernel that reads it widens it.

    With `bits` = 4 a byte of x holds two neighbours along `axis`, with 3 three bytes hold eight, from their lowest bits on:
    in -8 … 7 and -4 … 3 (two's complement) of i8, in 0 … 15 and 0 … 7 of u8. The result is longer along
    `axis`; `group` counts its positions, and zero points are whole bytes.

    Constraints:
    - dequantize-c1: x has type i8 or u8, and so has zero_point
    - dequantize-c2: scale has a float type
    - dequantize-c3: `bits` is 8, 4 or 3; if 4 or 3, `axis` is a dimension of x, and with 3 a multiple of 3 long
    - quantized-c1 to quantized-c3, of the shape of the result

    Example: `%y = kiln.dequantize %q, %s {axis = 0 : i64, group = 0 : i64} : (tensor<4x8xi8>, tensor<4xf32>) -> tensor<4x8xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$scale, Optional<Kiln_Tensor>:$zero_point,
    I64Attr:$axis, I64Attr:$group, DefaultValuedAttr<I64Attr, "8">:$bits);
}

def Kiln_RequantizeOp : Kiln_PrimitiveOp<"requantize",
    "requantize(x, scale, zero_point?, *, axis: axis = 0, dtype: dtype = i8)", "Pointwise",
    perResult # " * ::kiln::DimExpr(8)"> {
  let summary = "saturate(round(f32(x) * scale) + zero_point) in i8 or u8";
  let description = [{
    A sum of products in i32 as a small integer: x rounded to f32, one IEEE multiplication in f32, the product
    rounded to the nearest integer with ties to even; zero_point (0 if absent) is added in integers, and the
    sum brought into the range of `dtype`. NaN gives zero_point. The step behind an integer contraction of
    Jacob et al. (arXiv 1712.05877), and of ONNX's QLinearMatMul and QLinearConv with a factor in f32.

    Constraints:
    - requantize-c1: x has type i32 and scale f32
    - requantize-c2: `dtype` is i8 or u8, and zero_point's type
    - quantized-c1 to quantized-c3, without groups

    Example: `%q = kiln.requantize %x, %s {axis = 1 : i64, dtype = i8} : (tensor<4x8xi32>, tensor<8xf32>) -> tensor<4x8xi8>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$scale, Optional<Kiln_Tensor>:$zero_point,
    I64Attr:$axis, TypeAttr:$dtype);
}

def Kiln_QMatmulOp : Kiln_PrimitiveOp<"qmatmul", "qmatmul(a, b)", "Contraction", "flops()"> {
  let summary = "the matrix product of small integers, in i32";
  let description = [{
    As `kiln.matmul`, whose shapes and `transpose_b` it has: the products are exact, and their sum wraps at 32
    bits. ONNX's MatMulInteger without zero points, which are a row and a column to subtract.

    Constraints:
    - qmatmul-c1: a has type i8 or u8, and b i8
    - matmul-c2, matmul-c3

    Example: `%c = kiln.qmatmul %a, %b : (tensor<2x3xui8>, tensor<3x4xi8>) -> tensor<2x4xi32>`
  }];
  let arguments = (ins Kiln_Tensor:$a, Kiln_Tensor:$b, UnitAttr:$transpose_b);
  let hasCanonicalizer = 1;
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

def Kiln_QConv2dOp : Kiln_PrimitiveOp<"qconv2d",
    "qconv2d(x, weight, *, stride: pair = 1, padding: padding = 0, dilation: pair = 1, groups: int = 1, border: int = 0)",
    "Convolution", "flops()",
    [DeclareOpInterfaceMethods<Kiln_Requiring>, DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "the 2-D convolution of images of small integers, in i32";
  let description = [{
    As `kiln.conv2d` without bias, whose attributes it has: the products are exact, and their sum wraps at 32
    bits. The padding holds `border`: the number that stands for zero. ONNX's ConvInteger pads with its zero point.

    Constraints:
    - qconv2d-c1: x and weight have four dimensions; x has type i8 or u8, and weight i8
    - qconv2d-c2: `border` is a number of x's type
    - conv2d-c2 to conv2d-c4

    Example: `%y = kiln.qconv2d %x, %w {…} : (tensor<1x3x8x8xui8>, tensor<4x3x3x3xi8>) -> tensor<1x4x6x6xi32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$weight, DenseI64ArrayAttr:$stride, Kiln_DimsAttr:$padding,
    DenseI64ArrayAttr:$dilation, I64Attr:$groups, I64Attr:$border, UnitAttr:$channels_last);
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

#endif // KILN_IR_OPS_QUANTIZED_TD
