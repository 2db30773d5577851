//===- Pooling.td - windows over signals, images and volumes --------------===//
#ifndef KILN_IR_OPS_POOLING_TD
#define KILN_IR_OPS_POOLING_TD

include "ir/ops/Base.td"

/// A pool over so many spatial dimensions; `extents` names their kind of attribute.
class Kiln_Pool<string mnemonic, string extents, string extra, string what, string shapes, list<Trait> traits = []>
    : Kiln_PrimitiveOp<mnemonic,
        mnemonic # "(x, kernel_size: " # extents # ", stride: " # extents # " = kernel_size, padding: padding = 0, " # extra # ")",
        "Window", "flops()", traits # [DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = what;
  let description = what # " of each window of " # shapes # [{, as PyTorch's function of that name. `padding` is a
    pair for each spatial dimension, [top, bottom, left, right] of images. Extent of the result:
    (H + top + bottom - dilation (k - 1) - 1) / stride + 1, rounded down, or up with `ceil_mode`, where a last
    window that would begin in the bottom padding is dropped.

    Constraints:
    - pool2d-c1: x has a dimension for the batch, one for the channels, and the spatial ones
    - pool2d-c2: window and stride are positive, padding is from 0 to half of the window
    - pool2d-c3: the window is not larger than the padded image, or with `ceil_mode` by less than its stride

    Example: `%y = kiln.}] # mnemonic # [{ %x {…} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xf32>`
  }];
  let extraClassDeclaration = primitiveDeclarations # "::kiln::DimExpr flops();";
}

class Kiln_MaxPool<string mnemonic, string extents, string what, string shapes, list<Trait> traits = []>
    : Kiln_Pool<mnemonic, extents, "dilation: " # extents # " = 1, ceil_mode: bool = false", what, shapes, traits> {
  dag common = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$kernel_size, DenseI64ArrayAttr:$stride,
    Kiln_DimsAttr:$padding, DenseI64ArrayAttr:$dilation, BoolAttr:$ceil_mode);
}

class Kiln_AvgPool<string mnemonic, string extents, string what, string shapes, list<Trait> traits = []>
    : Kiln_Pool<mnemonic, extents, "ceil_mode: bool = false, count_include_pad: bool = true", what, shapes, traits> {
  dag common = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$kernel_size, DenseI64ArrayAttr:$stride,
    Kiln_DimsAttr:$padding, BoolAttr:$count_include_pad, BoolAttr:$ceil_mode);
}

defvar decomposable = [DeclareOpInterfaceMethods<Kiln_Decomposable>];
defvar signals = "[N, C, L]";
defvar images = "[N, C, H, W] (with `channels_last`, [N, H, W, C])";
defvar volumes = "[N, C, D, H, W] (with `channels_last`, [N, D, H, W, C])";
defvar last = (ins UnitAttr:$channels_last);

def Kiln_MaxPool1dOp : Kiln_MaxPool<"max_pool1d", "single", "the largest element", signals, decomposable> {
  let arguments = common;
}
def Kiln_MaxPool2dOp : Kiln_MaxPool<"max_pool2d", "pair", "the largest element", images> {
  let arguments = !con(common, last);
}
def Kiln_MaxPool3dOp : Kiln_MaxPool<"max_pool3d", "triple", "the largest element", volumes> {
  let arguments = !con(common, last);
}
def Kiln_AvgPool1dOp : Kiln_AvgPool<"avg_pool1d", "single", "the mean", signals, decomposable> {
  let arguments = common;
}
def Kiln_AvgPool2dOp : Kiln_AvgPool<"avg_pool2d", "pair", "the mean", images> {
  let arguments = !con(common, last);
}
def Kiln_AvgPool3dOp : Kiln_AvgPool<"avg_pool3d", "triple", "the mean", volumes> {
  let arguments = !con(common, last);
}

/// A pool whose windows follow from the extents of the result.
class Kiln_AdaptivePool<string mnemonic, string extents, string what, string shapes, list<Trait> traits = []>
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(x, output_size: " # extents # ")", "Window", perOperand,
                       traits # [DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = what # " of windows that divide the image into output_size parts";
  let description = "Element (i, j) of the result, for x of " # shapes # ", is " # what # [{ over rows
    floor(i H / h) … ceil((i + 1) H / h) - 1 and the columns likewise, as PyTorch's function of that name.
    Simplified to a reduction for output size 1 and to a pool of one window size where h divides H.

    Constraints:
    - adaptive_avg_pool2d-c1: x has a dimension for the batch, one for the channels, and the spatial ones;
      means are of floats
    - adaptive_avg_pool2d-c2: output sizes are positive
    - adaptive_avg_pool2d-c3: x has elements along each spatial dimension

    Example: `%y = kiln.}] # mnemonic # [{ %x {…} : (tensor<1x3x8x8xf32>) -> tensor<1x3x1x1xf32>`
  }];
  dag common = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$output_size);
}

def Kiln_AdaptiveAvgPool1dOp : Kiln_AdaptivePool<"adaptive_avg_pool1d", "single", "the mean", signals, decomposable> {
  let arguments = common;
}
def Kiln_AdaptiveAvgPool2dOp : Kiln_AdaptivePool<"adaptive_avg_pool2d", "pair", "the mean", images> {
  let arguments = !con(common, last);
}
def Kiln_AdaptiveAvgPool3dOp : Kiln_AdaptivePool<"adaptive_avg_pool3d", "triple", "the mean", volumes> {
  let arguments = !con(common, last);
}
def Kiln_AdaptiveMaxPool1dOp : Kiln_AdaptivePool<"adaptive_max_pool1d", "single", "the largest element", signals, decomposable> {
  let arguments = common;
}
def Kiln_AdaptiveMaxPool2dOp : Kiln_AdaptivePool<"adaptive_max_pool2d", "pair", "the largest element", images> {
  let arguments = !con(common, last);
}
def Kiln_AdaptiveMaxPool3dOp : Kiln_AdaptivePool<"adaptive_max_pool3d", "triple", "the largest element", volumes> {
  let arguments = !con(common, last);
}

#endif // KILN_IR_OPS_POOLING_TD
