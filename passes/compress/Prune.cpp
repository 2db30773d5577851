//===- Prune.cpp - weights of little size become zero, or go ----------------===//
//
// Needs: `kiln.compress` on the module, weights with their values, oriented as kernels read them
// (after kiln-layout). Guarantees: each layer that a rule names has as many zeros as the rule
// wants, at the elements or blocks of least magnitude, or fewer channels; the others make up for it
// where it asks for that and `kiln.inputs` is there (Calibrate.h); products that are faster so skip
// the zeros; what does not fit is left alone. Reports: a remark a layer that a rule names, its row
// of the ledger, an error at a rule that names none.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/compress/Compensate.h"
#include "passes/compress/Layers.h"
#include "passes/compress/PruneChannels.h"
#include "passes/compress/Rules.h"
#include "passes/compress/Sparse.h"
#include "passes/compress/Windows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <tuple>

namespace kiln::passes {
#define GEN_PASS_DEF_PRUNE
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

namespace {
/// The values of a weight, of which some become zero.
class Values {
public:
  explicit Values(const Layer &layer) : layer(layer), values(layer.view->numElements()) {
    std::memcpy(values.data(), layer.view->bytes.data(), layer.view->bytes.size());
  }
  bool areFinite() const {
    return llvm::all_of(values, [](float value) { return std::isfinite(value); });
  }
  /// From now on elements count by their magnitude times the norm of their input.
  void weighBy(ArrayRef<double> squares);
  void dropFraction(double fraction);
  void dropInRows(double fraction);
  void dropInGroups(int64_t kept, int64_t of);
  void dropBlocks(double fraction);
  /// Those that are left make up for those that became zero.
  Update compensate(const Inputs &inputs);
  double error() const { return lost; }
  int64_t zeros() const { return llvm::count(values, 0.0f); }
  std::vector<uint8_t> bytes() const {
    auto *first = reinterpret_cast<const uint8_t *>(values.data());
    return {first, first + values.size() * sizeof(float)};
  }

private:
  /// Of these elements, those of least saliency become zero, `count` of them; of equal saliency
  /// the smaller, of equal size the earlier.
  void drop(std::vector<int64_t> &elements, int64_t count);
  int64_t place(int64_t n, int64_t k) const {
    return layer.isColumns ? k * layer.outputs() + n : n * layer.depth() + k;
  }
  double saliency(int64_t i) const {
    double size = std::fabs(values[i]);
    if (norms.empty())
      return size;
    return size * norms[layer.isColumns ? i / layer.outputs() : i % layer.depth()];
  }

  const Layer &layer;
  std::vector<float> values;
  std::vector<double> norms; ///< of inputs; empty: all are alike
  double lost = 0;
};
} // namespace

void Values::drop(std::vector<int64_t> &elements, int64_t count) {
  auto smaller = [&](int64_t a, int64_t b) {
    auto rank = [&](int64_t i) { return std::tuple(saliency(i), std::fabs(values[i]), i); };
    return rank(a) < rank(b);
  };
  std::nth_element(elements.begin(), elements.begin() + count, elements.end(), smaller);
  for (int64_t i = 0; i < count; ++i) {
    double value = values[elements[i]];
    lost += value * value;
    values[elements[i]] = 0;
  }
}

void Values::dropFraction(double fraction) {
  std::vector<int64_t> elements(values.size());
  std::iota(elements.begin(), elements.end(), 0);
  drop(elements, std::llround(fraction * static_cast<double>(values.size())));
}

void Values::weighBy(ArrayRef<double> squares) {
  for (double square : squares)
    norms.push_back(std::sqrt(square));
}

void Values::dropInRows(double fraction) {
  int64_t depth = layer.depth();
  std::vector<int64_t> row(depth);
  for (int64_t n = 0; n < layer.outputs(); ++n) {
    for (int64_t k = 0; k < depth; ++k)
      row[k] = place(n, k);
    drop(row, std::llround(fraction * static_cast<double>(depth)));
  }
}

/// Groups lie along the channels that a product adds up.
void Values::dropInGroups(int64_t kept, int64_t of) {
  ArrayRef<int64_t> shape = layer.shape();
  int64_t stride = 1;
  for (int64_t extent : shape.drop_front(layer.channelAxis + 1))
    stride *= extent;
  std::vector<int64_t> group(of);
  for (int64_t first = 0; first < static_cast<int64_t>(values.size()); ++first) {
    if (first / stride % shape[layer.channelAxis] % of != 0)
      continue;
    for (int64_t i = 0; i < of; ++i)
      group[i] = first + i * stride;
    drop(group, of - kept);
  }
}

/// Of each panel of outputs equally many inputs stay, those of largest L2 norm; at least one. Of
/// equal norms the earlier go.
void Values::dropBlocks(double fraction) {
  int64_t depth = layer.depth(), outputs = layer.outputs();
  int64_t kept = std::max<int64_t>(std::llround((1 - fraction) * static_cast<double>(depth)), 1);
  auto at = [&](int64_t n, int64_t k) -> float & {
    return values[layer.isColumns ? k * outputs + n : n * depth + k];
  };
  std::vector<double> norms(depth);
  std::vector<int64_t> inputs(depth);
  auto isLess = [&](int64_t a, int64_t b) {
    return norms[a] != norms[b] ? norms[a] < norms[b] : a < b;
  };
  for (int64_t first = 0; first < outputs; first += panelOutputs) {
    int64_t end = std::min(first + panelOutputs, outputs);
    std::iota(inputs.begin(), inputs.end(), 0);
    for (int64_t k = 0; k < depth; ++k) {
      norms[k] = 0;
      for (int64_t n = first; n < end; ++n)
        norms[k] += static_cast<double>(at(n, k)) * at(n, k);
    }
    std::nth_element(inputs.begin(), inputs.begin() + (depth - kept), inputs.end(), isLess);
    for (int64_t k : ArrayRef(inputs).drop_back(kept)) {
      lost += norms[k];
      for (int64_t n = first; n < end; ++n)
        at(n, k) = 0;
    }
  }
}

Update Values::compensate(const Inputs &inputs) {
  Update update = compensateZeros(layer, values, inputs);
  lost = 0;
  for (auto [i, value] : llvm::enumerate(values)) {
    double change = static_cast<double>(value) - layer.at(static_cast<int64_t>(i));
    lost += change * change;
  }
  return update;
}

/// Of each input that products with the layer read, the sum of squares on calibration data; empty
/// if none saw any.
static std::vector<double> squaresOf(const Layer &layer) {
  std::vector<double> sums;
  for (Operation *reader : layer.readers)
    if (auto squares = reader->getAttrOfType<DenseF64ArrayAttr>("kiln.squares")) {
      sums.resize(layer.depth());
      for (auto [sum, square] : llvm::zip_equal(sums, squares.asArrayRef()))
        sum += square;
    }
  return sums;
}

/// Why calibration data told nothing of the layer's inputs.
static StringRef whyNoInputs(const Layer &layer) {
  bool isRead = llvm::any_of(layer.readers, multipliesRows);
  if (!isRead && llvm::any_of(layer.readers, llvm::IsaPred<Conv2dOp, Conv3dOp>))
    return "its filters read channels in groups, or a border whose width is not known";
  return "no product with it saw calibration data";
}

/// Whether elements were changed; if not, a remark has the reason.
static bool update(const Layer &layer, Values &values) {
  auto leave = [&](const Twine &reason) {
    remarkMissed(layer, "update", "what stays of it is as trained: " + reason);
    return false;
  };
  std::optional<Inputs> inputs = inputsOf(layer);
  if (!inputs)
    return leave(whyNoInputs(layer));
  Update found = values.compensate(*inputs);
  addErrors(layer, "kiln.updates", found.left, found.compensated);
  std::string errors = "relative error on calibration data " + digits(found.left) +
                       " with zeros alone, " + digits(found.compensated) + " with compensation";
  if (!(found.compensated < found.left))
    return leave(errors);
  remarkPassed(layer, "update", "has " + errors);
  return true;
}

/// Zeros where the rule wants them. What of it cannot be had is taken out of the rule.
static void drop(const Layer &layer, Values &values, Sparsity &sparsity) {
  if (sparsity.isWanda) {
    std::vector<double> squares = squaresOf(layer);
    sparsity.isWanda = !squares.empty();
    values.weighBy(squares);
    if (squares.empty())
      remarkMissed(layer, "saliency", "is pruned by magnitude: " + whyNoInputs(layer));
  }
  if (sparsity.isBlock)
    values.dropBlocks(sparsity.fraction);
  else if (sparsity.of)
    values.dropInGroups(sparsity.kept, sparsity.of);
  else if (sparsity.isWanda)
    values.dropInRows(sparsity.fraction);
  else
    values.dropFraction(sparsity.fraction);
  sparsity.isCompensated = sparsity.isCompensated && update(layer, values);
}

/// Whether products may skip zeros of a weight that is stored by the scheme: it is read as floats,
/// and has no scales but those of outputs.
static bool canSkip(const Scheme &scheme) {
  return scheme.kind != Scheme::Kind::Parts && scheme.group == 0 && !scheme.isScaled &&
         scheme.activations == Scheme::Activations::None;
}

/// `scheme`: how the layer is stored then.
static void prune(Layer &layer, Sparsity sparsity, const Scheme &scheme) {
  if (!layer.reason.empty())
    return remarkMissed(layer, "pruned", "not pruned: " + layer.reason);
  int64_t channels = layer.shape()[layer.channelAxis];
  if (sparsity.of && channels % sparsity.of != 0)
    return remarkMissed(layer, "pruned",
                        "not pruned: " + Twine(sparsity.of) + " does not divide its " +
                            Twine(channels) + " input channels");
  bool isProduct = llvm::all_of(layer.readers, [](Operation *op) { return isa<MatmulOp>(op); });
  if (sparsity.isBlock && !isProduct)
    return remarkMissed(layer, "pruned", "not pruned: blocks are those of matrix products");
  Values values(layer);
  if (!values.areFinite())
    return remarkMissed(layer, "pruned", "not pruned: it holds a value that is not finite");
  LedgerRow &row = ledgerRow(layer);
  drop(layer, values, sparsity);
  row.pruning += (row.pruning.empty() ? "" : ", ") + sparsity.text();
  row.zeros = values.zeros() + removed(layer, row);
  row.error += values.error();
  WeightStore &store = layer.weight.getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  std::string hash = store.addOwned(DType::F32, layer.shape(), values.bytes());
  layer.weight.setHash(hash);
  layer.view = store.find(hash);
  remarkPassed(layer, "pruned",
               "is pruned to " + row.pruning + ": density " + digits(row.density()) +
                   ", relative error " + digits(row.relativeError()));
  if (!canSkip(scheme))
    return remarkMissed(layer, "speed",
                        "no speed or size is gained by zeros: its kernel stays dense, as it is one "
                        "of groups, of scaled inputs or of products in integers");
  skipZeros(layer, scheme.bits());
}

/// Where a rule asked for zeros and no layer got any.
static void warnOfNothing(ModuleOp module) {
  const Ledger &ledger = module.getContext()->getLoadedDialect<KilnDialect>()->getLedger();
  if (llvm::all_of(ledger.rows(), [](const LedgerRow &row) { return row.pruning.empty(); }))
    module.emitWarning(
        "nothing is pruned: no layer could lose what the rules want; --remarks gives "
        "the reason of each");
}

namespace {
struct Prune : passes::impl::PruneBase<Prune> {
  void runOnOperation() override {
    FailureOr<SmallVector<Rule>> rules = readRules(getOperation());
    if (failed(rules))
      return signalPassFailure();
    bool isCalibrated = bool(getOperation()->removeAttr("kiln.calibrated"));
    for (const Rule &rule : *rules)
      if (rule.sparsity.needsCalibration() && !isCalibrated) {
        emitError(rule.place, rule.sparsity.isWanda ? "saliency = wanda" : "update = compensated")
            << " needs calibration data; give it by --calibrate=inputs.npz";
        return signalPassFailure();
      }
    bool isWanted =
        llvm::any_of(*rules, [](const Rule &rule) { return rule.action == Rule::Action::Prune; });
    if (!isWanted)
      return;
    SmallVector<Layer> layers = layersOf(getOperation());
    auto paths =
        llvm::map_to_vector(layers, [](const Layer &layer) -> std::string { return layer.path; });
    if (failed(checkRules(*rules, Rule::Action::Prune, paths)))
      return signalPassFailure();
    if (llvm::any_of(*rules, [](const Rule &rule) { return rule.sparsity.isChannels; })) {
      pruneChannels(getOperation(), layers, *rules);
      layers = layersOf(getOperation());
    }
    auto schemeOf = [&](StringRef path) {
      const Rule *rule = ruleFor(*rules, Rule::Action::Quantize, path);
      return rule && rule->action == Rule::Action::Quantize ? rule->scheme : Scheme();
    };
    for (Layer &layer : layers)
      if (const Rule *rule = ruleFor(*rules, Rule::Action::Prune, layer.path))
        if (!rule->sparsity.isChannels)
          prune(layer, rule->sparsity, schemeOf(layer.path));
    warnOfNothing(getOperation());
    getOperation().walk([](Operation *op) {
      op->removeAttr("kiln.squares");
      op->removeAttr("kiln.inputs");
    });
  }
};
} // namespace
