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
  let assemblyFormat = "$x `,` $running_mean `,` $running_var (`,` `weight` $weight^)? (`,` `bias` $bias^)? attr-dict `:` functional-type(operands, results)";
}

#endif // KILN_IR_OPS_NORMALIZATION_TD
