//===- Normalization.td - batch norm and its kin --------------------------===//
#ifndef KILN_IR_OPS_NORMALIZATION_TD
#define KILN_IR_OPS_NORMALIZATION_TD

include "ir/ops/Base.td"

def Kiln_BatchNormOp : Kiln_PrimitiveOp<"batch_norm",
    "batch_norm(x, running_mean, running_var, weight?, bias?, *, eps: float = 1e-5)", "Pointwise",
    perResult # " * ::kiln::DimExpr(2)", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<Kiln_Aligning>]> {
  let summary = "normalises each channel by stored statistics";
  let description = [{
    (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c], where c is the second dimension, as
    PyTorch's `batch_norm` in evaluation (Ioffe and Szegedy, arXiv 1502.03167). `simplify` turns it
    into the weights of a convolution before it, or into one multiply and add.

    Constraints:
    - batch_norm-c1: x has at least two dimensions and a float type
    - batch_norm-c2: the other operands have one dimension, the channels' extent and x's type

    Example: `%y = kiln.batch_norm %x, %m, %v {eps = 1.0e-5 : f64, …} : (tensor<1x3x8x8xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x3x8x8xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$running_mean, Kiln_Tensor:$running_var,
    Optional<Kiln_Tensor>:$weight, Optional<Kiln_Tensor>:$bias, F64Attr:$eps);
  let assemblyFormat = "$x `,` $running_mean `,` $running_var (`weight` $weight^)? (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
}

/// Norms whose statistics are those of the call. Statistics and the norm are taken without rounding to
/// the element type in between; the variance is that of `kiln.var`.
class Kiln_Norm<string mnemonic, string signature, list<Trait> traits = []>
    : Kiln_PrimitiveOp<mnemonic, signature, "RowWise", perResult # " * ::kiln::DimExpr(8)",
                       traits # [DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Decomposable>]>;

def Kiln_LayerNormOp : Kiln_Norm<"layer_norm", "layer_norm(x, weight?, bias?, *, axis: axes = -1, eps: float = 1e-5)",
    [AttrSizedOperandSegments]> {
  let summary = "normalises along axes by the mean and variance there";
  let description = [{
    (x - mean) / sqrt(var + eps) * weight + bias, where mean and var are taken along `axis` for each
    position of the other dimensions, as PyTorch's `layer_norm`, whose normalised shape is x's extents at
    the axes (Ba et al., arXiv 1607.06450). weight and bias have the extents of x at the axes, in
    increasing order.

    Constraints:
    - norm-c1: x has a float type
    - norm-c2: axes are different and in the range of the rank, and there is one
    - norm-c3: weight and bias have the extents of x at the axes and its type

    Example: `%y = kiln.layer_norm %x weight %w bias %b {axis = array<i64: 1>, eps = 1.0e-5 : f64} : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Optional<Kiln_Tensor>:$weight, Optional<Kiln_Tensor>:$bias,
    DenseI64ArrayAttr:$axis, F64Attr:$eps);
  let assemblyFormat = "$x (`weight` $weight^)? (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
}

def Kiln_RmsNormOp : Kiln_Norm<"rms_norm", "rms_norm(x, weight?, *, axis: axes = -1, eps: float = 1.1920928955078125e-7)"> {
  let summary = "divides by the root of the mean of squares along axes";
  let description = [{
    x / sqrt(mean(x^2) + eps) * weight, where the mean is taken along `axis`, as PyTorch's `rms_norm`
    (Zhang and Sennrich, arXiv 1910.07467). weight has the extents of x at the axes, in increasing order.
    The default of eps is the precision of f32, for every element type.

    Constraints: norm-c1 to norm-c3

    Example: `%y = kiln.rms_norm %x weight %w {axis = array<i64: 1>, eps = 1.0e-6 : f64} : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Optional<Kiln_Tensor>:$weight, DenseI64ArrayAttr:$axis, F64Attr:$eps);
  let assemblyFormat = "$x (`weight` $weight^)? attr-dict `:` functional-type(operands, results)";
}

def Kiln_GroupNormOp : Kiln_Norm<"group_norm",
    "group_norm(x, num_groups: int, weight?, bias?, eps: float = 1e-5)", [AttrSizedOperandSegments]> {
  let summary = "normalises groups of channels by the mean and variance there";
  let description = [{
    (x - mean) / sqrt(var + eps) * weight[c] + bias[c], where c is the second dimension; mean and var are
    those of each element of the batch and each of the num_groups groups of successive channels, as
    PyTorch's `group_norm` (Wu and He, arXiv 1803.08494).

    Constraints:
    - norm-c1: x has a float type
    - group_norm-c1: x has at least two dimensions
    - group_norm-c2: num_groups is positive and divides the extent of the second dimension
    - group_norm-c3: weight and bias have one dimension, the channels' extent and x's type

    Example: `%y = kiln.group_norm %x {num_groups = 2 : i64, eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Optional<Kiln_Tensor>:$weight, Optional<Kiln_Tensor>:$bias,
    I64Attr:$num_groups, F64Attr:$eps);
  let assemblyFormat = "$x (`weight` $weight^)? (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
}

def Kiln_InstanceNormOp : Kiln_Norm<"instance_norm", "instance_norm(x, weight?, bias?, *, eps: float = 1e-5)",
    [AttrSizedOperandSegments]> {
  let summary = "normalises each channel of each image by the mean and variance there";
  let description = [{
    (x - mean) / sqrt(var + eps) * weight[c] + bias[c], where c is the second dimension; mean and var are
    taken along all dimensions behind it, as PyTorch's `instance_norm` without running statistics (Ulyanov
    et al., arXiv 1607.08022).

    Constraints:
    - norm-c1: x has a float type
    - instance_norm-c1: x has at least three dimensions
    - instance_norm-c2: weight and bias have one dimension, the channels' extent and x's type

    Example: `%y = kiln.instance_norm %x {eps = 1.0e-5 : f64, operandSegmentSizes = array<i32: 1, 0, 0>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Optional<Kiln_Tensor>:$weight, Optional<Kiln_Tensor>:$bias, F64Attr:$eps);
  let assemblyFormat = "$x (`weight` $weight^)? (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
}

#endif // KILN_IR_OPS_NORMALIZATION_TD
