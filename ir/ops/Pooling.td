//===- Pooling.td - windows over images -----------------------------------===//
#ifndef KILN_IR_OPS_POOLING_TD
#define KILN_IR_OPS_POOLING_TD

include "ir/ops/Base.td"

class Kiln_Pool<string mnemonic, string extra, string what>
    : Kiln_PrimitiveOp<mnemonic,
        mnemonic # "(x, kernel_size: pair, stride: pair = kernel_size, padding: padding = 0, *, " # extra # "ceil_mode: bool = false)",
        "Window", perResult # " * ::kiln::DimExpr(getKernelSize()[0] * getKernelSize()[1])",
        [DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = what;
  let description = what # [{ of each window of [N, C, H, W] (with `channels_last`, [N, H, W, C]), as
    PyTorch's function of that name. `padding` is [top, bottom, left, right]. Extent of the result:
    (H + top + bottom - dilation (k - 1) - 1) / stride + 1, rounded down, or up with `ceil_mode`, where a last
    window that would begin in the bottom padding is dropped.

    Constraints:
    - pool2d-c1: x has four dimensions
    - pool2d-c2: window and stride are positive, padding is from 0 to half of the window
    - pool2d-c3: the window is not larger than the padded image

    Example: `%y = kiln.}] # mnemonic # [{ %x {…} : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xf32>`
  }];
}

def Kiln_MaxPool2dOp : Kiln_Pool<"max_pool2d", "dilation: pair = 1, ", "the largest element"> {
  let arguments = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$kernel_size, DenseI64ArrayAttr:$stride,
    Kiln_DimsAttr:$padding, DenseI64ArrayAttr:$dilation, BoolAttr:$ceil_mode, UnitAttr:$channels_last);
}

def Kiln_AvgPool2dOp : Kiln_Pool<"avg_pool2d", "count_include_pad: bool = true, ", "the mean"> {
  let arguments = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$kernel_size, DenseI64ArrayAttr:$stride,
    Kiln_DimsAttr:$padding, BoolAttr:$count_include_pad, BoolAttr:$ceil_mode, UnitAttr:$channels_last);
}

def Kiln_AdaptiveAvgPool2dOp : Kiln_PrimitiveOp<"adaptive_avg_pool2d",
    "adaptive_avg_pool2d(x, output_size: pair)", "Window", perOperand> {
  let summary = "the mean of windows that divide the image into output_size parts";
  let description = [{
    Element (i, j) of the result is the mean over rows floor(i H / h) … ceil((i + 1) H / h) - 1 and
    the columns likewise, as PyTorch's `adaptive_avg_pool2d`. Simplified to a mean for output size 1
    and to `kiln.avg_pool2d` where h divides H.

    Constraints:
    - adaptive_avg_pool2d-c1: x has four dimensions and a float type
    - adaptive_avg_pool2d-c2: output sizes are positive

    Example: `%y = kiln.adaptive_avg_pool2d %x {output_size = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>) -> tensor<1x3x1x1xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$output_size, UnitAttr:$channels_last);
}

#endif // KILN_IR_OPS_POOLING_TD
