//===- AttentionTest.cpp - attention in one grid, by the emulator ---------===//

#include "test/gpu/Assemble.h"
#include "test/gpu/Emulator.h"
#include "test/unit/kernels/Specs.h"
#include "test/unit/llvm/Harness.h"

#include "codegen/cuda/Generate.h"
#include "codegen/cuda/Plan.h"

#include "llvm/IR/IRBuilder.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace kiln;
using namespace kiln::test;

static constexpr DType F32 = DType::F32;

namespace {
/// What to test: [B, 2, T, D] by [B, 2, S, D] and [B, 2, S, E], of open extents.
struct Kind {
  DType type = F32;
  bool isTurned = false;  ///< keys are [B, 2, D, S]
  bool hasTurned = false; ///< values are [B, 2, E, S]
  bool isCausal = false;  ///< query t sees the keys s <= t + S - T
  bool hasMask = false;   ///< added to scores, of [B, 1, T, S]: -inf excludes a key
  bool hasLength = false; ///< keys of each element of the batch
  bool divides = false;   ///< by the sum, not times 1 / sum
  bool isBare = false;    ///< no choice behind softmax: NaN for those who see nothing
  bool isScaled = false;  ///< queries are, in a stage of their own
  DimExpr columns = DimExpr::symbol("E");
};
} // namespace

static ExprPtr wide(ExprPtr value) {
  return value->type == F32 ? value : cast(std::move(value), F32);
}

/// Whether key d3 is seen from query d2 of element d0.
static ExprPtr sees(const Kind &kind, const DimExpr &queries, const DimExpr &keys) {
  ExprPtr total = extent(keys), result;
  auto both = [&](ExprPtr test) { result = result ? apply(Op::And, {result, test}) : test; };
  if (kind.hasLength) {
    total = readAt("n", DType::I64, {0});
    both(apply(Op::Lt, {dim(3), total}));
  }
  if (kind.isCausal)
    both(apply(Op::Le,
               {dim(3), apply(Op::Add, {dim(2), apply(Op::Sub, {total, extent(queries)})})}));
  return result;
}

static KernelSpec attention(const Kind &kind) {
  KernelSpec spec;
  for (const char *name : {"B", "T", "S", "D", "E"})
    spec.symbols.push_back({name, 0, std::nullopt});
  DimExpr b = DimExpr::symbol("B"), t = DimExpr::symbol("T"), s = DimExpr::symbol("S"),
          d = DimExpr::symbol("D"), e = kind.columns;
  Shape keys = kind.isTurned ? Shape{b, 2, d, s} : Shape{b, 2, s, d}, points = {b, 2, t, s};
  Shape numbers = kind.hasTurned ? Shape{b, 2, e, s} : Shape{b, 2, s, e};
  spec.operands = {operand("q", kind.type, {b, 2, t, d}), operand("k", kind.type, keys),
                   operand("v", kind.type, numbers)};
  if (kind.hasMask)
    spec.operands.push_back(operand("m", F32, {b, 1, t, s}));
  if (kind.hasLength)
    spec.operands.push_back(operand("n", DType::I64, {b}));
  spec.operands.push_back(output("y", F32, {b, 2, t, e}));
  ExprPtr zero = constant(0.0, F32), least = constant(-INFINITY, F32);
  ExprPtr q = wide(readAt("q", kind.type, {0, 1, 2, 4}));
  ExprPtr k = wide(
      readAt("k", kind.type, kind.isTurned ? std::vector{0, 1, 4, 3} : std::vector{0, 1, 3, 4}));
  ExprPtr v = wide(
      readAt("v", kind.type, kind.hasTurned ? std::vector{0, 1, 3, 4} : std::vector{0, 1, 4, 3}));
  if (kind.isScaled) {
    ExprPtr whole = wide(readAt("q", kind.type, {0, 1, 2, 3}));
    spec.stages.push_back(
        pointwise("qs", F32, {b, 2, t, d}, apply(Op::Mul, {whole, constant(0.7, F32)})));
    q = readAt("qs", F32, {0, 1, 2, 4});
  }
  spec.stages.push_back(
      reducing("s", F32, points, {d}, Combiner::Add, zero, relaxed(apply(Op::Mul, {q, k}))));
  ExprPtr score = apply(Op::Mul, {readAt("s", F32, {0, 1, 2, 3}), constant(0.3, F32)});
  ExprPtr seen = sees(kind, t, s);
  if (kind.hasMask) { // what is far below 0 excludes, and is no choice
    ExprPtr mask = read("m", {index(0), Index{}, index(2), index(3)}, F32);
    ExprPtr isLow = apply(Op::Lt, {mask, constant(-1.0, F32)});
    score = apply(Op::Add, {score, apply(Op::Select, {isLow, least, mask})});
  }
  if (seen)
    score = apply(Op::Select, {seen, score, least});
  ExprPtr x = readAt("x", F32, {0, 1, 2, 3}), power = readAt("p", F32, {0, 1, 2, 3});
  ExprPtr sum = readAt("sum", F32, {0, 1, 2});
  spec.stages.push_back(pointwise("x", F32, points, score));
  spec.stages.push_back(reducing("top", F32, {b, 2, t}, {s}, Combiner::Max, least, x));
  spec.stages.push_back(pointwise(
      "p", F32, points, apply(Op::Exp, {apply(Op::Sub, {x, readAt("top", F32, {0, 1, 2})})})));
  spec.stages.push_back(reducing("sum", F32, {b, 2, t}, {s}, Combiner::Add, zero, power));
  ExprPtr weight = apply(Op::Div, {power, sum});
  if (!kind.divides) {
    spec.stages.push_back(
        pointwise("part", F32, {b, 2, t}, apply(Op::Div, {constant(1.0, F32), sum})));
    weight = apply(Op::Mul, {power, readAt("part", F32, {0, 1, 2})});
  }
  if (seen && !kind.isBare)
    weight = apply(Op::Select, {seen, weight, zero});
  spec.stages.push_back(pointwise("w", F32, points, weight));
  spec.stages.push_back(reducing("o", F32, {b, 2, t, e}, {s}, Combiner::Add, zero,
                                 relaxed(apply(Op::Mul, {readAt("w", F32, {0, 1, 2, 4}), v}))));
  spec.stages.push_back(
      pointwise("y", F32, {b, 2, t, e},
                apply(Op::Add, {readAt("o", F32, {0, 1, 2, 3}), constant(0.5, F32)})));
  return spec;
}

static std::vector<Kind> kinds() {
  std::vector<Kind> result(8);
  result[1].isTurned = result[1].hasTurned = result[1].divides = true;
  result[2].isCausal = true;
  result[3].isCausal = result[3].hasMask = result[3].hasLength = true;
  result[4].hasMask = result[4].hasLength = result[4].divides = true;
  result[5].isCausal = result[5].isBare = true;
  result[7].hasMask = true;
  result[0].isScaled = result[3].isScaled = result[6].isScaled = true;
  result[6].columns = 33;
  result[6].isTurned = result[6].hasLength = true;
  return result;
}

/// The number of keys that elements of a batch see is random: none, some, or more than there are.
TEST(GPUAttention, EveryExtent) {
  // Other shapes by --gtest_random_seed=N.
  std::mt19937 random(5 + GTEST_FLAG_GET(random_seed));
  int64_t extents[] = {0, 1, 2, 15, 16, 17, 31, 63, 64, 65, 67, 97, 127, 128, 129, 131};
  int64_t widths[] = {0, 1, 7, 8, 16, 33, 40, 64}; // copied by chunks of 8, where they can be
  auto any = [&] { return extents[random() % std::size(extents)]; };
  for (DType type : {F32, DType::F16, DType::BF16})
    for (Kind kind : kinds()) {
      kind.type = type;
      KernelSpec spec = attention(kind);
      assembleLater(spec);
      KernelSpec expanded = spec;
      expandMath(expanded, cuda::mathSupport);
      cuda::Plan plan = cuda::makePlan(expanded);
      ASSERT_EQ(plan.grids.size(), 1u) << cuda::print(plan);
      ASSERT_TRUE(plan.grids[0].attention && plan.scratch.empty());
      EXPECT_EQ(plan.grids[0].attention->limited != nullptr, kind.isCausal || kind.hasLength);
      EXPECT_EQ(plan.grids[0].attention->result.stages > 1, type != F32);
      auto kernel = Emulated::compile(spec, "sm_80");
      ASSERT_TRUE(static_cast<bool>(kernel));
      for (int i = 0; i < 3; ++i) {
        std::vector<int64_t> sizes = {int64_t(1 + random() % 2), any(), any(),
                                      widths[random() % std::size(widths)],
                                      i ? widths[random() % std::size(widths)] : any()};
        EXPECT_EQ(compareEmulated(**kernel, spec, sizes, 1e-5), "")
            << name(type) << " " << sizes[1] << " queries, " << sizes[2] << " keys, " << sizes[3]
            << " and " << sizes[4] << " wide";
      }
    }
}

/// What differs from attention in one thing is computed stage by stage.
TEST(GPUAttention, NoOthers) {
  auto stageOf = [](KernelSpec &spec, std::string_view name) -> Stage & {
    return *std::find_if(spec.stages.begin(), spec.stages.end(),
                         [&](const Stage &stage) { return stage.name == name; });
  };
  DimExpr b = DimExpr::symbol("B"), t = DimExpr::symbol("T"), s = DimExpr::symbol("S");
  ExprPtr x = readAt("x", F32, {0, 1, 2, 3}), top = readAt("top", F32, {0, 1, 2});
  ExprPtr power = readAt("p", F32, {0, 1, 2, 3}), half = constant(0.5, F32);
  std::vector<std::pair<const char *, std::function<void(KernelSpec &)>>> changes = {
      {"its scores are a result",
       [&](KernelSpec &spec) { spec.operands.push_back(output("s", F32, {b, 2, t, s})); }},
      {"its sums are a result",
       [&](KernelSpec &spec) { spec.operands.push_back(output("sum", F32, {b, 2, t})); }},
      {"another stage reads its maximum",
       [&](KernelSpec &spec) {
         spec.operands.push_back(output("z", F32, {b, 2, t}));
         spec.stages.push_back(pointwise("z", F32, {b, 2, t}, top));
       }},
      {"the maximum is another's",
       [&](KernelSpec &spec) { stageOf(spec, "top").body = apply(Op::Mul, {x, half}); }},
      {"no powers", [&](KernelSpec &spec) { stageOf(spec, "p").body = apply(Op::Sub, {x, top}); }},
      {"powers of more",
       [&](KernelSpec &spec) {
         stageOf(spec, "p").body =
             apply(Op::Exp, {apply(Op::Mul, {apply(Op::Sub, {x, top}), half})});
       }},
      {"a sum of squares",
       [&](KernelSpec &spec) { stageOf(spec, "sum").body = apply(Op::Mul, {power, power}); }},
      {"the sum has a beginning", [&](KernelSpec &spec) { stageOf(spec, "sum").init = half; }},
      {"the scale is of each key", [&](KernelSpec &spec) {
         stageOf(spec, "w").body = apply(
             Op::Div, {power, apply(Op::Add, {readAt("sum", F32, {0, 1, 2}), cast(dim(3), F32)})});
       }}};
  for (auto &[what, change] : changes) {
    KernelSpec spec = attention({});
    change(spec);
    ASSERT_EQ(verify(spec), "") << what;
    KernelSpec expanded = spec;
    expandMath(expanded, cuda::mathSupport);
    for (const cuda::Grid &grid : cuda::makePlan(expanded).grids)
      EXPECT_FALSE(grid.attention) << what;
    EXPECT_EQ(compareEmulated(spec, {1, 18, 20, 8, 17}, 1e-4), "") << what;
  }
}

/// Values behind the last key that a block's queries see are not read, be they NaN.
TEST(GPUAttention, TilesWithoutKeysAreSkipped) {
  Kind kind;
  kind.isCausal = true;
  auto kernel = Emulated::compile(attention(kind));
  ASSERT_TRUE(static_cast<bool>(kernel));
  constexpr int64_t rows = 100, width = 8, block = 64;
  std::vector<float> q(2 * rows * width, 0.5f), k = q, v = q, y(q.size(), -1);
  for (int64_t head : {0, 1})
    std::fill_n(v.begin() + (head * rows + block) * width, (rows - block) * width, NAN);
  EXPECT_EQ((*kernel)->run({q.data(), k.data(), v.data(), y.data()}, {1, rows, rows, width, width}),
            "");
  for (int64_t i = 0; i < 2 * rows; ++i)
    EXPECT_EQ(std::isnan(y[i * width]), i % rows >= block) << i << ": " << y[i * width];
}

/// A weight is multiplied as f32 holds it: the parts of another of halves would be noticed.
TEST(GPUAttention, WholeWeights) {
  for (DType type : {DType::F16, DType::BF16}) {
    Kind kind;
    kind.type = type;
    auto kernel = Emulated::compile(attention(kind));
    ASSERT_TRUE(static_cast<bool>(kernel));
    constexpr int64_t rows = 64, count = 16;
    const uint16_t one = type == DType::F16 ? 0x3c00 : 0x3f80, sign = 0x8000;
    // Key 0 has the score 0 and the value 0, all others -0.3 q and 1.
    std::vector<uint16_t> q(2 * rows), k(2 * count, one | sign), v(2 * count, one);
    k[0] = k[count] = v[0] = v[count] = 0;
    std::vector<float> numbers, y(q.size());
    for (int64_t i = 0; i < int64_t(q.size()); ++i) { // 1, and what follows it
      q[i] = static_cast<uint16_t>(one + i);
      numbers.push_back(1 + std::ldexp(float(i), type == DType::F16 ? -10 : -7));
    }
    ASSERT_EQ((*kernel)->run({q.data(), k.data(), v.data(), y.data()}, {1, rows, count, 1, 1}), "");
    for (size_t i = 0; i < y.size(); ++i) {
      double sum = (count - 1) * std::exp(double(-0.3f * numbers[i]));
      EXPECT_NEAR(y[i], 0.5 + sum / (1 + sum), 5e-7) << name(type) << " " << i;
    }
  }
}

/// No part of a weight by which it is multiplied is 0, unless the weight is.
TEST(GPUAttention, InfiniteValues) {
  for (DType type : {DType::F16, DType::BF16}) {
    Kind kind;
    kind.type = type;
    auto kernel = Emulated::compile(attention(kind));
    ASSERT_TRUE(static_cast<bool>(kernel));
    constexpr int64_t rows = 70, width = 8;
    const uint16_t one = type == DType::F16 ? 0x3c00 : 0x3f80;
    const uint16_t infinity = type == DType::F16 ? 0x7c00 : 0x7f80;
    std::vector<uint16_t> q(2 * rows * width, one), v = q;
    for (int64_t key : {3, 69})
      v[key * width + key % width] = infinity;
    std::vector<float> y(q.size());
    ASSERT_EQ(
        (*kernel)->run({q.data(), q.data(), v.data(), y.data()}, {1, rows, rows, width, width}),
        "");
    for (int64_t i = 0; i < int64_t(y.size()); ++i) {
      bool isInfinite = i < rows * width && (i % width == 3 || i % width == 5);
      EXPECT_EQ(y[i] == INFINITY, isInfinite) << name(type) << " " << i << ": " << y[i];
      EXPECT_FALSE(std::isnan(y[i])) << name(type) << " " << i;
    }
  }
}

/// How many calls of a function the kernel has, at most `most`; each of them changed makes one of
/// the calls of the kernel differ.
static size_t breakEach(const Kind &kind, llvm::StringRef name, size_t most,
                        llvm::function_ref<void(llvm::CallInst *)> change,
                        llvm::ArrayRef<std::vector<int64_t>> calls) {
  KernelSpec spec = attention(kind);
  size_t count = 1;
  for (size_t number = 0; number < count; ++number) {
    bool isNoticed = llvm::any_of(calls, [&](const std::vector<int64_t> &sizes) {
      return !compareEmulated(spec, sizes, 1e-5, [&](llvm::Module &module) {
                std::vector<llvm::CallInst *> found = callsOf(module, name);
                count = std::min(found.size(), most);
                if (number < count)
                  change(found[number]);
              }).empty();
    });
    EXPECT_TRUE(isNoticed || number == count)
        << kiln::name(kind.type) << ": " << name.str() << " " << number;
  }
  return count;
}

/// Barriers that are dropped, and bytes that are copied or loaded elsewhere, make a difference. The
/// barriers of the vote on skipping stand first, and cover some of those behind them.
TEST(GPUAttention, FaultsAreNoticed) {
  auto dropped = [](llvm::CallInst *call) { call->eraseFromParent(); };
  auto moved = [](llvm::CallInst *call) {
    llvm::IRBuilder<> b(call);
    call->setArgOperand(0, b.CreateGEP(b.getInt8Ty(), call->getArgOperand(0), b.getInt64(16)));
  };
  const std::vector<int64_t> seen[] = {{1, 66, 130, 20, 16}, {1, 66, 130, 160, 72}};
  const std::vector<int64_t> skipped[] = {{1, 65, 130, 8, 8}, {1, 258, 258, 8, 8}};
  for (DType type : {F32, DType::F16, DType::BF16}) {
    Kind kind;
    kind.type = type;
    EXPECT_GT(breakEach(kind, "llvm.nvvm.barrier", SIZE_MAX, dropped, seen), 4u);
    if (type != F32) {
      EXPECT_GT(breakEach(kind, "llvm.nvvm.cp.async.cg", SIZE_MAX, moved, seen), 1u);
      EXPECT_GT(breakEach(kind, "llvm.nvvm.ldmatrix", SIZE_MAX, moved, seen), 1u);
    }
    kind.isCausal = true;
    EXPECT_EQ(breakEach(kind, "llvm.nvvm.barrier", 2, dropped, skipped), 2u);
  }
}
