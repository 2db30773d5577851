//===- Activation.td - activation functions -------------------------------===//
#ifndef KILN_IR_OPS_ACTIVATION_TD
#define KILN_IR_OPS_ACTIVATION_TD

include "ir/ops/Elementwise.td"

/// An activation with numbers beside x; `parameters` as in a call: ", alpha: float = 1.0".
class Kiln_Activation<string mnemonic, string parameters, dag numbers, string what, int cost>
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(x" # parameters # ")", "Pointwise",
                       perResult # " * ::kiln::DimExpr(" # cost # ")",
                       [Elementwise, SameOperandsAndResultShape]> {
  let summary = what;
  let description = "For each element x: " # what # [{. The value is rounded once.

    Constraints:
    - activation-c1: the element type is a float

    Example: `%y = kiln.}] # mnemonic # [{ %x {} : (tensor<4xf32>) -> tensor<4xf32>`
  }];
  let arguments = !con((ins Kiln_Tensor:$x), numbers);
  let hasVerifier = 1;
}

def Kiln_LeakyReluOp : Kiln_Activation<"leaky_relu", ", negative_slope: float = 0.01",
    (ins DefaultValuedAttr<F64Attr, "0.01">:$negative_slope), "x if x > 0, else negative_slope * x", 2>;
def Kiln_EluOp : Kiln_Activation<"elu", ", alpha: float = 1.0",
    (ins DefaultValuedAttr<F64Attr, "1.0">:$alpha), "x if x > 0, else alpha * (exp(x) - 1) (arXiv 1511.07289)", 26>;
def Kiln_CeluOp : Kiln_Activation<"celu", ", alpha: float = 1.0",
    (ins DefaultValuedAttr<F64Attr, "1.0">:$alpha), "x if x > 0, else alpha * (exp(x / alpha) - 1) (arXiv 1704.07483)", 30>;
def Kiln_SeluOp : Kiln_Activation<"selu", "", (ins),
    "scale * x if x > 0, else scale * alpha * (exp(x) - 1), with scale 1.0507009873554805 and alpha 1.6732632423543772 (arXiv 1706.02515)", 26>;
def Kiln_SoftplusOp : Kiln_Activation<"softplus", ", beta: float = 1.0, threshold: float = 20.0",
    (ins DefaultValuedAttr<F64Attr, "1.0">:$beta, DefaultValuedAttr<F64Attr, "20.0">:$threshold),
    "x if beta * x > threshold, else log(1 + exp(beta * x)) / beta", 25>;
def Kiln_MishOp : Kiln_Activation<"mish", "", (ins), "x * tanh(softplus(x)) (arXiv 1908.08681)", 16>;
def Kiln_HardsigmoidOp : Kiln_Activation<"hardsigmoid", "", (ins), "clamp(x + 3, 0, 6) / 6 (arXiv 1905.02244)", 4>;
def Kiln_HardswishOp : Kiln_Activation<"hardswish", "", (ins), "x * hardsigmoid(x) (arXiv 1905.02244)", 5>;
def Kiln_SoftsignOp : Kiln_Activation<"softsign", "", (ins), "x / (1 + |x|)", 6>;
def Kiln_LogSigmoidOp : Kiln_Activation<"logsigmoid", "", (ins), "log(1 / (1 + exp(-x)))", 24>;
def Kiln_SoftshrinkOp : Kiln_Activation<"softshrink", ", lambd: float = 0.5",
    (ins DefaultValuedAttr<F64Attr, "0.5">:$lambd), "x - lambd if x > lambd, x + lambd if x < -lambd, else 0; NaN stays", 4>;
def Kiln_HardshrinkOp : Kiln_Activation<"hardshrink", ", lambd: float = 0.5",
    (ins DefaultValuedAttr<F64Attr, "0.5">:$lambd), "0 if -lambd <= x <= lambd, else x", 3>;

def Kiln_PReluOp : Kiln_PrimitiveOp<"prelu", "prelu(x, weight)", "Pointwise", perResult # " * ::kiln::DimExpr(2)",
    [DeclareOpInterfaceMethods<Kiln_Aligning>, DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = "x if x > 0, else weight * x, with a weight for each channel or one for all (arXiv 1502.01852)";
  let description = [{
    As PyTorch's `prelu`; channels stand in the second dimension.

    Constraints:
    - prelu-c1: x has a float type
    - prelu-c2: weight has x's type, and one element or as many as there are channels

    Example: `%y = kiln.prelu %x, %w : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$weight);
}

#endif // KILN_IR_OPS_ACTIVATION_TD
