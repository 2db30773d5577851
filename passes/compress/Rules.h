//===- Rules.h - what a recipe wants of each layer -------------*- C++ -*-===//
//
// The module's attribute `kiln.compress` lists rules as dictionaries of texts:
//   {action = "quantize", pattern = "layer4.*", to = "int8", with = {group = "32"}, places = {…}}
// `action` is quantize, keep or prune; `places` may give the locations of `pattern`, `to` and the
// settings. Of several rules for a layer the last one counts.
//   {action = "require", to = "0.01"}
// is a budget: who drives the passes reads it, takes it out, and holds layers back until it is met:
//   {action = "hold", pattern = "fc1", to = "the reason"}
// is as if no rule were there for the layer of that path; with = {part = "pruning"} none that
// prunes it, with = {part = "quantization"} none that quantises it, and with = {part =
// "quantization", wider = "1"} it is quantised so many times wider than its rule says (`widened`).
//
//===----------------------------------------------------------------------===//
#ifndef KILN_PASSES_COMPRESS_RULES_H
#define KILN_PASSES_COMPRESS_RULES_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <string>

namespace kiln::passes {

/// Which range of an activation's values is kept; what lies outside becomes its ends. All of what
/// was seen, all but 0.01 % on each side, the one that leaves the least squares of errors, or the
/// one after which the distribution is most like the one before.
enum class Observer : uint8_t { MinMax, Percentile, MSE, Entropy };

/// "minmax", as a recipe spells it.
llvm::StringRef textOf(Observer observer);
std::optional<Observer> observerOf(llvm::StringRef text);

/// How a weight's numbers are stored, and what they are multiplied with.
struct Scheme {
  enum class Kind : uint8_t { F32, BF16, F16, Int8, Parts } kind = Kind::F32;
  int64_t partBits = 4;       ///< of Parts, numbers in parts of bytes: 4 or 3
  int64_t group = 0;          ///< elements along K that share a scale; 0: all of an output channel
  bool hasHalfScales = false; ///< in f16, of groups
  bool hasZeroPoints = false; ///< of Parts
  /// Of Parts: each number to the nearest, or such that the changes of a row make up for each other
  /// on calibration data.
  enum class Rounding : uint8_t { Nearest, GPTQ } rounding = Rounding::Nearest;
  /// AWQ: the weights of an input are rounded times a factor that calibration data gave, and the
  /// input is divided by it.
  bool isScaled = false;
  bool needsInputs() const { return rounding == Rounding::GPTQ || isScaled; }
  bool needsCalibration() const { return activations == Activations::Static || needsInputs(); }
  /// In what the layer reads activations: floats; integers with a scale a row, computed in each
  /// call; or integers with a range known from calibration data.
  enum class Activations : uint8_t { None, Dynamic, Static } activations = Activations::None;
  Observer observer = Observer::MinMax; ///< of Static
  int64_t bits() const {
    return kind == Kind::Parts ? partBits : kind == Kind::Int8 ? 8 : kind == Kind::F32 ? 32 : 16;
  }
  std::string text() const;
};

/// The next scheme that loses less: int4 for int3, int8 in the same groups for int4; nothing for
/// others.
std::optional<Scheme> widened(const Scheme &scheme);

/// Which elements of a weight stay.
struct Sparsity {
  double fraction = 0;      ///< of elements that become zero, or of channels that go; unless:
  int64_t kept = 0, of = 0; ///< of each `of` elements along K, `kept` stay
  bool isBlock =
      false; ///< blocks of 16 output channels by one input become zero, equally many of each 16
  bool isChannels = false; ///< whole output channels go, out of the layers that read them too
  bool isWanda = false;    ///< elements count by abs(w) times the norm of their input, in each row
  bool isCompensated = false; ///< what stays makes up for what became zero, on calibration data
  bool needsCalibration() const { return isWanda || isCompensated; }
  std::string text() const;
};

struct Rule {
  enum class Action : uint8_t { Quantize, Keep, Prune, Require, Hold } action;
  std::string pattern;
  Scheme scheme;     ///< of Quantize and Keep
  Sparsity sparsity; ///< of Prune
  mlir::Location place;
  double limit = 0;   ///< of Require: the relative error of the outputs is below it
  std::string reason; ///< of Hold, and of Quantize where it is wider than what was wanted
  /// Of Hold, what is not done; nothing: anything.
  std::optional<Action> held = std::nullopt;
  bool needsCalibration() const { return scheme.needsCalibration() || sparsity.needsCalibration(); }
  bool isForLayers() const { return action != Action::Require && action != Action::Hold; }
  bool decides(Action other) const {
    return isForLayers() && (action == Action::Prune) == (other == Action::Prune);
  }
};

/// "*" stands for any text, also with dots.
bool matches(llvm::StringRef pattern, llvm::StringRef path);

/// The module's rules; fails with an error at a rule's place. Empty without the attribute.
mlir::FailureOr<llvm::SmallVector<Rule>> readRules(mlir::ModuleOp module);

/// The rule that holds the layer back from `action`; null if none does.
const Rule *holdOf(llvm::ArrayRef<Rule> rules, Rule::Action action, llvm::StringRef path);

/// Of the rules that decide the same as `action`, the last one that matches; null if none does, or
/// if the layer is held back from it.
const Rule *ruleFor(llvm::ArrayRef<Rule> rules, Rule::Action action, llvm::StringRef path);

/// Fails, with an error at its place, if one of those rules matches no path, or decides none since
/// later ones do.
llvm::LogicalResult checkRules(llvm::ArrayRef<Rule> rules, Rule::Action action,
                               llvm::ArrayRef<std::string> paths);

} // namespace kiln::passes

#endif // KILN_PASSES_COMPRESS_RULES_H
