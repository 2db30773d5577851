//===- Convolution.td - convolutions of signals, images and volumes -------===//
#ifndef KILN_IR_OPS_CONVOLUTION_TD
#define KILN_IR_OPS_CONVOLUTION_TD

include "ir/ops/Base.td"

/// A convolution over so many spatial dimensions; `extents` names their kind of attribute.
class Kiln_Convolution<string mnemonic, string extents, list<Trait> traits = []>
    : Kiln_PrimitiveOp<mnemonic,
        mnemonic # "(x, weight, bias?, stride: " # extents # " = 1, padding: padding = 0, dilation: " # extents # " = 1, groups: int = 1)",
        "Convolution", "flops()",
        traits # [DeclareOpInterfaceMethods<Kiln_Requiring>, DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let assemblyFormat = "$x `,` $weight (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

def Kiln_Conv2dOp : Kiln_Convolution<"conv2d", "pair"> {
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
}

def Kiln_WinogradFilterOp : Op<Kiln_Dialect, "winograd_filter", [Pure, DeclareOpInterfaceMethods<Kiln_Evaluable>,
    Kiln_Fusable, Kiln_Costed]> {
  let summary = "the 3 x 3 filters of which x holds the transforms";
  let description = [{
    x is [O, m + 2, m + 2, C], with m = 2 or 4: G g G' of each filter g of the result [O, 3, 3, C], for tiles of
    m x m results (Lavin and Gray, arXiv 1509.09308). It stands in kernels whose weight is stored so, in front of
    the convolution that they still are.

    Example: `%w = kiln.winograd_filter %u : (tensor<16x6x6x32xf32>) -> tensor<16x3x3x32xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x);
  let results = (outs Kiln_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::kiln::ir::FusionRole getFusionRole() { return ::kiln::ir::FusionRole::Movement; }
    ::kiln::DimExpr getFlops() { return ::kiln::ir::numElements(::kiln::ir::dimsOf(getType())); }
    /// Results of a tile in each direction.
    int64_t getTile();
  }];
}

def Kiln_Conv1dOp : Kiln_Convolution<"conv1d", "single", [DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "the 1-D convolution (cross-correlation) of signals";
  let description = [{
    As PyTorch's `conv1d`. x is [N, C, L], weight [O, C / groups, k], bias [O], `padding` [left, right].
    It is `kiln.conv2d` of images of height 1.

    Constraints: conv2d-c1 to conv2d-c5, with three dimensions

    Example: `%y = kiln.conv1d %x, %w {…} : (tensor<1x3x8xf32>, tensor<4x3x3xf32>) -> tensor<1x4x6xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$weight, Optional<Kiln_Tensor>:$bias,
    DenseI64ArrayAttr:$stride, Kiln_DimsAttr:$padding, DenseI64ArrayAttr:$dilation, I64Attr:$groups);
}

def Kiln_Conv3dOp : Kiln_Convolution<"conv3d", "triple"> {
  let summary = "the 3-D convolution (cross-correlation) of volumes";
  let description = [{
    As PyTorch's `conv3d`. x is [N, C, D, H, W], or [N, D, H, W, C] with `channels_last`; weight is
    [O, C / groups, kd, kh, kw], with `channels_last` [O, kd, kh, kw, C / groups]; bias is [O]. `padding` is
    [front, back, top, bottom, left, right]. All else is as in `kiln.conv2d`.

    Constraints: conv2d-c1 to conv2d-c5, with five dimensions

    Example: `%y = kiln.conv3d %x, %w {…} : (tensor<1x3x8x8x8xf32>, tensor<4x3x3x3x3xf32>) -> tensor<1x4x6x6x6xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$weight, Optional<Kiln_Tensor>:$bias,
    DenseI64ArrayAttr:$stride, Kiln_DimsAttr:$padding, DenseI64ArrayAttr:$dilation, I64Attr:$groups,
    UnitAttr:$channels_last);
}

/// A transposed convolution; PyTorch's order of arguments by name.
class Kiln_ConvTranspose<string mnemonic, string extents, string shapes>
    : Kiln_PrimitiveOp<mnemonic,
        mnemonic # "(x, weight, bias?, stride: " # extents # " = 1, padding: padding = 0, output_padding: " # extents # " = 0, groups: int = 1, dilation: " # extents # " = 1)",
        "Convolution", "flops()",
        [DeclareOpInterfaceMethods<Kiln_Requiring>, DeclareOpInterfaceMethods<Kiln_Aligning>,
         DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "the transposed convolution, by which images grow";
  let description = "As PyTorch's `" # mnemonic # "`: " # shapes # [{; bias is [O]. It is the
    convolution of stride 1 of x with stride - 1 zeros between its elements and the kernel's reach less the
    padding around them; the kernel is reversed, and its first two dimensions are swapped in each group.
    Zeros are multiplied like elements. Extent of the result: (H - 1) stride - low - high + dilation (k - 1) + output_padding + 1.

    Constraints:
    - conv_transpose-c1: x and weight have the dimensions above and one float type
    - conv_transpose-c2: groups divides C, and weight has C in its first dimension
    - conv_transpose-c3: stride and dilation are positive, padding is not negative, output_padding is from 0
      to below the larger of stride and dilation
    - conv_transpose-c4: x and the result have elements along each spatial dimension
    - conv_transpose-c5: bias has O elements

    Example: `%y = kiln.conv_transpose1d %x, %w {…} : (tensor<1x3x8xf32>, tensor<3x4x2xf32>) -> tensor<1x4x9xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$weight, Optional<Kiln_Tensor>:$bias,
    DenseI64ArrayAttr:$stride, Kiln_DimsAttr:$padding, DenseI64ArrayAttr:$output_padding, I64Attr:$groups,
    DenseI64ArrayAttr:$dilation);
  let assemblyFormat = "$x `,` $weight (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

def Kiln_ConvTranspose1dOp : Kiln_ConvTranspose<"conv_transpose1d", "single",
    "x is [N, C, L], weight [C, O / groups, k]">;
def Kiln_ConvTranspose2dOp : Kiln_ConvTranspose<"conv_transpose2d", "pair",
    "x is [N, C, H, W], weight [C, O / groups, kh, kw]">;
def Kiln_ConvTranspose3dOp : Kiln_ConvTranspose<"conv_transpose3d", "triple",
    "x is [N, C, D, H, W], weight [C, O / groups, kd, kh, kw]">;

#endif // KILN_IR_OPS_CONVOLUTION_TD
