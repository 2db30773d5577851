//===- Random.td - random numbers from a seed -----------------------------===//
#ifndef KILN_IR_OPS_RANDOM_TD
#define KILN_IR_OPS_RANDOM_TD

include "ir/ops/Base.td"

class Kiln_Random<string mnemonic, string parameters, dag numbers, string role, string what, string how>
    : Kiln_PrimitiveOp<"random." # mnemonic, "random." # mnemonic # "(shape: shape, " # parameters # "seed)", role,
                       perResult # " * ::kiln::DimExpr(100)", [DeclareOpInterfaceMethods<Kiln_Decomposable>]> {
  let summary = what;
  let description = what # [{, by Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
    The key is the low and high half of the seed, the counter of the row-major index i is i // 4, low and high half,
    0 and 0; u of the word w = i % 4 of those four is (w >> 8) * 2^-24. }] # how # [{

    Constraints:
    - random-c1: extents are not negative
    - random-c2: the seed is an integer scalar

    Example: `%y = kiln.random.uniform %seed {shape = #kiln.dims<[2, 3]>} : (tensor<i64>) -> tensor<2x3xf32>`
  }];
  let arguments = !con((ins Kiln_Tensor:$seed, Kiln_DimsAttr:$shape), numbers);
}

def Kiln_RandomUniformOp : Kiln_Random<"uniform", "", (ins), "Movement",
    "f32 numbers from [0, 1), equally likely", "An element is u.">;
def Kiln_RandomBernoulliOp : Kiln_Random<"bernoulli", "p: float, ", (ins F64Attr:$p), "Movement",
    "bools that are true with the probability p", "An element is u < p.">;
def Kiln_RandomNormalOp : Kiln_Random<"normal", "", (ins), "Pointwise",
    "f32 numbers of the standard normal distribution",
    "Words 2 k and 2 k + 1 with u0 and u1 give sqrt(-2 ln(1 - u0)) * (cos, sin)(2 pi u1).">;

#endif // KILN_IR_OPS_RANDOM_TD
