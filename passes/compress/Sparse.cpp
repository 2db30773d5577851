//===- Sparse.cpp - products that skip the zeros of a weight ----------------===//
//
// Which inputs a weight keeps is known when a model is compiled, and is data of the kernel: rows of
// the weight in blocks share their inputs. Blocks of 16 fill a vector with outputs, and read each
// input as a scalar; blocks of one fill it with rows of the activation, which are transposed.
//
//===----------------------------------------------------------------------===//

#include "passes/compress/Sparse.h"
#include "passes/Build.h"

#include <algorithm>
#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

/// Rows of an activation that fill a vector.
static constexpr int64_t lanes = 16;

namespace {
/// A weight's rows in blocks, with the inputs that each keeps.
struct Form {
  int64_t block;
  int64_t kept; ///< inputs of the block that has most; others repeat one
  double density = 1;
  std::vector<std::vector<int32_t>> positions;
};

/// One weight, and its products.
class Skipper {
public:
  Skipper(Layer &layer, int64_t bits)
      : layer(layer), bits(bits), module(layer.weight->getParentOfType<ModuleOp>()),
        store(module.getContext()->getLoadedDialect<KilnDialect>()->getWeights()) {}
  void run();

private:
  float at(int64_t n, int64_t k) const {
    return layer.at(layer.isColumns ? k * layer.outputs() + n : n * layer.depth() + k);
  }
  Form formOf(int64_t block) const;
  int64_t leastRows() const;
  double costOf(const Form &form) const; ///< of the dense product's time
  WeightOp stored(StringRef suffix, DType type, ArrayRef<int64_t> shape, const void *bytes);
  void replace(const Form &form, double cost);
  Value product(MatmulOp matmul, Value weight, Value positions, int64_t block);

  Layer &layer;
  int64_t bits; ///< of a number as it is stored in the end
  ModuleOp module;
  WeightStore &store;
};
} // namespace

Form Skipper::formOf(int64_t block) const {
  Form form{block, 1, 1, {}};
  int64_t outputs = layer.outputs(), depth = layer.depth();
  for (int64_t first = 0; first < outputs; first += block) {
    std::vector<int32_t> &kept = form.positions.emplace_back();
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t n = first; n < std::min(first + block, outputs); ++n)
        if (at(n, k) != 0) {
          kept.push_back(static_cast<int32_t>(k));
          break;
        }
    form.kept = std::max<int64_t>(form.kept, kept.size());
  }
  form.density = static_cast<double>(form.kept) / static_cast<double>(depth);
  return form;
}

/// Rows that each product has at least.
int64_t Skipper::leastRows() const {
  int64_t rows = INT64_MAX;
  for (Operation *op : layer.readers) {
    SmallVector<DimExpr> dims = dimsOf(op->getOperand(0).getType());
    rows = std::min(rows, numElements(ArrayRef(dims).drop_back()).bounds({}).lower.value_or(0));
  }
  return rows;
}

/// Measured on Zen 4, one thread, products with weights of 768 x 768 to 3072 x 768 and 1, 16 and
/// 128 rows. A position costs a single output as much as two vectors of rows, which it reads from
/// the second cache; and there are the transposes. Of few rows a dense product is faster where
/// numbers are narrow, one that skips zeros hardly.
double Skipper::costOf(const Form &form) const {
  if (form.block > 1)
    return (bits < 32 && leastRows() < lanes ? 1.45 : 1.2) * form.density;
  double vectors = std::ceil(static_cast<double>(leastRows()) / lanes);
  return (1.5 + 2.9 / vectors) * form.density + 0.2;
}

WeightOp Skipper::stored(StringRef suffix, DType type, ArrayRef<int64_t> shape, const void *bytes) {
  int64_t count = byteSize(type);
  for (int64_t extent : shape)
    count *= extent;
  auto *first = static_cast<const uint8_t *>(bytes);
  std::string hash = store.addOwned(type, shape, {first, first + count});
  WeightOp before = layer.weight;
  OpBuilder builder(before);
  auto weight = WeightOp::create(
      builder, before.getLoc(), (before.getSymName() + suffix).str(),
      tensorType(module.getContext(), type, SmallVector<DimExpr>(shape.begin(), shape.end())),
      builder.getStringAttr(hash));
  SymbolTable(module).insert(weight);
  return weight;
}

Value Skipper::product(MatmulOp matmul, Value weight, Value positions, int64_t block) {
  OpBuilder builder(matmul);
  Build build{builder, matmul.getLoc()};
  auto multiply = [&](Value x, bool columns) -> Value {
    return build.make<SparseMatmulOp>(x, weight, positions, builder.getI64IntegerAttr(block),
                                      builder.getBoolAttr(columns), builder.getUnitAttr());
  };
  if (block > 1)
    return multiply(matmul.getA(), false);
  SmallVector<DimExpr> dims = dimsOf(matmul.getA().getType());
  Value rows = build.reshape(matmul.getA(), {numElements(ArrayRef(dims).drop_back()), dims.back()});
  auto turn = builder.getDenseI64ArrayAttr({1, 0});
  Value columns = multiply(build.make<PermuteOp>(rows, turn), true);
  return build.reshape(build.make<PermuteOp>(columns, turn), dimsOf(matmul.getType()));
}

void Skipper::replace(const Form &form, double cost) {
  int64_t outputs = layer.outputs(), blocks = form.positions.size();
  std::vector<float> values(outputs * form.kept);
  std::vector<int32_t> positions(blocks * form.kept);
  for (int64_t b = 0; b < blocks; ++b) {
    const std::vector<int32_t> &kept = form.positions[b];
    int32_t *to = &positions[b * form.kept];
    std::fill(std::copy(kept.begin(), kept.end(), to), to + form.kept,
              kept.empty() ? 0 : kept.back());
    for (int64_t n = b * form.block; n < std::min((b + 1) * form.block, outputs); ++n)
      for (size_t r = 0; r < kept.size(); ++r)
        values[n * form.kept + r] = at(n, kept[r]);
  }
  LedgerRow &row = ledgerRow(layer);
  row.bytesAfter =
      static_cast<int64_t>(sizeof(float)) * static_cast<int64_t>(values.size() + positions.size());
  WeightOp weight = stored(":kept", DType::F32, {outputs, form.kept}, values.data());
  WeightOp where = stored(":positions", DType::I32, {blocks, form.kept}, positions.data());
  for (Operation *reader : layer.readers) {
    auto matmul = cast<MatmulOp>(reader);
    Operation *get = matmul.getB().getDefiningOp();
    OpBuilder builder(get);
    auto read = [&](WeightOp op) -> Value {
      return GetOp::create(builder, get->getLoc(), op.getType(), op.getSymName());
    };
    Value weights = read(weight), places = read(where);
    matmul.getResult().replaceAllUsesWith(product(matmul, weights, places, form.block));
    matmul.erase();
    if (get->use_empty())
      get->erase();
  }
  remarkPassed(layer, "speed",
               "skips zeros: " + Twine(form.kept) + " of " + Twine(layer.depth()) +
                   " inputs for each " +
                   (form.block == 1 ? Twine("output") : Twine(form.block) + " outputs") +
                   ", by the cost model " + digits(cost) + " of the dense product's time");
  layer.weight.erase();
}

void Skipper::run() {
  bool isProduct = llvm::all_of(layer.readers, [](Operation *op) { return isa<MatmulOp>(op); });
  if (!isProduct)
    return remarkMissed(layer, "speed",
                        "no speed or size is gained: its kernel stays dense, which only those of "
                        "matrix products need not be");
  Form best = formOf(panelOutputs);
  if (leastRows() >= lanes)
    if (Form single = formOf(1); costOf(single) < costOf(best))
      best = std::move(single);
  double cost = costOf(best);
  if (cost < 1)
    return replace(best, cost);
  remarkMissed(layer, "speed",
               "no speed or size is gained: its kernel stays dense, as one that skips zeros would "
               "take " +
                   digits(cost) + " of its time by the cost model");
}

void passes::skipZeros(Layer &layer, int64_t bits) { Skipper(layer, bits).run(); }
