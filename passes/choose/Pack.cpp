//===- Pack.cpp - weights as the templates read them ------------------------===//
//
// Needs: kernels with `kiln.template` (after kiln-choose), weights with their values.
// Guarantees: at `linear` and `conv2d` kernels the weight is an argument [N / 16, K…, 16] with
// `kiln.panel` = [N, K…], or, where products of bytes are summed as i32, [N / 16, …, K / 4, 16, 4];
// at `depthwise` ones it is [kh, kw, 1, C], and filters that Winograd's tiles take are transformed
// first (`kiln.winograd_filter`). Their bodies begin by restoring the logical shape.
// What a `conv2d` kernel's weight is computed as, launches of kernels made here lay out likewise.
// For GPUs (`devices`) nothing is a panel: a weight [K, N] of a `linear` kernel becomes [N, K].
// Weights without a use are gone; scales that are known and finite are marked. Reports: a remark a
// weight.
//
//===----------------------------------------------------------------------===//

#include "ir/Winograd.h"
#include "passes/Build.h"
#include "passes/Passes.h"
#include "passes/choose/Weights.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSet.h"

#include <cmath>
#include <cstring>

namespace kiln::passes {
#define GEN_PASS_DEF_PACK
#include "passes/Passes.h.inc"
} // namespace kiln::passes

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

namespace {
/// How a weight's element (n, k) moves; K… counts as one dimension.
enum class Form : uint8_t {
  Panel,          ///< [N, K] to [N / 16, K, 16]
  PanelOfColumns, ///< [K, N] to the same
  ColumnsLast,    ///< [N, K] to [K, N]
  ColumnsFirst    ///< [K, N] to [N, K]
};

bool hadColumns(Form form) { return form == Form::PanelOfColumns || form == Form::ColumnsFirst; }

struct Layout {
  Form form;
  SmallVector<int64_t> logical; ///< [N, K…]
  SmallVector<int64_t> packed;
  int64_t group = 1; ///< neighbours along the last K that lie side by side in a panel
  int64_t tile = 0;  ///< of Winograd's transforms, which K… is of; 0: none
};

/// A weight's bytes in another layout.
std::vector<uint8_t> packBytes(const WeightView &view, const Layout &layout) {
  int64_t n = layout.logical[0], size = byteSize(view.type);
  int64_t k = n == 0 ? 0 : view.numElements() / n, elements = 1;
  int64_t depth = layout.logical.back(), group = layout.group;
  int64_t parts = (depth + group - 1) / group;
  for (int64_t extent : layout.packed)
    elements *= extent;
  std::vector<uint8_t> bytes(elements * size);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < k; ++j) {
      int64_t from = hadColumns(layout.form) ? j * n + i : i * k + j;
      int64_t part = i / panelWidth * (k / depth) * parts + j / depth * parts + j % depth / group;
      int64_t to = layout.form == Form::ColumnsLast ? j * n + i
                   : layout.form == Form::ColumnsFirst
                       ? i * k + j
                       : (part * panelWidth + i % panelWidth) * group + j % depth % group;
      std::memcpy(&bytes[to * size], &view.bytes[from * size], size);
    }
  return bytes;
}

/// [N, K…] or, for a form of columns, [K, N], in another layout.
Layout layoutOf(Type type, Form form, int64_t group = 1) {
  Layout layout;
  layout.form = form;
  layout.group = group;
  for (const DimExpr &dim : dimsOf(type))
    layout.logical.push_back(*dim.constantValue());
  if (hadColumns(form))
    std::swap(layout.logical[0], layout.logical[1]);
  if (form == Form::ColumnsFirst) {
    layout.packed = layout.logical;
    return layout;
  }
  layout.packed.assign(layout.logical.begin() + 1, layout.logical.end());
  if (form == Form::ColumnsLast) {
    layout.packed.push_back(layout.logical[0]);
    return layout;
  }
  layout.packed.back() = (layout.packed.back() + group - 1) / group;
  layout.packed.insert(layout.packed.begin(), (layout.logical[0] + panelWidth - 1) / panelWidth);
  layout.packed.push_back(panelWidth);
  if (group > 1)
    layout.packed.push_back(group);
  return layout;
}

/// Changes the kernels of a module.
class Packer {
public:
  Packer(ModuleOp module, bool forDevices)
      : module(module), forDevices(forDevices), symbols(module), launches(launchesOf(module)),
        store(module.getContext()->getLoadedDialect<KilnDialect>()->getWeights()) {}
  void run();

private:
  std::optional<Form> formFor(StringRef name, Operation *anchor) const;
  void pack(KernelOp kernel);
  bool transform(KernelOp kernel, BlockArgument argument, int64_t tile);
  void packScales(BlockArgument scales, StringRef name);
  void packArgument(BlockArgument argument, const Layout &layout, StringRef name);
  void packComputed(BlockArgument argument, const Layout &layout);
  KernelOp mover(KernelOp reader, StringRef suffix, Type from, Type to);
  void changeArgument(BlockArgument argument, const Layout &layout);
  WeightOp packed(WeightOp weight, const Layout &layout);
  void replace(BlockArgument argument, llvm::function_ref<WeightOp(LaunchOp, WeightOp)> make);
  void removeUnused();

  ModuleOp module;
  bool forDevices;
  SymbolTable symbols;
  Launches launches;
  WeightStore &store;
};
} // namespace

static SmallVector<DimExpr> toDims(ArrayRef<int64_t> shape) {
  return SmallVector<DimExpr>(shape.begin(), shape.end());
}

/// Gives the argument its new type and restores the logical shape in front of the body.
void Packer::changeArgument(BlockArgument argument, const Layout &layout) {
  auto kernel = cast<KernelOp>(argument.getOwner()->getParentOp());
  OpBuilder builder = OpBuilder::atBlockBegin(argument.getOwner());
  Build build{builder, kernel.getLoc()};
  OpOperand &use = *argument.use_begin();
  Type element = Build::elementOf(argument);
  argument.setType(tensorType(element, toDims(layout.packed)));
  kernel.setFunctionType(
      builder.getFunctionType(argument.getOwner()->getArgumentTypes(), kernel.getResultTypes()));
  int64_t rank = layout.logical.size();
  SmallVector<int64_t> axes;
  bool isPanel = layout.form != Form::ColumnsLast;
  if (hadColumns(layout.form))
    use.getOwner()->setAttr("transpose_b", builder.getUnitAttr());
  if (layout.form == Form::ColumnsFirst)
    return;
  if (isPanel)
    axes.push_back(0);
  axes.push_back(isPanel ? rank : rank - 1);
  for (int64_t axis = isPanel; axis < (isPanel ? rank : rank - 1); ++axis)
    axes.push_back(axis);
  if (layout.group > 1)
    axes.push_back(rank + 1);
  Value value = build.make<PermuteOp>(argument, builder.getDenseI64ArrayAttr(axes));
  if (isPanel) {
    SmallVector<int64_t> shape = layout.logical;
    shape.front() = layout.packed.front() * panelWidth;
    shape.back() = layout.packed[rank - 1] * layout.group;
    value = build.make<ReshapeOp>(value, build.dims(toDims(shape)));
    SmallVector<int64_t> zeros(shape.size(), 0), ones(shape.size(), 1);
    if (shape != layout.logical)
      value =
          build.make<SliceOp>(value, build.dims(toDims(zeros)), build.dims(toDims(layout.logical)),
                              builder.getDenseI64ArrayAttr(ones));
    kernel.setArgAttr(argument.getArgNumber(), "kiln.panel",
                      builder.getDenseI64ArrayAttr(layout.logical));
  }
  use.set(value);
}

static std::vector<float> floatsOf(const WeightView &view) {
  std::vector<float> values(view.numElements());
  std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
  return values;
}

WeightOp Packer::packed(WeightOp weight, const Layout &layout) {
  WeightView view = *store.find(*weight.getHash());
  std::vector<float> transformed;
  if (layout.tile) {
    transformed = winogradTransform(floatsOf(view), layout.logical.back(), layout.tile);
    view.shape.assign(layout.logical.begin(), layout.logical.end());
    view.bytes = {reinterpret_cast<const uint8_t *>(transformed.data()),
                  transformed.size() * sizeof(float)};
  }
  std::vector<uint8_t> bytes = packBytes(view, layout);
  store.dropPages(*weight.getHash());
  StringRef suffix = layout.tile                         ? ".tiles"
                     : layout.form == Form::ColumnsLast  ? ".columns"
                     : layout.form == Form::ColumnsFirst ? ".rows"
                                                         : ".packed";
  std::string hash = store.addOwned(view.type, layout.packed, std::move(bytes));
  std::string name = (weight.getSymName() + suffix).str();
  if (auto known = symbols.lookup<WeightOp>(name); known && known.getHash() == StringRef(hash))
    return known;
  OpBuilder builder(weight);
  auto type =
      tensorType(cast<RankedTensorType>(weight.getType()).getElementType(), toDims(layout.packed));
  auto result = WeightOp::create(builder, weight.getLoc(), name, type, builder.getStringAttr(hash));
  symbols.insert(result);
  return result;
}

/// Gives each launch another weight for the kernel's argument.
void Packer::replace(BlockArgument argument,
                     llvm::function_ref<WeightOp(LaunchOp, WeightOp)> make) {
  auto kernel = cast<KernelOp>(argument.getOwner()->getParentOp());
  for (LaunchOp launch : launches[kernel.getSymNameAttr()]) {
    auto get = launch.getOperands()[argument.getArgNumber()].getDefiningOp<GetOp>();
    WeightOp weight = make(launch, symbols.lookup<WeightOp>(get.getWeight()));
    OpBuilder builder(get);
    Value value = GetOp::create(builder, get.getLoc(), weight.getType(), weight.getSymName());
    launch.getOperandsMutable()[argument.getArgNumber()].set(value);
    if (get->use_empty())
      get.erase();
  }
}

/// How the weight of a template is laid out; nothing if it stays as it is. Neighbouring threads of
/// a GPU read neighbours along K.
std::optional<Form> Packer::formFor(StringRef name, Operation *anchor) const {
  if (name == "depthwise")
    return Form::ColumnsLast;
  if (name != "linear" && name != "conv2d")
    return std::nullopt;
  if (forDevices)
    return hasColumns(anchor) ? std::optional(Form::ColumnsFirst) : std::nullopt;
  return hasColumns(anchor) ? Form::PanelOfColumns : Form::Panel;
}

void Packer::pack(KernelOp kernel) {
  auto name = kernel->getAttrOfType<StringAttr>("kiln.template");
  Operation *anchor = anchorOf(kernel);
  std::optional<Form> form = name ? formFor(name, anchor) : std::nullopt;
  if (!form)
    return;
  std::string reason;
  BlockArgument argument = weightOf(anchor, launches, reason);
  if (BlockArgument computed =
          !argument && name == "conv2d" ? computedWeightOf(anchor, launches) : BlockArgument())
    return packComputed(computed, layoutOf(computed.getType(), Form::Panel));
  auto note = remark::RemarkOpts::name("packed").category("choose");
  if (!argument) {
    remark::missed(kernel.getLoc(), note) << ("'" + kernel.getName() + "': " + reason).str();
    return;
  }
  bool isPanel = form == Form::Panel || form == Form::PanelOfColumns;
  int64_t tile = 0;
  if (auto parameters = kernel->getAttrOfType<DictionaryAttr>("kiln.tile"))
    if (auto winograd = parameters.getAs<IntegerAttr>("winograd");
        winograd && transform(kernel, argument, winograd.getInt()))
      tile = winograd.getInt();
  Layout layout = layoutOf(argument.getType(), *form, isPanel ? groupOf(anchor) : 1);
  layout.tile = tile;
  packArgument(argument, layout, name.getValue());
  // Scales and zero points of groups lie as their weight does: vectors of columns read them.
  auto widened = anchor->getOperand(1).getDefiningOp<DequantizeOp>();
  if (isPanel && widened && widened.getGroup() > 0 && name == "linear")
    for (Value operand : widened->getOperands().drop_front()) {
      auto cast = operand.getDefiningOp<CastOp>(); // of scales in f16
      if (auto scales = dyn_cast<BlockArgument>(cast ? cast.getX() : operand))
        packScales(scales, name.getValue());
    }
}

/// The argument [O, 3, 3, C] becomes that of its transforms for tiles of so many results, if it has
/// such.
bool Packer::transform(KernelOp kernel, BlockArgument argument, int64_t tile) {
  constexpr double large = 1e30; // for sums and differences of weights
  if (!areBelow(argument, launches, large)) {
    kernel->removeAttr("kiln.tile");
    remark::missed(kernel.getLoc(), remark::RemarkOpts::name("packed").category("choose"))
        << ("'" + kernel.getName() + "': filters beyond 1e30 have no transform").str();
    return false;
  }
  Type filters = argument.getType();
  SmallVector<DimExpr> shape = dimsOf(filters);
  shape[1] = shape[2] = DimExpr(tile + 2);
  Type type = tensorType(cast<RankedTensorType>(filters).getElementType(), shape);
  OpBuilder inside = OpBuilder::atBlockBegin(argument.getOwner());
  OpOperand &use = *argument.use_begin();
  argument.setType(type);
  use.set(WinogradFilterOp::create(inside, kernel.getLoc(), filters, argument));
  kernel.setFunctionType(
      inside.getFunctionType(argument.getOwner()->getArgumentTypes(), kernel.getResultTypes()));
  return true;
}

void Packer::packScales(BlockArgument scales, StringRef name) {
  auto kernel = cast<KernelOp>(scales.getOwner()->getParentOp());
  for (LaunchOp launch : launches[kernel.getSymNameAttr()]) {
    auto get = launch.getOperands()[scales.getArgNumber()].getDefiningOp<GetOp>();
    if (!get || !symbols.lookup<WeightOp>(get.getWeight()).getHash() || !scales.hasOneUse())
      return;
  }
  packArgument(scales, layoutOf(scales.getType(), Form::Panel), name);
}

/// The kernel's argument, and the weight at each launch.
void Packer::packArgument(BlockArgument argument, const Layout &layout, StringRef name) {
  changeArgument(argument, layout);
  replace(argument, [&](LaunchOp launch, WeightOp weight) {
    WeightOp result = packed(weight, layout);
    remark::passed(launch.getLoc(), remark::RemarkOpts::name("packed").category("choose"))
        << ("weight '" + result.getSymName() + "' is laid out for '" + name + "'").str();
    return result;
  });
}

/// An empty kernel next to the one that reads its result.
KernelOp Packer::mover(KernelOp reader, StringRef suffix, Type from, Type to) {
  OpBuilder builder(reader);
  auto kernel = KernelOp::create(builder, reader.getLoc(), (reader.getName() + suffix).str(),
                                 builder.getFunctionType(from, to), ArrayAttr(), ArrayAttr(),
                                 builder.getStringAttr("private"));
  kernel.getBody().emplaceBlock().addArgument(from, reader.getLoc());
  kernel->setAttr("kiln.generator", builder.getStringAttr("llvm"));
  kernel->setAttr("kiln.template", builder.getStringAttr("pointwise"));
  kernel.setResultAttr(0, "kiln.align", builder.getI64IntegerAttr(arenaAlignment));
  symbols.insert(kernel);
  return kernel;
}

/// A weight that is computed: launches lay it out as soon as it is there, so outside of loops that
/// only read it. Rows of zeros fill the last panel first.
void Packer::packComputed(BlockArgument argument, const Layout &layout) {
  auto kernel = cast<KernelOp>(argument.getOwner()->getParentOp());
  Type element = Build::elementOf(argument), logical = argument.getType();
  int64_t rows = layout.logical[0], panels = layout.packed[0];
  SmallVector<int64_t> padded = layout.logical;
  padded[0] = panels * panelWidth;
  int64_t depth = 1;
  for (int64_t extent : ArrayRef(padded).drop_front())
    depth *= extent;
  SmallVector<int64_t> flat{panels, panelWidth, depth}, turned{panels, depth, panelWidth};
  OpBuilder inside(kernel);
  Build build{inside, kernel.getLoc()};
  auto finish = [&](KernelOp mover, auto make) {
    inside.setInsertionPointToEnd(&mover.getBody().front());
    ReturnOp::create(inside, kernel.getLoc(), make(Value(mover.getBody().getArgument(0))));
  };
  KernelOp pad;
  if (padded[0] != rows) {
    SmallVector<int64_t> border(2 * padded.size(), 0);
    border[1] = padded[0] - rows;
    pad = mover(kernel, "_fill", logical, tensorType(element, toDims(padded)));
    finish(pad, [&](Value x) { return build.pad(x, toDims(border), 0); });
  }
  KernelOp turn = mover(kernel, "_pack", tensorType(element, toDims(flat)),
                        tensorType(element, toDims(turned)));
  finish(turn,
         [&](Value x) { return build.make<PermuteOp>(x, inside.getDenseI64ArrayAttr({0, 2, 1})); });
  changeArgument(argument, layout);
  kernel.setArgAttr(argument.getArgNumber(), "kiln.align",
                    inside.getI64IntegerAttr(arenaAlignment));
  auto note = remark::RemarkOpts::name("packed").category("choose");
  for (LaunchOp launch : launches[kernel.getSymNameAttr()]) {
    OpOperand &operand = launch.getOperandsMutable()[argument.getArgNumber()];
    OpBuilder builder(launch);
    Build outside{builder, launch.getLoc()};
    builder.setInsertionPointAfterValue(operand.get());
    auto move = [&](KernelOp mover, Value value) {
      return LaunchOp::create(builder, launch.getLoc(), mover.getResultTypes(), mover.getName(),
                              value, DimsAttr())
          .getResult(0);
    };
    Value value = pad ? move(pad, operand.get()) : operand.get();
    value = move(turn, outside.reshape(value, toDims(flat)));
    operand.set(outside.reshape(value, toDims(layout.packed)));
    remark::passed(launch.getLoc(), note)
        << ("the computed weight is laid out for 'conv2d' by '" + turn.getName() + "'").str();
  }
}

void Packer::removeUnused() {
  llvm::StringSet<> used;
  module.walk([&](GetOp get) { used.insert(get.getWeight()); });
  for (auto weight : llvm::make_early_inc_range(module.getOps<WeightOp>()))
    if (!used.contains(weight.getSymName()))
      weight.erase();
}

void Packer::run() {
  markScales(module, launches);
  for (auto kernel : llvm::make_early_inc_range(module.getOps<KernelOp>()))
    pack(kernel);
  removeUnused();
  if (!forDevices)
    markResident(module, launches);
}

namespace {
struct Pack : passes::impl::PackBase<Pack> {
  using PackBase::PackBase;
  void runOnOperation() override { Packer(getOperation(), forDevices).run(); }
};
} // namespace
