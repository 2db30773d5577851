//===- Contraction.td - matrix products and convolutions ------------------===//
#ifndef KILN_IR_OPS_CONTRACTION_TD
#define KILN_IR_OPS_CONTRACTION_TD

include "ir/ops/Base.td"

def Kiln_MatmulOp : Kiln_PrimitiveOp<"matmul", "matmul(a, b)", "Contraction", "flops()"> {
  let summary = "the matrix product over the last two dimensions";
  let description = [{
    result[…, m, n] = sum over k of a[…, m, k] * b[…, k, n]; with `transpose_b` b is read as
    b[…, n, k]. Leading dimensions are equal, or `b` has none (one matrix for all). f16 and bf16
    accumulate in f32. As NumPy's `matmul`, whose broadcasting the front end makes explicit.

    Constraints:
    - matmul-c1: the element types are equal and a number type
    - matmul-c2: both have at least two dimensions; b has exactly two, or as many as a with the same
      leading extents
    - matmul-c3: the contracted extents are equal

    Example: `%c = kiln.matmul %a, %b : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$a, Kiln_Tensor:$b, UnitAttr:$transpose_b);
  let hasCanonicalizer = 1;
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

def Kiln_Conv2dOp : Kiln_PrimitiveOp<"conv2d",
    "conv2d(x, weight, bias?, *, stride: pair = 1, padding: padding = 0, dilation: pair = 1, groups: int = 1)",
    "Convolution", "flops()", [DeclareOpInterfaceMethods<Kiln_Requiring>, DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "the 2-D convolution (cross-correlation) of images";
  let description = [{
    As PyTorch's `conv2d`. x is [N, C, H, W], or [N, H, W, C] with `channels_last`; weight is
    [O, C / groups, kh, kw], with `channels_last` [O, kh, kw, C / groups]; bias is [O]. `padding` is
    [top, bottom, left, right] zeros, multiplied like elements. Extent of the result: (H + top + bottom - dilation (kh - 1) - 1)
    // stride + 1.

    Constraints:
    - conv2d-c1: x and weight have four dimensions and one float type; bias has one dimension
    - conv2d-c2: groups divides C and O, and weight's channels are C / groups
    - conv2d-c3: stride and dilation are positive, padding is not negative
    - conv2d-c4: the kernel is not larger than the padded image
    - conv2d-c5: bias has O elements

    Example: `%y = kiln.conv2d %x, %w {…} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x6x6xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$weight, Optional<Kiln_Tensor>:$bias,
    DenseI64ArrayAttr:$stride, Kiln_DimsAttr:$padding, DenseI64ArrayAttr:$dilation, I64Attr:$groups,
    UnitAttr:$channels_last);
  let assemblyFormat = "$x `,` $weight (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

#endif // KILN_IR_OPS_CONTRACTION_TD
