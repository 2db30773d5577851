//===- KernelsTest.cpp - device kernels by the emulator -------------------===//

#include "test/gpu/Assemble.h"
#include "test/gpu/Emulator.h"
#include "test/unit/kernels/Specs.h"
#include "test/unit/llvm/Harness.h"

#include "codegen/cuda/Plan.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"

#include <limits>

using namespace kiln;
using namespace kiln::test;

/// By the emulator, and, at the end, by ptxas.
static std::string emulate(const KernelSpec &spec, const std::vector<int64_t> &symbols = {},
                           double tolerance = 1e-5) {
  assembleLater(spec);
  return compareEmulated(spec, symbols, tolerance);
}

static constexpr DType everyType[] = {DType::F64, DType::F32, DType::F16, DType::BF16, DType::I64,
                                      DType::I32, DType::I16, DType::I8,  DType::U8,   DType::Bool};

/// A reduction of [rows, columns] along its rows or, `isAcross`, its columns.
static KernelSpec reduction(Combiner combiner, DType type, DimExpr rows, DimExpr columns,
                            bool isAcross) {
  KernelSpec spec;
  for (const DimExpr &extent : {rows, columns})
    if (auto name = extent.asSymbol())
      spec.symbols.push_back({*name, 0, std::nullopt});
  ExprPtr item = readAt("x", type, isAcross ? std::vector{1, 0} : std::vector{0, 1});
  if (isFloat(type) && byteSize(type) < 4)
    item = cast(item, DType::F32);
  bool isArg = combiner == Combiner::ArgMax || combiner == Combiner::ArgMin;
  DType result = isArg ? DType::I64 : item->type;
  double inf = std::numeric_limits<double>::infinity();
  ExprPtr init;
  if (isFloat(result))
    init = constant(combiner == Combiner::Max   ? -inf
                    : combiner == Combiner::Min ? inf
                                                : double(combiner == Combiner::Mul),
                    result);
  else if (!isArg)
    init = constant(int64_t(combiner == Combiner::Mul || combiner == Combiner::And), result);
  DimExpr kept = isAcross ? columns : rows, gone = isAcross ? rows : columns;
  spec.operands = {operand("x", type, {rows, columns}), output("y", result, {kept})};
  spec.stages = {reducing("y", result, {kept}, {gone}, combiner, init, item)};
  return spec;
}

static cuda::Team teamOf(const KernelSpec &spec) { return cuda::makePlan(spec).grids[0].team; }

/// Each combiner on each type by each team, with as many, fewer and more steps than the team has
/// threads.
TEST(GPUKernels, ReductionsByEveryTeam) {
  for (Combiner combiner : {Combiner::Add, Combiner::Mul, Combiner::Max, Combiner::Min,
                            Combiner::And, Combiner::Or, Combiner::ArgMax, Combiner::ArgMin})
    for (DType type : everyType)
      for (auto [length, team] : {std::pair(37, cuda::Team::Thread),
                                  {64, cuda::Team::Warp},
                                  {131, cuda::Team::Warp},
                                  {1024, cuda::Team::Block},
                                  {2500, cuda::Team::Block}}) {
        KernelSpec spec = reduction(combiner, type, 5, length, false);
        if (!verify(spec).empty())
          continue;
        EXPECT_EQ(teamOf(spec), team);
        EXPECT_EQ(emulate(spec, {}, 1e-4), "")
            << text(combiner) << " of " << name(type) << ", " << length;
      }
}

TEST(GPUKernels, ReductionsOfOpenExtents) {
  DimExpr m = DimExpr::symbol("M"), n = DimExpr::symbol("N");
  for (Combiner combiner : {Combiner::Add, Combiner::Max, Combiner::ArgMin})
    for (bool isAcross : {false, true}) {
      KernelSpec spec = reduction(combiner, DType::F32, m, n, isAcross);
      for (auto [rows, columns] :
           {std::pair<int64_t, int64_t>(0, 3), {3, 0}, {1, 1}, {9, 70}, {1300, 2}, {2, 1300}})
        EXPECT_EQ(emulate(spec, {rows, columns}, 1e-4), "") << rows << " x " << columns;
    }
}

/// A million numbers near 1: the error is that of one rounding.
TEST(GPUKernels, LongSumsAreBlocked) {
  for (bool isAcross : {false, true}) {
    KernelSpec spec = isAcross ? reduction(Combiner::Add, DType::F32, 200000, 1, true)
                               : reduction(Combiner::Add, DType::F32, 1, 200000, false);
    ExprPtr offset = apply(Op::Add, {spec.stages[0].body, constant(8.0, DType::F32)});
    spec.stages[0].body = offset;
    std::vector<float> x(200000);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = 1.0f / static_cast<float>(i % 97 + 3);
    double want = 0;
    for (float item : x)
      want += static_cast<double>(item + 8.0f);
    float got = 0;
    auto kernel = llvm::cantFail(Emulated::compile(spec));
    EXPECT_EQ(kernel->run({x.data(), &got}, {}), "");
    EXPECT_NEAR(got / want, 1, 1e-7);
  }
}

TEST(GPUKernels, TemplatesOfTheOtherGenerators) {
  for (int64_t n : {1, 17, 48})
    for (int64_t k : {7, 200}) {
      KernelSpec spec = linear(DimExpr::symbol("M"), n, k);
      for (int64_t m : {1, 2, 33})
        EXPECT_EQ(emulate(spec, {m}), "");
      EXPECT_EQ(emulate(matmul(2, 5, n, k)), "");
      spec.operands[1].panel->group = 4;
      EXPECT_EQ(emulate(spec, {3}), "");
    }
  for (const Convolution &shape : {Convolution{1, 7, 9, 3, 17, 3, 1, true},
                                   {2, 8, 8, 16, 8, 3, 2, true},
                                   {1, 5, 5, 4, 4, 1, 1, false}}) {
    EXPECT_EQ(emulate(convolution(shape)), "");
    EXPECT_EQ(emulate(depthwise(shape)), "");
    EXPECT_EQ(emulate(pool(shape, true)), "");
    EXPECT_EQ(emulate(pool(shape, false)), "");
  }
  for (int64_t columns : {1, 40, 100, 1500}) {
    EXPECT_EQ(emulate(softmax(3, columns)), "");
    EXPECT_EQ(emulate(argmax(3, columns)), "");
  }
  for (Op op : {Op::Exp, Op::Log, Op::Tanh, Op::Erf, Op::NormalCdf, Op::Sin, Op::Cos, Op::Sqrt,
                Op::Floor, Op::Ceil, Op::Round})
    for (DType type : {DType::F32, DType::F64})
      EXPECT_EQ(emulate(unary(op, 1000, type), {}, 0), "") << text(op);
}

/// Rows of many chunks: a grid's strides cover all points, and nothing behind them.
TEST(GPUKernels, GridsStrideThroughAllPoints) {
  KernelSpec spec = unary(Op::Neg, 1);
  spec.symbols = {{"N", 0, std::nullopt}};
  DimExpr n = DimExpr::symbol("N");
  for (Operand &operand : spec.operands)
    operand.shape = {n};
  spec.stages[0].domain = {n};
  for (int64_t size : {0, 1, 255, 256, 257, 768, 769, 10000})
    EXPECT_EQ(emulate(spec, {size}), "") << size;
}

/// A barrier or exchange that is missing or wrong makes a difference here.
TEST(GPUKernels, TheEmulatorNoticesFaults) {
  KernelSpec spec = reduction(Combiner::Add, DType::I32, 31, 2500, false);
  ASSERT_EQ(emulate(spec), "");
  size_t barriers = 0, shuffles = 0;
  compareEmulated(spec, {}, 1e-5, [&](llvm::Module &module) {
    barriers = callsOf(module, "llvm.nvvm.barrier").size();
    shuffles = callsOf(module, "llvm.nvvm.shfl").size();
  });
  EXPECT_EQ(barriers, 2u);
  EXPECT_EQ(shuffles, 8u); // 32 lanes, then 8 warps
  for (size_t i = 0; i < barriers; ++i) {
    auto drop = [&](llvm::Module &module) {
      callsOf(module, "llvm.nvvm.barrier")[i]->eraseFromParent();
    };
    EXPECT_NE(compareEmulated(spec, {}, 1e-5, drop), "") << "barrier " << i;
  }
  for (size_t i = 0; i < shuffles; ++i) {
    auto turn = [&](llvm::Module &module) {
      llvm::CallInst *call = callsOf(module, "llvm.nvvm.shfl")[i];
      call->setArgOperand(2, llvm::ConstantInt::get(call->getArgOperand(2)->getType(), 0));
    };
    EXPECT_NE(compareEmulated(spec, {}, 1e-5, turn), "") << "shuffle " << i;
  }
}

TEST(GPUKernels, ErrorsSayWhatIsWrong) {
  llvm::LLVMContext context;
  auto unknown = cuda::makeDeviceModule(unary(Op::Neg, 3), "sm_12", "k", context);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(llvm::toString(unknown.takeError()),
            "unknown chip 'sm_12'; known are sm_80, sm_86, sm_89, sm_90, sm_90a, sm_100a");
  KernelSpec wide = unary(Op::Neg, 3);
  wide.operands.resize(1);
  wide.stages.clear();
  for (int i = 0; i < 600; ++i) {
    std::string name = "y" + std::to_string(i);
    wide.operands.push_back(output(name, DType::F32, {3}));
    wide.stages.push_back(pointwise(name, DType::F32, {3}, readAt("x", DType::F32, {0})));
  }
  auto refused = cuda::generateCUDA(wide, "sm_80", "k");
  ASSERT_FALSE(refused);
  EXPECT_EQ(llvm::toString(refused.takeError()), "unsupported on GPUs: a kernel of 601 arguments");
}
