//===- ValuesTest.cpp - templates on special values -----------------------===//
//
// Every operation on every pair of special values of its type, in vectors and in what is left over,
// and every template on every element type and extent, against the reference.
//
//===----------------------------------------------------------------------===//

#include "codegen/spec/Numbers.h"
#include "test/unit/kernels/Harness.h"
#include "test/unit/kernels/Specs.h"

#include "gtest/gtest.h"

#include <cstring>
#include <limits>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::test;

constexpr DType everyType[] = {DType::F64, DType::F32, DType::F16, DType::BF16, DType::I64,
                               DType::I32, DType::I16, DType::I8,  DType::U8,   DType::Bool};
constexpr int64_t everyExtent[] = {0, 1, 2, 3, 7, 16, 17, 33};

/// Numbers at which operations change their mind.
static std::vector<Number> specialNumbers(DType type) {
  std::vector<Number> result;
  double inf = std::numeric_limits<double>::infinity();
  if (isFloat(type)) {
    for (double value : {0.0,     -0.0,  0.5,    -1.5,  2.5,
                         3.0,     127.5, -128.5, 255.9, 65519.0,
                         65520.0, 6e-8,  3e-8,   2.9e9, -1e19,
                         1e-40,   3e38,  inf,    -inf,  std::numeric_limits<double>::quiet_NaN()})
      result.push_back(convertNumber({value, 0}, DType::F64, type));
    return result;
  }
  for (int64_t value :
       {int64_t(0), int64_t(1), int64_t(-1), int64_t(2), int64_t(-3), int64_t(7), int64_t(8),
        int64_t(31), int64_t(64), int64_t(100), INT64_MAX, INT64_MIN, int64_t(INT32_MAX),
        int64_t(INT32_MIN), int64_t(0x7fff), int64_t(-0x8000), int64_t(127), int64_t(-128),
        // One beside the middle of two bf16, of two f32.
        int64_t(0x4040000000000001), int64_t(-0x4040000000000001), int64_t(0x4000004000000001)})
    result.push_back(convertNumber({0, value}, DType::I64, type));
  return result;
}

/// Puts special numbers into all inputs: each pair of them stands at some place of the first two.
static void fillSpecial(const KernelSpec &spec, Buffers &buffers) {
  for (size_t k = 0; k < spec.operands.size(); ++k) {
    const Operand &operand = spec.operands[k];
    if (operand.use != Operand::Use::Input || operand.panel)
      continue;
    std::vector<Number> numbers = specialNumbers(operand.type);
    int64_t step = byteSize(operand.type), count = static_cast<int64_t>(numbers.size());
    for (int64_t i = 0; i < buffers.bytes[k] / step; ++i)
      storeNumber(buffers.memory[k].get() + i * step, operand.type,
                  numbers[(k == 0 ? i : i / count + i * static_cast<int64_t>(k)) % count]);
  }
}

/// y = f(inputs), over a vector.
static KernelSpec elementwise(Op op, const std::vector<DType> &from, DType to, DimExpr n) {
  KernelSpec spec;
  if (std::optional<std::string> symbol = n.asSymbol())
    spec.symbols.push_back({*symbol, 0, 4096});
  std::vector<ExprPtr> args;
  for (size_t i = 0; i < from.size(); ++i) {
    std::string name(1, static_cast<char>('a' + i));
    spec.operands.push_back(dense(name, {n}, Operand::Use::Input, from[i]));
    args.push_back(read(name, dims({0}), from[i]));
    // Arithmetic takes no narrow floats: they are widened, as lowering does.
    if (isFloat(from[i]) && byteSize(from[i]) < 4 && op != Op::Cast && op != Op::Select)
      args.back() = cast(args.back(), DType::F32);
  }
  Stage stage;
  stage.name = "y";
  stage.role = Role::Epilogue;
  stage.domain = {n};
  stage.body = op == Op::Cast ? cast(args[0], to) : apply(op, args);
  if (isFloat(to) && stage.body->type != to)
    stage.body = cast(stage.body, to);
  stage.type = stage.body->type;
  spec.operands.push_back(dense("y", {n}, Operand::Use::Output, stage.type));
  spec.stages = {stage};
  spec.schedule.templateName = "pointwise";
  return spec;
}

static bool isRefused(const KernelSpec &spec) { return !verify(spec).empty(); }

/// What an operation of one type gives: "" also where the template leaves it to another generator.
static std::string agree(const KernelSpec &spec, const std::vector<int64_t> &symbols = {}) {
  Compiled kernel = compile(spec);
  return kernel.code == 1 ? "" : compare(kernel, spec, symbols, 0, fillSpecial);
}

TEST(Values, CastsOfEveryTypeToEveryType) {
  for (DType from : everyType)
    for (DType to : everyType) {
      KernelSpec spec = elementwise(Op::Cast, {from}, to, 53);
      EXPECT_EQ(isRefused(spec) ? "" : agree(spec), "") << name(from) << " to " << name(to);
    }
}

/// All of the 16-bit floats there are.
TEST(Values, CastsOfEvery16BitFloat) {
  for (DType narrow : {DType::F16, DType::BF16}) {
    KernelSpec spec = elementwise(Op::Cast, {narrow}, DType::F32, 1 << 16);
    auto fill = [](const KernelSpec &, Buffers &buffers) {
      for (int i = 0; i < 1 << 16; ++i)
        std::memcpy(buffers.memory[0].get() + 2 * i, &i, 2);
    };
    EXPECT_EQ(compare(compile(spec), spec, {}, 0, fill), "") << name(narrow);
  }
}

/// The numbers between two 16-bit floats, at and beside the middle.
TEST(Values, CastsTo16BitFloatsRoundToNearestEven) {
  for (DType narrow : {DType::F16, DType::BF16}) {
    KernelSpec spec = elementwise(Op::Cast, {DType::F32}, narrow, 1 << 18);
    auto fill = [](const KernelSpec &, Buffers &buffers) {
      for (uint32_t i = 0; i < 1u << 18; ++i) {
        constexpr uint32_t ends[] = {0, 1, 0x0fff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001};
        uint32_t bits = (i >> 3) * 2 << 16 ^ (i & 1024 ? 0x2000 : 0) ^ ends[i & 7];
        std::memcpy(buffers.memory[0].get() + 4 * i, &bits, 4);
      }
    };
    EXPECT_EQ(compare(compile(spec), spec, {}, 0, fill), "") << name(narrow);
  }
}

TEST(Values, OperationsOnPairsOfSpecialNumbers) {
  for (Op op : {Op::Add, Op::Sub, Op::Mul, Op::Div, Op::FloorDiv, Op::Mod, Op::Max, Op::Min,
                Op::And, Op::Or, Op::Xor, Op::Shl, Op::Shr, Op::Eq, Op::Ne, Op::Lt, Op::Le})
    for (DType type : everyType) {
      bool isComparison = op >= Op::Eq;
      KernelSpec spec =
          elementwise(op, {type, type}, isComparison ? DType::Bool : type, 20 * 20 + 1);
      EXPECT_EQ(isRefused(spec) ? "" : agree(spec), "") << spec::text(op) << " of " << name(type);
    }
}

TEST(Values, FunctionsOfSpecialNumbers) {
  for (Op op : {Op::Neg, Op::Abs, Op::Sqrt, Op::Floor, Op::Ceil, Op::Round, Op::Not, Op::Exp,
                Op::Log, Op::Tanh, Op::Erf})
    for (DType type : everyType) {
      KernelSpec spec = elementwise(op, {type}, type, 53);
      EXPECT_EQ(isRefused(spec) ? "" : agree(spec), "") << spec::text(op) << " of " << name(type);
    }
  for (DType type : {DType::F64, DType::F32})
    EXPECT_EQ(agree(elementwise(Op::Pow, {type, type}, type, 20 * 20 + 1)), "") << name(type);
}

TEST(Values, Choices) {
  for (DType type : everyType)
    EXPECT_EQ(agree(elementwise(Op::Select, {DType::Bool, type, type}, type, 53)), "")
        << name(type);
}

TEST(Values, VectorsOfEveryExtent) {
  for (DType type : everyType) {
    KernelSpec open = elementwise(Op::Cast, {type}, type, DimExpr::symbol("N"));
    Compiled kernel = compile(open);
    for (int64_t n : everyExtent) {
      EXPECT_EQ(agree(elementwise(Op::Cast, {type}, type, n)), "") << name(type) << " " << n;
      EXPECT_EQ(compare(kernel, open, {n}, 0, fillSpecial), "") << name(type) << " N = " << n;
    }
  }
}

/// y = reduction of x over its rows (axis 1) or columns (axis 0).
static KernelSpec reduction(Combiner combiner, DType type, const DimExpr &rows,
                            const DimExpr &columns, int axis) {
  KernelSpec spec;
  for (const DimExpr &extent : {rows, columns})
    if (std::optional<std::string> symbol = extent.asSymbol())
      spec.symbols.push_back({*symbol, 0, 4096});
  bool isPosition = combiner == Combiner::ArgMax || combiner == Combiner::ArgMin;
  ExprPtr item = read("x", dims(axis == 1 ? std::vector<int>{0, 1} : std::vector<int>{1, 0}), type);
  if (isFloat(type) && byteSize(type) < 4)
    item = cast(item, DType::F32);
  Stage stage;
  stage.name = "y";
  stage.role = Role::Anchor;
  stage.domain = {axis == 1 ? rows : columns};
  stage.reduction = {axis == 1 ? columns : rows};
  stage.combiner = combiner;
  stage.body = item;
  stage.type = isPosition ? DType::I64 : item->type;
  double inf = std::numeric_limits<double>::infinity();
  if (combiner == Combiner::Max || combiner == Combiner::Min) {
    bool isMax = combiner == Combiner::Max;
    stage.init = isFloat(type) ? constant(isMax ? -inf : inf, item->type)
                               : constant(isMax ? int64_t(-100) : int64_t(100), item->type);
  } else if (!isPosition) {
    stage.init = isFloat(type) ? constant(combiner == Combiner::Mul ? 1.0 : 0.0, item->type)
                               : constant(int64_t(combiner != Combiner::Add), item->type);
  }
  spec.operands = {dense("x", {rows, columns}, Operand::Use::Input, type),
                   dense("y", stage.domain, Operand::Use::Output, stage.type)};
  spec.stages = {stage};
  spec.schedule.templateName = "rowwise";
  return spec;
}

/// Sums of floats depend on their order: special numbers go to all else.
static std::string agreeReduced(const KernelSpec &spec, const Compiled &kernel,
                                const std::vector<int64_t> &symbols) {
  const Stage &stage = spec.stages[0];
  bool isOrdered = isFloat(stage.body->type) &&
                   (stage.combiner == Combiner::Add || stage.combiner == Combiner::Mul);
  if (kernel.code == 1)
    return "";
  return isOrdered ? compare(kernel, spec, symbols, 1e-5)
                   : compare(kernel, spec, symbols, 0, fillSpecial);
}

TEST(Values, ReductionsOfEveryExtent) {
  DimExpr size = DimExpr::symbol("N");
  for (Combiner combiner : {Combiner::Add, Combiner::Mul, Combiner::Max, Combiner::Min,
                            Combiner::ArgMax, Combiner::ArgMin})
    for (DType type : everyType)
      for (int axis : {0, 1}) {
        std::string what = std::string(spec::text(combiner)) + " of " + std::string(name(type)) +
                           " along " + std::to_string(axis) + ": ";
        KernelSpec run =
            reduction(combiner, type, axis ? DimExpr(5) : size, axis ? size : DimExpr(5), axis);
        if (isRefused(run))
          continue;
        // The position of the extreme of nothing is nowhere.
        bool isPosition = combiner == Combiner::ArgMax || combiner == Combiner::ArgMin;
        Compiled open = compile(run);
        for (int64_t n : everyExtent) {
          if (n == 0 && isPosition)
            continue;
          EXPECT_EQ(agreeReduced(run, open, {n}), "") << what << "N = " << n;
          KernelSpec fixed = reduction(combiner, type, axis ? 5 : n, axis ? n : 5, axis);
          if (n == 0 || n == 33) {
            EXPECT_EQ(agreeReduced(fixed, compile(fixed), {}), "") << what << n;
          }
        }
      }
}

/// Rows of every number, with what propagates in a product: an epilogue sees NaN as NaN.
TEST(Values, ProductsOfEveryExtent) {
  auto fill = [](const KernelSpec &, Buffers &buffers) {
    auto *x = reinterpret_cast<float *>(buffers.memory[0].get());
    if (buffers.bytes[0] > 4)
      x[1] = std::numeric_limits<float>::quiet_NaN();
    if (buffers.bytes[0] > 80)
      x[20] = std::numeric_limits<float>::infinity();
  };
  for (int64_t n : {1, 3, 16, 17, 33}) {
    KernelSpec product = matmul(2, DimExpr::symbol("M"), n, 5);
    KernelSpec layer = linear(DimExpr::symbol("M"), n, 7);
    product.symbols[0].lower = layer.symbols[0].lower = 0;
    Compiled first = compile(product), second = compile(layer);
    for (int64_t m : everyExtent) {
      EXPECT_EQ(compare(first, product, {m}, 1e-5, fill), "") << m << " x " << n;
      EXPECT_EQ(compare(second, layer, {m}, 1e-5, fill), "") << m << " x " << n;
    }
  }
}
