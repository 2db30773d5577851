//===- ProductsTest.cpp - products by tiles, by the emulator --------------===//

#include "test/gpu/Assemble.h"
#include "test/gpu/Emulator.h"
#include "test/unit/kernels/Specs.h"
#include "test/unit/llvm/Harness.h"

#include "codegen/cuda/Plan.h"
#include "codegen/spec/Numbers.h"
#include "ir/target/Target.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"

#include <cmath>
#include <cstring>
#include <random>

using namespace kiln;
using namespace kiln::test;

static bool isByte(DType type) { return type == DType::I8 || type == DType::U8; }

/// A factor as it is multiplied.
static ExprPtr wide(ExprPtr value) {
  DType type = value->type;
  return type == DType::F32 ? value
                            : cast(std::move(value), isByte(type) ? DType::I32 : DType::F32);
}

/// [B, M, K] times [B, K, N], or [B, N, K] if `isTurned`, of open extents.
static KernelSpec product(DType type, DType second, bool isTurned,
                          std::optional<int64_t> mostColumns = std::nullopt) {
  KernelSpec spec;
  std::vector<DimExpr> extents;
  for (const char *name : {"B", "M", "N", "K"}) {
    spec.symbols.push_back({name, 0, std::nullopt});
    extents.push_back(DimExpr::symbol(name));
  }
  spec.symbols[2].upper = mostColumns;
  DimExpr batch = extents[0], m = extents[1], n = extents[2], k = extents[3];
  std::vector<DimExpr> shape = isTurned ? std::vector{batch, n, k} : std::vector{batch, k, n};
  DType sum = isByte(type) ? DType::I32 : DType::F32;
  spec.operands = {operand("x", type, {batch, m, k}), operand("w", second, shape),
                   output("y", sum, {batch, m, n})};
  ExprPtr x = wide(readAt("x", type, {0, 1, 3}));
  ExprPtr w = wide(readAt("w", second, isTurned ? std::vector{0, 2, 3} : std::vector{0, 3, 2}));
  spec.stages = {reducing("y", sum, {batch, m, n}, {k}, Combiner::Add, constant(0.0, sum),
                          relaxed(apply(Op::Mul, {x, w})))};
  return spec;
}

static KernelSpec product(DType type, bool isTurned) { return product(type, type, isTurned); }

/// Extents of one dimension: in turn each that is ragged, prime, none or a tile's own, in any
/// order, and any others between them.
namespace {
class Extents {
public:
  explicit Extents(std::mt19937 &random) : random(random) {}
  int64_t next() {
    if (random() % 2)
      return random() % 150;
    if (left.empty()) {
      left = {0, 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 100, 127, 128, 129};
      std::shuffle(left.begin(), left.end(), random);
    }
    int64_t extent = left.back();
    left.pop_back();
    return extent;
  }

private:
  std::mt19937 &random;
  std::vector<int64_t> left;
};
} // namespace

/// Chips whose forms of such products differ.
static std::vector<llvm::StringRef> chipsFor(DType type, DType second) {
  if (type == DType::F32)
    return {"sm_80"};
  if (cuda::isEighth(type) && cuda::isEighth(second))
    return {"sm_80", "sm_89"};
  return {"sm_80", "sm_90a"};
}

TEST(GPUProducts, EveryExtent) {
  // Other shapes by --gtest_random_seed=N.
  std::mt19937 random(3 + GTEST_FLAG_GET(random_seed));
  Extents rows(random), columns(random), steps(random);
  std::pair<DType, DType> pairs[] = {{DType::F16, DType::F16},       {DType::BF16, DType::BF16},
                                     {DType::F32, DType::F32},       {DType::I8, DType::I8},
                                     {DType::I8, DType::U8},         {DType::U8, DType::I8},
                                     {DType::U8, DType::U8},         {DType::F8E4M3, DType::F8E4M3},
                                     {DType::F8E4M3, DType::F8E5M2}, {DType::F8E5M2, DType::F8E4M3},
                                     {DType::F8E5M2, DType::F8E5M2}, {DType::F8E4M3, DType::F16},
                                     {DType::F16, DType::F8E5M2},    {DType::F8E5M2, DType::BF16},
                                     {DType::BF16, DType::F8E4M3}};
  auto check = [&](const KernelSpec &spec, llvm::StringRef chip, int64_t mostColumns) {
    std::optional<cuda::Tile> tile = cuda::makePlan(spec, chip).grids[0].tile;
    bool isLater = chip == "sm_90a";
    ASSERT_TRUE(tile && tile->byWarpgroups == (isLater && !cuda::isEighth(tile->type)));
    ASSERT_EQ(tile->n, tile->byWarpgroups && mostColumns > 64 ? 128 : 64);
    auto kernel = Emulated::compile(spec, chip);
    ASSERT_TRUE(static_cast<bool>(kernel));
    assembleLater(spec, chip == "sm_80" ? "" : chip); // others in turn
    for (int i = 0; i < 5; ++i) {
      std::vector<int64_t> sizes = {i ? 1 + int64_t(random() % 2) : int64_t(random() % 3),
                                    rows.next(), std::min(columns.next(), mostColumns),
                                    steps.next()};
      EXPECT_EQ(compareEmulated(**kernel, spec, sizes, 0), "")
          << chip.str() << " " << sizes[0] << " x " << sizes[1] << " x " << sizes[2] << " x "
          << sizes[3];
    }
  };
  for (auto [type, second] : pairs)
    for (bool isTurned : {false, true})
      for (llvm::StringRef chip : chipsFor(type, second)) {
        SCOPED_TRACE(std::string(name(type)) + " " + std::string(name(second)) +
                     (isTurned ? ", turned" : ""));
        check(product(type, second, isTurned), chip, INT64_MAX);
        if (chip == "sm_90a")
          check(product(type, second, isTurned, 64), chip, 64);
      }
}

/// What a launch asks for is what its chip gives a block.
TEST(GPUProducts, SharedMemoryIsThere) {
  for (const target::Target &target : target::all()) {
    if (target.kind != target::Kind::CUDA)
      continue;
    EXPECT_GE(target.sharedBytes, 99 << 10) << target.name;
    for (bool isTurned : {false, true}) {
      cuda::Plan plan = cuda::makePlan(product(DType::F16, isTurned), target.llvmCpu);
      EXPECT_EQ(plan.grids[0].dynamicBytes, target.name == "cuda:sm_90a" ? 96 << 10 : 0);
      EXPECT_LE(plan.grids[0].dynamicBytes, target.sharedBytes);
    }
  }
}

/// Few rows or columns at run time are in the simple form: of two launches one has no blocks.
TEST(GPUProducts, ThinOnes) {
  for (DType type : {DType::F16, DType::F32, DType::I8})
    for (bool isTurned : {false, true}) {
      KernelSpec spec = product(type, isTurned);
      cuda::Plan plan = cuda::makePlan(spec);
      ASSERT_EQ(plan.grids.size(), 2u);
      ASSERT_TRUE(plan.grids[0].tile && !plan.grids[1].tile);
      for (auto [m, n] : {std::pair<int64_t, int64_t>(0, 9),
                          {9, 0},
                          {1, 1},
                          {1, 70},
                          {4, 5},
                          {5, 4},
                          {70, 3},
                          {5, 5},
                          {5, 200}}) {
        std::vector<int64_t> sizes = {2, m, n, 40};
        auto blocks = [&, m = m, n = n](size_t grid) {
          return *plan.grids[grid].blocks.evaluate([&](std::string_view name) {
            return std::optional(name == "B" ? 2 : name == "M" ? m : name == "N" ? n : 40);
          });
        };
        bool isSome = m && n, isThin = m < 5 || n < 5;
        EXPECT_EQ(blocks(0) > 0, isSome && !isThin) << m << " x " << n;
        EXPECT_EQ(blocks(1) > 0, isSome && isThin) << m << " x " << n;
        EXPECT_EQ(compareEmulated(spec, sizes, 1e-5), "") << m << " x " << n;
      }
    }
}

/// y = x w' + 1 with few rows and columns, of `depth` steps.
static KernelSpec deep(DType type, int64_t most, DimExpr depth) {
  KernelSpec spec;
  spec.symbols = {{"M", 0, most}, {"K", 512, 1200}};
  DimExpr m = DimExpr::symbol("M");
  DType sum = isByte(type) ? DType::I32 : DType::F32;
  spec.operands = {operand("x", type, {m, depth}), operand("w", type, {70, depth}),
                   output("y", sum, {m, 70})};
  ExprPtr x = wide(readAt("x", type, {0, 2})), w = wide(readAt("w", type, {1, 2}));
  spec.stages = {
      reducing("s", sum, {m, 70}, {depth}, Combiner::Add, constant(2.0, sum),
               relaxed(apply(Op::Mul, {x, w}))),
      pointwise("y", sum, {m, 70}, apply(Op::Add, {readAt("s", sum, {0, 1}), constant(1.0, sum)}))};
  return spec;
}

/// Where tiles are few and steps many, several blocks share a tile's steps. Sums pass 100 on their
/// way to what may be 0, and are rounded to f32 there; those of bytes are exact.
TEST(GPUProducts, Parts) {
  for (DType type : {DType::F16, DType::F32, DType::U8, DType::F8E4M3})
    for (bool isOpen : {false, true}) {
      bool splits = byteSize(type) > 1 || !isOpen; // 512 steps are less than two parts of bytes
      KernelSpec spec = deep(type, 150, isOpen ? DimExpr::symbol("K") : DimExpr(1051));
      cuda::Plan plan = cuda::makePlan(spec);
      ASSERT_EQ(plan.grids.size(), splits ? 3u : 2u) << cuda::print(plan);
      ASSERT_EQ(plan.grids[0].parts.has_value(), splits);
      assembleLater(spec);
      double tolerance = isByte(type) ? 0 : 1e-5;
      auto kernel = Emulated::compile(spec, "sm_80");
      ASSERT_TRUE(static_cast<bool>(kernel));
      for (int64_t m : {0, 1, 5, 129})
        for (int64_t k : isOpen ? std::vector<int64_t>{512, 1199} : std::vector<int64_t>{512})
          EXPECT_EQ(compareEmulated(**kernel, spec, {m, k}, tolerance), "")
              << name(type) << " " << m << " x " << k;
    }
  EXPECT_TRUE(cuda::makePlan(deep(DType::F32, 1000, 1051)).grids[0].parts);
  EXPECT_FALSE(cuda::makePlan(deep(DType::F32, 4000, 1051)).grids[0].parts) << "tiles enough";
  EXPECT_FALSE(cuda::makePlan(deep(DType::F32, 150, 255)).grids[0].parts) << "too few steps";
}

/// The number of blocks that run changes no bit of a sum of parts.
TEST(GPUProducts, PartsInOneOrder) {
  KernelSpec spec = deep(DType::F32, 150, 1051);
  auto kernel = Emulated::compile(spec, "sm_80");
  ASSERT_TRUE(static_cast<bool>(kernel));
  std::mt19937 random(5);
  std::uniform_real_distribution<float> any(-1, 1);
  int64_t rows = 70;
  std::vector<float> x(rows * 1051), w(70 * 1051), first(rows * 70), y(rows * 70);
  for (auto *values : {&x, &w})
    for (float &value : *values)
      value = any(random);
  for (int64_t blocks : {1, 2, 7, 1000}) {
    std::fill(y.begin(), y.end(), 0.0f);
    ASSERT_EQ((*kernel)->run({x.data(), w.data(), y.data()}, {rows, 512}, blocks), "");
    if (blocks == 1)
      first = y;
    EXPECT_EQ(std::memcmp(first.data(), y.data(), y.size() * sizeof(float)), 0) << blocks;
  }
}

/// Every number of 8 bits is multiplied as what it is, infinities and NaN too, whichever factor it
/// is of and wherever it lies in a register.
TEST(GPUProducts, EveryEighth) {
  constexpr int64_t count = 256, steps = 32;
  for (DType type : {DType::F8E4M3, DType::F8E5M2})
    for (auto [isFirst, chip] : {std::pair(true, "sm_80"), {false, "sm_80"}, {true, "sm_89"}}) {
      KernelSpec spec = product(type, true);
      auto kernel = Emulated::compile(spec, chip);
      ASSERT_TRUE(static_cast<bool>(kernel)) << llvm::toString(kernel.takeError());
      std::vector<uint8_t> all(count * steps), ones(steps * steps);
      uint8_t one;
      storeNumber(&one, type, {1.0, 0});
      for (int64_t i = 0; i < count; ++i)
        all[i * steps + i % steps] = static_cast<uint8_t>(i);
      for (int64_t i = 0; i < steps; ++i)
        ones[i * steps + i] = one;
      std::vector<float> y(count * steps);
      void *factors[] = {all.data(), ones.data()};
      std::vector<int64_t> sizes = {1, isFirst ? count : steps, isFirst ? steps : count, steps};
      ASSERT_EQ((*kernel)->run({factors[!isFirst], factors[isFirst], y.data()}, sizes), "");
      for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < steps; ++j) {
          auto byte = static_cast<uint8_t>(i);
          double number = loadNumber(&byte, type).f, want = number * (i % steps == j);
          float got = y[isFirst ? i * steps + j : j * count + i];
          EXPECT_TRUE(std::isnan(want) ? std::isnan(got) : got == want)
              << name(type) << " " << i << ": expected " << want << ", got " << got;
        }
    }
}

/// A convolution is a product whose rows are the points of all images.
TEST(GPUProducts, Convolutions) {
  for (DType type : {DType::F16, DType::BF16, DType::F32, DType::U8, DType::F8E4M3})
    for (int64_t channels : {3, 8, 16})
      for (int64_t stride : {1, 2}) {
        DimExpr n = DimExpr::symbol("N");
        DType sum = isByte(type) ? DType::I32 : DType::F32;
        KernelSpec spec;
        spec.symbols = {{"N", 0, std::nullopt}};
        int64_t side = 9, out = (side - 1) / stride + 1, filters = 20;
        spec.operands = {operand("x", type, {n, side, side, channels}),
                         operand("w", type, {filters, 3, 3, channels}),
                         output("y", sum, {n, out, out, filters})};
        std::vector<Index> indices = {index(0), index(1, stride, -1), index(2, stride, -1),
                                      index(6)};
        indices[1].terms.push_back({4, 1});
        indices[2].terms.push_back({5, 1});
        ExprPtr x = wide(read("x", indices, type, isByte(type) ? 7.0 : 0.0));
        ExprPtr w = wide(readAt("w", type, {3, 4, 5, 6}));
        spec.stages = {reducing("y", sum, {n, out, out, filters}, {3, 3, channels}, Combiner::Add,
                                constant(0.0, sum), relaxed(apply(Op::Mul, {x, w})))};
        cuda::Plan plan = cuda::makePlan(spec);
        ASSERT_TRUE(plan.grids[0].tile);
        EXPECT_EQ(plan.grids.size(), 1u) << "an image has many points";
        assembleLater(spec);
        for (llvm::StringRef chip : chipsFor(type, type))
          for (int64_t images : {0, 1, 3})
            EXPECT_EQ(compareEmulated(spec, {images}, 1e-5, {}, chip), "")
                << chip.str() << " " << name(type) << ", " << channels << " channels, stride "
                << stride;
      }
}

/// Each way to break the fast form makes a difference.
TEST(GPUProducts, FaultsAreNoticed) {
  for (DType type : {DType::F16, DType::BF16, DType::U8, DType::F8E4M3})
    for (bool isTurned : {type == DType::F16 || type == DType::U8}) {
      KernelSpec spec = product(type, isByte(type) ? DType::I8 : type, isTurned);
      std::vector<int64_t> sizes = {1, 128, 64, byteSize(type) == 1 ? 256 : 128};
      auto breakOne = [&](llvm::StringRef name, size_t number, auto change) {
        bool isFound = false;
        std::string text = compareEmulated(spec, sizes, 1e-5, [&](llvm::Module &module) {
          std::vector<llvm::CallInst *> calls = callsOf(module, name);
          isFound = number < calls.size();
          if (isFound)
            change(calls[number]);
        });
        EXPECT_NE(text, isFound ? "" : "none") << name.str() << " " << number;
        return isFound;
      };
      auto moved = [](llvm::CallInst *call) {
        llvm::IRBuilder<> b(call);
        call->setArgOperand(0, b.CreateGEP(b.getInt8Ty(), call->getArgOperand(0), b.getInt64(16)));
      };
      auto swapped = [](llvm::CallInst *call) {
        llvm::Value *first = call->getArgOperand(0);
        call->setArgOperand(0, call->getArgOperand(1));
        call->setArgOperand(1, first);
      };
      auto dropped = [](llvm::CallInst *call) { call->eraseFromParent(); };
      auto longer = [](llvm::CallInst *call) {
        call->setArgOperand(0, llvm::ConstantInt::get(call->getArgOperand(0)->getType(), 3));
      };
      size_t loads = 0, products = 0, copies = 0, barriers = 0;
      while (loads < 8 && breakOne("llvm.nvvm.ldmatrix", loads, moved))
        ++loads;
      while (products < 3 && breakOne("llvm.nvvm.mma", products, swapped))
        ++products;
      while (copies < 2 && breakOne("llvm.nvvm.cp.async.cg", copies, moved))
        ++copies;
      EXPECT_TRUE(breakOne("llvm.nvvm.cp.async.wait", 0, longer));
      sizes[0] = 4; // more tiles than blocks that run, so that a block goes on to a next one
      while (barriers < 5 && breakOne("llvm.nvvm.barrier", barriers, dropped))
        ++barriers;
      EXPECT_EQ(loads, 8u);
      EXPECT_EQ(products, 3u);
      EXPECT_EQ(copies, 2u);
      EXPECT_EQ(barriers, 4u); // in a tile, and before the next one
    }
}

/// A factor that is computed, not copied, and an epilogue: y = max(x, 1) w s, of which s is a
/// number for each column.
static KernelSpec scaled(DType type) {
  KernelSpec spec;
  for (const char *name : {"M", "K"})
    spec.symbols.push_back({name, 0, std::nullopt});
  DimExpr m = DimExpr::symbol("M"), k = DimExpr::symbol("K");
  spec.operands = {operand("x", type, {m, k}), operand("w", type, {70, k}),
                   operand("s", DType::F32, {70}), output("y", DType::F32, {m, 70})};
  ExprPtr x = wide(readAt("x", type, {0, 2})), w = readAt("w", type, {1, 2});
  x = cast(apply(Op::Max, {x, constant(1.0, DType::F32)}), type);
  spec.stages = {
      reducing("a", DType::F32, {m, 70}, {k}, Combiner::Add, constant(0.0, DType::F32),
               relaxed(apply(Op::Mul, {wide(x), wide(w)}))),
      pointwise("y", DType::F32, {m, 70},
                apply(Op::Mul, {readAt("a", DType::F32, {0, 1}), readAt("s", DType::F32, {1})}))};
  return spec;
}

TEST(GPUWarpgroups, FactorsThatAreComputed) {
  for (DType type : {DType::F16, DType::BF16}) {
    KernelSpec spec = scaled(type);
    cuda::Plan plan = cuda::makePlan(spec, "sm_90a");
    ASSERT_TRUE(plan.grids[0].tile && plan.grids[0].tile->byWarpgroups);
    EXPECT_FALSE(plan.grids[0].tile->copiesRows);
    EXPECT_TRUE(plan.grids[0].tile->copiesColumns);
    auto kernel = Emulated::compile(spec, "sm_90a");
    ASSERT_TRUE(static_cast<bool>(kernel)) << llvm::toString(kernel.takeError());
    for (auto [m, k] : {std::pair<int64_t, int64_t>(0, 64), {131, 0}, {131, 67}, {64, 200}})
      EXPECT_EQ(compareEmulated(**kernel, spec, {m, k}, 0), "") << m << " x " << k;
  }
}

/// [B, M, K] times [B, N, K], or [B, K, N] if not `isTurned`, whose rows are of `columns` and
/// `steps` that TMA can copy.
static KernelSpec boxed(DType type, DType second, bool isTurned, int64_t columns, int64_t steps) {
  KernelSpec spec;
  for (const char *name : {"B", "M"})
    spec.symbols.push_back({name, 0, std::nullopt});
  DimExpr batch = DimExpr::symbol("B"), m = DimExpr::symbol("M");
  Shape shape = isTurned ? Shape{batch, columns, steps} : Shape{batch, steps, columns};
  DType sum = isByte(type) ? DType::I32 : DType::F32;
  spec.operands = {operand("x", type, {batch, m, steps}), operand("w", second, shape),
                   output("y", sum, {batch, m, columns})};
  for (int i : {0, 1})
    spec.operands[i].alignment = 16;
  ExprPtr x = wide(readAt("x", type, {0, 1, 3}));
  ExprPtr w = wide(readAt("w", second, isTurned ? std::vector{0, 2, 3} : std::vector{0, 3, 2}));
  spec.stages = {reducing("y", sum, {batch, m, columns}, {steps}, Combiner::Add, constant(0.0, sum),
                          relaxed(apply(Op::Mul, {x, w})))};
  return spec;
}

static bool loadsBoxes(const KernelSpec &spec) {
  cuda::Plan plan = cuda::makePlan(spec, "sm_90a");
  return plan.grids[0].tile && !plan.grids[0].tile->tensors.empty();
}

/// Boxes across all ends of both factors, in one stage, all of them and several rounds of these.
TEST(GPUBoxes, EveryExtent) {
  std::mt19937 random(3 + GTEST_FLAG_GET(random_seed));
  std::pair<DType, DType> pairs[] = {{DType::F16, DType::F16},
                                     {DType::BF16, DType::BF16},
                                     {DType::I8, DType::I8},
                                     {DType::U8, DType::I8}};
  for (auto [type, second] : pairs)
    for (bool isTurned : {false, true})
      for (auto [columns, steps] : {std::pair<int64_t, int64_t>(64, 16), {200, 80}, {97, 400}}) {
        if (!isTurned && (isByte(type) || columns % 8))
          continue; // bytes are not turned
        KernelSpec spec = boxed(type, second, isTurned, columns, steps);
        ASSERT_TRUE(loadsBoxes(spec));
        auto kernel = Emulated::compile(spec, "sm_90a");
        ASSERT_TRUE(static_cast<bool>(kernel)) << llvm::toString(kernel.takeError());
        assembleLater(spec, "sm_90a");
        for (int64_t rows : {int64_t(0), int64_t(5 + random() % 150)}) {
          int64_t batches = 1 + int64_t(random() % 4);
          EXPECT_EQ(compareEmulated(**kernel, spec, {batches, rows}, 0), "")
              << name(type) << (isTurned ? ", turned " : " ") << batches << " x " << rows << " x "
              << columns << " x " << steps;
        }
      }
}

/// What is no such tensor for certain is copied otherwise.
TEST(GPUBoxes, OnlyWhereTheyFit) {
  KernelSpec spec = boxed(DType::F16, DType::F16, true, 64, 128);
  EXPECT_TRUE(loadsBoxes(spec));
  EXPECT_FALSE(loadsBoxes(boxed(DType::F16, DType::F16, true, 64, 130)));  // strides
  EXPECT_FALSE(loadsBoxes(boxed(DType::F16, DType::F16, false, 68, 128))); // of one factor
  EXPECT_FALSE(loadsBoxes(boxed(DType::I8, DType::I8, false, 64, 128)));   // the order
  EXPECT_FALSE(loadsBoxes(product(DType::F16, true)));                     // open strides
  for (int i : {0, 1}) {
    KernelSpec other = spec;
    other.operands[i].alignment = 8;
    EXPECT_FALSE(loadsBoxes(other));
    other = spec;
    other.operands[i].strides[0] = other.operands[i].strides[0] * DimExpr(2); // batches apart
    EXPECT_FALSE(loadsBoxes(other));
    other = spec;
    other.operands[i].strides[1] = DimExpr(64); // rows that overlap
    EXPECT_FALSE(loadsBoxes(other));
  }
  EXPECT_TRUE(cuda::makePlan(spec, "sm_80").grids[0].tile->tensors.empty());
}

/// What is said of a kernel for sm_90a after a change to one of its calls of a name: "" where that
/// makes no difference, "none" where there are not so many.
static std::string saidOfBroken(const KernelSpec &spec, const std::vector<int64_t> &symbols,
                                llvm::StringRef name, size_t number,
                                llvm::function_ref<void(llvm::CallInst *)> change) {
  size_t found = 0;
  std::string text = compareEmulated(
      spec, symbols, 0,
      [&](llvm::Module &module) {
        std::vector<llvm::CallInst *> calls = callsOf(module, name);
        found = calls.size();
        if (number < found)
          change(calls[number]);
      },
      "sm_90a");
  return number < found ? text : "none";
}

/// Each way to break how boxes are waited for makes a difference; the emulator says which.
TEST(GPUBoxes, FaultsAreNoticed) {
  for (bool isTurned : {false, true}) {
    KernelSpec spec = boxed(DType::F16, DType::F16, isTurned, 64, 336); // 6 rounds of 4 stages
    auto said = [&](llvm::StringRef name, size_t number, auto change) {
      return saidOfBroken(spec, {4, 40}, name, number, change); // more tiles than blocks
    };
    auto dropped = [](llvm::CallInst *call) {
      if (!call->getType()->isVoidTy())
        call->replaceAllUsesWith(llvm::ConstantInt::getAllOnesValue(call->getType()));
      call->eraseFromParent();
    };
    auto each = [&](llvm::StringRef name, std::vector<size_t> numbers, auto change) {
      for (size_t number : numbers) {
        std::string text = said(name, number, change);
        EXPECT_TRUE(!text.empty() && text != "none")
            << name.str() << " " << number << (isTurned ? ", turned" : "");
      }
    };
    each("llvm.nvvm.mbarrier.init", {0, 4}, dropped);   // of a full and an empty stage
    each("llvm.nvvm.mbarrier.arrive", {0, 4}, dropped); // who fills, who has read
    each("llvm.nvvm.fence", {0, 1}, dropped);
    each("llvm.nvvm.barrier", {0, 1, 2, 3}, dropped);
    each("llvm.nvvm.cp.async.bulk", {0, 1}, dropped);
    for (unsigned argument : {3u, 4u, 5u}) // places in the tensor
      each("llvm.nvvm.cp.async.bulk", {1}, [&](llvm::CallInst *call) {
        llvm::IRBuilder<> b(call);
        call->setArgOperand(argument, b.CreateAdd(call->getArgOperand(argument), b.getInt32(1)));
      });
    // Who fills waits for who reads: its waits follow one another, in front of those for boxes.
    size_t silent = 0, waits = 0;
    for (std::string text; (text = said("llvm.nvvm.mbarrier.try.wait", waits, dropped)) != "none";
         ++waits)
      silent += text.empty();
    EXPECT_GE(waits, 3u);
    EXPECT_EQ(silent, waits - 2) << "the first fills of all stages wait for nobody";
  }
}

/// Several parts of a product's steps are added in order: exact sums are those of one.
TEST(GPUWarpgroups, Parts) {
  KernelSpec spec = deep(DType::F16, 150, DimExpr(1051));
  cuda::Plan plan = cuda::makePlan(spec, "sm_90a");
  ASSERT_TRUE(plan.grids[0].parts && plan.grids[0].tile->byWarpgroups);
  EXPECT_EQ(plan.grids[0].parts->count, 2);
  auto kernel = Emulated::compile(spec, "sm_90a");
  ASSERT_TRUE(static_cast<bool>(kernel));
  for (int64_t m : {0, 1, 5, 129})
    EXPECT_EQ(compareEmulated(**kernel, spec, {m, 512}, 1e-5), "") << m;
}

/// Each way to break products of warpgroups makes a difference; the emulator says which.
TEST(GPUWarpgroups, FaultsAreNoticed) {
  for (bool isTurned : {false, true}) {
    KernelSpec spec = product(DType::F16, isTurned);
    auto said = [&](llvm::StringRef name, size_t number, auto change) {
      bool isBarrier = name.contains("barrier"); // more tiles than blocks, so that one goes on
      int64_t extent = isBarrier ? 16 : 72;      // and steps of 5 stages
      return saidOfBroken(spec, {isBarrier ? 4 : 1, extent, extent, 320}, name, number, change);
    };
    auto dropped = [](llvm::CallInst *call) { call->eraseFromParent(); };
    // Sums are there when they have been waited for, and what is read is kept until then.
    std::string text = said("kiln.wgmma.wait", 0, [](llvm::CallInst *call) {
      llvm::IRBuilder<> b(call);
      llvm::Value *sums = llvm::PoisonValue::get(call->getType());
      for (unsigned i = 0; i < call->arg_size(); ++i)
        sums = b.CreateInsertValue(sums, call->getArgOperand(i), i);
      call->replaceAllUsesWith(sums);
      call->eraseFromParent();
    });
    EXPECT_NE(text.find("products begin before those under way"), std::string::npos) << text;
    text = said("llvm.nvvm.fence.proxy.async", 0, dropped);
    EXPECT_NE(text.find("a product of what no fence has shown it"), std::string::npos) << text;
    size_t barriers = 0;
    for (; (text = said("llvm.nvvm.barrier", barriers, dropped)) != "none"; ++barriers)
      EXPECT_NE(text.find("a race in shared memory"), std::string::npos) << barriers << text;
    EXPECT_EQ(barriers, 4u);
    text = said("llvm.nvvm.cp.async.wait", 0, [](llvm::CallInst *call) {
      auto *groups = llvm::cast<llvm::ConstantInt>(call->getArgOperand(0));
      call->setArgOperand(0, llvm::ConstantInt::get(groups->getType(), groups->getZExtValue() + 1));
    });
    EXPECT_NE(text.find("a copy is under way"), std::string::npos) << text;
    // Of a descriptor: the address, the distance of 8 lines, the swizzle; where a step's columns
    // are neighbours, the distance to those beyond a line.
    constexpr unsigned count = 8;
    for (unsigned number : {0u, 1u, count - 1})
      for (uint64_t bit : {1, 6, 25, 38, 62}) {
        if (bit == 25 && (isTurned || number == 0))
          continue;
        text = said("kiln.wgmma.m64", 0, [&](llvm::CallInst *call) {
          llvm::IRBuilder<> b(call);
          unsigned argument = call->arg_size() - count + number;
          call->setArgOperand(argument, b.CreateXor(call->getArgOperand(argument), 1ull << bit));
        });
        EXPECT_NE(text, "") << number << " " << bit;
      }
  }
}
