//===- Quantize.cpp - weights stored in fewer bits --------------------------===//
//
// Needs: `kiln.compress` on the module, weights with their values, oriented as kernels read them
// (after kiln-layout). Guarantees: each layer that a rule names reads its weight through
// `kiln.dequantize` (int8, int4, int3) or `kiln.cast` (bf16, f16) of a stored weight of shape
// [N, K…] (in int4 [N, K / 2], in int3 [N, 3 K / 8]), matmuls with `transpose_b`, takes of rows
// before they are widened, and convolutions of 1x1 filters in groups are matmuls; with dynamic
// activations, matmuls are `kiln.qmatmul` of it and rows in u8, with static ones also convolutions
// `kiln.qconv2d`, by the `kiln.range` of the readers, with GPTQ numbers are rounded by their
// `kiln.inputs` (Calibrate.h). What does not fit, or would take more bytes, is left alone.
// `kiln.compress` is gone. Reports: a remark and a row of the ledger for each layer, an error at a
// rule that names none, a warning if a rule asks for fewer bits and no layer got them.
//
//===----------------------------------------------------------------------===//

#include "ir/NumberBlock.h"
#include "passes/Build.h"
#include "passes/Passes.h"
#include "passes/compress/Compensate.h"
#include "passes/compress/Layers.h"
#include "passes/compress/Requantize.h"
#include "passes/compress/Rows.h"
#include "passes/compress/Rules.h"
#include "passes/compress/Scale.h"
#include "passes/compress/Static.h"
#include "passes/compress/Stored.h"
#include "passes/compress/Windows.h"

#include "mlir/IR/Remarks.h"

#include <cmath>
#include <cstring>

namespace kiln::passes {
#define GEN_PASS_DEF_QUANTIZE
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

namespace {
/// What is stored of a weight; without scales it is a narrower float, without zeros symmetric.
/// Inputs are multiplied by `inputs`, if there are any.
struct Integers {
  WeightOp numbers, scales, zeros, inputs;
};

/// A weight by a scheme, and what its inputs are multiplied by, if anything.
struct Rounded {
  Stored stored;
  std::vector<float> factors;
};

/// Stores the weights of a module.
class Quantizer {
public:
  explicit Quantizer(ModuleOp module)
      : module(module), symbols(module),
        store(module.getContext()->getLoadedDialect<KilnDialect>()->getWeights()) {}
  LogicalResult run();

private:
  std::optional<Rounded> rounded(const Layer &layer, Scheme &scheme);
  std::optional<Rounded> roundedByInputs(const Layer &layer, Scheme &scheme);
  bool quantize(Layer &layer, const Scheme &scheme);
  Value read(OpBuilder &builder, WeightOp weight) const {
    return GetOp::create(builder, weight.getLoc(), weight.getType(), weight.getSymName());
  }
  WeightOp addWeight(const Layer &layer, StringRef suffix, DType type, ArrayRef<int64_t> shape,
                     std::vector<uint8_t> bytes);
  void replace(Layer &layer, Rounded rounded, const Scheme &scheme);
  void replaceByProduct(Conv2dOp conv, Value matrix) const;
  void scaleInput(Operation *reader, WeightOp factors) const;
  WeightOp addOffsets(const Layer &layer, const Stored &stored, int64_t zero);
  void replaceStatic(Operation *reader, const Layer &layer, const Stored &stored, WeightOp weight);
  void replaceWeight(Operation *reader, const Integers &integers, const Scheme &scheme);
  void replaceTake(TakeOp take, const Integers &integers, const Scheme &scheme);

  ModuleOp module;
  SymbolTable symbols;
  WeightStore &store;
  RowQuantizer rowQuantizer;
  StaticQuantizer staticQuantizer;
  Requantizer requantizer{symbols};
};
} // namespace

WeightOp Quantizer::addWeight(const Layer &layer, StringRef suffix, DType type,
                              ArrayRef<int64_t> shape, std::vector<uint8_t> bytes) {
  WeightOp before = layer.weight;
  std::string hash = store.addOwned(type, shape, std::move(bytes));
  OpBuilder builder(before);
  SmallVector<DimExpr> dims(shape.begin(), shape.end());
  auto weight =
      WeightOp::create(builder, before.getLoc(), (before.getSymName() + suffix).str(),
                       tensorType(module.getContext(), type, dims), builder.getStringAttr(hash));
  symbols.insert(weight);
  return weight;
}

/// What the zero point of activations adds to each channel's sum; with 1, what any adds for each 1.
WeightOp Quantizer::addOffsets(const Layer &layer, const Stored &stored, int64_t zero) {
  std::vector<uint8_t> bytes(layer.outputs() * sizeof(int32_t));
  for (int64_t n = 0; n < layer.outputs(); ++n) {
    int64_t sum = 0;
    for (int64_t k = 0; k < layer.depth(); ++k)
      sum += static_cast<int8_t>(stored.bytes[n * layer.depth() + k]);
    auto offset = static_cast<int32_t>(sum * zero); // wraps as the sums of products do
    std::memcpy(&bytes[n * sizeof(int32_t)], &offset, sizeof(int32_t));
  }
  return addWeight(layer, ".offsets", DType::I32, layer.outputs(), std::move(bytes));
}

void Quantizer::replaceStatic(Operation *reader, const Layer &layer, const Stored &stored,
                              WeightOp weight) {
  Affine affine = *StaticQuantizer::affineOf(reader);
  std::vector<uint8_t> factors(stored.scales.size() * sizeof(float));
  for (size_t n = 0; n < stored.scales.size(); ++n) {
    float factor = stored.scales[n] * affine.scale;
    std::memcpy(&factors[n * sizeof(float)], &factor, sizeof(float));
  }
  staticQuantizer.replace(
      reader, weight,
      addWeight(layer, ".factors", DType::F32, stored.scaleShape, std::move(factors)),
      addOffsets(layer, stored, affine.zero));
}

/// Scales in f32, in which products are.
static Value widen(OpBuilder &builder, Value scales) {
  Build build{builder, scales.getLoc()};
  return dtypeOf(scales.getType()) == DType::F32 ? scales
                                                 : build.cast(scales, builder.getF32Type());
}

void Quantizer::replaceWeight(Operation *reader, const Integers &integers, const Scheme &scheme) {
  OpBuilder builder(reader);
  Location loc = reader->getLoc();
  Value value = read(builder, integers.numbers);
  if (integers.scales)
    value = DequantizeOp::create(
        builder, loc, value, widen(builder, read(builder, integers.scales)),
        integers.zeros ? read(builder, integers.zeros) : Value(),
        builder.getI64IntegerAttr(scheme.group ? 1 : 0), builder.getI64IntegerAttr(scheme.group),
        builder.getI64IntegerAttr(scheme.bits()));
  else
    value = CastOp::create(builder, loc, value, TypeAttr::get(builder.getF32Type()));
  if (auto conv = dyn_cast<Conv2dOp>(reader); conv && scheme.group)
    return replaceByProduct(conv, value);
  reader->setOperand(1, value);
  if (auto matmul = dyn_cast<MatmulOp>(reader))
    matmul.setTransposeB(true);
}

/// The product of pixels that a convolution of 1x1 filters is, plus its bias.
void Quantizer::replaceByProduct(Conv2dOp conv, Value matrix) const {
  OpBuilder builder(conv);
  Build build{builder, conv.getLoc()};
  Value y = build.make<MatmulOp>(conv.getX(), matrix, builder.getUnitAttr());
  if (Value bias = conv.getBias())
    y = build.make<AddOp>(y, build.broadcast(bias, dimsOf(y.getType())));
  conv.getResult().replaceAllUsesWith(y);
  conv.erase();
}

void Quantizer::scaleInput(Operation *reader, WeightOp factors) const {
  OpBuilder builder(reader);
  Build build{builder, reader->getLoc()};
  Value x = reader->getOperand(0);
  Value wide = build.broadcast(read(builder, factors), dimsOf(x.getType()));
  reader->setOperand(0, build.make<MulOp>(x, wide));
}

/// Rows are taken as they are stored, with their scales; each row is a group, or several.
void Quantizer::replaceTake(TakeOp take, const Integers &integers, const Scheme &scheme) {
  OpBuilder builder(take);
  Build build{builder, take.getLoc()};
  auto rowsOf = [&](WeightOp table) -> Value {
    return build.make<TakeOp>(read(builder, table), take.getIndices(), builder.getI64IntegerAttr(0),
                              take.getGuardedAttr());
  };
  Value value = rowsOf(integers.numbers);
  if (integers.scales) {
    SmallVector<DimExpr> shape = dimsOf(value.getType());
    int64_t depth = *shape.back().constantValue(), axis = shape.size() - 1;
    Value factors = widen(builder, rowsOf(integers.scales));
    shape.back() = 1;
    if (!scheme.group)
      factors = build.reshape(factors, shape);
    value =
        build.make<DequantizeOp>(value, factors, integers.zeros ? rowsOf(integers.zeros) : Value(),
                                 builder.getI64IntegerAttr(axis),
                                 builder.getI64IntegerAttr(scheme.group ? scheme.group : depth),
                                 builder.getI64IntegerAttr(scheme.bits()));
  } else {
    value = build.cast(value, builder.getF32Type());
  }
  take.getResult().replaceAllUsesWith(value);
  take.erase();
}

/// The readers read the stored weight, each through an op of its own, which goes into its kernel.
void Quantizer::replace(Layer &layer, Rounded rounded, const Scheme &scheme) {
  Stored &stored = rounded.stored;
  std::string suffix = scheme.bits() < 16 ? ".int" + std::to_string(scheme.bits())
                                          : "." + std::string(name(stored.type));
  WeightOp offsets;
  if (scheme.activations == Scheme::Activations::Dynamic)
    offsets = addOffsets(layer, stored, 1);
  Integers integers;
  integers.numbers = addWeight(layer, suffix, stored.type, stored.shape, stored.bytes);
  if (!stored.scales.empty()) {
    integers.scales =
        addWeight(layer, ".scales", stored.scaleType, stored.scaleShape, stored.scaleBytes());
  }
  if (!stored.zeroPoints.empty())
    integers.zeros = addWeight(layer, ".zeros", stored.type, stored.scaleShape, stored.zeroPoints);
  if (!rounded.factors.empty()) {
    auto *first = reinterpret_cast<const uint8_t *>(rounded.factors.data());
    integers.inputs = addWeight(layer, ".inputs", DType::F32, layer.depth(),
                                {first, first + rounded.factors.size() * sizeof(float)});
  }
  for (Operation *reader : layer.readers) {
    if (integers.inputs)
      scaleInput(reader, integers.inputs);
    Operation *get = reader->getOperand(isa<TakeOp>(reader) ? 0 : 1).getDefiningOp();
    if (auto take = dyn_cast<TakeOp>(reader))
      replaceTake(take, integers, scheme);
    else if (auto matmul = dyn_cast<MatmulOp>(reader); matmul && offsets)
      rowQuantizer.replace(matmul, integers.numbers, integers.scales, offsets);
    else if (scheme.activations == Scheme::Activations::Static && StaticQuantizer::affineOf(reader))
      replaceStatic(reader, layer, stored, integers.numbers);
    else
      replaceWeight(reader, integers, scheme);
    if (get->use_empty())
      get->erase();
  }
  layer.weight.erase();
}

/// Why no reader can multiply activations as integers; empty if one can.
static std::string whyNotIntegers(const Layer &layer, Scheme::Activations activations) {
  bool isStatic = activations == Scheme::Activations::Static;
  if (layer.depth() > StaticQuantizer::maxDepth)
    return "sums of " + std::to_string(layer.depth()) + " products may leave 32 bits";
  auto canBe = [&](Operation *op) { return isa<MatmulOp>(op) || (isStatic && isa<Conv2dOp>(op)); };
  if (llvm::none_of(layer.readers, canBe))
    return ("it is read by '" + layer.readers[0]->getName().stripDialect() + "'").str();
  if (isStatic && llvm::none_of(layer.readers, StaticQuantizer::affineOf))
    return "no calibration data reached it";
  return "";
}

/// Empty if its depth falls into groups, the last of which may be shorter, of whole bytes.
static std::string whyNotInGroups(const Layer &layer, int64_t bits) {
  if (llvm::any_of(layer.readers, llvm::IsaPred<SparseMatmulOp>))
    return "groups are for products that skip no zeros";
  bool isFilter = layer.shape().size() != 2;
  if (isFilter && layer.depth() != layer.shape().back())
    return "groups are for matrices, not filters";
  if (isFilter && !llvm::all_of(layer.readers, isProduct))
    return "groups are for 1x1 filters of all channels, channels last, with stride 1 and no "
           "padding";
  NumberBlock block{bits};
  return layer.depth() % block.numbers() == 0
             ? ""
             : "its depth " + std::to_string(layer.depth()) + " is no multiple of the " +
                   std::to_string(block.numbers()) + " numbers that share bytes";
}

/// The weight by the scheme, whose rounding is to the nearest where nothing else is better.
std::optional<Rounded> Quantizer::rounded(const Layer &layer, Scheme &scheme) {
  if (scheme.needsInputs())
    return roundedByInputs(layer, scheme);
  std::optional<Stored> stored = storedAs(layer, scheme);
  return stored ? std::optional<Rounded>({std::move(*stored), {}}) : std::nullopt;
}

/// Of what the scheme allows, what changes products on calibration data least. The scheme is what
/// was taken.
std::optional<Rounded> Quantizer::roundedByInputs(const Layer &layer, Scheme &scheme) {
  Scheme wanted = scheme;
  scheme.rounding = Scheme::Rounding::Nearest;
  scheme.isScaled = false;
  StringRef name = wanted.isScaled ? "scaling" : "rounding";
  auto toNearest = [&](const Twine &reason) {
    remarkMissed(layer, name, "is rounded to the nearest: " + reason);
  };
  std::optional<Inputs> inputs = inputsOf(layer);
  if (!inputs || inputs->count() == 0 ||
      (wanted.isScaled && !llvm::all_of(layer.readers, multipliesPixels))) {
    toNearest(inputs && inputs->count() ? "not only products read it"
                                        : "no product with it saw calibration data");
    return Rounded{*storedAs(layer, scheme), {}};
  }
  Rounded result;
  std::string errors;
  double least = 0, nearest = 0;
  if (wanted.rounding == Scheme::Rounding::GPTQ) {
    Compensation found = compensate(layer, wanted, *inputs);
    LedgerRow &row = ledgerRow(layer);
    row.nearestError = nearest = found.nearest;
    row.compensatedError = found.compensated;
    errors = ", " + digits(found.compensated) + " with compensation";
    least = std::min(found.nearest, found.compensated);
    if (found.compensated < found.nearest)
      scheme.rounding = Scheme::Rounding::GPTQ;
    result.stored = std::move(found.stored);
  }
  if (wanted.isScaled) {
    Scaling found = scale(layer, scheme, *inputs);
    addErrors(layer, "kiln.scalings", found.plain, found.scaled);
    nearest = found.plain;
    errors += ", " + digits(found.scaled) + " with scaling";
    bool isFirst = wanted.rounding == Scheme::Rounding::Nearest;
    if (isFirst)
      result.stored = *storedAs(layer, scheme);
    if (found.scaled < (isFirst ? nearest : least)) {
      scheme.rounding = Scheme::Rounding::Nearest;
      scheme.isScaled = true;
      result = {std::move(found.stored), std::move(found.factors)};
    }
  }
  errors = "relative error on calibration data " + digits(nearest) + " by rounding to the nearest" +
           errors;
  if (scheme.needsInputs())
    remarkPassed(layer, name, "has " + errors);
  else
    toNearest(errors);
  return result;
}

/// Whether the layer is stored in fewer bits now.
bool Quantizer::quantize(Layer &layer, const Scheme &wanted) {
  auto leave = [&](const Twine &reason) {
    remarkMissed(layer, "quantized", "stays as it is: " + reason);
    return false;
  };
  if (!layer.reason.empty())
    return leave(layer.reason);
  for (int64_t i = 0, count = layer.view->numElements(); i < count; ++i)
    if (!std::isfinite(layer.at(i)))
      return leave("it holds a value that is not finite");
    else if (wanted.hasHalfScales && std::fabs(layer.at(i)) > 65504)
      return leave("a value is too large for " + Twine(wanted.text()));
  Scheme scheme = wanted;
  if (scheme.kind == Scheme::Kind::Parts)
    if (std::string reason = whyNotInGroups(layer, scheme.bits()); !reason.empty())
      return leave("int" + Twine(scheme.bits()) + " is in groups, and " + reason);
  if (std::string reason = scheme.group ? whyNotInGroups(layer, scheme.bits()) : "";
      !reason.empty()) {
    remarkMissed(layer, "group", "has a scale per channel: " + reason);
    scheme.group = 0;
    scheme.hasHalfScales = false;
  }
  if (scheme.activations != Scheme::Activations::None)
    if (std::string reason = whyNotIntegers(layer, scheme.activations); !reason.empty()) {
      remarkMissed(layer, "activations", "activations stay floats: " + reason);
      scheme.activations = Scheme::Activations::None;
    }
  std::optional<Rounded> found = rounded(layer, scheme);
  if (!found)
    return leave("a value is too large for " + Twine(scheme.text()));
  LedgerRow &row = ledgerRow(layer);
  const Stored &stored = found->stored;
  auto size = stored.size() + static_cast<int64_t>(found->factors.size() * sizeof(float));
  size +=
      row.bytesAfter - static_cast<int64_t>(layer.view->bytes.size()); // positions of what stays
  if (scheme.activations == Scheme::Activations::Dynamic)
    size += layer.outputs() * sizeof(int32_t);
  else if (scheme.activations == Scheme::Activations::Static) // factors and offsets
    size += layer.outputs() * sizeof(int32_t) *
            (2 * llvm::count_if(layer.readers, StaticQuantizer::affineOf) - 1);
  if (size >= row.bytesAfter) // of what pruning left
    return leave(scheme.text() + " would take " + Twine(size) + " bytes of " +
                 Twine(row.bytesAfter));
  row.scheme = scheme.text();
  row.bits = static_cast<int>(scheme.bits());
  row.bytesAfter = size;
  // What was pruned is a zero still, so the changes add up.
  row.error += stored.error;
  row.zeros = stored.zeros + removed(layer, row);
  std::optional<double> ratio = row.sqnr();
  remarkPassed(layer, "quantized",
               "is stored as " + row.scheme + ": " + Twine(row.bytesBefore) + " to " +
                   Twine(row.bytesAfter) + " bytes, relative error " + digits(row.relativeError()) +
                   (ratio ? ", SQNR " + digits(*ratio) + " dB" : std::string()));
  replace(layer, std::move(*found), scheme);
  return true;
}

LogicalResult Quantizer::run() {
  FailureOr<SmallVector<Rule>> rules = readRules(module);
  if (failed(rules))
    return failure();
  bool isCalibrated = bool(module->removeAttr("kiln.calibrated"));
  if (!module->removeAttr("kiln.compress"))
    return success();
  for (const Rule &rule : *rules)
    if (rule.action == Rule::Action::Require) // nobody held layers back
      return emitError(rule.place, "'require error' needs data to measure on; give it by "
                                   "kilnc --calibrate=inputs.npz");
    else if (rule.scheme.needsCalibration() && !isCalibrated)
      return emitError(rule.place, rule.scheme.rounding == Scheme::Rounding::GPTQ
                                       ? "rounding = gptq"
                                   : rule.scheme.isScaled ? "scaling = awq"
                                                          : "activations = static")
             << " needs calibration data; give it by --calibrate=inputs.npz";
  SmallVector<Layer> layers = layersOf(module);
  auto paths =
      llvm::map_to_vector(layers, [](const Layer &layer) -> std::string { return layer.path; });
  if (failed(checkRules(*rules, Rule::Action::Quantize, paths)))
    return failure();
  bool isWanted =
      llvm::any_of(*rules, [](const Rule &rule) { return rule.action == Rule::Action::Quantize; });
  unsigned done = 0;
  for (Layer &layer : layers) {
    ledgerRow(layer);
    for (const Rule &retreat : *rules)
      if (!retreat.reason.empty() && retreat.pattern == layer.path)
        remarkMissed(layer, "held", retreat.reason);
    const Rule *rule = ruleFor(*rules, Rule::Action::Quantize, layer.path);
    if (rule && rule->action == Rule::Action::Quantize)
      done += quantize(layer, rule->scheme);
    else if (isWanted && !holdOf(*rules, Rule::Action::Quantize, layer.path))
      remarkMissed(layer, "quantized",
                   rule ? "stays f32: the recipe keeps it" : "stays f32: no rule names it");
  }
  staticQuantizer.hoist();
  staticQuantizer.share();
  for (QuantizeOp op : staticQuantizer.getQuantizers())
    if (!requantizer.fold(op))
      StaticQuantizer::multiply(op);
  module.walk([](Operation *op) {
    op->removeAttr("kiln.range");
    op->removeAttr("kiln.inputs");
  });
  if (isWanted && done == 0)
    module.emitWarning("nothing is quantised: no layer could be stored in fewer bits; --remarks "
                       "gives the reason of each");
  return success();
}

namespace {
struct Quantize : passes::impl::QuantizeBase<Quantize> {
  void runOnOperation() override {
    if (failed(Quantizer(getOperation()).run()))
      signalPassFailure();
  }
};
} // namespace
