//===- ThinTest.cpp - thin products, by the emulator ----------------------===//

#include "test/gpu/Assemble.h"
#include "test/gpu/Emulator.h"
#include "test/unit/kernels/Specs.h"
#include "test/unit/llvm/Harness.h"

#include "codegen/cuda/Generate.h"
#include "codegen/cuda/Plan.h"
#include "codegen/spec/Numbers.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"

#include <cstring>
#include <random>

using namespace kiln;
using namespace kiln::test;

namespace {
/// y [rows, columns] = x w'.
struct Thin {
  DType first, second;
  int64_t rows, columns;
  DimExpr steps;
};
} // namespace

static DType sumOf(DType first, DType second) {
  if (first == DType::F64)
    return DType::F64;
  return isFloat(first) || isFloat(second) ? DType::F32 : DType::I32;
}

static KernelSpec specOf(const Thin &thin) {
  KernelSpec spec;
  if (auto name = thin.steps.asSymbol())
    spec.symbols = {{*name, 0, std::nullopt}};
  DType sum = sumOf(thin.first, thin.second);
  spec.operands = {operand("x", thin.first, {thin.rows, thin.steps}),
                   operand("w", thin.second, {thin.columns, thin.steps}),
                   output("y", sum, {thin.rows, thin.columns})};
  auto wide = [&](ExprPtr value) { return value->type == sum ? value : cast(value, sum); };
  ExprPtr x = wide(readAt("x", thin.first, {0, 2})), w = wide(readAt("w", thin.second, {1, 2}));
  spec.stages = {reducing("y", sum, {thin.rows, thin.columns}, {thin.steps}, Combiner::Add,
                          constant(0.0, sum), relaxed(apply(Op::Mul, {x, w})))};
  return spec;
}

/// Loads that rely on more alignment than their elements have.
static std::vector<llvm::LoadInst *> wideLoads(llvm::Module &module) {
  std::vector<llvm::LoadInst *> found;
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *load = llvm::dyn_cast<llvm::LoadInst>(&instruction);
          load && 8 * load->getAlign().value() > load->getType()->getScalarSizeInBits())
        found.push_back(load);
  return found;
}

/// Loads of 16 bytes in PTX.
static int64_t loadsOf16(const std::string &ptx) {
  int64_t count = 0;
  for (llvm::StringRef text : {"ld.global.nc.v4.b32", "ld.global.nc.v2.b64"})
    count += llvm::StringRef(ptx).count(text);
  return count;
}

/// A device stops at loads that are not aligned: here they give nothing.
static void refuseMisaligned(llvm::Module &module) {
  for (llvm::LoadInst *load : wideLoads(module)) {
    llvm::IRBuilder<> b(load->getNextNode());
    llvm::Value *number = b.CreatePtrToInt(load->getPointerOperand(), b.getInt64Ty());
    llvm::Value *low = b.CreateAnd(number, load->getAlign().value() - 1);
    llvm::Value *isAligned = b.CreateICmpEQ(low, b.getInt64(0));
    llvm::Value *none = llvm::Constant::getNullValue(load->getType());
    auto *chosen = llvm::cast<llvm::Instruction>(b.CreateSelect(isAligned, load, none));
    load->replaceUsesWithIf(chosen, [&](llvm::Use &use) { return use.getUser() != chosen; });
  }
}

static constexpr std::pair<DType, DType> pairs[] = {
    {DType::F16, DType::F16}, {DType::BF16, DType::BF16}, {DType::F32, DType::F32},
    {DType::F64, DType::F64}, {DType::I8, DType::I8},     {DType::U8, DType::I8},
    {DType::F32, DType::F16}, {DType::F32, DType::I8},    {DType::I32, DType::I32}};

TEST(GPUThin, NeighboursAreLoadedAtOnce) {
  for (auto [first, second] : pairs)
    for (int64_t steps : {64, 100, 1024, 5001}) {
      SCOPED_TRACE(std::string(name(first)) + " " + std::string(name(second)) + ", " +
                   std::to_string(steps));
      KernelSpec spec = specOf({first, second, 2, 5, steps});
      bool isBlock = steps >= 1024;
      EXPECT_EQ(cuda::makePlan(spec).grids[0].team, isBlock ? cuda::Team::Block : cuda::Team::Warp);
      int64_t most = 0;
      EXPECT_EQ(compareEmulated(spec, {}, 0,
                                [&](llvm::Module &module) {
                                  for (llvm::LoadInst *load : wideLoads(module))
                                    most = std::max<int64_t>(most, load->getAlign().value());
                                  refuseMisaligned(module);
                                }),
                "");
      assembleLater(spec);
      // As many as there are for each member, of 16 bytes if there are enough.
      int64_t together = std::min<int64_t>(16 / std::min(byteSize(first), byteSize(second)),
                                           llvm::bit_floor(uint64_t(steps) / (isBlock ? 256 : 32)));
      int64_t bytes[] = {together * byteSize(first), together * byteSize(second)};
      EXPECT_EQ(most, std::min<int64_t>(16, std::max(bytes[0], bytes[1])));
      auto kernel = cuda::generateCUDA(spec, "sm_80", "k");
      ASSERT_TRUE(static_cast<bool>(kernel));
      EXPECT_GE(loadsOf16(kernel->ptx), bytes[0] / 16 + bytes[1] / 16);
    }
}

static std::unique_ptr<Emulated> compiled(const KernelSpec &spec) {
  return llvm::cantFail(Emulated::compile(spec, "sm_80", refuseMisaligned));
}

TEST(GPUThin, OpenExtents) {
  for (auto [first, second] : pairs) {
    KernelSpec spec = specOf({first, second, 3, 4, DimExpr::symbol("K")});
    auto kernel = compiled(spec);
    assembleLater(spec);
    for (int64_t steps : {0, 1, 3, 7, 8, 15, 16, 17, 31, 255, 256, 2047, 2048, 4100})
      EXPECT_EQ(compareEmulated(*kernel, spec, {steps}, 0), "")
          << name(first) << " " << name(second) << ", " << steps;
  }
}

static std::vector<uint8_t> someNumbers(DType type, int64_t count, std::mt19937 &random) {
  std::uniform_real_distribution<float> any(-1, 1);
  std::vector<uint8_t> bytes(count * byteSize(type));
  for (size_t i = 0; i < bytes.size(); i += byteSize(type)) {
    Number number;
    number.f = any(random);
    storeNumber(bytes.data() + i, type, number);
  }
  return bytes;
}

/// Where memory begins, and which path that takes, changes no bit of sums that are rounded.
TEST(GPUThin, MisalignedMemory) {
  std::mt19937 random(7);
  constexpr int64_t rows = 2, columns = 3;
  for (auto [type, steps] : {std::pair<DType, int64_t>(DType::F32, 1000),
                             {DType::F32, 2051},
                             {DType::F16, 2056},
                             {DType::BF16, 333}}) {
    auto kernel = compiled(specOf({type, type, rows, columns, steps}));
    std::vector<uint8_t> x = someNumbers(type, rows * steps, random);
    std::vector<uint8_t> w = someNumbers(type, columns * steps, random);
    std::vector<float> want;
    for (auto [ofX, ofW] :
         {std::pair<int64_t, int64_t>(0, 0), {1, 0}, {0, 1}, {3, 3}, {2, 0}, {8, 4}}) {
      alignas(64) static uint8_t memory[2][1 << 15];
      ASSERT_LE(std::max(x.size(), w.size()) + 64, sizeof memory[0]);
      uint8_t *atX = memory[0] + ofX * byteSize(type), *atW = memory[1] + ofW * byteSize(type);
      std::copy(x.begin(), x.end(), atX);
      std::copy(w.begin(), w.end(), atW);
      std::vector<float> y(rows * columns);
      ASSERT_EQ(kernel->run({atX, atW, y.data()}, {}), "");
      if (want.empty())
        want = y;
      EXPECT_EQ(std::memcmp(want.data(), y.data(), y.size() * sizeof(float)), 0)
          << name(type) << " " << steps << ", from " << ofX << " and " << ofW;
    }
    EXPECT_NE(want[0], want[1]);
  }
}

/// What is not read by neighbours along the steps is not loaded so.
TEST(GPUThin, OthersStaySingle) {
  auto count = [](const KernelSpec &spec) {
    size_t found = 0;
    EXPECT_EQ(compareEmulated(spec, {}, 0,
                              [&](llvm::Module &module) { found = wideLoads(module).size(); }),
              "");
    return found;
  };
  KernelSpec spec = specOf({DType::F16, DType::F16, 2, 5, 1024});
  EXPECT_GT(count(spec), 0u);
  KernelSpec apart = spec;
  apart.operands[1].strides = {1, 5};
  EXPECT_EQ(count(apart), 0u);
  KernelSpec few = specOf({DType::F16, DType::F16, 2, 5, 63}); // a thread each
  EXPECT_EQ(count(few), 0u);
  KernelSpec padded = spec; // reads beyond its rows
  padded.stages[0].reduction = {1030};
  padded.stages[0].body =
      relaxed(apply(Op::Mul, {cast(read("x", {index(0), index(2)}, DType::F16, 0.0), DType::F32),
                              cast(read("w", {index(1), index(2)}, DType::F16, 0.0), DType::F32)}));
  EXPECT_EQ(count(padded), 0u);
}

namespace {
/// y [rows, columns] = x w', w in `bits`, with a scale for each `group` along the steps.
struct Grouped {
  int64_t bits, group, rows, columns, groups;
  bool hasZeros = false;
};
} // namespace

/// The products of a step: one of a byte, or eight of blocks of bits, as they are lowered.
static KernelSpec specOf(const Grouped &grouped) {
  auto [bits, group, rows, columns, groups, hasZeros] = grouped;
  int64_t at = bits == 8 ? 1 : 8, bytes = bits == 8 ? 1 : bits;
  auto word = [](int64_t value) { return constant(value, DType::I32); };
  auto along = [&](int64_t each, int64_t offset) {
    spec::Index result = index(3, each, offset);
    result.terms = {{2, each * (group / at)}, {3, each}};
    return result;
  };
  // So few values that sums are exact.
  auto ofGroup = [&](const char *name, int64_t most) {
    ExprPtr value = cast(read(name, {index(1), index(2)}, DType::U8), DType::I32);
    return apply(Op::And, {value, word(most)});
  };
  KernelSpec spec;
  spec.operands = {operand("x", DType::F32, {rows, groups * group}),
                   operand("w", DType::U8, {columns, groups * group * bits / 8}),
                   operand("s", DType::U8, {columns, groups}),
                   operand("z", DType::U8, {columns, groups}),
                   output("y", DType::F32, {rows, columns})};
  ExprPtr block, sum;
  for (int64_t i = 0; i < bytes; ++i) {
    ExprPtr byte = cast(read("w", {index(1), along(bytes, i)}, DType::U8), DType::I32);
    byte = apply(Op::Shl, {byte, word(8 * i)});
    block = block ? apply(Op::Or, {block, byte}) : byte;
  }
  for (int64_t i = 0; i < at; ++i) {
    ExprPtr number = apply(Op::Shr, {block, word(bits * i)});
    number = apply(Op::And, {number, word((1 << bits) - 1)});
    if (hasZeros)
      number = apply(Op::Sub, {number, ofGroup("z", 7)});
    ExprPtr x = read("x", {index(0), along(at, i)}, DType::F32);
    ExprPtr product = relaxed(apply(Op::Mul, {x, cast(number, DType::F32)}));
    sum = sum ? apply(Op::Add, {sum, product}) : product;
  }
  spec.stages = {reducing("y", DType::F32, {rows, columns}, {groups, group / at}, Combiner::Add,
                          constant(0.0, DType::F32),
                          relaxed(apply(Op::Mul, {sum, cast(ofGroup("s", 3), DType::F32)})))};
  return spec;
}

/// Numbers in groups are read by neighbours, whole groups or parts of one at a time, any number of
/// groups and columns, and where rows begin anywhere.
TEST(GPUProducts, WeightsInGroups) {
  for (int64_t bits : {8, 4, 3})
    for (int64_t group : {8, 32, 40, 64, 128})
      for (auto [columns, groups] : {std::pair<int64_t, int64_t>(1, 1), {7, 3}, {5, 13}, {3, 67}}) {
        SCOPED_TRACE(std::to_string(bits) + " bits in groups of " + std::to_string(group) + ", " +
                     std::to_string(columns) + " columns of " + std::to_string(groups));
        KernelSpec spec =
            specOf(Grouped{bits, group, 1 + columns % 2, columns, groups, group > 32});
        EXPECT_EQ(spec::verify(spec), "");
        EXPECT_EQ(compareEmulated(spec, {}, 0, refuseMisaligned), "");
        assembleLater(spec);
      }
}

/// A member's loads of weights have 16 bytes where there are as many for each.
TEST(GPUProducts, GroupsAreLoadedAtOnce) {
  for (auto [bits, group] : {std::pair<int64_t, int64_t>(8, 32),
                             {8, 128},
                             {4, 32},
                             {4, 64},
                             {4, 128},
                             {3, 32},
                             {3, 64},
                             {3, 128}})
    for (llvm::StringRef chip : {"sm_80", "sm_90a"}) {
      KernelSpec spec = specOf(Grouped{bits, group, 1, 2000, 4096 / group});
      EXPECT_EQ(cuda::makePlan(spec).grids[0].team, cuda::Team::Warp);
      auto kernel = cuda::generateCUDA(spec, chip, "k");
      ASSERT_TRUE(static_cast<bool>(kernel));
      assembleLater(spec, chip);
      // All bytes of x and w that a member takes at a time.
      int64_t steps = bits == 8 ? 16 : 128 / (bits == 4 ? 4 : 1);
      EXPECT_EQ(loadsOf16(kernel->ptx), steps * 4 / 16 + steps * bits / 8 / 16)
          << bits << " bits in groups of " << group << ", " << chip.str();
    }
}
