//===- WidenTest.cpp - weights of small numbers and many rows -------------===//

#include "test/unit/llvm/Harness.h"

#include <cmath>
#include <sstream>

using namespace kiln;
using namespace kiln::test;

static codegen::TargetFacts withCache(int64_t bytes) {
  codegen::TargetFacts facts = hostFacts();
  facts.cacheBytes = bytes;
  return facts;
}

/// Bytes in which a task of the kernel keeps a weight in f32.
static int64_t keptBytes(const KernelSpec &spec, const codegen::TargetFacts &facts = hostFacts()) {
  return llvm::cantFail(codegen::generateLLVM(spec, facts, "k", 1)).keptBytes;
}

/// C[…, n] = sum over groups g and k in them of A[…, k] * W[n, k] * scale[n, g], with W in bytes.
/// `parts` numbers lie in a byte and `parts` products are added before their scale: 1, or 2 of 4
/// bits.
static KernelSpec grouped(Shape rows, int64_t n, int64_t groups, int64_t group, int parts,
                          std::vector<Symbol> symbols = {}) {
  int column = static_cast<int>(rows.size()), g = column + 1, j = column + 2;
  auto with = [&](DimExpr last) {
    Shape shape = rows;
    shape.push_back(std::move(last));
    return shape;
  };
  KernelSpec spec;
  spec.symbols = std::move(symbols);
  spec.operands = {operand("a", DType::F32, with(groups * group)),
                   panel("w", DType::I8, {n, groups * group / parts}),
                   panel("s", DType::F32, {n, groups}), output("c", DType::F32, with(n))};
  Index byte = index(g, group / parts);
  byte.terms.push_back({j, 1});
  // Sums of numbers up to 127 have values near 1, as those of products in f32.
  ExprPtr scale = apply(Op::Mul, {read("s", {index(column), index(g)}, DType::F32),
                                  constant(parts > 1 ? 0.125 / 8 : 0.125 / 64, DType::F32)});
  ExprPtr word = cast(read("w", {index(column), byte}, DType::I8), DType::I32), sum;
  for (int part = 0; part < parts; ++part) {
    std::vector<Index> at;
    for (int i = 0; i < column; ++i)
      at.push_back(index(i));
    at.push_back(index(g, group, part));
    at.back().terms.push_back({j, parts});
    ExprPtr number = word;
    if (parts > 1)
      number = apply(Op::And, {apply(Op::Shr, {word, constant(int64_t(4 * part), DType::I32)}),
                               constant(int64_t(15), DType::I32)});
    ExprPtr weight = cast(number, DType::F32);
    if (parts == 1)
      weight = apply(Op::Mul, {weight, scale});
    ExprPtr product = relaxed(apply(Op::Mul, {read("a", at, DType::F32), weight}));
    sum = sum ? apply(Op::Add, {sum, product}) : product;
  }
  Stage stage =
      reducing("c", DType::F32, with(n), {groups, group / parts}, Combiner::Add,
               constant(0.0, DType::F32), parts > 1 ? relaxed(apply(Op::Mul, {sum, scale})) : sum);
  stage.role = Role::Anchor;
  spec.stages = {stage};
  return spec;
}

/// Whole reductions and slices of them, rows and columns that tiles do not divide, blocks of rows.
TEST(LLVMWiden, Products) {
  for (int parts : {1, 2})
    for (int64_t cache : {1 << 12, 1 << 15, 1 << 20})
      for (auto [m, n, groups, group] : {std::tuple(64, 96, 3, 32),
                                         {17, 33, 5, 8},
                                         {29, 1, 7, 16},
                                         {290, 20, 1, 32},
                                         {12, 130, 9, 4}}) {
        KernelSpec spec = grouped({m}, n, groups, group, parts);
        EXPECT_EQ(keptBytes(spec, withCache(cache)) > 0, n > 1);
        expectEqual(spec, {}, 1e-5, withCache(cache));
      }
}

/// A slice of 1/32 of the second cache is kept, or the whole reduction where that is small.
TEST(LLVMWiden, KeepsWhatTheCacheHolds) {
  KernelSpec spec = grouped({128}, 64, 128, 32, 2);
  int64_t whole = keptBytes(spec, withCache(1 << 26)), slice = keptBytes(spec, withCache(1 << 20));
  EXPECT_GT(slice, 0);
  EXPECT_LE(slice, (1 << 20) / 32);
  // Too much for the stack, and rows without bound, within those of a batch: as for few rows.
  EXPECT_EQ(whole % (128 * 32 * 4), 0);
  std::vector<Symbol> open = {{"N", 0, {}}, {"M", 0, {}}};
  Shape rows = {DimExpr::symbol("N"), DimExpr::symbol("M")};
  EXPECT_EQ(keptBytes(grouped(rows, 64, 128, 32, 2, open), withCache(1 << 20)), 0);
  EXPECT_GT(keptBytes(grouped(rows, 64, 8, 32, 2, open), withCache(1 << 20)), 0);
}

/// Few rows widen where they multiply, also where only a call knows that they are few.
TEST(LLVMWiden, FewRows) {
  for (int parts : {1, 2})
    for (int64_t m : {0, 1, 2, 5}) {
      EXPECT_EQ(keptBytes(grouped({m}, 70, 4, 32, parts)), 0);
      expectEqual(grouped({m}, 70, 4, 32, parts));
    }
  expectEqual(grouped({8}, 70, 4, 32, 2));
  for (std::optional<int64_t> most : {std::optional<int64_t>(), {1000}}) {
    int64_t cache = most ? 1 << 20 : 1 << 13;
    KernelSpec spec = grouped({DimExpr::symbol("M")}, 70, 3, 32, 2, {{"M", 0, most}});
    EXPECT_GT(keptBytes(spec, withCache(cache)), 0);
    for (int64_t m : {0, 1, 8, 9, 265}) {
      threads = m > 8 ? 2 : 1;
      expectEqual(spec, {m}, 1e-5, withCache(cache));
    }
  }
  threads = 1;
}

/// The rows of a tile share what is widened, whether a scale multiplies sums or numbers, and all
/// that stays in registers.
TEST(LLVMWiden, RowsShareVectors) {
  for (auto [cpu, bytes, registers] : {std::tuple("x86-64-v4", 64, 32), {"x86-64-v3", 32, 16}}) {
    codegen::TargetFacts facts;
    facts.cpu = cpu;
    facts.vectorBytes = bytes;
    facts.vectorRegisters = registers;
    for (int64_t m : {2, 4, registers == 32 ? 8 : 4}) {
      std::istringstream lines(assembly(grouped({m}, 2 * bytes / 4, 64, 64, 2), facts));
      int64_t conversions = 0, products = 0, spills = 0;
      for (std::string line; std::getline(lines, line);) {
        conversions += line.find("vcvtdq2ps") != line.npos;
        products += line.find("vfmadd") != line.npos || line.find("vmulps") != line.npos;
        spills += line.find("Spill") != line.npos && line.find("mm") != line.npos;
      }
      EXPECT_GT(conversions, 0) << cpu;
      EXPECT_GE(products, conversions * m) << cpu << ", rows " << m;
      EXPECT_EQ(spills, 0) << cpu << ", rows " << m;
    }
  }
}

/// Rows of a batch, of which each may have few.
TEST(LLVMWiden, Batches) {
  std::vector<Symbol> symbols = {{"N", 0, 64}, {"M", 0, 512}};
  for (int64_t cache : {1 << 14, 1 << 20}) {
    KernelSpec spec = grouped({DimExpr::symbol("N"), DimExpr::symbol("M")}, 50, 3, 16, 2, symbols);
    for (auto [n, m] : {std::pair(5, 12), {64, 1}, {1, 128}, {40, 3}})
      expectEqual(spec, {n, m}, 1e-5, withCache(cache));
  }
}

/// A weight that is only converted stays as it is: that costs no more than to load it.
TEST(LLVMWiden, LeavesWhatIsConverted) {
  KernelSpec spec = grouped({64}, 48, 4, 32, 1);
  ExprPtr body = spec.stages[0].body;
  spec.stages[0].body = relaxed(apply(Op::Mul, {body->args[0], body->args[1]->args[0]}));
  EXPECT_EQ(keptBytes(spec), 0);
  EXPECT_EQ(keptBytes(linearRelu(64, 48, 128)), 0);
}

/// Neither slices nor threads change a bit.
TEST(LLVMWiden, GivesEqualBits) {
  KernelSpec spec = grouped({301}, 90, 7, 32, 2);
  std::vector<float> a(301 * 224), scales(96 * 7), results[3];
  std::vector<int8_t> w(96 * 112);
  for (std::vector<float> *values : {&a, &scales})
    for (size_t i = 0; i < values->size(); ++i)
      (*values)[i] = std::sin(static_cast<float>(i));
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = static_cast<int8_t>(i * 37);
  for (int i = 0; i < 3; ++i) {
    threads = i == 2 ? 2 : 1;
    results[i].resize(301 * 90);
    void *buffers[] = {a.data(), w.data(), scales.data(), results[i].data()};
    KernelFunction kernel = compile(spec, withCache(i == 0 ? 1 << 26 : 1 << 14));
    ASSERT_EQ(kernel(&context, buffers, nullptr), 0);
  }
  threads = 1;
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[1], results[2]);
}
