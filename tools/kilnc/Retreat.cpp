//===- Retreat.cpp - what a layer gives up for a required error -----------===//
#include "tools/kilnc/Retreat.h"

#include "passes/Pipeline.h"
#include "passes/compress/Layers.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace kiln;
using namespace llvm;

using passes::digits;

void Held::addTo(mlir::ModuleOp module) const {
  mlir::Builder builder(module.getContext());
  auto text = [&](StringRef name, StringRef value) {
    return builder.getNamedAttr(name, builder.getStringAttr(value));
  };
  mlir::NamedAttrList rule({text("action", "hold"), text("pattern", layer), text("to", reason)});
  mlir::NamedAttrList with;
  if (part != Part::All)
    with.append(text("part", part == Part::Pruning ? "pruning" : "quantization"));
  if (wider)
    with.append(text("wider", std::to_string(wider)));
  if (!with.empty())
    rule.append("with", with.getDictionary(module.getContext()));
  SmallVector<mlir::Attribute> rules(
      module->getAttrOfType<mlir::ArrayAttr>("kiln.compress").getValue());
  rules.push_back(rule.getDictionary(module.getContext()));
  module->setAttr("kiln.compress", builder.getArrayAttr(rules));
}

static bool isQuantized(const LedgerRow &row) { return row.bits < 32; }
static bool hasBoth(const LedgerRow &row) { return !row.pruning.empty() && isQuantized(row); }

static const LedgerRow *rowOf(ArrayRef<LedgerRow> rows, StringRef layer) {
  const LedgerRow *found = find_if(rows, [&](const LedgerRow &row) { return row.layer == layer; });
  return found == rows.end() ? nullptr : found;
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

bool Forms::needsPruned() const { return any_of(wanted, hasBoth); }

size_t Forms::levels() const {
  int bits = 32;
  for (const LedgerRow &row : wanted)
    bits = std::min(bits, row.bits);
  return bits < 4 ? 2 : bits < 8 ? 1 : 0;
}

/// As if both changed the outputs independently.
void Forms::weigh(double all, double pruning) {
  double both = 0, zeros = 0;
  for (const LedgerRow &row : wanted)
    if (const LedgerRow *only = rowOf(pruned, row.layer); only && hasBoth(row)) {
      both += row.error;
      zeros += only->error;
    }
  double rest = all * all - pruning * pruning, numbers = both - zeros;
  double ratio = rest / (pruning * pruning) * zeros / numbers;
  if (std::isfinite(ratio) && ratio > 0)
    weight = ratio;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

namespace {
/// The steps of one layer.
class Steps {
public:
  Steps(const Forms &forms, size_t layer, const LedgerModel::Alone &alone)
      : forms(forms), wanted(*rowOf(forms.wanted, alone.layer)), layer(layer), alone(alone) {}
  void addTo(std::vector<Step> &steps);

private:
  double partOf(double change) const;

  const Forms &forms;
  const LedgerRow &wanted;
  size_t layer;
  const LedgerModel::Alone &alone;
  double zeros = 0, numbers = 0; ///< squares of changes by pruning and by quantisation
};
} // namespace

/// Of the square of the layer's error on the outputs.
double Steps::partOf(double change) const {
  double square = std::isnan(alone.error) ? INFINITY : alone.error * alone.error;
  double all = zeros + numbers;
  double part = all > 0 ? std::clamp(change / all, 0.0, 1.0) : 1;
  return part > 0 ? square * part : 0;
}

void Steps::addTo(std::vector<Step> &steps) {
  const LedgerRow *pruned = hasBoth(wanted) ? rowOf(forms.pruned, wanted.layer) : nullptr;
  zeros = pruned ? pruned->error : isQuantized(wanted) ? 0 : wanted.error;
  double factor = pruned ? forms.weight : 1, plain = pruned ? pruned->error : 0;
  numbers = isQuantized(wanted) ? factor * std::max(wanted.error - plain, 0.0) : 0;
  if (!wanted.pruning.empty())
    steps.push_back({layer, Held::Part::Pruning, 0, partOf(zeros), "no pruning", "its pruning"});
  if (!isQuantized(wanted))
    return;
  double left = numbers, gain = INFINITY;
  std::string scheme = wanted.scheme;
  auto add = [&](int64_t wider, double after, const std::string &to) {
    gain = std::min(gain, partOf(left - after));
    steps.push_back({layer, Held::Part::Quantization, wider, gain, to, scheme});
    left = after;
    scheme = to;
  };
  for (auto [i, rows] : enumerate(forms.wider)) {
    const LedgerRow *row = rowOf(rows, wanted.layer);
    if (!row || !isQuantized(*row) || row->scheme == scheme)
      break;
    add(static_cast<int64_t>(i) + 1, factor * std::max(row->error - plain, 0.0), row->scheme);
  }
  add(0, 0, "f32");
}

std::vector<Step> kiln::stepsOf(const Forms &forms, ArrayRef<LedgerModel::Alone> alone) {
  std::vector<Step> steps;
  for (auto [i, one] : enumerate(alone))
    Steps(forms, i, one).addTo(steps);
  stable_sort(steps, [](const Step &a, const Step &b) { return a.gain > b.gain; });
  return steps;
}

std::vector<Held> kiln::heldBy(ArrayRef<Step> steps, ArrayRef<Step> all,
                               std::vector<LedgerModel::Alone> &alone, double required) {
  std::vector<Held> held;
  for (auto [i, one] : enumerate(alone)) {
    auto isOf = [layer = i](const Step &step) { return step.layer == layer; };
    std::string outputs =
        "the outputs have error " + digits(one.error) + " when only it is compressed, ";
    std::string limit = "and all are to be below " + digits(required);
    one.retreat.clear();
    one.isHeldBack = count_if(steps, isOf) == count_if(all, isOf);
    if (one.isHeldBack) {
      held.push_back({Held::Part::All, one.layer, "held back: " + outputs + limit});
      continue;
    }
    std::vector<Step> parts;
    for (Step step : make_filter_range(steps, isOf)) {
      // A wider scheme takes the place of the one before.
      erase_if(parts, [&](const Step &before) {
        if (before.part != step.part)
          return false;
        step.gain += before.gain;
        step.what = before.what;
        return true;
      });
      parts.push_back(step);
    }
    for (const Step &step : parts) {
      held.push_back({step.part, one.layer,
                      "retreats to " + step.to + ": " + outputs + digits(std::sqrt(step.gain)) +
                          " of that by " + step.what + ", " + limit,
                      step.wider});
      one.retreat += (one.retreat.empty() ? "" : ", ") + step.to;
    }
  }
  return held;
}
