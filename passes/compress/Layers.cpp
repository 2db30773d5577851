//===- Layers.cpp - the trained matrices and filters of a module ------------===//

#include "passes/compress/Layers.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Format.h"

#include <cstring>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

float Layer::at(int64_t i) const {
  float value;
  std::memcpy(&value, view->bytes.data() + i * sizeof(float), sizeof(float));
  return value;
}

/// The parameter's path of a weight that simplification may have changed.
static std::string pathOf(StringRef name) {
  name = name.split(':').first.split(".folded").first; // "fc:kept", of Sparse.cpp
  name.consume_back(".weight");
  return name.str();
}

/// Whether the weight is read as matrix or filter there, and how.
static bool readsAs(OpOperand &use, bool &isColumns, int64_t &channelAxis) {
  auto take = dyn_cast<TakeOp>(use.getOwner());
  if (take && use.getOperandNumber() == 0 && take.getAxis() == 0) { // rows, as [N, K]
    isColumns = false;
    channelAxis = 1;
    return cast<RankedTensorType>(use.get().getType()).getRank() == 2;
  }
  if (use.getOperandNumber() != 1)
    return false;
  int64_t rank = cast<RankedTensorType>(use.get().getType()).getRank();
  if (auto matmul = dyn_cast<MatmulOp>(use.getOwner())) {
    isColumns = !matmul.getTransposeB();
    channelAxis = isColumns ? 0 : 1;
    return rank == 2;
  }
  isColumns = false;
  if (isa<SparseMatmulOp>(use.getOwner()))
    channelAxis = 1;
  else if (auto conv = dyn_cast<Conv2dOp>(use.getOwner()))
    channelAxis = conv.getChannelsLast() ? rank - 1 : 1;
  else if (auto conv = dyn_cast<Conv3dOp>(use.getOwner()))
    channelAxis = conv.getChannelsLast() ? rank - 1 : 1;
  else
    return false;
  return true;
}

static void inspectUses(Layer &layer, ArrayRef<GetOp> gets) {
  for (GetOp get : gets)
    for (OpOperand &use : get->getUses()) {
      bool isColumns = false;
      int64_t channelAxis = 0;
      if (!readsAs(use, isColumns, channelAxis)) {
        layer.reason = ("it is read by '" + use.getOwner()->getName().stripDialect() + "'").str();
        return;
      }
      if (!layer.readers.empty() &&
          (isColumns != layer.isColumns || channelAxis != layer.channelAxis)) {
        layer.reason = "it is read as it is and transposed";
        return;
      }
      layer.isColumns = isColumns;
      layer.channelAxis = channelAxis;
      layer.readers.push_back(use.getOwner());
    }
}

bool passes::isProduct(Operation *op) {
  auto conv = dyn_cast<Conv2dOp>(op);
  if (!conv)
    return isa<MatmulOp>(op);
  SmallVector<DimExpr> filter = dimsOf(conv.getWeight().getType());
  return conv.getChannelsLast() && conv.getGroups() == 1 && filter[1] == DimExpr(1) &&
         filter[2] == DimExpr(1) && llvm::all_equal(conv.getStride()) && conv.getStride()[0] == 1 &&
         llvm::all_of(conv.getPadding().getDims(),
                      [](const DimExpr &width) { return width == DimExpr(0); });
}

SmallVector<Layer> passes::layersOf(ModuleOp module) {
  WeightStore &store = module.getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  llvm::StringMap<SmallVector<GetOp>> gets;
  module.walk([&](GetOp get) { gets[get.getWeight()].push_back(get); });
  SmallVector<Layer> layers;
  llvm::StringMap<unsigned> seen;
  for (auto weight : module.getOps<WeightOp>()) {
    auto type = cast<RankedTensorType>(weight.getType());
    auto found = gets.find(weight.getSymName());
    bool isMatrix = llvm::count_if(type.getShape(), [](int64_t n) { return n != 1; }) >= 2;
    if (type.getRank() < 2 || found == gets.end() || !kiln::isFloat(*dtypeOf(type)))
      continue;
    Layer layer;
    layer.weight = weight;
    layer.path = pathOf(weight.getSymName());
    inspectUses(layer, found->second);
    if (layer.readers.empty() && !isMatrix)
      continue; // a bias or a norm's factors, broadcast
    // Simplification may have made several weights of one parameter.
    if (unsigned number = ++seen[layer.path]; number > 1)
      layer.path += "#" + std::to_string(number);
    layer.view = weight.getHash() ? store.find(*weight.getHash()) : nullptr;
    if (dtypeOf(type) != DType::F32)
      layer.reason = "its type is not f32";
    else if (!layer.view)
      layer.reason = "it has no value yet";
    else if (layer.view->numElements() == 0)
      layer.reason = "it has no elements";
    layers.push_back(std::move(layer));
  }
  return layers;
}

static Ledger &ledgerOf(const Layer &layer) {
  WeightOp weight = layer.weight;
  return weight.getContext()->getLoadedDialect<KilnDialect>()->getLedger();
}

LedgerRow &passes::ledgerRow(const Layer &layer) {
  LedgerRow &row = ledgerOf(layer).row(layer.path);
  if (row.bytesBefore)
    return row;
  WeightOp weight = layer.weight;
  auto type = cast<RankedTensorType>(weight.getType());
  row.elements = type.getNumElements();
  row.scheme = std::string(name(*dtypeOf(type)));
  row.bits = static_cast<int>(8 * byteSize(*dtypeOf(type)));
  row.bytesBefore = row.bytesAfter = row.elements * byteSize(*dtypeOf(type));
  if (layer.view && layer.view->type == DType::F32)
    for (int64_t i = 0; i < row.elements; ++i) {
      double value = layer.at(i);
      row.signal += value * value;
      row.zeros += value == 0;
    }
  return row;
}

OpBuilder passes::behind(Value x, Block *block) {
  if (x.getParentBlock() != block || !x.getDefiningOp())
    return OpBuilder::atBlockBegin(block);
  OpBuilder builder(block->getParentOp()->getContext());
  builder.setInsertionPointAfter(x.getDefiningOp());
  return builder;
}

std::string passes::digits(double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.3g", value);
  return text;
}

static remark::RemarkOpts note(StringRef name) {
  return remark::RemarkOpts::name(name).category("compress");
}

void passes::remarkPassed(const Layer &layer, StringRef name, const Twine &text) {
  WeightOp weight = layer.weight;
  remark::passed(weight.getLoc(), note(name)) << ("'" + layer.path + "' " + text).str();
}

void passes::addErrors(const Layer &layer, StringRef name, double without, double with) {
  auto module = layer.weight->getParentOfType<ModuleOp>();
  Builder builder(module.getContext());
  NamedAttrList errors(module->getAttrOfType<DictionaryAttr>(name));
  errors.set(layer.path, builder.getDenseF64ArrayAttr({without, with}));
  module->setAttr(name, errors.getDictionary(module.getContext()));
}

void passes::remarkMissed(const Layer &layer, StringRef name, const Twine &text) {
  WeightOp weight = layer.weight;
  ledgerRow(layer).reasons.push_back(text.str());
  remark::missed(weight.getLoc(), note(name)) << ("'" + layer.path + "': " + text).str();
}
