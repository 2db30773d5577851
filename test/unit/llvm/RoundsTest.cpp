//===- RoundsTest.cpp - stages kept for a few rows --------------------------===//

#include "test/unit/llvm/Harness.h"

#include <cmath>

using namespace kiln;
using namespace kiln::test;

static constexpr DType F32 = DType::F32;

/// Attention of several heads, whose scores are kept for a block of queries.
static KernelSpec attention(DimExpr heads, DimExpr q, DimExpr t, int64_t d,
                            std::vector<Symbol> symbols = {}) {
  KernelSpec spec;
  spec.symbols = std::move(symbols);
  spec.operands = {operand("q", F32, {heads, q, d}), operand("k", F32, {heads, d, t}),
                   operand("v", F32, {heads, t, d}), output("y", F32, {heads, q, d})};
  ExprPtr zero = constant(0.0, F32);
  Stage scores =
      reducing("s", F32, {heads, q, t}, {d}, Combiner::Add, zero,
               relaxed(apply(Op::Mul, {readAt("q", F32, {0, 1, 3}), readAt("k", F32, {0, 3, 2})})));
  Stage top = reducing("top", F32, {heads, q}, {t}, Combiner::Max, constant(-INFINITY, F32),
                       readAt("s", F32, {0, 1, 2}));
  ExprPtr moved = apply(Op::Sub, {readAt("s", F32, {0, 1, 2}), readAt("top", F32, {0, 1})});
  Stage exp = pointwise("e", F32, {heads, q, t}, apply(Op::Exp, {moved}));
  Stage sum =
      reducing("sum", F32, {heads, q}, {t}, Combiner::Add, zero, readAt("e", F32, {0, 1, 2}));
  Stage parts =
      pointwise("p", F32, {heads, q, t},
                apply(Op::Div, {readAt("e", F32, {0, 1, 2}), readAt("sum", F32, {0, 1})}));
  Stage out =
      reducing("y", F32, {heads, q, d}, {t}, Combiner::Add, zero,
               relaxed(apply(Op::Mul, {readAt("p", F32, {0, 1, 3}), readAt("v", F32, {0, 3, 2})})));
  spec.stages = {scores, top, exp, sum, parts, out};
  return spec;
}

TEST(LLVMRounds, Attention) {
  for (auto [heads, q, t, d] :
       {std::tuple(2, 16, 48, 16), {3, 37, 70, 24}, {1, 5, 3, 7}, {2, 1, 40, 8}, {4, 0, 9, 8}})
    expectEqual(attention(heads, q, t, d));
  DimExpr heads = DimExpr::symbol("H"), q = DimExpr::symbol("Q"), t = DimExpr::symbol("T");
  KernelSpec open =
      attention(heads, q, t, 24, {{"H", 0, std::nullopt}, {"Q", 0, std::nullopt}, {"T", 0, 300}});
  for (int number : {1, 2}) {
    threads = number;
    for (auto sizes :
         {std::vector<int64_t>{3, 33, 300}, {1, 1, 1}, {2, 16, 17}, {0, 4, 4}, {2, 7, 0}})
      expectEqual(open, sizes);
    expectEqual(attention(8, 64, 128, 32)); // shared out
  }
  threads = 1;
}
