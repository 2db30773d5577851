//===- Requirement.h - what must hold of dimensions ------------*- C++ -*-===//
//
// Shapes and positions are polynomials over dimensions whose values only a call gives. What must
// hold of them is collected as requirements: what is proved vanishes, what is refuted is an error
// at its place, and the rest is checked once when a call begins. No LLVM or MLIR header.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_REQUIREMENT_H
#define KILN_IR_REQUIREMENT_H

#include "ir/DimExpr.h"

namespace kiln {

enum class Relation : uint8_t { Equal, AtLeast, AtMost };

/// Whether `got` RELATION `expected`.
bool holds(int64_t got, Relation relation, int64_t expected);
/// "", "at least ", "at most ": what stands before the expected value in a message.
std::string_view words(Relation relation);

struct Requirement {
  DimExpr got;
  Relation relation = Relation::Equal;
  DimExpr expected;
  std::string subject; ///< what `got` is, in the user's terms: "the index 'N - 3'"
  /// It is needed only where none of these is negative: where its branch is taken.
  std::vector<DimExpr> when = {};

  /// "the index 'N - 3': expected at least 0, got N - 3"
  std::string text() const;
  /// Whether a dimension of the map stands in it.
  template <typename Map> bool mentions(const Map &dimensions) const {
    std::set<std::string> names;
    got.collectSymbols(names);
    expected.collectSymbols(names);
    for (const DimExpr &each : when)
      each.collectSymbols(names);
    for (const std::string &name : names)
      if (dimensions.count(name))
        return true;
    return false;
  }
};

enum class Verdict : uint8_t { Proved, Refuted, Unknown };

/// The requirements of one function, over dimensions within bounds.
class Requirements {
public:
  explicit Requirements(DimExpr::BoundsMap bounds = {}) : bounds(std::move(bounds)) {}

  /// Whether it follows from the bounds and from what is already required.
  Verdict judge(const Requirement &requirement) const;
  /// Takes a dimension into account that has no values yet: from 0 to `most`, which is over others.
  void declare(const std::string &dimension, const DimExpr &most);
  /// Judges, and keeps it if that is unknown.
  Verdict add(Requirement requirement);
  const std::vector<Requirement> &list() const { return kept; }
  /// A number that the value never exceeds from below or above, if one is known.
  DimBounds boundsOf(const DimExpr &expr) const;

private:
  DimExpr reduce(DimExpr expr, const Requirement &within) const;

  std::vector<Requirement> kept;
  std::vector<DimExpr> given; ///< not negative, by declaration
  DimExpr::BoundsMap bounds;  ///< the declared ones, narrowed by what is kept
};

} // namespace kiln

#endif // KILN_IR_REQUIREMENT_H
