//===- Elementwise.td - one element in, one element out -------------------===//
#ifndef KILN_IR_OPS_ELEMENTWISE_TD
#define KILN_IR_OPS_ELEMENTWISE_TD

include "ir/ops/Base.td"

/// Unary op; `cost` in operations an element. All constraints: elementwise-c1.
class Kiln_Unary<string mnemonic, string what, int cost = 1, string note = "">
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(x)", "Pointwise", perResult # " * ::kiln::DimExpr(" # cost # ")",
                       [Elementwise, SameOperandsAndResultShape]> {
  let summary = what;
  let description = "For each element x: " # what # ". " # note # [{

    Constraints:
    - elementwise-c1: the element type is one the function is defined on (`getSignature`'s family:
      floats for transcendental functions, numbers for arithmetic, bool for logic)

    Example: `%y = kiln.}] # mnemonic # [{ %x : (tensor<4xf32>) -> tensor<4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x);
  let hasVerifier = 1;
}

class Kiln_Binary<string mnemonic, string what, int cost = 1, list<Trait> traits = []>
    : Kiln_PrimitiveOp<mnemonic, mnemonic # "(a, b)", "Pointwise", perResult # " * ::kiln::DimExpr(" # cost # ")",
                       traits # [Elementwise, SameTypeOperands, SameOperandsAndResultShape]> {
  let summary = what;
  let description = "For each pair of elements: " # what # [{.

    Operands have equal types; the language broadcasts with `kiln.broadcast_to` and converts literals.

    Constraints:
    - elementwise-c1: the element type is one the function is defined on

    Example: `%y = kiln.}] # mnemonic # [{ %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$a, Kiln_Tensor:$b);
  let hasVerifier = 1;
}

def Kiln_NegOp : Kiln_Unary<"neg", "-x (integers wrap)">;
def Kiln_AbsOp : Kiln_Unary<"abs", "the absolute value (the least integer wraps to itself)">;
def Kiln_SignOp : Kiln_Unary<"sign", "-1, 0 or 1 (NaN gives NaN)">;
def Kiln_ExpOp : Kiln_Unary<"exp", "e to the power x", 8>;
def Kiln_LogOp : Kiln_Unary<"log", "the natural logarithm", 8>;
def Kiln_Expm1Op : Kiln_Unary<"expm1", "exp(x) - 1, exact near 0 as well", 24>;
def Kiln_Log1pOp : Kiln_Unary<"log1p", "log(1 + x), exact near 0 as well", 14>;
def Kiln_SqrtOp : Kiln_Unary<"sqrt", "the square root", 4>;
def Kiln_RsqrtOp : Kiln_Unary<"rsqrt", "1 / sqrt(x)", 5>;
def Kiln_ReciprocalOp : Kiln_Unary<"reciprocal", "1 / x", 4>;
def Kiln_TanhOp : Kiln_Unary<"tanh", "the hyperbolic tangent", 8>;
def Kiln_SigmoidOp : Kiln_Unary<"sigmoid", "1 / (1 + exp(-x))", 8>;
def Kiln_ErfOp : Kiln_Unary<"erf", "the error function", 8>;
def Kiln_SinOp : Kiln_Unary<"sin", "the sine of x radians", 8>;
def Kiln_CosOp : Kiln_Unary<"cos", "the cosine of x radians", 8>;
def Kiln_TanOp : Kiln_Unary<"tan", "the tangent of x radians", 16>;
def Kiln_AsinOp : Kiln_Unary<"asin", "the angle in radians whose sine is x, from -pi/2 to pi/2", 40>;
def Kiln_AcosOp : Kiln_Unary<"acos", "the angle in radians whose cosine is x, from 0 to pi", 40>;
def Kiln_AtanOp : Kiln_Unary<"atan", "the angle in radians whose tangent is x, from -pi/2 to pi/2", 35>;
def Kiln_SinhOp : Kiln_Unary<"sinh", "the hyperbolic sine", 28>;
def Kiln_CoshOp : Kiln_Unary<"cosh", "the hyperbolic cosine", 14>;
def Kiln_AsinhOp : Kiln_Unary<"asinh", "the number whose hyperbolic sine is x", 30>;
def Kiln_AcoshOp : Kiln_Unary<"acosh", "the number >= 0 whose hyperbolic cosine is x", 30>;
def Kiln_AtanhOp : Kiln_Unary<"atanh", "the number whose hyperbolic tangent is x", 24>;
def Kiln_Exp2Op : Kiln_Unary<"exp2", "2 to the power x", 20>;
def Kiln_Log2Op : Kiln_Unary<"log2", "the logarithm to base 2", 9>;
def Kiln_Log10Op : Kiln_Unary<"log10", "the logarithm to base 10", 9>;
def Kiln_TruncOp : Kiln_Unary<"trunc", "the nearest integer towards 0", 3>;
def Kiln_SquareOp : Kiln_Unary<"square", "x * x (integers wrap)">;
def Kiln_ReluOp : Kiln_Unary<"relu", "max(x, 0); NaN stays">;
def Kiln_SiluOp : Kiln_Unary<"silu", "x * sigmoid(x)", 9>;
def Kiln_RoundOp : Kiln_Unary<"round", "the nearest integer, ties to even">;
def Kiln_FloorOp : Kiln_Unary<"floor", "the largest integer not above x">;
def Kiln_CeilOp : Kiln_Unary<"ceil", "the least integer not below x">;
def Kiln_IsNanOp : Kiln_Unary<"isnan", "whether x is NaN">;
def Kiln_IsInfOp : Kiln_Unary<"isinf", "whether x is an infinity">;
def Kiln_IsFiniteOp : Kiln_Unary<"isfinite", "whether x is neither NaN nor an infinity">;
def Kiln_NotOp : Kiln_Unary<"logical_not", "not x, on bool">;

def Kiln_GeluOp : Kiln_PrimitiveOp<"gelu", "gelu(x, *, approximate: str = 'none')", "Pointwise",
    perResult # " * ::kiln::DimExpr(12)", [Elementwise, SameOperandsAndResultShape]> {
  let summary = "the Gaussian error linear unit";
  let description = [{
    x * (1 + erf(x / sqrt 2)) / 2; with `approximate = "tanh"` Hendrycks and Gimpel's
    0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (arXiv 1606.08415), as PyTorch's `gelu`.

    Constraints:
    - gelu-c1: the element type is a float
    - gelu-c2: `approximate` is "none" or "tanh"

    Example: `%y = kiln.gelu %x {approximate = "tanh"} : (tensor<4xf32>) -> tensor<4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, DefaultValuedStrAttr<StrAttr, "none">:$approximate);
  let hasVerifier = 1;
}

def Kiln_AddOp : Kiln_Binary<"add", "a + b (integers wrap)", 1, [Commutative]> { let hasFolder = 1; }
def Kiln_SubOp : Kiln_Binary<"sub", "a - b (integers wrap)"> { let hasFolder = 1; }
def Kiln_MulOp : Kiln_Binary<"mul", "a * b (integers wrap)", 1, [Commutative]> { let hasFolder = 1; }
def Kiln_DivOp : Kiln_Binary<"div", "a / b, on floats", 4> { let hasFolder = 1; }
def Kiln_FloorDivOp : Kiln_Binary<"floordiv", "floor(a / b); an integer by zero gives 0, the least integer by -1 wraps", 5>;
def Kiln_ModOp : Kiln_Binary<"mod", "a - b * floor(a / b), which has the sign of b; an integer modulo zero gives 0", 6>;
def Kiln_PowOp : Kiln_Binary<"pow", "a to the power b; of integers it wraps, and is what is left of the fraction towards 0 where b is negative (0 where a is 0)", 20>;
def Kiln_Atan2Op : Kiln_Binary<"atan2", "the angle in radians from the positive x axis to the point (x = b, y = a), from -pi to pi; the signs of zeros count, as in IEEE 754", 40>;
def Kiln_MaximumOp : Kiln_Binary<"maximum", "the larger of a and b; NaN if either is NaN", 1, [Commutative]>;
def Kiln_MinimumOp : Kiln_Binary<"minimum", "the smaller of a and b; NaN if either is NaN", 1, [Commutative]>;
def Kiln_BitAndOp : Kiln_Binary<"bitwise_and", "the bitwise and, on integers", 1, [Commutative]>;
def Kiln_BitOrOp : Kiln_Binary<"bitwise_or", "the bitwise or, on integers", 1, [Commutative]>;
def Kiln_BitXorOp : Kiln_Binary<"bitwise_xor", "the bitwise exclusive or, on integers", 1, [Commutative]>;
def Kiln_ShlOp : Kiln_Binary<"shift_left", "a << b, on integers; 0 if b is negative or at least the width">;
def Kiln_ShrOp : Kiln_Binary<"shift_right", "a >> b with the sign kept, on integers; 0 or -1 if b is negative or at least the width">;
def Kiln_LogicalAndOp : Kiln_Binary<"logical_and", "a and b, on bool", 1, [Commutative]>;
def Kiln_LogicalOrOp : Kiln_Binary<"logical_or", "a or b, on bool", 1, [Commutative]>;
def Kiln_EqOp : Kiln_Binary<"eq", "whether a equals b, as bool", 1, [Commutative]>;
def Kiln_NeOp : Kiln_Binary<"ne", "whether a differs from b, as bool", 1, [Commutative]>;
def Kiln_LtOp : Kiln_Binary<"lt", "whether a < b, as bool">;
def Kiln_LeOp : Kiln_Binary<"le", "whether a <= b, as bool">;
def Kiln_GtOp : Kiln_Binary<"gt", "whether a > b, as bool">;
def Kiln_GeOp : Kiln_Binary<"ge", "whether a >= b, as bool">;

def Kiln_ClampOp : Kiln_PrimitiveOp<"clamp", "clamp(x, min: float = -inf, max: float = inf)", "Pointwise",
    perResult # " * ::kiln::DimExpr(2)", [Elementwise, SameOperandsAndResultShape]> {
  let summary = "min(max(x, min), max)";
  let description = [{
    Each element brought into [min, max]; NaN stays. As PyTorch's `clamp`; ReLU6 is min 0, max 6.

    Constraints:
    - clamp-c1: the element type is a number
    - clamp-c2: min <= max

    Example: `%y = kiln.clamp %x {min = 0.0 : f64, max = 6.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>`
  }];
  let arguments = (ins Kiln_Tensor:$x, F64Attr:$min, F64Attr:$max);
  let hasVerifier = 1;
}

def Kiln_WhereOp : Kiln_PrimitiveOp<"where", "where(condition, a, b)", "Pointwise", perResult,
    [Elementwise, AllShapesMatch<["condition", "a", "b"]>, AllTypesMatch<["a", "b"]>]> {
  let summary = "a where the condition holds, else b";
  let description = [{
    Elementwise choice, as PyTorch's `where`.

    Constraints:
    - where-c1: the condition is bool
    - where-c2: a and b have equal types; all three have one shape

    Example: `%y = kiln.where %c, %a, %b : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>`
  }];
  let arguments = (ins TensorOf<[I1]>:$condition, Kiln_Tensor:$a, Kiln_Tensor:$b);
}

def Kiln_CastOp : Kiln_PrimitiveOp<"cast", "cast(x, dtype: dtype)", "Pointwise", perResult,
    [Elementwise, SameOperandsAndResultShape]> {
  let summary = "converts to another element type";
  let description = [{
    The language's `x as T`: float to integer truncates, saturates and takes NaN to 0; integer to
    narrower wraps; to bool is `!= 0`; float to narrower rounds to nearest even and overflows to
    infinity (f8e4m3 saturates).

    Constraints:
    - cast-c1: the result's shape is the operand's

    Example: `%y = kiln.cast %x {dtype = i64} : (tensor<4xf32>) -> tensor<4xi64>`
  }];
  let arguments = (ins Kiln_Tensor:$x, TypeAttr:$dtype);
  let hasFolder = 1;
}

#endif // KILN_IR_OPS_ELEMENTWISE_TD
