//===- Requirement.cpp - what must hold of dimensions ---------------------===//

#include "ir/Requirement.h"

#include <algorithm>

using namespace kiln;

bool kiln::holds(int64_t got, Relation relation, int64_t expected) {
  switch (relation) {
  case Relation::Equal:
    return got == expected;
  case Relation::AtLeast:
    return got >= expected;
  case Relation::AtMost:
    return got <= expected;
  }
  return false;
}

std::string_view kiln::words(Relation relation) {
  switch (relation) {
  case Relation::Equal:
    return "";
  case Relation::AtLeast:
    return "at least ";
  case Relation::AtMost:
    return "at most ";
  }
  return "";
}

std::string Requirement::text() const {
  return subject + ": expected " + std::string(words(relation)) + expected.str() + ", got " +
         got.str();
}

/// What must not be negative (or, for an equality, must be 0).
static DimExpr excess(const Requirement &requirement) {
  return requirement.relation == Relation::AtMost ? requirement.expected - requirement.got
                                                  : requirement.got - requirement.expected;
}

/// Narrows the bounds by expr >= 0, if that is a statement about one dimension alone.
static void narrow(DimExpr::BoundsMap &bounds, const DimExpr &expr) {
  std::set<std::string> names;
  expr.collectSymbols(names);
  if (names.size() != 1)
    return;
  auto linear = expr.splitLinear(*names.begin());
  std::optional<int64_t> rest = linear ? linear->second.constantValue() : std::nullopt;
  if (!rest || linear->first == 0)
    return;
  auto [place, isNew] = bounds.try_emplace(*names.begin());
  DimBounds &range = place->second;
  if (isNew)
    range.lower = 0;
  // slope * name + rest >= 0
  DimExpr limit = linear->first > 0 ? -DimExpr::floorDiv(DimExpr(*rest), DimExpr(linear->first))
                                    : DimExpr::floorDiv(DimExpr(*rest), -DimExpr(linear->first));
  std::optional<int64_t> value = limit.constantValue();
  if (!value)
    return;
  if (linear->first > 0)
    range.lower = std::max(range.lower.value_or(*value), *value);
  else
    range.upper = std::min(range.upper.value_or(*value), *value);
}

/// A minimum or maximum somewhere in the expression.
static const DimAtom *findExtreme(const DimExpr &expr) {
  for (const auto &[monomial, coefficient] : expr.monomials())
    for (const DimAtom &atom : monomial) {
      if (atom.kind == DimAtom::Kind::Symbol)
        continue;
      if (atom.kind != DimAtom::Kind::Quotient)
        return &atom;
      for (const DimExpr *side : {atom.left.get(), atom.right.get()})
        if (const DimAtom *found = findExtreme(*side))
          return found;
    }
  return nullptr;
}

static bool isEmpty(const DimExpr::BoundsMap &bounds) {
  return std::any_of(bounds.begin(), bounds.end(), [](const auto &entry) {
    return entry.second.lower && entry.second.upper && *entry.second.lower > *entry.second.upper;
  });
}

static bool isQuotient(const DimExpr::Monomial &monomial) {
  return monomial.size() == 1 && monomial[0].kind == DimAtom::Kind::Quotient;
}

static bool hasQuotients(const DimExpr &expr) {
  return std::any_of(expr.monomials().begin(), expr.monomials().end(),
                     [](const auto &term) { return isQuotient(term.first); });
}

/// Multiples of a divisor d times a quotient n//d say more together: d * (n//d) = n - r with r from
/// 0 to d - 1.
static DimExpr takeRemainders(const DimExpr &expr, DimExpr::BoundsMap &bounds) {
  DimExpr result;
  for (const auto &[monomial, coefficient] : expr.monomials()) {
    DimExpr term(coefficient);
    for (const DimAtom &atom : monomial)
      term = term * DimExpr::ofAtom(atom);
    const DimAtom *quotient = isQuotient(monomial) ? &monomial[0] : nullptr;
    std::optional<int64_t> divisor;
    if (quotient)
      divisor = quotient->right->constantValue();
    if (divisor && *divisor > 0 && coefficient % *divisor == 0) {
      std::string rest = "%" + quotient->key;
      bounds[rest] = {0, *divisor - 1};
      term = DimExpr(coefficient / *divisor) * (*quotient->left - DimExpr::symbol(rest));
    }
    result = result + term;
  }
  return result;
}

/// Both are true: the narrower ends.
static DimBounds intersect(DimBounds a, const DimBounds &b) {
  if (b.lower)
    a.lower = std::max(a.lower.value_or(*b.lower), *b.lower);
  if (b.upper)
    a.upper = std::min(a.upper.value_or(*b.upper), *b.upper);
  return a;
}

/// The interval, with each minimum and maximum taken apart into the case that its first operand is
/// the smaller one and the case that it is not.
static DimBounds boundsByCases(const DimExpr &expr, const DimExpr::BoundsMap &bounds, int depth) {
  DimBounds whole = expr.bounds(bounds);
  if (hasQuotients(expr)) {
    DimExpr::BoundsMap withRests = bounds;
    DimExpr rewritten = takeRemainders(expr, withRests);
    whole = intersect(whole, rewritten.bounds(withRests));
  }
  const DimAtom *atom = depth ? findExtreme(expr) : nullptr;
  if (!atom)
    return whole;
  std::optional<DimBounds> joined;
  for (bool leftIsSmaller : {true, false}) {
    DimExpr::BoundsMap inner = bounds;
    narrow(inner, leftIsSmaller ? *atom->right - *atom->left : *atom->left - *atom->right);
    if (isEmpty(inner))
      continue; // this case does not occur
    bool takeLeft = leftIsSmaller == (atom->kind == DimAtom::Kind::Min);
    DimBounds part =
        boundsByCases(expr.replace(*atom, takeLeft ? *atom->left : *atom->right), inner, depth - 1);
    if (!joined) {
      joined = part;
      continue;
    }
    joined->lower = joined->lower && part.lower
                        ? std::optional(std::min(*joined->lower, *part.lower))
                        : std::nullopt;
    joined->upper = joined->upper && part.upper
                        ? std::optional(std::max(*joined->upper, *part.upper))
                        : std::nullopt;
  }
  return joined ? intersect(*joined, whole) : whole;
}

DimBounds Requirements::boundsOf(const DimExpr &expr) const {
  return boundsByCases(expr, bounds, /*depth=*/4);
}

/// Whether all that the one takes for granted the other does too.
static bool isKnownFor(const Requirement &known, const Requirement &within) {
  return std::all_of(known.when.begin(), known.when.end(), [&](const DimExpr &each) {
    return std::find(within.when.begin(), within.when.end(), each) != within.when.end();
  });
}

/// Of the difference of both sides, the first atom that stands alone, once; null if none does.
static const DimAtom *loneAtom(const DimExpr &left, const DimExpr &right) {
  auto a = left.monomials().begin(), aEnd = left.monomials().end();
  auto b = right.monomials().begin(), bEnd = right.monomials().end();
  while (a != aEnd || b != bEnd) {
    bool takesA = b == bEnd || (a != aEnd && !(b->first < a->first));
    bool takesB = a == aEnd || (b != bEnd && !(a->first < b->first));
    const DimExpr::Monomial &monomial = takesA ? a->first : b->first;
    int64_t coefficient = (takesA ? a->second : 0) - (takesB ? b->second : 0);
    if (monomial.size() == 1 && (coefficient == 1 || coefficient == -1))
      return &monomial[0];
    a = takesA ? std::next(a) : a;
    b = takesB ? std::next(b) : b;
  }
  return nullptr;
}

static bool contains(const DimExpr &expr, const DimAtom &wanted) {
  for (const auto &[monomial, coefficient] : expr.monomials())
    for (const DimAtom &atom : monomial)
      if (atom == wanted || (atom.kind != DimAtom::Kind::Symbol &&
                             (contains(*atom.left, wanted) || contains(*atom.right, wanted))))
        return true;
  return false;
}

/// The expression after what is known to be equal has been put in: an equality with an atom that
/// stands alone, once, gives that atom.
DimExpr Requirements::reduce(DimExpr expr, const Requirement &within) const {
  for (const Requirement &known : kept) {
    if (known.relation != Relation::Equal || !isKnownFor(known, within))
      continue;
    // Of a deep model's equalities few concern the expression.
    const DimAtom *lone = loneAtom(known.got, known.expected);
    if (!lone || !contains(expr, *lone))
      continue;
    DimExpr zero = excess(known);
    for (const auto &[monomial, coefficient] : zero.monomials())
      if (monomial.size() == 1 && (coefficient == 1 || coefficient == -1)) {
        DimExpr atom = DimExpr::ofAtom(monomial[0]);
        expr = expr.replace(monomial[0], coefficient == 1 ? atom - zero : atom + zero);
        break;
      }
  }
  return expr;
}

Verdict Requirements::judge(const Requirement &requirement) const {
  DimExpr value = reduce(excess(requirement), requirement);
  bool isEquality = requirement.relation == Relation::Equal;
  if (std::optional<int64_t> number = value.constantValue())
    if (holds(*number, isEquality ? Relation::Equal : Relation::AtLeast, 0))
      return Verdict::Proved;
  // A deep model has many bounds, and they are copied only where conditions narrow them.
  DimExpr::BoundsMap narrowed;
  const DimExpr::BoundsMap &inside = requirement.when.empty() ? bounds : narrowed;
  if (!requirement.when.empty())
    narrowed = bounds;
  for (const DimExpr &condition : requirement.when) {
    narrow(narrowed, condition);
    std::optional<int64_t> most = boundsOf(condition).upper;
    if ((most && *most < 0) || isEmpty(narrowed))
      return Verdict::Proved; // its branch is never taken
  }
  DimBounds range = boundsByCases(value, inside, /*depth=*/4);
  if (isEquality ? value == DimExpr(0) || (range.lower == 0 && range.upper == 0)
                 : range.lower && *range.lower >= 0)
    return Verdict::Proved;
  if ((range.upper && *range.upper < 0) || (isEquality && range.lower && *range.lower > 0))
    return Verdict::Refuted;
  auto notNegative = [&](const DimExpr &expr) {
    std::optional<int64_t> lower = expr.bounds(inside).lower;
    return lower && *lower >= 0;
  };
  for (const DimExpr &known : given)
    if (!isEquality && notNegative(value - known))
      return Verdict::Proved;
  for (const Requirement &known : kept)
    if (!isEquality && known.relation != Relation::Equal && isKnownFor(known, requirement) &&
        notNegative(value - excess(known)))
      return Verdict::Proved;
  return Verdict::Unknown;
}

void Requirements::declare(const std::string &dimension, const DimExpr &most) {
  bounds[dimension] = {0, boundsOf(most).upper};
  given.push_back(most - DimExpr::symbol(dimension));
}

Verdict Requirements::add(Requirement requirement) {
  Verdict verdict = judge(requirement);
  if (verdict != Verdict::Unknown)
    return verdict;
  DimExpr value = excess(requirement);
  if (requirement.when.empty()) {
    narrow(bounds, value);
    if (requirement.relation == Relation::Equal)
      narrow(bounds, -value);
  }
  kept.push_back(std::move(requirement));
  return verdict;
}
