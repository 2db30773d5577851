//===- RowsTest.cpp - reductions, softmax, pointwise, movement, types -----===//

#include "test/unit/llvm/Harness.h"

#include <cmath>

using namespace kiln;
using namespace kiln::test;

static constexpr DType F32 = DType::F32;

/// A reduction of [A, B, C] over the marked dimensions.
static KernelSpec reduction(Shape shape, std::vector<bool> isReduced, Combiner combiner, DType type,
                            std::vector<Symbol> symbols = {}) {
  KernelSpec spec;
  spec.symbols = std::move(symbols);
  Shape domain, reduced;
  for (size_t i = 0; i < shape.size(); ++i)
    (isReduced[i] ? reduced : domain).push_back(shape[i]);
  std::vector<int> dims;
  int kept = 0, gone = domain.size();
  for (bool reduces : isReduced)
    dims.push_back(reduces ? gone++ : kept++);
  bool isArg = combiner == Combiner::ArgMax || combiner == Combiner::ArgMin;
  DType result = isArg ? DType::I64 : type;
  double init = combiner == Combiner::Max ? -100 : combiner == Combiner::Mul ? 1 : 0;
  spec.operands = {operand("x", type, shape), output("y", result, domain)};
  spec.stages = {reducing("y", result, domain, reduced, combiner,
                          isArg ? nullptr : constant(init, type), readAt("x", type, dims))};
  return spec;
}

TEST(LLVMRows, Reductions) {
  for (Combiner combiner : {Combiner::Add, Combiner::Max, Combiner::ArgMax, Combiner::ArgMin})
    for (DType type : {F32, DType::F64, DType::I32, DType::U8, DType::I64})
      for (auto reduced : {std::vector{false, false, true},
                           {false, true, true},
                           {true, true, false},
                           {false, true, false},
                           {true, true, true},
                           {true, false, false}})
        expectEqual(reduction({3, 5, 37}, reduced, combiner, type), {}, 1e-4);
}

TEST(LLVMRows, ReductionsOfOpenExtents) {
  DimExpr a = DimExpr::symbol("A"), c = DimExpr::symbol("C");
  std::vector<Symbol> symbols = {{"A", 0, std::nullopt}, {"C", 0, 1000}};
  for (auto reduced : {std::vector{false, false, true}, {true, true, false}, {true, true, true}})
    for (Combiner combiner : {Combiner::Add, Combiner::ArgMax})
      for (auto [a0, c0] : {std::pair(0, 3), {2, 0}, {3, 1}, {2, 67}, {5, 200}})
        expectEqual(reduction({a, 3, c}, reduced, combiner, F32, symbols), {a0, c0}, 1e-4);
}

/// softmax over the last dimension in four stages.
static KernelSpec softmax(DimExpr rows, DimExpr size, std::vector<Symbol> symbols = {}) {
  KernelSpec spec;
  spec.symbols = std::move(symbols);
  spec.operands = {operand("x", F32, {rows, size}), output("y", F32, {rows, size})};
  ExprPtr x = readAt("x", F32, {0, 1});
  Stage top = reducing("top", F32, {rows}, {size}, Combiner::Max, constant(-INFINITY, F32), x);
  Stage exp = pointwise("e", F32, {rows, size},
                        apply(Op::Exp, {apply(Op::Sub, {x, readAt("top", F32, {0})})}));
  Stage sum = reducing("sum", F32, {rows}, {size}, Combiner::Add, constant(0.0, F32),
                       readAt("e", F32, {0, 1}));
  Stage out = pointwise("y", F32, {rows, size},
                        apply(Op::Div, {readAt("e", F32, {0, 1}), readAt("sum", F32, {0})}));
  spec.stages = {top, exp, sum, out};
  return spec;
}

TEST(LLVMRows, Softmax) {
  for (auto [rows, size] : {std::pair(1, 1), {3, 10}, {5, 64}, {2, 1000}})
    expectEqual(softmax(rows, size));
  std::vector<Symbol> symbols = {{"R", 0, std::nullopt}, {"S", 1, std::nullopt}};
  KernelSpec open = softmax(DimExpr::symbol("R"), DimExpr::symbol("S"), symbols);
  for (auto [rows, size] : {std::pair<int64_t, int64_t>(0, 5), {1, 1}, {7, 129}})
    expectEqual(open, {rows, size});
}

TEST(LLVMRows, NormalizationOverLeadingDimensions) {
  // x[n, h, c] minus its mean over h: the mean is computed once for each vector of channels.
  KernelSpec spec;
  Shape shape = {3, 11, 21};
  spec.operands = {operand("x", F32, shape), output("y", F32, shape)};
  Stage sum = reducing("sum", F32, {3, 21}, {11}, Combiner::Add, constant(0.0, F32),
                       readAt("x", F32, {0, 2, 1}));
  ExprPtr mean = apply(Op::Div, {readAt("sum", F32, {0, 2}), constant(11.0, F32)});
  spec.stages = {sum,
                 pointwise("y", F32, shape, apply(Op::Sub, {readAt("x", F32, {0, 1, 2}), mean}))};
  expectEqual(spec);
}

TEST(LLVMRows, ChainedReductionsAreKeptWhole) {
  // Attention for one head: scores feed a softmax along their own columns, then a product.
  int64_t q = 5, t = 19, d = 24;
  KernelSpec spec;
  spec.operands = {operand("q", F32, {q, d}), operand("k", F32, {t, d}), operand("v", F32, {t, d}),
                   output("y", F32, {q, d})};
  ExprPtr zero = constant(0.0, F32);
  Stage scores =
      reducing("s", F32, {q, t}, {d}, Combiner::Add, zero,
               relaxed(apply(Op::Mul, {readAt("q", F32, {0, 2}), readAt("k", F32, {1, 2})})));
  Stage top = reducing("top", F32, {q}, {t}, Combiner::Max, constant(-INFINITY, F32),
                       readAt("s", F32, {0, 1}));
  Stage exp = pointwise(
      "e", F32, {q, t},
      apply(Op::Exp, {apply(Op::Sub, {readAt("s", F32, {0, 1}), readAt("top", F32, {0})})}));
  Stage sum = reducing("sum", F32, {q}, {t}, Combiner::Add, zero, readAt("e", F32, {0, 1}));
  Stage out =
      reducing("o", F32, {q, d}, {t}, Combiner::Add, zero,
               relaxed(apply(Op::Mul, {readAt("e", F32, {0, 2}), readAt("v", F32, {2, 1})})));
  Stage result = pointwise("y", F32, {q, d},
                           apply(Op::Div, {readAt("o", F32, {0, 1}), readAt("sum", F32, {0})}));
  spec.stages = {scores, top, exp, sum, out, result};
  expectEqual(spec);
  for (Stage &stage : spec.stages)
    for (Shape *shape : {&stage.domain, &stage.reduction})
      for (DimExpr &extent : *shape)
        extent = extent == DimExpr(t) ? DimExpr::symbol("T") : extent;
  for (Operand &operand : spec.operands)
    operand.shape[0] = operand.shape[0] == DimExpr(t) ? DimExpr::symbol("T") : operand.shape[0];
  spec.symbols = {{"T", 1, std::nullopt}};
  auto kernel = codegen::generateLLVM(spec, hostFacts(), "k", 2);
  ASSERT_FALSE(kernel);
  EXPECT_NE(llvm::toString(kernel.takeError()).find("at most 65536 bytes of intermediate values"),
            std::string::npos);
}

TEST(LLVMRows, ScratchOperandsFeedLaterStages) {
  KernelSpec spec;
  Operand scratch = operand("pad", F32, {9, 7}, Operand::Use::Scratch);
  spec.operands = {operand("x", F32, {7, 7}), output("y", F32, {7, 7}), scratch};
  ExprPtr padded = read("x", {index(0, 1, -1), index(1)}, F32, 0.0);
  Index row = index(0);
  row.terms.push_back({2, 1});
  spec.stages = {pointwise("pad", F32, {9, 7}, padded),
                 reducing("y", F32, {7, 7}, {3}, Combiner::Add, constant(0.0, F32),
                          read("pad", {row, index(1)}, F32))};
  expectEqual(spec);
}

TEST(LLVMRows, Movement) {
  for (DType type : {F32, DType::U8, DType::BF16, DType::Bool, DType::I64}) {
    KernelSpec permute;
    permute.operands = {operand("x", type, {5, 19, 33}), output("y", type, {33, 5, 19})};
    permute.stages = {pointwise("y", type, {33, 5, 19}, readAt("x", type, {1, 2, 0}))};
    expectEqual(permute);
    KernelSpec pad;
    pad.operands = {operand("x", type, {5, 19}), output("y", type, {9, 30})};
    pad.stages = {
        pointwise("y", type, {9, 30}, read("x", {index(0, 1, -2), index(1, 1, -7)}, type, 1.0))};
    expectEqual(pad);
    KernelSpec flipped;
    flipped.operands = {operand("x", type, {40, 6}), output("y", type, {20, 3})};
    flipped.stages = {
        pointwise("y", type, {20, 3}, read("x", {index(0, -2, 39), index(1, 2)}, type))};
    expectEqual(flipped);
  }
}

/// Lanes that lie apart or run backwards, of rows that end where the last lane lies, with rows of
/// the border among them.
TEST(LLVMRows, LanesApart) {
  for (DType type : {F32, DType::F64, DType::U8, DType::F16, DType::Bool})
    for (int64_t stride : {-5, -4, -3, -2, -1, 2, 3, 4, 5})
      for (int64_t columns : {1, 16, 33, 64, 150}) {
        int64_t width = std::abs(stride) * (columns - 1) + 1;
        KernelSpec spec;
        spec.operands = {operand("x", type, {3, width}), output("z", type, {5, columns})};
        spec.stages = {pointwise(
            "z", type, {5, columns},
            read("x", {index(0, 1, -1), index(1, stride, stride < 0 ? width - 1 : 0)}, type, 1.0))};
        expectEqual(spec);
      }
}

TEST(LLVMRows, PaddingThroughAnInlinedStage) {
  KernelSpec spec;
  spec.operands = {operand("x", F32, {5, 20}), output("y", F32, {9, 30})};
  spec.stages = {
      pointwise("t", F32, {5, 20}, apply(Op::Add, {readAt("x", F32, {0, 1}), constant(1.0, F32)})),
      pointwise("y", F32, {9, 30}, read("t", {index(0, 1, -2), index(1, 1, -7)}, F32, 9.0))};
  expectEqual(spec);
}

TEST(LLVMRows, StoreMapsAndGathers) {
  KernelSpec spec;
  spec.symbols = {{"T", 0, std::nullopt}};
  DimExpr t = DimExpr::symbol("T");
  spec.operands = {operand("ids", DType::I64, {t}), operand("table", F32, {50, 18}),
                   output("y", F32, {t * 2, 18})};
  Index row;
  row.indirect = readAt("ids", DType::I64, {0});
  Stage even = pointwise("y", F32, {t, 18}, read("table", {row, index(1)}, F32));
  even.store = {spec::index(0, 2), spec::index(1)};
  spec.stages = {even};
  for (int64_t n : {0, 1, 23})
    expectEqual(spec, {n});
}

/// Computed columns that follow each other in some vectors and not in others.
TEST(LLVMRows, ComputedColumns) {
  DimExpr n = DimExpr::symbol("N");
  auto number = [](int64_t value) { return constant(value, DType::I64); };
  for (DType type : {F32, DType::F64, DType::U8})
    for (std::optional<double> outside : {std::optional<double>(), std::optional<double>(1.0)}) {
      KernelSpec spec;
      spec.symbols = {{"N", 0, std::nullopt}};
      spec.operands = {operand("x", type, {3, 70}), operand("ids", DType::I64, {n}),
                       output("y", type, {3, n}), output("z", type, {3, n})};
      Index reflected, listed;
      ExprPtr at = apply(Op::Sub, {dim(1), number(5)});
      ExprPtr front = apply(Op::Max, {at, apply(Op::Sub, {number(0), at})});
      reflected.indirect = apply(Op::Min, {front, apply(Op::Sub, {number(138), front})});
      listed.indirect = readAt("ids", DType::I64, {1});
      listed.offset = outside ? 2 : 0;
      spec.stages = {pointwise("y", type, {3, n}, read("x", {index(0), reflected}, type, outside)),
                     pointwise("z", type, {3, n}, read("x", {index(0), listed}, type, outside))};
      for (int64_t columns : {0, 1, 16, 80, 150})
        expectEqual(spec, {columns});
    }
}

TEST(LLVMRows, Operations) {
  for (DType type : {F32, DType::F64, DType::I64, DType::I32, DType::I16, DType::I8, DType::U8}) {
    std::vector<Op> ops = {Op::Add, Op::Sub, Op::Mul, Op::FloorDiv, Op::Mod, Op::Max, Op::Min};
    if (isFloat(type))
      ops.push_back(Op::Div);
    else
      ops.insert(ops.end(), {Op::And, Op::Or, Op::Xor, Op::Shl, Op::Shr});
    std::vector<Op> unary = {Op::Neg, Op::Abs};
    if (isFloat(type))
      unary.insert(unary.end(), {Op::Floor, Op::Ceil, Op::Round, Op::Exp, Op::Tanh, Op::Sin});
    ExprPtr x = readAt("x", type, {0}), y = readAt("y", type, {0});
    std::vector<ExprPtr> bodies;
    for (Op op : ops)
      bodies.push_back(apply(op, {x, y}));
    for (Op op : unary)
      bodies.push_back(apply(op, {x}));
    for (Op op : {Op::Eq, Op::Ne, Op::Lt, Op::Le})
      bodies.push_back(apply(Op::Select, {apply(op, {x, y}), x, y}));
    KernelSpec spec;
    spec.operands = {operand("x", type, {101}), operand("y", type, {101})};
    for (ExprPtr &body : bodies) {
      std::string name = "o" + std::to_string(spec.stages.size());
      spec.operands.push_back(output(name, type, {101}));
      spec.stages.push_back(pointwise(name, type, {101}, body));
    }
    expectEqual(spec, {}, 1e-6);
  }
}

TEST(LLVMRows, Casts) {
  codegen::TargetFacts plain;
  plain.cpu = "x86-64";
  plain.vectorBytes = 16;
  for (const codegen::TargetFacts &facts : {hostFacts(), plain})
    for (int from = 0; from < numDTypes; ++from) {
      KernelSpec spec;
      DType source = static_cast<DType>(from);
      spec.operands = {operand("x", source, {67})};
      for (int to = 0; to < numDTypes; ++to) {
        std::string name = "o" + std::to_string(to);
        DType type = static_cast<DType>(to);
        spec.operands.push_back(output(name, type, {67}));
        spec.stages.push_back(pointwise(name, type, {67}, cast(readAt("x", source, {0}), type)));
      }
      expectEqual(spec, {}, 0, facts);
    }
}

// The last vector holds one element, as the compiler knows: no store may be wider than that.
TEST(LLVMRows, CastsOfOneElementOver) {
  for (int64_t extent : {1, 9, 17, 33, 65})
    for (int from = 0; from < numDTypes; ++from) {
      KernelSpec spec;
      DType source = static_cast<DType>(from);
      spec.operands = {operand("x", source, {extent})};
      for (int to = 0; to < numDTypes; ++to) {
        std::string name = "o" + std::to_string(to);
        DType type = static_cast<DType>(to);
        spec.operands.push_back(output(name, type, {extent}));
        ExprPtr x = readAt("x", source, {0});
        spec.stages.push_back(pointwise(name, type, {extent}, cast(cast(x, F32), type)));
      }
      expectEqual(spec, {}, 0);
    }
}

TEST(LLVMRows, LargeWorkIsShared) {
  KernelSpec spec;
  spec.operands = {operand("x", F32, {300000}), output("y", F32, {300000})};
  spec.stages = {
      pointwise("y", F32, {300000}, apply(Op::Mul, {readAt("x", F32, {0}), constant(2.0, F32)}))};
  EXPECT_TRUE(llvm::cantFail(codegen::generateLLVM(spec, hostFacts(), "k", 2)).isParallel);
  expectEqual(spec);
}
