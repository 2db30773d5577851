//===- PruneChannels.cpp - channels that a recipe leaves out ----------------===//

#include "passes/compress/PruneChannels.h"

#include "passes/compress/Channels.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

#include <cmath>
#include <numeric>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::passes;
using namespace mlir;

/// Of f32 in a vector of 512 bits; kernels pack weights in panels of as many output channels.
static constexpr int64_t panel = 16;

namespace {
/// Layers whose outputs are the same channels, since they are added up, say.
struct Group {
  SmallVector<int64_t> channels; ///< one number for all that is tied, in order
  SmallVector<Layer *> makers;
  std::string reason; ///< why none is left out
};

class ChannelPruner {
public:
  ChannelPruner(ModuleOp module, MutableArrayRef<Layer> layers, ArrayRef<Rule> rules)
      : module(module), layers(layers), rules(rules), channels(module) {}
  void run();

private:
  const Rule *ruleOf(const Layer &layer) const;
  Axis outputs(const Layer &layer) const { return channels.axis(layer.weight, layer.isColumns); }
  Axis inputs(const Layer &layer) const {
    return channels.axis(layer.weight, static_cast<unsigned>(layer.channelAxis));
  }
  void fixWeights();
  void findGroups();
  void weigh(const Layer &layer);
  void choose(Group &group);
  std::string obstacle(const Group &group, double &fraction) const;
  void leaveOut(Group &group, double fraction);
  bool isDropped(int64_t position) const { return dropped.contains(channels.find(position)); }
  int64_t kept(Axis axis) const;
  SmallVector<DimExpr> keptDims(Value value) const;
  void shrink(WeightOp weight);
  void shrink(Operation *op);
  std::string whyKept(const Layer &layer) const;
  void report(Layer &layer);
  double lost(const Layer &layer, int64_t &zeros) const;

  ModuleOp module;
  MutableArrayRef<Layer> layers;
  ArrayRef<Rule> rules;
  Channels channels;
  SmallVector<Group> groups;
  llvm::DenseMap<const Layer *, const Group *> groupOf;
  llvm::DenseMap<int64_t, double> norms; ///< squares, of each channel
  llvm::DenseSet<int64_t> dropped;
};
} // namespace

/// Convolutions with a filter a channel make no channels of their own.
static bool makesChannels(Operation *reader) {
  if (auto conv = dyn_cast<Conv2dOp>(reader))
    return conv.getGroups() == 1;
  if (auto conv = dyn_cast<Conv3dOp>(reader))
    return conv.getGroups() == 1;
  return isa<MatmulOp>(reader);
}

/// The rule for the layer's channels, if that is what is wanted of it.
const Rule *ChannelPruner::ruleOf(const Layer &layer) const {
  const Rule *rule = ruleFor(rules, Rule::Action::Prune, layer.path);
  return rule && rule->sparsity.isChannels ? rule : nullptr;
}

/// Weights that cannot be made smaller, in any layer or without.
void ChannelPruner::fixWeights() {
  auto fixAll = [&](WeightOp weight, const Twine &reason) {
    for (unsigned i = 0, e = dimsOf(weight.getType()).size(); i < e; ++i)
      channels.fix(channels.axis(weight, i), reason);
  };
  WeightStore &store = module.getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  for (auto weight : module.getOps<WeightOp>())
    if (!weight.getHash() || !store.find(*weight.getHash()))
      fixAll(weight, "a weight of its channels has no value yet");
  for (Layer &layer : layers) {
    if (!layer.reason.empty())
      fixAll(layer.weight, "'" + layer.path + "' has its channels, and " + layer.reason);
    else if (!llvm::all_of(llvm::seq<int64_t>(0, layer.view->numElements()),
                           [&](int64_t i) { return std::isfinite(layer.at(i)); }))
      fixAll(layer.weight, "'" + layer.path + "' holds a value that is not finite");
  }
}

void ChannelPruner::findGroups() {
  llvm::EquivalenceClasses<int64_t> together;
  SmallVector<Layer *> makers;
  for (Layer &layer : layers) {
    if (!layer.reason.empty() || !llvm::any_of(layer.readers, makesChannels))
      continue;
    makers.push_back(&layer);
    Axis axis = outputs(layer);
    for (int64_t i = 0; i < axis.extent; ++i)
      together.unionSets(channels.find(axis.first), channels.find(axis.first + i));
  }
  llvm::MapVector<int64_t, std::pair<llvm::SetVector<int64_t>, SmallVector<Layer *>>> found;
  for (Layer *layer : makers) {
    Axis axis = outputs(*layer);
    auto &[members, owners] = found[together.getLeaderValue(channels.find(axis.first))];
    owners.push_back(layer);
    for (int64_t i = 0; i < axis.extent; ++i)
      members.insert(channels.find(axis.first + i));
  }
  for (auto &[leader, group] : found)
    groups.push_back({SmallVector<int64_t>(group.first.begin(), group.first.end()),
                      std::move(group.second), ""});
  for (const Group &group : groups)
    for (const Layer *layer : group.makers)
      groupOf[layer] = &group;
}

/// Adds the squares of what makes each output to its channel's.
void ChannelPruner::weigh(const Layer &layer) {
  Axis axis = outputs(layer);
  int64_t stride = layer.isColumns ? 1 : layer.depth();
  for (int64_t i = 0, e = layer.view->numElements(); i < e; ++i) {
    double value = layer.at(i);
    norms[channels.find(axis.first + i / stride % axis.extent)] += value * value;
  }
}

/// Why the group stays whole, else nothing and the least part that a rule leaves out.
std::string ChannelPruner::obstacle(const Group &group, double &fraction) const {
  const Layer *other = nullptr;
  fraction = 1;
  for (const Layer *layer : group.makers) {
    if (const Rule *rule = ruleOf(*layer))
      fraction = std::min(fraction, rule->sparsity.fraction);
    else
      other = layer;
  }
  if (llvm::all_of(group.channels, [&](int64_t channel) { return channels.isFixed(channel); }))
    return channels.reason(group.channels.front()).str();
  return other ? "its channels are those of '" + other->path + "' too, which no rule prunes by them"
               : "";
}

void ChannelPruner::leaveOut(Group &group, double fraction) {
  // A head or a flattened image has several outputs a channel.
  Axis axis = outputs(*group.makers.front());
  int64_t width = 0, count = group.channels.size();
  for (int64_t i = 0; i < axis.extent; ++i)
    width += channels.find(axis.first + i) == group.channels.front();
  int64_t step = panel / std::gcd(panel, std::max<int64_t>(width, 1));
  SmallVector<int64_t> free;
  for (int64_t channel : group.channels)
    if (!channels.isFixed(channel))
      free.push_back(channel);
  double wanted = (1 - fraction) * static_cast<double>(count) / static_cast<double>(step);
  int64_t stay = std::max<int64_t>(std::llround(wanted), 1) * step;
  int64_t drop = std::min<int64_t>(count - stay, free.size());
  while (drop > 0 && (count - drop) % step != 0)
    --drop;
  if (drop <= 0) {
    group.reason = "of its " + std::to_string(count) + " channels a multiple of " +
                   std::to_string(step) + " stays, and that is all";
    return;
  }
  llvm::stable_sort(free, [&](int64_t a, int64_t b) { return norms.lookup(a) < norms.lookup(b); });
  dropped.insert(free.begin(), free.begin() + drop);
}

void ChannelPruner::choose(Group &group) {
  double fraction;
  group.reason = obstacle(group, fraction);
  if (group.reason.empty())
    leaveOut(group, fraction);
}

int64_t ChannelPruner::kept(Axis axis) const {
  int64_t count = 0;
  for (int64_t i = 0; i < axis.extent; ++i)
    count += !isDropped(axis.first + i);
  return count;
}

SmallVector<DimExpr> ChannelPruner::keptDims(Value value) const {
  SmallVector<DimExpr> dims = dimsOf(value.getType());
  for (auto [i, dim] : llvm::enumerate(dims))
    if (Axis axis = channels.axis(value, i); axis.isKnown())
      dim = kept(axis);
  return dims;
}

void ChannelPruner::shrink(WeightOp weight) {
  SmallVector<DimExpr> dims = dimsOf(weight.getType());
  SmallVector<SmallVector<int64_t>> positions(dims.size());
  SmallVector<int64_t> shape;
  bool isSmaller = false;
  for (unsigned i = 0; i < dims.size(); ++i) {
    Axis axis = channels.axis(weight, i);
    for (int64_t at = 0; at < axis.extent; ++at)
      if (!isDropped(axis.first + at))
        positions[i].push_back(at);
    shape.push_back(positions[i].size());
    isSmaller |= shape.back() != axis.extent;
  }
  if (!isSmaller)
    return;
  WeightStore &store = module.getContext()->getLoadedDialect<KilnDialect>()->getWeights();
  const WeightView *view = store.find(*weight.getHash());
  auto width = static_cast<int64_t>(byteSize(view->type));
  std::vector<int64_t> elements = {0};
  for (unsigned i = 0; i < dims.size(); ++i) {
    std::vector<int64_t> further;
    for (int64_t first : elements)
      for (int64_t at : positions[i])
        further.push_back(first * view->shape[i] + at);
    elements = std::move(further);
  }
  std::vector<uint8_t> bytes;
  bytes.reserve(elements.size() * width);
  for (int64_t element : elements) {
    const uint8_t *first = view->bytes.data() + element * width;
    bytes.insert(bytes.end(), first, first + width);
  }
  DType type = view->type;
  weight.setHash(store.addOwned(type, shape, std::move(bytes)));
  weight.setType(tensorType(cast<RankedTensorType>(weight.getType()).getElementType(),
                            SmallVector<DimExpr>(shape.begin(), shape.end())));
}

/// Results and attributes of an op, for the operands that it then has.
void ChannelPruner::shrink(Operation *op) {
  auto dimsAttr = [&](ArrayRef<DimExpr> dims) { return DimsAttr::get(op->getContext(), dims); };
  if (auto slice = dyn_cast<SliceOp>(op)) {
    SmallVector<DimExpr> starts = slice.getStarts().getDims();
    for (auto [i, start] : llvm::enumerate(starts))
      if (Axis from = channels.axis(slice.getX(), i); from.isKnown() && start.isConstant())
        if (kept(from) != from.extent)
          start = kept({from.first, *start.constantValue()});
    slice.setStartsAttr(dimsAttr(starts));
    slice.setSizesAttr(dimsAttr(keptDims(slice.getResult())));
  }
  auto setGroups = [&](auto conv) {
    unsigned channel = conv.getChannelsLast() ? dimsOf(conv.getType()).size() - 1 : 1;
    if (conv.getGroups() != 1)
      if (Axis axis = channels.axis(conv.getX(), channel); kept(axis) != axis.extent)
        conv.setGroups(kept(axis));
  };
  if (auto conv = dyn_cast<Conv2dOp>(op))
    setGroups(conv);
  if (auto conv = dyn_cast<Conv3dOp>(op))
    setGroups(conv);
  for (Value result : op->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type)
      continue;
    SmallVector<DimExpr> dims = keptDims(result);
    if (dims == dimsOf(type))
      continue;
    result.setType(tensorType(type.getElementType(), dims));
    if (isa<ReshapeOp, BroadcastToOp, FullOp, ZerosOp, OnesOp>(op))
      op->setAttr("shape", dimsAttr(dims));
  }
}

/// The sum of squares of what goes with its channels, and how many elements are zero or gone.
double ChannelPruner::lost(const Layer &layer, int64_t &zeros) const {
  double sum = 0;
  ArrayRef<int64_t> shape = layer.shape();
  SmallVector<llvm::BitVector> goes;
  for (unsigned axis = 0; axis < shape.size(); ++axis) {
    goes.emplace_back(shape[axis]);
    for (int64_t i = 0; i < shape[axis]; ++i)
      if (isDropped(channels.axis(layer.weight, axis).first + i))
        goes.back().set(i);
  }
  zeros = 0;
  for (int64_t i = 0, e = layer.view->numElements(); i < e; ++i) {
    bool isGone = false;
    int64_t rest = i;
    for (unsigned axis = shape.size(); axis-- > 0; rest /= shape[axis])
      isGone |= goes[axis][rest % shape[axis]];
    double value = layer.at(i);
    sum += isGone ? value * value : 0;
    zeros += isGone || value == 0;
  }
  return sum;
}

/// Why all outputs stay.
std::string ChannelPruner::whyKept(const Layer &layer) const {
  if (const Group *group = groupOf.lookup(&layer))
    return group->reason.empty() ? "those tied to it that weigh less are other layers'"
                                 : group->reason;
  if (llvm::all_of(layer.readers, [](Operation *op) { return isa<TakeOp>(op); }))
    return "it is a table of rows";
  StringRef fixed = channels.reason(outputs(layer).first);
  return fixed.empty() ? "its channels are those of what it reads" : fixed.str();
}

void ChannelPruner::report(Layer &layer) {
  const Rule *rule = ruleOf(layer);
  if (!layer.reason.empty()) {
    if (rule)
      remarkMissed(layer, "pruned", "not pruned: " + layer.reason);
    return;
  }
  Axis in = inputs(layer), out = outputs(layer);
  int64_t keptIn = kept(in), keptOut = kept(out);
  if (rule && keptOut == out.extent) {
    remarkMissed(layer, "pruned", "no outputs are pruned: " + whyKept(layer));
  }
  if (keptOut == out.extent && keptIn == in.extent)
    return;
  LedgerRow &row = ledgerRow(layer);
  int64_t elements = 1;
  for (unsigned i = 0; i < layer.shape().size(); ++i)
    elements *= kept(channels.axis(layer.weight, i));
  row.pruning = rule ? rule->sparsity.text() : "channels";
  row.error += lost(layer, row.zeros);
  row.bytesAfter = elements * static_cast<int64_t>(sizeof(float));
  remarkPassed(layer, "pruned",
               "keeps " + Twine(keptOut) + " of " + Twine(out.extent) + " outputs and " +
                   Twine(keptIn) + " of " + Twine(in.extent) + " inputs: density " +
                   digits(row.density()) + ", relative error " + digits(row.relativeError()));
}

void ChannelPruner::run() {
  fixWeights();
  findGroups();
  for (const Layer &layer : layers)
    if (layer.reason.empty() &&
        !llvm::all_of(layer.readers, [](Operation *op) { return isa<TakeOp>(op); }))
      weigh(layer);
  for (Group &group : groups)
    choose(group);
  for (Layer &layer : layers)
    report(layer);
  if (dropped.empty())
    return;
  module.walk([&](Operation *op) { shrink(op); });
  for (auto weight : module.getOps<WeightOp>())
    shrink(weight);
}

void passes::pruneChannels(ModuleOp module, MutableArrayRef<Layer> layers, ArrayRef<Rule> rules) {
  ChannelPruner(module, layers, rules).run();
}
