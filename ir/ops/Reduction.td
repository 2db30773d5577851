//===- Reduction.td - many elements to one --------------------------------===//
#ifndef KILN_IR_OPS_REDUCTION_TD
#define KILN_IR_OPS_REDUCTION_TD

include "ir/ops/Base.td"

class Kiln_Reduction<string mnemonic, string what, list<Trait> traits = [], string byName = "">
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(x, axis: axes = all, " # byName # "keepdims: bool = false)", "RowWise", perOperand,
                       traits> {
  let summary = what;
  let description = what # [{ along `axis` (all axes if not given), which leaves the shape or stays as 1
    with `keepdims`, as NumPy's. The element type stays; f16 and bf16 accumulate in f32.

    Constraints:
    - reduction-c1: axes are different and in the range of the rank
    - reduction-c2: the element type is one the reduction is defined on
    - reduction-c3: `max` and `min` have at least one element along each axis

    Example: `%y = kiln.}] # mnemonic # [{ %x {axis = array<i64: 1>, keepdims = false} : (tensor<4x8xf32>) -> tensor<4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$axis, BoolAttr:$keepdims);
}

def Kiln_SumOp : Kiln_Reduction<"sum", "the sum (0 if empty)">;
def Kiln_MeanOp : Kiln_Reduction<"mean", "the mean, of floats (NaN if empty)">;
def Kiln_ProdOp : Kiln_Reduction<"prod", "the product (1 if empty)">;
def Kiln_MaxOp : Kiln_Reduction<"max", "the largest element; NaN if there is one",
                                [DeclareOpInterfaceMethods<Kiln_Requiring>]>;
def Kiln_MinOp : Kiln_Reduction<"min", "the least element; NaN if there is one",
                                [DeclareOpInterfaceMethods<Kiln_Requiring>]>;
def Kiln_AnyOp : Kiln_Reduction<"any", "whether an element is true (false if empty)">;
def Kiln_AllOp : Kiln_Reduction<"all", "whether all elements are true (true if empty)">;
// PyTorch's third argument of `var` has been another one.
def Kiln_VarOp : Kiln_Reduction<"var", "the variance, divided by the count (NaN if empty)", [], "*, ">;
def Kiln_LogSumExpOp : Kiln_Reduction<"logsumexp", "log of the sum of exponentials (-inf if empty)">;

class Kiln_ArgReduction<string mnemonic, string what>
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(x, axis: axis, keepdims: bool = false)", "RowWise", perOperand,
                       [DeclareOpInterfaceMethods<Kiln_Requiring>]> {
  let summary = what;
  let description = what # [{ along `axis` as i64, the lowest on ties; the first NaN is found if there is one.

    Constraints:
    - reduction-c1: the axis is in the range of the rank
    - argreduction-c1: the extent of the axis is not 0

    Example: `%y = kiln.}] # mnemonic # [{ %x {axis = 1 : i64, keepdims = false} : (tensor<4x8xf32>) -> tensor<4xi64>`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis, BoolAttr:$keepdims);
}

def Kiln_ArgmaxOp : Kiln_ArgReduction<"argmax", "the position of the largest element">;
def Kiln_ArgminOp : Kiln_ArgReduction<"argmin", "the position of the least element">;

class Kiln_SoftmaxLike<string mnemonic, string what>
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(x, axis: axis = -1)", "RowWise", perOperand # " * ::kiln::DimExpr(11)",
                       [SameOperandsAndResultShape]> {
  let summary = what;
  let description = what # [{ along one axis, computed after subtracting the largest element.

    Constraints:
    - softmax-c1: the element type is a float
    - softmax-c2: the axis is in the range of the rank

    Example: `%y = kiln.}] # mnemonic # [{ %x {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis);
  let hasVerifier = 1;
}

def Kiln_SoftmaxOp : Kiln_SoftmaxLike<"softmax", "exp(x) / sum(exp(x))">;
def Kiln_LogSoftmaxOp : Kiln_SoftmaxLike<"log_softmax", "x - log(sum(exp(x)))">;

#endif // KILN_IR_OPS_REDUCTION_TD
