//===- Rules.cpp - what a recipe wants of each layer ------------------------===//

#include "passes/compress/Rules.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>
#include <map>

using namespace kiln;
using namespace kiln::passes;
using namespace mlir;

StringRef passes::textOf(Observer observer) {
  static constexpr StringLiteral texts[] = {"minmax", "percentile", "mse", "entropy"};
  return texts[static_cast<size_t>(observer)];
}

std::optional<Observer> passes::observerOf(StringRef text) {
  for (Observer observer :
       {Observer::MinMax, Observer::Percentile, Observer::MSE, Observer::Entropy})
    if (textOf(observer) == text)
      return observer;
  return std::nullopt;
}

std::string Scheme::text() const {
  switch (kind) {
  case Kind::F32:
    return "f32";
  case Kind::BF16:
    return "bf16";
  case Kind::F16:
    return "f16";
  case Kind::Int8:
    if (activations == Activations::Dynamic)
      return "int8 per channel, activations int8 per row";
    if (activations == Activations::Static)
      return ("int8 per channel, activations int8 by " + textOf(observer)).str();
    return (group ? "int8 in groups of " + std::to_string(group) : "int8 per channel") +
           (hasHalfScales ? " with scales in f16" : "") + (isScaled ? ", scaled by AWQ" : "");
  case Kind::Parts:
    return "int" + std::to_string(partBits) + " in groups of " + std::to_string(group) +
           (hasZeroPoints ? " with zero points" : "") +
           (hasHalfScales ? (hasZeroPoints ? " and scales in f16" : " with scales in f16") : "") +
           (rounding == Rounding::GPTQ ? ", rounded by GPTQ" : "") +
           (isScaled ? ", scaled by AWQ" : "");
  }
  return "";
}

std::optional<Scheme> passes::widened(const Scheme &scheme) {
  if (scheme.kind != Scheme::Kind::Parts)
    return std::nullopt;
  Scheme wider = scheme;
  if (scheme.partBits == 3) {
    wider.partBits = 4;
    return wider;
  }
  wider.kind = Scheme::Kind::Int8;
  wider.hasZeroPoints = false;
  wider.rounding = Scheme::Rounding::Nearest;
  return wider;
}

std::string Sparsity::text() const {
  std::string end = isCompensated ? ", compensated" : "";
  if (of)
    return std::to_string(kept) + ":" + std::to_string(of) + (isWanda ? " by wanda" : "") + end;
  std::string digits = std::to_string(fraction);
  digits.erase(digits.find_last_not_of('0') + 1);
  return (isChannels ? "channels "
          : isBlock  ? "block16x1 "
          : isWanda  ? "wanda "
                     : "magnitude ") +
         digits + end;
}

bool passes::matches(StringRef pattern, StringRef path) {
  size_t star = pattern.find('*');
  if (star == StringRef::npos)
    return pattern == path;
  if (!path.consume_front(pattern.take_front(star)))
    return false;
  pattern = pattern.drop_front(star + 1);
  for (size_t at = 0; at <= path.size(); ++at)
    if (matches(pattern, path.drop_front(at)))
      return true;
  return false;
}

namespace {
/// One dictionary.
class Reader {
public:
  Reader(DictionaryAttr dict, Location module) : dict(dict), module(module) {}
  /// `before` are the rules in front of it.
  FailureOr<Rule> read(ArrayRef<Rule> before);

private:
  StringRef text(StringRef key) const {
    auto attr = dict.getAs<StringAttr>(key);
    return attr ? attr.getValue() : StringRef();
  }
  Location place(StringRef key) const {
    auto places = dict.getAs<DictionaryAttr>("places");
    auto found = places ? places.getAs<LocationAttr>(key) : LocationAttr();
    if (!found && places)
      found = places.getAs<LocationAttr>("pattern");
    return found ? Location(found) : module;
  }
  LogicalResult readScheme(Rule &rule);
  LogicalResult readSparsity(Rule &rule);
  FailureOr<Rule> readBudget();
  FailureOr<Rule> readHold(ArrayRef<Rule> before);
  LogicalResult readActivations(Rule &rule, StringRef value, Location at);
  LogicalResult readScaling(Rule &rule, StringRef value, Location at);
  LogicalResult readScales(Rule &rule, StringRef value, Location at);
  LogicalResult readObserver(Rule &rule, StringRef value, Location at);
  LogicalResult readParts(Rule &rule, StringRef name, StringRef value, Location at);
  LogicalResult readInt8(Rule &rule, StringRef name, StringRef value, Location at);
  LogicalResult readPruning(Rule &rule, StringRef name, StringRef value, Location at);
  LogicalResult readSettings(Rule &rule);

  DictionaryAttr dict;
  Location module;
};
} // namespace

LogicalResult Reader::readScheme(Rule &rule) {
  StringRef to = text("to");
  static const std::map<StringRef, Scheme::Kind> kinds = {
      {"f32", Scheme::Kind::F32},   {"bf16", Scheme::Kind::BF16},  {"f16", Scheme::Kind::F16},
      {"int8", Scheme::Kind::Int8}, {"int4", Scheme::Kind::Parts}, {"int3", Scheme::Kind::Parts}};
  auto found = kinds.find(to);
  bool isKeep = rule.action == Rule::Action::Keep;
  if (isKeep && to != "f32")
    return emitError(place("to"), "expected 'as f32', got '") << to << "'";
  if (found == kinds.end() || (!isKeep && to == "f32"))
    return emitError(place("to"), "expected int8, int4, int3, bf16 or f16, got '") << to << "'";
  rule.scheme.kind = found->second;
  if (rule.scheme.kind == Scheme::Kind::Parts) {
    rule.scheme.group = 32;
    rule.scheme.partBits = to == "int3" ? 3 : 4;
  }
  return success();
}

LogicalResult Reader::readSparsity(Rule &rule) {
  StringRef to = text("to"), wish = to;
  auto [kept, of] = to.split(':');
  rule.sparsity.isChannels = wish.consume_front("channels:");
  rule.sparsity.isBlock = !rule.sparsity.isChannels && wish.consume_front("block16x1:");
  if (!rule.sparsity.isChannels && !rule.sparsity.isBlock && to.contains(':')) {
    if (!kept.getAsInteger(10, rule.sparsity.kept) && !of.getAsInteger(10, rule.sparsity.of) &&
        rule.sparsity.kept > 0 && rule.sparsity.kept < rule.sparsity.of && rule.sparsity.of <= 64)
      return success();
  } else if (!wish.getAsDouble(rule.sparsity.fraction) && rule.sparsity.fraction > 0 &&
             rule.sparsity.fraction < 1) {
    return success();
  }
  return emitError(place("to"), "expected the part of weights that become zero, as 0.8, how "
                                "many stay of how many, as 2:4, the part of blocks that become "
                                "zero, as block16x1:0.75, or the part of channels that go, as "
                                "channels:0.3; got '")
         << to << "'";
}

LogicalResult Reader::readActivations(Rule &rule, StringRef value, Location at) {
  if (value == "dynamic")
    rule.scheme.activations = Scheme::Activations::Dynamic;
  else if (value == "static")
    rule.scheme.activations = Scheme::Activations::Static;
  else if (value != "none")
    return emitError(at, "expected activations = none, dynamic or static, got '") << value << "'";
  return success();
}

LogicalResult Reader::readObserver(Rule &rule, StringRef value, Location at) {
  std::optional<Observer> observer = observerOf(value);
  if (!observer)
    return emitError(at, "expected calibrate = minmax, percentile, mse or entropy, got '")
           << value << "'";
  rule.scheme.observer = *observer;
  return success();
}

LogicalResult Reader::readScaling(Rule &rule, StringRef value, Location at) {
  rule.scheme.isScaled = value == "awq";
  if (value != "awq" && value != "none")
    return emitError(at, "expected scaling = none or awq, got '") << value << "'";
  return success();
}

LogicalResult Reader::readScales(Rule &rule, StringRef value, Location at) {
  rule.scheme.hasHalfScales = value == "f16";
  if (value != "f16" && value != "f32")
    return emitError(at, "expected scales = f32 or f16, got '") << value << "'";
  return success();
}

LogicalResult Reader::readParts(Rule &rule, StringRef name, StringRef value, Location at) {
  if (name == "zero_point") {
    rule.scheme.hasZeroPoints = value == "true";
    if (value != "true" && value != "false")
      return emitError(at, "expected zero_point = true or false, got '") << value << "'";
  }
  if (name == "rounding") {
    rule.scheme.rounding = value == "gptq" ? Scheme::Rounding::GPTQ : Scheme::Rounding::Nearest;
    if (value != "gptq" && value != "nearest")
      return emitError(at, "expected rounding = nearest or gptq, got '") << value << "'";
  }
  return success();
}

LogicalResult Reader::readInt8(Rule &rule, StringRef name, StringRef value, Location at) {
  if (name == "calibrate")
    return readObserver(rule, value, at);
  if (name == "weights" && value != "per_channel")
    return emitError(at, "expected weights = per_channel, got '") << value << "'";
  return name == "activations" ? readActivations(rule, value, at) : success();
}

LogicalResult Reader::readPruning(Rule &rule, StringRef name, StringRef value, Location at) {
  if (name == "update") {
    rule.sparsity.isCompensated = value == "compensated";
    if (value != "compensated" && value != "none")
      return emitError(at, "expected update = none or compensated, got '") << value << "'";
    return success();
  }
  rule.sparsity.isWanda = value == "wanda";
  if (value != "wanda" && value != "magnitude")
    return emitError(at, "expected saliency = magnitude or wanda, got '") << value << "'";
  return success();
}

LogicalResult Reader::readSettings(Rule &rule) {
  auto settings = dict.getAs<DictionaryAttr>("with");
  bool isQuantize = rule.action == Rule::Action::Quantize;
  bool isInt8 = isQuantize && rule.scheme.kind == Scheme::Kind::Int8;
  bool isParts = isQuantize && rule.scheme.kind == Scheme::Kind::Parts;
  SmallVector<StringRef> known;
  if (isInt8)
    known = {"group", "weights", "activations", "calibrate", "scaling", "scales"};
  else if (isParts)
    known = {"group", "zero_point", "rounding", "scaling", "scales"};
  bool isPrune = rule.action == Rule::Action::Prune;
  if (isPrune && rule.sparsity.isBlock)
    known = {"update"};
  else if (isPrune && !rule.sparsity.isChannels)
    known = {"saliency", "update"};
  for (NamedAttribute entry : settings ? settings.getValue() : ArrayRef<NamedAttribute>()) {
    StringRef name = entry.getName(), value;
    if (auto given = dyn_cast<StringAttr>(entry.getValue()))
      value = given.getValue();
    Location at = place(name);
    if (!llvm::is_contained(known, name))
      return emitError(at, "unknown setting '") << name
                                                << "'; int8 has group, weights, activations, "
                                                   "calibrate, scaling and scales, int4 and int3 "
                                                   "have group, zero_point, rounding, scaling and "
                                                   "scales, "
                                                   "pruning of single weights has saliency and "
                                                   "update, of blocks update, others have none";
    if (name == "group" && (value.getAsInteger(10, rule.scheme.group) ||
                            !llvm::is_contained({32, 64, 128}, rule.scheme.group)))
      return emitError(at, "expected group = 32, 64 or 128, got '") << value << "'";
    if (failed(name == "scaling"  ? readScaling(rule, value, at)
               : name == "scales" ? readScales(rule, value, at)
               : isPrune          ? readPruning(rule, name, value, at)
               : isParts          ? readParts(rule, name, value, at)
                                  : readInt8(rule, name, value, at)))
      return failure();
  }
  if (rule.scheme.isScaled && rule.scheme.activations != Scheme::Activations::None)
    return emitError(place("scaling"), "scaling is for activations = none: integers have the range "
                                       "of inputs as they are");
  if (rule.scheme.group && rule.scheme.activations != Scheme::Activations::None)
    return emitError(place("group"), "groups are for activations = none: sums in integers have one "
                                     "scale a channel");
  if (rule.scheme.hasHalfScales && !rule.scheme.group)
    return emitError(place("scales"), "scales = f16 is for groups: those of channels are few");
  return success();
}

FailureOr<Rule> Reader::readBudget() {
  Rule rule{Rule::Action::Require, "", {}, {}, place("action"), 0, ""};
  if (text("to").getAsDouble(rule.limit) || !std::isfinite(rule.limit) || rule.limit <= 0)
    return emitError(place("to"),
                     "expected a relative error of the outputs above 0, as 0.01, got '")
           << text("to") << "'";
  return rule;
}

/// A wider scheme becomes a rule that decides the layer.
FailureOr<Rule> Reader::readHold(ArrayRef<Rule> before) {
  Rule rule{Rule::Action::Hold, text("pattern").str(), {}, {}, module, 0, text("to").str()};
  auto settings = dict.getAs<DictionaryAttr>("with");
  auto part = settings ? settings.getAs<StringAttr>("part") : StringAttr();
  if (!part)
    return rule;
  rule.held = part.getValue() == "pruning" ? Rule::Action::Prune : Rule::Action::Quantize;
  auto wider = settings.getAs<StringAttr>("wider");
  const Rule *wanted = wider ? ruleFor(before, Rule::Action::Quantize, rule.pattern) : nullptr;
  if (!wanted)
    return rule;
  std::optional<Scheme> scheme = wanted->scheme;
  int64_t steps = 0;
  if (wider.getValue().getAsInteger(10, steps))
    steps = 0;
  for (; steps > 0 && scheme; --steps)
    scheme = widened(*scheme);
  if (scheme) {
    rule.action = Rule::Action::Quantize;
    rule.scheme = *scheme;
  }
  return rule;
}

FailureOr<Rule> Reader::read(ArrayRef<Rule> before) {
  if (text("action") == "require")
    return readBudget();
  if (text("action") == "hold")
    return readHold(before);
  static const std::map<StringRef, Rule::Action> actions = {{"quantize", Rule::Action::Quantize},
                                                            {"keep", Rule::Action::Keep},
                                                            {"prune", Rule::Action::Prune}};
  auto action = actions.find(text("action"));
  if (action == actions.end() || text("pattern").empty())
    return emitError(place("pattern"), "expected quantize, keep or prune and a pattern, got '")
           << text("action") << "' of '" << text("pattern") << "'";
  Rule rule{action->second, text("pattern").str(), {}, {}, place("pattern"), 0, ""};
  bool isPrune = rule.action == Rule::Action::Prune;
  if (failed(isPrune ? readSparsity(rule) : readScheme(rule)) || failed(readSettings(rule)))
    return failure();
  return rule;
}

FailureOr<SmallVector<Rule>> passes::readRules(ModuleOp module) {
  SmallVector<Rule> rules;
  if (auto list = module->getAttrOfType<ArrayAttr>("kiln.compress"))
    for (Attribute entry : list) {
      auto dict = dyn_cast<DictionaryAttr>(entry);
      FailureOr<Rule> rule =
          dict ? Reader(dict, module.getLoc()).read(rules)
               : FailureOr<Rule>(module.emitError("expected dictionaries in 'kiln.compress'"));
      if (failed(rule))
        return failure();
      rules.push_back(*rule);
    }
  return rules;
}

/// As the recipe has it, whether the layer is held back or not.
static const Rule *lastRule(ArrayRef<Rule> rules, Rule::Action action, StringRef path) {
  for (const Rule &rule : llvm::reverse(rules))
    if (rule.decides(action) && rule.reason.empty() && matches(rule.pattern, path))
      return &rule;
  return nullptr;
}

const Rule *passes::holdOf(ArrayRef<Rule> rules, Rule::Action action, StringRef path) {
  const Rule *found = llvm::find_if(rules, [&](const Rule &rule) {
    return rule.action == Rule::Action::Hold && rule.pattern == path &&
           (!rule.held || *rule.held == action);
  });
  return found == rules.end() ? nullptr : found;
}

const Rule *passes::ruleFor(ArrayRef<Rule> rules, Rule::Action action, StringRef path) {
  if (holdOf(rules, action, path))
    return nullptr;
  if (action == Rule::Action::Quantize)
    for (const Rule &rule : rules)
      if (rule.action == action && !rule.reason.empty() && rule.pattern == path)
        return &rule;
  return lastRule(rules, action, path);
}

LogicalResult passes::checkRules(ArrayRef<Rule> rules, Rule::Action action,
                                 ArrayRef<std::string> paths) {
  for (const Rule &rule : rules) {
    if (!rule.decides(action) || !rule.reason.empty())
      continue;
    const Rule *other = nullptr;
    bool matchesAny = false, decidesAny = false;
    for (const std::string &path : paths) {
      if (!matches(rule.pattern, path))
        continue;
      matchesAny = true;
      const Rule *last = lastRule(rules, action, path);
      decidesAny |= last == &rule;
      other = last;
    }
    if (!matchesAny) {
      InFlightDiagnostic error = emitError(rule.place, "'") << rule.pattern << "' matches no layer";
      if (!paths.empty())
        error << "; there is '" << paths.front() << "', for example";
      return error;
    }
    if (!decidesAny) {
      InFlightDiagnostic error = emitError(rule.place, "the rule for '")
                                 << rule.pattern
                                 << "' decides nothing: later ones decide all "
                                    "layers that it matches";
      error.attachNote(other->place) << "the last of them is here";
      return error;
    }
  }
  return success();
}
