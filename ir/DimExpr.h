//===- DimExpr.h - polynomials over dimension names ------------*- C++ -*-===//
//
// An extent of a tensor: an integer polynomial, in canonical form, over named dimensions and over
// floor quotients, minima and maxima of such polynomials. Two extents are the same if their
// canonical forms are. No LLVM or MLIR header, so that types, kernel specs and the host program
// share it.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_IR_DIMEXPR_H
#define KILN_IR_DIMEXPR_H

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

class DimExpr;

/// A factor of a monomial: a named dimension, or floor(left / right), min or max of the two.
struct DimAtom {
  enum class Kind : uint8_t { Symbol, Quotient, Min, Max };
  Kind kind = Kind::Symbol;
  std::string symbol; ///< of Kind::Symbol, else empty
  std::shared_ptr<const DimExpr> left, right;
  std::string key; ///< canonical text, by which atoms are ordered and compared
  bool operator<(const DimAtom &other) const { return key < other.key; }
  bool operator==(const DimAtom &other) const { return key == other.key; }
};

/// Inclusive bounds of a value; absent means unbounded.
struct DimBounds {
  std::optional<int64_t> lower, upper;
};

/// A canonical integer polynomial. Overflow of a coefficient saturates the expression to invalid
/// (isValid() is false), which every verifier refuses.
class DimExpr {
public:
  using Monomial = std::vector<DimAtom>; ///< sorted, with repetition
  using Environment = std::function<std::optional<int64_t>(std::string_view)>;
  using BoundsMap = std::map<std::string, DimBounds, std::less<>>;

  DimExpr(int64_t constant = 0);
  DimExpr(const DimExpr &) = default;
  DimExpr(DimExpr &&) noexcept = default;
  DimExpr &operator=(const DimExpr &) = default;
  /// Also from itself: SmallVector::insert of an empty range moves elements onto themselves.
  DimExpr &operator=(DimExpr &&other) noexcept {
    if (this != &other) {
      terms = std::move(other.terms);
      valid = other.valid;
    }
    return *this;
  }
  static DimExpr symbol(std::string_view name);
  /// floor(a / b). Exact divisions cancel; constants fold.
  static DimExpr floorDiv(const DimExpr &a, const DimExpr &b);
  /// The smaller and the larger. One of the two where their difference is a number.
  static DimExpr min(const DimExpr &a, const DimExpr &b);
  static DimExpr max(const DimExpr &a, const DimExpr &b);
  /// The atom as an expression, made anew from its operands.
  static DimExpr ofAtom(const DimAtom &atom);
  /// a - b * floor(a / b): the sign of the divisor.
  static DimExpr mod(const DimExpr &a, const DimExpr &b);
  /// Reads the text that str() writes, and any mixture of + - * // % ( ) min(,) max(,) over
  /// names and integers.
  static std::optional<DimExpr> parse(std::string_view text);

  DimExpr operator+(const DimExpr &other) const;
  DimExpr operator-(const DimExpr &other) const;
  DimExpr operator*(const DimExpr &other) const;
  DimExpr operator-() const { return DimExpr(0) - *this; }
  bool operator==(const DimExpr &other) const;
  bool operator!=(const DimExpr &other) const { return !(*this == other); }

  bool isValid() const { return valid; }
  bool isConstant() const;
  std::optional<int64_t> constantValue() const;
  /// The name, if the expression is exactly one named dimension.
  std::optional<std::string> asSymbol() const;
  /// Canonical text: "2*H + 1", "(H - 1)//2 + 1", "0".
  std::string str() const;

  /// Value under an assignment; nothing if a name is unknown, a divisor is 0 or the value
  /// overflows.
  std::optional<int64_t> evaluate(const Environment &env) const;
  /// Replaces names by expressions; names not in the map stay.
  DimExpr substitute(const std::map<std::string, DimExpr, std::less<>> &map) const;
  /// Replaces an atom, wherever it stands, by an expression.
  DimExpr replace(const DimAtom &atom, const DimExpr &by) const;
  /// Nothing that the value exceeds while each of the names is from 0 to what the map gives for it.
  /// Names in factors of the expression are taken to be no less than 0.
  DimExpr most(const std::map<std::string, DimExpr, std::less<>> &names) const;
  /// Interval of values when names lie in their bounds (a name without an entry is >= 0).
  DimBounds bounds(const BoundsMap &names) const;
  /// All names, also inside of other atoms.
  void collectSymbols(std::set<std::string> &into) const;
  /// If the expression is a*name + rest with a constant a and rest free of the name: both.
  std::optional<std::pair<int64_t, DimExpr>> splitLinear(std::string_view name) const;

  const std::map<Monomial, int64_t> &monomials() const { return terms; }

private:
  std::map<Monomial, int64_t> terms; ///< no zero coefficients; the empty monomial is the constant
  bool valid = true;
  void add(const Monomial &monomial, int64_t coefficient);
  DimExpr rewrite(const std::function<std::optional<DimExpr>(const DimAtom &)> &change) const;
  static DimExpr single(DimAtom::Kind kind, const DimExpr &left, const DimExpr &right);
  static DimExpr extreme(DimAtom::Kind kind, const DimExpr &a, const DimExpr &b);
};

} // namespace kiln

#endif // KILN_IR_DIMEXPR_H
